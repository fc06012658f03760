"""The coupon pack: who gets which coupons and why, within budget and limits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from members import consent, coupons, decisions, scores
from members.tables import Product, table
from scheduler import packs, policy, reports
from scheduler.campaigns import FOOTER
from scheduler.legality import illegal_channels
from scheduler.plan import load_plan
from tests.scheduler.pack_shop import PACK, TEMPLATES, TODAY, PackShop, gone, pack_rules
from tests.scheduler.small_shop import MONDAY, ZONE, push_rules

DAY = timedelta(days=1)
Open = Callable[..., PackShop]


@pytest.fixture
def shop(open_pack: Open) -> PackShop:
    """The shop as it is."""
    return open_pack()


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
    shop = open_pack(templates={"category-10": {**TEMPLATES["category-10"], **limit}})
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
    limited = {"category-10": {**TEMPLATES["category-10"], "stock": 30}}
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
    shop = open_pack(say="您" * 490 + "{coupon}", templates={"category-10": {**TEMPLATES["category-10"],
                     "title": "{category}" + "九折" * 15}})  # fmt: skip
    shop.regular("oA")
    shop.apply()
    [message] = shop.outbox()
    assert len(message.content["text"].encode()) <= 2000
    assert message.content["text"].count("「大米") == 1 and "等7张券" in message.content["text"]


def test_a_coupon_on_a_brand_goes_to_who_is_likely_to_buy_the_brand(open_pack: Open) -> None:
    scope = {"category": "{category}", "brands": ["山里"]}
    shop = open_pack(
        templates={"category-10": {**TEMPLATES["category-10"], "scope": scope}}, pack={"spend_and_save": 0}
    )
    goods = table(Product)
    with shop.database.transaction() as connection:
        connection.execute(update(goods).where(goods.c.sku == "tea-1").values(brand="山里"))
    member, other = shop.regular("oA"), shop.regular("oB")
    shop.scored(member, ("rice-1", 0.9, "habit", "买过 4 次"), ("tea-1", 0.6, "habit", "买过 2 次"))
    shop.scored(other, ("rice-1", 0.9, "habit", "买过 4 次"))
    shop.apply()
    assert [(one.member_id, one.title) for one in shop.coupons()] == [(member, "茶叶九折")]
    assert [one.trace["chance"] for one in shop.decided()] == [0.6]


BY_PRODUCT = {"title": "{product}立减5", "off": 5, "scope": {"products": ["{product}"]}}


@pytest.mark.parametrize(
    ("template", "offer", "complaint"),
    [
        (BY_PRODUCT, {"product": ["odd"]}, None),
        (BY_PRODUCT, {"plain": "odd"}, "「odd」按商品发,只能放在券包的 offer.product 或升级推荐里"),
        ({"title": "{product}九折", "percent": 10, "scope": {"category": "{category}"}}, {"product": ["odd"]},
         "「odd」的标题里有 {product},scope.products 也要写 {product}"),
        ({"title": "{product}满50减5", "off": 5, "over": 50}, {"spend": ["odd"]},
         "「odd」限定了品类、商品或品牌,不能当满减券"),
    ],
)  # fmt: skip
def test_templates_on_a_product_stand_where_there_is_one(
    template: dict[str, Any], offer: dict[str, Any], complaint: str | None
) -> None:
    rules = pack_rules(templates={"odd": template}, offer=offer)
    found = illegal_channels({PACK: rules.campaigns[PACK]}, templates=rules.base.coupons)
    assert [words for _, words, _ in found] == ([] if complaint is None else [complaint])


def test_a_weekly_offer_cannot_be_on_a_product() -> None:
    rules = push_rules(coupon_rules={"odd": BY_PRODUCT}, offer={"offer": {"template": "odd"}})
    found = illegal_channels({"每周优惠": rules.campaigns["每周优惠"]}, templates=rules.base.coupons)
    assert [path for path, _, _ in found] == [("每周优惠", "offer", "template")]


@pytest.mark.parametrize("say", ["😀" * 500, "{coupon}" * 60, "送您{coupon}"])
def test_no_text_outgrows_what_the_platform_takes(say: str) -> None:
    told = packs.words(say, ["某某某某某某某某某某某某九折"] * 12)
    assert len((told + FOOTER).encode()) <= packs.MOST_BYTES
    assert say.startswith("{") or told[:2] == say[:2]
