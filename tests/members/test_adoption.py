"""Buyers nobody knew: their orders are kept, found again at binding, and earn as if they had been known at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from handlers.copy import Copy
from members import adoption, identity, orders
from members.db import Database
from members.orders import Buyer, NewOrder
from members.tables import Outbox, table
from tests.members.till import APP, DAY, PHONE, SERIAL, TILL, VAULT, Till, line, rules_with
from tests.support.acting import become_member
from tests.support.shop import KEYS, open_shop

STRANGER = Buyer("phone", PHONE)


def test_an_unknown_buyer_is_remembered_without_their_phone(till: Till) -> None:
    taken = till.sell(STRANGER, 5000)
    assert (taken.member, taken.unknown_buyer, taken.points, taken.buyer) == (None, True, 0, STRANGER)
    assert till.row(taken.order).buyer == VAULT.blind_index("phone", f"+86{PHONE}")
    marks = [till.row(till.sell(Buyer(kind, value), 1).order).buyer for kind, value in (
        ("card", "8 123"), ("openid", "o-9"), ("shop", "erp:7"), ("code", "123456789012"), ("member", "77"),
    )]  # fmt: skip
    assert marks == ["card:8123", "openid:o-9", "shop:erp:7", "", ""]
    assert PHONE not in str(till.row(taken.order)) and PHONE not in str(till.deeds("order.take"))


def test_binding_attaches_every_order_and_earns_for_the_young_ones_once(till: Till) -> None:
    old = till.sell(STRANGER, 70_000)
    till.now += 100 * DAY
    young = till.sell(STRANGER, 5050, [line("a", 5050)])
    by_openid = till.sell(Buyer("openid", "o-1"), 3000)
    other = till.sell(Buyer("openid", "o-2"), 3000)
    member = till.member(PHONE)
    with till.transaction() as connection:
        identity.add(connection, member, "openid", APP, "o-1", source="test", now=till.now)
    assert till.adopt(member) == 3
    assert [till.row(taken.order).member_id for taken in (old, young, by_openid, other)] == [member] * 3 + [None]
    assert till.owned(member) == {"points": 80}
    assert till.tier(member) == "普卡"
    assert till.adopt(member) == 0 and till.owned(member) == {"points": 80}
    (deed,) = till.deeds("order.adopt")
    assert (deed.member_id, deed.detail["count"], deed.detail["points"]) == (member, 3, 80)
    again = till.sell(STRANGER, 5050)
    assert (again.member, again.points) == (member, 50)
    till.sound()


def test_adoption_lifts_the_tier_and_a_later_refund_finds_its_points(till: Till) -> None:
    taken = till.sell(STRANGER, 100_000)
    member = till.member(PHONE)
    till.adopt(member)
    assert (till.tier(member), till.owned(member)) == ("金卡", {"points": 1000})
    assert till.refund(taken.order_no, 25_000).points_taken == 250
    till.refund(taken.order_no)
    assert till.owned(member) == {}
    till.sound()


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 9999), st.lists(st.integers(1, 4000), max_size=5), st.integers(0, 5))
def test_when_the_buyer_becomes_known_makes_no_difference(
    database: Database, total: int, wanted: list[int], known_after: int
) -> None:
    till = Till(database, rules_with(earn={"points_per_yuan": 7}))
    phone = f"1380000{next(SERIAL):04d}"
    taken = till.sell(Buyer("phone", phone), total)
    left, member = total, None
    for step, amount in enumerate([*wanted, total]):
        if step == known_after:
            member = till.member(phone)
            till.adopt(member)
        amount = min(amount, left - 1) if step < len(wanted) else left
        if amount > 0:
            till.refund(taken.order_no, amount)
            left -= amount
        if member is not None:
            earned = total * 700 // 10_000
            assert till.owned(member).get("points", 0) == earned * left // total
    if member is not None:
        assert sum(row.points_due for row in till.refunds(taken.order)) in (0, total * 700 // 10_000)
    till.sound()


def test_binding_and_refunding_at_once_leaves_no_points_behind(till: Till) -> None:
    taken = [till.sell(STRANGER, 10_000) for _ in range(3)]
    member, hands = till.member(PHONE), 9
    together = Barrier(hands)

    def act(place: int) -> None:
        together.wait()
        if place == 4:
            till.adopt(member)
        else:
            till.refund(taken[place % 3].order_no, 2500)

    with ThreadPoolExecutor(hands) as pool:
        list(pool.map(act, range(hands)))
    till.adopt(member)
    assert till.owned(member) == {"points": 300 - 8 * 25}
    assert sum(row.points_taken for one in taken for row in till.refunds(one.order)) == 8 * 25
    till.sound()


def test_who_paid_as_a_follower_is_asked_to_bind_once(till: Till) -> None:
    copy = Copy({}, shop="邻家生鲜", zone=till.rules.shop.zone)
    said = till.order(Buyer("openid", "o-7"), 900)
    for expected in (True, False):
        taken = till.take(said)
        with till.transaction() as connection:
            assert adoption.ask_to_bind(connection, copy.text, taken, now=till.now) is expected
    for buyer in (STRANGER, None, till.member()):
        taken = till.sell(buyer, 100)
        with till.transaction() as connection:
            assert not adoption.ask_to_bind(connection, copy.text, taken, now=till.now)
    with till.database.reading() as connection:
        (row,) = connection.execute(select(table(Outbox))).all()
    assert (row.openid, row.topic, row.member_id) == ("o-7", "notice_bind_prompt", None)
    assert "绑定" in row.content["text"] and row.reason


def test_binding_in_the_chat_says_that_earlier_purchases_count(tmp_path: Path, books_url: str) -> None:
    with open_shop(tmp_path, books_url) as shop:
        service, now = shop.service, shop.clock.now()
        for number, buyer in enumerate((STRANGER, Buyer("openid", "o-anna"))):
            order = NewOrder(f"n{number}", "", None, buyer, now, (), 12_300)
            with service.database.transaction() as connection:
                orders.take(connection, service.vault, service.config.rules, order, app=KEYS.app_id, by=TILL, now=now)
        said = become_member(shop, "o-anna", PHONE)
        assert said.splitlines()[-1] == "您之前的 2 笔消费也记到您名下了,积分已补上。"
        assert "246" in shop.talker("o-anna").say("积分")
        assert "¥123.00" in shop.talker("o-anna").say("上次")
