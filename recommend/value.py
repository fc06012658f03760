"""Value deciles and concentration: which part of the members carries which part of the sales.

Decile 1 spends most. Share of the top x%: the Lorenz curve read from above, straight between members (Lorenz 1905).
Gini = 2 Σ i·x_i / (n Σ x) − (n + 1) / n over rising x (Gini 1912); 0 when all spend alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recommend.matrix import Amounts, BadPurchases, Labels, PurchaseLog
from recommend.visits import Whole, visits

DECILES = 10
LEVELS = ((2, "重点服务"), (5, "常规服务"), (DECILES, "基础服务"))


@dataclass(frozen=True, slots=True)
class Value:
    """Per member: 分 within the window, and the decile from 1 (most) to 10; who spends alike shares a decile."""

    members: Labels
    amount: Amounts
    decile: Whole


@dataclass(frozen=True, slots=True)
class DecileRow:
    """One line of the concentration report; `amount` in 分, shares from 0 to 1, `level` is how they are served."""

    decile: int
    members: int
    amount: int
    share: float
    cumulative: float
    level: str


@dataclass(frozen=True, slots=True)
class Concentration:
    """How unevenly sales fall: share of the top fifth, Gini, and the part of the members that carries 80%."""

    top_fifth: float
    gini: float
    members_for_80: float
    rows: tuple[DecileRow, ...]

    def explain(self) -> str:
        """Return the sentence a marketer reads."""
        if not any(row.amount for row in self.rows):
            return "近一年没有消费"
        return f"前20%的会员贡献{self.top_fifth:.0%}的销售额;{self.members_for_80:.0%}的会员贡献80%"


def value(log: PurchaseLog, cut: int, window: int = 365) -> Value:
    """Return what everybody who ever bought before `cut` spent in the `window` days before it, with deciles."""
    found = visits(log, cut)
    amount = np.maximum(found.total(found.amount, cut - window), 0)
    return Value(found.members, amount, deciles(amount))


def deciles(amount: Amounts) -> Whole:
    """Return 1 + ⌊10 · (members who spend more) / n⌋ of each member; who spends nothing is in the last."""
    _check(amount)
    more = len(amount) - np.searchsorted(np.sort(amount), amount, side="right")
    return np.where(amount > 0, 1 + DECILES * more // len(amount), DECILES).astype(np.int64)


def top_share(amount: Amounts, part: float) -> float:
    """Return the share of sales that the top `part` (0 to 1) of the members carry."""
    _check(amount)
    falling = np.concatenate([[0], np.cumsum(np.sort(amount)[::-1])])
    return float(np.interp(part * len(amount), np.arange(len(falling)), falling / max(int(falling[-1]), 1)))


def gini(amount: Amounts) -> float:
    """Return the Gini coefficient, 0 (all alike) to 1 − 1/n."""
    _check(amount)
    rising, n = np.sort(amount), len(amount)
    total = int(rising.sum())
    return 0.0 if not total else float(2 * (np.arange(1, n + 1) * rising).sum() / (n * total) - (n + 1) / n)


def concentration(found: Value, levels: Sequence[tuple[int, str]] = LEVELS) -> Concentration:
    """Return the report; `levels` names the service up to and including a decile."""
    total, gathered, rows = max(int(found.amount.sum()), 1), 0, []
    for decile in range(1, DECILES + 1):
        mine = found.amount[found.decile == decile]
        gathered += int(mine.sum())
        level = next((name for upto, name in levels if decile <= upto), "")
        rows.append(DecileRow(decile, len(mine), int(mine.sum()), int(mine.sum()) / total, gathered / total, level))
    falling = np.concatenate([[0], np.cumsum(np.sort(found.amount)[::-1])])
    reached = int(np.argmax(falling >= 0.8 * falling[-1])) / len(found.amount)
    return Concentration(top_share(found.amount, 0.2), gini(found.amount), reached, tuple(rows))


def _check(amount: Amounts) -> None:
    if not len(amount):
        raise BadPurchases("no members")
    if not np.issubdtype(amount.dtype, np.integer):
        raise BadPurchases("amounts are whole 分")
    if amount.min() < 0:
        raise BadPurchases("a negative amount")
