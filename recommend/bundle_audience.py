"""Who is likeliest to take several articles together, from what each has bought of late, one pass over the members.

Likelihood for one article as in recommend.bundle (cosine of purchases and purchases of its kin, each standardised over
members); for all of them together it is the least of theirs, so that nobody comes first for one alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from math import log1p, sqrt

import numpy as np

from recommend.bundle import standard
from recommend.buyers import Beside
from recommend.features import Bought
from recommend.visits import Figures


@dataclass(frozen=True, slots=True)
class Likely:
    """One member: likelihood (0 is the average, only the order counts) and what told it of the first article.

    `usual` is a sku the member buys; `own`: it is the article itself, `share` of whose buyers buy the usual one too, 0
    where it is told by its kin.
    """

    member: int
    score: float
    usual: str
    own: bool
    share: float


def likeliest(bought: Iterable[tuple[int, Bought]], articles: Sequence[Beside], *, bought_since: date) -> list[Likely]:
    """Return whose purchases speak for the first article, likeliest first; who has bought it since then is left out.

    An article of which nothing is known (never bought, nor anything of its kin) does not count.
    """
    members: list[int] = []
    told: list[tuple[str, bool, float]] = []
    figures: list[list[float]] = []
    for member, items in bought:
        weight = {sku: log1p(len(days)) for sku, days in items.items()}
        rows = [_taste(weight, article) for article in articles]
        figures.append([one for taste, kin in rows for one in (taste, kin)])
        first = articles[0].sku
        fresh = first not in items or max(one.day for one in items[first]) < bought_since
        members.append(member)
        told.append(_told(weight, articles[0]) if fresh else ("", False, 0.0))
    score = _least(np.array(figures).reshape(len(members), 2 * len(articles)))
    order = np.lexsort((np.array(members, dtype=np.int64), -score))
    return [Likely(members[at], float(score[at]), *told[at]) for at in order.tolist() if told[at][0]]


def _taste(weight: dict[str, float], article: Beside) -> tuple[float, float]:
    every = sum(weight.values())
    taste = sum(article.cosine.get(sku, 0.0) * one for sku, one in weight.items()) / sqrt(1 + every)
    return taste, log1p(sum(one for sku, one in weight.items() if sku in article.kin))


def _told(weight: dict[str, float], article: Beside) -> tuple[str, bool, float]:
    """Return what a member buys that tells most of the article; nothing where they buy nothing near it."""
    if article.sku in weight:
        return article.sku, True, 1.0
    best = max(weight, key=lambda sku: (article.cosine.get(sku, 0.0) * weight[sku], sku))
    if article.cosine.get(best):
        return best, False, article.share[best]
    kin = [sku for sku in weight if sku in article.kin]
    return (max(kin, key=lambda sku: (weight[sku], sku)) if kin else ""), False, 0.0


def _least(figures: Figures) -> Figures:
    """Return each member's least likelihood; `figures`: members × (taste, kin of each article)."""
    if not len(figures):
        return np.zeros(0)
    parts = [standard(figures[:, at]) + standard(figures[:, at + 1]) for at in range(0, figures.shape[1], 2)]
    known = [part for part in parts if part.any()]
    return np.min(known, axis=0) if known else np.zeros(len(figures))
