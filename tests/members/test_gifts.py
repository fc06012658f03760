"""Gifts at their moments: exactly once per occasion, also when many ask at once, and back when their reason is gone."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from members import gifts, merging
from members.audit import Actor
from members.earning import EarnLine
from members.errors import MemberError
from members.gifts import CheckedIn, GiftDone, OrderFacts
from members.rules import CheckinRule
from tests.members.loyalty_shop import NOW, TILL, Books, at_once, open_books

DAY = timedelta(days=1)
FRUIT = EarnLine("C1", "妹妹牌", "apple", 60_00, "水果")


def shapes(done: list[GiftDone]) -> list[tuple[str, int, str]]:
    """(for what, points, coupon) of gifts."""
    return [(gift.title, gift.points, gift.coupon_title) for gift in done]


# on presenting the card


@pytest.mark.parametrize(
    ("once_per", "later", "again"),
    [
        ("day", timedelta(hours=11), 0),
        ("day", timedelta(hours=12), 1),
        ("week", 5 * DAY, 0),
        ("week", 6 * DAY, 1),
        ("month", 28 * DAY, 0),
        ("month", 29 * DAY, 1),
        ("ever", 4000 * DAY, 0),
    ],
)
def test_presenting_the_card_brings_its_gift_once_per_time(
    books_url: str, once_per: str, later: timedelta, again: int
) -> None:
    """It is Tuesday, 3 March 2026, noon in Shanghai."""
    with open_books(books_url, {"gifts": {"on_present": {"points": 5, "once_per": once_per}}}) as books:
        member = books.member()
        assert shapes(books.present(member)) == [("到店赠", 5, "")]
        assert books.present(member, at=NOW + timedelta(hours=1)) == []
        assert len(books.present(member, at=NOW + later)) == again
        assert books.points(member, at=NOW) == 5 + 5 * again


def test_the_day_of_a_gift_is_the_shops_day(books_url: str) -> None:
    with open_books(books_url, {"gifts": {"on_present": {"points": 5}}}, day_start="04:00") as books:
        member = books.member()
        evening = datetime(2026, 3, 3, 15, 0, tzinfo=UTC)
        assert len(books.present(member, at=evening)) == 1
        assert books.present(member, at=evening + timedelta(hours=4)) == []
        assert len(books.present(member, at=evening + timedelta(hours=5))) == 1


def test_a_store_may_give_what_others_do_not(books_url: str) -> None:
    loyalty = {"gifts": {"on_present": [{"points": 5}, {"name": "二店", "coupon": "soup", "stores": ["s2"]}]}}
    with open_books(books_url, loyalty) as books:
        member = books.member()
        assert shapes(books.present(member)) == [("到店赠", 5, "")]
        assert shapes(books.present(member, store="s2")) == [("到店赠", 0, "例汤")]
        assert books.keys(member) == [f"present::{member}:2026-03-03", f"present:二店:{member}:2026-03-03"]


def test_of_many_tills_one_gives(books_url: str) -> None:
    with open_books(books_url, {"gifts": {"on_present": {"points": 5, "coupon": "soup"}}}) as books:
        member = books.member()
        done = at_once(6, lambda number: books.present(member))
        assert sorted(len(gift) for gift in done) == [0, 0, 0, 0, 0, 1]
        assert (books.points(member), books.coupons(member)) == (5, [("例汤", "issued")])


# on a purchase


def test_a_purchase_brings_its_gift_once(books_url: str) -> None:
    with open_books(books_url, {"gifts": {"on_purchase": {"over": 200, "coupon": "soup", "points": 3}}}) as books:
        member = books.member()
        assert books.bought(member, 199_99) == []
        order = OrderFacts(books.order(member, 200_00), 200_00)
        assert shapes(books.given(member, order)) == [("消费满200元赠", 3, "例汤")]
        assert books.given(member, order) == []
        assert shapes(books.bought(member, 999_00)) == [("消费满200元赠", 3, "例汤")]
        assert (books.points(member), len(books.coupons(member))) == (6, 2)


def test_an_order_told_twice_at_once_brings_one_gift(books_url: str) -> None:
    with open_books(books_url, {"gifts": {"on_purchase": {"points": 3}}}) as books:
        member = books.member()
        order = OrderFacts(books.order(member, 1_00), 1_00)
        done = at_once(6, lambda number: books.given(member, order))
        assert sum(len(gift) for gift in done) == 1
        assert books.points(member) == 3


@pytest.mark.parametrize(
    ("rule", "given"),
    [
        ({}, 1),
        ({"category": "水果", "over": 60}, 1),
        ({"category": "水果", "over": 61}, 0),
        ({"category": "鱼"}, 0),
        ({"products": ["apple"]}, 1),
        ({"products": ["pear"]}, 0),
        ({"brands": ["妹妹牌"]}, 1),
        ({"brands": ["姐姐牌"], "over": 100}, 1),
        ({"brands": ["别家"]}, 0),
        ({"stores": ["s1"]}, 1),
        ({"stores": ["s2"]}, 0),
    ],
)
def test_a_purchase_gift_asks_for_what_it_names(books_url: str, rule: dict[str, Any], given: int) -> None:
    with open_books(books_url, {"gifts": {"on_purchase": {"points": 3, **rule}}}) as books:
        assert len(books.bought(books.member(), 100_00, lines=(FRUIT,))) == given


def test_one_brand_gives_what_the_other_redeems(books_url: str) -> None:
    """E2: an order at the elder sister's brings a coupon for the younger's; not the other way round."""
    with open_books(books_url, {"gifts": {"on_purchase": {"brands": ["姐姐牌"], "coupon": "sister"}}}) as books:
        member = books.member()
        assert books.bought(member, 50_00, store="s2", brand="妹妹牌") == []
        assert shapes(books.bought(member, 50_00, store="s1", brand="姐姐牌")) == [("消费赠", 0, "妹妹店券")]
        assert books.rules.coupons["sister"].scope.brands == ["妹妹牌"]


def test_the_first_order_is_the_first(books_url: str) -> None:
    with open_books(books_url, {"gifts": {"on_purchase": {"points": 50, "first": True}}}) as books:
        member = books.member()
        first = OrderFacts(books.order(member, 10_00), 10_00)
        assert shapes(books.given(member, first)) == [("首次消费赠", 50, "")]
        assert books.bought(member, 10_00) == []
        books.refund(first.id)
        assert [back.points for back in books.taken_back(first.id)] == [50]
        assert books.bought(member, 10_00) == []
        assert books.points(member) == 0


def test_points_of_an_order_wait_as_long_as_what_it_earned(books_url: str) -> None:
    loyalty = {"earn": {"pending_days": 7}, "gifts": {"on_purchase": {"points": 3}, "on_present": {"points": 5}}}
    with open_books(books_url, loyalty) as books:
        member = books.member()
        books.bought(member, 10_00)
        books.present(member)
        assert (books.points(member), books.pending(member)) == (5, 3)


def test_a_coupon_that_has_run_out_spoils_nothing(books_url: str) -> None:
    loyalty = {
        "gifts": {"on_purchase": [{"name": "a", "coupon": "rare"}, {"name": "b", "coupon": "rare", "points": 2}]}
    }
    with open_books(books_url, loyalty) as books:
        member = books.member()
        assert shapes(books.bought(member, 10_00)) == [("消费赠", 0, "限量券"), ("消费赠", 2, "")]
        assert shapes(books.bought(member, 10_00)) == [("消费赠", 2, "")]
        assert books.coupons(member) == [("限量券", "issued")]
        assert len(books.keys(member)) == 3


# on a cumulated total

TOTAL = {"gifts": {"on_total": {"spend": 1000, "within": "30 days", "points": 20}}}


def test_a_total_counts_anew_after_each_gift(books_url: str) -> None:
    with open_books(books_url, TOTAL) as books:
        member = books.member()
        given = [len(books.bought(member, total)) for total in (400_00, 599_99, 1, 999_99, 1, 3000_00, 999_99)]
        assert given == [0, 0, 1, 0, 1, 1, 0]
        assert books.points(member) == 60


def test_a_total_rolls(books_url: str) -> None:
    with open_books(books_url, TOTAL) as books:
        member = books.member()
        assert books.bought(member, 600_00) == []
        assert books.bought(member, 400_00, at=NOW + 30 * DAY) == [], "thirty days ago is out"
        assert shapes(books.bought(member, 600_00, at=NOW + 59 * DAY)) == [("30天内累计消费满¥1,000赠", 20, "")]


def test_a_total_of_months_ends_with_the_month(books_url: str) -> None:
    loyalty = {"gifts": {"on_total": {"spend": 10, "within": "1 month", "points": 1}}}
    noon = datetime(2028, 1, 29, 4, tzinfo=UTC)
    with open_books(books_url, loyalty) as books:
        member, other = books.member(), books.member()
        assert books.bought(member, 9_00, at=noon) == books.bought(other, 9_00, at=noon) == []
        assert books.bought(other, 1_00, at=noon + 31 * DAY) == [], (
            "29 February: 30 January is the first day that counts"
        )
        assert len(books.bought(member, 1_00, at=noon + 30 * DAY)) == 1


def test_refunds_do_not_count_and_times_are_counted(books_url: str) -> None:
    loyalty = {"gifts": {"on_total": {"spend": 100, "within": "30 days", "points": 20, "times": 2}}}
    with open_books(books_url, loyalty) as books:
        member = books.member()
        books.refund(books.order(member, 500_00), 450_00)
        assert books.bought(member, 49_99) == []
        assert [len(books.bought(member, total)) for total in (1, 100_00, 100_00)] == [1, 1, 0]


def test_two_orders_at_once_do_not_bring_one_total_twice(books_url: str) -> None:
    with open_books(books_url, TOTAL) as books:
        member = books.member()
        made = [OrderFacts(books.order(member, 200_00), 200_00) for _ in range(6)]
        done = at_once(6, lambda number: books.given(member, made[number]))
        assert sum(len(gift) for gift in done) == 1
        assert books.points(member) == 20


def test_the_same_order_does_not_bring_a_total_again(books_url: str) -> None:
    with open_books(books_url, TOTAL) as books:
        member = books.member()
        order = OrderFacts(books.order(member, 2000_00), 2000_00)
        assert [len(books.given(member, order)) for _ in range(3)] == [1, 0, 0]


# taking back


def test_a_refund_takes_the_gift_along(books_url: str) -> None:
    with open_books(books_url, {"gifts": {"on_purchase": {"over": 100, "coupon": "soup", "points": 7}}}) as books:
        member = books.member()
        order = OrderFacts(books.order(member, 150_00), 150_00)
        books.given(member, order)
        books.refund(order.id, 50_00)
        assert books.taken_back(order.id) == []
        books.refund(order.id, 50_01)
        (back,) = books.taken_back(order.id)
        assert (back.title, back.points, back.coupon_title) == ("消费满100元赠", 7, "例汤")
        assert (books.points(member), books.coupons(member)) == (0, [("例汤", "void")])
        books.refund(order.id)
        assert books.taken_back(order.id) == []


def test_a_used_coupon_is_the_members(books_url: str) -> None:
    from members import coupons

    with open_books(books_url, {"gifts": {"on_purchase": {"coupon": "soup"}}}) as books:
        member = books.member()
        order = OrderFacts(books.order(member, 150_00), 150_00)
        (gift,) = books.given(member, order)
        with books.database.transaction() as connection:
            coupons.redeem(connection, gift.coupon_code, by="test", store="s1", now=NOW)
        books.refund(order.id)
        assert books.taken_back(order.id) == []
        assert books.coupons(member) == [("例汤", "redeemed")]


def test_a_total_that_a_refund_undoes_can_be_reached_again(books_url: str) -> None:
    """Not the order that brought the gift is given back, but the big one before it."""
    with open_books(books_url, TOTAL) as books:
        member = books.member()
        big = books.order(member, 900_00)
        assert len(books.bought(member, 100_00)) == 1
        books.refund(big)
        assert [back.points for back in books.taken_back(big)] == [20]
        assert books.points(member) == 0
        assert books.bought(member, 899_99) == []
        assert len(books.bought(member, 1)) == 1
        assert books.points(member) == 20


def test_a_refund_before_an_older_gift_changes_nothing_later(books_url: str) -> None:
    with open_books(books_url, TOTAL) as books:
        member = books.member()
        first = books.order(member, 1500_00)
        books.given(member, OrderFacts(first, 1500_00))
        books.bought(member, 1000_00)
        books.refund(first, 400_00)
        assert books.taken_back(first) == []
        books.refund(first)
        assert len(books.taken_back(first)) == 1
        assert books.points(member) == 20


# birthdays


def test_a_birthday_gift_comes_once_a_year(books_url: str) -> None:
    with open_books(books_url, {"gifts": {"birthday": {"coupon": "soup", "days_ahead": 3}}}) as books:
        born, leap, other = date(1990, 3, 6), date(2000, 2, 29), date(1990, 3, 10)
        member, leapling = books.member(birthday=born), books.member(birthday=leap)
        books.member(birthday=other)
        books.member()

        def morning(day: date) -> list[int]:
            now, found, last = datetime(day.year, day.month, day.day, 1, tzinfo=UTC), list[int](), 0
            while True:
                with books.database.transaction() as connection:
                    done, then = gifts.birthday(connection, books.rules, now, after=last, limit=1)
                found += [gift.member for gift in done]
                if then is None:
                    return found
                last = then

        assert morning(date(2026, 3, 2)) == []
        assert morning(date(2026, 3, 3)) == [member]
        assert morning(date(2026, 3, 3)) == morning(date(2026, 3, 5)) == []
        assert member in morning(date(2027, 3, 6)), "the day itself, after days without the job"
        assert morning(date(2027, 2, 24)) == []
        assert morning(date(2027, 2, 28)) == [leapling]
        assert leapling in morning(date(2028, 2, 29))
        assert morning(date(2028, 3, 1)) == []


def test_a_changed_birthday_brings_no_second_gift(books_url: str) -> None:
    from sqlalchemy import update

    from tests.members.loyalty_shop import members

    with open_books(books_url, {"gifts": {"birthday": {"points": 9}}}) as books:
        member = books.member(birthday=date(1990, 12, 31))
        with books.database.transaction() as connection:
            assert len(gifts.birthday(connection, books.rules, datetime(2026, 12, 31, 4, tzinfo=UTC))[0]) == 1
            connection.execute(update(members).where(members.c.id == member).values(birthday=date(1990, 1, 2)))
            assert gifts.birthday(connection, books.rules, datetime(2027, 1, 2, 4, tzinfo=UTC))[0] == []


# checking in


def check_in(books: Books, member: int, at: datetime = NOW) -> CheckedIn:
    """Check in."""
    with books.database.transaction() as connection:
        return gifts.check_in(connection, books.rules, member, by=TILL, now=at)


def test_checking_in_once_a_day_and_in_a_row(books_url: str) -> None:
    with open_books(books_url, {"checkin": {"points": 2, "streak": {3: 5, 7: 20}}}) as books:
        member = books.member()
        got = [check_in(books, member, NOW + number * DAY) for number in range(9)]
        assert [done.points for done in got] == [2, 2, 7, 2, 2, 2, 22, 2, 2]
        assert [done.streak for done in got] == list(range(1, 10))
        assert got[-1].balance == 43
        again = check_in(books, member, NOW + 8 * DAY)
        assert again == CheckedIn(2, 9, False, 43)
        assert check_in(books, member, NOW + 10 * DAY).streak == 1


def test_a_long_row_is_counted_to_its_beginning(books_url: str) -> None:
    with open_books(books_url, {"checkin": {"points": 1}}) as books:
        member = books.member()
        assert [check_in(books, member, NOW + number * DAY).streak for number in range(100)][-1] == 100


def test_whoever_was_merged_in_has_checked_in_too(books_url: str) -> None:
    with open_books(books_url, {"checkin": {"points": 2, "streak": {3: 5}}}) as books:
        first, second, third = books.member(), books.member(), books.member()

        def merge(source: int, target: int) -> int:
            with books.database.transaction() as connection:
                return merging.merge(
                    connection, books.vault, books.rules, source, target, by=TILL, reason="同一人", now=NOW + DAY
                ).id

        assert [check_in(books, first, NOW + number * DAY).streak for number in range(2)] == [1, 2]
        assert check_in(books, third, NOW + DAY).created
        merge(first, second)
        assert check_in(books, second, NOW + DAY) == CheckedIn(2, 2, False, 4)
        last = merge(second, third)
        assert check_in(books, third, NOW + DAY) == CheckedIn(2, 2, False, 6)
        assert check_in(books, third, NOW + 2 * DAY) == CheckedIn(7, 3, True, 13)
        with books.database.transaction() as connection:
            merging.unmerge(connection, books.vault, books.rules, last, by=TILL, now=NOW + 2 * DAY)
        assert check_in(books, second, NOW + 2 * DAY).streak == 3, "parted again: a day of their own"
        assert check_in(books, third, NOW + 2 * DAY) == CheckedIn(2, 2, False, 9)


def test_checking_in_many_times_at_once(books_url: str) -> None:
    with open_books(books_url, {"checkin": {"points": 2}}) as books:
        member = books.member()
        done = at_once(6, lambda number: check_in(books, member))
        assert sum(one.created for one in done) == 1
        assert {one.balance for one in done} == {2}


def test_no_checking_in_where_there_is_none(books_url: str) -> None:
    with open_books(books_url, {}) as books, pytest.raises(MemberError, match="checkin_off"):
        check_in(books, books.member())


@pytest.mark.parametrize(
    ("streak", "days", "coming"), [({}, 1, None), ({3: 5}, 1, (2, 5)), ({3: 5}, 3, (3, 5)), ({3: 5, 7: 9}, 4, (3, 9))]
)
def test_the_next_bonus(streak: dict[int, int], days: int, coming: tuple[int, int] | None) -> None:
    from members.checkin import next_bonus

    assert next_bonus(CheckinRule(points=1, streak=streak), days) == coming


# referrals

REFERRAL: dict[str, Any] = {
    "referral": {"inviter": {"points": 100}, "invitee": {"coupon": "soup"}, "over": 50, "per_month": 2}
}


def refer(books: Books, inviter: int, invitee: int, at: datetime = NOW) -> list[tuple[int, str]]:
    """(member, for what) of the gifts of a referral."""
    with books.database.transaction() as connection:
        by = Actor("system")
        done = gifts.referral(connection, books.rules, inviter, invitee, order=None, by=by, now=at)
    return [(gift.member, gift.title) for gift in done]


def friend(books: Books, total: int = 50_00) -> int:
    """A member who has spent so much."""
    member = books.member()
    books.order(member, total)
    return member


def test_both_get_something_once_the_friend_has_spent_enough(books_url: str) -> None:
    with open_books(books_url, REFERRAL) as books:
        inviter, invitee = books.member(), friend(books, 49_99)
        assert refer(books, inviter, invitee) == []
        books.order(invitee, 1)
        assert refer(books, inviter, invitee) == [(invitee, "受邀礼"), (inviter, "邀请好友礼")]
        assert refer(books, inviter, invitee) == refer(books, books.member(), invitee) == []
        assert (books.points(inviter), books.coupons(invitee)) == (100, [("例汤", "issued")])


def test_nobody_invites_themselves_or_more_than_the_month_allows(books_url: str) -> None:
    with open_books(books_url, REFERRAL) as books:
        inviter = friend(books)
        assert refer(books, inviter, inviter) == []
        assert [len(refer(books, inviter, friend(books))) for _ in range(3)] == [2, 2, 1]
        assert len(refer(books, inviter, friend(books), NOW + 29 * DAY)) == 2
        assert books.points(inviter) == 300


def test_invited_by_many_at_once(books_url: str) -> None:
    with open_books(books_url, REFERRAL) as books:
        invitee, inviters = friend(books), [books.member() for _ in range(4)]
        done = at_once(4, lambda number: refer(books, inviters[number], invitee))
        assert sorted(len(given) for given in done) == [0, 0, 0, 2]


def test_inviting_many_at_once(books_url: str) -> None:
    with open_books(books_url, REFERRAL) as books:
        inviter, invitees = books.member(), [friend(books) for _ in range(5)]
        at_once(5, lambda number: refer(books, inviter, invitees[number]))
        assert books.points(inviter) == 200


def test_two_who_invited_each_other_do_not_wait_for_ever(books_url: str) -> None:
    with open_books(books_url, REFERRAL) as books:
        one, other = friend(books), friend(books)
        done = at_once(2, lambda number: refer(books, *((one, other) if number else (other, one))))
        assert [len(given) for given in done] == [2, 2]
