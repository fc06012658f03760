"""What members hear of checking in, of their tier, of their gifts: in chat, and when the calendar tells them."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from bot.running import schedule_of
from members import gifts, tiers
from members.audit import Actor
from members.tables import Member, Outbox, table
from tests.support.acting import SHANGHAI, buy, in_days
from tests.support.shop import Shop, open_shop

PHONE = "+8613800138000"
TILL = Actor("test", "s1")
LOYALTY: dict[str, Any] = {
    "tiers": [
        {"name": "普卡"},
        {
            "name": "金卡", "spend_12_months": 3000,
            "perks": ["专属客服", {"name": "停车", "per_month": 2}, {"name": "咖啡", "per_month": 1}],
        },
        {"name": "黑卡", "spend": 1000, "orders": 5, "within": "30 days"},
    ],
    "paid": [{"name": "尊享卡", "price": 99}],
    "checkin": {"points": 2, "streak": {3: 5}},
    "gifts": {
        "birthday": {"points": 66, "coupon": "free-soup"},
        "on_present": {"points": 5},
    },
}  # fmt: skip
outbox, members = table(Outbox), table(Member)


@pytest.fixture
def shop(tmp_path: Path, books_url: str) -> Iterator[Shop]:
    """A running shop with many reasons to come."""
    with open_shop(tmp_path, books_url, {"loyalty": LOYALTY}) as running:
        yield running


def told(shop: Shop) -> list[str]:
    """Every notice in the outbox, oldest first."""
    with shop.service.database.reading() as connection:
        rows = connection.execute(select(outbox.c.content).where(outbox.c.kind == "notice").order_by(outbox.c.id))
        return [row.content["text"] for row in rows]


def nightly(shop: Shop, name: str) -> str:
    """Run a job now."""
    job = next(job for job in schedule_of(shop.service).jobs if job.name == name)
    return job.run(shop.clock.now())


def test_checking_in(shop: Shop) -> None:
    shop.member(PHONE, points=10, openid="o-anna")
    anna = shop.talker("o-anna")
    assert anna.say("签到").splitlines() == [
        "签到成功,送您 2 积分,已连续签到 1 天。", "您现有 12 积分。", "再连续签到 2 天,多送 5 积分。",
    ]  # fmt: skip
    assert anna.say("打卡").splitlines()[:2] == ["今天已经签到过了,连续签到 1 天。明天再来吧!", "您现有 12 积分。"]
    for _ in range(2):
        shop.clock.forward(days=1)
        said = anna.say("签到").splitlines()
    assert said == ["签到成功,送您 7 积分,已连续签到 3 天。", "您现有 21 积分。", "再连续签到 3 天,多送 5 积分。"]
    assert "连续签到3天" in anna.say("积分明细")
    assert "绑定" in shop.talker("o-stranger").say("签到")


def test_where_there_is_no_checking_in(tmp_path: Path, books_url: str) -> None:
    with open_shop(tmp_path, books_url) as shop:
        shop.member(PHONE, openid="o-anna")
        assert "现在没有签到活动" in shop.talker("o-anna").say("签到")


def test_the_tier_with_all_there_is_to_know(shop: Shop) -> None:
    member = shop.member(PHONE, openid="o-anna")
    buy(shop, member, in_days(shop, -1), [("大件", 1, 3_120_00)])
    assert "黑卡" not in shop.talker("o-anna").say("等级")
    rules, now = shop.service.config.rules, shop.clock.now()
    with shop.service.database.transaction() as connection:
        tiers.review(connection, rules, member, by=TILL, now=now)
        from members import perks

        perks.use(connection, rules, member, "停车", by=TILL, now=now)
        perks.use(connection, rules, member, "咖啡", by=TILL, now=now)
        tiers.buy(connection, rules, member, "尊享卡", key="k", by=TILL, now=now)
    assert shop.talker("o-anna").say("等级").splitlines() == [
        "您是金卡会员。",
        "近12个月消费 ¥3,120.00,达到金卡(¥3,000.00)。",
        "等级保留到 2027年3月2日,到期时重新核定。",
        "· 专属客服",
        "· 停车(本月还可用 1 次)",
        "· 咖啡(本月已用完)",
        "再达到以下条件升级为黑卡:近30天再来 4 次。",
        "您的「尊享卡」有效至 2027年3月2日。",
    ]


def test_a_tier_that_ends_is_announced_once_and_told(shop: Shop) -> None:
    member = shop.member(PHONE, openid="o-anna")
    buy(shop, member, in_days(shop, -1), [("大件", 1, 3_120_00)])
    assert nightly(shop, "tiers") == "1 位会员等级变动,0 位提醒保级"
    assert told(shop)[-1] == (
        "恭喜您升级为邻家生鲜的金卡会员!近12个月消费 ¥3,120.00,达到金卡(¥3,000.00)。回复「等级」看看有什么权益。"
    )
    shop.clock.move_to(datetime(2027, 3, 3, 16, 10, tzinfo=UTC))
    assert nightly(shop, "tiers") == "0 位会员等级变动,1 位提醒保级"
    assert nightly(shop, "tiers") == "0 位会员等级变动,0 位提醒保级"
    assert told(shop)[-1] == (
        "您的金卡已到期,近12个月消费 ¥0.00,保级需要 ¥3,000.00。在 2027年4月1日 前达到就能继续保留。回复「等级」查看。"
    )
    assert "等级已到期,近12个月消费 ¥0.00,保级需要 ¥3,000.00。" in shop.talker("o-anna").say("等级")
    shop.clock.move_to(datetime(2027, 4, 1, 16, 10, tzinfo=UTC))
    assert nightly(shop, "tiers") == "1 位会员等级变动,0 位提醒保级"
    assert told(shop)[-1].startswith("您在邻家生鲜的等级由金卡调整为普卡:近12个月消费 ¥0.00,未达到金卡")
    assert len(told(shop)) == 3


def test_nobody_is_woken_by_the_nightly_jobs(shop: Shop) -> None:
    member = shop.member(PHONE, openid="o-anna")
    buy(shop, member, in_days(shop, -1), [("大件", 1, 3_120_00)])
    shop.clock.move_to(datetime(2026, 3, 2, 16, 10, tzinfo=UTC))
    nightly(shop, "tiers")
    with shop.service.database.reading() as connection:
        (due,) = connection.scalars(select(outbox.c.not_before))
    assert due == datetime(2026, 3, 3, 8, 30, tzinfo=SHANGHAI)


def test_a_birthday_is_greeted_with_its_gift(shop: Shop) -> None:
    member = shop.member(PHONE, openid="o-anna")
    with shop.service.database.transaction() as connection:
        connection.execute(update(members).where(members.c.id == member).values(birthday=date(1990, 3, 2)))
    assert nightly(shop, "birthdays") == "1 份生日礼"
    assert nightly(shop, "birthdays") == "0 份生日礼"
    (said,) = told(shop)
    assert said.startswith("祝您生日快乐!邻家生鲜送您一份生日礼:66 积分、一张「免费例汤」(券码 ")
    assert said.endswith(",2026年4月1日 前有效)。")
    assert "您现有 66 积分。" in shop.talker("o-anna").say("积分")
    assert "免费例汤" in shop.talker("o-anna").say("优惠券")


def test_a_gift_is_told_once(shop: Shop) -> None:
    member = shop.member(PHONE, openid="o-anna")
    config = shop.service.config
    for _ in range(2):
        with shop.service.database.transaction() as connection:
            now = shop.clock.now()
            done = gifts.on_present(connection, config.rules, member, by=TILL, now=now)
            gifts.tell(
                connection, shop.service.copy.text, done, app=config.wechat.app_id, rules=config.rules, now=now
            )  # fmt: skip
    assert told(shop) == ["邻家生鲜送您好礼(到店赠):5 积分。回复「优惠券」或「积分」查看。"]


def test_points_that_run_out_are_announced_once_a_month(shop: Shop) -> None:
    shop.member(PHONE, points=70, openid="o-anna")
    shop.member("+8613900139000", openid="o-bert")
    shop.clock.move_to(datetime(2028, 1, 31, 3, 0, tzinfo=UTC))
    assert nightly(shop, "points_running_out") == "提醒 0 位会员积分将到期"
    shop.clock.move_to(datetime(2028, 2, 2, 3, 0, tzinfo=UTC))
    assert nightly(shop, "points_running_out") == "提醒 1 位会员积分将到期"
    assert nightly(shop, "points_running_out") == "提醒 0 位会员积分将到期"
    assert told(shop) == ["提醒:您有 70 积分即将到期,最早的在 2028年3月2日 之后失效。回复「积分」看看能换什么。"]
