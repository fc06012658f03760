"""The next basket beside the field on Complete Journey. Run: python3 dev.py bench next_basket

One basket per household and day (the package's own dates), without fuel, coupons and miscellany; items in ten baskets
of the history, weeks 1–49; the target is the first shopping day of weeks 50–53. Intervals: bootstrap over members.
"""

import argparse
from multiprocessing import get_context
from typing import Any

from benchmarks.baselines import rivals
from recommend.evaluating import next_basket
from recommend.evaluating.cases import Case
from recommend.evaluating.cost import peak_memory as peak_memory
from recommend.evaluating.demo_shop import demo_shop
from recommend.evaluating.measures import NAMES, quality
from recommend.evaluating.shop import LEVELS, WEEKS


def answered(of: Case, name: str) -> next_basket.Answer:
    """Return the lists of the product or of a baseline."""
    if name == next_basket.OWN:
        return next_basket.by_memberbot(of)
    return next_basket.by_scores(of, rivals(every=True)[name])


def alone(of: Case, name: str) -> next_basket.Row | None:
    """Return the figures of a method in a fresh process, its peak memory its own; None when a package isn't there."""
    with get_context("spawn").Pool(1) as pool:
        try:
            found = pool.apply(answered, (of, name))
        except ImportError:
            return None
    return next_basket.Row(name, quality(found.items, found.fresh, of), found.cost)


def report(rows: list[next_basket.Row]) -> None:
    """Print the table and how memberbot stands to the best of the field."""
    print("| method | Recall@10 | NDCG@10 | new, in the ten | new, of ten new | fit CPU s | ms/member | MiB |")
    print("|" + "---|" * 8)
    for row in rows:
        figures = " | ".join(f"{row.quality.mean(name):.4f}" for name in NAMES)
        costs = f"{row.cost.fit_seconds:.1f} | {row.cost.member_ms:.2f} | {row.cost.peak_mib or 0:,.0f}"
        print(f"| {row.method} | {figures} | {costs} |")
    for one in next_basket.standings(rows):
        print(f"{one.measure}: {one.gain:+.1%} on {one.rival}, difference {one.low:+.4f} … {one.high:+.4f}")


def main() -> None:
    """Print a table per level."""
    given: Any = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--level", choices=LEVELS, action="append", help="only this level (may be repeated)")
    given.add_argument("--rival", action="append", default=[], help="only this baseline (may be repeated)")
    wanted = given.parse_args()
    shop = demo_shop()
    for level in wanted.level or LEVELS:
        of = shop.case(level, WEEKS)
        print(f"\n{level}: {len(of.asked):,} members, {len(of.log.items):,} items", flush=True)
        names = [name for name in rivals(every=True) if name in (wanted.rival or [name])]
        rows = [alone(of, name) for name in (next_basket.OWN, *names)]
        report([row for row in rows if row is not None])


if __name__ == "__main__":
    main()
