"""What a member asks and gets: exact figures, warm words, one screen."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from members import ledger
from members.clock import end_of_day
from members.ledger import Booking, Leg
from members.tables import Member, table
from tests.support.acting import SHANGHAI, buy, empty_books, in_days, issue
from tests.support.shop import Shop, open_shop

PHONE = "+8613800138000"
LINES, BYTES = 25, 2000


def book(shop: Shop, member: int, key: str, legs: tuple[Leg, ...], reason: str, **more: Any) -> None:
    """Book a movement at the shop's now."""
    with shop.service.database.transaction() as connection:
        ledger.post(connection, Booking(key, more.pop("kind", "earn"), "test", shop.clock.now(), legs, reason, **more))


def earn(shop: Shop, member: int, amount: int, days: int, key: str) -> None:
    """Give points that are good through a day so many days from now."""
    until = end_of_day(in_days(shop, days).astimezone(SHANGHAI).date(), SHANGHAI)
    legs = (Leg("points", amount, member), Leg("issuer", -amount))
    book(shop, member, key, legs, "消费积分", expires_at=until)


def test_points_exactly(shop: Shop) -> None:
    member = shop.member(PHONE, openid="o-anna")
    earn(shop, member, 300, 10, "a")
    earn(shop, member, 50, 40, "b")
    assert shop.talker("o-anna").say("积分").splitlines() == [
        "您现有 350 积分。",
        "300 积分将于 2026年3月12日 到期。",
        "再攒 150 积分可换「免费例汤」。",
        "每消费1元积1分。",
    ]
    earn(shop, member, 1_234_567, 90, "c")
    said = shop.talker("o-anna").say("我的积分还有多少?")
    assert "您现有 1,234,917 积分。" in said
    assert "已够换「免费例汤」(500 积分),回复「兑换」就能换。" in said


def test_points_that_ran_out_do_not_count_though_the_nightly_job_has_not_come(shop: Shop) -> None:
    member = shop.member(PHONE, openid="o-anna")
    for number, days in enumerate((1, 2, 10)):
        earn(shop, member, 100 + number, days, f"k{number}")
    shop.clock.forward(days=3)
    said = shop.talker("o-anna").say("积分").splitlines()
    assert said[:2] == ["您现有 102 积分。", "102 积分将于 2026年3月12日 到期。"]
    with shop.service.database.transaction() as connection:
        ledger.expire_points(connection, shop.clock.now())
    assert shop.talker("o-anna").say("积分").splitlines()[:2] == said[:2]
    assert shop.talker("o-anna").say("积分明细").splitlines() == [
        "最近的积分变动:",
        "3月5日 -201 积分到期(余 102)",
        "3月2日 +102 消费积分(余 303)",
        "3月2日 +101 消费积分(余 201)",
        "3月2日 +100 消费积分(余 100)",
    ]


def test_points_on_their_last_day(shop: Shop) -> None:
    member = shop.member(PHONE, openid="o-anna")
    earn(shop, member, 7, 0, "k")
    assert "7 积分将于 2026年3月2日 到期。" in shop.talker("o-anna").say("积分")
    shop.clock.move_to(datetime(2026, 3, 2, 23, 59, 59, tzinfo=SHANGHAI).astimezone(UTC))
    assert "您现有 7 积分。" in shop.talker("o-anna").say("积分")
    shop.clock.forward(seconds=1)
    assert shop.talker("o-anna").say("积分").splitlines()[0] == "您现有 0 积分。"


def test_a_member_with_nothing(shop: Shop) -> None:
    shop.member(PHONE, openid="o-anna")
    anna = shop.talker("o-anna")
    assert anna.say("积分").splitlines()[:2] == ["您现有 0 积分。", "再攒 500 积分可换「免费例汤」。"]
    assert anna.say("余额").splitlines() == ["您还没有储值,余额 ¥0.00", "本金 ¥0.00", "赠送 ¥0.00"]
    assert anna.say("优惠券") == "现在没有可用的优惠券。有新券我会告诉您。"
    assert anna.say("积分明细") == anna.say("余额明细") == "还没有变动记录。"
    assert "还没有您的消费记录" in anna.say("上次")
    assert anna.say("为什么") == "最近没有给您发过专属优惠。"
    assert "多逛几次" in anna.say("推荐")


def test_balance_principal_and_gift_apart(shop: Shop) -> None:
    member = shop.member(PHONE, principal=123_456_789_012, gift=5, openid="o-anna")
    assert shop.talker("o-anna").say("我卡里还有多少钱").splitlines() == [
        "您的余额 ¥1,234,567,890.17",
        "本金 ¥1,234,567,890.12(不过期,可退)",
        "赠送 ¥0.05",
    ]
    shop.clock.forward(days=1)
    legs = (Leg("principal", -12, member), Leg("gift", -5, member), Leg("spent", 17))
    book(shop, member, "pay", legs, "消费", kind="pay")
    assert shop.talker("o-anna").say("余额明细").splitlines() == [
        "最近的余额变动:",
        "3月3日 本金-¥0.12 消费(余 ¥1,234,567,890.00)",
        "3月3日 赠送-¥0.05 消费(余 ¥0.00)",
        "3月2日 本金+¥1,234,567,890.12 测试入账(余 ¥1,234,567,890.12)",
        "3月2日 赠送+¥0.05 测试入账(余 ¥0.05)",
    ]


def test_histories_show_the_newest_eight(shop: Shop) -> None:
    member = shop.member(PHONE, openid="o-anna")
    for number in range(20):
        shop.clock.forward(hours=1)
        earn(shop, member, number + 1, 30, f"k{number}")
    lines = shop.talker("o-anna").say("积分明细").splitlines()
    assert len(lines) == 9
    assert "+20 " in lines[1]
    assert "+13 " in lines[-1]


def test_one_coupon_with_all_that_is_needed_at_the_till(shop: Shop) -> None:
    member = shop.member(PHONE, openid="o-anna")
    coupon = issue(shop, member, "off-20-over-100", key="k1")
    spelled = f"{coupon.code[:4]}-{coupon.code[4:8]}-{coupon.code[8:]}"
    assert shop.talker("o-anna").say("优惠券").splitlines() == [
        "您有 1 张可用优惠券:",
        "1. 满100减20",
        f"   券码 {spelled}",
        "   2026年3月16日 前有效",
        "用法:结账时出示券码即可使用。",
        "回复序号看其中一张。",
    ]
    shop.clock.forward(days=9)
    assert "2026年3月16日 前有效,还剩5天" in shop.talker("o-anna").say("优惠券")
    shop.clock.move_to(datetime(2026, 3, 16, 23, 0, tzinfo=SHANGHAI).astimezone(UTC))
    assert "前有效,今天到期" in shop.talker("o-anna").say("优惠券")
    shop.clock.forward(hours=1)
    assert "没有可用的优惠券" in shop.talker("o-anna").say("优惠券")


HOW = {"coupons": {"tea": {"title": "茶券", "gift": "茶", "valid": "3 days", "how": "到前台换取"}}}


@pytest.fixture
def sqlite_shop(tmp_path: Path, migrated_sqlite: Path) -> Any:
    """A shop on SQLite alone, with a coupon that is used in its own way and a reward nobody reaches."""
    with open_shop(tmp_path, empty_books(migrated_sqlite, tmp_path), HOW) as running:
        yield running


def test_many_coupons_fit_one_screen_expiring_first(sqlite_shop: Shop) -> None:
    shop = sqlite_shop
    member = shop.member(PHONE, openid="o-anna")
    for number in range(70):
        issue(shop, member, "free-soup", key=f"k{number}")
    issue(shop, member, "one-only", key="soon")
    said = shop.talker("o-anna").say("优惠券")
    lines = said.splitlines()
    assert lines[:2] == ["您有 71 张可用优惠券:", "1. 唯一券"]
    assert "还有 58 张,先用快到期的吧。" in lines
    assert len(lines) <= LINES
    assert len(said.encode()) <= BYTES


def test_coupons_that_are_used_differently_say_so(sqlite_shop: Shop) -> None:
    member = sqlite_shop.member(PHONE, openid="o-anna")
    issue(sqlite_shop, member, "tea", key="a")
    issue(sqlite_shop, member, "free-soup", key="b")
    lines = sqlite_shop.talker("o-anna").say("优惠券").splitlines()
    assert lines[4] == "   用法:到前台换取"
    assert lines[8] == "   用法:结账时出示券码即可使用"


def test_the_last_order(shop: Shop) -> None:
    member = shop.member(PHONE, openid="o-anna")
    buy(shop, member, in_days(shop, -9), [("旧货", 1, 100)])
    at = datetime(2026, 3, 1, 18, 5, tzinfo=SHANGHAI)
    buy(shop, member, at, [("牛奶", 2, 1380), ("鸡蛋", 1, 1250)], discount=130)
    assert shop.talker("o-anna").say("上次买了什么").splitlines() == [
        "您上次在 2026年3月1日 18:05 在一店买了:",
        "· 牛奶 ×2 ¥13.80",
        "· 鸡蛋 ¥12.50",
        "合计 ¥25.00,优惠 ¥1.30",
    ]


def test_a_long_receipt_fits_one_screen(sqlite_shop: Shop) -> None:
    member = sqlite_shop.member(PHONE, openid="o-anna")
    buy(sqlite_shop, member, in_days(sqlite_shop, -1), [(f"第{n}号" + "长" * 60, 99, 10**9) for n in range(40)])
    said = sqlite_shop.talker("o-anna").say("上次")
    assert "……共 40 样" in said
    assert "合计 ¥400,000,000.00" in said
    assert len(said.splitlines()) <= LINES
    assert len(said.encode()) <= BYTES


def test_the_member_code_shows_the_card_and_changes(shop: Shop) -> None:
    shop.member(PHONE, openid="o-anna")
    anna = shop.talker("o-anna")
    first = anna.say("会员码").splitlines()
    assert first[0] == "您的会员码"
    assert first[1].replace(" ", "").isdigit()
    assert len(first[1].replace(" ", "")) == 12
    assert first[2].startswith("会员卡号 8")
    assert anna.say("二维码").splitlines() == first
    shop.clock.forward(minutes=3)
    assert anna.say("会员码").splitlines()[1] != first[1]


def test_the_tier_and_the_way_to_the_next(shop: Shop) -> None:
    member = shop.member(PHONE, openid="o-anna")
    buy(shop, member, in_days(shop, -30), [("牛奶", 1, 123_45)])
    buy(shop, member, in_days(shop, -366), [("早年的", 1, 999_999)])
    anna = shop.talker("o-anna")
    assert anna.say("等级").splitlines() == [
        "您是普卡会员。",
        "近12个月已消费 ¥123.45,再消费 ¥2,876.55 升级为金卡。",
    ]
    buy(shop, member, in_days(shop, -1), [("大件", 1, 300_000)])
    assert "已达到金卡的条件" in anna.say("等级")
    with shop.service.database.transaction() as connection:
        connection.execute(update(table(Member)).values(tier="金卡"))
    assert anna.say("等级").splitlines() == ["您是金卡会员。", "这是我们的最高等级,谢谢您一直光顾。"]
    with shop.service.database.transaction() as connection:
        connection.execute(update(table(Member)).values(tier="改了名的卡"))
    assert "普卡" in anna.say("等级"), "a tier that left the configuration is the first one"


def test_help_and_the_unknown_are_useful(shop: Shop) -> None:
    stranger = shop.talker("o-stranger")
    assert "绑定" in stranger.say("帮助")
    assert "绑定" in stranger.say("今天天气怎么样")
    assert "客服" not in stranger.say("讲个笑话")
    shop.member(PHONE, openid="o-anna")
    anna = shop.talker("o-anna")
    for word in ("积分", "余额", "优惠券", "上次", "会员码", "等级", "退订", "解绑"):
        assert word in anna.say("帮助")
    heads = {anna.say(text).splitlines()[0] for text in ("驾照积分还剩多少", "asdf", "。。。")}
    assert heads == {"这句我还没听懂。您是不是想问:"}
    assert "优惠券" in anna.say("支付宝余额")
    assert "您好" in anna.say("在吗")
    assert "不客气" in anna.say("好的谢谢")
    assert "<![CDATA[transfer_customer_service]]>" in anna.send(anna.text_xml("转人工"))


def test_a_stranger_is_asked_to_bind(sqlite_shop: Shop) -> None:
    for asked in [
        "积分",
        "余额",
        "优惠券",
        "积分明细",
        "余额明细",
        "上次",
        "会员码",
        "等级",
        "推荐",
        "为什么",
        "解绑",
        "换手机号",
        "不要个性化",
        "签到",
        "注销",
    ]:
        assert "绑定" in sqlite_shop.talker("o-stranger").say(asked), asked


def test_points_of_many_lots_are_told_in_one_breath(sqlite_shop: Shop) -> None:
    member = sqlite_shop.member(PHONE, openid="o-anna")
    for number in range(12):
        earn(sqlite_shop, member, 10, number // 4 + 1, f"k{number}")
    assert "40 积分将于 2026年3月3日 到期。" in sqlite_shop.talker("o-anna").say("积分")
    sqlite_shop.clock.forward(days=2)
    said = sqlite_shop.talker("o-anna").say("积分").splitlines()
    assert said[:2] == ["您现有 80 积分。", "40 积分将于 2026年3月4日 到期。"]
