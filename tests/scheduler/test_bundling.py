"""Bundles: slow stock with what goes with it, at one price, for those likeliest to take both."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import insert

from members import decisions
from members.db import Database
from members.tables import Category, Product, table
from recommend.rules import RecommendRules
from scheduler.campaigns import PlanError
from scheduler.delivery import Deliverer
from scheduler.legality import illegal_channels
from scheduler.rules import Bundle
from tests.scheduler.bundle_shop import CAMPAIGN, NAME, TEA_MILK, BundleShop, OpenBundle, bundle_rules, gone
from tests.scheduler.pack_shop import TODAY, mute, no_more_personal, set_product
from tests.scheduler.small_shop import MONDAY, FakeWire, ago

DAY = timedelta(days=1)


@pytest.fixture
def open_shop(database: Database) -> OpenBundle:
    """Opens the shop with parts of its campaign replaced."""
    return lambda **changes: BundleShop(database, bundle_rules(**changes))


@pytest.fixture
def shop(open_shop: OpenBundle) -> BundleShop:
    """The shop as it is."""
    return open_shop()


def test_who_buys_what_its_buyers_buy_gets_both_articles_at_one_price(shop: BundleShop) -> None:
    likely = shop.buys("oA", egg=2000)
    shop.buys("oB", soap=1500)
    shop.member("oC")
    made = shop.plan()
    assert (made.arms, made.offers, made.templates) == ({"send": 1}, {"茶叶一号、鲜奶一号": 1}, {"tea-milk": 1})
    assert (made.cost.coupons, made.cost.at_most, made.cost.unbounded) == (1, 600, 0)
    assert gone(made) == {"没有合适的优惠": 2}
    [sample] = made.samples
    assert sample.text == "普卡会员您好,茶叶一号、鲜奶一号一起买更划算:「茶叶配鲜奶19元」(券码发出时生成)"
    assert shop.apply(made).put == 1
    [message], [coupon] = shop.outbox(), shop.coupons()
    assert (message.member_id, message.kind, message.content["until_took"]) == (likely, "marketing", "tea-1")
    assert message.content["personal"] and coupon.title == "茶叶配鲜奶19元" and coupon.member_id == likely
    with shop.database.reading() as connection:
        [stored] = decisions.latest(connection, likely)
    assert stored.reason == "您买过鸡蛋一号;买茶叶一号的会员里100%也买它,所有会员里是24%" == coupon.reason
    kept = {name: stored.trace[name] for name in ("by", "category", "product", "articles", "usual", "share", "base")}
    assert kept == {
        "by": "bundle", "category": "tea", "product": "tea-1", "articles": ["tea-1", "milk-1"], "usual": "egg-1",
        "share": 1.0, "base": 0.2353,
    }  # fmt: skip


def test_the_likeliest_come_first_and_no_more_than_asked_for(open_shop: OpenBundle) -> None:
    shop = open_shop(likeliest=1)
    shop.buys("oA", egg=2000, milk=3000, soap=1500)
    best = shop.buys("oB", *ago(30, 20, 10), egg=2000, milk=3000)
    assert shop.plan().arms == {"send": 1}
    shop.apply()
    assert [one.member_id for one in shop.decided()] == [best]


def test_no_more_members_than_there_are_coupons(open_shop: OpenBundle) -> None:
    shop = open_shop(templates={"tea-milk": {**TEA_MILK, "stock": 1}})
    shop.buys("oA", egg=2000, milk=3000, soap=1500)
    best = shop.buys("oB", *ago(30, 20, 10), egg=2000, milk=3000)
    assert (made := shop.apply()).put == 1 and made.no_coupon == 0
    assert [one.member_id for one in shop.coupons()] == [best]
    with pytest.raises(PlanError, match="券「tea-milk」已经发完或过期"):
        shop.plan(MONDAY + 7 * DAY)


@pytest.mark.parametrize(
    ("change", "step"),
    [
        (no_more_personal, "不要个性化"),
        (mute, "已退订"),
        (lambda shop, member: shop.receipt(member, *ago(28), tea=8000), "没有合适的优惠"),
    ],
)
def test_who_gets_nothing(shop: BundleShop, change: Any, step: str) -> None:
    member = shop.buys("oA", egg=2000, milk=3000)
    assert shop.plan().arms == {"send": 1}
    change(shop, member)
    assert gone(shop.plan()) == {step: 1}


def test_who_took_the_slow_article_long_ago_is_the_likeliest(shop: BundleShop) -> None:
    member = shop.buys("oA", *ago(29), tea=8000, milk=3000)
    shop.apply()
    [decided] = shop.decided()
    assert (decided.member_id, decided.reason, decided.trace["usual"]) == (member, "您买过茶叶一号", "tea-1")


def test_an_article_nobody_has_bought_yet_goes_to_who_buys_its_kind(open_shop: OpenBundle) -> None:
    new = {**TEA_MILK, "bundle": {"products": ["tea-2", "milk-1"], "price": 19}}
    shop = open_shop(templates={"tea-milk": new})
    shop.buys("oA", egg=2000, milk=3000)
    fond = shop.buys("oB", *ago(20, 10), tea=8000, milk=3000)
    add(shop, "tea-2", "茶叶二号", "tea")
    shop.apply()
    [decided] = shop.decided()
    assert (decided.member_id, decided.reason) == (fond, "您买过茶叶一号,和茶叶二号是同一类")


def add(shop: BundleShop, sku: str, name: str, category: str) -> None:
    row = {"sku": sku, "name": name, "category": category, "own_brand": False, "active": True}
    with shop.database.transaction() as connection:
        connection.execute(insert(table(Product)), row)


def test_where_nothing_tells_who_might_want_the_slow_article_nobody_is_asked(open_shop: OpenBundle) -> None:
    alone = {**TEA_MILK, "bundle": {"products": ["cup-1", "milk-1"], "price": 19}}
    shop = open_shop(templates={"tea-milk": alone})
    with shop.database.transaction() as connection:
        connection.execute(insert(table(Category)), {"code": "cup", "name": "杯子", "department": ""})
    add(shop, "cup-1", "茶杯", "cup")
    shop.buys("oA", egg=2000, milk=3000)
    assert gone(shop.plan()) == {"没有合适的优惠": 1}


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"active": False}, "套餐里的「茶叶一号」(tea-1)已经下架"),
        ({"category": None}, "没有品类,或品类在 recommend.exclude 里"),
        ({"category": "fuel"}, "没有品类,或品类在 recommend.exclude 里"),
        ({"sku": "tea-9"}, "套餐里的「tea-1」不在商品里"),
    ],
)
def test_what_cannot_be_sold_together_is_said(shop: BundleShop, values: dict[str, Any], complaint: str) -> None:
    shop.buys("oA", egg=2000)
    set_product(shop, "tea-1", **values)
    with pytest.raises(PlanError) as refused:
        shop.plan()
    assert complaint in str(refused.value)


def test_a_live_copy_the_limit_of_a_member_and_rest_are_respected(open_shop: OpenBundle) -> None:
    shop = open_shop(templates={"tea-milk": {**TEA_MILK, "valid": "3 days", "per_member": 2}})
    shop.buys("oA", egg=2000, milk=3000)
    assert shop.apply().put == 1
    assert gone(shop.plan(MONDAY + DAY)) == {"本期已有": 1}
    week = MONDAY + 7 * DAY
    assert gone(shop.plan(week)) == {"没有合适的优惠": 1}  # offered a week ago
    shop.rules = replace(shop.rules, recommend=RecommendRules(exclude=["汽油"], rest_days=3))
    assert shop.apply(now=week).put == 1  # the first copy has run out, this one lives
    assert gone(shop.plan(week + 7 * DAY)) == {"没有合适的优惠": 1}  # two copies are all there are for one


def test_who_holds_a_copy_is_not_offered_another(open_shop: OpenBundle) -> None:
    shop = open_shop(templates={"tea-milk": {**TEA_MILK, "valid": "30 days"}})
    shop.buys("oA", egg=2000, milk=3000)
    shop.rules = replace(shop.rules, recommend=RecommendRules(exclude=["汽油"], rest_days=0))
    assert shop.apply().put == 1
    assert gone(shop.plan(MONDAY + 7 * DAY)) == {"没有合适的优惠": 1}


def test_who_bought_the_slow_article_meanwhile_gets_nothing(shop: BundleShop) -> None:
    buyer, willing = shop.buys("oA", egg=2000, milk=3000), shop.buys("oB", egg=2000, milk=3000)
    shop.buys("oC", soap=1500)
    made = shop.plan()
    shop.receipt(buyer, TODAY, tea=8000)
    shop.receipt(willing, TODAY, milk=3000)
    done = shop.apply(made, MONDAY + timedelta(hours=3))
    assert (done.put, done.no_longer) == (1, 1)
    assert {one.member_id for one in shop.coupons()} == {willing}


@pytest.mark.parametrize("sku", ["tea-1", "milk-1"])
def test_what_is_taken_off_the_shelf_ends_it(shop: BundleShop, sku: str) -> None:
    shop.buys("oA", egg=2000, milk=3000)
    made = shop.plan()
    set_product(shop, sku, active=False)
    assert (done := shop.apply(made)).put == 0 and done.no_longer == 1


def test_a_purchase_booked_late_ends_it_if_it_was_made_within_the_rest(shop: BundleShop) -> None:
    late, long_ago = shop.buys("oA", egg=2000, milk=3000), shop.buys("oB", egg=2000, milk=3000)
    made = shop.plan()
    shop.receipt(late, *ago(28), tea=8000)
    shop.receipt(long_ago, *ago(29), tea=8000)
    done = shop.apply(made)
    assert (done.put, done.no_longer) == (1, 1)
    assert {one.member_id for one in shop.coupons()} == {long_ago}


def test_a_message_on_its_way_ends_once_the_slow_article_is_bought(shop: BundleShop) -> None:
    kept, dropped = shop.buys("oA", egg=2000, milk=3000), shop.buys("oB", egg=2000, milk=3000)
    shop.buys("oC", soap=1500)
    shop.apply()
    shop.receipt(dropped, TODAY, tea=8000)
    later = MONDAY + timedelta(hours=3)
    for openid in ("oA", "oB"):
        shop.writes(openid, later)
    wire = FakeWire()
    Deliverer(shop.database, shop.vault, wire, shop.rules).deliver_all(later + timedelta(minutes=1))
    assert [(channel, to) for channel, to, _ in wire.sent] == [("service", "oA")]
    assert {one.member_id: one.state for one in shop.outbox()} == {kept: "sent", dropped: "cancelled"}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"offer": None}, "offer"),
        ({"offer": {"template": "tea-milk", "plain": "off-5"}}, "不写 say_plain 和 offer.plain"),
        ({"say_plain": "您好"}, "不写 say_plain 和 offer.plain"),
        ({"likeliest": 0}, "greater than or equal to 1"),
        ({"say": "{category}"}, "不认识的占位 {category},可以用 {member}{coupon}{product}"),
    ],
)
def test_what_a_campaign_may_not_say(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint.replace("{", r"\{")):
        Bundle.model_validate(CAMPAIGN | change)


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        (TEA_MILK, None),
        ({"title": "满50减5", "off": 5, "over": 50}, "「odd」不是套餐券:要写 bundle,第一样是要清的"),
        ({**TEA_MILK, "title": "{product}套餐"}, "「odd」发给每个人的都一样,标题里不能有花括号"),
    ],
)
def test_the_coupon_is_a_bundle(template: dict[str, Any], complaint: str | None) -> None:
    rules = bundle_rules(templates={"odd": template}, offer={"template": "odd"})
    found = illegal_channels({NAME: rules.campaigns[NAME]}, templates=rules.base.coupons)
    assert [words for _, words, _ in found] == ([] if complaint is None else [complaint])
