"""The best combination against all combinations: exact, to the 分, and never more than a line costs."""

from collections.abc import Sequence
from datetime import datetime
from itertools import combinations, product
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from members.allotment import Demand, allot, shares
from members.discounts import Basket, Best, Held, Line, Search, best, demand, refusal
from members.rules import CouponRule

MONDAY_TEN = datetime(2026, 3, 2, 10, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
LINES = [
    Line("milk", 2, 650, "dairy", "牧场", "乳品"),
    Line("bread", 1, 1200, "bakery"),
    Line("apple", 3, 333, "fruit", "果园"),
]
BASKET = Basket(LINES, "s1", MONDAY_TEN)


def rule(**given: Any) -> CouponRule:
    """A template."""
    return CouponRule.model_validate({"title": "券", **given})


def used(*rules: CouponRule, basket: Basket = BASKET, face: int | None = None) -> Best:
    """The best of these on a basket; ids are their places."""
    return best(basket, [Held(place, one, face) for place, one in enumerate(rules)])


@pytest.mark.parametrize(
    ("given", "total", "lines"),
    [
        ({"off": 5}, 500, (186, 171, 143)),
        ({"off": 5, "scope": {"category": "dairy"}}, 500, (500, 0, 0)),
        ({"off": 5, "scope": {"category": "乳品"}}, 500, (500, 0, 0)),
        ({"off": 50}, 3499, (1300, 1200, 999)),
        ({"off": 50, "scope": {"products": ["bread"]}}, 1200, (0, 1200, 0)),
        ({"off": 3, "scope": {"brands": ["果园"]}}, 300, (0, 0, 300)),
        ({"percent": 10}, 349, (130, 120, 99)),
        ({"percent": 10, "cap": 2}, 200, (74, 69, 57)),
        ({"percent": 99, "scope": {"exclude": ["fruit", "bread"]}}, 1287, (1287, 0, 0)),
        ({"free": {}}, 333, (0, 0, 333)),
        ({"free": {"items": 4}}, 1649, (650, 0, 999)),
        ({"free": {"products": ["milk", "bread"]}}, 650, (650, 0, 0)),
        ({"free": {"category": "bakery"}, "cost": 3}, 1200, (0, 1200, 0)),
        ({"bundle": {"products": ["milk", "bread"], "price": 15}}, 350, (123, 227, 0)),
        ({"bundle": {"products": ["milk", "milk"], "price": 10}}, 300, (300, 0, 0)),
        ({"gift": "例汤"}, 0, (0, 0, 0)),
        ({"multiplier": 2}, 0, (0, 0, 0)),
    ],
)
def test_what_each_kind_takes_off(given: dict[str, Any], total: int, lines: tuple[int, ...]) -> None:
    found = used(rule(**given))
    assert ([one.discount for one in found.applied], found.total) == ([total], total)
    assert found.applied[0].lines == lines
    assert found.payable == 3499 - total


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"off": 5, "scope": {"stores": ["s2"]}}, "coupon_wrong_store"),
        ({"off": 5, "since": "2026-03-03"}, "coupon_not_yet"),
        ({"off": 5, "scope": {"days": ["tuesday"]}}, "coupon_wrong_time"),
        ({"off": 5, "scope": {"hours": "10:01-12:00"}}, "coupon_wrong_time"),
        ({"off": 5, "scope": {"category": "meat"}}, "coupon_scope"),
        ({"gift": "x", "scope": {"products": ["wine"]}}, "coupon_scope"),
        ({"off": 5, "scope": {"category": "dairy", "exclude": ["milk"]}}, "coupon_scope"),
        ({"bundle": {"products": ["milk", "wine"], "price": 1}}, "coupon_bundle"),
        ({"bundle": {"products": ["bread", "bread"], "price": 1}}, "coupon_bundle"),
        ({"bundle": {"products": ["milk", "bread"], "price": 19}}, "coupon_bundle"),
        ({"free": {"products": ["wine"]}}, "coupon_free"),
        ({"off": 5, "over": 35}, "coupon_threshold"),
    ],
)
def test_why_one_is_refused(given: dict[str, Any], code: str) -> None:
    found = used(rule(**given))
    assert (found.applied, found.refusals, found.payable) == ([], {0: code}, 3499)


def test_a_threshold_looks_at_its_own_lines_and_says_what_is_missing() -> None:
    found = used(rule(off=5, over=20, scope={"category": "dairy"}), rule(off=5, over=35))
    assert (found.refusals, found.gaps) == ({0: "coupon_threshold", 1: "coupon_threshold"}, {0: 700, 1: 1})
    assert used(rule(off=5, over=13, scope={"category": "dairy"})).total == 500


def test_a_threshold_is_not_missed_because_another_coupon_was_used_first() -> None:
    found = used(rule(off=20, stack="a"), rule(off=10, over=34, stack="b"))
    assert found.total == 3000 and len(found.applied) == 2


def test_one_of_a_group_and_one_of_each_group() -> None:
    found = used(rule(off=3), rule(off=5), rule(percent=10, stack="card"), rule(off=5))
    assert ([one.id for one in found.applied], found.total) == ([1, 2], 849)
    assert found.refusals == {0: "coupon_stack", 3: "coupon_stack"}


def test_what_takes_nothing_off_is_used_where_its_group_is_free() -> None:
    found = used(rule(gift="汤"), rule(off=5), rule(multiplier=2, stack="points"), rule(gift="糖", stack="points"))
    assert [one.id for one in found.applied] == [1, 2]
    assert found.refusals == {0: "coupon_stack", 3: "coupon_stack"}


def test_what_adds_nothing_is_not_used_up() -> None:
    found = used(rule(off=100, stack="a"), rule(off=5, stack="b"))
    assert ([one.id for one in found.applied], found.refusals) == ([0], {1: "coupon_nothing"})


def test_others_make_room_where_one_would_go_short() -> None:
    """A takes 12 of milk and bread, B 12 of bread alone: in proportion A would leave B too little."""
    wide = rule(off=12, stack="a", scope={"products": ["milk", "bread"]})
    narrow = rule(off=12, stack="b", scope={"products": ["bread"]})
    for order in ((wide, narrow), (narrow, wide)):
        assert used(*order).total == 2400


def test_a_copys_own_value_counts() -> None:
    assert used(rule(off=1), face=1234).total == 1234


def test_an_empty_basket_takes_nothing() -> None:
    found = used(rule(off=1), basket=Basket([], "s1", MONDAY_TEN))
    assert (found.total, found.payable, found.refusals) == (0, 0, {0: "coupon_scope"})


def test_a_line_may_cost_something_else_than_its_units() -> None:
    basket = Basket([Line("apple", 3, 400, amount=1000)], None, MONDAY_TEN)
    assert used(rule(percent=50), basket=basket).total == 500
    assert used(rule(free={}), basket=basket).total == 333


@given(st.lists(st.integers(0, 50), min_size=1, max_size=8), st.data())
def test_shares_are_exact_and_fair(weights: list[int], data: st.DataObject) -> None:
    amount = data.draw(st.integers(0, sum(weights)))
    split = shares(amount, weights)
    assert sum(split) == amount
    for part, weight in zip(split, weights, strict=True):
        assert 0 <= part <= weight
        assert abs(part * sum(weights) - amount * weight) < sum(weights) or not weight


def cut(demands: Sequence[Demand], costs: Sequence[int]) -> int:
    """What demands can take together: the least cut over all sets of lines (max-flow min-cut theorem)."""
    everywhere = range(len(costs))
    return min(
        sum(costs[line] for line in full)
        + sum(min(one.amount, sum(one.most[line] for line in everywhere if line not in full)) for one in demands)
        for many in range(len(costs) + 1)
        for full in combinations(everywhere, many)
    )


@st.composite
def demands(draw: st.DrawFn) -> tuple[list[Demand], list[int]]:
    """Some lines and some demands on them."""
    costs = draw(st.lists(st.integers(0, 12), min_size=1, max_size=4))
    found = []
    for _ in range(draw(st.integers(0, 4))):
        most = tuple(draw(st.integers(0, cost)) if draw(st.booleans()) else 0 for cost in costs)
        found.append(Demand(draw(st.integers(0, sum(most))), most))
    return found, costs


@given(demands())
@settings(max_examples=300)
def test_together_they_take_the_most_there_is(given_: tuple[list[Demand], list[int]]) -> None:
    wanted, costs = given_
    flow = allot(wanted, costs)
    assert sum(map(sum, flow)) == cut(wanted, costs)
    for one, part in zip(wanted, flow, strict=True):
        assert sum(part) <= one.amount
        assert all(0 <= taken <= most for taken, most in zip(part, one.most, strict=True))
    assert all(sum(part[line] for part in flow) <= cost for line, cost in enumerate(costs))


SKUS = ("a", "b", "c")
SCOPES = st.fixed_dictionaries(
    {},
    optional={
        "products": st.lists(st.sampled_from(SKUS), min_size=1, max_size=2, unique=True),
        "category": st.sampled_from(("x", "y")),
        "exclude": st.lists(st.sampled_from(SKUS), max_size=1),
    },
)
TOGETHER = st.sampled_from((["a", "b"], ["b", "c"], ["a", "a"]))
BENEFITS = st.one_of(
    st.fixed_dictionaries({"off": st.integers(1, 9), "over": st.sampled_from((0, 0, 9, 15))}),
    st.fixed_dictionaries({"percent": st.integers(1, 99)}, optional={"cap": st.integers(1, 4)}),
    st.fixed_dictionaries({"free": st.fixed_dictionaries({"items": st.integers(1, 3)})}),
    st.fixed_dictionaries({"bundle": st.fixed_dictionaries({"products": TOGETHER, "price": st.integers(0, 9)})}),
    st.just({"gift": "x"}),
)
RULES = st.tuples(BENEFITS, SCOPES, st.sampled_from(("g1", "g2", "g3"))).map(
    lambda parts: rule(**parts[0], scope=parts[1], stack=parts[2])
)
BASKETS = st.lists(
    st.builds(Line, st.sampled_from(SKUS), st.integers(1, 3), st.integers(0, 900), st.sampled_from(("x", "y"))),
    max_size=4,
).map(lambda lines: Basket(lines, None, MONDAY_TEN))


def of_all(basket: Basket, held: Sequence[Held]) -> int:
    """The most that any legal choice takes off: all of them tried."""
    legal = [one for one in held if not refusal(basket, one)[0]]
    groups = {one.rule.stack: [other for other in legal if other.rule.stack == one.rule.stack] for one in legal}
    costs = [line.cost for line in basket.lines]
    choices = product(*([None, *group] for group in groups.values()))
    return max(cut([demand(basket, one) for one in choice if one is not None], costs) for choice in choices)


@given(BASKETS, st.lists(RULES, max_size=6))
@example(Basket([Line("a", 1, 900, "x"), Line("b", 1, 900, "y")], None, MONDAY_TEN), [rule(off=9, stack="g1")] * 3)
@settings(max_examples=400, deadline=None)
def test_nothing_takes_off_more_than_what_is_found(basket: Basket, rules: list[CouponRule]) -> None:
    held = [Held(place, one) for place, one in enumerate(rules)]
    found = best(basket, held)
    assert found.total == of_all(basket, held)
    assert found.total + found.payable == basket.cost
    assert found == best(basket, held)
    taken = [sum(one.lines[place] for one in found.applied) for place in range(len(basket.lines))]
    assert all(0 <= part <= line.cost for part, line in zip(taken, basket.lines, strict=True))
    assert all(one.discount == sum(one.lines) for one in found.applied)
    groups = [rules[one.id].stack for one in found.applied]
    assert len(groups) == len(set(groups))
    assert {one.id for one in found.applied} | set(found.refusals) == set(range(len(rules)))
    assert not {one.id for one in found.applied} & set(found.refusals)


@given(BASKETS, st.lists(RULES, max_size=5))
@settings(deadline=None)
def test_no_coupon_is_used_up_for_nothing(basket: Basket, rules: list[CouponRule]) -> None:
    found = best(basket, [Held(place, one) for place, one in enumerate(rules)])
    for left_out in found.applied:
        if not rules[left_out.id].thing:
            others = [Held(one.id, rules[one.id]) for one in found.applied if one.id != left_out.id]
            assert best(basket, others).total < found.total


@given(BASKETS, st.lists(RULES, max_size=5), st.randoms())
@settings(deadline=None)
def test_the_order_of_coupons_does_not_change_the_total(basket: Basket, rules: list[CouponRule], chance: Any) -> None:
    held = [Held(place, one) for place, one in enumerate(rules)]
    mixed = chance.sample(held, len(held))
    assert best(basket, held).total == best(basket, mixed).total


def test_what_later_ones_made_superfluous_is_left_out() -> None:
    """The largest is tried first, and here the two others take as much without it."""
    wanted = {0: Demand(6, (0, 0, 6, 0)), 1: Demand(5, (1, 0, 4, 0)), 2: Demand(7, (1, 0, 4, 2))}
    wanted[3] = Demand(1, (0, 2, 3, 0))
    held = [Held(place, rule(off=1, stack=group)) for place, group in enumerate(("g1", "g4", "g0", "g0"))]
    costs = [2, 2, 8, 5]
    chosen = Search(held, wanted, costs).run()
    total = sum(map(sum, allot([wanted[which] for which in chosen], costs)))
    for left_out in chosen:
        assert sum(map(sum, allot([wanted[which] for which in chosen - {left_out}], costs))) < total


def test_many_coupons_are_no_burden() -> None:
    """Fifty in five groups, most of them alike: only what differs is tried."""
    rules = [rule(off=1 + place % 9, stack=f"g{place % 5}", scope={"products": ["milk"]}) for place in range(50)]
    assert used(*rules).total == 1300
