"""The purchase matrix out of the books, on twenty lines that can be read by eye."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from members.db import Database
from members.tables import Member, Order, OrderLine, Product, Refund, table
from recommend import books, features
from recommend.matrix import BadPurchases, PurchaseLog, is_order_only
from tests.recommend.night_shop import write
from tests.scheduler.small_shop import MONDAY, ZONE, SmallShop, push_rules

TODAY = date(2026, 11, 16)


@pytest.fixture
def shop(database: Database) -> SmallShop:
    """Milk, rice and fuel, and nobody yet."""
    return SmallShop(database, push_rules())


def read(shop: SmallShop, *, now: datetime = MONDAY, without: Sequence[str] = ()) -> PurchaseLog:
    with shop.database.reading() as connection:
        return books.read(connection, now=now, zone=ZONE, without=without)


def lines(log: PurchaseLog) -> list[tuple[int, ...]]:
    """(member id, days ago, product id, pieces, 分) of each row."""
    today = books.day_number(TODAY)
    columns = (log.members[log.member], today - log.day, log.items[log.item], log.quantity, log.amount)
    return [tuple(int(one) for one in row) for row in zip(*columns, strict=True)]


def product(shop: SmallShop, code: str) -> int:
    with shop.database.reading() as connection:
        goods = table(Product)
        return int(connection.execute(select(goods.c.id).where(goods.c.category == code)).scalar_one())


def test_lines_of_one_day_are_one_row_and_the_excluded_are_left_out(shop: SmallShop) -> None:
    anna, ben = shop.member(), shop.member()
    milk, rice = product(shop, "milk"), product(shop, "rice")
    shop.buys(anna, "milk", TODAY - timedelta(days=9), TODAY - timedelta(days=9), TODAY - timedelta(days=2), amount=300)
    shop.buys(anna, "fuel", TODAY - timedelta(days=2))
    shop.buys(ben, "rice", TODAY - timedelta(days=5), amount=4000)
    found = read(shop, without=["fuel"])
    assert lines(found) == [(anna, 9, milk, 2, 600), (anna, 2, milk, 1, 300), (ben, 5, rice, 1, 4000)]
    assert len(read(shop)) == 4
    with shop.database.reading() as connection:
        shelf = books.shelf(connection, found.items)
    assert (shelf.category.tolist(), shelf.category_name.tolist()) == (["milk", "rice"], ["鲜奶", "大米"])
    assert shelf.picked(found.items == rice).sku.tolist() == ["rice-1"]


def test_nothing_after_now_nothing_of_strangers_or_of_who_left(shop: SmallShop) -> None:
    anna, gone = shop.member(), shop.member()
    shop.buys(anna, "milk", TODAY - timedelta(days=3), TODAY + timedelta(days=1))
    shop.buys(gone, "milk", TODAY - timedelta(days=3))
    write(shop, [(None, TODAY - timedelta(days=1), [product(shop, "rice")])])
    with shop.database.transaction() as connection:
        connection.execute(update(table(Member)).where(table(Member).c.id == gone).values(state="erased"))
    assert [row[:2] for row in lines(read(shop))] == [(anna, 3)]
    assert [row[:2] for row in lines(read(shop, now=MONDAY + timedelta(days=2)))] == [(anna, 3), (anna, -1)]


def test_a_return_is_known_from_its_day_on(shop: SmallShop) -> None:
    anna, rice = shop.member(), product(shop, "rice")
    [order] = write(shop, [(anna, TODAY - timedelta(days=9), [rice])])
    back = MONDAY - timedelta(days=4)
    with shop.database.transaction() as connection:
        connection.execute(insert(table(Refund)), {
            "order_id": order, "refund_no": "r1", "at": back, "amount": 1000, "cash_back": 1000,
            "detail": {"lines": [[1, "rice-1", 1, 1000]]},
        })  # fmt: skip
        connection.execute(update(table(Order)).where(table(Order).c.id == order).values(refunded=1000))
        came = {"refunded_quantity": 1, "refunded_amount": 1000}
        connection.execute(update(table(OrderLine)).where(table(OrderLine).c.order_id == order).values(came))
    log, today = read(shop), books.day_number(TODAY)
    assert lines(log) == [(anna, 9, rice, 1, 1000), (anna, 4, rice, -1, -1000)]
    assert len(log.before(today - 4)) == 1 and len(log.before(today)) == 0
    assert len(read(shop, now=back - timedelta(hours=1))) == 1


def test_a_return_takes_back_its_own_order_and_not_what_was_bought_since(shop: SmallShop) -> None:
    anna, rice = shop.member(), product(shop, "rice")
    first, _, exchanged = write(shop, [(anna, TODAY - timedelta(days=ago), [rice]) for ago in (9, 6, 4)])
    taken_back(shop, first, at=MONDAY - timedelta(days=4), detail={"lines": [[1, "rice-1", 1, 1000]]})
    log, today = read(shop), books.day_number(TODAY)
    assert [(row[1], row[3]) for row in lines(log.before(today - 4))] == [(9, 1), (6, 1)]
    assert [(row[1], row[3]) for row in lines(log.before(today))] == [(6, 1), (4, 1)], "an exchange is a purchase"
    taken_back(shop, exchanged)
    assert [(row[1], row[3]) for row in lines(read(shop).before(today))] == [(6, 1)]


def test_receipts_are_what_was_paid_for_anything_net_of_what_came_back(shop: SmallShop) -> None:
    anna, ben, goods, heads = shop.member(), shop.member(), table(Product), table(Order)
    rice, fuel = product(shop, "rice"), product(shop, "fuel")
    with shop.database.transaction() as connection:
        connection.execute(update(goods).where(goods.c.id == rice).values(category=None))
    days = [TODAY - timedelta(days=ago) for ago in (9, 9, 5, 2)]
    first, _, whole, _ = write(shop, [(anna, day, [one]) for day, one in zip(days, [rice, fuel] * 2, strict=True)])
    taken_back(shop, whole)
    with shop.database.transaction() as connection:
        connection.execute(update(heads).where(heads.c.id == first).values(state="part_refunded", refunded=400))
    write(shop, [(ben, TODAY - timedelta(days=3), [])])  # a receipt without articles
    with shop.database.transaction() as connection:
        connection.execute(update(heads).where(heads.c.member_id == ben).values(total=500))
    write(shop, [(None, TODAY - timedelta(days=1), [fuel])])
    with shop.database.reading() as connection:
        found = books.receipts(connection, now=MONDAY)
    assert lines(found) == [(anna, 9, 0, 2, 1600), (anna, 2, 0, 1, 1000), (ben, 3, 0, 1, 500)]


def test_what_came_free_beside_a_purchase_was_given(shop: SmallShop) -> None:
    anna, milk, rice, of = shop.member(), product(shop, "milk"), product(shop, "rice"), table(OrderLine)
    with_gift, unpriced = write(shop, [(anna, TODAY - timedelta(days=ago), [milk, rice]) for ago in (9, 5)])
    with shop.database.transaction() as connection:
        connection.execute(update(of).where(of.c.order_id == with_gift, of.c.product_id == rice).values(amount=0))
        connection.execute(update(of).where(of.c.order_id == unpriced).values(amount=0))
        connection.execute(update(table(Order)).where(table(Order).c.id == unpriced).values(total=0))
        bought = dict(features.read(connection, [anna], now=MONDAY, zone=ZONE, rules=shop.rules.recommend))
    assert [(row[1], row[2]) for row in lines(read(shop))] == [(9, milk), (5, milk), (5, rice)]
    assert {item: len(days) for item, days in bought[anna].items()} == {"milk": 2, "rice": 1}
    taken_back(shop, with_gift)
    assert [(row[1], row[2]) for row in lines(read(shop).before(books.day_number(TODAY)))] == [(5, milk), (5, rice)]


def taken_back(shop: SmallShop, order: int, *, pieces: int = 1, **refund: Any) -> None:
    """The lines and the state of an order say that so much came back; with a refund row when one is given."""
    with shop.database.transaction() as connection:
        lines_, orders_ = table(OrderLine), table(Order)
        came = {"refunded_quantity": pieces, "refunded_amount": 1000}
        connection.execute(update(lines_).where(lines_.c.order_id == order).values(came))
        connection.execute(update(orders_).where(orders_.c.id == order).values(state="refunded", refunded=1000))
        if refund:
            connection.execute(insert(table(Refund)), {"order_id": order, "refund_no": "r1", "amount": 1000,
                                                       "cash_back": 1000} | refund)  # fmt: skip


def test_a_sale_taken_back_whole_was_none_whoever_named_the_lines(shop: SmallShop) -> None:
    anna, rice = shop.member(), product(shop, "rice")
    unnamed, void, later = write(shop, [(anna, TODAY - timedelta(days=9 - place), [rice]) for place in range(3)])
    taken_back(shop, unnamed, at=MONDAY - timedelta(days=4), detail={"lines": []})
    taken_back(shop, void)
    taken_back(shop, later, at=MONDAY + timedelta(days=1), detail={"lines": []})
    log, today = read(shop), books.day_number(TODAY)
    assert [row[1:4:2] for row in lines(log)] == [(9, 1), (8, 0), (7, 1), (4, -1)]
    assert len(log.before(today - 4)) == 2 and len(log.before(today)) == 1
    assert len(read(shop, now=MONDAY + timedelta(days=2)).before(today + 2)) == 0


def test_days_of_the_books_are_never_taken_for_the_order_of_baskets(shop: SmallShop) -> None:
    members = [shop.member() for _ in range(3)]
    write(
        shop, [(who, TODAY - timedelta(days=ago), [product(shop, "rice")]) for who in members for ago in range(1, 20)]
    )
    log = read(shop)
    assert log.dated and not is_order_only(log) and is_order_only(replace(log, dated=False))
    assert log.at_level(["rice"]).dated and log.before(books.day_number(TODAY)).dated


def test_empty_books_are_refused(shop: SmallShop, tmp_path: Path) -> None:
    with pytest.raises(BadPurchases):
        read(shop)
    shop.member()
    with pytest.raises(BadPurchases):
        read(shop)
