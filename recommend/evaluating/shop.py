"""A shop's purchases as they are evaluated: by product, with the type and the category of each product where known."""

from dataclasses import dataclass

import numpy as np

from recommend.evaluating.cases import Case, case_of
from recommend.matrix import Labels, PurchaseLog

LEVELS = ("product", "type", "category")
WEEKS = 4


@dataclass(frozen=True)
class Shop:
    """`types` and `categories` are labels per item of the log ('' for none), None where nothing tells.

    Days are numbers of baskets where `order_only`. `basket_cut` (of four weeks) and `timing_cut` are day numbers of a
    published protocol; categories in `not_timed` say nothing about repurchase.
    """

    log: PurchaseLog
    types: Labels | None = None
    categories: Labels | None = None
    order_only: bool = False
    basket_cut: int | None = None
    timing_cut: int | None = None
    not_timed: tuple[str, ...] = ()

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels that can be asked about."""
        return tuple(level for level in LEVELS if level == "product" or self._labels(level) is not None)

    def _labels(self, level: str) -> Labels | None:
        return {"type": self.types, "category": self.categories}[level]

    def at(self, level: str) -> tuple[PurchaseLog, tuple[Labels, ...]]:
        """Return the log at a level and its items' parents: products have type and category, types a category."""
        above = [self._labels(name) for name in LEVELS[LEVELS.index(level) + 1 :]]
        parents = tuple(labels for labels in above if labels is not None)
        if level == "product":
            return self.log, parents
        labels = self._labels(level)
        assert labels is not None
        log = self.log.at_level(labels)
        names, first = np.unique(np.asarray(labels).astype(str), return_index=True)
        at = first[np.searchsorted(names, log.items.astype(str))]
        return log, tuple(parent[at] for parent in parents)

    def case(self, level: str, weeks: int) -> Case:
        """Return the question about the next baskets; BadPurchases where nothing can be asked."""
        log, parents = self.at(level)
        cut = self.basket_cut if weeks == WEEKS else None
        return case_of(log, parents, weeks=weeks, cut=cut, order_only=self.order_only)

    def timed(self) -> tuple[PurchaseLog, str]:
        """Return what repurchase is timed by (category, else type, else product), returns left out, and its name."""
        level = next(name for name in reversed(LEVELS) if name in self.levels)
        log = self.log
        if level == "product":
            return log._only(log.quantity > 0), level
        labels = self._labels(level)
        assert labels is not None
        log = log._only(log.quantity > 0)
        return log.at_level(np.where(np.isin(labels, self.not_timed), "", labels)), level
