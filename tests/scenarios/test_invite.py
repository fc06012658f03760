"""Friends in chat: the code, typing it before and after binding, both thanked, and no tricks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from members import arrivals, auditing, invitations, ledger
from members.tables import Referral, table
from tests.support.acting import become_member, deal, empty_books, hire, messages
from tests.support.shop import Shop, open_shop

PHONE, FRIEND, OTHER = "+8613800138000", "13900139000", "13700137000"
LOYALTY: dict[str, Any] = {
    "earn": {"points_per_yuan": 0},
    "referral": {"inviter": {"points": 100}, "invitee": {"coupon": "free-soup"}, "over": 50, "per_month": 5},
}
CODE = re.compile(r"[0-9A-Z]{5}-[0-9A-Z]{5}")


@pytest.fixture
def shop(tmp_path: Path, books_url: str) -> Iterator[Shop]:
    """A shop that thanks for friends, with a cashier."""
    with open_shop(tmp_path, books_url, {"loyalty": LOYALTY}) as running:
        hire(running, "o-wang")
        yield running


@pytest.fixture
def local(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Shop]:
    """The same on SQLite alone, for words."""
    with open_shop(tmp_path, empty_books(migrated_sqlite, tmp_path), {"loyalty": LOYALTY}) as running:
        yield running


def code_of(shop: Shop, openid: str = "o-anna") -> str:
    """The code a member is told."""
    said = shop.talker(openid).say("邀请")
    found = CODE.search(said)
    assert found is not None, said
    return found[0]


def rows(shop: Shop) -> list[tuple[str, str]]:
    """State and reason of every friend."""
    friends = table(Referral)
    with shop.service.database.reading() as connection:
        found = connection.execute(select(friends.c.state, friends.c.reason).order_by(friends.c.at))
        return [(row.state, row.reason) for row in found]


def points(shop: Shop, member: int) -> int:
    """A member's points; the books are sound."""
    with shop.service.database.reading() as connection:
        assert auditing.breaches(connection, now=shop.clock.now()) == []
        return ledger.balances(connection, member)["points"]


def test_the_member_is_told_what_a_friend_brings(local: Shop) -> None:
    local.member(PHONE, openid="o-anna")
    lines = local.talker("o-anna").say("邀请").splitlines()
    assert lines[:3] == [
        "邀请朋友来邻家生鲜",
        "您得 100 积分,朋友得 一张「免费例汤」。",
        "朋友成为会员并消费满 50 元后到账,每月最多 5 位。",
    ]
    assert len(lines) <= 8
    assert CODE.findall("\n".join(lines))[0] == code_of(local) == code_of(local)
    assert local.talker("o-anna").say("我的邀请码").splitlines() == lines


def test_a_friend_types_the_code_binds_buys_and_both_are_thanked(shop: Shop) -> None:
    anna = shop.member(PHONE, openid="o-anna")
    code = code_of(shop)
    said = shop.talker("o-ben").say(f"邀请码 {code}")
    assert said == "朋友的邀请记下了。您消费满 50 元就送 一张「免费例汤」。\n现在请绑定手机号,回复:绑定 您的手机号"
    welcome = become_member(shop, "o-ben", FRIEND)
    assert "朋友的邀请已生效。您消费满 50 元就送 一张「免费例汤」。" in welcome
    [joined] = messages(shop, "o-anna")
    assert "消费满 50 元后,送您 100 积分" in joined.content["text"] and FRIEND not in joined.content["text"]
    assert rows(shop) == [("joined", "")]
    deal(shop, "o-wang", f"消费 {FRIEND} 30")
    assert points(shop, anna) == 0
    receipt = deal(shop, "o-wang", f"消费 {FRIEND} 20")
    assert "例汤" in receipt and "100 积分" not in receipt
    assert points(shop, anna) == 100
    assert "邀请好友礼" in messages(shop, "o-anna")[-1].content["text"]
    assert "免费例汤" in shop.talker("o-ben").say("优惠券")
    assert "已来 1 位,到账 1 位" in shop.talker("o-anna").say("邀请")


def test_a_refund_takes_both_gifts_back_and_tells_both(shop: Shop) -> None:
    anna = shop.member(PHONE, openid="o-anna")
    shop.talker("o-ben").say(f"邀请码 {code_of(shop)}")
    become_member(shop, "o-ben", FRIEND)
    deal(shop, "o-wang", f"消费 {FRIEND} 60")
    deal(shop, "o-wang", f"退款 {FRIEND} 20")
    assert points(shop, anna) == 0
    assert "已收回100 积分" in messages(shop, "o-anna")[-1].content["text"]
    assert "没有可用的优惠券" in shop.talker("o-ben").say("优惠券")
    deal(shop, "o-wang", f"消费 {FRIEND} 15")
    assert points(shop, anna) == 100


def test_the_code_may_come_with_the_phone_or_by_a_qr_code(shop: Shop) -> None:
    shop.member(PHONE, openid="o-anna")
    code = code_of(shop)
    assert "验证码已发送" in shop.talker("o-ben").say(f"绑定 {FRIEND} 邀请码 {code}")
    assert "邀请已生效" in shop.talker("o-ben").say(shop.code_for("o-ben")[1])
    scene = arrivals.Scene("referral", code, f"ref:{code}")
    with shop.service.database.transaction() as connection:
        arrivals.note(connection, "o-cat", None, "subscribe", scene, shop.clock.now())
    assert "邀请已生效" in become_member(shop, "o-cat", OTHER)
    assert rows(shop) == [("joined", ""), ("joined", "")]


def test_the_last_code_before_binding_counts_and_an_old_one_does_not(shop: Shop) -> None:
    shop.member(PHONE, openid="o-anna")
    dora = shop.member("+8613600136000", openid="o-dora")
    first, last = code_of(shop), code_of(shop, "o-dora")
    for code in (first, last):
        shop.talker("o-ben").say(f"邀请码 {code}")
    become_member(shop, "o-ben", FRIEND)
    with shop.service.database.reading() as connection:
        assert connection.scalars(select(table(Referral).c.inviter_id)).all() == [dora]
    shop.talker("o-cat").say(f"邀请码 {first}")
    shop.clock.forward(days=31)
    assert "邀请" not in become_member(shop, "o-cat", OTHER)


def test_it_may_be_typed_just_after_binding_but_not_for_ever(shop: Shop) -> None:
    shop.member(PHONE, openid="o-anna")
    code = code_of(shop)
    become_member(shop, "o-ben", FRIEND)
    ben = shop.talker("o-ben")
    assert "邀请已生效" in ben.say(f"邀请码 {code}")
    assert "不用再填" in ben.say(f"邀请码 {code}")
    become_member(shop, "o-cat", OTHER)
    shop.clock.forward(hours=25)
    assert "您早就是我们的会员啦" in shop.talker("o-cat").say(f"邀请码 {code}")
    assert rows(shop) == [("joined", ""), ("refused", "old_member")]


def test_tricks_are_answered_honestly_and_written_down(shop: Shop) -> None:
    shop.member(PHONE, openid="o-anna")
    code, anna = code_of(shop), shop.talker("o-anna")
    assert "您自己的邀请码" in anna.say(f"邀请码 {code}")
    anna.say("解绑")
    anna.say("确认解绑")
    anna.say(f"邀请码 {code}")
    said = become_member(shop, "o-anna", FRIEND)
    assert "这次不算新朋友的邀请" in said
    assert rows(shop) == [("refused", "came_again")]
    shop.member("+8613700137000")
    shop.talker("o-cat").say(f"邀请码 {code}")
    assert "您早就是我们的会员啦" in become_member(shop, "o-cat", OTHER)
    assert rows(shop) == [("refused", "came_again"), ("refused", "old_member")]


def test_codes_cannot_be_guessed(local: Shop) -> None:
    local.member(PHONE, openid="o-anna")
    code, eve = code_of(local), local.talker("o-eve")
    for _ in range(10):
        assert "没有这个邀请码" in eve.say("邀请码 ABCDE12345")
    assert "没有这个邀请码" in eve.say(f"邀请码 {code}")
    local.clock.forward(hours=1)
    assert "记下了" in eve.say(f"邀请码 {code}")


@pytest.mark.parametrize(
    "words", ["{code}", "邀请码{code}", "朋友的邀请码是{code}", "我朋友给我的邀请码:{code}", "邀請碼 {code}", "{small}"]
)
def test_a_code_is_heard_in_many_words(local: Shop, words: str) -> None:
    local.member(PHONE, openid="o-anna")
    code = code_of(local)
    said = local.talker("o-ben").say(words.format(code=code, small=code.replace("-", "").lower()))
    assert "记下了" in said or "記下了" in said


def test_it_is_no_word_of_staff_no_coupon_and_no_phone(local: Shop) -> None:
    eve = local.talker("o-eve")
    for words in ("K7QF-2MDX", "K7QF-2MDX-9TA0", FRIEND, "1234567890", "restaurant"):
        assert "邀请码" not in eve.say(words)
    assert "请回复「邀请码」加朋友给您的10位码" in eve.say("邀请码")


def test_where_nothing_is_given_nothing_is_promised(tmp_path: Path, migrated_sqlite: Path) -> None:
    with open_shop(tmp_path, empty_books(migrated_sqlite, tmp_path)) as shop:
        shop.member(PHONE, openid="o-anna")
        assert "现在没有邀请有礼的活动" in shop.talker("o-anna").say("邀请好友")
        assert "现在没有邀请有礼的活动" in shop.talker("o-ben").say(f"邀请码 {invitations.new_code()}")


def test_where_nothing_has_to_be_bought_both_are_thanked_at_once(tmp_path: Path, migrated_sqlite: Path) -> None:
    loyalty = {"referral": {"inviter": {"points": 100}, "invitee": {"points": 20}}}
    with open_shop(tmp_path, empty_books(migrated_sqlite, tmp_path), {"loyalty": loyalty}) as shop:
        anna = shop.member(PHONE, openid="o-anna")
        assert "朋友成为会员就到账" in shop.talker("o-anna").say("邀请")
        shop.talker("o-ben").say(f"邀请码 {code_of(shop)}")
        assert "受邀礼已到账:20 积分。" in become_member(shop, "o-ben", FRIEND)
        assert points(shop, anna) == 100


def test_with_a_public_address_there_is_a_picture(tmp_path: Path, migrated_sqlite: Path) -> None:
    changes = {"loyalty": LOYALTY, "wechat": {"public_url": "https://bot.example.com"}}
    with open_shop(tmp_path, empty_books(migrated_sqlite, tmp_path), changes) as shop:
        shop.member(PHONE, openid="o-anna")
        anna = shop.talker("o-anna")
        xml = anna.send(anna.text_xml("邀请"))
        code = CODE.search(xml)
        assert code is not None and f"https://bot.example.com/qr/{code[0].replace('-', '')}.png" in xml
