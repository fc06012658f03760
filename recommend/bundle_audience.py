"""Who is likeliest to take several articles together, from what each has bought of late, one pass over the members.

Likelihood for one article as in recommend.bundle (cosine of purchases and purchases of its kin, each standardised by
the mean and deviation of a sample of the shop's members); for all of them together it is the least of theirs, so that
nobody comes first for one alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from math import log, log1p, sqrt

import numpy as np

from recommend.buyers import Beside
from recommend.features import Bought
from recommend.visits import Figures

LITTLE = 1e-9


@dataclass(frozen=True, slots=True)
class Likely:
    """One member: likelihood (0 is the shop's average, only the order counts) and what told it of the first article.

    `usual` is a sku the member buys; `own`: it is the article itself. Of the article's buyers `share` buy the usual one
    too, of all members `base` do; both are 0 where it is told by its kin.
    """

    member: int
    score: float
    usual: str
    own: bool
    share: float
    base: float


def likeliest(
    bought: Iterable[tuple[int, Bought]], articles: Sequence[Beside], *, sample: Iterable[tuple[int, Bought]],
    bought_since: date,
) -> list[Likely]:  # fmt: skip
    """Return who is above the average of `sample`, likeliest first; who has bought the first article since is left out.

    An article of which nothing is known (never bought, nor anything of its kin) does not count, but if it is the first
    there is nobody: what speaks for it must be told.
    """
    usual = np.array([_figures(_weights(items), articles) for _, items in sample]).reshape(-1, 2 * len(articles))
    found: list[tuple[int, tuple[str, bool, float, float]]] = []
    figures: list[list[float]] = []
    first = articles[0]
    for member, items in bought:
        if first.sku in items and max(one.day for one in items[first.sku]) >= bought_since:
            continue
        weight = _weights(items)
        told = _told(weight, first)
        if told is not None:
            found.append((member, told))
            figures.append(_figures(weight, articles))
    score = _least(np.array(figures).reshape(len(found), 2 * len(articles)), usual)
    order = sorted((at for at in range(len(found)) if score[at] > 0), key=lambda at: (-score[at], found[at][0]))
    return [Likely(found[at][0], float(score[at]), *found[at][1]) for at in order]


def _weights(items: Bought) -> dict[str, float]:
    return {sku: log1p(len(days)) for sku, days in items.items()}


def _figures(weight: dict[str, float], articles: Sequence[Beside]) -> list[float]:
    """Return taste and kin of each article."""
    near = sqrt(1 + sum(weight.values()))
    found = []
    for article in articles:
        found.append(sum(article.cosine.get(sku, 0.0) * one for sku, one in weight.items()) / near)
        found.append(log1p(sum(one for sku, one in weight.items() if sku in article.kin)))
    return found


def _told(weight: dict[str, float], article: Beside) -> tuple[str, bool, float, float] | None:
    """Return what a member buys that tells most of an article: itself, what its buyers buy more than most, its kin."""
    if article.sku in weight:
        return article.sku, True, 0.0, 0.0
    beyond = {
        sku: article.cosine[sku] * weight[sku] * log(share / base)
        for sku, (share, base) in article.share.items()
        if sku in weight and share > base
    }
    if beyond:
        best = max(beyond, key=lambda sku: (beyond[sku], sku))
        return best, False, *article.share[best]
    kin = [sku for sku in weight if sku in article.kin]
    return (max(kin, key=lambda sku: (weight[sku], sku)), False, 0.0, 0.0) if kin else None


def _least(figures: Figures, usual: Figures) -> Figures:
    """Return each member's least likelihood; both are members × (taste, kin of each article)."""
    if not len(usual):
        return np.zeros(len(figures))
    mean, deviation = usual.mean(axis=0), usual.std(axis=0)
    known = deviation > LITTLE
    each = np.where(known, (figures - mean) / np.where(known, deviation, 1.0), 0.0)
    parts = [each[:, at] + each[:, at + 1] for at in range(0, each.shape[1], 2) if known[at : at + 2].any()]
    return np.min(parts, axis=0) if parts else np.zeros(len(figures))
