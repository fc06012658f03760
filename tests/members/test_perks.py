"""Perks of a tier and of a plan: so many times a month, not once more."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from members import perks, plans, tiers
from members.errors import MemberError
from members.tables import AuditLog, table
from tests.members.loyalty_shop import NOW, TILL, Books, at_once, open_books

LOYALTY: dict[str, Any] = {
    "tiers": [
        {"name": "普卡"},
        {"name": "金卡", "spend_12_months": 300, "perks": ["专属客服", {"name": "停车", "per_month": 2}]},
    ],
    "paid": [
        {"name": "尊享卡", "price": 99, "perks": [{"name": "停车", "per_month": 4}, {"name": "咖啡", "per_month": 1}]}
    ],
}


def shown(books: Books, member: int, at: Any = NOW) -> dict[str, tuple[int | None, int]]:
    """{perk: (left, used)} of a member."""
    with books.database.reading() as connection:
        return {perk.name: (perk.left, perk.used) for perk in perks.of(connection, books.rules, member, at)}


def use(books: Books, member: int, perk: str, at: Any = NOW) -> str:
    """Use a perk; return the refusal's code, '' when there was none."""
    try:
        with books.database.transaction() as connection:
            perks.use(connection, books.rules, member, perk, by=TILL, now=at)
    except MemberError as refusal:
        return refusal.code
    return ""


def test_a_perk_is_used_so_often_a_month(books_url: str) -> None:
    with open_books(books_url, LOYALTY) as books:
        member = books.member(tier="金卡")
        assert shown(books, member) == {"专属客服": (None, 0), "停车": (2, 0)}
        assert [use(books, member, "停车") for _ in range(3)] == ["", "", "perk_used_up"]
        assert [use(books, member, "专属客服") for _ in range(3)] == ["", "", ""]
        assert shown(books, member) == {"专属客服": (None, 3), "停车": (0, 2)}
        next_month = NOW + timedelta(days=29)
        assert shown(books, member, next_month)["停车"] == (2, 0)
        assert use(books, member, "停车", next_month) == ""
        with books.database.reading() as connection:
            log = table(AuditLog)
            used = select(log.c.detail, log.c.after).where(log.c.action == "perk.use").order_by(log.c.id)
            deeds = connection.execute(used).all()
        assert deeds[1] == ({"perk": "停车"}, {"used": 2})


def test_the_month_is_the_shops(books_url: str) -> None:
    """1 March, half past three in the morning, is still February where the day begins at four."""
    with open_books(books_url, LOYALTY, day_start="04:00") as books:
        member = books.member(tier="金卡")
        early = NOW.replace(day=1, hour=0) - timedelta(hours=4, minutes=30)
        assert [use(books, member, "停车", early) for _ in range(2)] == ["", ""]
        assert use(books, member, "停车", early + timedelta(minutes=29)) == "perk_used_up"
        assert use(books, member, "停车", early + timedelta(minutes=30)) == ""


def test_nobody_uses_what_they_do_not_have(books_url: str) -> None:
    with open_books(books_url, LOYALTY) as books:
        member, unnamed = books.member(), books.member(tier="")
        assert use(books, member, "停车") == use(books, unnamed, "停车") == "perk_none"
        assert shown(books, member) == {}


def test_of_tier_and_plan_the_more_generous_counts(books_url: str) -> None:
    with open_books(books_url, LOYALTY) as books:
        member = books.member(tier="金卡")
        assert [use(books, member, "停车") for _ in range(2)] == ["", ""]
        with books.database.transaction() as connection:
            until = tiers.buy(connection, books.rules, member, "尊享卡", key="k", by=TILL, now=NOW)
        assert shown(books, member) == {"专属客服": (None, 0), "停车": (2, 2), "咖啡": (1, 0)}
        assert [use(books, member, "咖啡") for _ in range(2)] == ["", "perk_used_up"]
        assert use(books, member, "咖啡", until) == "perk_none"


def test_a_use_is_given_back_once(books_url: str) -> None:
    with open_books(books_url, LOYALTY) as books:
        member, month = books.member(tier="金卡"), perks.month_of(books.rules, NOW)

        def back(number: int = 0) -> str:
            try:
                with books.database.transaction() as connection:
                    perks.give_back(connection, member, "停车", month, by=TILL, now=NOW)
            except MemberError as refusal:
                return refusal.code
            return ""

        assert back() == "perk_unused"
        assert [use(books, member, "停车") for _ in range(2)] == ["", ""]
        assert back() == ""
        assert shown(books, member)["停车"] == (1, 1)
        assert use(books, member, "停车") == ""
        assert sorted(at_once(4, back)) == ["", "", "perk_unused", "perk_unused"]
        assert shown(books, member)["停车"] == (2, 0)
        with books.database.reading() as connection:
            log = table(AuditLog)
            given = select(log.c.before, log.c.after).where(log.c.action == "perk.give_back").order_by(log.c.id)
            found = connection.execute(given).all()
        assert found[0] == ({"used": 2}, {"used": 1})


def test_a_purchase_is_ended_unless_another_goes_on_from_it(books_url: str) -> None:
    with open_books(books_url, LOYALTY) as books:
        member, other = books.member(), books.member()

        def buy(key: str) -> plans.Bought:
            with books.database.transaction() as connection:
                tiers.buy(connection, books.rules, member, "尊享卡", key=key, by=TILL, now=NOW)
                return plans.bought(connection, key)

        def end(purchase: plans.Bought, whose: int = member) -> str:
            try:
                with books.database.transaction() as connection:
                    plans.end(connection, purchase.id, whose, by=TILL, now=NOW)
            except MemberError as refusal:
                return refusal.code
            return ""

        def held() -> plans.PlanHeld | None:
            with books.database.reading() as connection:
                return plans.plan_of(connection, member, NOW)

        first, second = buy("a"), buy("b")
        assert (first.price, first.since, second.since) == (9900, NOW, first.until)
        assert (end(first), end(second, other)) == ("plan_not_last", "plan_not_last")
        assert end(second) == ""
        assert held() == plans.PlanHeld("尊享卡", first.until)
        assert (end(first), end(first)) == ("", "plan_not_last")
        assert held() is None and shown(books, member) == {}
        assert buy("c").since == NOW


def test_the_last_one_is_used_once(books_url: str) -> None:
    with open_books(books_url, LOYALTY) as books:
        member = books.member(tier="金卡")
        done = at_once(6, lambda number: use(books, member, "停车"))
        assert sorted(done) == ["", "", *["perk_used_up"] * 4]
        assert shown(books, member)["停车"] == (0, 2)


@pytest.mark.parametrize(
    ("tier", "plan", "left"), [(None, 3, None), (3, None, None), (2, 3, 3), (3, 2, 3)]
)  # fmt: skip
def test_no_limit_is_the_most_generous(books_url: str, tier: int | None, plan: int | None, left: int | None) -> None:
    loyalty = {
        "tiers": [{"name": "普卡", "perks": [{"name": "停车", "per_month": tier}]}],
        "paid": [{"name": "卡", "price": 1, "perks": [{"name": "停车", "per_month": plan}]}],
    }
    with open_books(books_url, loyalty) as books:
        member = books.member()
        with books.database.transaction() as connection:
            tiers.buy(connection, books.rules, member, "卡", key="k", by=TILL, now=NOW)
        assert shown(books, member)["停车"] == (left, 0)
