"""Something breaks inside while a message is answered: an apology, a trace without the person, and life goes on."""

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

import pytest
from sqlalchemy import text

from members import shops
from tests.faults import books
from tests.faults.books import CASHIER, coupons, eventually, inbox, verifications
from tests.faults.conftest import Session
from tests.faults.logged import logged
from tests.faults.raw import Answer, send_raw
from tests.support.shop import Shop
from tests.support.talker import shown

INCIDENT = re.compile(r"编号 ([0-9a-f]{8})")
PHONE, NUMBER = "+8613800138000", "13800138000"


@contextmanager
def missing(shop: Shop, table: str) -> Iterator[None]:
    """A table is not there for a while."""
    with shop.service.database.transaction() as connection:
        connection.execute(text(f'ALTER TABLE "{table}" RENAME TO gone'))
    try:
        yield
    finally:
        with shop.service.database.transaction() as connection:
            connection.execute(text(f'ALTER TABLE gone RENAME TO "{table}"'))


async def together(shop: Shop, requests: list[tuple[bytes, dict[str, str]]]) -> list[Answer]:
    calls = (send_raw(shop.front, "POST", urlencode(query).encode(), [body]) for body, query in requests)
    return await asyncio.gather(*calls)


def incidents(lines: str) -> list[dict[str, str]]:
    logged_lines = [json.loads(line) for line in lines.splitlines()]
    return [line for line in logged_lines if line["event"] == "incident"]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("orders", "上次"),
        ("account", "积分"),
        ("point_lot", "积分"),
        ("coupon", "优惠券"),
        ("verification", f"绑定 {NUMBER}"),
        ("rate_count", f"绑定 {NUMBER}"),
    ],
)
def test_an_apology_with_a_number(shop: Shop, table: str, words: str) -> None:
    """The number said is the number logged, with the place and without the person."""
    if "绑定" not in words:
        shop.member(PHONE, points=77, openid="o-anna")
    anna = shop.talker("o-anna")
    xml = anna.text_xml(words)
    with logged() as lines, missing(shop, table):
        said = shown(anna.send(xml))
        found = INCIDENT.search(said)
        assert found is not None, said
        assert shown(anna.send(xml)) == said, "a retry hears of the same incident"
        assert "绑定" in shop.talker("o-eve").say("帮助")
    (entry,) = incidents(lines.getvalue())
    assert entry["incident"] == found[1] and "routing.py" in entry["trace"] and entry["level"] == "error"
    for secret in (NUMBER, "138****8000", words, "o-anna"):
        assert secret not in lines.getvalue()
    assert [row.incident for row in books.rows(shop.service, inbox, inbox.c.openid == "o-anna")] == [found[1]]
    assert INCIDENT.search(anna.say(words)) is None, "mended, the same words work"


@pytest.mark.parametrize("words", ["确认", f"查会员 {NUMBER}"])
def test_half_a_deed_is_undone(shop: Shop, words: str) -> None:
    """The fault comes after the first writes of the deed: none of them stays."""
    books.open_shop_books(shop.service)
    books.await_confirm(shop.service)
    with logged() as lines, missing(shop, "audit_log"):
        assert INCIDENT.search(shop.talker(CASHIER).say(words))
    assert books.count(shop.service, coupons) == 0 and books.breaches(shop.service) == []
    assert NUMBER not in lines.getvalue() and "满100" not in lines.getvalue()
    books.await_confirm(shop.service)
    assert INCIDENT.search(shop.talker(CASHIER).say(words)) is None


def test_a_fault_that_is_no_statement(shop: Shop) -> None:
    """A member whose key is destroyed cannot be read: an incident, and nothing but."""
    member = shop.member(PHONE, points=5, openid="o-anna")
    with shop.service.database.transaction() as connection:
        connection.execute(text("DELETE FROM member_key WHERE member_id = :member"), {"member": member})
    with logged() as lines:
        assert INCIDENT.search(shop.talker("o-anna").say("解绑"))
        assert "5 积分" in shop.talker("o-anna").say("积分")
    (entry,) = incidents(lines.getvalue())
    assert entry["trace"].startswith("BooksBroken")


@pytest.mark.parametrize(("table", "words"), [("orders", "上次"), ("verification", f"绑定 {NUMBER}")])
def test_one_in_a_batch_does_not_hurt_the_others(shop: Shop, table: str, words: str) -> None:
    """Twenty people at once, every fourth meets a fault; the others get what they asked for, each its effect once."""
    books.open_shop_books(shop.service, phones=15)
    people, requests, said = [], [], []
    for number in range(20):
        openid, wanted = f"o-{number}", "积分"
        if number % 4 == 0:
            wanted = words
            if table == "orders":
                shop.member(f"+861370013{number:04d}", points=100 + number, openid=openid)
        elif number % 4 == 1:
            openid, wanted = CASHIER, f"标签 1380013{8000 + number // 4:04d} 爱喝汤"
        else:
            shop.member(f"+861370013{number:04d}", points=100 + number, openid=openid)
        talker = shop.talker(openid)
        people.append((number, wanted))
        requests.append(talker.request(talker.text_xml(wanted)))
    with missing(shop, table):
        answers = shop.portal.call(together, shop, requests)
        said = [shown(answer.body.decode()) for answer in answers]
        again = shop.portal.call(together, shop, requests)
    assert [answer.body for answer in again] == [answer.body for answer in answers]
    for (number, _), heard in zip(people, said, strict=True):
        if number % 4 == 0:
            assert INCIDENT.search(heard), heard
        else:
            assert "加标签:爱喝汤" in heard if number % 4 == 1 else f"{100 + number}" in heard, heard
    assert books.count(shop.service, books.tags) == 5 and books.breaches(shop.service) == []
    assert books.count(shop.service, verifications) == 0


def test_the_inbox_itself_is_gone(shop: Shop) -> None:
    """Nothing can be admitted: nobody is left in silence, and it heals by itself."""
    with logged() as lines, missing(shop, "inbox"):
        anna = shop.talker("o-anna")
        body, query = anna.request(anna.text_xml(f"绑定 {NUMBER}"))
        task = shop.portal.start_task_soon(send_raw, shop.front, "POST", urlencode(query).encode(), [body])
        assert eventually(lambda: "books out of reach" in lines.getvalue() or "incident" in lines.getvalue())
    answer = task.result(60)
    assert answer.status == 200 and answer.body
    assert NUMBER not in lines.getvalue()
    assert "绑定" in anna.say("帮助")


WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid <> pg_backend_pid()"


def waiting(connection: Session) -> list[int]:
    """The sessions that wait for a lock."""
    return [int(str(pid)) for (pid,) in connection.execute(WAITING).fetchall()]


def lock_template(connection: Session, code: str) -> None:
    connection.execute("SELECT 1 FROM coupon_template WHERE code = %s FOR UPDATE", [code])


@pytest.mark.postgres
def test_a_lost_connection_in_the_middle_is_no_incident(postgres_shop: Shop, session: Session) -> None:
    """The server ends our session while a handler waits for it: the message is done again, once, on another."""
    shop = postgres_shop
    books.open_shop_books(shop.service)
    books.await_confirm(shop.service)
    cashier = shop.talker(CASHIER)
    body, query = cashier.request(cashier.text_xml("确认"))
    with logged() as lines:
        lock_template(session, "off-20-over-100")
        task = shop.portal.start_task_soon(send_raw, shop.front, "POST", urlencode(query).encode(), [body])
        assert eventually(lambda: bool(waiting(session)))
        (pid,) = waiting(session)
        session.execute("SELECT pg_terminate_backend(%s)", [pid])
        session.commit()
        answer = task.result(60)
    assert "满100减20" in shown(answer.body.decode())
    assert books.count(shop.service, coupons) == 1 and books.breaches(shop.service) == []
    assert incidents(lines.getvalue()) == [] and "Traceback" not in lines.getvalue()


@pytest.mark.postgres
def test_a_deadlock_is_no_incident(postgres_shop: Shop, session: Session) -> None:
    """Whoever PostgreSQL chooses as the victim, the member gets the coupon and hears nothing of it."""
    shop = postgres_shop
    books.open_shop_books(shop.service)
    with shop.service.database.transaction() as connection:
        shops.add_staff(connection, openid="o-second", name="小王", role="manager", store=None, now=shop.clock.now())
    requests = []
    for openid, template in ((CASHIER, "off-20-over-100"), ("o-second", "free-soup")):
        books.await_confirm(shop.service, openid=openid, template=template)
        talker = shop.talker(openid)
        requests.append(talker.request(talker.text_xml("确认")))
    session.execute("SET deadlock_timeout = '60s'")  # they look for the deadlock, we do not
    with logged() as lines:
        lock_template(session, "free-soup")
        task = shop.portal.start_task_soon(together, shop, requests)
        assert eventually(lambda: bool(waiting(session)))
        lock_template(session, "off-20-over-100")  # they hold it or will not get it before us
        session.rollback()
        answers = task.result(60)
    assert ["满100减20" in shown(answers[0].body.decode()), "免费例汤" in shown(answers[1].body.decode())] == [
        True,
        True,
    ]
    assert books.count(shop.service, coupons) == 2 and books.breaches(shop.service) == []
    assert incidents(lines.getvalue()) == []
