"""The calendar and points: what is pending matures before it expires; each period points become vouchers, told once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from handlers.copy import Copy
from members import auditing, coupons, exchange, ledger, points
from members.audit import Actor
from members.db import Database
from members.rules import LoyaltyRules
from members.tables import JobRun, table
from scheduler.jobs import build_jobs
from scheduler.loyalty import Nightly
from scheduler.schedule import Schedule
from scheduler.value import PointJobs
from tests.scheduler.small_shop import APP, MONDAY, ZONE, SmallShop, push_rules

DAY = timedelta(days=1)
VOUCHER = {"every": "2 months", "rate": "100 分 = 1 元", "at_least": 200}
SAY = Copy({}, shop="小店", zone=ZONE).text


def shop_with(database: Database, **loyalty: Any) -> SmallShop:
    """The small shop with these rules for points."""
    rules = push_rules()
    base = replace(rules.base, loyalty=LoyaltyRules.model_validate(loyalty))
    shop = SmallShop(database, replace(rules, base=base))
    with database.transaction() as connection:
        coupons.sync_templates(connection, base.coupons, base.loyalty.points_to_voucher)
    return shop


def give(shop: SmallShop, member: int, many: int, *, at: datetime = MONDAY, pending: bool = False) -> None:
    """Points of a purchase."""
    with shop.database.transaction() as connection:
        points.give(
            connection, shop.rules.base, member, many, key=f"earn:{member}:{at}:{many}", kind="earn",
            by=Actor("test"), reason="消费", now=at, pending=pending,
        )  # fmt: skip


def owned(shop: SmallShop, member: int, now: datetime = MONDAY) -> dict[str, int]:
    """What the member has, where it is not zero."""
    with shop.database.reading() as connection:
        assert auditing.breaches(connection, now=now) == []
        return {kind: many for kind, many in ledger.balances(connection, member).items() if many}


def jobs_of(shop: SmallShop) -> PointJobs:
    """The jobs of points."""
    return PointJobs(shop.database, shop.rules, SAY, APP)


def test_pending_points_mature_at_night(database: Database) -> None:
    shop = shop_with(database, earn={"pending_days": 7})
    members = [shop.member() for _ in range(3)]
    for many, member in enumerate(members, 10):
        give(shop, member, many, pending=True)
    assert jobs_of(shop).mature(MONDAY + 7 * DAY) == "0 位会员的 0 分可用"
    assert jobs_of(shop).mature(MONDAY + 8 * DAY) == "3 位会员的 33 分可用"
    assert [owned(shop, member) for member in members] == [{"points": many} for many in (10, 11, 12)]


def test_what_matures_when_it_has_run_out_expires_the_same_night(database: Database) -> None:
    shop = shop_with(database, earn={"pending_days": 40}, expiry={"months": 1})
    member = shop.member()
    give(shop, member, 10, pending=True)
    jobs = {job.name: job for job in build_jobs(shop.database, shop.vault, shop.rules, say=SAY, app=APP)}
    names = list(jobs)
    assert names.index("mature_points") < names.index("expire_points")
    assert jobs["mature_points"].run(MONDAY + 41 * DAY) == "1 位会员的 10 分可用"
    assert jobs["expire_points"].run(MONDAY + 41 * DAY) == "1 位会员的 10 分到期"
    assert owned(shop, member) == {}


def test_vouchers_come_with_each_new_period_and_are_told_at_a_decent_hour(database: Database) -> None:
    shop = shop_with(database, points_to_voucher=VOUCHER)
    member, poor = shop.member("oA"), shop.member("oB")
    give(shop, member, 550)
    give(shop, poor, 199)
    jobs = jobs_of(shop)
    assert jobs.vouchers(MONDAY) == "没有到换券的时候", "when the rule is new, the period under way is not its first"
    assert jobs.vouchers(MONDAY + 30 * DAY) == "没有到换券的时候"
    night = datetime(2027, 1, 1, 0, 10, tzinfo=ZONE)
    assert jobs.vouchers(night) == "1 位会员的积分换成 ¥5.00 的券"
    assert jobs.vouchers(night) == jobs.vouchers(night + DAY) == "没有到换券的时候"
    (message,) = shop.outbox()
    (coupon,) = shop.coupons()
    assert message.content["text"] == (
        f"您的 500 积分已换成「5元积分券」\n券码 {coupons.spell(coupon.code)}\n"
        "2027年3月2日 前有效。回复「优惠券」查看。"
    )
    assert message.not_before == datetime(2027, 1, 1, 8, 30, tzinfo=ZONE)
    assert (message.topic, message.openid, message.reason) == ("notice_voucher", "oA", "积分按期换券,告诉会员")
    assert owned(shop, member) == {"points": 50} and owned(shop, poor) == {"points": 199}


def test_a_period_whose_first_day_was_missed_is_made_up_for(database: Database) -> None:
    shop = shop_with(database, points_to_voucher=VOUCHER)
    member = shop.member()
    give(shop, member, 200)
    schedule = Schedule(shop.database, build_jobs(shop.database, shop.vault, shop.rules, say=SAY, app=APP))
    for at in (MONDAY, MONDAY + DAY, datetime(2027, 1, 20, 12, tzinfo=ZONE)):
        schedule.run_due(at)
    runs = table(JobRun)
    with shop.database.reading() as connection:
        notes = connection.scalars(select(runs.c.note).where(runs.c.job == "vouchers").order_by(runs.c.due_at)).all()
    assert notes[1:] == ["没有到换券的时候", "1 位会员的积分换成 ¥2.00 的券"]


def test_a_conversion_that_broke_off_is_finished_without_a_second_voucher(database: Database) -> None:
    shop = shop_with(database, points_to_voucher=VOUCHER)
    members = [shop.member(f"o{number}") for number in range(3)]
    for member in members:
        give(shop, member, 300)
    jobs, night = jobs_of(shop), datetime(2027, 1, 1, 0, 10, tzinfo=ZONE)
    jobs.vouchers(MONDAY)
    with database.transaction() as connection:
        assert len(exchange.vouchers(connection, shop.rules.base, "2027-01-01", night, limit=2)) == 2
    with pytest.raises(OSError, match="no words"):
        PointJobs(shop.database, shop.rules, speechless, APP).vouchers(night)
    assert len(shop.coupons()) == 2, "what could not be told was not done either"
    assert jobs.vouchers(night + timedelta(minutes=11)) == "1 位会员的积分换成 ¥3.00 的券"
    assert sorted(coupon.member_id for coupon in shop.coupons()) == members
    assert [owned(shop, member) for member in members] == [{}, {}, {}]


def speechless(key: str, **facts: object) -> str:
    """Copy that fails."""
    raise OSError("no words")


def test_points_that_run_out_are_told_in_time_once_for_each_month(database: Database) -> None:
    shop = shop_with(database, expiry={"months": 3, "notice_days": 30})
    member, silent = shop.member("oA"), shop.member()
    for day, many in ((4, 100), (20, 200)):
        for who in (member, silent):
            give(shop, who, many, at=datetime(2026, 12, day, 4, tzinfo=UTC))
    give(shop, member, 7, at=datetime(2027, 1, 2, 4, tzinfo=UTC))
    nightly = Nightly(shop.database, shop.rules, SAY, APP)
    told = []
    for day in range(70):
        night = datetime(2027, 1, 25, 0, 10, tzinfo=ZONE) + day * DAY
        if nightly.points_running_out(night) != "提醒 0 位会员积分将到期":
            told.append(night.date())
        with database.transaction() as connection:
            ledger.expire_points(connection, night)
    assert told == [date(2027, 2, 3), date(2027, 3, 4)]
    assert [message.content["text"].split(",最早的在 ") for message in shop.outbox()] == [
        ["提醒:您有 300 积分即将到期", "2027年3月4日 之后失效。回复「积分」看看能换什么。"],
        ["提醒:您有 7 积分即将到期", "2027年4月2日 之后失效。回复「积分」看看能换什么。"],
    ]
