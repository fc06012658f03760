"""Candidate pairs with their columns at a cut, and the earlier cuts a log itself offers to learn from."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommend.candidates import Neighbourhood, candidates, neighbourhood
from recommend.matrix import Codes, Labels, PurchaseLog, is_order_only
from recommend.ranking_features import Columns, Floats, history, item_columns, pair_columns, parent_columns

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
    bought: NDArray[np.bool_]
    size: Floats
    day: Codes

    def where(self, rows: NDArray[np.bool_]) -> "Table":
        """Return the pairs of a mask."""
        columns = {name: column[rows] for name, column in self.columns.items()}
        return Table(self.member[rows], self.item[rows], columns, self.bought[rows], self.size[rows], self.day[rows])


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
        return _unlabelled(past.member[:0], past.item[:0], {})
    before = history(past, cut)
    table = table_of(past, cut, members, parents, neighbourhood(before, seed), item_columns(before))
    size = np.bincount(coming.member, minlength=len(log.members))
    many = len(log.items)
    bought = np.isin(
        table.member.astype(np.int64) * many + table.item, coming.member.astype(np.int64) * many + coming.item
    )
    return Table(
        table.member, table.item, table.columns, bought, size[table.member].astype(np.float32), next_day[table.member]
    )


def table_of(
    log: PurchaseLog, now: int, members: NDArray[Any], parents: tuple[Parents, ...], around: Neighbourhood,
    items: Columns,
) -> Table:  # fmt: skip
    """Return the candidates of these members (codes, rising) at day `now`, unlabelled; the log must end before it."""
    mine = log._only(np.isin(log.member, members)) if len(members) < len(log.members) else log
    past = history(mine, now)
    chosen = candidates(past, members, around)
    given = {"alike": chosen.alike, "popular": chosen.popular}
    columns = pair_columns(past, items, chosen.member, chosen.item, given)
    for level, (parent, names) in enumerate(parents):
        above = mine.lifted(parent, names)
        if len(above):
            columns |= parent_columns(
                history(above, now), chosen.member, parent[chosen.item], f"level_{level}", columns["basket_half_20"]
            )
    return _unlabelled(chosen.member, chosen.item, columns)


def _unlabelled(member: Codes, item: Codes, columns: Columns) -> Table:
    none = np.zeros(len(member), dtype=np.float32)
    return Table(member, item, columns, none.astype(np.bool_), none, none.astype(np.int32))
