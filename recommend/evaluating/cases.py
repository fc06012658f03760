"""A question about a shop's next baskets: what was known before a cut, and what each member bought first after it.

Where days are dates, the cut lies so many weeks before the end and the target is the member's first day from it on.
Where only the order of baskets is known, every member's last basket is the target, whoever has two.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recommend.matrix import BadPurchases, Labels, PurchaseLog, aligned, is_order_only

WEEK, LEAST_BASKETS, LAST = 7, 10, -1


@dataclass(frozen=True)
class Case:
    """A log, the day it is cut at, labels of its items' parents; `span` days are what the target may lie in."""

    log: PurchaseLog
    cut: int
    parents: tuple[Labels, ...] = ()
    span: int = 4 * WEEK
    order_only: bool = False

    @cached_property
    def past(self) -> PurchaseLog:
        """What was known when the day of the cut began."""
        return self.log.before(self.cut)

    @cached_property
    def target(self) -> PurchaseLog:
        """The next baskets of the members who have a history."""
        coming = self.log.since(self.cut)
        first = np.full(len(self.log.members), np.iinfo(np.int32).max)
        np.minimum.at(first, coming.member, coming.day)
        known = np.isin(coming.member, self.past.member)
        return coming._only((coming.day == first[coming.member]) & known)

    @cached_property
    def unknown(self) -> PurchaseLog:
        """The part of the target that the member had never bought."""
        wide = np.int64(len(self.log.items))
        wanted, known = (log.member.astype(np.int64) * wide + log.item for log in (self.target, self.past))
        return self.target._only(~np.isin(wanted, known))

    @cached_property
    def asked(self) -> NDArray[np.int32]:
        """Codes of the members with a target, rising."""
        return np.unique(self.target.member)

    def earlier(self) -> "Case":
        """Return the same question one span (or one basket) earlier, out of the past alone: to tune on."""
        if self.order_only:
            return Case(aligned(self.past), LAST, self.parents, self.span, True)
        return Case(self.past, self.cut - self.span, self.parents, self.span)


def case_of(
    log: PurchaseLog, parents: Sequence[Labels] = (), *, weeks: int = 4, cut: int | None = None,
    order_only: bool | None = None,
) -> Case:  # fmt: skip
    """Return the question about a log (returns may be in it), items in LEAST_BASKETS baskets of the history.

    `cut` is a day fixed beforehand; whether days are only the order of baskets is found out when None. BadPurchases
    where nothing can be asked.
    """
    order_only = cut is None and is_order_only(log) if order_only is None else order_only
    if order_only:
        log, cut = aligned(log._only(log.quantity > 0)), LAST
    elif cut is None:
        cut = int(log.day.max(initial=0)) + 1 - weeks * WEEK
    seen = np.bincount(log.before(cut).item, minlength=len(log.items))
    kept = log._only((seen >= LEAST_BASKETS)[log.item]).compact()
    if order_only:
        kept = aligned(kept)
    if not len(kept):
        raise BadPurchases(f"no item in {LEAST_BASKETS} baskets of the history")
    place = np.searchsorted(log.items, kept.items)
    found = Case(kept, cut, tuple(np.asarray(one)[place] for one in parents), weeks * WEEK, order_only)
    if not len(found.asked):
        raise BadPurchases("nobody has a history and a basket after it")
    return found
