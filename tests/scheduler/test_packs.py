"""The coupon pack: who gets which coupons and why, within the budget, once, and what happens in between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from members import consent, coupons, decisions, scores
from members.db import Database
from scheduler import audience, policy, reports
from scheduler.plan import PlanError, load_plan
from tests.scheduler.pack_shop import PACK, TODAY, PackShop, gone, pack_rules
from tests.scheduler.small_shop import MONDAY, ZONE

DAY = timedelta(days=1)
Open = Callable[..., PackShop]


@pytest.fixture
def open_pack(database: Database) -> Open:
    """Opens the shop with parts of its pack replaced, three strangers' receipts in its books."""

    def opened(**changes: Any) -> PackShop:
        shop = PackShop(database, pack_rules(**changes))
        shop.crowd()
        return shop

    return opened


@pytest.fixture
def shop(open_pack: Open) -> PackShop:
    """The shop as it is."""
    return open_pack()


def held(shop: PackShop, member: int) -> list[str]:
    """The titles of a member's coupons as 优惠券 lists them."""
    with shop.database.reading() as connection:
        return [one.title for one in coupons.usable(connection, member, MONDAY)]


def test_the_plan_says_who_gets_what_why_and_what_it_costs(shop: PackShop) -> None:
    member = shop.regular("oA")
    shop.scored(
        member,
        ("tea-1", 0.6, "habit", "买过 4 次,上次 11 月 13 日"),
        ("fish-1", 0.2, "alike", "和您买得相近的顾客常买"),
        ("fuel-1", 0.9, "habit", "买过 9 次,上次 11 月 15 日"),
    )
    made = shop.plan()
    assert (made.period, made.arms, made.channels) == ("2026-11/2M", {"send": 1}, {"next_reply": 1})
    assert made.offers == {"茶叶": 1, "鲜鱼": 1, "通用": 1}
    assert made.templates == {"category-10": 2, "off-5-over-50": 0, "off-10-over-100": 1, "off-20-over-150": 0}
    # tea: 0.6 × 8.00 元 off 80.00; fish: 0.2 × 6.00 off 60.00; and what the baskets of 80 元 say of 满100减10
    spend = next(one for one in shop_row(shop)["coupons"] if one["template"] == "off-10-over-100")
    assert made.cost.expected == 480 + 120 + spend["cost"]
    assert (made.cost.coupons, made.cost.at_most, made.cost.unbounded) == (3, 1500 + 1500 + 1000, 0)
    assert (made.cost.budget, made.cost.gap) == (200_000, 0.0)
    [sample] = made.samples
    assert sample.text == "普卡会员您好,为您选了「茶叶九折」「满100减10」「鲜鱼九折」3张券(回复「优惠券」查看)"
    assert sample.reason == (
        "您常买的茶叶一号:买过 4 次,上次 11 月 13 日;您一次大约消费80元,满100减10;鲜鱼一号:和您买得相近的顾客常买"
    )
    assert shop.outbox() == [] and shop.coupons() == []
    with shop.database.reading() as connection:
        assert load_plan(connection, made.id) == made
    text = reports.plan_text(made)
    assert f"预计  花 {(600 + spend['cost']) / 100:.2f} 元,预算 2000.00 元" in text
    assert "category-10 2,off-10-over-100 1,off-20-over-150 0" in text and "最多差 0.0%" in text


def shop_row(shop: PackShop) -> dict[str, Any]:
    """The trace of the only row of the newest plan."""
    trace: dict[str, Any] = shop.audience()[-1].trace
    return trace


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
    shop = open_pack(templates={"category-10": {**pack_template("category-10"), "valid": "90 days"}})
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


def pack_template(code: str) -> dict[str, Any]:
    """A template of the shop as it is written."""
    from tests.scheduler.pack_shop import TEMPLATES

    return TEMPLATES[code]


def test_who_has_a_live_coupon_of_the_thing_gets_none_on_it(shop: PackShop) -> None:
    member = shop.regular("oA")
    rules = shop.rules.base.coupons
    with shop.database.transaction() as connection:
        decision = decisions.record(
            connection, member, campaign="x", template="category-10", reason="r", trace={"category": "rice"}, now=MONDAY
        )
        for code, about in (("category-10", decision), ("off-10-over-100", None)):
            coupons.issue(
                connection, code, rules[code], member, key=code, by="test", reason="r", zone=ZONE, now=MONDAY,
                decision=about,
            )  # fmt: skip
    made = shop.plan()
    assert "大米" not in made.offers and made.templates["off-10-over-100"] == 0
    assert made.offers["鲜奶"] == 1


@pytest.mark.parametrize(
    ("limit", "given"), [({"per_member": 2}, 2), ({"stock": 3}, 3), ({"per_day": 4}, 4), ({"budget": 20}, 1)]
)
def test_limits_of_a_template_bound_the_pack(open_pack: Open, limit: dict[str, int], given: int) -> None:
    shop = open_pack(templates={"category-10": {**pack_template("category-10"), **limit}})
    shop.regular("oA")
    made = shop.plan()
    assert made.templates["category-10"] == given
    shop.apply(made)
    titles = [one.title for one in shop.coupons() if one.template == "category-10"]
    assert titles == ["大米九折", "鲜奶九折", "茶叶九折", "鲜鱼九折"][:given]


def test_the_budget_bounds_what_is_expected_and_says_whom_it_did_not_reach(open_pack: Open) -> None:
    shop = open_pack(pack={"budget": 6, "spend_and_save": 0})
    members = [shop.regular(f"o{number}") for number in range(4)]
    made = shop.plan()
    # 大米 costs 417 分 with the habit and the crowd's share: one is all that six yuan take, a 鲜奶 (250) no more
    assert made.cost.expected is not None and 0 < made.cost.expected <= 600
    lost = gone(made).get("预算或库存轮不到", 0)
    assert lost > 0 and made.steps[-1].left == made.arms["send"] == 4 - lost
    assert made.arms["no_coupon"] == lost
    done = shop.apply(made)
    assert done.put == 4 - lost
    assert {one.member_id for one in shop.outbox()} < set(members)


def test_hold_outs_take_neither_budget_nor_stock(open_pack: Open) -> None:
    limited = {"category-10": {**pack_template("category-10"), "stock": 30}}
    shop = open_pack(hold_out="40%", policy={"hold_out": "20%"}, templates=limited, pack={"spend_and_save": 0})
    members = [shop.regular(f"o{number}") for number in range(12)]
    out = {one for one in members if policy.held_out(one, 0.2) or policy.held_out(one, 0.4, PACK)}
    assert out and len(out) < 12
    made = shop.plan()
    assert made.arms["send"] == 12 - len(out)
    assert made.templates["category-10"] == min(30, 6 * (12 - len(out)))
    rows = {row.member_id: row for row in shop.audience()}
    assert all((rows[one].arm, rows[one].template, rows[one].trace["by"]) != ("send", "", "") for one in out)
    assert {one for one in members if rows[one].arm.startswith("hold_out")} == out
    shop.apply(made)
    assert {one.member_id for one in shop.coupons()} == set(members) - out


@pytest.mark.parametrize("plain", ["off-5", None])
def test_who_wants_nothing_personal(open_pack: Open, plain: str | None) -> None:
    shop = open_pack(offer={"plain": plain}, say_plain="{member}您好,送您{coupon}")
    member, other = shop.regular("oA"), shop.regular("oB")
    with shop.database.transaction() as connection:
        consent.personalise(connection, member, False, source="test", now=MONDAY)
    made = shop.plan()
    if plain is None:
        assert gone(made)["不要个性化"] == 1
        return
    assert made.templates["off-5"] == 1 and made.arms == {"send": 2}
    shop.apply(made)
    mine = [one for one in shop.coupons() if one.member_id == member]
    assert [(one.template, one.title) for one in mine] == [("off-5", "满50减5")]
    [message] = [one for one in shop.outbox() if one.member_id == member]
    assert message.content["text"].startswith("普卡会员您好,送您「满50减5」(券码 ")
    assert not message.content["personal"]
    assert message.reason == f"「{PACK}」送给所有会员,没有参考您的购买记录"
    # the crowd's receipts are all above 50 元, like the members': 5 元 are expected of the one for everybody
    of_other = sum(one["cost"] for row in shop.audience() if row.member_id == other for one in row.trace["coupons"])
    assert made.cost.expected == 500 + of_other


def test_the_plain_offer_comes_first_and_only_as_often_as_the_budget_allows(open_pack: Open) -> None:
    shop = open_pack(offer={"plain": "off-5"}, pack={"budget": 12})
    members = [shop.regular(f"o{number}") for number in range(3)]
    with shop.database.transaction() as connection:
        for member in members:
            consent.personalise(connection, member, False, source="test", now=MONDAY)
    made = shop.plan()
    assert (made.templates["off-5"], made.cost.expected) == (2, 1000)
    assert gone(made)["预算或库存轮不到"] == 1


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


def test_who_turned_personal_choices_off_since_the_plan_gets_nothing(shop: PackShop) -> None:
    member = shop.regular("oA")
    made = shop.plan()
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


def test_a_coupon_for_the_very_article(open_pack: Open) -> None:
    article = {"title": "{product}九折", "percent": 10, "valid": "10 days", "scope": {"products": ["{product}"]}}
    shop = open_pack(templates={"article-10": article}, offer={"product": ["article-10"]}, pack={"spend_and_save": 0})
    member = shop.regular("oA")
    shop.scored(member, ("tea-1", 0.6, "habit", "买过 4 次,上次 11 月 13 日"))
    shop.apply()
    [coupon] = shop.coupons()
    assert coupon.title == "茶叶一号九折"
    with shop.database.reading() as connection:
        scope = coupons.held(connection, coupons.by_id(connection, coupon.id)).rule.scope
    assert (scope.products, scope.category) == (["tea-1"], "")


def test_templates_of_a_fixed_scope_go_to_who_is_likely_to_use_them(open_pack: Open) -> None:
    fixed = {
        "tea-10": {"title": "茶叶九折", "percent": 10, "scope": {"category": "茶叶"}},
        "fish-12": {"title": "鲜鱼88折", "percent": 12, "scope": {"products": ["fish-1", "other"]}},
    }
    shop = open_pack(templates=fixed, offer={"product": list(fixed)}, pack={"spend_and_save": 0})
    drinker, angler = shop.regular("oA"), shop.regular("oB")
    shop.scored(drinker, ("tea-1", 0.6, "habit", "买过 4 次,上次 11 月 13 日"), ("egg-1", 0.6, "habit", "买过 4 次"))
    shop.scored(angler, ("fish-1", 0.5, "habit", "买过 4 次,上次 11 月 13 日"))
    shop.apply()
    assert [(one.member_id, one.title) for one in shop.coupons()] == [(drinker, "茶叶九折"), (angler, "鲜鱼88折")]


def test_the_forecast_of_the_night_counts_too(shop: PackShop) -> None:
    member = shop.regular("oA")
    cycle = ["egg", "2026-11-02", 14, "2026-11-16", 0.9, 6, [0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]]
    with shop.database.transaction() as connection:
        found = scores.Score(member, TODAY, [["egg-1", 0.2, 0.1, 0.1, "habit", "买过 6 次,上次 11 月 2 日"]], [cycle])
        scores.put_many(connection, [found], now=MONDAY)
    shop.plan()
    [egg] = [one for one in shop_row(shop)["coupons"] if one["category"] == "egg"]
    assert (egg["chance"], egg["reason"]) == (0.7, "您常买的鸡蛋:上次 11 月 2 日,平均 14 天一次")


def test_a_long_text_names_fewer_coupons(open_pack: Open) -> None:
    shop = open_pack(say="您" * 490 + "{coupon}", templates={"category-10": {**pack_template("category-10"),
                     "title": "{category}" + "九折" * 15}})  # fmt: skip
    shop.regular("oA")
    shop.apply()
    [message] = shop.outbox()
    assert len(message.content["text"].encode()) <= 2000
    assert message.content["text"].count("「大米") == 1 and "等7张券" in message.content["text"]


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
