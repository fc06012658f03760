"""What each member could be led on to from what they buy habitually: the dearer article of its type, its companion.

Learnt once a night (of a sample, where there are many members), then told of some members after others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommend import trade_up
from recommend.books import Shelf
from recommend.matrix import BadPurchases, PurchaseLog
from recommend.rules import RecommendRules
from recommend.trade_up import Ladder

PREMIUM, COMPANION = "premium", "companion"
MOST, LEAST_SHARE = 5, 0.01
Row = list[Any]


@dataclass(frozen=True, slots=True)
class Upgrades:
    """One morning: steps up between items, what goes with an item ({code: [(code, times chance, share)]}), and names.

    Habitual is what was bought on `often` days from day `since` on.
    """

    log: PurchaseLog
    shelf: Shelf
    today: int
    since: int
    often: int
    steps: Ladder | None
    beside: Mapping[int, Sequence[tuple[int, float, float]]]

    @classmethod
    def learn(
        cls, log: PurchaseLog, part: PurchaseLog, shelf: Shelf, today: int, rules: RecommendRules,
        beside: Mapping[int, Sequence[Sequence[Any]]],
    ) -> "Upgrades":  # fmt: skip
        """Learn the steps of a `part` of the log; `beside`: {code: [sku, times chance, share] of its companions}."""
        try:
            steps = trade_up.ladder(part, today, shelf.type, sold=shelf.active)
            steps = steps.kept(_tellable(shelf, steps))
        except BadPurchases:
            steps = None
        code = {sku: place for place, sku in enumerate(shelf.sku.tolist())}
        known = {item: [(code[sku], times, share) for sku, times, share in some] for item, some in beside.items()}
        return cls(log, shelf, today, today - rules.look_back_days, rules.min_purchases, steps, known)

    def of(self, first: int, end: int) -> dict[int, list[Row]]:
        """Return {member code: rows as members/scores.py describes} of the members from code `first` to before `end`.

        The steps up that promise most money come first, then the companions farthest beyond chance.
        """
        log = self.log.between(first, end)
        past = log.before(self.today)
        found: dict[int, list[Row]] = {}
        if len(past):
            self._premiums(log, found)
            self._companions(past, trade_up.ever_tried(log, self.today), found)
        return found

    def _premiums(self, log: PurchaseLog, found: dict[int, list[Row]]) -> None:
        if self.steps is None:
            return
        offers = trade_up.offered(log, self.today, self.steps, since=self.since, often=self.often)
        sku = self.shelf.sku
        for row in np.lexsort((offers.premium, -offers.chance * offers.extra, offers.member)).tolist():
            if float(offers.chance[row]) < LEAST_SHARE:
                continue
            mine = found.setdefault(int(offers.member[row]), [])
            if len(mine) < MOST:
                pair = sku[offers.usual[row]], sku[offers.premium[row]]
                told = round(float(offers.share[row]), 4), round(float(offers.extra[row]))
                mine.append([PREMIUM, *pair, *told])

    def _companions(self, past: PurchaseLog, tried: PurchaseLog, found: dict[int, list[Row]]) -> None:
        width, sku = len(past.items), self.shelf.sku
        pairs = past.member.astype(np.int64) * width + past.item
        lately, days = np.unique(pairs[past.day >= self.since], return_counts=True)
        known = set((tried.member.astype(np.int64) * width + tried.item).tolist())
        best: dict[int, dict[int, tuple[float, float, int]]] = {}
        for pair in lately[days >= self.often].tolist():
            member, usual = divmod(pair, width)
            for other, times, share in self.beside.get(usual, ()):
                if member * width + other not in known and share >= LEAST_SHARE:
                    mine = best.setdefault(member, {})
                    mine[other] = max(mine.get(other, (0.0, 0.0, 0)), (times, share, usual))
        for member, some in best.items():
            order = sorted(some.items(), key=lambda one: (-one[1][0], one[0]))[:MOST]
            rows = [[COMPANION, sku[usual], sku[other], share, times] for other, (times, share, usual) in order]
            found.setdefault(member, []).extend(rows)


def _tellable(shelf: Shelf, steps: Ladder) -> NDArray[np.bool_]:
    """Tell which steps a member can follow: to another name, and not to what costs no more on today's shelf."""
    price, name = shelf.price, shelf.name
    before, after = steps.before, steps.after
    priced = (price[before] > 0) & (price[after] > 0)
    return np.asarray((name[before] != name[after]) & ~(priced & (price[after] <= price[before])), dtype=np.bool_)
