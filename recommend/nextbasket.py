"""What is in a member's next basket: candidates, ranker and self-tuning behind one door.

Everything is learnt at earlier cuts of the log itself, where the next basket is known: the newest two cuts choose the
best simple score (own decayed share + neighbours) and how much of it joins the forests; where the
forests don't help, the simple score stays alone. A log whose days are only basket indices is counted from each
member's newest basket.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recommend.candidates import Neighbourhood, neighbourhood
from recommend.matrix import BadPurchases, Codes, PurchaseLog, aligned, is_order_only
from recommend.places import ranks
from recommend.ranker import (
    ROWS,
    SIMPLE_DEFAULT,
    Calibration,
    Forests,
    Simple,
    TooLittle,
    best_part,
    best_simple,
    calibrated,
    fit_forests,
    joined,
    relative_places,
)
from recommend.ranking_features import item_columns, stacked
from recommend.ranking_history import Columns, Floats, history
from recommend.ranking_tables import Parents, Table, cuts_of, table_of, training_table

JUDGES = 2
JUDGED_ROWS = 80_000
SCORED_AT_ONCE = 4_096
LONG_TERM, SHORT_TERM = "history_0.33", "basket_half_3"


@dataclass(frozen=True, slots=True)
class Ranked:
    """The best items of members, best first: n × k labels (None where there are fewer) and their figures.

    `probability` that the item is in the next basket, calibrated; `long_term` and `short_term` preference: decayed
    share of the member's baskets with the item, over a third of the history and over the last three baskets.
    """

    members: NDArray[Any]
    items: NDArray[Any]
    codes: Codes
    probability: Floats
    long_term: Floats
    short_term: Floats


@dataclass(frozen=True, slots=True)
class Learnt:
    """What `fit` found out: no purchase and no member is in it, so that it can be kept and asked about later logs."""

    order_only: bool
    levels: int
    seed: int
    names: tuple[str, ...]
    forests: Forests | None = field(repr=False)
    simple: Simple
    part: float
    calibration: Calibration | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class NextBasket:
    """A fitted recommender on a log that ends before `now`."""

    log: PurchaseLog = field(repr=False)
    now: int
    parents: tuple[Parents, ...] = field(repr=False)
    learnt: Learnt
    around: Neighbourhood = field(repr=False)
    items: Columns = field(repr=False)

    def score(self, members: ArrayLike | None = None, k: int = 10, *, new_only: bool = False) -> Ranked:
        """Return the top k of these members (labels; all by default), strangers included: they get what is popular.

        `new_only` leaves out what the member bought before. BadPurchases when a member is asked for twice.
        """
        asked = self.log.members if members is None else np.asarray(members)
        order = np.argsort(asked, kind="stable")
        place = np.minimum(np.searchsorted(self.log.members, asked[order]), len(self.log.members) - 1)
        known = (self.log.members[place] == asked[order]) & self.active[place]
        codes = place[known]
        if len(np.unique(asked)) != len(asked):
            raise BadPurchases("a member was asked for twice")
        found = _nobody(len(asked), k)
        for start in range(0, len(codes), SCORED_AT_ONCE):
            some = codes[start : start + SCORED_AT_ONCE]
            table = table_of(self.log, self.now, some, self.parents, self.around, self.items)
            if new_only:
                table = table.where(table.columns["n"] == 0)
            rows = order[known][start : start + SCORED_AT_ONCE]
            _fill(found, rows, some, table, *self._figures(table))
        self._fill_strangers(found, order[~known], self.around.popular, k)
        labels = np.array([*self.log.items.tolist(), None], dtype=object)[found.codes]
        return Ranked(asked, labels, found.codes, found.probability, found.long_term, found.short_term)

    @property
    def active(self) -> NDArray[np.bool_]:
        """Whether each member of the log has a purchase in it."""
        return np.bincount(self.log.member, minlength=len(self.log.members)) > 0

    def _figures(self, table: Table) -> tuple[Floats, Floats]:
        learnt, simple = self.learnt, self.learnt.simple(table.columns)
        odds = simple if learnt.forests is None else learnt.forests.log_odds(stacked(table.columns, learnt.names))
        score = joined(odds, simple, learnt.part)
        chance = np.clip(simple, 0, 1) if learnt.calibration is None else learnt.calibration(score)
        return score, chance

    def _fill_strangers(self, found: Ranked, rows: NDArray[Any], popular: Floats, k: int) -> None:
        best = np.lexsort((np.arange(len(popular)), -popular))[:k]
        first = np.concatenate([[True], (np.diff(self.log.member) != 0) | (np.diff(self.log.day) != 0)])
        baskets = np.bincount(self.log.item, minlength=len(popular)) / max(1, int(first.sum()))
        for row in rows.tolist():
            found.codes[row, : len(best)] = best
            found.probability[row, : len(best)] = baskets[best]


@dataclass(frozen=True, slots=True)
class _Choice:
    names: tuple[str, ...]
    simple: Simple
    part: float
    calibration: Calibration | None


def fit(
    log: PurchaseLog, cut: int | None = None, *, parents: Sequence[ArrayLike] = (), seed: int = 7,
) -> NextBasket:  # fmt: skip
    """Learn from the purchases before day `cut` (all when None); `parents`: labels of types, categories, per item.

    BadPurchases when nothing lies before the cut. The same log, cut and seed give the same model.
    """
    past, now, order_only = _known(log, cut)
    above = tuple(_coded(parent, len(log.items)) for parent in parents)
    tables = [training_table(past, now, day, above, seed) for day in cuts_of(past, now, order_only)]
    tables = [table for table in tables if len(table.member)]
    chosen = _judged(tables, seed)
    forests = None if np.isinf(chosen.part) else _forests(tables, chosen.names, seed, ROWS)
    learnt = Learnt(
        order_only, len(above), seed, chosen.names, forests, chosen.simple, chosen.part, chosen.calibration
    )  # fmt: skip
    return _placed(learnt, past, now, above)


def asked_at(
    learnt: Learnt, log: PurchaseLog, cut: int | None = None, *, parents: Sequence[ArrayLike] = ()
) -> NextBasket:  # fmt: skip
    """Return what was learnt placed on the purchases before day `cut` of this (or a later) log, without learning.

    BadPurchases when nothing lies before the cut, or for another number of parents or kind of log than at the fit.
    """
    past, now, order_only = _known(log, cut)
    if (order_only, len(parents)) != (learnt.order_only, learnt.levels):
        raise BadPurchases("this was learnt on another kind of log")
    return _placed(learnt, past, now, tuple(_coded(parent, len(log.items)) for parent in parents))


def _known(log: PurchaseLog, cut: int | None) -> tuple[PurchaseLog, int, bool]:
    """Return the log before the cut, the cut as a day number, and whether days are only basket indices."""
    past = log.before(int(cut) if cut is not None else int(log.day.max(initial=0)) + 1)
    if not len(past):
        raise BadPurchases("no purchases before the cut")
    if is_order_only(past):
        return aligned(past), 0, True
    return past, int(cut if cut is not None else past.day.max() + 1), False


def _placed(learnt: Learnt, past: PurchaseLog, now: int, parents: tuple[Parents, ...]) -> NextBasket:
    whole = history(past, now)
    return NextBasket(past, now, parents, learnt, neighbourhood(whole, learnt.seed), item_columns(whole))


def _judged(tables: list[Table], seed: int) -> _Choice:
    """Choose on the newest cuts with what was known before them; without enough data the default simple score."""
    judges, earlier = tables[:JUDGES], tables[JUDGES:]
    if not judges:
        return _Choice((), SIMPLE_DEFAULT, np.inf, None)
    member = np.concatenate([table.member + 10_000_000 * place for place, table in enumerate(judges)], dtype=np.int64)
    columns = {name: np.concatenate([table.columns[name] for table in judges]) for name in judges[0].columns}
    bought, size = (np.concatenate([getattr(table, name) for table in judges]) for name in ("bought", "size"))
    simple = best_simple(member, columns, bought, size)
    score = simple(columns)
    start = min(int(table.day.min()) for table in judges)
    known = [table.where(table.day < start) for table in earlier]
    part, names, odds = float(np.inf), tuple(columns), score
    with suppress(TooLittle):
        odds = _forests(known, names, seed, JUDGED_ROWS).log_odds(stacked(columns, names))
        part = best_part(member, odds, score, bought, size)
    calibration = calibrated(joined(odds, score, part), bought) if bought.any() else None
    return _Choice(names, simple, part, calibration)


def _forests(tables: list[Table], names: tuple[str, ...], seed: int, most: int) -> Forests:
    if not tables:
        raise TooLittle("too few purchases to learn from")
    rows = np.concatenate([stacked(table.columns, names) for table in tables])
    bought, size = (np.concatenate([getattr(table, name) for table in tables]) for name in ("bought", "size"))
    return fit_forests(rows, bought, size, seed, most, relative_places(names))


def _coded(parents: ArrayLike, items: int) -> Parents:
    labels = np.asarray(parents, dtype=object)
    if len(labels) != items:
        raise BadPurchases("one parent is needed for each item")
    kept = np.array([label is not None and label == label and label != "" for label in labels], dtype=np.bool_)
    names, codes = np.unique(labels[kept].astype(str), return_inverse=True)
    found = np.full(items, -1, dtype=np.int32)
    found[kept] = codes
    return found, names


def _nobody(members: int, k: int) -> Ranked:
    figures = [np.zeros((members, k), dtype=np.float32) for _ in range(3)]
    return Ranked(np.zeros(0), np.zeros(0), np.full((members, k), -1, dtype=np.int32), *figures)


def _fill(
    found: Ranked, rows: NDArray[Any], members: NDArray[Any], table: Table, score: Floats, chance: Floats
) -> None:
    if not len(table.member):
        return
    place = ranks(table.member, score).astype(np.int64)
    best = np.flatnonzero(place < found.codes.shape[1])
    where = rows[np.searchsorted(members, table.member[best])], place[best]
    found.codes[where] = table.item[best]
    found.probability[where] = chance[best]
    found.long_term[where] = table.columns[LONG_TERM][best]
    found.short_term[where] = table.columns[SHORT_TERM][best]
