"""BG/NBD, the timing of shops with too little history to learn more: a rate per pair, and a chance to be over.

Purchases come at a gamma(r, α) rate until a dropout of beta(a, b) chance after each: Fader, Hardie & Lee, Marketing
Science 2005. Four numbers are fitted; forecasting needs numpy only.
"""

from dataclasses import astuple, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recommend.matrix import BadPurchases

Column = NDArray[Any]
USUAL = (2.0, 30.0, 0.5, 10.0)
PAIRS = 5_000
PULL = 10.0


@dataclass(frozen=True, slots=True)
class BgNbd:
    """The four numbers; `alpha` is in days (or baskets, where days are basket numbers)."""

    r: float
    alpha: float
    a: float
    b: float

    @classmethod
    def fit(cls, count: Column, last: Column, age: Column) -> Self:
        """Fit by maximum likelihood on at most 5,000 pairs, the logs drawn to the usual values as if by 10 pairs.

        Per pair `count` repeat purchases, the `last` of them and now at ages in days; BadPurchases for none or NaN.
        """
        from scipy import optimize, special

        if not len(count):
            raise BadPurchases("no pair to learn a rate from")
        if not all(np.isfinite(column).all() for column in (count, last, age)):
            raise BadPurchases("counts or ages have missing values (NaN)")
        rows = np.random.default_rng(3).permutation(len(count))[:PAIRS]
        x, seen, now = count[rows].astype(float), last[rows].astype(float), age[rows].astype(float)
        usual = np.log(USUAL)

        def loss(logs: Column) -> float:
            r, alpha, a, b = np.exp(logs)
            shared = special.gammaln(r + x) - special.gammaln(r) + r * logs[1]
            shared += special.betaln(a, b + x) - special.betaln(a, b)
            alive = -(r + x) * np.log(alpha + now)
            gone = logs[2] - np.log(b + x - 1) - (r + x) * np.log(alpha + seen)
            return float(PULL * np.square(logs - usual).sum() - np.sum(shared + np.logaddexp(alive, gone)))

        limits = [(start - 5, start + 5) for start in usual]
        found = optimize.minimize(loss, usual, method="Nelder-Mead", bounds=limits, options={"maxiter": 400})
        return cls(*np.exp(found.x).tolist())

    def surviving(self, count: Column, last: Column, age: Column, horizon: int) -> NDArray[np.float32]:
        """Return rows × (horizon + 1): the chance to wait at least 0, 1, … days."""
        log_odds = np.log(self.a / (self.b + count - 1)) + (self.r + count) * np.log(
            (self.alpha + age) / (self.alpha + last)
        )
        alive = 1 / (1 + np.exp(np.minimum(log_odds, 50)))
        since = (self.alpha + age)[:, None]
        ended = 1 - (since / (since + np.arange(horizon + 1))) ** (self.r + count)[:, None]
        return np.asarray(1 - alive[:, None] * ended, dtype=np.float32)

    def array(self) -> Column:
        """Return what `BgNbd(*array)` takes, to be stored."""
        return np.array(astuple(self))
