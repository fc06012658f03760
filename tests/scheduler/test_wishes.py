"""What members wish of pushes is kept when a campaign is planned, when it is applied, and when a message leaves."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from sqlalchemy import update

from members import attention, children, consent, erasing, outbox, segments, topics
from members.audit import Actor
from members.segments import SegmentRule
from members.tables import Member, table
from scheduler.applying import apply_plan
from scheduler.delivery import Deliverer
from scheduler.plan import make_plan
from tests.scheduler.small_shop import MILK, MONDAY, ZONE, FakeWire, SmallShop, ago

BY = Actor("test")
OPEN = MONDAY - timedelta(hours=1)
Wish = Callable[[SmallShop, int], None]


def drinker(shop: SmallShop, openid: str) -> int:
    """A member with the habit of milk whose window is open."""
    member = shop.member(openid, wrote=OPEN)
    shop.buys(member, MILK, *ago(15, 8, 1))
    return member


def refuses_offers(shop: SmallShop, member: int) -> None:
    with shop.database.transaction() as connection:
        topics.refuse_kind(connection, member, "marketing", note="", now=MONDAY)


def refuses_this(shop: SmallShop, member: int) -> None:
    with shop.database.transaction() as connection:
        consent.answer(
            connection, consent.of_member(member), consent.of_campaign("每周优惠"), False, source="t", now=MONDAY
        )


def leaves(shop: SmallShop, member: int) -> None:
    with shop.database.transaction() as connection:
        erasing.ask(connection, shop.rules.base, member, by=BY, note="", now=MONDAY)


def wants_none(shop: SmallShop, member: int) -> None:
    with shop.database.transaction() as connection:
        attention.put(connection, member, 0, by=BY, now=MONDAY)


WISHES: list[tuple[Wish, str]] = [
    (refuses_offers, "已退订"), (refuses_this, "已退订"), (leaves, "已退订"), (wants_none, "频次已满"),
]  # fmt: skip


@pytest.mark.parametrize(("wish", "step"), WISHES)
def test_a_plan_leaves_them_out(shop: SmallShop, wish: Wish, step: str) -> None:
    drinker(shop, "other")
    wish(shop, drinker(shop, "wisher"))
    made = make_plan(shop.database, "每周优惠", shop.rules, MONDAY)
    assert {one.name: one.gone for one in made.steps if one.gone} == {step: 1}
    assert made.steps[-1].left == 1


@pytest.mark.parametrize(("wish", "step"), WISHES)
def test_applying_leaves_out_who_wished_it_since(shop: SmallShop, wish: Wish, step: str) -> None:
    member = drinker(shop, "wisher")
    made = make_plan(shop.database, "每周优惠", shop.rules, MONDAY)
    wish(shop, member)
    applied = apply_plan(shop.database, made.id, shop.rules, MONDAY)
    assert (applied.put, applied.no_longer) == (0, 1)
    assert shop.outbox() == [] and shop.coupons() == []


def test_refusing_reminders_leaves_offers_alone(shop: SmallShop) -> None:
    member = drinker(shop, "wisher")
    with shop.database.transaction() as connection:
        topics.refuse_kind(connection, member, "reminder", note="", now=MONDAY)
    assert make_plan(shop.database, "每周优惠", shop.rules, MONDAY).steps[-1].left == 1


def test_delivery_keeps_the_budget_however_many_deliver_at_once(shop: SmallShop) -> None:
    member = shop.member("oA", wrote=OPEN)
    with shop.database.transaction() as connection:
        for key in "abcd":
            message = outbox.Message(
                key, "marketing", ["service"], {"text": key}, "r", MONDAY, MONDAY + timedelta(days=7), member=member
            )
            outbox.put(connection, message, now=MONDAY)
        attention.put(connection, member, 1, by=BY, now=MONDAY)
    wire = FakeWire()
    racers = [
        threading.Thread(target=Deliverer(shop.database, shop.vault, wire, shop.rules).deliver_all, args=(MONDAY,))
        for _ in range(3)
    ]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert len(wire.sent) == 1
    states = sorted(row.state for row in shop.outbox())
    assert states.count("sent") == 1 and set(states) <= {"sent", "cancelled"}


def test_a_segment_of_a_stage_of_life(shop: SmallShop) -> None:
    mother, other = shop.member("oA"), shop.member("oB")
    with shop.database.transaction() as connection:
        children.add(
            connection, shop.vault, mother, date(2026, 2, 1), by=BY, today=MONDAY.astimezone(ZONE).date(), now=MONDAY
        )
        connection.execute(update(table(Member)).where(table(Member).c.id == other).values(attention=3))
    with shop.database.reading() as connection:
        for rule in ({"life_stage": "6-12m"}, {"life_stage": "宝宝6-12月"}, {"name": "宝宝6-12月"}):
            found = segments.members_of(connection, SegmentRule.model_validate({"tag": rule}), MONDAY, ZONE)
            assert found == [mother]
        none = SegmentRule.model_validate({"tag": {"life_stage": ["0-6m", "pregnancy"]}})
        assert segments.members_of(connection, none, MONDAY, ZONE) == []
