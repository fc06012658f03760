"""Reading the books: what is summed, what is left out, and that nothing after now is seen."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from sqlalchemy import update

from members.tables import Order, table
from recommend import features
from recommend.features import By
from recommend.rules import RecommendRules
from tests.scheduler.small_shop import FUEL, MILK, MONDAY, RICE, ZONE, SmallShop, ago

RULES = RecommendRules(exclude=["汽油"])


def read(
    shop: SmallShop, *members: int, now: datetime = MONDAY, without: tuple[str, ...] = (), by: By = "category"
) -> dict[int, dict[str, list[tuple[date, int, int]]]]:
    """What is read of these members, as plain figures."""
    with shop.database.reading() as connection:
        found = features.read(connection, members, now=now, zone=ZONE, rules=RULES, without=without, by=by)
        return {
            member: {item: [(one.day, one.quantity, one.amount) for one in days] for item, days in bought.items()}
            for member, bought in found
        }


def test_days_are_summed_by_category_and_by_product(shop: SmallShop) -> None:
    one, other = shop.member(), shop.member()
    [early, late] = ago(10, 3)
    shop.buys(one, MILK, early, early, late, amount=500)
    shop.buys(one, RICE, late, amount=2000)
    assert read(shop, one, other) == {one: {MILK: [(early, 2, 1000), (late, 1, 500)], RICE: [(late, 1, 2000)]}}
    assert read(shop, one, by="product")[one]["milk-1"] == [(early, 2, 1000), (late, 1, 500)]


def test_nothing_after_now_and_nothing_before_the_look_back(shop: SmallShop) -> None:
    member = shop.member()
    shop.buys(member, MILK, *ago(366, 365, 1, 0, -1))
    assert [day for day, _, _ in read(shop, member)[member][MILK]] == ago(365, 1)
    later = read(shop, member, now=MONDAY + timedelta(days=2))
    assert [day for day, _, _ in later[member][MILK]] == ago(1, 0, -1)


def test_refunded_orders_and_excluded_categories_do_not_count(shop: SmallShop) -> None:
    member = shop.member()
    shop.buys(member, MILK, *ago(5))
    shop.buys(member, FUEL, *ago(4))
    with shop.database.transaction() as connection:
        names = features.category_names(connection)
        connection.execute(update(table(Order)).where(table(Order).c.day == ago(5)[0]).values(state="refunded"))
    assert names == {MILK: "鲜奶", RICE: "大米", FUEL: "汽油"}
    assert features.excluded_codes(RULES, names) == [FUEL]
    assert list(read(shop, member)[member]) == [FUEL]
    assert read(shop, member, without=(FUEL,)) == {}
