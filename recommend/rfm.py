"""RFM: how lately, how often and for how much a member bought, as scores on a scheme that carries its version.

Recency: days from the last shopping day to the cut. Frequency: shopping days, monetary: 分 paid net of returns, both
within the scheme's window (Hughes, Strategic Database Marketing, 1994; Fader, Hardie & Lee 2005). The eight names are
those of the Chinese trade: each of R, F, M above the middle of its scale or not.
"""

from dataclasses import asdict, dataclass
from hashlib import sha256
from itertools import pairwise
from json import dumps

import numpy as np
from numpy.typing import NDArray

from recommend.matrix import Labels, PurchaseLog
from recommend.visits import Visits, Whole, visits

NAMES = {
    (True, True, True): "重要价值客户", (True, False, True): "重要发展客户",
    (False, True, True): "重要保持客户", (False, False, True): "重要挽留客户",
    (True, True, False): "一般价值客户", (True, False, False): "一般发展客户",
    (False, True, False): "一般保持客户", (False, False, False): "一般挽留客户",
}  # fmt: skip


class BadScheme(ValueError):
    """Edges that don't rise, or no edges at all."""


@dataclass(frozen=True, slots=True)
class RfmScheme:
    """Rising edges: at most `recency[0]` days is the best R; from `frequency[0]` days or `monetary[0]` 分 on, 2."""

    recency: tuple[int, ...]
    frequency: tuple[int, ...]
    monetary: tuple[int, ...]
    window: int = 365

    def __post_init__(self) -> None:
        for name in ("recency", "frequency", "monetary"):
            edges = getattr(self, name)
            if not edges or any(low >= high for low, high in pairwise(edges)):
                raise BadScheme(f"{name} needs rising edges, not {edges}")
        if self.window < 1:
            raise BadScheme("the window is at least a day")

    @property
    def version(self) -> str:
        """Return a name that is the same for the same edges and window only: scores of one version can be compared."""
        return f"rfm-{sha256(dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:8]}"


@dataclass(frozen=True, slots=True)
class Rfm:
    """Per member: days since the last purchase, shopping days and 分 in the window, and the three scores from 1 up."""

    version: str
    members: Labels
    days: Whole
    visits: Whole
    amount: Whole
    recency: Whole
    frequency: Whole
    monetary: Whole
    high: NDArray[np.bool_]

    def segment(self, row: int) -> str:
        """Return the trade's name of the member in a row."""
        recent, often, much = self.high[row].tolist()
        return NAMES[recent, often, much]

    def explain(self, row: int) -> str:
        """Return the sentence a marketer reads."""
        scores = "".join(str(int(score[row])) for score in (self.recency, self.frequency, self.monetary))
        spent = f"共{self.visits[row]}次,{self.amount[row] / 100:.2f}元"
        return f"{self.segment(row)}({scores}):{self.days[row]}天前来过,{spent}"


def _figures(found: Visits, window: int) -> tuple[Whole, Whole, Whole]:
    since = found.cut - window
    ones = np.ones(len(found.day), dtype=np.int64)
    return (found.cut - found.last).astype(np.int64), found.total(ones, since), found.total(found.amount, since)


def quantile_scheme(log: PurchaseLog, cut: int, parts: int = 5, window: int = 365) -> RfmScheme:
    """Return the edges that cut the members before `cut` into `parts` of like size; ties share a score."""
    if parts < 2:
        raise BadScheme("at least two parts")
    steps = np.arange(1, parts) / parts
    days, often, much = _figures(visits(log, cut), window)
    recency = np.unique(np.quantile(days, steps, method="inverted_cdf"))
    if days.min() == days.max():  # all came last on one day: whether that is lately only the window tells
        recency = np.array([window])
    lower = [np.unique(np.quantile(values, steps, method="higher")) for values in (often, much)]
    lower = [edges[edges > values.min()] for edges, values in zip(lower, (often, much), strict=True)]
    edges = [tuple(int(edge) for edge in part) for part in (recency, *lower)]
    return RfmScheme(edges[0], edges[1] or (int(often.max()) + 1,), edges[2] or (int(much.max()) + 1,), window)


def rfm(log: PurchaseLog, cut: int, scheme: RfmScheme) -> Rfm:
    """Return the scores of everybody who bought before day `cut`; BadPurchases when nobody did."""
    found = visits(log, cut)
    days, often, much = _figures(found, scheme.window)
    recency = len(scheme.recency) + 1 - np.searchsorted(scheme.recency, days, side="left")
    frequency = 1 + np.searchsorted(scheme.frequency, often, side="right")
    monetary = 1 + np.searchsorted(scheme.monetary, much, side="right")
    scored = ((recency, scheme.recency), (frequency, scheme.frequency), (monetary, scheme.monetary))
    high = np.stack([2 * score > len(edges) + 2 for score, edges in scored], axis=1)
    return Rfm(scheme.version, found.members, days, often, much, recency, frequency, monetary, high)
