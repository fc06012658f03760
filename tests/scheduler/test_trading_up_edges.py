"""Trade-up at the edges: which of what the night found is offered, to many members, and what is kept of it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert

from members import coupons, decisions, scores
from members.db import Database
from members.tables import Category, Product, table
from recommend import baskets
from scheduler import trading_up
from scheduler.legality import illegal_channels
from tests.scheduler.pack_shop import TODAY, gone, set_product
from tests.scheduler.small_shop import MONDAY
from tests.scheduler.upgrade_shop import GOLD, TEA, UP, OpenUp, UpgradeShop, morning, upgrade_rules

DAY = timedelta(days=1)
EGG = ["companion", "rice-1", "egg-1", 0.15, 2.0]
FISH = ["premium", "milk-1", "fish-1", 0.1, 300]


@pytest.fixture
def open_up(database: Database) -> OpenUp:
    """Opens the shop with parts of its campaign replaced."""
    return lambda **changes: UpgradeShop(database, upgrade_rules(**changes))


@pytest.fixture
def shop(open_up: OpenUp) -> UpgradeShop:
    """The shop as it is."""
    return open_up()


def offered(shop: UpgradeShop, now: datetime = MONDAY) -> list[str]:
    """The articles that would be offered now, by name."""
    return sorted(shop.plan(now).offers)


def test_a_way_that_is_not_wanted_is_passed_over_for_one_that_is(open_up: OpenUp) -> None:
    shop = open_up(want=["companion"])
    shop.led("oA", GOLD, FISH, TEA)
    shop.led("oB", GOLD)
    made = shop.plan()
    assert made.offers == {"茶叶一号": 1} and gone(made) == {"没有合适的优惠": 1}


def test_of_one_way_the_nights_order_stands(shop: UpgradeShop) -> None:
    shop.led("oA", FISH, GOLD, TEA)
    assert offered(shop) == ["鲜鱼一号"]


def test_the_next_is_offered_where_the_first_cannot_be(shop: UpgradeShop) -> None:
    shop.led("oA", GOLD, FISH)
    set_product(shop, "gold-1", active=False)
    assert offered(shop) == ["鲜鱼一号"]
    set_product(shop, "fish-1", category="fuel")
    assert offered(shop) == []


def test_what_leads_on_need_not_be_sold_any_more(shop: UpgradeShop) -> None:
    shop.led("oA")
    set_product(shop, "milk-1", active=False)
    assert offered(shop) == ["鲜奶金装"]


@pytest.mark.parametrize("sku", ["milk-1", "gold-1"])
def test_what_is_in_no_category_or_nowhere_in_the_books_is_left_out(shop: UpgradeShop, sku: str) -> None:
    shop.led("oA", GOLD, TEA)
    set_product(shop, sku, category=None)
    assert offered(shop) == ["茶叶一号"]
    products = table(Product)
    with shop.database.transaction() as connection:
        connection.execute(delete(products).where(products.c.sku == sku))
    assert offered(shop) == ["茶叶一号"]


def test_what_rests_is_the_article_offered_by_this_campaign_within_the_days(shop: UpgradeShop) -> None:
    member = shop.led("oA", GOLD, EGG)
    shop.apply()
    with shop.database.transaction() as connection:
        decisions.record(
            connection, member, campaign="别的", template="", reason="", trace={"product": "egg-1"}, now=MONDAY
        )
    rest = shop.rules.recommend.rest_days
    for days, left in ((7, "鸡蛋一号"), (rest - 1, "鸡蛋一号"), (rest + 1, "鲜奶金装")):
        now = MONDAY + days * DAY
        with shop.database.transaction() as connection:
            score = scores.Score(member, TODAY + days * DAY, upgrades=[GOLD, EGG])
            scores.put_many(connection, [score], now=now)
        assert offered(shop, now) == [left], days


def test_an_article_that_led_on_before_is_no_article_that_rests(shop: UpgradeShop) -> None:
    member = shop.led("oA", GOLD)
    shop.apply()
    with shop.database.transaction() as connection:
        score = scores.Score(member, TODAY + 7 * DAY, upgrades=[["premium", "gold-1", "fish-1", 0.1, 300]])
        scores.put_many(connection, [score], now=MONDAY + 7 * DAY)
    assert offered(shop, MONDAY + 7 * DAY) == ["鲜鱼一号"]


def test_the_day_of_a_row_is_the_shops_day(shop: UpgradeShop) -> None:
    # 07:30 on the 17th in Shanghai is still the 16th in London: a row of that morning counts already
    now = datetime(2026, 11, 16, 23, 30, tzinfo=UTC)
    today = shop.led("oA", day=date(2026, 11, 17))
    shop.led("oB", day=date(2026, 11, 10))
    assert [one.member for one in found(shop, now)] == [today]


def found(shop: UpgradeShop, now: datetime = MONDAY) -> list[Any]:
    """What the campaign has for everybody."""
    with shop.database.reading() as connection:
        some = trading_up.candidates(connection, UP, shop.rules, range(1, 20), now)
        return sorted(some, key=lambda one: one.member)  # the books give rows in no order


def test_what_is_bought_only_later_does_not_count_yet(shop: UpgradeShop) -> None:
    member = shop.led("oA")
    shop.takes(member, "gold-1", MONDAY + timedelta(hours=3))
    assert [one.member for one in found(shop)] == [member]
    assert found(shop, MONDAY + timedelta(hours=4)) == []


def test_members_are_read_some_after_others(shop: UpgradeShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trading_up, "AT_ONCE", 2)
    monkeypatch.setattr(baskets, "SKUS_AT_ONCE", 1)
    led = [shop.led(f"o{number}", *([GOLD], [TEA])[number % 2]) for number in range(5)]
    assert [(one.member, one.trace["product"]) for one in found(shop)] == [
        (member, ("gold-1", "tea-1")[number % 2]) for number, member in enumerate(led)
    ]


def test_why_is_kept_whole(shop: UpgradeShop) -> None:
    with shop.database.transaction() as connection:
        connection.execute(insert(table(Category)), {"code": "unnamed", "name": "", "department": ""})
    set_product(shop, "gold-1", category="unnamed")
    first, second = shop.led("oA"), shop.led("oB", TEA)
    kept = {one.member: one for one in found(shop)}
    assert kept[first].trace == {
        "by": "premium", "category": "unnamed", "category_name": "unnamed", "product": "gold-1",
        "product_name": "鲜奶金装", "usual": "milk-1", "usual_name": "鲜奶一号", "share": 0.1667, "extra": 500,
        "scored": "2026-11-16",
        "not_since": "1970-01-01",
    }  # fmt: skip
    assert kept[second].trace == {
        "by": "companion", "category": "tea", "category_name": "茶叶", "product": "tea-1", "product_name": "茶叶一号",
        "usual": "rice-1", "usual_name": "大米一号", "share": 0.23, "beyond": 2.4, "scored": "2026-11-16",
        "not_since": "1970-01-01",
    }  # fmt: skip
    assert (kept[second].category, kept[second].category_name) == ("tea", "茶叶")


def test_a_coupon_on_the_category_is_on_that_of_what_is_offered(open_up: OpenUp) -> None:
    by_category = {"title": "{category}九折", "percent": 10, "cap": 15, "scope": {"category": "{category}"}}
    shop = open_up(templates={"category-5": by_category}, offer={"template": "category-5"})
    shop.led("oA", TEA)
    shop.apply()
    [coupon] = shop.coupons()
    with shop.database.reading() as connection:
        scope = coupons.held(connection, coupons.by_id(connection, coupon.id)).rule.scope
    assert (coupon.title, scope.category) == ("茶叶九折", "tea")


def test_buying_the_usual_article_again_takes_nothing_back(shop: UpgradeShop) -> None:
    member = shop.led("oA")
    shop.takes(member, "milk-1", morning(TODAY))
    assert offered(shop) == ["鲜奶金装"]
    made = shop.plan()
    shop.takes(member, "milk-1", MONDAY + timedelta(minutes=5))
    assert shop.apply(made, MONDAY + timedelta(minutes=10)).put == 1


@pytest.mark.parametrize("products", [["milk-1"], ["{product}", "milk-1"], []])
def test_a_coupon_on_other_articles_is_no_coupon_on_what_is_offered(products: list[str]) -> None:
    odd = {"title": "九折", "percent": 10, "scope": {"products": products}}
    rules = upgrade_rules(templates={"odd": odd}, offer={"template": "odd"})
    [(path, words, _)] = illegal_channels({UP: rules.campaigns[UP]}, templates=rules.base.coupons)
    assert path == (UP, "offer", "template") and words.startswith("「odd」不是按每个人发的")
