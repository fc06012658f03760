"""What is known of members, checked on Complete Journey: inferred traits against demographics, the rest out of time.

The demographics of 801 households are read here only, never learnt from; "calibrated" and "supervised" are 10-fold
over households. Everything else is learnt before week 41 and judged on weeks 41–53. Intervals: bootstrap of members.
"""

import argparse

import numpy as np

from benchmarks import companions
from benchmarks.known_shop import CUT, END, Column, Shop, auc, shop
from members.importing.completejourney_source import demographics
from recommend import habit_tags, household_traits, life_cycle, life_stage, value
from recommend.evaluating.traits import QUESTIONS, described, folds, recalibrated
from recommend.matrix import PurchaseLog
from recommend.taxonomy import load


def supervised(columns: Column, true: Column) -> Column:
    """Return the chance by extremely randomised trees on all product types, learnt from the other folds' answers."""
    from sklearn.ensemble import ExtraTreesClassifier

    answer = np.zeros(len(true))
    for learnt, judged in folds(true):
        trees = ExtraTreesClassifier(500, min_samples_leaf=4, max_features=0.2, random_state=0)
        answer[judged] = trees.fit(columns[learnt], true[learnt]).predict_proba(columns[judged])[:, 1]
    return answer


def traits(data: Shop, ceiling: bool) -> None:
    """Print traits against demographics."""
    taxonomy, told = load(), demographics()
    mine = described(data.log, END, taxonomy, data.kind, told)
    chinese = described(data.log, END, taxonomy, data.chinese, told)
    columns = _columns(data.log.at_level(data.kind), mine.found) if ceiling else None
    print(f"{len(mine.rows)} described of {len(mine.found.members)} households, {taxonomy.version}\n")
    print(
        "| question | households | have it | AUC | 95% | by Chinese names | Brier | calibrated | base rate alone "
        "| supervised AUC |\n|" + "---|" * 10
    )
    for question in QUESTIONS:
        row, (rows, true) = mine.row(question), mine.asked(question)
        best = ""
        if columns is not None and question.trait == "children":
            best = f"{auc(true, supervised(columns[rows], true)):.3f}"
        print(
            f"| {row.question} | {row.households} | {row.share:.3f} | **{row.auc:.3f}** "
            f"| {row.low:.3f}–{row.high:.3f} | {auc(true, chinese.found.of(question.trait)[rows]):.3f} "
            f"| {row.brier:.4f} | {row.calibrated:.4f} | {row.base_brier:.4f} | {best} |",
            flush=True,
        )
    counted, found, rows, answers = mine.counted, mine.found, mine.rows, mine.answers
    kids = np.array([answer["kids_count"] != "0" for answer in answers])
    labels(counted, found, rows, kids)
    reliability(found.of("children")[rows], recalibrated(mine.model, counted, "children", rows, kids), kids)


def _columns(by_type: PurchaseLog, found: household_traits.Traits) -> Column:
    days = np.zeros((len(by_type.members), len(by_type.items)), dtype=np.float32)
    np.add.at(days, (by_type.member, by_type.item), 1)
    days = days[np.isin(by_type.members, found.members)]
    days = np.log1p(days[:, (days > 0).sum(axis=0) >= 40])
    return np.hstack([days, found.leaning, found.score])


def labels(counted: household_traits.Counts, found: household_traits.Traits, rows: Column, kids: Column) -> None:
    """Print how far the demographics agree with what can hardly be bought without a baby, and what that allows."""
    groups = [group.code for group in found.taxonomy.groups]
    days = counted.days[rows]
    print("\n| bought on at least | days | households | described with children |\n|---|---|---|---|")
    for name, codes in (
        ("formula", ("baby_milk",)),
        ("formula, baby food or diapers", ("baby_milk", "baby_food", "diapers")),
    ):
        bought = days[:, [groups.index(code) for code in codes]].sum(axis=1)
        for least in (5, 10):
            who = bought >= least
            print(f"| {name} | {least} | {int(who.sum())} | {kids[who].mean():.3f} |")
    sure = kids[
        days[:, [groups.index(code) for code in ("baby_milk", "baby_food", "diapers")]].sum(axis=1) >= 10
    ].mean()
    score = found.of("children")[rows]
    wrong = kids[score <= np.quantile(score, 0.1)].mean()
    share = (kids.mean() - wrong) / (sure - wrong)
    hit, false = share * sure / kids.mean(), share * (1 - sure) / (1 - kids.mean())
    print(
        f"\nIf {sure:.2f} of the households with children are described so, and {wrong:.2f} of those without, then "
        f"{share:.2f} have children and who knew them all would reach an AUC of {(1 + hit - false) / 2:.3f}."
    )


def reliability(assumed: Column, learnt: Column, true: Column) -> None:
    """Print claimed against observed chances of children, assumed and calibrated on other folds."""
    print("\n| claimed | households | described so | calibrated: households | described so |\n|---|---|---|---|---|")
    for low in np.arange(0, 1, 0.1):
        cells = []
        for chance in (assumed, learnt):
            who = (chance >= low) & (chance < low + 0.1)
            cells += [str(int(who.sum())), f"{true[who].mean():.2f}" if who.any() else ""]
        print(f"| {low:.1f}–{low + 0.1:.1f} | {' | '.join(cells)} |")


def confirmed(data: Shop) -> None:
    """Print what came of proven traits, habits and life stages in the weeks after the cut."""
    taxonomy = load()
    before = household_traits.counts(data.log, CUT, taxonomy, data.kind)
    after = household_traits.counts(data.log.since(CUT), END, taxonomy, data.kind)
    found = household_traits.infer(household_traits.fit(before, taxonomy), before)
    common, mine, theirs = np.intersect1d(before.members, after.members, return_indices=True)
    print(f"\nAfter the cut ({len(common)} households who came again):\n")
    print("| tag | confidence | households | bought it again | all households |\n|---|---|---|---|---|")
    for trait, codes in (("cat", ("cat",)), ("dog", ("dog",)), ("baby", ("baby_milk", "baby_food", "diapers"))):
        of = [at for at, group in enumerate(taxonomy.groups) if group.code in codes]
        again, chance = after.days[theirs][:, of].sum(axis=1) > 0, found.of(trait)[mine]
        for low, high in ((0.2, 0.6), (0.6, 0.9), (0.9, 1.01)):
            who = (chance >= low) & (chance < high)
            cells = f"{int(who.sum())} | {again[who].mean():.3f} | {again.mean():.3f}"
            print(f"| {trait} | {low}–{min(high, 1.0)} | {cells} |")
    rate, later = habit_tags.shop_rates(before), habit_tags.shop_rates(after)
    sure = habit_tags.habits(before, taxonomy, rate).confidence[mine]
    ratio = (after.days / after.visits[:, None])[theirs] / later
    enough = after.visits[theirs] >= 10
    print("\n| habit's confidence | tags | rate above the shop's after | rate against the shop's |\n|---|---|---|---|")
    for low, high in ((0, 0.1), (0.1, 0.5), (0.5, 0.9), (0.9, 0.99), (0.99, 1.01)):
        who = (sure >= low) & (sure < high) & enough[:, None]
        print(
            f"| {low}–{min(high, 1)} | {int(who.sum()):,} | {(ratio[who] > 1).mean():.3f} | {ratio[who].mean():.2f} |"
        )
    stages = life_stage.life_stages(found)
    print(
        f"\nlife stages at least half sure: {len(list(stages.tags()))} (nothing tells the ages of children: unchecked)"
    )


def cycle(data: Shop) -> None:
    """Print what members of each life-cycle state and value decile did in the twelve weeks after the cut."""
    state = life_cycle.life_cycle(data.log, CUT, life_cycle.fit(data.log, CUT))
    later = data.log.since(CUT)
    spent = np.bincount(later.member, later.amount, len(later.members))[np.isin(later.members, state.members)]
    first = np.full(len(later.members), END)
    np.minimum.at(first, later.member, later.day)
    wait = (first - CUT)[np.isin(later.members, state.members)]
    soon, again = wait < life_cycle.HORIZON * state.rhythm, spent > 0
    whole = life_cycle.HORIZON * state.rhythm <= END - CUT
    print(
        "\n| state | members | claimed chance | came within four own rhythms | came within 12 weeks "
        "| sales share of the 12 weeks |\n|" + "---|" * 6
    )
    for at, stage in enumerate(life_cycle.Stage):
        who = (state.stage == at) & whole
        if who.any():
            print(
                f"| {stage} | {int(who.sum())} | {state.chance[who].mean():.3f} | {soon[who].mean():.3f} "
                f"| {again[who].mean():.3f} | {spent[who].sum() / spent.sum():.3f} |"
            )
    for name, score in (("in own rhythms", state.silence / state.rhythm), ("in days", state.silence.astype(float))):
        print(f"comes within four own rhythms: AUC of silence {name} {auc(soon[whole], -score[whole]):.3f}")
    worth = value.value(data.log, CUT)
    report = value.concentration(worth)
    top = spent[worth.decile <= 2].sum() / spent.sum()
    print(f"\n{report.explain()} (Gini {report.gini:.3f}); the same fifth carries {top:.3f} of the 12 weeks after")


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ceiling", action="store_true", help="also what labels could teach about children (minutes)")
    asked = parser.parse_args()
    data = shop()
    traits(data, asked.ceiling)
    confirmed(data)
    cycle(data)
    companions.report(data)


if __name__ == "__main__":
    main()
