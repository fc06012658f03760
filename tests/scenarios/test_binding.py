"""Binding by SMS code, as strangers, owners of an offline membership, the absent-minded and thieves live it."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from members import identity
from tests.support.acting import ask_code, become_member, buy, deeds, empty_books, in_days, issue, messages
from tests.support.shop import KEYS, Shop, open_shop

PHONE, OTHER, THIRD = "+8613800138000", "+8613900139000", "+8613700137000"


def wrong(code: str) -> str:
    """A code that is not this one."""
    return f"{(int(code) + 1) % 10**6:06d}"


def owner(shop: Shop, openid: str) -> int | None:
    """Whom an openid speaks for."""
    with shop.service.database.reading() as connection:
        return identity.find(connection, "openid", openid, KEYS.app_id)


@pytest.mark.parametrize("mode", ["plain", "compatible", "aes"])
def test_a_stranger_takes_over_the_offline_member(shop: Shop, mode: str) -> None:
    shop.member(PHONE, points=1234, principal=10_000, gift=2_050)
    anna = shop.talker("o-anna", mode)
    assert "绑定" in anna.event("subscribe")
    assert "绑定" in anna.say("积分")
    assert "138****8000" in anna.say("绑定 13800138000")
    phone, code = shop.code_for("o-anna")
    assert phone == PHONE
    assert "1,234" in anna.say(code)
    assert "1,234" in anna.say("积分")
    assert anna.say("余额").splitlines() == ["您的余额 ¥120.50", "本金 ¥100.00(不过期,可退)", "赠送 ¥20.50"]


def test_everything_owned_comes_along(shop: Shop) -> None:
    member = shop.member(PHONE, points=1234, principal=10_000, gift=2_050)
    coupon = issue(shop, member, "off-20-over-100", key="k1")
    buy(shop, member, in_days(shop, -3), [("牛奶", 2, 1380), ("鸡蛋", 1, 1250)])
    said = become_member(shop, "o-anna", "13800138000")
    assert said.splitlines()[:4] == [
        "绑定成功!您是邻家生鲜的普卡会员。",
        "积分 1,234",
        "余额 ¥120.50",
        "可用优惠券 1 张",
    ]
    anna = shop.talker("o-anna")
    assert coupon.code[:4] in anna.say("优惠券")
    assert "牛奶 ×2 ¥13.80" in anna.say("上次")
    assert owner(shop, "o-anna") == member
    (deed,) = deeds(shop, "identity.bind")
    assert (deed.member_id, deed.detail) == (member, {"taken_over": True})


def test_the_answer_does_not_tell_whether_the_phone_is_known(shop: Shop) -> None:
    shop.member(PHONE, points=5)
    known, unknown = shop.talker("o-a").say("绑定 13800138000"), shop.talker("o-b").say("绑定 13900139000")
    assert known.replace("138****8000", "P") == unknown.replace("139****9000", "P")
    one, other = shop.code_for("o-a")[1], shop.code_for("o-b")[1]
    assert shop.talker("o-a").say(wrong(one)) == shop.talker("o-b").say(wrong(other))


def test_a_new_phone_makes_a_new_member(shop: Shop) -> None:
    assert "欢迎成为邻家生鲜的普卡会员" in become_member(shop, "o-anna", "13800138000")
    assert "0 积分" in shop.talker("o-anna").say("积分")
    assert "138****8000" in shop.talker("o-anna").say("绑定")


def test_step_by_step_with_detours(shop: Shop) -> None:
    anna = shop.talker("o-anna")
    assert "请发送您的手机号" in anna.say("绑定")
    assert "11位" in anna.say("021-55550100")
    assert "11位" in anna.say("1380013800")
    assert "绑定会员" in anna.say("积分"), "another question in between is answered"
    assert "验证码已发送" in anna.say("我的手机号是 138 0013 8000")
    assert "会员助手" in anna.say("帮助")
    assert "6位数字" in anna.say("12345"), "a mistyped code is no try"
    code = shop.code_for("o-anna")[1]
    assert "还可以试4次" in anna.say(wrong(code))
    assert "绑定成功" in anna.say(f"验证码是{code[:3]} {code[3:]}。")


def test_leaving_by_cancel(shop: Shop) -> None:
    anna = shop.talker("o-anna")
    assert "没有进行中" in anna.say("取消")
    anna.say("绑定")
    assert anna.say("取消") == "好的,已取消。"
    code = ask_code(shop, "o-anna", "13800138000")
    assert anna.say("算了") == "好的,已取消。"
    assert "没有等待中的验证码" in anna.say(code), "what was cancelled is worth nothing"
    assert owner(shop, "o-anna") is None


def test_a_code_nobody_waits_for(shop: Shop) -> None:
    assert "要绑定会员" in shop.talker("o-anna").say("123456")
    become_member(shop, "o-bob", "13800138000")
    assert "已经绑定" in shop.talker("o-bob").say("123456")


def test_resending(shop: Shop) -> None:
    anna = shop.talker("o-anna")
    assert "没有等待中" in anna.say("重发")
    first = ask_code(shop, "o-anna", "13800138000")
    shop.clock.forward(seconds=10)
    assert "请稍等50秒" in anna.say("没收到")
    shop.clock.forward(seconds=50)
    assert "验证码已发送到 138****8000" in anna.say("重发")
    second = shop.code_for("o-anna")[1]
    if first != second:
        assert "不对" in anna.say(first)
    assert "绑定成功" in anna.say(second)
    assert "没有等待中" in anna.say(second), "a code serves once"


def test_a_code_expires_and_the_flow_too(shop: Shop) -> None:
    code = ask_code(shop, "o-anna", "13800138000")
    shop.clock.forward(minutes=5)
    anna = shop.talker("o-anna")
    assert "已过期" in anna.say(code)
    assert "验证码已发送" in anna.say("重发")
    shop.clock.forward(minutes=15)
    assert "没有等待中" in anna.say(shop.code_for("o-anna")[1])
    assert "没有等待中" in anna.say("重发")


def test_five_wrong_codes_lock_openid_and_phone_and_the_lock_ends(shop: Shop) -> None:
    anna = shop.talker("o-anna")
    code = ask_code(shop, "o-anna", "13800138000")
    assert [re.search(r"还可以试(\d)次", anna.say(wrong(code))) is not None for _ in range(4)] == [True] * 4
    assert "请过30分钟再试" in anna.say(wrong(code))
    shop.clock.forward(minutes=10)
    assert "请过20分钟再试" in anna.say(code)
    assert "请过20分钟再试" in anna.say("绑定 13900139000")
    assert "请过20分钟再试" in shop.talker("o-bob").say("绑定 13800138000")
    shop.clock.forward(minutes=20)
    become_member(shop, "o-anna", "13800138000")


def test_the_wrong_phone_first(shop: Shop) -> None:
    anna = shop.talker("o-anna")
    first = ask_code(shop, "o-anna", "13800138000")
    shop.clock.forward(seconds=20)
    assert "请稍等40秒" in anna.say("13900139000")
    shop.clock.forward(seconds=40)
    assert "139****9000" in anna.say("13900139000")
    second = shop.code_for("o-anna")
    assert second[0] == OTHER
    if first != second[1]:
        assert "不对" in anna.say(first), "the first phone's code is dead"
    anna.say(second[1])
    assert "139****9000" in anna.say("绑定")


def test_the_flow_survives_a_restart(tmp_path: Path, books_url: str) -> None:
    with open_shop(tmp_path, books_url) as shop:
        shop.talker("o-anna").say("绑定 13800138000")
        code = shop.code_for("o-anna")[1]
    with open_shop(tmp_path, books_url) as shop:
        shop.clock.forward(seconds=30)
        assert "还可以试4次" in shop.talker("o-anna").say(wrong(code))
        assert "绑定成功" in shop.talker("o-anna").say(code)


def test_limits_are_said_in_words(tmp_path: Path, migrated_sqlite: Path) -> None:
    changes = {"sms": {"limits": {"per_openid_day": 1, "all_per_minute": 2, "cool_down_seconds": 1}}}
    with open_shop(tmp_path, empty_books(migrated_sqlite, tmp_path), changes) as shop:
        ask_code(shop, "o-a", "13800138000")
        shop.clock.forward(seconds=2)
        assert "请在2026年3月3日 00:00以后再试" in shop.talker("o-a").say("绑定 13800138000")
        ask_code(shop, "o-b", "13900139000")
        assert "请过几分钟再试" in shop.talker("o-c").say("绑定 13700137000")


def test_neither_code_nor_phone_is_in_the_files(tmp_path: Path, migrated_sqlite: Path) -> None:
    with open_shop(tmp_path, empty_books(migrated_sqlite, tmp_path)) as shop:
        shop.talker("o-anna").say("绑定 13800138000")
        code = shop.code_for("o-anna")[1]
        written = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
        assert b"o-anna" in written
        shop.talker("o-anna").say(code)
        written += b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert code.encode() not in written
    assert b"13800138000" not in written


def test_two_at_once_with_the_same_new_phone_are_one_member(tmp_path: Path, books_url: str) -> None:
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
    with open_shop(tmp_path / "a", books_url) as one, open_shop(tmp_path / "b", books_url) as other:
        shops = {"o-anna": one, "o-bob": other}
        codes = {}
        for openid, shop in shops.items():
            codes[openid] = ask_code(shop, openid, "13800138000")
            one.clock.forward(minutes=1)
            other.clock.forward(minutes=1)
        gate = threading.Barrier(2)

        def verify(openid: str) -> str:
            gate.wait()
            return shops[openid].talker(openid).say(codes[openid])

        with ThreadPoolExecutor(2) as pool:
            said = list(pool.map(verify, shops))
        assert all("绑定成功" in words for words in said)
        assert owner(one, "o-anna") == owner(one, "o-bob") is not None


def test_the_others_hear_of_a_second_openid(shop: Shop) -> None:
    become_member(shop, "o-anna", "13800138000")
    shop.clock.forward(minutes=2)
    assert "绑定成功" in become_member(shop, "o-bob", "13800138000")
    (notice,) = messages(shop, "o-anna")
    assert "另一个微信" in notice.content["text"]
    assert "138****8000" in notice.content["text"]
    assert messages(shop, "o-bob") == []
    assert "另一个微信" in shop.talker("o-anna").say("积分"), "at the latest with the next reply"


def test_so_many_openids_and_no_more(tmp_path: Path, migrated_sqlite: Path) -> None:
    changes = {"sms": {"limits": {"openids_per_member": 2}}}
    with open_shop(tmp_path, empty_books(migrated_sqlite, tmp_path), changes) as shop:
        for openid in ("o-a", "o-b"):
            become_member(shop, openid, "13800138000")
            shop.clock.forward(minutes=2)
        code = ask_code(shop, "o-c", "13800138000")
        assert "已绑定2个微信" in shop.talker("o-c").say(code)
        shop.talker("o-a").say("解绑")
        shop.talker("o-a").say("确认解绑")
        assert "绑定成功" in shop.talker("o-c").say(code), "the code was not used up by a refusal"


def test_binding_again_and_another_phone(shop: Shop) -> None:
    become_member(shop, "o-anna", "13800138000")
    anna = shop.talker("o-anna")
    for said in ("绑定", "绑定 13800138000", "13800138000"):
        assert "您已经绑定 138****8000" in anna.say(said)
    assert "换手机号" in anna.say("绑定 13900139000")
    assert "11位" in anna.say("绑定 1390013900")
    assert messages(shop, "o-anna", "code")[1:] == []


def test_unbinding_wants_the_exact_words(shop: Shop) -> None:
    shop.member(PHONE, points=77)
    become_member(shop, "o-anna", "13800138000")
    anna = shop.talker("o-anna")
    assert "138****8000" in anna.say("怎么解绑")
    for said in ("是的", "确认", "确认解绑吗", "好"):
        assert "确认解绑" in anna.say(said)
    assert "77" in anna.say("积分")
    assert "已解绑" in anna.say("确认解绑")
    assert "绑定" in anna.say("积分")
    assert owner(shop, "o-anna") is None
    assert len(deeds(shop, "identity.unbind")) == 1
    shop.clock.forward(minutes=2)
    assert "积分 77" in become_member(shop, "o-anna", "13800138000")


def test_confirming_out_of_the_blue_asks_first(shop: Shop) -> None:
    become_member(shop, "o-anna", "13800138000")
    anna = shop.talker("o-anna")
    assert "确定解绑请回复" in anna.say("确认解绑")
    shop.clock.forward(minutes=11)
    assert "确定解绑请回复" in anna.say("确认解绑"), "the question has run out"
    anna.say("取消")
    assert "确定解绑请回复" in anna.say("确认解绑")
    assert owner(shop, "o-anna") is not None
