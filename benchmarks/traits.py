"""What is known of members, checked on Complete Journey: inferred traits against demographics, the rest out of time.

The demographics of 801 households are read here only, never learnt from; "calibrated" and "supervised" are 10-fold
over households. Everything else is learnt before week 41 and judged on weeks 41–53. Intervals: bootstrap of members.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks import companions
from benchmarks.known_shop import CUT, DRAWS, END, Column, Shop, auc, shop
from members.importing.completejourney_source import demographics
from recommend import habit_tags, household_traits, life_cycle, life_stage, value
from recommend.matrix import PurchaseLog
from recommend.taxonomy import load

Told = dict[str, str]
FOLDS = 10


@dataclass(frozen=True)
class Question:
    """A trait, what the demographics say about it, and of whom it is asked."""

    trait: str
    name: str
    true: Callable[[Told], bool]
    asked: Callable[[Told], bool] = lambda told: True


QUESTIONS = (
    Question("children", "children in the household", lambda told: told["kids_count"] != "0"),
    Question(
        "children", "two or more children, or none",
        lambda told: told["kids_count"] != "0", lambda told: told["kids_count"] != "1",
    ),
    Question(
        "children", "one child, or none",
        lambda told: told["kids_count"] != "0", lambda told: told["kids_count"] in ("0", "1"),
    ),
    Question("family", "three persons or more", lambda told: told["household_size"] in ("3", "4", "5+")),
    Question("young", "head under 35", lambda told: told["age"] in ("19-24", "25-34")),
    Question("senior", "head 65 or older", lambda told: told["age"] == "65+"),
    Question("senior", "head 55 or older", lambda told: told["age"] in ("55-64", "65+")),
    Question(
        "affluent", "income of 75K or more",
        lambda told: told["income"] not in ("Under 15K", "15-24K", "25-34K", "35-49K", "50-74K"),
    ),
)  # fmt: skip


def resampled(true: Column, score: Column, figure: Callable[[Column, Column], float]) -> tuple[float, float, float]:
    """Return a figure and its 95% bootstrap interval, members drawn with replacement."""
    random, found = np.random.default_rng(3), []
    for _ in range(DRAWS):
        rows = random.integers(0, len(true), len(true))
        if 0 < true[rows].sum() < len(rows):
            found.append(figure(true[rows], score[rows]))
    low, high = np.quantile(found, (0.025, 0.975))
    return figure(true, score), float(low), float(high)


def brier(true: Column, chance: Column) -> float:
    """Return the mean squared error of a probability."""
    return float(((chance - true) ** 2).mean())


def folds(true: Column) -> list[tuple[Column, Column]]:
    """Return (learnt from, judged) rows of ten stratified folds."""
    from sklearn.model_selection import StratifiedKFold

    return list(StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(true, true))


def recalibrated(
    model: household_traits.HouseholdModel, counted: household_traits.Counts, trait: str, rows: Column, true: Column
) -> Column:
    """Return the confidence of described households by a calibration on the other folds."""
    found, answer = household_traits.infer(model, counted), np.zeros(len(rows))
    for learnt, judged in folds(true):
        better = household_traits.calibrated(model, found, trait, rows[learnt], true[learnt])
        answer[judged] = household_traits.infer(better, counted).of(trait)[rows[judged]]
    return answer


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
    by_type = data.log.at_level(data.kind)
    counted = household_traits.counts(data.log, END, taxonomy, data.kind)
    model = household_traits.fit(counted, taxonomy)
    found = household_traits.infer(model, counted)
    chinese = household_traits.counts(data.log, END, taxonomy, data.chinese)
    also = household_traits.infer(household_traits.fit(chinese, taxonomy), chinese)
    rows = np.array([at for at, who in enumerate(found.members.tolist()) if int(who) in told])
    answers = [told[int(who)] for who in found.members[rows].tolist()]
    columns = _columns(by_type, found)[rows] if ceiling else None
    print(f"{len(rows)} described of {len(found.members)} households, {taxonomy.version}\n")
    print(
        "| question | households | have it | AUC | 95% | by Chinese names | Brier | calibrated | base rate alone "
        "| supervised AUC |\n|" + "---|" * 10
    )
    for question in QUESTIONS:
        asked = np.array([question.asked(answer) for answer in answers])
        true = np.array([question.true(answer) for answer in answers])[asked]
        mine = rows[asked]
        score = found.of(question.trait)[mine]
        area, low, high = resampled(true, score, auc)
        better = recalibrated(model, counted, question.trait, mine, true)
        taught = columns is not None and question.trait == "children"
        best = f"{auc(true, supervised(columns[asked], true)):.3f}" if taught else ""
        print(
            f"| {question.name} | {len(true)} | {true.mean():.3f} | **{area:.3f}** | {low:.3f}–{high:.3f} "
            f"| {auc(true, also.of(question.trait)[mine]):.3f} | {brier(true, score):.4f} | {brier(true, better):.4f} "
            f"| {true.mean() * (1 - true.mean()):.4f} | {best} |",
            flush=True,
        )
    kids = np.array([answer["kids_count"] != "0" for answer in answers])
    labels(counted, found, rows, kids)
    reliability(found.of("children")[rows], recalibrated(model, counted, "children", rows, kids), kids)


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
