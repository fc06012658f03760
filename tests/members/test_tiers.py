"""Tiers: reached at once, kept for their time, lowered after the grace; plans that are bought; and always why."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, update

from members import outlook, standing, tiers
from members.errors import MemberError
from members.rules import LoyaltyRules, Span, TierRule
from members.tables import AuditLog, PaidMembership, TierEvent, table
from tests.members.loyalty_shop import NOW, TILL, Books, at_once, members, open_books

RULES = [TierRule(name="普卡"), TierRule(name="银卡", spend_12_months=100), TierRule(name="金卡", spend_12_months=300)]
CARDS: dict[str, Any] = {
    "tiers": [
        {"name": "普卡"},
        {"name": "银卡", "spend_12_months": 100},
        {"name": "金卡", "spend_12_months": 300},
    ]
}
DAY = timedelta(days=1)


def noon(text: str) -> datetime:
    """Noon in Shanghai of a date."""
    return datetime.fromisoformat(f"{text}T04:00:00+00:00")


def bought(books: Books, member: int, total: int, at: datetime = NOW) -> tiers.TierChange | None:
    """Buy something; return how the tier changed."""
    books.order(member, total, at=at)
    return books.review(member, at=at)


@pytest.mark.parametrize(
    ("spent", "tier"), [(0, "普卡"), (9_999, "普卡"), (10_000, "银卡"), (29_999, "银卡"), (30_000, "金卡")]
)
def test_the_highest_tier_reached(spent: int, tier: str) -> None:
    assert tiers.deserved(RULES, spent).name == tier


def test_spending_alone_reaches_no_tier_that_asks_for_more() -> None:
    rules = [*RULES, TierRule(name="黑卡", orders=5)]
    assert tiers.deserved(rules, 10**9).name == "金卡"


def test_a_tier_is_reached_at_once_and_says_why(books_url: str) -> None:
    with open_books(books_url, CARDS) as books:
        member = books.member()
        assert bought(books, member, 99_99) is None
        silver = bought(books, member, 1)
        assert silver is not None
        assert (silver.before, silver.after, silver.risen) == ("普卡", "银卡", True)
        assert silver.reason == "近12个月消费 ¥100.00,达到银卡(¥100.00)"
        assert books.tier(member) == ("银卡", date(2027, 3, 3))
        gold = bought(books, member, 3_020_00)
        assert gold is not None
        assert gold.reason == "近12个月消费 ¥3,120.00,达到金卡(¥300.00)"
        assert bought(books, member, 1) is None
        with books.database.reading() as connection:
            assert tiers.why(connection, member) == gold.reason
            log = table(AuditLog)
            changes = select(log.c.before, log.c.after).where(log.c.action == "tier.change").order_by(log.c.id)
            rows = connection.execute(changes).all()
            assert rows[-1] == ({"tier": "银卡"}, {"tier": "金卡"})


def test_orders_and_other_times_count_too(books_url: str) -> None:
    black = {"name": "黑卡", "spend": 50, "orders": 3, "within": "30 days"}
    with open_books(books_url, {"tiers": [{"name": "普卡"}, black]}) as books:
        member = books.member()
        assert bought(books, member, 40_00, NOW - 30 * DAY) is None
        books.refund(books.order(member, 1_00))
        assert [bought(books, member, total) is None for total in (40_00, 5_00, 4_99)] == [True, True, True]
        change = bought(books, member, 1)
        assert change is not None
        assert change.reason == "近30天消费 ¥50.00、近30天消费 4 次,达到黑卡(¥50.00、3 次)"


@pytest.mark.parametrize(
    ("within", "day", "start"),
    [
        (Span(12, "month"), "2026-03-03", "2025-03-03"),
        (Span(12, "month"), "2028-02-29", "2027-02-28"),
        (Span(12, "month"), "2029-02-28", "2028-02-28"),
        (Span(1, "month"), "2026-03-31", "2026-02-28"),
        (Span(30, "day"), "2028-03-01", "2028-01-31"),
        (Span(2, "week"), "2026-01-10", "2025-12-27"),
    ],
)
def test_rolling_times(within: Span, day: str, start: str) -> None:
    assert standing.window_start(within, date.fromisoformat(day)) == date.fromisoformat(start)


def test_a_tier_ends_after_its_time_and_its_grace(books_url: str) -> None:
    """Silver on 3 March 2026, kept through 3 March 2027, in grace through 2 April, lowered in the night after it."""
    with open_books(books_url, CARDS) as books:
        member, others = books.member(), [books.member() for _ in range(3)]
        bought(books, member, 100_00)
        assert books.night(noon("2027-03-03")) == ([], [])
        for night in ("2027-03-04", "2027-04-02"):
            changes, (warning,) = books.night(noon(night))
            assert changes == []
            assert (warning.member, warning.tier, warning.last) == (member, "银卡", date(2027, 4, 2))
            assert warning.missing == "近12个月消费 ¥0.00,保级需要 ¥100.00"
        (change,), warnings = books.night(noon("2027-04-03"))
        assert (change.member, change.before, change.after, change.risen) == (member, "银卡", "普卡", False)
        assert change.reason == "近12个月消费 ¥0.00,未达到银卡(¥100.00),调整为普卡"
        assert warnings == []
        assert books.tier(member) == ("普卡", None)
        assert [books.tier(other) for other in others] == [("普卡", None)] * 3
        assert books.night(noon("2027-04-04")) == ([], [])


def test_a_tier_that_is_still_deserved_is_kept_from_where_it_ended(books_url: str) -> None:
    with open_books(books_url, CARDS) as books:
        member, late = books.member(), books.member()
        bought(books, member, 100_00)
        bought(books, late, 100_00)
        books.order(member, 100_00, at=noon("2026-12-01"))
        assert len(books.night(noon("2027-03-04"))[1]) == 1
        assert books.tier(member) == ("银卡", date(2028, 3, 3))
        assert bought(books, late, 100_00, noon("2027-04-02")) is None, "reached on the last day of grace"
        assert books.tier(late) == ("银卡", date(2028, 3, 3))
        assert books.night(noon("2027-04-03")) == ([], [])


def test_a_tier_falls_to_what_is_deserved(books_url: str) -> None:
    with open_books(books_url, CARDS) as books:
        member = books.member()
        bought(books, member, 300_00)
        books.order(member, 150_00, at=noon("2026-12-01"))
        (change,), _ = books.night(noon("2027-04-03"))
        assert change.reason == "近12个月消费 ¥150.00,未达到金卡(¥300.00),调整为银卡"
        assert books.tier(member) == ("银卡", date(2028, 4, 3))


def test_leap_days(books_url: str) -> None:
    with open_books(books_url, {**CARDS, "tier_policy": {"grace_days": 0}}) as books:
        member = books.member()
        bought(books, member, 100_00, noon("2028-02-29"))
        assert books.tier(member)[1] == date(2029, 2, 28)
        assert books.night(noon("2029-02-28")) == ([], [])
        (change,), _ = books.night(noon("2029-03-01"))
        assert change.after == "普卡"


def test_nobody_is_lowered_where_the_shop_does_not_want_it(books_url: str) -> None:
    with open_books(books_url, {**CARDS, "tier_policy": {"downgrade": False}}) as books:
        member = books.member()
        bought(books, member, 100_00)
        assert books.night(noon("2030-01-01")) == ([], [])
        assert books.tier(member)[0] == "银卡"


def test_the_business_day_decides(books_url: str) -> None:
    with open_books(books_url, CARDS, day_start="04:00") as books:
        member = books.member()
        bought(books, member, 100_00, datetime(2026, 3, 3, 19, 0, tzinfo=UTC))
        assert books.tier(member)[1] == date(2027, 3, 3), "three in the morning of the 4th is still the 3rd"


def test_an_upgrade_bought_and_given_back_is_taken_back_at_once(books_url: str) -> None:
    with open_books(books_url, CARDS) as books:
        member = books.member()
        bought(books, member, 120_00, NOW - 10 * DAY)
        big = books.order(member, 200_00)
        assert books.review(member) is not None
        books.refund(big, 20_01)
        change = books.review(member, at=NOW + 5 * DAY)
        assert change is not None
        assert (change.before, change.after, change.risen) == ("金卡", "银卡", False)
        assert change.reason == "退款后近12个月消费 ¥299.99,未达到金卡(¥300.00),调整为银卡"
        books.refund(big)
        assert books.review(member, at=NOW + 6 * DAY) is None


def test_a_refund_of_other_money_takes_no_tier(books_url: str) -> None:
    with open_books(books_url, CARDS) as books:
        member = books.member()
        bought(books, member, 300_00)
        later = books.order(member, 500_00, at=NOW + 200 * DAY)
        books.review(member, at=NOW + 200 * DAY)
        books.refund(later)
        assert books.review(member, at=NOW + 370 * DAY) is None, "its period is over, but the grace is not"
        assert books.tier(member)[0] == "金卡"


def test_a_raised_threshold_takes_no_tier_before_its_time(books_url: str) -> None:
    with open_books(books_url, CARDS) as books:
        member = books.member()
        bought(books, member, 100_00)
    with open_books(books_url, {"tiers": [{"name": "普卡"}, {"name": "银卡", "spend_12_months": 500}]}) as books:
        assert bought(books, member, 1) is None
        assert books.night(noon("2026-03-10")) == ([], [])


def test_tiers_that_were_given_by_an_import_are_dated(books_url: str) -> None:
    with open_books(books_url, CARDS) as books:
        member, gone, blank = books.member(tier="金卡"), books.member(tier="旧卡"), books.member(tier="")
        books.order(gone, 150_00)
        (change,), warnings = books.night(NOW)
        assert (change.member, change.before, change.after, change.reason) == (gone, "旧卡", "银卡", "等级方案有调整")
        assert warnings == []
        assert [books.tier(one) for one in (member, gone, blank)] == [
            ("金卡", date(2027, 3, 3)), ("银卡", date(2027, 3, 3)), ("", None),
        ]  # fmt: skip
        assert books.review(member) is None, "without orders of ours nothing was given back"


def test_the_night_raises_whom_no_purchase_has(books_url: str) -> None:
    with open_books(books_url, CARDS) as books:
        made = [books.member() for _ in range(5)]
        for member in made[1::2]:
            books.order(member, 100_00)
        changes, _ = books.night(NOW)
        assert [change.member for change in changes] == made[1::2]


def test_members_who_are_gone_are_left_alone(books_url: str) -> None:
    with open_books(books_url, CARDS) as books:
        member = books.member()
        books.order(member, 100_00)
        with books.database.transaction() as connection:
            connection.execute(update(members).values(state="erased"))
        assert books.review(member) is None
        assert books.night(NOW) == ([], [])


def test_one_upgrade_is_told_once_however_many_ask(books_url: str) -> None:
    with open_books(books_url, CARDS) as books:
        member = books.member()
        books.order(member, 100_00)
        done = at_once(6, lambda number: books.review(member))
        assert sum(change is not None for change in done) == 1
        with books.database.reading() as connection:
            assert len(connection.execute(select(table(TierEvent))).all()) == 1


def test_the_outlook(books_url: str) -> None:
    black = {"name": "黑卡", "spend": 500, "orders": 3, "within": "30 days"}
    with open_books(books_url, {"tiers": [*CARDS["tiers"], black]}) as books:
        member = books.member()
        bought(books, member, 320_00)
        with books.database.reading() as connection:
            look = outlook.of(connection, books.rules, member, NOW)
            assert (look.rule.name, look.until, look.grace) == ("金卡", date(2027, 3, 3), None)
            assert look.why == "近12个月消费 ¥320.00,达到金卡(¥300.00)"
            assert [(one.demand.kind, one.there, one.gap) for one in look.missing] == [
                ("spend", 320_00, 180_00), ("orders", 1, 2),
            ]  # fmt: skip
            after = outlook.of(connection, books.rules, member, noon("2027-03-10"))
            assert after.grace is not None
            assert after.grace.last == date(2027, 4, 2)


# plans that are bought

PAID = {
    "paid": [
        {"name": "尊享卡", "price": 99, "valid": "12 months", "earn_multiplier": "1.5"},
        {"name": "月卡", "price": 9, "valid": "1 month"},
    ]
}


def buy(books: Books, member: int, plan: str, key: str, at: datetime = NOW) -> datetime:
    """Buy a plan."""
    with books.database.transaction() as connection:
        return tiers.buy(connection, books.rules, member, plan, key=key, by=TILL, now=at)


def held(books: Books, member: int, at: datetime) -> tuple[str, Decimal | None] | None:
    """The plan in force and its multiplier."""
    with books.database.reading() as connection:
        plan = tiers.plan_of(connection, member, at)
        more = tiers.plan_multiplier(connection, books.rules.loyalty, member, at)
        return None if plan is None else (plan.name, more)


def test_a_plan_is_good_through_its_last_day(books_url: str) -> None:
    with open_books(books_url, PAID) as books:
        member = books.member()
        assert held(books, member, NOW) is None
        until = buy(books, member, "尊享卡", "k1")
        assert until == datetime(2027, 3, 3, 16, 0, tzinfo=UTC)
        assert (
            held(books, member, NOW) == held(books, member, until - timedelta(seconds=1)) == ("尊享卡", Decimal("1.5"))
        )
        assert held(books, member, until) is None


def test_buying_once_is_once_and_buying_again_extends(books_url: str) -> None:
    with open_books(books_url, PAID) as books:
        member = books.member()
        first = buy(books, member, "月卡", "k1", noon("2028-01-31"))
        assert first == buy(books, member, "月卡", "k1", noon("2028-02-10"))
        assert first == datetime(2028, 2, 29, 16, 0, tzinfo=UTC)
        assert buy(books, member, "月卡", "k2", noon("2028-02-10")) == datetime(2028, 3, 29, 16, 0, tzinfo=UTC)
        assert buy(books, member, "月卡", "k3", noon("2028-06-01")) == datetime(2028, 7, 1, 16, 0, tzinfo=UTC)
        assert held(books, member, noon("2028-03-20")) == ("月卡", None)
        assert held(books, member, noon("2028-05-01")) is None
        with books.database.reading() as connection:
            assert len(connection.execute(select(table(PaidMembership))).all()) == 3


def test_the_plan_bought_last_counts(books_url: str) -> None:
    with open_books(books_url, PAID) as books:
        member = books.member()
        buy(books, member, "尊享卡", "k1")
        buy(books, member, "月卡", "k2")
        assert held(books, member, NOW) == ("月卡", None)
        assert held(books, member, NOW + 60 * DAY) == ("尊享卡", Decimal("1.5"))


def test_one_sale_by_many_tills(books_url: str) -> None:
    with open_books(books_url, PAID) as books:
        member = books.member()
        assert len(set(at_once(6, lambda number: buy(books, member, "月卡", "k")))) == 1
        at_once(4, lambda number: buy(books, member, "尊享卡", f"k{number}"))
        with books.database.reading() as connection:
            plan = tiers.plan_of(connection, member, NOW)
        assert plan is not None
        assert plan.until == datetime(2030, 3, 3, 16, 0, tzinfo=UTC)


def test_what_is_not_sold(books_url: str) -> None:
    with open_books(books_url, PAID) as books, pytest.raises(MemberError, match="plan_unknown"):
        buy(books, books.member(), "黑卡", "k")


@pytest.mark.parametrize(
    "wrong",
    [
        {"tiers": [{"name": "普卡"}, {"name": "银卡", "spend": 1, "within": "23 hours"}]},
        {"tier_policy": {"keep": "90 minutes"}},
        {"paid": [{"name": "卡", "price": 1, "valid": "0 days"}]},
        {"gifts": {"on_total": {"spend": 1, "within": "5小时", "points": 1}}},
        {"checkin": {"points": 1, "streak": {0: 1}}},
    ],
)
def test_times_shorter_than_a_day_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"至少要一天|greater than or equal"):
        LoyaltyRules.model_validate(wrong)
