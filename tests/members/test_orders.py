"""Sales: taken once, whatever they move, whoever buys; refused before anything moves."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import func, select, update

from members import identity, orders, products
from members.db import Database
from members.errors import MemberError
from members.orders import Buyer, NewOrder
from members.products import ProductRow
from members.tables import Category, Member, Movement, Order, OrderLine, Product, table
from tests.members.till import APP, DAY, NOW, PHONE, Till, line, refusal, rules_with


def test_a_sale_earns_and_is_written_with_its_lines(till: Till) -> None:
    member = till.member(PHONE)
    taken = till.sell(
        Buyer("phone", PHONE), 12850, [line("milk", 9850, 2, category="牛奶", brand="鲜"), line("egg", 3000)]
    )
    assert (taken.member, taken.created, taken.points, taken.pending) == (member, True, 128, 0)
    assert till.owned(member) == {"points": 128}
    row = till.row(taken.order)
    assert (row.total, row.discount, row.store_id, row.scope, row.day) == (12850, 0, "s1", "s1", date(2026, 3, 2))
    assert (row.buyer, row.state, row.by, row.refunded) == ("", "paid", "api:till", 0)
    assert [(r.quantity, r.amount, r.discount) for r in till.lines(taken.order)] == [(2, 9850, 0), (1, 3000, 0)]
    with till.database.reading() as connection:
        known = {r.sku: r for r in connection.execute(select(table(Product)))}
    assert (known["milk"].category, known["milk"].brand, known["egg"].category) == ("牛奶", "鲜", None)
    (deed,) = till.deeds("order.take")
    assert (deed.actor, deed.member_id, deed.store_id, deed.origin) == ("api:till", member, "s1", "api:till")
    assert deed.detail == {"order": taken.order, "no": taken.order_no, "total": 12850, "points": 128}
    till.sound()


def test_the_same_order_again_is_the_stored_one_and_other_content_is_refused(till: Till) -> None:
    member = till.member(principal=20_000)
    said = till.order(member, 5000, [line("milk", 5000)], pay_balance=3000)
    first, again = till.take(said), till.take(said)
    assert first.created and not again.created
    assert replace(first, created=False, gifts=()) == replace(again, coupons=first.coupons)
    later = till.take(replace(said, at=NOW + timedelta(minutes=3), source="retry"))
    assert (later.order, later.created) == (first.order, False)
    for other in (
        replace(said, total=4900, lines=[line("milk", 4900)]), replace(said, lines=[line("egg", 5000)]),
        replace(said, buyer=None), replace(said, at=NOW - DAY), replace(said, pay_balance=2999),
    ):  # fmt: skip
        assert refusal(partial(till.take, other)) == "order_conflict"
    assert till.take(replace(said, scope="s2")).created
    assert till.count(Order) == 2
    assert till.owned(member)["points"] == 100
    till.sound()


def test_the_same_order_twice_at_once_is_taken_once(till: Till) -> None:
    member, hands = till.member(principal=20_000), 8
    said, together = till.order(member, 5000, [line("new", 5000)], pay_balance=5000), Barrier(hands)

    def ring_up(_: int) -> tuple[int, bool]:
        together.wait()
        taken = till.take(said)
        return taken.order, taken.created

    with ThreadPoolExecutor(hands) as pool:
        found = list(pool.map(ring_up, range(hands)))
    assert len({order for order, _ in found}) == 1
    assert sorted(created for _, created in found) == [False] * (hands - 1) + [True]
    assert till.owned(member) == {"points": 50, "principal": 15_454, "gift": 1546}
    assert till.count(OrderLine) == 1
    till.sound()


def test_one_balance_spent_by_two_orders_at_once_pays_for_one(till: Till) -> None:
    member, hands = till.member(principal=5000), 4
    said = [till.order(member, 5000, pay_balance=5000) for _ in range(hands)]
    together = Barrier(hands)

    def pay(order: NewOrder) -> str:
        together.wait()
        try:
            till.take(order)
        except MemberError as refused:
            return refused.code
        return "paid"

    with ThreadPoolExecutor(hands) as pool:
        found = list(pool.map(pay, said))
    assert sorted(found) == ["insufficient"] * (hands - 1) + ["paid"]
    assert till.owned(member) == {"points": 50}
    assert till.count(Order) == 1
    till.sound()


def test_orders_of_many_members_at_once_with_the_same_new_articles_all_arrive(till: Till) -> None:
    people = [till.member() for _ in range(6)]
    goods = [line(f"new-{number}", 100) for number in range(12)]
    together = Barrier(len(people))

    def ring_up(place: int) -> int:
        together.wait()
        mine = goods if place % 2 else goods[::-1]
        return till.sell(people[place], 1200, mine).points

    with ThreadPoolExecutor(len(people)) as pool:
        assert list(pool.map(ring_up, range(len(people)))) == [12] * len(people)
    assert till.count(Product) == 12


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"total": -1}, "amount_range"),
        ({"total": 10**10 + 1}, "amount_range"),
        ({"total": 10**30}, "amount_range"),
        ({"discount": -1}, "amount_range"),
        ({"pay_balance": -500}, "amount_range"),
        ({"pay_balance": 1001}, "order_pay_too_much"),
        ({"order_no": ""}, "order_no"),
        ({"order_no": "x" * 65}, "order_no"),
        ({"order_no": "a\nb"}, "order_no"),
        ({"at": NOW + timedelta(minutes=6)}, "order_future"),
        ({"at": NOW - 401 * DAY}, "order_old"),
        ({"store": "s9"}, "store_unknown"),
        ({"lines": [line("a", 900)]}, "order_sum"),
        ({"lines": [line("a", 1100)], "discount": 50}, "order_sum"),
        ({"lines": [line("a", 1000, discount=100)], "discount": 50}, "order_sum"),
        ({"lines": [line("a", 1500), line("b", -500)]}, "amount_range"),
        ({"lines": [line("a", 1000, 0)]}, "order_lines"),
        ({"lines": [line("a", 1000, -1)]}, "order_lines"),
        ({"lines": [line("", 1000)]}, "order_lines"),
        ({"coupons": ["A", "A"]}, "order_lines"),
        ({"buyer": Buyer("phone", "110")}, "bad_phone"),
        ({"buyer": Buyer("fax", "110")}, "buyer_kind"),
        ({"buyer": None, "pay_balance": 500}, "order_needs_member"),
        ({"pay_balance": 500}, "insufficient"),
    ],
)
def test_what_can_not_be_a_sale_is_refused_and_nothing_is_written(till: Till, said: dict[str, Any], code: str) -> None:
    member = till.member()
    order = replace(till.order(member, 1000), **said)
    assert refusal(lambda: till.take(order)) == code
    assert [till.count(rows) for rows in (Order, OrderLine, Movement, Product)] == [0, 0, 0, 0]


def test_a_discount_no_line_names_falls_on_the_lines_by_their_amounts(till: Till) -> None:
    goods = [line("a", 1000), line("b", 500, discount=100), line("c", 1)]
    taken = till.sell(None, 1001, goods, discount=600)
    assert [(r.amount, r.discount) for r in till.lines(taken.order)] == [(667, 333), (333, 267), (1, 0)]
    named = till.sell(None, 1501, goods, discount=600)
    assert [(r.amount, r.discount) for r in till.lines(named.order)] == [(1000, 333), (500, 267), (1, 0)]


def test_every_way_to_name_a_buyer_finds_them(till: Till) -> None:
    member = till.member(PHONE)
    with till.transaction() as connection:
        identity.add(connection, member, "openid", APP, "o-1", source="test", now=NOW)
        identity.add(connection, member, "shop", "erp", "77", source="test", now=NOW)
        card = identity.card_of(connection, member) or ""
    for kind, value in (
        ("phone", "138 0013 8000"), ("phone", "+8613800138000"), ("card", card), ("openid", "o-1"), ("shop", "erp:77"),
        ("member", str(member)),
    ):  # fmt: skip
        assert till.sell(Buyer(kind, value), 100).member == member
    for kind, value in (
        ("card", "123"), ("openid", "o-2"), ("shop", "77"), ("member", "999"), ("member", "９"), ("code", "1"),
    ):  # fmt: skip
        taken = till.sell(Buyer(kind, value), 100)
        assert (taken.member, taken.unknown_buyer, taken.points) == (None, True, 0)
    assert not till.sell(None, 100).unknown_buyer


def test_a_merged_member_buys_for_whom_they_became_and_an_erased_one_for_nobody(till: Till) -> None:
    source, target, gone = till.member(), till.member(), till.member()
    with till.transaction() as connection:
        rows = table(Member)
        connection.execute(update(rows).where(rows.c.id == source).values(state="merged", merged_into=target))
        connection.execute(update(rows).where(rows.c.id == gone).values(state="erased"))
    assert till.sell(source, 300).member == target
    assert till.sell(gone, 300).member is None
    assert till.owned(target) == {"points": 3}


def test_an_old_import_is_taken_but_earns_only_while_young(till: Till) -> None:
    member = till.member()
    old = till.take(till.order(member, 50_000, at=NOW - 1000 * DAY), imported=True)
    young = till.take(till.order(member, 50_000, at=NOW - 80 * DAY), imported=True)
    assert (old.points, young.points) == (0, 500)
    with till.database.reading() as connection:
        today = date(2026, 3, 2)
        assert orders.spent(connection, member, since=today - 365 * DAY, until=today) == 50_000
        receipt = orders.last(connection, member)
    assert receipt is not None and receipt.order_no == young.order_no


def test_points_wait_where_the_rules_say_so_and_tier_and_gifts_come_along(database: Database) -> None:
    till = Till(database, rules_with(
        earn={"pending_days": 7}, gifts={"on_purchase": {"points": 50, "over": 100}},
    ))  # fmt: skip
    member = till.member()
    taken = till.sell(member, 100_000)
    assert (taken.points, taken.pending) == (0, 1000)
    assert [(gift.title, gift.points) for gift in taken.gifts] == [("消费满100元赠", 50)]
    assert taken.tier is not None and (taken.tier.before, taken.tier.after) == ("普卡", "金卡")
    assert till.owned(member) == {"pending": 1050}
    again = till.take(till.order(member, 100, order_no="x"))
    assert till.take(till.order(member, 100, order_no="x")).pending == again.pending == 1
    till.sound()


def test_rules_about_categories_mean_code_or_name_and_the_catalogue_wins(database: Database) -> None:
    till = Till(database, rules_with(earn={"exclude": ["香烟"], "bonuses": [
        {"name": "奶", "multiplier": 3, "category": "dairy"}
    ]}))  # fmt: skip
    member = till.member()
    with till.transaction() as connection:
        rows = [
            ProductRow("milk", "鲜奶", category="dairy", category_name="牛奶"),
            ProductRow("smoke", "烟", category="c9", category_name="香烟"),
        ]
        assert products.upsert(connection, rows) == (2, 0)
        assert products.upsert(connection, [replace(rows[0], name="鲜牛奶", price=990)]) == (0, 1)
    goods = [line("milk", 1000, category="别的"), line("smoke", 1000), line("new", 1000, category="牛奶")]
    taken = till.sell(member, 3000, goods)
    assert taken.points == 30 + 0 + 30
    with till.database.reading() as connection:
        found = {r.sku: (r.name, r.category, r.price) for r in connection.execute(select(table(Product)))}
        assert found["milk"] == ("鲜牛奶", "dairy", 990) and found["new"] == ("new", "dairy", None)
        assert connection.execute(select(func.count()).select_from(table(Category))).scalar_one() == 2


def test_a_day_earns_no_more_than_its_cap(database: Database) -> None:
    till = Till(database, rules_with(earn={"per_day": 150}))
    member = till.member()
    assert [till.sell(member, 10_000).points for _ in range(3)] == [100, 50, 0]
    till.now += DAY
    assert till.sell(member, 10_000).points == 100
