"""Every member scored for one morning: what they may want, when they run out, where they stand; a block at a time.

Suggestions are the next-basket model's, with reasons made of the member's own receipts; cycles are the timing model's.
Without a model a row has neither, and serving answers by counts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from members.scores import Score
from recommend import nextbasket, standing
from recommend.books import Shelf, day_of
from recommend.matrix import PurchaseLog
from recommend.nextbasket import Learnt, NextBasket
from recommend.standing import Standing
from recommend.timing import BLOCK, Forecast, TimingModel

SUGGESTED, CYCLES, LEAST_CHANCE = 24, 20, 0.03
SOON_DAYS, SOON_CHANCE, LONG_AGO = 7, 0.3, 365
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

    def scores(self, scheme: Any = None) -> Iterator[list[Score]]:
        """Yield the rows of so many members after so many, in the order of the log's members."""
        where = standing.of(self.log, self.today, self.shelf, scheme)
        placed = None
        if self.learnt is not None:
            parents = (self.shelf.type, self.shelf.category)
            placed = nextbasket.asked_at(self.learnt, self.log, self.today, parents=parents)
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
            wanted = [[] for _ in members] if placed is None else self._suggestions(placed, members, first)
            cycles = {} if mine is None else _cycles(mine, grouped.items)
            yield list(self._rows(first, members, wanted, cycles, where))

    def _rows(
        self, first: int, members: Rows, wanted: list[Suggested], cycles: Mapping[int, Suggested], where: Standing
    ) -> Iterator[Score]:
        category, day = self.shelf.category_of(), day_of(self.today)
        for place, member in enumerate(members.tolist()):
            due = cycles.get(first + place, [])
            yield where.score(first + place, member, day, _told_due(wanted[place], due, category), due)

    def _suggestions(self, placed: NextBasket, members: Rows, first: int) -> list[Suggested]:
        """Return per member the suggestions with reasons: how often and when last on the member's own receipts."""
        ranked = placed.score(members, SUGGESTED)
        count, last = _own(placed.log, ranked.codes, first)
        found: list[Suggested] = []
        for row, codes in enumerate(ranked.codes.tolist()):
            mine = []
            for place, code in enumerate(codes):
                if code < 0:
                    continue
                chance = round(float(ranked.probability[row, place]), 4)
                likes = round(float(ranked.long_term[row, place]), 4), round(float(ranked.short_term[row, place]), 4)
                kind, words = self._why(int(count[row, place]), int(last[row, place]))
                mine.append([self.shelf.sku[code], chance, *likes, kind, words])
            found.append(mine)
        return found

    def _why(self, count: int, last: int) -> tuple[str, str]:
        if not count:
            return "alike", "和您买得相近的顾客常买"
        day = day_of(last)
        year = f"{day.year} 年 " if self.today - last > LONG_AGO else ""
        when = f"{year}{day.month} 月 {day.day} 日"
        return "habit", f"买过 {count} 次,上次 {when}" if count > 1 else f"{when}买过"


def _own(past: PurchaseLog, codes: NDArray[np.int32], first: int) -> tuple[Rows, Rows]:
    """Return on how many days each member bought each item, and the last day; members are those from `first` on."""
    begin, end = np.searchsorted(past.member, (first, first + len(codes)))
    rows = slice(int(begin), int(end))
    if begin == end:
        return np.zeros(codes.shape, np.int64), np.zeros(codes.shape, np.int64)
    wide = len(past.items) + 1
    pair = (past.member[rows].astype(np.int64) - first) * wide + past.item[rows]
    order = np.argsort(pair, kind="stable")
    pairs, at, many = np.unique(pair[order], return_index=True, return_counts=True)
    lasts = past.day[rows][order][at + many - 1]
    asked = np.arange(len(codes))[:, None] * wide + np.where(codes < 0, wide - 1, codes)
    place = np.minimum(np.searchsorted(pairs, asked), len(pairs) - 1)
    known = pairs[place] == asked
    return np.where(known, many[place], 0), np.where(known, lasts[place], 0)


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
            one[4], one[5] = "repurchase", cycle_words(cycle)
    return wanted


def cycle_words(cycle: list[Any]) -> str:
    """Return the sentence a member reads about a cycle."""
    _, month, day = cycle[1].split("-")
    return f"上次 {int(month)} 月 {int(day)} 日,平均 {cycle[2]} 天一次"


def stale_before(today: int) -> Any:
    """Return the day before which rows are forgotten: their windows are over."""
    return day_of(today) - timedelta(days=SOON_DAYS)
