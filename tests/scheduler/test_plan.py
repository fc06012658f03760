"""Planning and applying: whom, what, why, through which channel, once per period."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from members import consent, decisions
from members.tables import Audience, CampaignPlan, Decision, table
from scheduler import policy, reports
from scheduler.applying import Applied, apply_plan
from scheduler.campaigns import PlanError
from scheduler.plan import Plan, load_plan, make_plan
from tests.scheduler.small_shop import FUEL, MILK, MONDAY, RICE, SmallShop, ago, push_rules

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OPEN = MONDAY - HOUR


def plan(shop: SmallShop, name: str = "每周优惠", now: Any = MONDAY) -> Plan:
    """A plan of one of the shop's campaigns."""
    return make_plan(shop.database, name, shop.rules, now)


def apply(shop: SmallShop, name: str = "每周优惠", now: Any = MONDAY) -> Applied:
    """Plan and apply at once."""
    return apply_plan(shop.database, plan(shop, name, now).id, shop.rules, now)


def gone(made: Plan) -> dict[str, int]:
    """How many members left at each step of the funnel that took any."""
    return {step.name: step.gone for step in made.steps if step.gone}


def drinker(shop: SmallShop, openid: str | None, **how: Any) -> int:
    """A member with the habit of milk."""
    member = shop.member(openid, **how)
    shop.buys(member, MILK, *ago(15, 8, 1))
    return member


def test_the_offer_is_what_the_member_buys_most_and_says_why(shop: SmallShop) -> None:
    member = drinker(shop, "oA", wrote=OPEN)
    shop.buys(member, FUEL, *ago(9, 8, 7, 6, 5))
    shop.buys(member, RICE, *ago(300, 290, 280, 270))
    made = plan(shop)
    assert (made.channels, made.offers, made.arms) == ({"service": 1}, {"鲜奶": 1}, {"send": 1})
    assert (made.cost.coupons, made.cost.at_most, made.cost.unbounded) == (1, 1500, 0)
    [sample] = made.samples
    assert sample.text == "普卡会员您好,您常买的鲜奶有优惠:「鲜奶九折」(券码发出时生成)"
    assert sample.reason == "您近60天买过3次鲜奶"
    assert shop.outbox() == [] and shop.coupons() == []


def test_applying_issues_the_coupon_and_stores_the_decision(shop: SmallShop) -> None:
    member = drinker(shop, "oA", wrote=OPEN)
    assert apply(shop).put == 1
    [message], [coupon] = shop.outbox(), shop.coupons()
    assert (coupon.member_id, coupon.title, coupon.state) == (member, "鲜奶九折", "issued")
    assert message.key == coupon.key == f"每周优惠:2026-W47:{member}"
    assert (message.kind, message.channels, message.state) == ("marketing", ["service", "next_reply"], "pending")
    assert message.expires_at == MONDAY + 7 * DAY
    dashed = "-".join(coupon.code[i : i + 4] for i in (0, 4, 8))
    assert f"「鲜奶九折」(券码 {dashed},有效期至11月26日)" in message.content["text"]
    assert message.content["text"].endswith("回复「为什么」看原因,回复「退订」不再收到")
    with shop.database.reading() as connection:
        [why] = decisions.latest(connection, member)
    assert (why.campaign, why.reason, why.coupon, why.template) == (
        "每周优惠", "您近60天买过3次鲜奶", coupon.code, "category-10",
    )  # fmt: skip
    assert why.trace["category"] == MILK and why.trace["days"] == 3


def test_the_funnel_says_why_each_member_is_left_out(open_shop: Callable[..., SmallShop]) -> None:
    shop = open_shop(offer={"to": "金卡", "offer": {"template": "category-10"}})
    drinker(shop, "plain card")
    drinker(shop, None, tier="金卡")
    refused, quiet = drinker(shop, "refused", tier="金卡"), drinker(shop, "quiet", tier="金卡")
    shop.member("no habit", tier="金卡")
    drinker(shop, "yes", tier="金卡")
    with shop.database.transaction() as connection:
        subject = consent.of_member(refused)
        consent.answer(connection, subject, consent.MARKETING, False, source="test", now=MONDAY)
        consent.personalise(connection, quiet, False, source="test", now=MONDAY)
    made = plan(shop)
    assert made.steps[0].left == 5
    assert gone(made) == {"没有合法渠道可达": 1, "已退订": 1, "不要个性化": 1, "没有合适的优惠": 1}
    assert (made.channels, made.steps[-1].left) == ({"next_reply": 1}, 1)


def test_who_wants_nothing_personal_gets_the_offer_for_everybody(shop: SmallShop) -> None:
    member = drinker(shop, "oA", wrote=OPEN)
    with shop.database.transaction() as connection:
        consent.personalise(connection, member, False, source="test", now=MONDAY)
    assert apply(shop).put == 1
    [message], [coupon] = shop.outbox(), shop.coupons()
    assert (coupon.template, coupon.title) == ("off-5", "满50减5")
    assert message.reason == "「每周优惠」送给所有会员,没有参考您的购买记录"
    assert "鲜奶" not in message.content["text"]
    assert not message.content["personal"]
    assert apply(shop, "复购提醒").put == 0


def test_a_period_is_served_once(shop: SmallShop) -> None:
    drinker(shop, "oA")
    first = plan(shop)
    assert apply_plan(shop.database, first.id, shop.rules, MONDAY).put == 1
    with pytest.raises(PlanError, match="已经执行过"):
        apply_plan(shop.database, first.id, shop.rules, MONDAY)
    second = plan(shop, now=MONDAY + DAY)
    assert gone(second) == {"本期已有": 1}
    with pytest.raises(PlanError, match="这一期已经发过"):
        apply_plan(shop.database, second.id, shop.rules, MONDAY + DAY)
    assert len(shop.outbox()) == len(shop.coupons()) == 1


def test_the_same_category_rests_and_another_takes_its_turn(shop: SmallShop) -> None:
    member = drinker(shop, "oA")
    shop.buys(member, RICE, *ago(100, 60, 30))
    titles = []
    for week in range(3):
        now = MONDAY + 7 * week * DAY
        apply(shop, now=now)
        titles = [coupon.title for coupon in shop.coupons()]
    assert titles == ["鲜奶九折", "大米九折"]


@pytest.mark.parametrize(
    ("change", "later", "complaint"),
    [
        ({"offer": {"say": "{member},{coupon}"}}, HOUR, "配置在做方案之后改过"),
        ({"policy": {"hold_out": "1%"}}, HOUR, "配置在做方案之后改过"),
        ({"coupon_rules": {"category-10": {"title": "八折", "percent": 20}}}, HOUR, "配置在做方案之后改过"),
        ({"offer": {"on": False}}, HOUR, "停用"),
        ({}, 25 * HOUR, "超过24小时"),
    ],
)
def test_a_stale_plan_is_refused(shop: SmallShop, change: dict[str, Any], later: timedelta, complaint: str) -> None:
    drinker(shop, "oA")
    made = plan(shop)
    with pytest.raises(PlanError, match=complaint):
        apply_plan(shop.database, made.id, push_rules(**change), MONDAY + later)
    assert shop.outbox() == [] and shop.coupons() == []


def test_only_the_newest_plan_of_its_own_period_is_applied(shop: SmallShop) -> None:
    drinker(shop, "oA")
    old, new = plan(shop), plan(shop, now=MONDAY + HOUR)
    with pytest.raises(PlanError, match="最新"):
        apply_plan(shop.database, old.id, shop.rules, MONDAY + 2 * HOUR)
    assert apply_plan(shop.database, new.id, shop.rules, MONDAY + 2 * HOUR).put == 1
    sunday = plan(shop, now=MONDAY + 6 * DAY)
    with pytest.raises(PlanError, match="新的一期"):
        apply_plan(shop.database, sunday.id, shop.rules, MONDAY + 6 * DAY + 23 * HOUR)


def test_no_plan_of_what_is_not_there(open_shop: Callable[..., SmallShop]) -> None:
    shop = open_shop(offer={"on": False})
    with pytest.raises(PlanError, match="没有叫「x」的活动"):
        plan(shop, "x")
    with pytest.raises(PlanError, match="已停用"):
        plan(shop)
    with pytest.raises(PlanError, match="没有编号"):
        apply_plan(shop.database, "x", shop.rules, MONDAY)


def test_held_out_members_are_kept_with_the_offer_they_did_not_get(open_shop: Callable[..., SmallShop]) -> None:
    shop = open_shop(offer={"hold_out": "30%"}, policy={"hold_out": "20%"})
    members = [drinker(shop, f"o{number}") for number in range(20)]
    made = plan(shop)
    globally = {m for m in members if policy.held_out(m, 0.2)}
    here = {m for m in members if policy.held_out(m, 0.3, "每周优惠")} - globally
    assert globally and here
    assert apply_plan(shop.database, made.id, shop.rules, MONDAY).put == 20 - len(globally | here)
    assert {message.member_id for message in shop.outbox()} == set(members) - globally - here
    with shop.database.reading() as connection:
        rows = connection.execute(select(table(Audience))).all()
    assert {row.member_id for row in rows if row.arm == "hold_out_global"} == globally
    assert {row.member_id for row in rows if row.arm == "hold_out"} == here
    assert all(row.template == "category-10" and row.reason for row in rows)


def test_the_caps_of_all_campaigns_hold_together(open_shop: Callable[..., SmallShop]) -> None:
    shop = open_shop(policy={"at_most": [{"messages": 1, "within": "7 days"}]})
    member = drinker(shop, "oA")
    shop.buys(member, RICE, *ago(112, 84, 56, 28))
    assert apply(shop).put == 1
    made = plan(shop, "复购提醒")
    assert gone(made) == {"频次已满": 1}


def test_stock_ends_in_the_middle_and_nothing_else_is_lost(open_shop: Callable[..., SmallShop]) -> None:
    shop = open_shop(coupon_rules={"category-10": {"title": "{category}九折", "percent": 10, "stock": 2}})
    members = [drinker(shop, f"o{number}") for number in range(4)]
    made = plan(shop)
    assert made.cost.unbounded == 4
    done = apply_plan(shop.database, made.id, shop.rules, MONDAY)
    assert (done.put, done.no_coupon) == (2, 2)
    assert [message.member_id for message in shop.outbox()] == members[:2]
    with shop.database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(table(Decision))).scalar_one() == 2


def test_an_interrupted_apply_is_taken_up_where_it_ended(shop: SmallShop) -> None:
    for number in range(3):
        drinker(shop, f"o{number}")
    made = plan(shop)
    with shop.database.transaction() as connection:
        connection.execute(table(Audience).delete().where(table(Audience).c.member_id == 3))
    apply_plan(shop.database, made.id, shop.rules, MONDAY)
    with shop.database.transaction() as connection:
        connection.execute(table(CampaignPlan).update().values(applied_at=None))
        row = {"plan_id": made.id, "member_id": 3, "arm": "send", "template": "category-10", "text": "{coupon}"}
        connection.execute(table(Audience).insert(), {**row, "channel": "", "reason": "r", "trace": {"category": MILK}})
    done = apply_plan(shop.database, made.id, shop.rules, MONDAY)
    assert (done.put, done.already) == (1, 2)
    assert len(shop.coupons()) == 3


def test_a_reminder_comes_once_per_cycle(shop: SmallShop) -> None:
    member = drinker(shop, "oA")
    shop.buys(member, RICE, *ago(112, 84, 56, 28))
    assert apply(shop, "复购提醒").put == 1
    [message] = shop.outbox()
    assert (message.kind, message.topic) == ("reminder", "repurchase:rice:2026-10-19")
    assert message.reason == "您常买的大米:上次 10 月 19 日,平均 28 天一次"
    assert message.content["text"].startswith("大米上次10月19日买的,通常28天一次,给您留了「大米九折」(券码 ")
    assert message.content["subscription"] == {
        "template_id": "sub-1", "data": {"thing1": "大米", "date2": "2026年10月19日"},
    }  # fmt: skip
    for day in (1, 2, 3):
        assert gone(plan(shop, "复购提醒", MONDAY + day * DAY))["没有到期的补货"] == 1


def test_a_purchase_between_plan_and_apply_ends_the_reminder(shop: SmallShop) -> None:
    member = drinker(shop, "oA")
    shop.buys(member, RICE, *ago(112, 84, 56, 28))
    made = plan(shop, "复购提醒")
    shop.buys(member, RICE, *ago(0))
    done = apply_plan(shop.database, made.id, shop.rules, MONDAY + 3 * HOUR)
    assert (done.put, done.no_longer) == (0, 1)
    assert shop.coupons() == []


def test_a_plan_survives_storing_and_is_json_and_text(shop: SmallShop) -> None:
    drinker(shop, "oA", wrote=OPEN)
    made = plan(shop)
    with shop.database.reading() as connection:
        assert load_plan(connection, made.id) == made
    assert json.loads(json.dumps(made.as_dict()))["steps"][0]["name"] == "人群「全部会员」"
    text = reports.plan_text(made)
    assert made.id in text and "最多 15.00 元" in text and "您近60天买过3次鲜奶" in text
