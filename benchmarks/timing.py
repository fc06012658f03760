"""Repurchase timing beside the field: four weekly rounds of reminders on Complete Journey after 30 September.

Pairs are (household, product_category) with four purchase days before the round. Each method sends reminders for a
tenth of them, one day of the round's week each; a reminder hits when the pair's next purchase (counted from the week's
beginning) falls 1 … 7 days after it: bought earlier is a miss. "Slow" is a tenth of the pairs of median gap ≥ 14 days.
"""

import argparse
import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import timing_baselines as field
from members.importing.completejourney_names import UNCLASSIFIED
from members.importing.completejourney_source import read_articles, read_lines
from recommend import timing
from recommend.matrix import PurchaseLog, from_arrays
from recommend.renewal import BgNbd
from recommend.timing_features import Asked, Events, asked, own_rhythm

Column = NDArray[Any]
EPOCH = date(1970, 1, 1)
CUT, END = (date(2017, 10, 1) - EPOCH).days, (date(2018, 1, 1) - EPOCH).days
WEEK, SHARE, SLOW_GAP = 7, 0.1, 14
DROPPED = (UNCLASSIFIED, "FUEL", "COUPON/MISC ITEMS", "COUPON", "COUPONS/STORE & MFG", "MISCELLANEOUS")
BINS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
Answer = field.Answer


@dataclass(frozen=True)
class Round:
    """One week: what is asked, and what came of it."""

    cut: int
    log: PurchaseLog
    events: Events
    ask: Asked
    median: Column

    @property
    def household(self) -> Column:
        return np.asarray(self.events.member[self.ask.last])

    def groups(self) -> dict[str, Column]:
        """Return the rows asked about: all, and the slow ones."""
        return {"all": np.arange(len(self.ask)), "slow": np.flatnonzero(self.median >= SLOW_GAP)}


@dataclass(frozen=True)
class Sent:
    """Reminders of one method and group over all rounds, per household: how many, and how many hit."""

    sent: Column
    hit: Column

    @property
    def rate(self) -> float:
        return float(self.hit.sum() / self.sent.sum())


def purchases() -> PurchaseLog:
    """Return Complete Journey by household, day and category, without fuel, coupons and what has no category.

    Days are those of the package's own timestamps: on them the control hits what the issue says.
    """
    lines, category = read_lines(), {article.id: article.category for article in read_articles()[0]}
    names = np.array([category.get(product, UNCLASSIFIED) for product in lines.product.tolist()])
    kept = ~np.isin(names, DROPPED)
    kept_lines = lines.pick(kept)
    return from_arrays(
        kept_lines.household, kept_lines.seconds // 86_400, names[kept], np.maximum(kept_lines.quantity, 1)
    )


def rounds(log: PurchaseLog) -> list[Round]:
    """Return the four weeks of October."""
    events = Events.of(log)
    found = []
    for cut in range(CUT, CUT + 4 * WEEK, WEEK):
        ask = asked(events, cut)
        found.append(Round(cut, log, events, ask, own_rhythm(events, ask)["median"]))
    return found


def chosen(week: Round, answer: Answer, rows: Column) -> Column:
    """Return the strongest tenth of the rows; ties are broken by a fixed shuffle."""
    tie = np.random.default_rng(1).random(len(week.ask))[rows]
    return rows[np.lexsort((tie, -answer.score[rows]))][: int(SHARE * len(rows))]


def hits(week: Round, answer: Answer) -> Column:
    """Whether each pair's reminder, if sent, hits."""
    after = week.ask.wait - answer.offset
    return np.asarray((after >= 1) & (after <= WEEK))


def play(weeks: list[Round], answers: list[Answer]) -> dict[str, Sent]:
    """Return what a method's reminders came to, per group."""
    size = weeks[0].events.members
    found = {}
    for group in ("all", "slow"):
        picks = [chosen(week, answer, week.groups()[group]) for week, answer in zip(weeks, answers, strict=True)]
        sent = sum(np.bincount(week.household[pick], minlength=size) for week, pick in zip(weeks, picks, strict=True))
        hit = sum(
            np.bincount(week.household[pick], hits(week, answer)[pick], size)
            for week, answer, pick in zip(weeks, answers, picks, strict=True)
        )
        found[group] = Sent(np.asarray(sent), np.asarray(hit))
    return found


def interval(one: Sent, other: Sent, draws: int = 2000) -> tuple[float, float]:
    """Return the 95% interval of the difference in hit rate, households drawn with replacement, paired."""
    size = len(one.sent)
    weights = np.random.default_rng(5).multinomial(size, np.full(size, 1 / size), draws).astype(np.float32)
    difference = weights @ one.hit / (weights @ one.sent) - weights @ other.hit / (weights @ other.sent)
    low, high = np.quantile(difference, (0.025, 0.975))
    return float(low), float(high)


def error(weeks: list[Round], answers: list[Answer]) -> float:
    """Return the mean absolute error in days of the next purchase's day, pairs that buy again within the data."""
    missed = []
    for week, answer in zip(weeks, answers, strict=True):
        again = week.ask.wait < END - week.cut
        missed.append(np.abs(answer.wait[again] - week.ask.wait[again]))
    return float(np.concatenate(missed).mean())


def by_model(model: timing.TimingModel, week: Round) -> Answer:
    """Return the product's own answer."""
    found = model.forecast(week.log, week.cut)
    return Answer(found.confidence, found.remind - week.cut, found.due - week.cut)


def reliability(weeks: list[Round], answers: list[Answer]) -> tuple[float, float, list[str]]:
    """Return Brier score, that of always saying the base rate, and a table of claimed against observed chances."""
    claimed = np.concatenate([answer.score for answer in answers])
    came = np.concatenate([hits(week, answer) for week, answer in zip(weeks, answers, strict=True)])
    bins = np.digitize(claimed, BINS)
    lines = [
        f"| {claimed[bins == at].min():.2f}–{claimed[bins == at].max():.2f} | {int((bins == at).sum()):,} "
        f"| {claimed[bins == at].mean():.3f} | {came[bins == at].mean():.3f} |"
        for at in np.unique(bins)
    ]
    return float(((claimed - came) ** 2).mean()), float(came.mean() * (1 - came.mean())), lines


def daily(model: timing.TimingModel | None, log: PurchaseLog, weeks: list[Round]) -> dict[str, float]:
    """Return hit rates when each of the 28 days decides over a seventh of the week's reminders, knowing the day before.

    This is how the product runs. One reminder a pair and week; without a model the most frequent pairs are reminded.
    """
    tally = {"all": np.zeros(2), "slow": np.zeros(2)}
    for week in weeks:
        used = {group: np.zeros(len(week.events.start), dtype=np.bool_) for group in tally}
        pairs = np.arange(len(week.events.start))
        pools = {group: np.isin(pairs, week.ask.pair[rows]) for group, rows in week.groups().items()}
        for day in range(week.cut, week.cut + WEEK):
            ask = asked(week.events, day)
            score = model.forecast(log, day).windows[:, 0] if model else (ask.last - ask.first).astype(float)
            hit = (ask.wait >= 1) & (ask.wait <= WEEK)
            for group, total in tally.items():
                free = np.flatnonzero((pools[group] & ~used[group])[ask.pair])
                quota = round(SHARE * pools[group].sum() * (day - week.cut + 1) / WEEK) - int(used[group].sum())
                pick = free[np.argsort(-score[free], kind="stable")[:quota]]
                used[group][ask.pair[pick]] = True
                total += (hit[pick].sum(), len(pick))
    return {group: float(total[0] / total[1]) for group, total in tally.items()}


def methods(log: PurchaseLog, weeks: list[Round]) -> Mapping[str, Callable[[Round], Answer]]:
    """Return every baseline, fitted where it has something to fit."""
    first = weeks[0]
    bgnbd = BgNbd.fit(*field.recency(first.events, first.ask))
    return {
        "most frequent now (control)": lambda week: field.most_frequent(week.events, week.ask),
        "median gap": lambda week: field.due(week.events, week.ask, "median"),
        "mean gap": lambda week: field.due(week.events, week.ask, "mean"),
        "gamma": lambda week: field.gamma(week.events, week.ask),
        "Weibull": lambda week: field.weibull(week.events, week.ask),
        "BG/NBD": lambda week: field.bg_nbd(bgnbd, week.events, week.ask),
    }


def main() -> None:
    """Print the tables of hits, errors and reliability, and the cost."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--daily", action="store_true", help="also decide day by day (a minute more)")
    given.add_argument("--households", type=int, default=0, help="only every n-th household, so that so many are left")
    asked_for = given.parse_args()
    log = purchases()
    if asked_for.households:
        log = log.of(log.members[:: max(1, len(log.members) // asked_for.households)]).compact()
    began, wall = time.process_time(), time.perf_counter()
    model = timing.fit(log, CUT)
    fitted, wall = time.process_time() - began, time.perf_counter() - wall
    weeks = rounds(log)
    began = time.process_time()
    own = [by_model(model, week) for week in weeks]
    scored = (time.process_time() - began) / len(weeks)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report(weeks, own, methods(log, weeks))
    print(f"\nfit {fitted:.1f} s CPU ({wall:.1f} s wall), forecast {scored:.2f} s CPU, peak {peak:,.0f} MiB")
    if asked_for.daily:
        print(f"\nday by day: model {daily(model, log, weeks)}, control {daily(None, log, weeks)}")


def report(weeks: list[Round], own: list[Answer], others: Mapping[str, Callable[[Round], Answer]]) -> None:
    """Print hits, intervals, errors and reliability."""
    answers = {name: [answer(week) for week in weeks] for name, answer in others.items()} | {"memberbot": own}
    played = {name: play(weeks, answer) for name, answer in answers.items()}
    control = played["most frequent now (control)"]
    print(f"{[len(week.ask) for week in weeks]} pairs asked")
    print("| method | hits | 95% of the difference | slow | 95% of the difference | MAE days |\n|" + "---|" * 6)
    for name, sent in played.items():
        cells = []
        for group in ("all", "slow"):
            low, high = interval(sent[group], control[group])
            cells += [f"{sent[group].rate:.3f}", f"{low:+.3f} … {high:+.3f}"]
        print(f"| {name} | {' | '.join(cells)} | {error(weeks, answers[name]):.1f} |", flush=True)
    brier, plain, lines = reliability(weeks, own)
    print(
        f"\nBrier {brier:.4f} (base rate alone {plain:.4f})\n| claimed | pairs | mean claimed | hit |\n|" + "---|" * 4
    )
    print("\n".join(lines))


if __name__ == "__main__":
    main()
