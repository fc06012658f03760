"""How good models are on days they have not seen: Recall@10 and NDCG@10 of the next basket, hits of the reminders.

Recall@10 = hits / size of the basket; NDCG@10 = Σ 1/log2(place + 1) over hits, over the best there could be (Järvelin &
Kekäläinen 2002). Items never sold before the cut count as missed.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommend.matrix import PurchaseLog
from recommend.nextbasket import NextBasket
from recommend.timing import TimingModel, known_before
from recommend.timing_features import WEEK, Events, asked

TOP, TENTH = 10, 0.1
DISCOUNT = 1 / np.log2(np.arange(TOP) + 2)


def basket_quality(model: NextBasket, log: PurchaseLog, cut: int, *, most: int, seed: int = 3) -> dict[str, float]:
    """Return {recall, ndcg, members} over at most so many members with a basket from day `cut` on; {} for nobody."""
    coming = log.since(cut)
    known = np.zeros(len(log.members), dtype=np.bool_)
    known[log.before(cut).member] = True
    coming = coming._only(known[coming.member])
    if not len(coming):
        return {}
    first = np.full(len(log.members), np.iinfo(np.int64).max)
    np.minimum.at(first, coming.member, coming.day)
    target = coming._only(coming.day == first[coming.member])
    members = np.unique(target.member)
    if len(members) > most:
        members = np.sort(np.random.default_rng(seed).choice(members, most, replace=False))
    codes = model.score(log.members[members], TOP).codes
    recall, ndcg = measured(codes, members, target)
    return {"recall": round(float(recall.mean()), 4), "ndcg": round(float(ndcg.mean()), 4), "members": len(members)}


def measured(
    codes: NDArray[np.int32], members: NDArray[Any], target: PurchaseLog
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Recall@10 and NDCG@10 of each member's list of item codes (−1 for none) against the target's rows."""
    wide = len(target.items)
    wanted = target.member.astype(np.int64) * wide + target.item
    hit = (codes >= 0) & np.isin(members[:, None].astype(np.int64) * wide + codes, wanted)
    size = np.bincount(target.member, minlength=len(target.members))[members]
    best = np.cumsum(DISCOUNT)[np.minimum(size, TOP) - 1]
    return hit.sum(axis=1) / size, hit @ DISCOUNT[: codes.shape[1]] / best


def timing_quality(model: TimingModel, log: PurchaseLog, day: int) -> dict[str, float]:
    """Return {hits, reminders, brier}: how the strongest tenth of the pairs asked at `day` would have been reminded.

    A reminder hits when the purchase falls 1 … 7 days after its day. Brier over all pairs. {} when there is no pair, or
    the log ends within a week of `day`.
    """
    last = int(log.day.max(initial=0))
    known, by_basket = known_before(log, last + 1)
    if by_basket or last < day + WEEK:
        return {}
    forecast = model.forecast(log, day)
    if not len(forecast):
        return {}
    ask = asked(Events.of(known), day)
    after = ask.wait - (forecast.remind - day)
    hit = (after >= 1) & (after <= WEEK)
    rows = forecast.strongest(max(1, int(TENTH * len(forecast))))
    brier = float(np.mean((forecast.confidence - hit) ** 2))
    return {"hits": round(float(hit[rows].mean()), 4), "reminders": len(rows), "brier": round(brier, 4)}
