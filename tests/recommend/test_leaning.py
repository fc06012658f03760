"""Loyalty, leaning, habits and money, worked out by hand on the till roll."""

import numpy as np
import pytest

from recommend import leaning, loyalty
from recommend.loyalty import Quadrant
from recommend.matrix import BadPurchases, PurchaseLog
from tests.recommend.till import CUT, FUTURE, LINES, categories, log_of, renamed


def judged(log: PurchaseLog, names: dict[str, str] | None = None) -> dict[tuple[str, str], tuple[object, ...]]:
    mine = (names or {}).get("own milk", "own milk")
    found = loyalty.loyalty(log, CUT, log.items == mine, categories(log, names))
    return {
        (str(found.members[found.member[row]]), str(found.categories[found.category[row]])): (
            int(found.own[row]),
            int(found.rival[row]),
            float(found.ratio[row]),
            found.quadrant_of(row),
        )
        for row in range(len(found.member))
    }


def test_loyalty_by_hand() -> None:
    assert judged(log_of(LINES)) == {
        ("ann", "milk"): (0, 5, 0.0, Quadrant.HEAVY_DISLOYAL),
        ("bob", "milk"): (4, 1, 0.8, Quadrant.HEAVY_LOYAL),
        ("dan", "tea"): (0, 5, 0.0, Quadrant.HEAVY_DISLOYAL),
        ("eve", "milk"): (0, 4, 0.0, Quadrant.LIGHT_DISLOYAL),
    }
    log = log_of(LINES)
    found = loyalty.loyalty(log, CUT, log.items == "own milk", categories(log))
    assert found.explain(1) == "重度忠诚:买过5件,其中自有品牌4件(80%)"


def test_a_light_buyer_can_be_loyal() -> None:
    lines = [*LINES, ("cat", 89, "own milk", 3, 900)]
    assert judged(log_of(lines))["cat", "milk"] == (3, 0, 1.0, Quadrant.LIGHT_LOYAL)


def test_few_purchases_are_not_judged_unless_asked() -> None:
    log = log_of(LINES)
    found = loyalty.loyalty(log, CUT, log.items == "own milk", categories(log), least=1)
    assert len(found.member) == 8


def test_loyalty_does_not_know_the_future_nor_the_names() -> None:
    assert judged(log_of([*LINES, *FUTURE])) == judged(log_of(LINES))
    other, names = renamed(LINES[::-1])
    told = judged(log_of(other), names)
    assert {(who, what): told[names[who], what] for who, what in judged(log_of(LINES))} == judged(log_of(LINES))


def leanings(log: PurchaseLog, names: dict[str, str] | None = None) -> dict[tuple[str, str], tuple[float, float]]:
    found = leaning.leaning(log, CUT, categories(log, names))
    return {
        (str(found.members[who]), str(found.groups[what])): (float(share), float(index))
        for who, what, share, index in zip(found.member, found.group, found.share, found.index, strict=True)
    }


def test_category_leaning_by_hand() -> None:
    told = leanings(log_of(LINES))
    assert told["ann", "milk"] == pytest.approx((4 / 6, 5.1 / 4.4))
    assert told["dan", "tea"] == pytest.approx((1, 5.6 / 2.1))
    assert ("cat", "milk") not in told
    log = log_of(LINES)
    assert leaning.leaning(log, CUT, categories(log)).strongest(3) == ["tea"]


def test_price_leaning_by_hand() -> None:
    log = log_of(LINES)
    found = leaning.price_leaning(log, CUT, categories(log))
    place = dict(zip(found.members.tolist(), found.place.tolist(), strict=True))
    assert place["bob"] == pytest.approx(39 / 110)
    assert place["dan"] == pytest.approx(43 / 84)
    assert "cat" not in place
    assert found.explain(found.members.tolist().index("bob")) == "偏好低价位"


def test_prices_times_ten_change_no_leaning() -> None:
    dearer = log_of([(*line[:4], 10 * line[4]) for line in LINES])
    first, second = (leaning.price_leaning(log, CUT, categories(log)).place for log in (log_of(LINES), dearer))
    assert first.tolist() == pytest.approx(second.tolist())


def test_an_unpaid_item_has_no_price() -> None:
    price = leaning.unit_price(log_of([("ann", 1, "gift", 2, 0), ("ann", 1, "milk", 2, 800)]))
    assert np.isnan(price[0]) and price[1] == 400


def test_habits_by_hand() -> None:
    found = leaning.habits(log_of(LINES), CUT)
    assert found.orders.tolist() == [5, 3, 1, 5, 4]
    assert found.pieces_per_order.tolist() == pytest.approx([7 / 5, 7 / 3, 1, 1, 1])
    assert found.items_per_order.tolist() == pytest.approx([6 / 5, 4 / 3, 1, 1, 1])
    assert found.amount_per_order[0] == 900
    assert found.orders_per_month.tolist() == pytest.approx([5 * 30 / 90, 3 * 30 / 85, 1, 5 * 30 / 95, 4])
    assert found.explain(0) == "每月1.7单,每单1.4件、9.00元"


def test_leaning_price_and_habits_do_not_know_the_future() -> None:
    now, later = log_of(LINES), log_of([*LINES, *FUTURE])
    assert leanings(later) == leanings(now)
    price = [leaning.price_leaning(log, CUT, categories(log)) for log in (now, later)]
    assert price[0].place.tolist() == price[1].place.tolist()
    assert price[0].members.tolist() == price[1].members.tolist()
    assert leaning.habits(later, CUT).amount_per_order.tolist() == leaning.habits(now, CUT).amount_per_order.tolist()


def test_leaning_does_not_hang_on_names() -> None:
    other, names = renamed(LINES[::-1])
    told = leanings(log_of(other), names)
    assert {(who, what): told[names[who], what] for who, what in leanings(log_of(LINES))} == leanings(log_of(LINES))


def test_money_by_hand() -> None:
    given = [np.array(column) for column in ([10000, 0], [2500, 0], [1000, 0], [2500, 0], [100, 0], [40, 0])]
    found = leaning.money(*given)
    assert [column[0] for column in (found.stored, found.gift, found.discount, found.points_used)] == pytest.approx(
        [0.25, 0.1, 0.2, 0.4]
    )
    assert np.isnan(found.points_used[1]) and found.stored[1] == 0


def test_totals_that_make_no_sense_are_refused() -> None:
    one, two = np.array([1]), np.array([1, 2])
    with pytest.raises(BadPurchases, match="different lengths"):
        leaning.money(one, two, one, one, one, one)
    with pytest.raises(BadPurchases, match="from 0 up"):
        leaning.money(one, one, one, one, np.array([-1]), one)
    with pytest.raises(BadPurchases, match="whole numbers"):
        leaning.money(one, one, one, one, np.array([np.nan]), one)


def test_groups_that_do_not_fit_the_items_are_refused() -> None:
    log = log_of(LINES)
    for ask in (
        lambda: leaning.leaning(log, CUT, ["milk"]),
        lambda: leaning.price_leaning(log, CUT, ["milk"]),
        lambda: loyalty.loyalty(log, CUT, [True], ["milk"]),
    ):
        with pytest.raises(BadPurchases, match="for each item"):
            ask()


def test_nothing_before_the_cut_is_refused() -> None:
    log = log_of(LINES)
    for ask in (
        lambda: leaning.leaning(log, 5, categories(log)),
        lambda: leaning.habits(log, 5),
        lambda: loyalty.loyalty(log, 5, log.items == "own milk", categories(log)),
    ):
        with pytest.raises(BadPurchases, match="before day 5"):
            ask()
    with pytest.raises(BadPurchases, match="no type with two"):
        leaning.price_leaning(log, CUT, log.items)
