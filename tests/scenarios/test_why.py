"""为什么: from the stored trace, of the offer that is named; what data was used, whose tags, how to have less of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from members import coupons, decisions, tags
from members.audit import Actor
from tests.support.acting import SHANGHAI, issue
from tests.support.shop import Shop, open_shop

PHONE = "+8613800138000"
CHANGES: dict[str, Any] = {
    "coupons": {"milk-10": {"title": "牛奶九折券", "percent": 10, "cap": 15, "valid": "10 days"}},
    "segments": {"宝宝家庭": {"any": [{"tag": "有宝宝"}, {"all": [{"tag": "常客"}]}]}},
}


@pytest.fixture
def shop(tmp_path: Path, books_url: str) -> Iterator[Shop]:
    """A shop with a segment that looks at tags."""
    with open_shop(tmp_path, books_url, CHANGES) as running:
        yield running


@pytest.fixture
def member(shop: Shop) -> int:
    """A bound member."""
    return shop.member(PHONE, openid="o-anna")


def offered(
    shop: Shop, member: int, template: str, reason: str, trace: dict[str, Any], *, campaign: str = "每周专属",
    days: float = 1,
) -> str:  # fmt: skip
    """A coupon that was decided on so many days ago; its code."""
    at = shop.clock.now() - timedelta(days=days)
    with shop.service.database.transaction() as connection:
        decision = decisions.record(
            connection, member, campaign=campaign, template=template, reason=reason, trace=trace, now=at
        )
        rule = shop.service.config.coupons[template]
        return coupons.issue(
            connection, template, rule, member, key=f"k{decision}", by="test", reason=reason, zone=SHANGHAI,
            now=shop.clock.now(), decision=decision,
        ).code  # fmt: skip


MILK = {"by": "frequency", "category": "M", "category_name": "牛奶", "segment": "宝宝家庭"}


def test_the_only_offer_is_explained_with_its_data_tags_and_the_way_out(shop: Shop, member: int) -> None:
    offered(shop, member, "milk-10", "您近60天买过4次牛奶", MILK)
    with shop.service.database.transaction() as connection:
        tags.put(connection, member, "有宝宝", source="member", by=Actor("member:1"), now=shop.clock.now())
        tags.put(connection, member, "常客", source="staff", by=Actor("staff:1"), now=shop.clock.now())
        tags.put(connection, member, "爱喝茶", source="inferred", by=Actor("system"), now=shop.clock.now())
    anna = shop.talker("o-anna")
    assert anna.say("为什么").splitlines() == [
        "给您「牛奶九折券」,是因为:您近60天买过4次牛奶。",
        "(2026年3月1日 的每周专属)",
        "用到的资料:您近365天买牛奶的记录。",
        "参考的标签:有宝宝(您自己说的)、常客(店员记的)。",
        "不想按习惯挑选,回复「不要个性化」;想少收,回复「每月最多2条」。",
    ]
    anna.say("不要个性化")
    assert anna.say("为什么").splitlines()[-1] == "想少收,回复「每月最多2条」;完全不收,回复「退订」。"


def test_of_several_one_is_chosen_or_named(shop: Shop, member: int) -> None:
    milk = offered(shop, member, "milk-10", "您近60天买过4次牛奶", MILK, days=2)
    offered(shop, member, "off-20-over-100", "「满100减20」送给所有会员", {"by": "everybody"}, campaign="开业")
    anna = shop.talker("o-anna")
    lines = anna.say("为什么给我这张券").splitlines()
    assert lines[0].startswith("给您「满100减20」,是因为:「满100减20」送给所有会员。"), (
        "the newest is explained at once"
    )
    assert lines[-2] == "想看别的,请回复序号:"
    assert lines[-1].split("(")[0] == "1. 牛奶九折券"
    assert "买过4次牛奶" in anna.say("第一个")
    for words in ("为什么给我满100减20", "为什么给我满一百减二十"):
        said = anna.say(words)
        assert "送给所有会员" in said and "没有用到您的个人资料。" in said, words
    assert "买过4次牛奶" in anna.say(f"为什么给我 {coupons.spell(milk)}")
    assert "买过4次牛奶" in anna.say("为什么给我牛奶九折券")


@pytest.mark.parametrize(
    ("by", "reason"), [("popular", "大家常买的牛奶"), ("shop_baskets", "大家一次大约消费80元,满100减20")]
)
def test_a_reason_about_everybody_names_everybodys_purchases(shop: Shop, member: int, by: str, reason: str) -> None:
    offered(shop, member, "off-20-over-100", reason, {"by": by, "category": "M", "category_name": "牛奶"})
    said = shop.talker("o-anna").say("为什么").splitlines()
    assert said[0] == f"给您「满100减20」,是因为:{reason}。"
    assert said[2] == "用到的资料:店里所有顾客合在一起的购买情况。"


@pytest.mark.parametrize("by", ["premium", "companion"])
def test_a_reason_by_the_member_and_everybody_names_both(shop: Shop, member: int, by: str) -> None:
    trace = {"by": by, "category": "M", "category_name": "牛奶", "product": "m2", "usual": "m1"}
    offered(
        shop,
        member,
        "milk-10",
        "您常买鲜奶;买过它的会员后来有17%也买了鲜奶金装,每件多5.00元",
        trace,
        campaign="升级搭配",
    )
    said = shop.talker("o-anna").say("为什么").splitlines()
    assert said[0] == "给您「牛奶九折券」,是因为:您常买鲜奶;买过它的会员后来有17%也买了鲜奶金装,每件多5.00元。"
    assert "用到的资料:您近365天的购买记录,和店里所有会员合在一起的购买情况。" in said


def test_a_coupon_nobody_decided_on_says_where_it_is_from(shop: Shop, member: int) -> None:
    issue(shop, member, "free-soup", key="k1")
    said = shop.talker("o-anna").say("为什么给我免费例汤")
    assert said == "您的「免费例汤」是 2026年3月2日 得到的:test。\n没有用到您的消费习惯。"


def test_what_is_long_ago_is_no_answer(shop: Shop, member: int) -> None:
    with shop.service.database.transaction() as connection:
        decisions.record(
            connection, member, campaign="旧活动", template="", reason="很久以前", trace={},
            now=shop.clock.now() - timedelta(days=61),
        )  # fmt: skip
    assert shop.talker("o-anna").say("为什么") == "最近没有给您发过专属优惠。"
