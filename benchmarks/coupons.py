"""Coupon choice on the Complete Journey: each campaign scored by what was learnt from campaigns over before it began.

The protocol is `recommend.evaluating.coupons`. Run: python3 dev.py bench coupons
"""

import time

from recommend.evaluating import coupon_shop, coupons


def report(found: coupons.Result) -> None:
    """Print the base rates, the choice and response figures against their baselines, and the cost."""
    print("base: " + ", ".join(f"{one.rate:.1%} per {one.base} ({one.redeemed}/{one.of})" for one in found.rates))
    for choice in found.choices:
        print(
            f"choice {choice.measure} from {choice.since}: {choice.own:.3f} (own counts {choice.other:.3f}; "
            f"difference {choice.low:+.3f} to {choice.high:+.3f}; {choice.pairs} pairs)"
        )
    for one in found.responses:
        print(
            f"redeems at all from {one.since}: AUC {one.own:.3f} (coupon money before {one.other:.3f}), "
            f"Brier {one.brier:.4f} (rate alone {one.base_brier:.4f}), {one.rate:.1%} of {one.mailings} mailings"
        )
    cost = found.cost
    print(f"fits {cost.fit_seconds:.0f} s CPU, {cost.member_ms:.2f} ms a member and mailing, peak {cost.peak_mib} MiB")


def main() -> None:
    """Print everything."""
    begun = time.perf_counter()
    shop = coupon_shop.load()
    print(f"load {time.perf_counter() - begun:.0f} s")
    report(coupons.evaluate(shop.books, shop.kinds))


if __name__ == "__main__":
    main()
