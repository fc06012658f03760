"""What a member is likely to buy next, by the night's row and by counts, and what receipts come to: worked by hand."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from members.db import Database
from members.tables import Order, Product, table
from recommend import takings
from recommend.likely import Likely, Reading, any_of
from recommend.takings import Taken
from tests.scheduler.pack_shop import PackShop, pack_rules
from tests.scheduler.small_shop import MONDAY, ZONE, ago


@pytest.fixture
def shop(books_url: str) -> Any:
    """The shop with more on its shelves, three strangers' receipts in its books."""
    database = Database(books_url, synchronous="OFF")
    opened = PackShop(database, pack_rules())
    opened.crowd()
    yield opened
    database.dispose()


def likely(shop: PackShop, *members: int, now: datetime = MONDAY) -> dict[int, dict[str, Likely]]:
    """What each of these members is likely to buy, by category; fuel is excluded."""
    with shop.database.reading() as connection:
        taken = takings.categories(connection, now=now, zone=ZONE, without=["fuel"])
        reading = Reading.of(connection, shop.rules.recommend, now=now, zone=ZONE, without=["fuel"], taken=taken)
        return {member: {one.category: one for one in found} for member, found in reading.members(members)}


def test_what_everybody_takes(shop: PackShop) -> None:
    shop.regular("oA", milk=3600)
    with shop.database.reading() as connection:
        found = takings.categories(connection, now=MONDAY, zone=ZONE, without=["fuel"])
        newest = takings.shop_sizes(connection, now=MONDAY, zone=ZONE)
    # seven receipts, all with milk: three of 30 元 and four of 36
    assert found["milk"] == Taken(1.0, round((3 * 3000 + 4 * 3600) / 7)) and found["tea"] == Taken(3 / 7, 8000)
    assert "fuel" not in found and next(iter(found)) == "milk"
    assert sorted(newest) == [3600] * 4 + [34_500] * 3


def test_baskets_are_what_was_kept_of_them(shop: PackShop) -> None:
    member, other = shop.member("oA"), shop.member("oB")
    shop.receipt(member, ago(3)[0], milk=3000, rice=5000)
    shop.receipt(member, ago(2)[0], milk=3000)
    shop.receipt(member, ago(300)[0], tea=9000)
    shop.receipt(member, date(2026, 11, 17), tea=9000)
    orders = table(Order)
    with shop.database.transaction() as connection:
        connection.execute(update(orders).where(orders.c.total == 8000).values(refunded=1000, state="part_refunded"))
        found = takings.sizes(connection, [member, other], now=MONDAY, zone=ZONE, days=200)
    assert {one: sorted(sizes) for one, sizes in found.items()} == {member: [3000, 7000]}


def test_by_counts_a_new_member_is_the_shop_and_an_old_one_mostly_themselves(shop: PackShop) -> None:
    member, new = shop.member("oA"), shop.member("oB")
    shop.receipt(member, ago(60)[0], milk=3000)
    shop.receipt(member, ago(1)[0], rice=5000)
    found = likely(shop, member, new)
    # five receipts: milk and rice on four of them, tea on three; half-life 60 days
    assert found[new]["milk"].chance == pytest.approx(4 / 5) and found[new]["tea"].chance == pytest.approx(3 / 5)
    assert found[new]["milk"] == Likely("milk", found[new]["milk"].chance, "popular", "大家常买")
    fresh = 0.5 ** (1 / 60)
    assert found[member]["milk"].chance == pytest.approx((0.5 + 3 * 0.8) / (0.5 + fresh + 3))
    assert found[member]["rice"].chance == pytest.approx((fresh + 3 * 0.8) / (0.5 + fresh + 3))
    assert found[member]["tea"].chance == pytest.approx(3 * 0.6 / (0.5 + fresh + 3))
    assert (found[member]["rice"].by, found[member]["rice"].words) == ("frequency", "近2天买过1次")
    assert all("fuel" not in mine for mine in found.values())


def test_by_the_row_articles_of_a_category_add_up_and_what_is_gone_is_out(shop: PackShop) -> None:
    member = shop.member("oA")
    products = table(Product)
    with shop.database.transaction() as connection:
        connection.execute(
            products.insert(),
            {"sku": "tea-2", "name": "茶叶二号", "category": "tea", "own_brand": False, "active": True},
        )
        connection.execute(update(products).where(products.c.sku == "egg-1").values(active=False))
    shop.scored(
        member,
        ("tea-1", 0.2, "alike", "和您买得相近的顾客常买"),
        ("tea-2", 0.5, "habit", "买过 3 次,上次 11 月 2 日"),
        ("egg-1", 0.9, "habit", "买过 9 次"),
        ("fuel-1", 0.9, "habit", "买过 9 次"),
        ("nothing", 0.9, "habit", "买过 9 次"),
    )
    tea = Likely("tea", 1 - 0.8 * 0.5, "habit", "买过 3 次,上次 11 月 2 日", (("tea-2", 0.5), ("tea-1", 0.2)))
    assert likely(shop, member) == {member: {"tea": tea}}
    shop.receipt(member, date(2026, 11, 16), tea=100)
    assert likely(shop, member) == {member: {"tea": tea}}, "it is ten in the morning: noon has not come"
    assert likely(shop, member, now=MONDAY + timedelta(hours=3)) == {member: {}}


def test_any_of_none_is_never() -> None:
    assert any_of([]) == 0.0 and any_of([("a", 1.0), ("b", 0.3)]) == 1.0
