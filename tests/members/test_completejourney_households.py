"""One household small enough to check by hand: its orders, its coupons, its top-up."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from members.coupons import normalise_code
from members.importing.completejourney_households import (
    Household,
    Mailings,
    Terms,
    coupon_code,
    households,
    preferred,
    ranked,
)
from members.importing.completejourney_names import spread
from members.importing.completejourney_shop import Shelf
from members.importing.completejourney_source import Campaign, Lines, Redemption

TERMS = Terms(shift_days=7, zone=ZoneInfo("Asia/Shanghai"), points_per_yuan=1, expiry_months=12, open_coupons=2)
SHELF = Shelf(np.array([70, 80, 90]), np.array([1, 2, 3]))
SPRING = Campaign(1, "Type A", date(2017, 3, 1), date(2017, 6, 30))
WINTER = Campaign(2, "Type C", date(2017, 12, 1), date(2018, 2, 28))
NOBODY = Mailings({1: SPRING, 2: WINTER}, {}, {}, {})


def at(month: int, day: int, hour: int) -> int:
    """Return the seconds of an hour in New York."""
    return int(datetime(2017, month, day, hour, tzinfo=ZoneInfo("America/New_York")).timestamp())


def lines(*rows: Sequence[int]) -> Lines:
    """Return lines of (household, store, basket, product, quantity, sales, discount, coupon, seconds)."""
    return Lines(*(np.array(column, dtype=np.int64) for column in zip(*rows, strict=True)))


TWO_BASKETS = lines(
    (5, 31, 100, 70, 1, 199, 0, 0, at(5, 1, 9)),
    (5, 31, 100, 80, 2, 350, 50, 0, at(5, 1, 9)),
    (5, 32, 101, 70, 1, 199, 20, 20, at(5, 1, 18)),
    (5, 32, 102, 90, 1, 50, 0, 0, at(5, 2, 23)),
)


def household(mailings: Mailings = NOBODY, terms: Terms = TERMS) -> Household:
    """Return the one household of the two days."""
    (made,) = households(TWO_BASKETS, SHELF, mailings, terms)
    return made


def redeemed(*days: date) -> Mailings:
    """Return mailings in which household 5 used coupon 9 of the spring on these days."""
    return replace(NOBODY, redeemed={5: [Redemption(5, 9, 1, day) for day in days]})


def test_orders_carry_totals_lines_and_shifted_local_time() -> None:
    made = household()
    facts = [(p.order_no, p.store, p.total, p.discount, p.lines, p.day) for p in made.purchases]
    assert facts == [
        ("CJ100", "31", 549, 50, 2, date(2017, 5, 8)),
        ("CJ101", "32", 199, 20, 1, date(2017, 5, 8)),
        ("CJ102", "32", 50, 0, 1, date(2017, 5, 9)),
    ]
    assert made.since == datetime(2017, 5, 8, 1, tzinfo=UTC)
    assert made.columns == ([1, 2, 1, 3], [1, 2, 1, 1], [199, 350, 199, 50], [0, 50, 20, 0])
    assert made.home_store == "32"


def test_a_redemption_belongs_to_the_basket_with_a_coupon_discount() -> None:
    (held,) = household(redeemed(date(2017, 5, 1))).held
    assert (held.purchase, held.redeemed_at) == (1, datetime(2017, 5, 8, 10, tzinfo=UTC))
    assert held.issued_at == household().since
    assert held.expires_at == datetime(2017, 7, 7, 16, tzinfo=UTC)


def test_without_a_discounted_basket_it_belongs_to_the_first_of_that_day() -> None:
    (held,) = household(redeemed(date(2017, 5, 2))).held
    assert held.purchase == 2


def test_a_redemption_without_a_basket_that_day_is_kept_at_noon() -> None:
    (held,) = household(redeemed(date(2017, 5, 20))).held
    assert (held.purchase, held.redeemed_at) == (None, datetime(2017, 5, 27, 4, tzinfo=UTC))


def test_the_same_coupon_used_again_is_another_copy() -> None:
    first, second = household(redeemed(date(2017, 5, 1), date(2017, 5, 2))).held
    assert (first.key, second.key) == ("cj:5:1:9:1", "cj:5:1:9:2")
    assert first.code != second.code


def test_open_coupons_are_those_for_what_the_household_buys_most() -> None:
    offers = {2: {11: np.array([90]), 12: np.array([70, 80]), 13: np.array([70]), 14: np.array([999])}}
    sent = replace(NOBODY, open={5: [2]}, offers=offers)
    held = household(sent).held
    assert [one.template for one in held] == ["cj-12", "cj-13"]
    assert {one.redeemed_at for one in held} == {None}
    assert held[0].issued_at == datetime(2017, 12, 7, 16, tzinfo=UTC)
    assert held[0].expires_at == datetime(2018, 3, 7, 16, tzinfo=UTC)
    used = replace(sent, redeemed={5: [Redemption(5, 12, 2, date(2017, 12, 24))]})
    assert [one.template for one in household(used).held] == ["cj-12", "cj-13", "cj-11"]
    assert household(sent, replace(TERMS, open_coupons=0)).held == []


def test_points_end_with_the_day_so_many_months_later() -> None:
    assert TERMS.points_end(date(2024, 2, 29)) == datetime(2025, 2, 28, 16, tzinfo=UTC)
    assert (TERMS.points(199), TERMS.points(99)) == (1, 0)
    assert Terms.from_json(TERMS.to_json()) == TERMS


def test_only_every_third_household_has_stored_value() -> None:
    found = [Household(number, [], ([], [], [], []), []).top_up for number in range(1, 31)]
    assert [position for position, top_up in enumerate(found, 1) if top_up] == list(range(3, 31, 3))
    assert len({top_up for top_up in found if top_up}) > 2


def test_described_and_busy_households_come_first() -> None:
    rows = [
        (who, 1, who * 1000 + n, 70, 1, 1, 0, 0, n)
        for who, many in ((1, 9), (2, 1), (3, 9), (4, 1))
        for n in range(many)
    ]
    assert preferred(lines(*rows), {1, 2}.__contains__, enough=5)[:2] == [1, 2]
    assert preferred(lines(*rows), {2, 4}.__contains__, enough=5) == sorted([2, 4], key=spread) + sorted(
        [1, 3], key=spread
    )
    assert preferred(lines(*rows), {3, 4}.__contains__, enough=5)[:2] == [3, 4]


def test_lines_are_ranked_by_household_time_basket_product() -> None:
    rows = [
        (1, 1, 12, 80, 1, 1, 0, 0, 5),
        (2, 1, 20, 70, 1, 1, 0, 0, 1),
        (1, 1, 11, 70, 1, 1, 0, 0, 6),
        (1, 1, 12, 70, 1, 1, 0, 0, 5),
    ]
    found = ranked({2: 0, 1: 1}, lines(*rows))
    assert found.basket.tolist() == [20, 12, 12, 11]
    assert found.product.tolist() == [70, 70, 80, 70]
    assert ranked({1: 0}, lines(*rows)).basket.tolist() == [12, 12, 11]


def test_codes_are_well_formed_and_the_same_every_time() -> None:
    codes = {coupon_code(f"cj:{n}:1:2:1") for n in range(500)}
    assert len(codes) == 500
    assert all(normalise_code(code) == code for code in codes)
    assert coupon_code("cj:1:1:2:1") == coupon_code("cj:1:1:2:1")


def test_time_runs_forward_from_issue_to_use() -> None:
    early = replace(NOBODY, redeemed={5: [Redemption(5, 9, 1, date(2017, 4, 30))]})
    (held,) = household(early).held
    assert held.redeemed_at is not None
    assert held.issued_at <= held.redeemed_at < held.expires_at
    assert held.redeemed_at == household().since - timedelta(hours=21)


def test_a_household_outside_the_range_is_refused() -> None:
    with pytest.raises(ValueError, match="out of range"):
        preferred(lines((10**8, 1, 1, 70, 1, 1, 0, 0, 5)), lambda _: True)
