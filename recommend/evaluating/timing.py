"""Reminders beside the field: four weekly rounds with growing history and no refit after the first.

Pairs are (member, item) with four purchase days before the round. Each method sends reminders for a tenth of them, one
day of the round's week each; a reminder hits when the pair's next purchase (counted from the week's beginning) falls
1 … 7 days after it: bought earlier is a miss. "Slow" is a tenth of the pairs of median gap ≥ 14 days.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommend import timing
from recommend.evaluating import intervals
from recommend.evaluating.cost import Cost, Meter
from recommend.matrix import BadPurchases, PurchaseLog
from recommend.timing_features import Asked, Events, asked, own_rhythm

Column = NDArray[Any]
WEEK, ROUNDS, SHARE, SLOW_GAP, LEAST_PAIRS = 7, 4, 0.1, 14, 200
GROUPS = ("all", "slow")
BINS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
OWN, CONTROL = "memberbot", "most frequent now (control)"


@dataclass(frozen=True)
class Answer:
    """Per pair: how strongly to remind, on which day of the week (0 … 6), and days until the next purchase."""

    score: Column
    offset: Column
    wait: Column


@dataclass(frozen=True)
class Round:
    """One week: what is asked, and what came of it."""

    cut: int
    log: PurchaseLog
    events: Events
    ask: Asked
    median: Column

    @property
    def member(self) -> Column:
        return np.asarray(self.events.member[self.ask.last])

    def group(self, name: str) -> Column:
        """Return the rows of a group: all, or the slow ones."""
        return np.arange(len(self.ask)) if name == "all" else np.flatnonzero(self.median >= SLOW_GAP)


Method = Callable[[Round], Answer]


@dataclass(frozen=True)
class Sent:
    """Reminders of one method and group over all rounds, per member: how many, and how many hit."""

    sent: Column
    hit: Column

    @property
    def rate(self) -> float:
        return float(self.hit.sum() / self.sent.sum()) if self.sent.sum() else float("nan")


@dataclass(frozen=True)
class Row:
    """A method's hits per group, with the interval of the difference to the control; its error in days."""

    method: str
    hits: Mapping[str, float]
    against: Mapping[str, intervals.Range]
    error: float

    def plain(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return {"method": self.method, "hits": dict(self.hits), "against": dict(self.against),
                "error_days": self.error}  # fmt: skip


@dataclass(frozen=True)
class Reliability:
    """Brier score, that of always saying the base rate, and bins: claimed least and most, pairs, mean claimed, hit."""

    brier: float
    base: float
    bins: list[tuple[float, float, int, float, float]]


@dataclass(frozen=True)
class Result:
    """Everything that came of the rounds; `cost` is of the fit and of one forecast, per member."""

    pairs: list[int]
    reminders: Mapping[str, int]
    rows: list[Row]
    reliability: Reliability
    cost: Cost
    own: list[Answer] = field(repr=False)
    weeks: list[Round] = field(repr=False)


def cut_of(log: PurchaseLog) -> int:
    """Return the first round's day: the last reminder of the last round has seven days to hit before the log ends."""
    return int(log.day.max(initial=0)) + 1 - ROUNDS * WEEK - WEEK - 1


def rounds(log: PurchaseLog, cut: int) -> list[Round]:
    """Return the four weeks from the cut on; BadPurchases where fewer than LEAST_PAIRS pairs can be asked."""
    if not (log.day < cut).any():
        raise BadPurchases("no purchases before the first round")
    events, found = Events.of(log), []
    for day in range(cut, cut + ROUNDS * WEEK, WEEK):
        ask = asked(events, day)
        if len(ask) < LEAST_PAIRS:
            raise BadPurchases(f"too few pairs bought on four days: {len(ask)}")
        found.append(Round(day, log, events, ask, own_rhythm(events, ask)["median"]))
    return found


def most_frequent(week: Round) -> Answer:
    """Remind those bought on most days, now; the wait is what is left of the mean gap."""
    rhythm = own_rhythm(week.events, week.ask)
    left = np.maximum(0, rhythm["mean"] - rhythm["elapsed"])
    return Answer(rhythm["count"].astype(float), np.zeros(len(week.ask), dtype=int), left)


def by_model(model: timing.TimingModel, week: Round) -> Answer:
    """Return the product's own answer."""
    found = model.forecast(week.log, week.cut)
    return Answer(found.confidence, found.remind - week.cut, found.due - week.cut)


def chosen(week: Round, answer: Answer, rows: Column) -> Column:
    """Return the strongest tenth of the rows; ties are broken by a fixed shuffle."""
    tie = np.random.default_rng(1).random(len(week.ask))[rows]
    return np.asarray(rows[np.lexsort((tie, -answer.score[rows]))][: int(SHARE * len(rows))])


def hits(week: Round, answer: Answer) -> Column:
    """Whether each pair's reminder, if sent, hits."""
    after = week.ask.wait - answer.offset
    return np.asarray((after >= 1) & (after <= WEEK))


def play(weeks: Sequence[Round], answers: Sequence[Answer]) -> dict[str, Sent]:
    """Return what a method's reminders came to, per group."""
    size = weeks[0].events.members
    found = {}
    for group in GROUPS:
        sent, hit = np.zeros(size), np.zeros(size)
        for week, answer in zip(weeks, answers, strict=True):
            pick = chosen(week, answer, week.group(group))
            sent += np.bincount(week.member[pick], minlength=size)
            hit += np.bincount(week.member[pick], hits(week, answer)[pick], size)
        found[group] = Sent(sent, hit)
    return found


def error(weeks: Sequence[Round], answers: Sequence[Answer], end: int) -> float:
    """Return the mean absolute error in days of the next purchase's day, pairs that buy again before `end`."""
    missed = []
    for week, answer in zip(weeks, answers, strict=True):
        again = week.ask.wait < end - week.cut
        missed.append(np.abs(answer.wait[again] - week.ask.wait[again]))
    every = np.concatenate(missed)
    return float(every.mean()) if len(every) else float("nan")


def reliability(weeks: Sequence[Round], answers: Sequence[Answer]) -> Reliability:
    """Return how claimed chances compare with what came."""
    claimed = np.concatenate([answer.score for answer in answers])
    came = np.concatenate([hits(week, answer) for week, answer in zip(weeks, answers, strict=True)])
    place = np.digitize(claimed, BINS)
    bins = []
    for at in np.unique(place):
        mine = claimed[place == at]
        bins.append((float(mine.min()), float(mine.max()), len(mine), float(mine.mean()),
                     float(came[place == at].mean())))  # fmt: skip
    return Reliability(float(((claimed - came) ** 2).mean()), float(came.mean() * (1 - came.mean())), bins)


def compared(weeks: list[Round], answers: Mapping[str, list[Answer]], end: int) -> list[Row]:
    """Return a row per method, each against the control, which is one of them."""
    played = {name: play(weeks, answer) for name, answer in answers.items()}
    control = played[CONTROL]
    found = []
    for name, sent in played.items():
        against = {} if name == CONTROL else {
            group: intervals.of_ratios(
                (sent[group].hit, sent[group].sent), (control[group].hit, control[group].sent)
            )
            for group in GROUPS
        }  # fmt: skip
        found.append(Row(name, {group: sent[group].rate for group in GROUPS}, against,
                         error(weeks, answers[name], end)))  # fmt: skip
    return found


def evaluate(
    log: PurchaseLog, cut: int, field: Callable[[Round], Mapping[str, Method]] | None = None,
    told: Callable[[str], None] = lambda name: None,
) -> Result:  # fmt: skip
    """Fit at the cut, play four rounds beside the control and what `field` fits on the first round.

    BadPurchases where there is too little to ask.
    """
    weeks, end = rounds(log, cut), int(log.day.max()) + 1
    told(OWN)
    meter = Meter()
    model, fit = meter.timed(timing.fit, log, cut)
    own, seconds = meter.timed(lambda: [by_model(model, week) for week in weeks])
    cost = meter.cost(fit, seconds / len(weeks), len(np.unique(log.before(cut).member)))
    answers = {CONTROL: [most_frequent(week) for week in weeks], OWN: own}
    for name, method in (field(weeks[0]) if field else {}).items():
        told(name)
        answers[name] = [method(week) for week in weeks]
    reminders = {group: sum(int(SHARE * len(week.group(group))) for week in weeks) for group in GROUPS}
    rows, pairs = compared(weeks, answers, end), [len(week.ask) for week in weeks]
    return Result(pairs, reminders, rows, reliability(weeks, own), cost, own, weeks)
