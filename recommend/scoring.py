"""Every member scored for one morning: what they may want, when they run out, where they stand; a block at a time.

Suggestions are the next-basket model's, with reasons made of the member's own receipts; cycles are the timing model's.
Without a model a row has neither, and serving answers by counts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from members.scores import Score
from recommend import nextbasket, wording
from recommend.books import Shelf, day_of
from recommend.matrix import BadPurchases, PurchaseLog
from recommend.nextbasket import Learnt, NextBasket
from recommend.ranked import POPULAR, Ranked
from recommend.scored import Cycle
from recommend.standing import Standing
from recommend.timing import BLOCK, Forecast, TimingModel
from recommend.upgrades import Upgrades

SUGGESTED, NEW, CYCLES, LEAST_CHANCE = 24, 5, 20, 0.03
SOON_CHANCE, LONG_AGO = 0.3, 365
CHANCES = ("probability", "long_term", "short_term")
Rows = NDArray[Any]
Suggested = list[list[Any]]


@dataclass(frozen=True, slots=True)
class Scorer:
    """One morning: the log of the books, what is told of its items, the models in use (None: there is none)."""

    log: PurchaseLog
    shelf: Shelf
    today: int
    learnt: Learnt | None
    timing: TimingModel | None
    upgrades: Upgrades | None = None

    def scores(self, where: Standing) -> Iterator[list[Score]]:
        """Yield the rows of so many members after so many: the log's in their order, then who else has receipts."""
        placed = self._placed()
        grouped = self.log.at_level(self.shelf.category)
        forecasts = iter(()) if self.timing is None else self.timing.forecasts(grouped, self.today)
        ahead = next(forecasts, None)
        for first in range(0, len(self.log.members), BLOCK):
            members = self.log.members[first : first + BLOCK]
            mine = None
            if ahead is not None and len(ahead) and ahead.member[0] < first + BLOCK:
                mine, ahead = ahead, next(forecasts, None)
            elif ahead is not None and not len(ahead):
                ahead = next(forecasts, None)
            wanted = [[] for _ in members] if placed is None else self._suggestions(placed, members)
            cycles = None if self.timing is None else {} if mine is None else _cycles(mine, grouped.items)
            yield list(self._rows(first, members, wanted, cycles, where))
        rest = np.setdiff1d(where.members, self.log.members)
        yield from standing_rows(where, self.today, rest, None if self.timing is None else [])

    def _placed(self) -> NextBasket | None:
        if self.learnt is None:
            return None
        try:
            parents = (self.shelf.type, self.shelf.category)
            return nextbasket.asked_at(self.learnt, self.log, self.today, parents=parents)
        except BadPurchases:  # it was learnt on another kind of log: counts speak until the next fit
            return None

    def _rows(
        self,
        first: int,
        members: Rows,
        wanted: list[Suggested],
        cycles: Mapping[int, Suggested] | None,
        where: Standing,
    ) -> Iterator[Score]:
        category, day = self.shelf.category_of(), day_of(self.today)
        led = {} if self.upgrades is None else self.upgrades.of(first, first + len(members))
        stands = where.places(members)
        for place, member in enumerate(members.tolist()):
            due = None if cycles is None else cycles.get(first + place, [])
            score = where.score(stands[place], member, day, _told_due(wanted[place], due or [], category), due)
            yield replace(score, upgrades=led.get(first + place, []))

    def _suggestions(self, placed: NextBasket, members: Rows) -> list[Suggested]:
        """Return per member the suggestions with their reasons, then a few articles that are new to them."""
        ranked = placed.score(members, SUGGESTED, fresh=NEW)
        found: list[Suggested] = [[] for _ in range(len(members))]
        for lists in (ranked, ranked.fresh):
            if lists is not None:
                self._told(lists, found)
        return found

    def _told(self, lists: Ranked, found: list[Suggested]) -> None:
        figures = (np.round(getattr(lists, name).astype(np.float64), 4) for name in CHANCES)
        columns = (lists.codes, *figures, lists.source, lists.count, lists.last)
        sku, why = self.shelf.sku, cache(self._why)
        for row, mine in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
            told = {one[0] for one in found[row]}
            found[row] += [
                [sku[code], chance, long, short, *why(source, count, last)]
                for code, chance, long, short, source, count, last in zip(*mine, strict=True)
                if code >= 0 and sku[code] not in told
            ]

    def _why(self, source: int, count: int, last: int) -> tuple[str, str]:
        if source == POPULAR:
            return "popular", wording.POPULAR
        if not count:
            return "alike", wording.ALIKE
        return "habit", wording.bought(count, day_of(last), long_ago=self.today - last > LONG_AGO)


def standing_rows(where: Standing, today: int, members: Rows, cycles: Suggested | None) -> Iterator[list[Score]]:
    """Yield rows that say no more than where these members stand."""
    for first in range(0, len(members), BLOCK):
        some, day = members[first : first + BLOCK], day_of(today)
        yield [
            where.score(place, member, day, [], cycles)
            for place, member in zip(where.places(some), some.tolist(), strict=True)
        ]


def _cycles(found: Forecast, names: Rows) -> dict[int, Suggested]:
    """Return {member code: cycles, the likeliest reminder first}; what is hardly going to be bought is left out."""
    sure = found.confidence
    mine: dict[int, Suggested] = {}
    for row in np.lexsort((-sure, found.member)).tolist():
        if sure[row] < LEAST_CHANCE:
            continue
        own = mine.setdefault(int(found.member[row]), [])
        if len(own) < CYCLES:
            gap = max(1, int(np.floor(found.cycle[row] + 0.5)))
            days = day_of(found.last[row]).isoformat(), gap, day_of(found.due[row]).isoformat()
            chances = [round(float(chance), 3) for chance in found.windows[row]]
            category = str(names[found.item[row]])
            own.append([category, *days, round(float(found.returns[row]), 3), int(found.count[row]), chances])
    return mine


def _told_due(wanted: Suggested, due: Suggested, category: Mapping[str, str]) -> Suggested:
    """Return the suggestions; the first of a category that is due within days tells the cycle instead of the count."""
    if not wanted or not due:
        return wanted
    soon = {cycle[0]: cycle for cycle in due if cycle[6][0] >= SOON_CHANCE}
    for one in wanted:
        cycle = soon.pop(category.get(one[0], ""), None) if one[4] == "habit" else None
        if cycle is not None:
            one[4], one[5] = "repurchase", Cycle.of(cycle, 0).explain()
    return wanted
