"""Points for purchases: by hand, and for any rules and baskets."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from members.earning import EarnFacts, EarnLine, birthday_in, is_birthday, matched, points_for
from members.rules import LoyaltyRules

SHANGHAI = ZoneInfo("Asia/Shanghai")
# a Tuesday
NOON = datetime(2026, 3, 3, 12, 0, tzinfo=SHANGHAI)
FRUIT = EarnLine("C1", "佳果", "apple", 60_00, "水果")
MILK = EarnLine("C2", "晨光", "milk", 40_00, "乳品")
SMOKE = EarnLine("C9", "", "cigarettes", 50_00, "香烟")


def rules(earn: dict[str, Any] | None = None, **loyalty: Any) -> LoyaltyRules:
    """Loyalty rules of which only these are written."""
    return LoyaltyRules.model_validate({"earn": earn or {}, **loyalty})


def earned(given: LoyaltyRules, total: int = 100_00, **facts: Any) -> int:
    """The points of a purchase at noon."""
    return points_for(given, EarnFacts(total=total, **{"at": NOON, **facts})).points


@pytest.mark.parametrize(
    ("earn", "total", "points"),
    [
        ({}, 0, 0),
        ({}, 99, 0),
        ({}, 1_00, 1),
        ({}, 128_50, 128),
        ({"points_per_yuan": 3}, 33, 0),
        ({"points_per_yuan": 3}, 34, 1),
        ({"points_per_yuan": 0}, 100_00, 0),
        ({"back": "1%"}, 128_50, 128),
        ({"back": "1%"}, 99, 0),
        ({"back": "0.5%"}, 100_00, 50),
        ({"back": 1}, 100_00, 10_000),
        ({}, 10**10, 10**8),
    ],
)
def test_the_base(earn: dict[str, Any], total: int, points: int) -> None:
    assert earned(rules(earn), total) == points


def test_nothing_comes_of_nothing_or_less() -> None:
    assert earned(rules(), -5) == 0
    assert earned(rules({"bonuses": [{"name": "b", "points": 9}]}), 0) == 0


def test_one_percent_back_is_one_point_per_yuan() -> None:
    """One line of config: every 100 元 bring ¥1.00 back, as 100 points of one 分."""
    back = rules({"back": "1%"})
    assert earned(back, 100_00) == 100
    assert [earned(back, total) for total in (1, 99, 100, 199, 200)] == [0, 0, 1, 1, 2]


@pytest.mark.parametrize(
    ("combine", "multipliers", "points"),
    [
        ("best", {}, 100),
        ("best", {"tier": "金卡"}, 120),
        ("best", {"tier": "金卡", "plan_multiplier": Decimal("1.5")}, 150),
        ("best", {"tier": "金卡", "coupon_multiplier": Decimal("1.1")}, 120),
        ("best", {"tier": "没有的卡"}, 100),
        ("best", {"birthday": date(1990, 3, 3)}, 200),
        ("best", {"birthday": date(1990, 3, 4)}, 100),
        ("product", {"tier": "金卡", "plan_multiplier": Decimal("1.5")}, 180),
        ("product", {"tier": "金卡", "plan_multiplier": Decimal("1.5"), "birthday": date(1990, 3, 3)}, 360),
        ("product", {"coupon_multiplier": Decimal("0")}, 0),
    ],
)
def test_multipliers(combine: str, multipliers: dict[str, Any], points: int) -> None:
    given = rules(
        {"combine": combine, "birthday": {"multiplier": 2}},
        tiers=[{"name": "普卡"}, {"name": "金卡", "spend_12_months": 3000, "earn_multiplier": 1.2}],
    )
    assert earned(given, **multipliers) == points


@pytest.mark.parametrize(
    ("bonus", "points"),
    [
        ({"category": "水果"}, 160),
        ({"category": "C1"}, 160),
        ({"category": "鱼"}, 100),
        ({"brands": ["晨光"]}, 140),
        ({"brands": ["店牌"]}, 200),
        ({"products": ["milk", "bread"]}, 140),
        ({"category": "水果", "products": ["milk"]}, 100),
        ({"stores": ["s1"]}, 200),
        ({"stores": ["s2"]}, 100),
        ({"tiers": ["普卡"]}, 200),
        ({"tiers": ["金卡"]}, 100),
        ({"days": ["tuesday"]}, 200),
        ({"days": ["monday", "sunday"]}, 100),
        ({"hours": "11:00-13:00"}, 200),
        ({"hours": "13:00-11:00"}, 100),
        ({"since": "2026-03-03", "until": "2026-03-03"}, 200),
        ({"since": "2026-03-04"}, 100),
        ({"until": "2026-03-02"}, 100),
        ({"over": 100}, 200),
        ({"over": 101}, 100),
        ({"category": "水果", "over": 60}, 160),
        ({"category": "水果", "over": 61}, 100),
    ],
)
def test_a_bonus_applies_to_what_it_names(bonus: dict[str, Any], points: int) -> None:
    given = rules({"bonuses": [{"name": "双倍", "multiplier": 2, **bonus}]})
    assert earned(given, lines=(FRUIT, MILK), store="s1", brand="店牌", tier="普卡") == points


def test_the_business_date_decides_the_day() -> None:
    given = rules({"bonuses": [{"name": "周一", "multiplier": 2, "days": ["monday"]}]})
    after_midnight = datetime(2026, 3, 3, 1, 30, tzinfo=SHANGHAI)
    assert earned(given, at=after_midnight) == 100
    assert earned(given, at=after_midnight, day=date(2026, 3, 2)) == 200


def test_fixed_points_come_once_per_order() -> None:
    given = rules({"bonuses": [{"name": "水果送", "points": 30, "category": "水果", "over": 50}]})
    assert earned(given, lines=(FRUIT, MILK)) == 130
    assert earned(given, lines=(FRUIT._replace(amount=30_00), FRUIT._replace(amount=20_00), MILK), total=90_00) == 120
    assert earned(given, lines=(MILK,), total=40_00) == 40


def test_excluded_categories_earn_nothing() -> None:
    given = rules({"exclude": ["香烟", "C2"]})
    assert earned(given, 150_00, lines=(FRUIT, MILK, SMOKE)) == 60
    assert earned(rules({"exclude": [""]}), 150_00) == 150


def test_lines_that_come_to_more_are_cut_to_the_total() -> None:
    """The till took 50 元 off the whole of 150: what was excluded takes its third of it."""
    assert earned(rules({"exclude": ["香烟"]}), 100_00, lines=(FRUIT, MILK, SMOKE)) == 66
    assert earned(rules(), 100_00, lines=(FRUIT, MILK, SMOKE)) == 100


def test_what_no_line_names_earns_plainly() -> None:
    doubled = rules({"bonuses": [{"name": "双倍", "multiplier": 2, "category": "水果"}]})
    assert earned(doubled, 110_00, lines=(FRUIT, MILK)) == 170


def test_what_was_paid_by_balance_may_earn_nothing() -> None:
    assert earned(rules(), paid_balance=30_00) == 100
    assert earned(rules({"on_balance": False}), paid_balance=30_00) == 70
    fixed = {"on_balance": False, "bonuses": [{"name": "b", "points": 9}]}
    assert earned(rules(fixed), paid_balance=100_00) == 0


def test_caps() -> None:
    assert earned(rules({"per_order": 80})) == 80
    assert earned(rules({"per_day": 80}), earned_today=50) == 30
    assert earned(rules({"per_day": 80}), earned_today=500) == 0
    both = points_for(rules({"per_order": 80, "per_day": 100}), EarnFacts(100_00, NOON, earned_today=40))
    assert (both.points, both.lines) == (60, (("消费", 100), ("每单上限", -20), ("每日上限", -20)))


def test_the_breakdown_names_what_counted() -> None:
    given = rules(
        {
            "bonuses": [
                {"name": "水果", "multiplier": "1.5", "category": "水果"},
                {"name": "满百", "points": 5, "over": 100},
            ]
        },
        tiers=[{"name": "普卡"}, {"name": "金卡", "spend_12_months": 1, "earn_multiplier": "1.25"}],
    )
    best = points_for(given, EarnFacts(100_00, NOON, (FRUIT, MILK), tier="金卡"))
    assert best.lines == (("消费", 100), ("水果1.5倍", 30), ("金卡1.25倍", 10), ("满百", 5))
    assert best.points == 145


@pytest.mark.parametrize(
    ("born", "day", "within", "is_it"),
    [
        ("1990-03-03", "2026-03-03", "day", True),
        ("1990-03-03", "2026-03-04", "day", False),
        ("2000-02-29", "2026-02-28", "day", True),
        ("2000-02-29", "2026-03-01", "day", False),
        ("2000-02-29", "2028-02-28", "day", False),
        ("2000-02-29", "2028-02-29", "day", True),
        ("1990-01-01", "2025-12-29", "week", True),
        ("1990-01-01", "2026-01-04", "week", True),
        ("1990-01-01", "2026-01-05", "week", False),
        ("1990-03-31", "2026-03-01", "month", True),
        ("1990-03-31", "2026-04-01", "month", False),
    ],
)
def test_birthdays(born: str, day: str, within: str, is_it: bool) -> None:
    assert is_birthday(date.fromisoformat(born), date.fromisoformat(day), within) is is_it


def test_a_matching_part_is_never_more_than_was_paid() -> None:
    assert matched(100_00, (FRUIT, MILK), category="水果") == 60_00
    assert matched(50_00, (FRUIT, MILK), category="水果") == 30_00
    assert matched(50_00, (), category="水果") == 0
    assert matched(50_00, ()) == 50_00
    assert matched(0, (FRUIT,)) == 0


MONEY = st.integers(0, 10**10)
TIMES = st.integers(0, 500).map(lambda hundredths: Decimal(hundredths) / 100)
LINES = st.lists(
    st.builds(
        EarnLine, st.sampled_from(["", "C1", "C2"]), st.sampled_from(["", "b"]), st.sampled_from(["p", "q"]),
        st.integers(-1000, 10**6), st.sampled_from(["", "水果"]),
    ),
    max_size=6,
)  # fmt: skip
BONUS = st.fixed_dictionaries(
    {"name": st.sampled_from(["甲", "乙", "丙"]), "category": st.sampled_from(["", "C1", "水果"])},
    optional={"over": st.integers(0, 100), "brands": st.just(["b"])},
).flatmap(
    lambda bonus: st.one_of(
        TIMES.map(lambda times: {**bonus, "multiplier": times}),
        st.integers(1, 100).map(lambda points: {**bonus, "points": points}),
    )
)
EARN = st.fixed_dictionaries(
    {"points_per_yuan": st.integers(0, 20), "combine": st.sampled_from(["best", "product"])},
    optional={
        "bonuses": st.lists(BONUS, max_size=3),
        "exclude": st.sampled_from([["C1"], ["水果", "C2"]]),
        "on_balance": st.booleans(),
        "per_order": st.integers(0, 10**6),
        "per_day": st.integers(0, 10**6),
    },
)
PLAIN = st.fixed_dictionaries({"points_per_yuan": st.integers(0, 20), "exclude": st.sampled_from([[], ["C1"]])})


@given(EARN, MONEY, LINES, st.integers(0, 100), st.none() | TIMES, st.integers(0, 10**6))
def test_points_are_never_negative_and_their_parts_add_up(
    earn: dict[str, Any], total: int, lines: list[EarnLine], share: int, plan: Decimal | None, today: int
) -> None:
    facts = EarnFacts(
        total, NOON, lines, paid_balance=total * share // 100, plan_multiplier=plan, earned_today=today
    )  # fmt: skip
    found = points_for(rules(earn), facts)
    assert found.points == sum(points for _, points in found.lines)
    assert 0 <= found.points <= earn.get("per_order", found.points)
    assert found.points <= max(earn.get("per_day", 10**30) - today, 0)


@given(EARN, MONEY, LINES, TIMES)
def test_points_stay_below_the_base_times_the_highest_multipliers(
    earn: dict[str, Any], total: int, lines: list[EarnLine], plan: Decimal
) -> None:
    bonuses = earn.get("bonuses", [])
    times = [Decimal(1), plan] + [bonus["multiplier"] for bonus in bonuses if "multiplier" in bonus]
    most = max(times)
    if earn["combine"] == "product":
        most = Decimal(1)
        for factor in times:
            most *= max(factor, Decimal(1))
    fixed = sum(bonus.get("points", 0) for bonus in bonuses)
    found = points_for(rules(earn), EarnFacts(total, NOON, lines, plan_multiplier=plan)).points
    assert found <= total * earn["points_per_yuan"] * most / 100 + fixed


@given(PLAIN, st.lists(st.tuples(MONEY, LINES), min_size=1, max_size=5))
def test_one_order_earns_what_its_parts_would_or_a_little_more(
    earn: dict[str, Any], parts: list[tuple[int, list[EarnLine]]]
) -> None:
    """Rounded down once: buying together is never worse, and better by less than a point for each part."""
    given = rules(earn)
    parts = [(sum(max(line.amount, 0) for line in lines), lines) for _, lines in parts]
    alone = sum(points_for(given, EarnFacts(total, NOON, lines)).points for total, lines in parts)
    basket = [line for _, lines in parts for line in lines]
    together = points_for(given, EarnFacts(sum(total for total, _ in parts), NOON, basket)).points
    assert alone <= together < alone + len(parts)


@given(MONEY, MONEY)
def test_more_money_never_earns_less(one: int, other: int) -> None:
    few, many = sorted((one, other))
    given = rules({"back": "1%"})
    assert earned(given, few) <= earned(given, many)
    assert earned(given, many) == many // 100


@given(st.dates(date(1930, 1, 1), date(2020, 12, 31)), st.integers(2020, 2100))
def test_everybody_has_one_birthday_a_year(born: date, year: int) -> None:
    day = birthday_in(born, year)
    assert day.year == year
    assert is_birthday(born, day)
