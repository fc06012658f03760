"""Trade-up and cross-sell: what the night found, offered as it still stands, with its reason in the decision."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import update

from members import coupons, decisions, scores
from members.db import Database
from members.rules import CouponRule
from members.tables import MemberScore, table
from scheduler import audience
from scheduler.campaigns import PlanError
from scheduler.delivery import Deliverer
from scheduler.legality import illegal_channels
from scheduler.rules import PolicyRules, TradeUp
from tests.scheduler.pack_shop import TODAY, gone, mute, no_more_personal, set_product
from tests.scheduler.small_shop import MONDAY, FakeWire, push_rules
from tests.scheduler.upgrade_shop import (
    CAMPAIGN,
    GOLD,
    PRODUCT_10,
    TEA,
    UP,
    OpenUp,
    UpgradeShop,
    morning,
    upgrade_rules,
)

DAY = timedelta(days=1)


@pytest.fixture
def open_up(database: Database) -> OpenUp:
    """Opens the shop with parts of its campaign replaced."""
    return lambda **changes: UpgradeShop(database, upgrade_rules(**changes))


@pytest.fixture
def shop(open_up: OpenUp) -> UpgradeShop:
    """The shop as it is."""
    return open_up()


def test_the_dearer_article_is_offered_with_a_coupon_on_it_and_the_reason_is_kept(shop: UpgradeShop) -> None:
    member = shop.led("oA")
    made = shop.plan()
    assert (made.arms, made.offers, made.templates) == ({"send": 1}, {"鲜奶金装": 1}, {"product-10": 1})
    assert (made.cost.coupons, made.cost.at_most) == (1, 1500)
    [sample] = made.samples
    assert sample.text == "普卡会员您好,您常买鲜奶一号,不妨试试鲜奶金装:「鲜奶金装九折」(券码发出时生成)"
    assert shop.apply(made).put == 1
    [message], [coupon] = shop.outbox(), shop.coupons()
    assert (message.kind, message.content["personal"], message.content["until_took"]) == ("marketing", True, "gold-1")
    assert message.content["text"].startswith("普卡会员您好,您常买鲜奶一号,不妨试试鲜奶金装:「鲜奶金装九折」(券码 ")
    assert coupon.title == "鲜奶金装九折"
    with shop.database.reading() as connection:
        [stored] = decisions.latest(connection, member)
        scope = coupons.held(connection, coupons.by_id(connection, coupon.id)).rule.scope
    assert scope.products == ["gold-1"]
    assert stored.reason == "您常买鲜奶一号;买过它的会员后来有17%也买了鲜奶金装" == coupon.reason
    kept = {name: stored.trace[name] for name in ("by", "category", "product", "usual", "share", "extra", "scored")}
    assert kept == {
        "by": "premium", "category": "milk", "product": "gold-1", "usual": "milk-1", "share": 0.1667, "extra": 500,
        "scored": "2026-11-16",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("want", "product"),
    [(["premium", "companion"], "gold-1"), (["companion", "premium"], "tea-1"), (["companion"], "tea-1")],
)
def test_the_way_written_first_is_preferred(open_up: OpenUp, want: list[str], product: str) -> None:
    shop = open_up(want=want)
    shop.led("oA", GOLD, TEA)
    shop.apply()
    [decided] = shop.decided()
    assert decided.trace["product"] == product
    if product == "tea-1":
        assert decided.reason == "您常买大米一号;买它的那些天里23%也买了茶叶一号,是各买各的2.4倍"


def test_how_much_dearer_is_told_by_todays_prices(shop: UpgradeShop) -> None:
    shop.led("oA")
    set_product(shop, "milk-1", price=1000)
    set_product(shop, "gold-1", price=1299)
    [sample] = shop.plan().samples
    assert sample.reason == "您常买鲜奶一号;买过它的会员后来有17%也买了鲜奶金装,每件多2.99元"


def test_what_is_taken_off_the_shelf_is_offered_no_more(shop: UpgradeShop) -> None:
    shop.led("oA")
    made = shop.plan()
    set_product(shop, "gold-1", active=False)
    assert (done := shop.apply(made)).put == 0 and done.no_longer == 1


def test_what_is_taken_off_the_shelf_on_its_way_does_not_go_out(shop: UpgradeShop) -> None:
    shop.led("oA")
    assert shop.apply().put == 1
    set_product(shop, "gold-1", active=False)
    shop.writes("oA", MONDAY + timedelta(minutes=1))
    wire = FakeWire()
    Deliverer(shop.database, shop.vault, wire, shop.rules).deliver_all(MONDAY + timedelta(minutes=2))
    assert wire.sent == [] and [(one.state, one.note) for one in shop.outbox()] == [("cancelled", "商品已下架")]


def test_without_a_coupon_it_is_a_word(open_up: OpenUp) -> None:
    shop = open_up(offer=None, say="您常买{usual},也看看{category}里的{product}")
    shop.led("oA")
    assert shop.apply().put == 1
    [message] = shop.outbox()
    assert message.content["text"].startswith("您常买鲜奶一号,也看看鲜奶里的鲜奶金装\n") and shop.coupons() == []


def test_what_was_bought_since_the_night_is_not_offered(shop: UpgradeShop) -> None:
    member = shop.led("oA", GOLD, TEA)
    shop.takes(member, "gold-1", morning(TODAY))
    shop.apply()
    assert [one.trace["product"] for one in shop.decided()] == ["tea-1"]


@pytest.mark.parametrize(
    ("change", "step"),
    [
        (no_more_personal, "不要个性化"),
        (mute, "已退订"),
        (lambda shop, _: set_product(shop, "gold-1", active=False), "没有合适的优惠"),
        (lambda shop, _: set_product(shop, "gold-1", category="fuel"), "没有合适的优惠"),
        (lambda shop, _: set_product(shop, "gold-1", name="鲜奶一号"), "没有合适的优惠"),
        (lambda shop, _: [set_product(shop, sku, price=900) for sku in ("milk-1", "gold-1")], "没有合适的优惠"),
        (lambda shop, _: set_product(shop, "milk-1", category="fuel"), "没有合适的优惠"),
        (lambda shop, member: shop.takes(member, "gold-1", morning(TODAY)), "没有合适的优惠"),
    ],
)
def test_who_gets_nothing(shop: UpgradeShop, change: Any, step: str) -> None:
    member = shop.led("oA")
    assert shop.plan().arms == {"send": 1}
    change(shop, member)
    assert gone(shop.plan()) == {step: 1}


def test_the_row_of_a_night_long_ago_or_of_none_leads_to_nothing(shop: UpgradeShop) -> None:
    old = shop.led("oA", day=TODAY - 7 * DAY)
    shop.member("oB")
    before = shop.led("oC")
    scored = table(MemberScore)
    with shop.database.transaction() as connection:  # as a row stands that was written before there were upgrades
        connection.execute(update(scored).where(scored.c.member_id == before).values(upgrades=None))
    assert gone(shop.plan()) == {"没有合适的优惠": 3}
    with shop.database.transaction() as connection:
        scores.drop(connection, [before])
    with pytest.raises(PlanError, match="还没有打过分"):
        shop.plan()
    # the period is still there when the night has come
    with shop.database.transaction() as connection:
        scores.put_many(connection, [scores.Score(old, TODAY, upgrades=[GOLD])], now=MONDAY)
    assert shop.apply(now=MONDAY + timedelta(hours=1)).put == 1


def test_who_still_holds_such_a_coupon_gets_no_second_one(open_up: OpenUp) -> None:
    shop = open_up(templates={"product-10": {**PRODUCT_10, "valid": "10 days"}})
    shop.rules = replace(shop.rules, recommend=shop.rules.recommend.model_copy(update={"rest_days": 0}))
    member = shop.led("oA")
    assert shop.apply().put == 1
    for days, arms in ((7, {}), (14, {"send": 1})):
        later = MONDAY + days * DAY
        with shop.database.transaction() as connection:
            scores.put_many(connection, [scores.Score(member, TODAY + days * DAY, upgrades=[GOLD])], now=later)
        assert shop.plan(later).arms == arms


def test_hold_outs_caps_and_rest_are_those_of_every_campaign(open_up: OpenUp) -> None:
    shop = open_up(templates={"product-10": {**PRODUCT_10, "valid": "3 days"}})
    shop.led("oA")
    assert shop.apply().put == 1
    assert gone(shop.plan(MONDAY + DAY)) == {"本期已有": 1}
    # the next week the gold milk rests, and there is nothing else
    member = shop.decided()[0].member_id
    with shop.database.transaction() as connection:
        scores.put_many(connection, [scored_again(member)], now=MONDAY + 7 * DAY)
    assert gone(shop.plan(MONDAY + 7 * DAY)) == {"没有合适的优惠": 1}
    shop.rules = replace(shop.rules, recommend=shop.rules.recommend.model_copy(update={"rest_days": 3}))
    assert shop.plan(MONDAY + 7 * DAY).arms == {"send": 1}
    policy = PolicyRules.model_validate({"hold_out": "0%", "at_most": [{"messages": 1, "within": "30 days"}]})
    shop.rules = replace(shop.rules, policy=policy)
    assert gone(shop.plan(MONDAY + 7 * DAY)) == {"频次已满": 1}
    up = shop.rules.campaigns[UP].model_copy(update={"hold_out": 1.0})
    shop.rules = replace(shop.rules, campaigns={**shop.rules.campaigns, UP: up})
    assert shop.plan(MONDAY + 7 * DAY).arms == {audience.HOLD_OUT: 1}


def scored_again(member: int) -> scores.Score:
    return scores.Score(member, TODAY + 7 * DAY, upgrades=[GOLD])


def test_who_bought_it_or_left_between_plan_and_apply_gets_nothing(shop: UpgradeShop) -> None:
    buyer, refuser, willing = shop.led("oA"), shop.led("oB"), shop.led("oC")
    made = shop.plan()
    shop.takes(buyer, "gold-1", MONDAY + timedelta(minutes=5))
    shop.takes(willing, "tea-1", MONDAY + timedelta(minutes=5))
    no_more_personal(shop, refuser)
    done = shop.apply(made, MONDAY + timedelta(minutes=10))
    assert (done.put, done.no_longer) == (1, 2)
    assert {one.member_id for one in shop.coupons()} == {one.member_id for one in shop.decided()} == {willing}


def test_a_purchase_booked_late_ends_it_too(shop: UpgradeShop) -> None:
    member = shop.led("oA")
    made = shop.plan()
    shop.takes(member, "gold-1", morning(TODAY - 40 * DAY))
    assert (done := shop.apply(made)).put == 0 and done.no_longer == 1


def test_a_message_on_its_way_ends_once_the_article_is_bought(shop: UpgradeShop) -> None:
    kept, dropped = shop.led("oA"), shop.led("oB")
    shop.apply()
    shop.takes(dropped, "gold-1", MONDAY + timedelta(minutes=5))
    for openid in ("oA", "oB"):
        shop.writes(openid, MONDAY + timedelta(minutes=6))
    wire = FakeWire()
    Deliverer(shop.database, shop.vault, wire, shop.rules).deliver_all(MONDAY + timedelta(minutes=7))
    assert [(channel, to) for channel, to, _ in wire.sent] == [("service", "oA")]
    assert {one.member_id: one.state for one in shop.outbox()} == {kept: "sent", dropped: "cancelled"}


def test_a_stock_of_one_is_given_once(open_up: OpenUp) -> None:
    shop = open_up(templates={"product-10": {**PRODUCT_10, "stock": 1}})
    shop.led("oA"), shop.led("oB")
    done = shop.apply()
    assert (done.put, done.no_coupon) == (1, 1) and len(shop.coupons()) == len(shop.decided()) == 1


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"want": []}, "at least 1"),
        ({"want": ["premium", "premium"]}, "同一样写了两次"),
        ({"want": ["luxury"]}, "premium"),
        ({"say": "{usual:d}"}, "占位里只写名字:{usual}"),
        ({"say": "{usual!r}"}, "占位里只写名字:{usual}"),
        ({"offer": None}, "还要写 offer"),
        ({"offer": {"template": "product-10", "plain": "off-5"}}, "不写 say_plain 和 offer.plain"),
        ({"say_plain": "您好"}, "不写 say_plain 和 offer.plain"),
        ({"say": "{last}"}, "不认识的占位 {last},可以用 {member}{category}{coupon}{product}{usual}"),
    ],
)
def test_what_a_campaign_may_not_say(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint.replace("{", r"\{")):
        TradeUp.model_validate(CAMPAIGN | change)


def test_one_way_alone_needs_no_list() -> None:
    assert TradeUp.model_validate(CAMPAIGN | {"want": "companion"}).want == ["companion"]


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        (PRODUCT_10, None),
        ({"title": "{category}九折", "percent": 10, "scope": {"category": "{category}"}}, None),
        ({"title": "满50减5", "off": 5, "over": 50},
         "「odd」不是按每个人发的:要写 scope.products: [\"{product}\"] 或 scope.category: \"{category}\""),
        ({"title": "{category}九折", "percent": 10, "scope": {"products": ["{product}"]}},
         "「odd」的标题里有 {category},scope.category 也要写 {category}"),
    ],
)  # fmt: skip
def test_the_coupon_is_on_what_is_offered(template: dict[str, Any], complaint: str | None) -> None:
    rules = upgrade_rules(templates={"odd": template}, offer={"template": "odd"})
    found = illegal_channels({UP: rules.campaigns[UP]}, templates=rules.base.coupons)
    assert [words for _, words, _ in found] == ([] if complaint is None else [complaint])


def test_usual_and_product_are_only_for_campaigns_that_know_them() -> None:
    with pytest.raises(ValidationError, match="不认识的占位"):
        push_rules(offer={"say": "{usual}"})
    assert CouponRule.model_validate(PRODUCT_10).title == "{product}九折"
