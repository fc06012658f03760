"""推荐: what is due, what is bought often, what goes with it, what everybody buys; each with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from members import decisions, orders, products
from members.audit import Actor
from members.people import MemberView
from members.products import ProductRow
from members.sales import Buyer, NewLine, NewOrder
from members.tables import Decision, Product, table
from recommend import serving
from tests.support.acting import SHANGHAI, empty_books, issue
from tests.support.shop import KEYS, Shop, open_shop

PHONE = "+8613800138000"
SHELF = [
    ProductRow("milk", "鲜牛奶", "M", "牛奶", price=1200), ProductRow("egg", "土鸡蛋", "E", "鸡蛋"),
    ProductRow("egg2", "白鸡蛋", "E", "鸡蛋"), ProductRow("rice", "大米", "R", "大米"),
    ProductRow("bread", "吐司", "B", "面包"), ProductRow("smoke", "香烟一包", "S", "香烟"),
    ProductRow("tea", "绿茶", "T", "茶叶"),
]  # fmt: skip
COUPONS: dict[str, Any] = {
    "milk-10": {"title": "牛奶九折券", "percent": 10, "cap": 15, "scope": {"category": "牛奶"}, "valid": "10 days"},
}


@pytest.fixture
def shop(tmp_path: Path, books_url: str) -> Iterator[Shop]:
    """A shop with a shelf and a member."""
    with open_shop(tmp_path, books_url, {"recommend": {"exclude": ["香烟"]}, "coupons": COUPONS}) as running:
        with running.service.database.transaction() as connection:
            products.upsert(connection, SHELF)
        yield running


def sold(shop: Shop, member: int | None, days: float, *skus: str) -> None:
    """A sale so many days ago."""
    at = shop.clock.now() - timedelta(days=days)
    lines = [NewLine(sku, sku, 1, 1000) for sku in skus]
    number = f"n{member}-{days}-{'-'.join(skus)}"
    buyer = None if member is None else Buyer("member", str(member))
    order = NewOrder(order_no=number, scope="", store=None, buyer=buyer, at=at, lines=lines, total=1000 * len(skus))
    with shop.service.database.transaction() as connection:
        orders.take(
            connection, shop.service.vault, shop.service.config.rules, order, app=KEYS.app_id, by=Actor("test"),
            now=shop.clock.now(), imported=True,
        )  # fmt: skip


def crowd(shop: Shop) -> None:
    """Four strangers buy rice and bread, three of them tea."""
    for number in range(4):
        sold(shop, None, 1 + number / 10, *(("rice", "bread", "tea") if number else ("rice", "bread")))


def suggested(shop: Shop, member: int | None, *, personal: bool = True, k: int = 5) -> list[tuple[str, str, str]]:
    """(item, kind, reason) of what is suggested."""
    view = None if member is None else MemberView(member, "普卡", personal)
    with shop.service.database.reading() as connection:
        found = serving.suggest(
            connection, shop.service.config.recommend, view, now=shop.clock.now(), zone=SHANGHAI, k=k
        )
    return [(one.item, one.kind, one.reason) for one in found]


def change(shop: Shop, sku: str, **values: Any) -> None:
    """Change an article."""
    goods = table(Product)
    with shop.service.database.transaction() as connection:
        connection.execute(update(goods).where(goods.c.sku == sku).values(**values))


def regular(shop: Shop) -> int:
    """A member who buys milk every week, is due today, and eggs now and then; smokes too."""
    member = shop.member(PHONE, openid="o-anna")
    for days in (28, 21, 14, 7):
        sold(shop, member, days, "milk", "smoke")
    for days in (40, 25, 3):
        sold(shop, member, days, "egg")
    return member


def test_what_is_due_comes_first_then_what_is_bought_often_then_what_everybody_buys(shop: Shop) -> None:
    member = regular(shop)
    crowd(shop)
    assert suggested(shop, member) == [
        ("milk", "repurchase", "牛奶上次 2 月 23 日,平均 7 天一次"),
        ("egg", "habit", "鸡蛋近60天买过3次"),
        ("bread", "popular", "大家常买"),
        ("rice", "popular", "大家常买"),
        ("tea", "popular", "大家常买"),
    ]
    assert len(suggested(shop, member, k=2)) == 2


def test_what_was_bought_today_is_not_suggested_again_today(shop: Shop) -> None:
    member = regular(shop)
    before = [item for item, _, _ in suggested(shop, member)]
    assert before[0] == "milk"
    sold(shop, member, 0, "milk")
    assert "milk" not in [item for item, kind, _ in suggested(shop, member) if kind in ("repurchase", "habit")]


def test_scores_are_two_and_only_of_what_is_personal(shop: Shop) -> None:
    member = regular(shop)
    crowd(shop)
    with shop.service.database.reading() as connection:
        found = serving.suggest(
            connection, shop.service.config.recommend, MemberView(member, "", True), now=shop.clock.now(),
            zone=SHANGHAI,
        )  # fmt: skip
    milk, egg, bread = found[:3]
    assert milk.score_long == round(sum(0.5 ** (age / 60) for age in (7, 14, 21, 28)), 4)
    assert milk.score_short == round(sum(0.5 ** (age / 14) for age in (7, 14, 21, 28)), 4)
    assert egg.score_short < egg.score_long and (bread.score_long, bread.score_short) == (0, 0)


def test_what_is_not_sold_any_more_or_excluded_never_comes(shop: Shop) -> None:
    member = regular(shop)
    crowd(shop)
    for _ in range(4):
        sold(shop, None, 0.5 + _ / 10, "smoke")
    change(shop, "egg", active=False)
    change(shop, "rice", active=False)
    items = [item for item, _, _ in suggested(shop, member)]
    assert items == ["milk", "bread", "tea"]
    assert "smoke" not in [item for item, _, _ in suggested(shop, None)]


def test_another_article_of_the_habit_takes_the_place_of_one_that_is_gone(shop: Shop) -> None:
    member = regular(shop)
    sold(shop, member, 2, "egg2")
    change(shop, "egg", active=False)
    assert ("egg2", "habit", "鸡蛋近60天买过4次") in suggested(shop, member)


def test_who_has_bought_little_gets_what_goes_with_it(shop: Shop) -> None:
    crowd(shop)
    member = shop.member(PHONE, openid="o-anna")
    sold(shop, member, 2, "tea")
    assert suggested(shop, member)[:2] == [
        ("bread", "companion", "常和绿茶一起买"), ("rice", "companion", "常和绿茶一起买")
    ]  # fmt: skip


def test_nothing_personal_for_who_refused_it_and_for_strangers(shop: Shop) -> None:
    member = regular(shop)
    crowd(shop)
    everybody = [(item, "popular", "大家常买") for item in ("bread", "rice", "tea")]
    assert suggested(shop, member, personal=False) == suggested(shop, None) == everybody


def test_what_two_people_bought_tells_nothing_to_others(shop: Shop) -> None:
    for number in range(2):
        sold(shop, None, 1 + number / 10, "tea")
    member = shop.member(PHONE)
    for days in (1, 2, 3, 4):
        sold(shop, member, days, "milk")
    assert suggested(shop, None) == []


def test_the_future_is_not_read(shop: Shop) -> None:
    crowd(shop)
    with shop.service.database.reading() as connection:
        early = shop.clock.now() - timedelta(days=10)
        assert serving.suggest(connection, shop.service.config.recommend, None, now=early, zone=SHANGHAI) == []


def test_the_list_in_chat_has_reasons_a_coupon_and_numbers(shop: Shop) -> None:
    member = regular(shop)
    issue(shop, member, "milk-10", key="k1")
    anna = shop.talker("o-anna")
    assert anna.say("推荐").splitlines() == [
        "您可能需要:",
        "1. 鲜牛奶(牛奶上次 2 月 23 日,平均 7 天一次)",
        "2. 土鸡蛋(鸡蛋近60天买过3次)",
        "买鲜牛奶可用您的「牛奶九折券」,回复「优惠券」出示。",
        "回复序号看详情,回复「为什么」看依据。",
    ]
    said = anna.say("1")
    assert said.splitlines()[:2] == ["鲜牛奶", "参考价 ¥12.00,以门店为准。"] and "平均 7 天一次" in said


def test_a_coupon_good_for_anything_is_named_where_none_is_made_for_it(shop: Shop) -> None:
    issue(shop, regular(shop), "off-20-over-100", key="k1")
    assert "结账可用您的「满100减20」" in shop.talker("o-anna").say("推荐")


def test_the_reasons_are_kept_once_a_day_for_why(shop: Shop) -> None:
    member = regular(shop)
    anna = shop.talker("o-anna")
    anna.say("推荐")
    anna.say("推荐")
    with shop.service.database.reading() as connection:
        assert len(connection.execute(select(table(Decision))).all()) == 1
        [kept] = decisions.latest(connection, member)
    assert [item["item"] for item in kept.trace["items"]] == ["milk", "egg"]
    said = anna.say("为什么")
    assert "鲜牛奶(牛奶上次 2 月 23 日,平均 7 天一次)、土鸡蛋(鸡蛋近60天买过3次)" in said
    assert "用到的资料:您的购买记录,和店里所有会员合在一起的购买情况。" in said


def test_a_stranger_and_who_refused_are_told_what_it_is(shop: Shop) -> None:
    regular(shop)
    crowd(shop)
    assert shop.talker("o-x").say("推荐").splitlines()[:2] == ["大家最近常买:", "1. 吐司(大家常买)"]
    anna = shop.talker("o-anna")
    anna.say("不要个性化")
    said = anna.say("推荐")
    assert said.startswith("按您的选择,我不按消费记录推荐。大家最近常买:") and "牛奶" not in said


def test_a_list_in_passing_does_not_end_what_waits(shop: Shop) -> None:
    regular(shop)
    anna = shop.talker("o-anna")
    anna.say("解绑")
    assert "回复序号" not in anna.say("推荐")
    assert anna.say("确认解绑").startswith("已解绑")


def test_empty_books_suggest_nothing(tmp_path: Path, migrated_sqlite: Path) -> None:
    with open_shop(tmp_path, empty_books(migrated_sqlite, tmp_path)) as shop:
        assert "绑定会员" in shop.talker("o-x").say("推荐")
