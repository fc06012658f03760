"""Repurchase timing beside the field: four weekly rounds of reminders on Complete Journey after 30 September.

The protocol is `recommend.evaluating.timing`. Run: python3 dev.py bench timing -- --daily
"""

import argparse

import numpy as np

from benchmarks.timing_baselines import methods
from recommend import timing
from recommend.evaluating.demo_shop import demo_shop
from recommend.evaluating.timing import GROUPS, SHARE, WEEK, Result, Round, evaluate
from recommend.matrix import PurchaseLog
from recommend.timing_features import asked


def daily(model: timing.TimingModel | None, log: PurchaseLog, weeks: list[Round]) -> dict[str, float]:
    """Return hit rates when each of the 28 days decides over a seventh of the week's reminders, knowing the day before.

    This is how the product runs. One reminder a pair and week; without a model the most frequent pairs are reminded.
    """
    tally = {"all": np.zeros(2), "slow": np.zeros(2)}
    for week in weeks:
        used = {group: np.zeros(len(week.events.start), dtype=np.bool_) for group in tally}
        pairs = np.arange(len(week.events.start))
        pools = {group: np.isin(pairs, week.ask.pair[rows]) for group in GROUPS for rows in [week.group(group)]}
        for day in range(week.cut, week.cut + WEEK):
            ask = asked(week.events, day)
            score = model.forecast(log, day).windows[:, 0] if model else (ask.last - ask.first).astype(float)
            hit = (ask.wait >= 1) & (ask.wait <= WEEK)
            for group, total in tally.items():
                free = np.flatnonzero((pools[group] & ~used[group])[ask.pair])
                quota = round(SHARE * pools[group].sum() * (day - week.cut + 1) / WEEK) - int(used[group].sum())
                pick = free[np.argsort(-score[free], kind="stable")[:quota]]
                used[group][ask.pair[pick]] = True
                total += (hit[pick].sum(), len(pick))
    return {group: float(total[0] / total[1]) for group, total in tally.items()}


def report(found: Result) -> None:
    """Print hits, intervals, errors, reliability and cost."""
    print(f"{found.pairs} pairs asked, reminders {found.reminders}")
    print("| method | hits | 95% of the difference | slow | 95% of the difference | MAE days |\n|" + "---|" * 6)
    for row in found.rows:
        cells = []
        for group in GROUPS:
            low, high = row.against.get(group, (0.0, 0.0))
            cells += [f"{row.hits[group]:.3f}", f"{low:+.3f} … {high:+.3f}"]
        print(f"| {row.method} | {' | '.join(cells)} | {row.error:.1f} |", flush=True)
    told = found.reliability
    print(f"\nBrier {told.brier:.4f} (base rate alone {told.base:.4f})")
    print("| claimed | pairs | mean claimed | hit |\n|" + "---|" * 4)
    for low, high, pairs, claimed, hit in told.bins:
        print(f"| {low:.2f}–{high:.2f} | {pairs:,} | {claimed:.3f} | {hit:.3f} |")
    cost = found.cost
    print(f"\nfit {cost.fit_seconds:.1f} s CPU, forecast {cost.member_ms:.2f} ms a member, peak {cost.peak_mib} MiB")


def main() -> None:
    """Print the tables of hits, errors and reliability, and the cost."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--daily", action="store_true", help="also decide day by day (a minute more)")
    given.add_argument("--households", type=int, default=0, help="only every n-th household, so that so many are left")
    wanted = given.parse_args()
    shop = demo_shop(wanted.households)
    log, _ = shop.timed()
    assert shop.timing_cut is not None
    found = evaluate(log, shop.timing_cut, methods)
    report(found)
    if wanted.daily:
        model = timing.fit(log, shop.timing_cut)
        print(f"\nday by day: model {daily(model, log, found.weeks)}, control {daily(None, log, found.weeks)}")


if __name__ == "__main__":
    main()
