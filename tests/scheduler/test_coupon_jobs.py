"""The calendar of coupons: ends are announced once, to who still has them, and marked; appointments open."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from handlers.copy import Copy
from members import consent, coupons, slots
from members.coupons import Issued, transfers
from members.db import Database
from scheduler.coupons import CouponJobs
from scheduler.delivery import Deliverer
from tests.scheduler.small_shop import MONDAY, ZONE, FakeWire, SmallShop, push_rules

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
GIVEN: dict[str, Any] = {
    "soup": {"title": "例汤券", "gift": "例汤", "valid": "10 days", "transferable": True},
    "quiet": {"title": "不提醒", "off": 1, "valid": "10 days", "notice_days": 0},
    "course": {"title": "课", "experience": "烘焙课", "slots": {"at": ["10:00"], "capacity": 2, "days_ahead": 3}},
}


@pytest.fixture
def shop(database: Database) -> Iterator[SmallShop]:
    """A small shop that gives soup."""
    yield SmallShop(database, push_rules(coupon_rules=GIVEN))


def jobs(shop: SmallShop) -> CouponJobs:
    """Its coupon jobs."""
    return CouponJobs(shop.database, shop.rules, Copy({}, shop="小店", zone=ZONE).text)


def give(shop: SmallShop, member: int, key: str, template: str = "soup", now: datetime = MONDAY) -> Issued:
    """Issue one."""
    with shop.database.transaction() as connection:
        rule = shop.rules.base.coupons[template]
        return coupons.issue(
            connection, template, rule, member, key=key, by="test", reason="", zone=ZONE, now=now
        )  # fmt: skip


def sent(shop: SmallShop, now: datetime) -> list[str]:
    """Deliver what is due; return the words that were sent."""
    wire = FakeWire()
    Deliverer(shop.database, shop.vault, wire, shop.rules).deliver_all(now)
    return [what["text"] for _, _, what in wire.sent]


def test_the_end_is_announced_once_with_all_of_one_day_together(shop: SmallShop) -> None:
    member = shop.member("oA", wrote=MONDAY + 7 * DAY)
    first, second = give(shop, member, "1"), give(shop, member, "2")
    give(shop, member, "3", "quiet")
    soon = first.expires_at - 3 * DAY + 10 * HOUR
    assert jobs(shop).announce(soon - DAY) == "提醒 0 位会员券将到期"
    assert jobs(shop).announce(soon) == "提醒 1 位会员券将到期"
    assert jobs(shop).announce(soon) == "提醒 0 位会员券将到期"
    [message] = shop.outbox()
    assert (message.kind, message.member_id, message.expires_at) == ("reminder", member, first.expires_at)
    shop.writes("oA", soon)
    [words] = sent(shop, soon)
    assert "2 张券" in words and "11月26日" in words
    assert coupons.spell(first.code) in words and coupons.spell(second.code) in words


def test_nobody_is_woken_by_night(shop: SmallShop) -> None:
    member = shop.member("oA", wrote=MONDAY)
    night = give(shop, member, "1").expires_at - 3 * DAY + HOUR / 6
    jobs(shop).announce(night)
    [message] = shop.outbox()
    assert message.not_before.astimezone(ZONE).hour == 8
    shop.writes("oA", night)
    assert sent(shop, night) == []
    assert len(sent(shop, message.not_before)) == 1


@pytest.mark.parametrize("why", ["used", "given away", "unsubscribed"])
def test_it_is_not_sent_when_it_has_lost_its_sense(shop: SmallShop, why: str) -> None:
    member, friend = shop.member("oA", wrote=MONDAY), shop.member("oB")
    issued = give(shop, member, "1")
    soon = issued.expires_at - 2 * DAY + 10 * HOUR
    jobs(shop).announce(soon)
    with shop.database.transaction() as connection:
        if why == "used":
            coupons.redeem(connection, issued.code, by="till", store=None, now=soon)
        elif why == "given away":
            word = coupons.offer_transfer(connection, shop.vault, member, issued.code, now=soon)
            coupons.claim_transfer(connection, shop.vault, friend, word, now=soon)
        else:
            consent.answer(connection, consent.of_member(member), consent.MARKETING, False, source="t", now=soon)
    shop.writes("oA", soon)
    assert sent(shop, soon) == []
    assert [message.state for message in shop.outbox()] == ["cancelled"]


def test_a_friend_hears_of_the_end_of_what_they_were_given(shop: SmallShop) -> None:
    member, friend = shop.member("oA"), shop.member("oB")
    issued = give(shop, member, "1")
    soon = issued.expires_at - 2 * DAY
    jobs(shop).announce(soon - HOUR)
    with shop.database.transaction() as connection:
        word = coupons.offer_transfer(connection, shop.vault, member, issued.code, now=soon)
        coupons.claim_transfer(connection, shop.vault, friend, word, now=soon)
    jobs(shop).announce(soon + DAY)
    assert [message.member_id for message in shop.outbox()] == [member, friend]


def test_a_member_with_many_is_told_of_some_and_how_many(shop: SmallShop) -> None:
    member = shop.member("oA", wrote=MONDAY)
    ends = [give(shop, member, str(number)).expires_at for number in range(8)]
    jobs(shop).announce(ends[0] - DAY)
    [message] = shop.outbox()
    assert "8 张券" in message.content["text"] and message.content["text"].count("券码") == 5


def test_coupons_and_offers_run_out(shop: SmallShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scheduler.coupons.AT_ONCE", 2)
    member = shop.member("oA")
    issued = [give(shop, member, str(number)) for number in range(5)]
    with shop.database.transaction() as connection:
        coupons.offer_transfer(connection, shop.vault, member, issued[0].code, now=MONDAY)
    assert jobs(shop).expire(MONDAY + HOUR) == "0 张券到期,0 个转赠无人领取"
    assert jobs(shop).expire(issued[0].expires_at) == "5 张券到期,1 个转赠无人领取"
    assert {coupon.state for coupon in shop.coupons()} == {"expired"}
    with shop.database.reading() as connection:
        assert connection.execute(select(transfers.c.state)).scalars().all() == ["expired"]


def test_appointments_open_day_by_day(shop: SmallShop) -> None:
    assert jobs(shop).appointments(MONDAY) == jobs(shop).appointments(MONDAY) == "3 个可约时段"
    assert jobs(shop).appointments(MONDAY + DAY) == "3 个可约时段"
    with shop.database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(slots.slots)).scalar_one() == 4
