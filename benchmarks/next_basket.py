"""The next basket beside the field on Complete Journey. Run: python3 dev.py bench next_basket

One basket per household and day (the package's own dates), without fuel, coupons and miscellany; items in ten baskets
of the history, weeks 1–49; the target is the first shopping day of weeks 50–53. Intervals: bootstrap over members.
"""

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import baselines as field
from members.importing.completejourney_names import UNCLASSIFIED
from members.importing.completejourney_source import FUEL_TYPE, read_articles, read_lines
from recommend import nextbasket
from recommend.matrix import PurchaseLog, from_arrays

CUT = (date(2017, 12, 4) - date(1970, 1, 1)).days
TUNING_DAYS, TUNING_MEMBERS = 28, 400
LEAST_BASKETS, TOP, DRAWS = 10, 10, 4000
DROPPED = ("FUEL", "COUPON/MISC ITEMS", "COUPON", "COUPONS/STORE & MFG")
LEVELS = ("product", "product_type", "product_category")
Figures = NDArray[np.float64]
Lists = tuple[NDArray[Any], NDArray[Any]]
DISCOUNT = 1 / np.log2(np.arange(TOP) + 2)


@dataclass(frozen=True)
class Case:
    """A log, the day it is cut at, and parents of its items; the target is each member's first day from the cut on."""

    log: PurchaseLog
    cut: int
    parents: tuple[NDArray[Any], ...] = ()

    @property
    def past(self) -> PurchaseLog:
        return self.log.before(self.cut)

    def target(self) -> PurchaseLog:
        """Return the next baskets of the members who have a history."""
        coming = self.log.since(self.cut)
        first = np.full(len(self.log.members), np.iinfo(np.int32).max)
        np.minimum.at(first, coming.member, coming.day)
        known = np.isin(coming.member, self.past.member)
        return coming._only((coming.day == first[coming.member]) & known)


@dataclass(frozen=True)
class Answer:
    """Two lists of item codes per member asked (any item, new items only; −1 for none), and what they cost."""

    items: NDArray[Any]
    fresh: NDArray[Any]
    fit_seconds: float
    member_ms: float
    peak: float


def case(level: str) -> Case:
    """Return Complete Journey at a level; types know their category, products both."""
    lines, articles = read_lines(), {article.id: article for article in read_articles()[0]}
    products, place = np.unique(lines.product, return_inverse=True)
    found = [articles.get(product) for product in products.tolist()]
    kinds = np.array([one.type if one else "" for one in found])
    groups = np.array([one.category if one and one.category != UNCLASSIFIED else "" for one in found])
    label = {"product": products, "product_type": kinds, "product_category": groups}[level]
    kept = ~np.isin(groups, DROPPED) & (kinds != FUEL_TYPE) & ((level == "product") | (label.astype(str) != ""))
    rows = kept[place]
    log = from_arrays(
        lines.household[rows], lines.seconds[rows] // 86_400, label[place][rows],
        np.maximum(lines.quantity[rows], 1), lines.sales[rows],
    )  # fmt: skip
    log = often_bought(log, CUT)
    above = {"product": (kinds, groups), "product_type": (groups,), "product_category": ()}[level]
    first = np.unique(label, return_index=True)
    at = first[1][np.searchsorted(first[0], log.items)]
    return Case(log, CUT, tuple(parent[at] for parent in above))


def often_bought(log: PurchaseLog, cut: int) -> PurchaseLog:
    """Return the rows of items in LEAST_BASKETS baskets before the cut."""
    seen = np.bincount(log.before(cut).item, minlength=len(log.items))
    return log._only((seen >= LEAST_BASKETS)[log.item]).compact()


def best(scores: NDArray[Any]) -> NDArray[Any]:
    """Return the TOP places per row, best first, −1 where the score is not finite."""
    count = min(TOP, scores.shape[1])
    top = np.argpartition(-scores, count - 1, axis=1)[:, :count]
    value = np.take_along_axis(scores, top, axis=1)
    order = np.lexsort((top, -value))
    top, value = np.take_along_axis(top, order, 1), np.take_along_axis(value, order, 1)
    return np.where(np.isfinite(value), top, -1)


def lists(score: field.Scorer, past: PurchaseLog, members: NDArray[Any]) -> Lists:
    """Return the best items and the best new ones of members (codes)."""
    bought = field.Baskets(past, 0).weighted(np.ones(len(past)))
    items, fresh = [], []
    for start in range(0, len(members), field.CHUNK):
        some = members[start : start + field.CHUNK]
        scores = score(some)
        items.append(best(scores))
        fresh.append(best(np.where(bought[some].toarray() > 0, -np.inf, scores)))
    return np.concatenate(items), np.concatenate(fresh)


def measured(items: NDArray[Any], members: NDArray[Any], target: PurchaseLog) -> tuple[Figures, Figures]:
    """Return Recall@10 and NDCG@10 per member; members without a target have NaN."""
    wide = len(target.items)
    wanted = target.member.astype(np.int64) * wide + target.item
    hit = np.isin(members[:, None].astype(np.int64) * wide + items, wanted) & (items >= 0)
    size = np.bincount(target.member, minlength=len(target.members))[members].astype(float)
    size[size == 0] = np.nan
    ideal = np.cumsum(DISCOUNT)[np.nan_to_num(np.minimum(size, TOP), nan=1).astype(int) - 1]
    return hit.sum(axis=1) / size, np.where(np.isnan(size), np.nan, hit @ DISCOUNT[: hit.shape[1]] / ideal)


def unknown_only(target: PurchaseLog, past: PurchaseLog) -> PurchaseLog:
    """Return the part of the target that the member had never bought."""
    wide = len(target.items)
    known = np.isin(
        target.member.astype(np.int64) * wide + target.item, past.member.astype(np.int64) * wide + past.item
    )
    return target._only(~known)


def tuned(of: Case, build: Callable[..., field.Scorer], options: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the settings with the best Recall@10 × NDCG@10 four weeks earlier, on some of the members."""
    earlier = Case(of.past, of.cut - TUNING_DAYS)
    past, target = earlier.past, earlier.target()
    members = np.unique(target.member)[:: max(1, len(np.unique(target.member)) // TUNING_MEMBERS)]

    def worth(option: dict[str, Any]) -> float:
        top, _ = lists(build(field.Baskets(past, earlier.cut), **option), past, members)
        recall, ndcg = measured(top, members, target)
        return float(recall.mean() * ndcg.mean())

    return max(options, key=worth)


def decayed_options() -> list[dict[str, Any]]:
    """Return half-lives in days and in baskets."""
    days = [{"half_life": half} for half in (20, 45, 90, 150, 250)]
    return days + [{"half_life": half, "in_baskets": True} for half in (5, 10, 20, 40, 80)]


def baselines(of: Case) -> Mapping[str, Callable[[field.Baskets], field.Scorer]]:
    """Return the field; tuned ones choose their settings when asked, which counts as fitting."""
    nets = list(field.grid(neighbours=(300,), group=(7, 20), within=(0.9, 1.0), between=(0.6, 0.8, 0.95),
                           alpha=(0.5, 0.7, 0.9)))  # fmt: skip
    recents = list(field.grid(recent=(5, 20, 100), locality=(1, 5), asymmetry=(0.25, 0.75)))
    return {
        "global top": field.global_top,
        "personal top": field.personal,
        "decayed frequency, tuned": lambda known: field.personal(known, **tuned(of, field.personal, decayed_options())),
        "item-kNN": field.item_knn,
        "UP-CF@r, tuned": lambda known: field.up_cf(known, **tuned(of, field.up_cf, recents)),
        "TIFU-KNN, published": field.tifu,
        "TIFU-KNN, tuned": lambda known: field.tifu(known, **tuned(of, field.tifu, nets)),
        "implicit ALS": lambda known: field.implicit_model(known, "als"),
        "implicit BM25": lambda known: field.implicit_model(known, "bm25"),
    }


def by_field(of: Case, name: str) -> Answer:
    """Return a baseline's lists for the members with a target."""
    past, members = of.past, np.unique(of.target().member)
    began = time.process_time()
    score = baselines(of)[name](field.Baskets(past, of.cut))
    fitted = time.process_time()
    items, fresh = lists(score, past, members)
    return _answer(items, fresh, fitted - began, (time.process_time() - fitted) / 2 / len(members))


def by_memberbot(of: Case) -> Answer:
    """Return the product's own lists."""
    members = np.unique(of.target().member)
    began = time.process_time()
    model = nextbasket.fit(of.log, of.cut, parents=of.parents)
    fitted = time.process_time()
    items = model.score(of.log.members[members], TOP)
    scored = time.process_time()
    fresh = model.score(of.log.members[members], TOP, new_only=True)
    return _answer(items.codes, fresh.codes, fitted - began, (scored - fitted) / len(members))


def _answer(items: NDArray[Any], fresh: NDArray[Any], fit_seconds: float, seconds: float) -> Answer:
    return Answer(items, fresh, fit_seconds, 1000 * seconds, peak_memory())


def peak_memory() -> float:
    """Return the most MiB this process has held; unlike ru_maxrss it does not count the parent's."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text("utf-8").splitlines())
    return int(status["VmHWM"].split()[0]) / 1024


def alone(work: Callable[..., Answer], *given: Any) -> Answer | None:
    """Return what a fresh process answers, so that its peak memory is its own; None when a package isn't there."""
    with get_context("spawn").Pool(1) as pool:
        try:
            return pool.apply(work, given)
        except ImportError:
            return None


def interval(one: Figures, other: Figures) -> tuple[float, float]:
    """Return the 95% interval of the mean difference, members drawn with replacement, paired."""
    difference = one - other
    drawn = np.random.default_rng(5).integers(0, len(difference), (DRAWS, len(difference)), dtype=np.int32)
    low, high = np.quantile(difference[drawn].mean(axis=1), (0.025, 0.975))
    return float(low), float(high)


def report(of: Case, answers: Mapping[str, Answer]) -> None:
    """Print the table and how memberbot stands to the best of the field."""
    target, members = of.target(), np.unique(of.target().member)
    unknown = unknown_only(target, of.past)
    print("| method | Recall@10 | NDCG@10 | new, in the ten | new, of ten new | fit CPU s | ms/member | MiB |")
    print("|" + "---|" * 8)
    each = {name: measured(one.items, members, target) for name, one in answers.items()}
    for name, one in answers.items():
        new = [np.nanmean(measured(top, members, unknown)[0]) for top in (one.items, one.fresh)]
        figures = [f"{figure:.4f}" for figure in (each[name][0].mean(), each[name][1].mean(), *new)]
        costs = f"{one.fit_seconds:.1f} | {one.member_ms:.2f} | {one.peak:,.0f}"
        print(f"| {name} | {' | '.join(figures)} | {costs} |")
    for place, measure in enumerate(("Recall@10", "NDCG@10")):
        rival = max((name for name in each if name != "memberbot"), key=lambda name: each[name][place].mean())
        own, other = each["memberbot"][place], each[rival][place]
        low, high = interval(own, other)
        print(f"{measure}: {own.mean() / other.mean() - 1:+.1%} on {rival}, difference {low:+.4f} … {high:+.4f}")


def main() -> None:
    """Print a table per level."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--level", choices=LEVELS, action="append", help="only this level (may be repeated)")
    given.add_argument("--rival", action="append", default=[], help="only this baseline (may be repeated)")
    wanted = given.parse_args()
    for level in wanted.level or LEVELS:
        of = case(level)
        print(f"\n{level}: {len(np.unique(of.target().member)):,} members, {len(of.log.items):,} items", flush=True)
        answers = {"memberbot": alone(by_memberbot, of)}
        answers |= {name: alone(by_field, of, name) for name in baselines(of) if name in (wanted.rival or [name])}
        report(of, {name: answer for name, answer in answers.items() if answer is not None})


if __name__ == "__main__":
    main()
