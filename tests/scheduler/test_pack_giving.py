"""Giving packs out: every coupon with its reason and one message, once, whatever happens between plan and apply."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from members import consent, coupons, decisions
from members.db import Database
from members.tables import Member, table
from scheduler import applying, audience
from scheduler.applying import apply_plan
from scheduler.campaigns import PlanError
from scheduler.plan import make_plan
from tests.scheduler.pack_shop import PACK, TEMPLATES, PackShop, gone, pack_rules
from tests.scheduler.small_shop import MONDAY, ZONE

DAY = timedelta(days=1)
Open = Callable[..., PackShop]


@pytest.fixture
def shop(open_pack: Open) -> PackShop:
    """The shop as it is."""
    return open_pack()


def held(shop: PackShop, member: int) -> list[str]:
    """The titles of a member's coupons as 优惠券 lists them."""
    with shop.database.reading() as connection:
        return [one.title for one in coupons.usable(connection, member, MONDAY)]


def test_applying_issues_every_coupon_with_its_own_reason_and_one_message(shop: PackShop) -> None:
    member = shop.regular("oA")
    assert shop.apply().put == 1
    [message] = shop.outbox()
    assert message.key == f"{PACK}:2026-11/2M:{member}"
    assert (message.kind, message.content["personal"], message.topic) == ("marketing", True, "")
    assert message.content["text"].startswith(
        "普卡会员您好,为您选了「大米九折」「鲜奶九折」「满100减10」等7张券(回复「优惠券」"
    )
    # 优惠券 lists what ends first, the best of it first
    assert held(shop, member)[:3] == ["大米九折", "鲜奶九折", "茶叶九折"]
    assert len({one.key for one in shop.coupons()}) == len({one.decision_id for one in shop.coupons()}) == 7
    with shop.database.reading() as connection:
        newest = decisions.latest(connection, member, many=9)
        first = connection.execute(coupons.coupons.select().order_by(coupons.coupons.c.id)).first()
        assert first is not None
        scope = coupons.held(connection, coupons.by_id(connection, first.id)).rule.scope
    assert [one.title for one in newest[:3]] == ["大米九折", "鲜奶九折", "满100减10"]
    assert [one.reason for one in newest[:3]] == [
        "您近60天买过4次大米", "您近60天买过4次鲜奶", "您一次大约消费80元,满100减10",
    ]  # fmt: skip
    assert newest[3].reason == "大家常买的茶叶" and newest[0].state == "pending"
    assert scope.category == "rice"


def test_a_period_is_served_once_and_the_next_one_leaves_out_what_is_still_held(open_pack: Open) -> None:
    shop = open_pack(templates={"category-10": {**TEMPLATES["category-10"], "valid": "90 days"}})
    member = shop.regular("oA")
    first = shop.plan()
    assert shop.apply(first).put == 1
    with pytest.raises(PlanError, match="已经执行过"):
        shop.apply(first)
    assert gone(shop.plan(MONDAY + DAY)) == {"没有合法渠道可达": 3, "本期已有": 1}
    with pytest.raises(PlanError, match="这一期已经发过"):
        shop.apply(shop.plan(MONDAY + DAY), MONDAY + DAY)
    before = Counter(one.title for one in shop.coupons())
    later = MONDAY + 50 * DAY
    shop.apply(now=later)
    after = Counter(one.title for one in shop.coupons())
    # the coupons on categories are still good; 满100减10 has run out and comes again
    assert after - before == Counter({"满100减10": 1})
    assert {one.member_id for one in shop.coupons()} == {member}


def test_a_coupon_that_ran_out_since_the_plan_is_left_out_and_the_rest_given(shop: PackShop) -> None:
    member = shop.regular("oA")
    made = shop.plan()
    with shop.database.transaction() as connection:
        connection.execute(
            coupons.templates.update().where(coupons.templates.c.code == "off-10-over-100").values(stock=0)
        )
    assert shop.apply(made).put == 1
    assert "满100减10" not in held(shop, member) and len(held(shop, member)) == 6
    [message] = shop.outbox()
    assert "「大米九折」「鲜奶九折」「茶叶九折」等6张券" in message.content["text"]
    assert len(shop.decided()) == 6


def test_nothing_is_left_of_a_pack_of_which_nothing_can_be_given(shop: PackShop) -> None:
    shop.regular("oA")
    made = shop.plan()
    with shop.database.transaction() as connection:
        connection.execute(coupons.templates.update().values(active=False))
    done = shop.apply(made)
    assert (done.put, done.no_coupon) == (0, 1)
    assert shop.outbox() == shop.coupons() == shop.decided() == []
    assert [row.arm for row in shop.audience()] == [audience.NO_COUPON]


@pytest.mark.parametrize("crash", [1, 3, 8, 15])
def test_a_crash_loses_nothing_and_doubles_nothing(shop: PackShop, monkeypatch: pytest.MonkeyPatch, crash: int) -> None:
    monkeypatch.setattr("scheduler.applying.PACKS_AT_ONCE", 1)
    for number in range(3):
        shop.regular(f"o{number}")
    made, calls, real = shop.plan(), [0], coupons.issue

    def issue(*given: Any, **more: Any) -> Any:
        calls[0] += 1
        if calls[0] == crash:
            raise RuntimeError("power cut")
        return real(*given, **more)

    monkeypatch.setattr("members.coupons.issue", issue)
    with pytest.raises(RuntimeError):
        shop.apply(made)
    done = shop.apply(made)
    assert done.put + done.already == 3 and done.already == (crash - 1) // 7
    assert len(shop.outbox()) == 3 and len(shop.coupons()) == len(shop.decided()) == 21
    assert Counter(one.member_id for one in shop.coupons()) == {row.member_id: 7 for row in shop.audience()}


@pytest.mark.parametrize("plain", [False, True])
def test_a_new_plan_after_a_crash_has_only_the_rest_of_the_budget(
    open_pack: Open, monkeypatch: pytest.MonkeyPatch, plain: bool
) -> None:
    shop = open_pack(pack={"budget": 20}, offer={"plain": "off-5-over-50"})
    for number in range(10):
        member = shop.regular(f"o{number}")
        if plain:
            with shop.database.transaction() as connection:
                consent.personalise(connection, member, False, source="test", now=MONDAY)
    monkeypatch.setattr("scheduler.applying.PACKS_AT_ONCE", 1)
    made, calls, real = shop.plan(), [0], coupons.issue
    assert made.cost.expected is not None and made.cost.expected > 1500

    def issue(*given: Any, **more: Any) -> Any:
        calls[0] += 1
        if calls[0] == made.cost.coupons:
            raise RuntimeError("power cut")
        return real(*given, **more)

    monkeypatch.setattr("members.coupons.issue", issue)
    with pytest.raises(RuntimeError):
        shop.apply(made)
    before = len(shop.coupons())
    shop.apply(now=MONDAY + DAY / 24)
    each = made.cost.expected // made.cost.coupons if plain else 0
    assert before > 0 and sum(one.trace.get("cost", each) for one in shop.decided()) <= 2000


def test_a_plan_made_and_applied_while_another_is_written_has_no_second_budget(
    open_pack: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = open_pack(pack={"budget": 20})
    first = [shop.regular(f"o{number}") for number in range(10)]
    monkeypatch.setattr("scheduler.applying.CHUNK", 1)
    monkeypatch.setattr("scheduler.applying.PACKS_AT_ONCE", 1)
    made, looked, real = shop.plan(), [0], applying._unwilling

    def unwilling(*given: Any) -> set[int]:
        looked[0] += 1
        if looked[0] == 2:
            for number in range(10, 20):
                shop.regular(f"o{number}")
            with monkeypatch.context() as other:
                other.setattr("scheduler.audience.policy.capped", lambda *_: set(first))
                shop.apply(now=MONDAY + DAY / 24)
        return real(*given)

    monkeypatch.setattr("scheduler.applying._unwilling", unwilling)
    shop.apply(made)
    spent = sum(one.trace["cost"] for one in shop.decided())
    assert looked[0] > 3 and 1500 < spent <= 2000


def test_two_campaigns_with_the_same_templates_are_applied_at_once(open_pack: Open, books_url: str) -> None:
    shop = open_pack(pack={"budget": 9000})
    for number in range(40):
        likes = {"milk": 3000, "rice": 5000} if number % 2 else {"tea": 8000, "egg": 2000, "fish": 6000}
        shop.regular(f"o{number}", **likes)
    other = pack_rules(pack={"budget": 9000, "spend_and_save": 3, "visit": "60%"}).campaigns[PACK]
    shop.rules = replace(shop.rules, campaigns={**shop.rules.campaigns, "另一个": other})
    made = [make_plan(shop.database, name, shop.rules, MONDAY).id for name in (PACK, "另一个", "每周优惠")]

    def apply(plan: str) -> int:
        database = Database(books_url, synchronous="OFF")
        try:
            return apply_plan(database, plan, shop.rules, MONDAY).put
        finally:
            database.dispose()

    with ThreadPoolExecutor(len(made)) as pool:
        assert list(pool.map(apply, made)) == [40, 40, 40]


def test_who_turned_personal_choices_off_since_the_plan_gets_nothing(shop: PackShop) -> None:
    member = shop.regular("oA")
    made = shop.plan()
    with shop.database.transaction() as connection:
        consent.personalise(connection, member, False, source="test", now=MONDAY)
    assert shop.apply(made).no_longer == 1
    assert shop.outbox() == shop.coupons() == []


def test_an_sms_names_codes_because_no_reply_shows_the_list(shop: PackShop) -> None:
    shop.regular("oA")
    shop.apply()
    [message] = shop.outbox()
    code = {one.title: coupons.spell(one.code) for one in shop.coupons()}
    assert message.content["sms"] == (
        f"普卡会员您好,为您选了「大米九折」(券码 {code['大米九折']},有效期至11月26日)"
        f"「鲜奶九折」(券码 {code['鲜奶九折']},有效期至11月26日)等7张券,到店报手机号可查全部"
    )


def test_an_sms_that_names_every_coupon_says_no_more(open_pack: Open) -> None:
    shop = open_pack(pack={"product_coupons": 1, "spend_and_save": 0})
    shop.regular("oA")
    shop.apply()
    [message] = shop.outbox()
    assert re.search(r"「大米九折」\(券码 \S+,有效期至11月26日\)$", message.content["sms"])


@pytest.mark.parametrize("state", ["merged", "erased"])
@pytest.mark.parametrize("campaign", [PACK, "每周优惠"])
@pytest.mark.parametrize("personal", [True, False])
def test_who_is_gone_since_the_plan_gets_nothing(open_pack: Open, state: str, campaign: str, personal: bool) -> None:
    shop = open_pack(offer={"plain": "off-5"})
    member, other = shop.regular("oA"), shop.regular("oB")
    for one in () if personal else (member, other):
        with shop.database.transaction() as connection:
            consent.personalise(connection, one, False, source="test", now=MONDAY)
    made = make_plan(shop.database, campaign, shop.rules, MONDAY)
    rows = table(Member)
    with shop.database.transaction() as connection:
        connection.execute(update(rows).where(rows.c.id == member).values(state=state))
    done = shop.apply(made)
    assert (done.put, done.no_longer) == (1, 1)
    assert {one.member_id for one in (*shop.outbox(), *shop.coupons(), *shop.decided())} == {other}


def test_a_weekly_offer_is_not_given_to_who_turned_personal_choices_off_since(shop: PackShop) -> None:
    member = shop.regular("oA")
    made = make_plan(shop.database, "每周优惠", shop.rules, MONDAY)
    with shop.database.transaction() as connection:
        consent.personalise(connection, member, False, source="test", now=MONDAY)
    assert shop.apply(made).no_longer == 1
    assert shop.outbox() == shop.coupons() == []


@pytest.mark.parametrize(
    ("change", "later", "complaint"),
    [
        ({"pack": {"budget": 1999}}, DAY / 24, "配置在做方案之后改过"),
        ({"templates": {"off-10-over-100": {"title": "满100减9", "off": 9, "over": 100}}}, DAY / 24, "改过"),
        ({"on": False}, DAY / 24, "停用"),
        ({}, 25 * DAY / 24, "超过24小时"),
    ],
)
def test_a_stale_plan_is_refused(shop: PackShop, change: dict[str, Any], later: timedelta, complaint: str) -> None:
    shop.regular("oA")
    made = shop.plan()
    shop.rules = pack_rules(**change)
    with pytest.raises(PlanError, match=complaint):
        shop.apply(made, MONDAY + later)
    assert shop.outbox() == shop.coupons() == []


def test_the_pack_runs_by_itself_on_its_day(shop: PackShop) -> None:
    from scheduler.jobs import build_jobs

    jobs = {
        job.name: job
        for job in build_jobs(shop.database, shop.vault, shop.rules, say=lambda key, **more: key, app="wx")
    }
    job = jobs[f"campaign:{PACK}"]
    due = job.first_after(MONDAY)
    assert due is not None and due.astimezone(ZONE).isoformat() == "2027-01-01T10:00:00+08:00"
    shop.regular("oA")
    assert job.run(due).startswith("写入 1 条")
    assert "这一期已经发过" in job.run(due + DAY)
