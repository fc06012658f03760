"""What is in a member's next basket: candidates, ranker and self-tuning behind one door.

Everything is learnt at earlier cuts of the log itself, where the next basket is known: the newest two cuts choose the
best simple score (own decayed share + what is lent), how much of it joins the forests, and whether networks do; where
the forests don't help, the simple score stays alone. A log whose days are only basket indices is counted from each
member's newest basket.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recommend.candidates import Neighbourhood, neighbourhood
from recommend.matrix import BadPurchases, Codes, PurchaseLog, aligned, is_order_only
from recommend.ranked import LONG_TERM, SHORT_TERM, Ranked, fill, fill_strangers, nobody
from recommend.ranker import (
    ROWS,
    SIMPLE_DEFAULT,
    Calibration,
    Forests,
    Simple,
    TooLittle,
    best_part,
    best_simple,
    better_together,
    calibrated,
    fit_forests,
    fit_nets,
    joined,
    relative_places,
)
from recommend.ranking_features import SUPPLY, UNSEEN, item_columns, stacked, supply_tells
from recommend.ranking_history import Columns, Floats, history
from recommend.ranking_tables import Parents, Table, cuts_of, rows_of, table_of, training_table

JUDGES = 2
JUDGED_ROWS = 80_000
PAIRS = 2
LATER = 0.5
"""The part of the simple score is halved at last: forests that also saw the judging cuts need less of it."""
LEARNERS = 20_000
SCORED_AT_ONCE = 2_048
ALWAYS = (LONG_TERM, SHORT_TERM, "basket_half_20")


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
    taken: Floats = field(repr=False)

    def score(
        self, members: ArrayLike | None = None, k: int = 10, *, new_only: bool = False, fresh: int = 0
    ) -> Ranked:  # fmt: skip
        """Return the top k of these members (labels; all by default), strangers included: they get what is popular.

        `new_only` leaves out what the member bought before; `fresh` asks for so many new items besides, in the same
        pass. Memory grows with the answer, not with the log. BadPurchases when a member is asked for twice.
        """
        asked = self.log.members if members is None else np.asarray(members)
        order = np.argsort(asked, kind="stable")
        wanted = asked[order]
        if (wanted[1:] == wanted[:-1]).any():
            raise BadPurchases("a member was asked for twice")
        place = np.minimum(np.searchsorted(self.log.members, wanted), len(self.log.members) - 1).astype(np.int32)
        here = np.searchsorted(self.log.member, place) < np.searchsorted(self.log.member, place, "right")
        known = (self.log.members[place] == wanted) & here
        codes, rows = place[known], order[known]
        found, besides = nobody(asked, self.log.items, k), nobody(asked, self.log.items, fresh)
        for start in range(0, len(codes), SCORED_AT_ONCE):
            block = slice(start, start + SCORED_AT_ONCE)
            self._fill(found, besides, rows[block], codes[block], new_only)
        for lists in (found, besides):
            fill_strangers(lists, order[~known], self.around.shelf, self.taken)
        return replace(self._named(found), fresh=self._named(besides) if fresh else None)

    def _fill(self, found: Ranked, besides: Ranked, rows: NDArray[Any], codes: Codes, new_only: bool) -> None:
        """Fill in the lists at `rows` of the members with these codes (rising)."""
        learnt = self.learnt
        wanted = {*ALWAYS, *learnt.names, learnt.simple.column}
        table = table_of(self.log, self.now, codes, self.parents, self.around, self.items, wanted)
        simple = learnt.simple(table.columns)
        fresh = np.flatnonzero(table.columns["n"] == 0)
        filled = ((found, fresh if new_only else np.arange(len(simple))), (besides, fresh))
        asked = [(lists, chosen) for lists, chosen in filled if lists.codes.shape[1]]
        if learnt.forests is None:
            odds = simple
        else:
            lengths = [(chosen, lists.codes.shape[1]) for lists, chosen in asked]
            odds = learnt.forests.leading_odds(stacked(table.columns, learnt.names), table.member, lengths)
        score = joined(odds, simple, learnt.part)
        chance = np.clip(simple, 0, 1) if learnt.calibration is None else learnt.calibration(score)
        since = table.columns["member_baskets"] if learnt.order_only else np.full(len(score), self.now)
        place = np.zeros(len(self.log.members), dtype=np.int64)
        place[codes] = rows
        for lists, chosen in asked:
            fill(lists, place, table, chosen, score, chance, since)

    def _named(self, found: Ranked) -> Ranked:
        labels = np.array([*self.log.items.tolist(), None], dtype=object)
        return replace(found, items=labels[found.codes])


@dataclass(frozen=True, slots=True)
class _Choice:
    names: tuple[str, ...]
    simple: Simple
    part: float
    calibration: Calibration | None
    nets: bool = False


def fit(
    log: PurchaseLog, cut: int | None = None, *, parents: Sequence[ArrayLike] = (), seed: int = 7,
) -> NextBasket:  # fmt: skip
    """Learn from the purchases before day `cut` (all when None); `parents`: labels of types, categories, per item.

    Of more than LEARNERS members a fixed sample is learnt from. BadPurchases when nothing lies before the cut. The
    same log, cut and seed give the same model.
    """
    past, now, order_only = _known(log, cut)
    above = tuple(_coded(parent, len(log.items)) for parent in parents)
    some = _learners(past, seed)
    tables = [training_table(some, now, day, above, seed) for day in cuts_of(some, now, order_only)]
    tables = [table for table in tables if len(table.member)]
    unseen = UNSEEN if supply_tells(history(some, now)) else (*UNSEEN, SUPPLY)
    chosen = _judged(tables, unseen, seed)
    forests = None if np.isinf(chosen.part) else _forests(tables, chosen.names, seed, ROWS, PAIRS, chosen.nets)
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
    taken = np.bincount(past.item, minlength=len(past.items)) / max(1, int(whole.first.sum()))
    around, items = neighbourhood(whole, learnt.seed), item_columns(whole)
    return NextBasket(past, now, parents, learnt, around, items, taken.astype(np.float32))


def _learners(past: PurchaseLog, seed: int) -> PurchaseLog:
    active = np.unique(past.member)
    if len(active) <= LEARNERS:
        return past
    return rows_of(past, np.sort(np.random.default_rng(seed).choice(active, LEARNERS, replace=False)))


def _judged(tables: list[Table], unseen: Sequence[str], seed: int) -> _Choice:
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
    part, names, odds = float(np.inf), tuple(name for name in columns if name not in unseen), score
    nets = False
    with suppress(TooLittle):
        alone, together = _judged_odds(known, judges, names, columns, seed)
        nets = better_together(member, alone, together, bought, size)
        odds = together if nets else alone
        part = LATER * best_part(member, odds, score, bought, size)
    calibration = calibrated(joined(odds, score, part), bought) if bought.any() else None
    return _Choice(names, simple, part, calibration, nets)


def _judged_odds(
    known: list[Table], judges: list[Table], names: tuple[str, ...], columns: Columns, seed: int
) -> tuple[Floats, Floats]:
    """Return log odds at the judging cuts by forests, and by forests with networks, that know what was before them.

    Of a short log they know the other half of the members instead.
    """
    rows = stacked(columns, names)
    with suppress(TooLittle):
        fitted = _forests(known, names, seed, JUDGED_ROWS, 1, True)
        return fitted.tree_odds(rows), fitted.log_odds(rows)
    half = np.concatenate([table.member for table in judges]) % 2 == 0
    ends = np.cumsum([len(table.member) for table in judges])[:-1]
    alone, together = (np.zeros(len(half), dtype=np.float32) for _ in range(2))
    for mine in (half, ~half):
        others = [table.where(~part) for table, part in zip(judges, np.split(mine, ends), strict=True)]
        fitted = _forests([*known, *others], names, seed, JUDGED_ROWS, 1, True)
        alone[mine], together[mine] = fitted.tree_odds(rows[mine]), fitted.log_odds(rows[mine])
    return alone, together


def _forests(
    tables: list[Table], names: tuple[str, ...], seed: int, most: int, pairs: int, nets: bool
) -> Forests:  # fmt: skip
    if not tables:
        raise TooLittle("too few purchases to learn from")
    rows = np.concatenate([stacked(table.columns, names) for table in tables])
    bought, size = (np.concatenate([getattr(table, name) for table in tables]) for name in ("bought", "size"))
    found = fit_forests(rows, bought, size, seed, most, relative_places(names), pairs)
    return replace(found, nets=fit_nets(rows, bought, size, seed)) if nets else found


def _coded(parents: ArrayLike, items: int) -> Parents:
    labels = np.asarray(parents, dtype=object)
    if len(labels) != items:
        raise BadPurchases("one parent is needed for each item")
    kept = np.array([label is not None and label == label and label != "" for label in labels], dtype=np.bool_)
    names, codes = np.unique(labels[kept].astype(str), return_inverse=True)
    found = np.full(items, -1, dtype=np.int32)
    found[kept] = codes
    return found, names
