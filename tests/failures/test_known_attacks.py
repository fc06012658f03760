"""Known ways to get at what is not one's own, and the edges of calendars and numbers."""

from datetime import UTC, date, datetime

import pytest

from members import gifts, points
from members.audit import Actor
from members.errors import MemberError
from tests.failures.counter import ANNA, born, buy, new_coupon, owned, refund, states, to_day
from tests.support.acting import deal
from tests.support.shop import Shop
from tests.support.till import Till, refusal

TEST = Actor("test")
GUESSES = ["K7QF-2MDX-9TA0", "0000-0000-0000", "ABCD-EFGH-JKMN", "1234-5678-9ABC", "ZZZZ-ZZZZ-ZZZZ"]


def test_code_guessing(shop: Shop, till: Till) -> None:
    """Five wrong codes and whoever typed them waits, with the right one too; others go on."""
    made = new_coupon(shop)
    for code in GUESSES:
        assert refusal(till.post(f"/coupons/{code}/redeem", {"store": "s1"}))[0] in (404, 409, 422)
    status, code = refusal(till.post(f"/coupons/{made.code}/redeem", {"store": "s1"}))
    assert (status, code) == (429, "codes_locked")
    wang = shop.talker("o-wang")
    for code in GUESSES:
        assert "回复「确认」" not in wang.say(f"核销 {code}")
    assert "回复「确认」" not in wang.say(f"核销 {made.code}")
    assert states(shop, "off-20-over-100") == ["issued"]
    shop.clock.forward(minutes=31)
    assert "已核销" in deal(shop, "o-wang", f"核销 {made.code}")


def test_otp_bombing(shop: Shop) -> None:
    """Neither one openid nor many can make a phone ring all day."""
    asked = [shop.talker("o-bomber").say("绑定 13911112222") for _ in range(10)]
    assert sum("验证码已发送" in said for said in asked) == 1
    sent = 1
    for number in range(30):
        shop.clock.forward(seconds=61)
        sent += "验证码已发送" in shop.talker(f"o-bomber-{number}").say("绑定 13911112222")
    assert sent <= 5
    shop.clock.forward(hours=2)
    for number in range(30, 60):
        shop.clock.forward(seconds=61)
        sent += "验证码已发送" in shop.talker(f"o-bomber-{number}").say("绑定 13911112222")
    assert sent <= 10


def test_midnight_expiry(shop: Shop, till: Till) -> None:
    """Valid until a day means until the shop's midnight: not a moment longer, whether or not the night's job ran."""
    first, second, third = (new_coupon(shop, "month", key=str(number)) for number in range(3))
    buy(till, "A1", 60_00)
    # issued on 2 March in Shanghai: the last day is 2 April, the points' 2 March of next year
    to_day(shop, "2026-04-02T23:59:59.999999+08:00")
    assert till.post(f"/coupons/{first.code}/redeem", {"store": "s1"}).status_code == 200
    lock = {"store": "s1", "lock_key": "till-7", "seconds": 300}
    assert till.post(f"/coupons/{second.code}/lock", lock).status_code == 200
    to_day(shop, "2026-04-03T00:00:00+08:00")
    assert refusal(till.post(f"/coupons/{third.code}/redeem", {"store": "s1"})) == (409, "coupon_expired")
    redeemed = till.post(f"/coupons/{second.code}/redeem", {"store": "s1", "lock_key": "till-7"})
    assert redeemed.status_code == 200, "a basket that was begun in time is finished"
    to_day(shop, "2027-03-02T23:59:59.999999+08:00")
    assert "60" in shop.talker("o-anna").say("积分")
    to_day(shop, "2027-03-03T00:00:00+08:00")
    with pytest.raises(MemberError, match="insufficient"), shop.service.database.transaction() as connection:
        points.spend(connection, ANNA, 1, key="k", by=TEST, reason="t", now=shop.clock.now())
    assert refund(till, "A1", "R1").json()["points_taken"] == 0


def test_leap_day_expiry(shop: Shop, till: Till) -> None:
    """A month after 31 January is the last of February; a year after 29 February the 28th; so is the birthday."""
    to_day(shop, "2028-01-31T10:00:00+08:00")
    made = new_coupon(shop, "month")
    assert made.expires_at == datetime(2028, 2, 29, 16, tzinfo=UTC)
    to_day(shop, "2028-02-29T23:59:59+08:00")
    buy(till, "A1", 60_00)
    assert till.post(f"/coupons/{made.code}/redeem", {"store": "s1"}).status_code == 200
    with shop.service.database.transaction() as connection:
        born(connection, date(2004, 2, 29))
        given, _ = gifts.birthday(connection, shop.service.config.rules, shop.clock.now())
        assert [gift.points for gift in given] == [29]
    to_day(shop, "2029-02-28T23:59:59+08:00")
    with shop.service.database.transaction() as connection:
        given, _ = gifts.birthday(connection, shop.service.config.rules, shop.clock.now())
        assert [gift.points for gift in given] == [29]
        points.spend(connection, ANNA, 60, key="last", by=TEST, reason="t", now=shop.clock.now())
    to_day(shop, "2029-03-01T00:00:00+08:00")
    with pytest.raises(MemberError, match="insufficient"), shop.service.database.transaction() as connection:
        points.spend(connection, ANNA, 30, key="late", by=TEST, reason="t", now=shop.clock.now())


def test_full_width_and_negative_amounts(shop: Shop, till: Till) -> None:
    """Full-width digits are digits; no sign, in whatever script, and no other number makes an amount below one 分."""
    assert "¥128.50" in deal(shop, "o-wang", "消费 尾号８０００ １２８．５")
    assert owned(shop) == {"points": 128}
    wang = shop.talker("o-wang")
    for sign in ("-", "−", "－", "﹣", "‐", "–", "—", "负"):
        for deed in ("消费", "充值", "加积分", "退款"):
            assert "回复「确认」" not in wang.say(f"{deed} 尾号8000 {sign}50"), (deed, sign)
            wang.say("确认")
    assert owned(shop) == {"points": 128}
    for total in ("１２８", "128", 128.5, -1, True, None, [1], "1e3", float("1e300")):
        assert buy(till, "B1", total).status_code == 422, total


def test_integer_overflow(shop: Shop, till: Till) -> None:
    """No amount, however long, is taken for a small one or breaks anything."""
    for huge in (10**10 + 1, 2**31, 2**53, 2**63 - 1, 2**63, 2**64 + 1, 10**30, 10**300):
        expected = (422,) if huge > 10**10 else (201, 200)
        assert buy(till, f"B{len(str(huge))}-{huge % 97}", huge).status_code in expected, huge
        assert buy(till, "C1", 100, pay_balance=huge).status_code == 422
        for deed in ("消费", "充值", "加积分"):
            said = shop.talker("o-wang").say(f"{deed} 尾号8000 {huge}")
            assert "出了点问题" not in said and "稍后再试" not in said, said
            if huge > 10**10:
                assert "回复「确认」" not in said, huge
            shop.talker("o-wang").say("取消")
    earned = 2**31 // 100
    assert owned(shop) == {"points": earned}
    for points_many in (10**10 + 1, 2**63, 10**30):
        with pytest.raises(MemberError, match="amount_range"), shop.service.database.transaction() as connection:
            points.give(
                connection, shop.service.config.rules, ANNA, points_many, key="k", kind="gift", by=TEST, reason="t",
                now=shop.clock.now(),
            )  # fmt: skip
    assert owned(shop) == {"points": earned}
