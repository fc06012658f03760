"""A list was shown: a number, a title or something else is said; and who is not understood gets such a list."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.shop import Shop, open_shop

PHONE = "+8613800138000"
STRANGE = "昨晚的月亮真圆啊"


def options(reply: str) -> list[str]:
    """The titles of a numbered list in a reply."""
    return [line.partition(". ")[2] for line in reply.splitlines() if line[:1].isdigit() and ". " in line]


def test_who_is_not_understood_chooses_from_three(shop: Shop) -> None:
    shop.member(PHONE, points=50, openid="o-anna")
    anna = shop.talker("o-anna")
    reply = anna.say(STRANGE)
    assert reply.startswith("这句我还没听懂。您是不是想问:") and len(options(reply)) == 3
    assert not any("店员" in title or "会员充值" in title for title in options(reply))
    number = options(reply).index("查积分") + 1 if "查积分" in options(reply) else 0
    assert number, "with nothing likelier the usual three are shown"
    assert "您现有 50 积分" in anna.say(str(number))
    assert "您现有 50 积分" in anna.say("查积分")


@pytest.mark.parametrize("word", ["1", "①", "1️⃣", "一", "第一个", "选1", "１", "要第1个", "1."])
def test_a_place_may_be_said_in_many_ways(shop: Shop, word: str) -> None:
    shop.member(PHONE, points=50, openid="o-anna")
    anna = shop.talker("o-anna")
    first = options(anna.say(STRANGE))[0]
    expected = shop.talker("o-anna").say(first)
    anna.say(STRANGE)
    assert anna.say(word) == expected


def test_a_place_that_is_not_there_shows_the_list_again_and_cancelling_ends_it(shop: Shop) -> None:
    shop.member(PHONE, points=50, openid="o-anna")
    anna = shop.talker("o-anna")
    listed = options(anna.say(STRANGE))
    assert options(anna.say("7")) == listed
    assert options(anna.say("0")) == listed
    assert "您现有 50 积分" in anna.say("积分")
    assert options(anna.say("9")) == listed, "another question leaves the list standing"
    assert anna.say("取消") == "好的,已取消。"
    assert options(anna.say("1")) != [] or "没听懂" in anna.say("1")


def test_a_list_runs_out(shop: Shop) -> None:
    shop.member(PHONE, points=50, openid="o-anna")
    anna = shop.talker("o-anna")
    anna.say(STRANGE)
    shop.clock.forward(minutes=11)
    assert "没听懂" in anna.say("1")


def test_two_devices_have_two_lists(shop: Shop) -> None:
    shop.member(PHONE, points=50, openid="o-anna")
    anna, stranger = shop.talker("o-anna"), shop.talker("o-stranger")
    anna.say(STRANGE)
    assert options(stranger.say(STRANGE))[0] == "绑定会员"
    assert "手机号" in stranger.say("1")
    assert "没听懂" not in anna.say("1")


def test_a_flow_goes_on_though_something_strange_was_said_within(shop: Shop) -> None:
    stranger = shop.talker("o-stranger")
    stranger.say("绑定")
    assert "接着刚才的步骤" in stranger.say(STRANGE)
    assert stranger.say("13800138000").startswith("验证码已发送")


def test_a_question_about_a_deed_is_asked_back(shop: Shop) -> None:
    shop.member(PHONE, points=50, openid="o-anna")
    anna = shop.talker("o-anna")
    asked = anna.say("请问可以签到吗")
    assert options(asked) == ["签到"] and asked.startswith("您是想:")
    done = anna.say("1")
    assert options(done) == [] and done != asked
    assert anna.say("1") != done, "a list that led to a deed is gone"


def test_a_shops_own_words(tmp_path: Path, books_url: str) -> None:
    phrases = {"understanding": {"phrases": {"points": ["我的豆豆"]}}}
    with open_shop(tmp_path, books_url, phrases) as shop:
        shop.member(PHONE, points=50, openid="o-anna")
        for said in ("我的豆豆", "我的逗逗", "wodedoudou"):
            assert "您现有 50 积分" in shop.talker("o-anna").say(said)
