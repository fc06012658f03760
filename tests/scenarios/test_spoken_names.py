"""Coupons and rewards called by their names: shown, given away, booked, exchanged; a near name is asked about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers import naming
from members import coupons
from tests.support.acting import empty_books, issue
from tests.support.shop import Shop, open_shop

PHONE = "+8613800138000"
CHANGES: dict[str, Any] = {
    "coupons": {
        "milk": {"title": "牛奶九折券", "percent": 10, "cap": 15, "scope": {"category": "牛奶"}, "valid": "10 days"},
        "soap": {"title": "家清九折券", "percent": 10, "cap": 15, "scope": {"category": "洗衣液"}, "valid": "20 days"},
        "off-20-over-100": {"transferable": True, "how": "结账时出示"},
        "class": {
            "title": "亲子手工课",
            "experience": "手工课一次",
            "valid": "30 days",
            "slots": {"at": ["10:00"], "capacity": 3},
        },
    },
    "loyalty": {
        "reward": [{"points": 500, "coupon": "free-soup"}, {"points": 2000, "coupon": "one-only"}],
        "partners": {"air": {"title": "航空里程", "points": 100, "units": 40, "unit": "里", "at_least": 300}},
    },
}


@pytest.fixture
def shop(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Shop]:
    """A shop with a member who holds four coupons and some points."""
    with open_shop(tmp_path, empty_books(migrated_sqlite, tmp_path), CHANGES) as running:
        member = running.member(PHONE, openid="o-anna", points=800)
        for place, template in enumerate(("milk", "off-20-over-100", "soap", "class")):
            issue(running, member, template, key=f"k{place}")
        yield running


@pytest.mark.parametrize(
    ("words", "title"),
    [
        ("满100减20怎么用", "满100减20"), ("满一百减二十怎么用", "满100减20"), ("滿100減20怎麼用", "满100减20"),
        ("我的满100减20什么时候到期", "满100减20"), ("牛奶九折券什么时候到期", "牛奶九折券"),
        ("洗衣液那张券", "家清九折券"), ("洗衣液的券怎么用", "家清九折券"), ("手工课的券怎么用", "亲子手工课"),
        ("看看满100减20", "满100减20"),
    ],
)  # fmt: skip
def test_a_coupon_is_shown_by_its_name(shop: Shop, words: str, title: str) -> None:
    said = shop.talker("o-anna").say(words)
    assert said.splitlines()[0] in (title, "滿100減20") and "出示码" in said.replace("碼", "码")


def test_of_several_the_member_chooses(shop: Shop) -> None:
    anna = shop.talker("o-anna")
    assert anna.say("我的九折券什么时候到期").splitlines() == [
        "您说的是哪一张?请回复序号:", "1. 牛奶九折券", "2. 家清九折券",
    ]  # fmt: skip
    assert anna.say("2").splitlines()[0] == "家清九折券"


def test_two_of_one_name_are_told_apart(shop: Shop) -> None:
    shop.clock.forward(days=1)
    issue(shop, 1, "off-20-over-100", key="again")
    lines = shop.talker("o-anna").say("满100减20怎么用").splitlines()
    assert lines[1:] == ["1. 满100减20(2026年3月16日 前)", "2. 满100减20(2026年3月17日 前)"]


def test_what_the_member_has_not_is_said_and_never_taken_for_another(shop: Shop) -> None:
    anna = shop.talker("o-anna")
    said = anna.say("免费例汤的券怎么用")
    assert said.startswith("您现在没有可用的「免费例汤」。") and "牛奶九折券" in said
    assert "出示码" not in anna.say("满200减20怎么用")


def test_a_number_shows_one_of_the_list(shop: Shop) -> None:
    anna = shop.talker("o-anna")
    assert anna.say("优惠券").splitlines()[-1] == "回复序号看其中一张。"
    assert anna.say("第二个").splitlines()[0] == "满100减20"


def test_the_list_does_not_end_an_exchange_that_waits(shop: Shop) -> None:
    anna = shop.talker("o-anna")
    assert "请回复「确认」兑换" in anna.say("兑换 免费例汤")
    assert "回复序号" not in anna.say("优惠券")
    assert anna.say("确认").startswith("兑换成功")


@pytest.mark.parametrize("words", ["兑换 航空里程", "换航空里程", "我要兑换航空里程", "用积分换航空里程"])
def test_a_partner_is_exchanged_by_name(shop: Shop, words: str) -> None:
    assert shop.talker("o-anna").say(words).startswith("航空里程:每 100 积分换 40里。")


@pytest.mark.parametrize("words", ["换免费例汤", "兑换免费例汤", "积分兑换 免费例汤", "换例汤"])
def test_a_reward_is_exchanged_by_name_after_a_yes(shop: Shop, words: str) -> None:
    anna = shop.talker("o-anna")
    assert anna.say(words) == "要用 500 积分兑换「免费例汤」吗?\n请回复「确认」兑换,不换了请回复「取消」。"
    assert anna.say("取消") == "好的,已取消。"


def test_what_the_points_do_not_reach_is_said(shop: Shop) -> None:
    said = shop.talker("o-anna").say("兑换 唯一券")
    assert said == "「唯一券」要 2,000 积分,您有 800 积分,还差 1,200。"


def test_a_name_that_only_nearly_fits_is_asked_about(shop: Shop) -> None:
    anna = shop.talker("o-anna")
    assert anna.say("兑换 免费列汤").splitlines()[0] == "您要换的是这个吗?请回复序号,不换了请回复「取消」。"
    assert anna.say("1").startswith("要用 500 积分兑换「免费例汤」吗?")
    said = anna.say("转赠 亲子手工刻")
    assert said.splitlines() == ["您说的是这张吗?请回复序号:", "1. 亲子手工课"]


def test_giving_away_by_name(shop: Shop) -> None:
    anna = shop.talker("o-anna")
    said = anna.say("转赠 满100减20")
    assert said.startswith("送您一张「满100减20」") and "领取 " in said
    assert anna.say("取消转赠 满100减20") == "已收回「满100减20」的转赠。"
    assert "不能转赠" in anna.say("转赠 牛奶九折券")


@pytest.mark.parametrize("words", ["取消转赠 手工课", "不要预约手工课了", "手工课的预约取消吧", "收回转赠的牛奶九折券"])
def test_undoing_by_name_never_does_it(shop: Shop, words: str) -> None:
    said = shop.talker("o-anna").say(words)
    assert "送您一张" not in said and "可以预约的时间" not in said


def test_booking_by_name(shop: Shop) -> None:
    anna = shop.talker("o-anna")
    said = anna.say("预约 手工课")
    assert said.startswith("「亲子手工课」可以预约的时间") and "1. 2026年3月3日 10:00" in said


@pytest.mark.parametrize(
    "words",
    [
        "今天牛奶新鲜吗",
        "换个话题",
        "预约挂号",
        "美团券怎么用",
        "支付宝余额怎么用",
        "牛奶多少钱一斤",
        "孩子的手工课几点",
    ],
)
def test_what_only_sounds_like_it_shows_nothing(shop: Shop, words: str) -> None:
    said = shop.talker("o-anna").say(words)
    assert "出示码" not in said and "请回复「确认」" not in said and "可以预约" not in said


@pytest.mark.parametrize(
    ("names", "text", "sure", "nearly"),
    [
        (["满100减20", "满200减20"], "满200减20", [1], []), (["5元券", "25元券"], "5元券", [0], []),
        (["5元券", "25元券"], "25元", [1], []), (["满100减20"], "满300减20", [], []),
        (["免费例汤", "例汤"], "免费例汤", [0], []), (["亲子手工课"], "亲子手工刻", [], [0]),
        (["牛奶券"], "的", [], []),
    ],
)  # fmt: skip
def test_names_are_found_whole_in_part_or_nearly(
    names: list[str], text: str, sure: list[int], nearly: list[int]
) -> None:
    found = naming.named([[name] for name in names], text)
    assert (list(found.sure), list(found.nearly)) == (sure, nearly)


@given(text=st.text(max_size=80))
def test_any_text_names_something_or_nothing(text: str) -> None:
    found = naming.named([["满100减20"], ["牛奶九折券", "牛奶"]], text)
    assert not (found.sure and found.nearly)


@given(over=st.integers(1, 999), off=st.integers(1, 999), other=st.integers(1, 999))
def test_figures_are_never_near(over: int, off: int, other: int) -> None:
    found = naming.named([[f"满{over}减{off}"]], f"满{over}减{other}")
    assert bool(found.sure) == (off == other) and not found.nearly


def test_codes_stay_codes(shop: Shop) -> None:
    with shop.service.database.reading() as connection:
        [first, *_] = coupons.usable(connection, 1, shop.clock.now(), many=9)
    assert shop.talker("o-anna").say(f"优惠券 {coupons.spell(first.code)}").splitlines()[0] == first.title
