"""Candidate pairs with their columns at a cut, and the earlier cuts a log itself offers to learn from."""

from collections.abc import Container
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommend.candidates import Neighbourhood, candidates, neighbourhood
from recommend.matrix import Codes, Labels, PurchaseLog, is_order_only
from recommend.places import ranges
from recommend.ranking_features import item_columns, pair_columns, parent_columns
from recommend.ranking_history import Columns, Floats, history

CUTS = 8
FIRST_SHARE, STEP_SHARE = 0.04, 0.025
MEMBERS_A_CUT = 1_000


Parents = tuple[Codes, Labels]
"""Of each item its type or category: a position in the labels, −1 for none."""


@dataclass(frozen=True, slots=True)
class Table:
    """Candidate pairs of some members at one cut; with labels, whether bought, size and day of the next basket."""

    member: Codes
    item: Codes
    columns: Columns
    lent: NDArray[np.bool_]
    bought: NDArray[np.bool_]
    size: Floats
    day: Codes

    def where(self, rows: NDArray[np.bool_]) -> "Table":
        """Return the pairs of a mask."""
        columns = {name: column[rows] for name, column in self.columns.items()}
        names = ("member", "item", "lent", "bought", "size", "day")
        return replace(self, columns=columns, **{name: getattr(self, name)[rows] for name in names})


def cuts_of(log: PurchaseLog, now: int, order_only: bool) -> list[int]:
    """Return earlier cuts, the newest first: spread by share of baskets, so that each has next baskets after it."""
    if order_only:
        return [now - back for back in range(1, CUTS + 1)]
    first = np.concatenate([[True], (np.diff(log.member) != 0) | (np.diff(log.day) != 0)])
    days = np.sort(log.day[first])
    places = [int(len(days) * (1 - FIRST_SHARE - STEP_SHARE * step)) for step in range(CUTS)]
    cuts = {int(days[max(0, place)]) for place in places}
    return sorted((day for day in cuts if days[0] < day < now), reverse=True)


def training_table(log: PurchaseLog, now: int, cut: int, parents: tuple[Parents, ...], seed: int) -> Table:
    """Return candidates at an earlier cut with what the next basket from then on held."""
    past, coming = log.before(cut), log.since(cut)
    next_day = np.full(len(log.members), now, dtype=np.int32)
    np.minimum.at(next_day, coming.member, coming.day)
    if is_order_only(log):
        next_day[next_day > cut] = now
    coming = coming._only(coming.day == next_day[coming.member])
    members = np.intersect1d(past.member, coming.member)
    if len(members) > MEMBERS_A_CUT:
        members = np.sort(np.random.default_rng(seed + cut % 997).choice(members, MEMBERS_A_CUT, replace=False))
    if not len(members):
        return _unlabelled(past.member[:0], past.item[:0], {}, np.zeros(0, np.bool_))
    before = history(past, cut)
    table = table_of(past, cut, members, parents, neighbourhood(before, seed), item_columns(before))
    size = np.bincount(coming.member, minlength=len(log.members))
    many = len(log.items)
    bought = np.isin(
        table.member.astype(np.int64) * many + table.item, coming.member.astype(np.int64) * many + coming.item
    )
    return replace(
        table, bought=bought, size=size[table.member].astype(np.float32), day=next_day[table.member]
    )  # fmt: skip


def table_of(
    log: PurchaseLog, now: int, members: NDArray[Any], parents: tuple[Parents, ...], around: Neighbourhood,
    items: Columns, wanted: Container[str] | None = None,
) -> Table:  # fmt: skip
    """Return the candidates of these members (codes, rising) at day `now`, unlabelled; the log must end before it.

    Every member must have a purchase. Of windows, half-lives and ranks only the `wanted` ones are reckoned.
    """
    mine = rows_of(log, members)
    past = history(mine, now)
    chosen = candidates(past, members, around)
    given = {"alike": chosen.alike, "popular": chosen.popular, **chosen.links}
    columns = pair_columns(past, items, chosen.member, chosen.item, given, wanted)
    for level, (parent, names) in enumerate(parents):
        above = mine.lifted(parent, names)
        if len(above):
            columns |= parent_columns(
                history(above, now), chosen.member, parent[chosen.item], f"level_{level}", columns["basket_half_20"]
            )
    return _unlabelled(members[chosen.member].astype(np.int32), chosen.item, columns, chosen.lent)


def rows_of(log: PurchaseLog, members: NDArray[Any]) -> PurchaseLog:
    """Return the rows of these members (codes, rising) with the members renumbered 0, 1 … in that order."""
    codes = members.astype(log.member.dtype)
    start, end = np.searchsorted(log.member, codes), np.searchsorted(log.member, codes, "right")
    member = np.repeat(np.arange(len(codes), dtype=np.int32), end - start)
    return replace(log._only(ranges(start, end - start)), member=member, members=log.members[codes])


def _unlabelled(member: Codes, item: Codes, columns: Columns, lent: NDArray[np.bool_]) -> Table:
    none = np.zeros(len(member), dtype=np.float32)
    return Table(member, item, columns, lent, none.astype(np.bool_), none, none.astype(np.int32))
