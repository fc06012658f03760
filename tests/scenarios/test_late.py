"""A slow database: the platform hears `success` in time, the person hears the answer once, by another way."""

import asyncio
import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from bot.envelope import Envelope
from bot.spool import Spool
from bot.webhook import Webhook
from handlers.inbound import Inbound
from members.tables import StaffDeed, table
from tests.faults import books
from tests.faults.books import CASHIER, coupons, eventually, inbox, outbox, stalled
from tests.faults.logged import logged
from tests.faults.raw import Answer, send_raw
from tests.support.shop import KEYS, Shop, open_shop
from tests.support.talker import shown

DEADLINE = 0.4
staff_deeds = table(StaffDeed)
ISSUE = "确认"
Request = tuple[bytes, dict[str, str]]


@pytest.fixture
def shop(tmp_path: Path, books_url: str) -> Iterator[Shop]:
    """A shop that gives up waiting after a fraction of a second."""
    with open_shop(tmp_path, books_url) as running:
        hasten(running)
        books.open_shop_books(running.service)
        books.await_confirm(running.service)
        yield running


class SlowDisk(Spool):
    """A disk that is done only when somebody says so."""

    def __init__(self, shop: Shop) -> None:
        super().__init__(shop.service.folder / "spool", shop.service.vault)
        self.asked, self.go_on = threading.Event(), threading.Event()

    def add(self, inbound: Inbound) -> None:
        self.asked.set()
        assert self.go_on.wait(60)
        super().add(inbound)


def hasten(shop: Shop, deadline: float = DEADLINE, disk: Spool | None = None) -> None:
    """Let the shop give up after so many seconds."""
    service = shop.service
    envelope = Envelope(app_id=KEYS.app_id, token=KEYS.token, keys=(KEYS.key,))
    hasty = Webhook(envelope, service.writer, disk or service.spool, deadline=deadline)
    shop.front.service = dataclasses.replace(service, webhook=hasty)


async def together(shop: Shop, requests: list[Request]) -> list[Answer]:
    calls = (send_raw(shop.front, "POST", urlencode(query).encode(), [body]) for body, query in requests)
    return await asyncio.gather(*calls)


def deliver(shop: Shop, *requests: Request) -> list[tuple[int, str]]:
    """Deliver at the same time; return status and words of each answer."""
    answers = shop.portal.call(together, shop, list(requests))
    return [(answer.status, answer.body.decode()) for answer in answers]


def late_replies(shop: Shop, openid: str) -> list[str]:
    return [
        row.content["text"]
        for row in books.rows(shop.service, outbox, outbox.c.kind == "late_reply")
        if row.openid == openid
    ]


def spooled(shop: Shop) -> list[Path]:
    return list((shop.service.folder / "spool").glob("*"))


def settled(shop: Shop, openid: str) -> bool:
    """The late answer is booked and its spool file gone."""
    return eventually(lambda: bool(late_replies(shop, openid)) and not spooled(shop))


@pytest.mark.parametrize("mode", ["plain", "aes"])
def test_success_now_and_the_answer_later(shop: Shop, books_url: str, mode: str) -> None:
    cashier = shop.talker(CASHIER, mode)
    request = cashier.request(cashier.text_xml(ISSUE))
    with stalled(books_url):
        assert deliver(shop, request) == [(200, "success")], "unencrypted, as the platform asks"
        assert len(spooled(shop)) == 1, "what was acknowledged is on the disk"
        assert deliver(shop, request, request) == [(200, "success")] * 2, "a retry meanwhile"
        assert len(spooled(shop)) == 1
    assert settled(shop, CASHIER)
    assert deliver(shop, request) == [(200, "success")], "a retry afterwards: it is answered already"
    (words,) = late_replies(shop, CASHIER)
    assert "满100减20" in words
    (row,) = books.rows(shop.service, outbox, outbox.c.kind == "late_reply")
    assert (row.channels, row.state) == (["service"], "pending")
    assert books.count(shop.service, coupons) == 1 and books.breaches(shop.service) == []


def test_everybody_who_waited_is_answered_once(shop: Shop, books_url: str) -> None:
    people = [shop.talker(f"o-{number}") for number in range(30)]
    requests = [talker.request(talker.text_xml("帮助")) for talker in people]
    with stalled(books_url):
        first = deliver(shop, *requests, *requests)
        assert set(first) == {(200, "success")}
    assert all(settled(shop, talker.openid) for talker in people)
    assert set(deliver(shop, *requests)) == {(200, "success")}
    assert all(late_replies(shop, t.openid) == [shop.service.copy.text("help_stranger")] for t in people)
    again = [talker.request(talker.text_xml("帮助")) for talker in people]
    assert all("绑定" in shown(body) for _, body in deliver(shop, *again)), "what comes next is answered at once"


def test_a_late_event_that_wants_no_answer_sends_none(shop: Shop, books_url: str) -> None:
    anna = shop.talker("o-anna")
    request = anna.request(anna.xml("event", "<Event>VIEW</Event><EventKey>http://x</EventKey>"))
    with stalled(books_url):
        assert deliver(shop, request) == [(200, "success")]
    assert eventually(lambda: books.count(shop.service, inbox) == 1 and not spooled(shop))
    assert late_replies(shop, "o-anna") == []


def test_what_comes_too_late_to_be_passed_on_is_asked_for_again(shop: Shop, books_url: str) -> None:
    anna = shop.talker("o-anna")
    request = anna.request(anna.text_xml("人工"))
    with stalled(books_url):
        assert deliver(shop, request) == [(200, "success")]
    assert settled(shop, "o-anna")
    assert late_replies(shop, "o-anna") == ["刚才那句没能转到人工客服,请再发一次。"]
    assert deliver(shop, request) == [(200, "success")]
    assert "transfer_customer_service" in anna.send(anna.text_xml("我的发票呢"))


def test_a_disk_slower_than_the_database_leaves_nothing_behind(shop: Shop, books_url: str) -> None:
    """The file is written after the message was booked: it goes again, for nobody else would remove it."""
    disk = SlowDisk(shop)
    hasten(shop, disk=disk)
    cashier = shop.talker(CASHIER)
    request = cashier.request(cashier.text_xml(ISSUE))
    with stalled(books_url):
        task = shop.portal.start_task_soon(together, shop, [request])
        assert disk.asked.wait(60)
    assert eventually(lambda: bool(late_replies(shop, CASHIER)))
    disk.go_on.set()
    (answer,) = task.result(60)
    assert answer.body == b"success" and spooled(shop) == []
    assert len(late_replies(shop, CASHIER)) == 1


def test_the_database_is_only_slow(shop: Shop, books_url: str) -> None:
    """Back before the deadline: nobody notices."""
    hasten(shop, 60)
    cashier = shop.talker(CASHIER)
    request = cashier.request(cashier.text_xml(ISSUE))
    with stalled(books_url):
        task = shop.portal.start_task_soon(together, shop, [request] * 3)
        assert eventually(lambda: shop.front.service.webhook.in_flight == 3)
    first = {answer.body for answer in task.result(60)}
    assert len(first) == 1 and "满100减20" in shown(next(iter(first)).decode())
    assert late_replies(shop, CASHIER) == [] and spooled(shop) == []


def test_the_answer_lands_exactly_at_the_deadline(shop: Shop) -> None:
    """However the race ends, it is answered once: in the reply or in the outbox, never in both."""
    for number in range(30):
        hasten(shop, 0.001 * number)
        anna = shop.talker(f"o-race-{number}")
        request = anna.request(anna.text_xml("帮助"))
        (first,) = deliver(shop, request)
        assert first[0] == 200
        hasten(shop, 60)
        if first[1] == "success":
            assert settled(shop, anna.openid)
        assert deliver(shop, request) == [first], "the retry hears the same"
        assert len(late_replies(shop, anna.openid)) == (first[1] == "success")
    assert eventually(lambda: spooled(shop) == [])


def test_a_restart_replays_what_was_only_spooled(tmp_path: Path, books_url: str) -> None:
    """As after a crash: the spool holds a callback the books have never seen, and one they have."""
    with open_shop(tmp_path, books_url) as shop:
        hasten(shop)
        books.open_shop_books(shop.service)
        books.await_confirm(shop.service)
        cashier, anna = shop.talker(CASHIER), shop.talker("o-anna")
        issue, help_ = cashier.request(cashier.text_xml(ISSUE)), anna.request(anna.text_xml("帮助"))
        with stalled(books_url):
            deliver(shop, issue, help_)
            kept = {path: path.read_bytes() for path in spooled(shop)}
        assert settled(shop, "o-anna")
    with shop.service.database.transaction() as connection:
        connection.execute(staff_deeds.delete())
        connection.execute(coupons.delete())
        for what in (inbox, outbox):
            connection.execute(what.delete().where(what.c.openid == CASHIER))
    books.await_confirm(shop.service)
    for path, content in kept.items():
        path.write_bytes(content)
    (shop.service.folder / "spool" / "0.late").write_bytes(b"rubbish")
    with open_shop(tmp_path, books_url) as shop:
        assert eventually(lambda: bool(late_replies(shop, CASHIER)))
        assert eventually(lambda: [path.name for path in spooled(shop)] == ["0.late"])
        assert len(late_replies(shop, CASHIER)) == len(late_replies(shop, "o-anna")) == 1
        assert books.count(shop.service, coupons) == 1


def test_a_stop_while_the_database_hangs_loses_nothing(tmp_path: Path, books_url: str) -> None:
    with open_shop(tmp_path, books_url) as shop:
        hasten(shop)
        books.open_shop_books(shop.service)
        books.await_confirm(shop.service)
        cashier = shop.talker(CASHIER)
        request = cashier.request(cashier.text_xml(ISSUE))
        with stalled(books_url):
            assert deliver(shop, request) == [(200, "success")]
    with open_shop(tmp_path, books_url) as shop:
        assert settled(shop, CASHIER)
        assert len(late_replies(shop, CASHIER)) == 1 and books.count(shop.service, coupons) == 1


def test_without_a_disk_nothing_is_acknowledged(shop: Shop, books_url: str) -> None:
    """What cannot be kept is not acknowledged: the platform comes again, and then it is answered once."""
    folder = shop.service.folder / "spool"
    folder.parent.mkdir(exist_ok=True)
    folder.write_text("no folder can be made here")
    cashier = shop.talker(CASHIER)
    request = cashier.request(cashier.text_xml(ISSUE))
    with logged() as lines:
        with stalled(books_url):
            ((status, body),) = deliver(shop, request)
            assert status == 503 and body != "success"
        assert eventually(lambda: books.count(shop.service, inbox) == 1)
        folder.unlink()
        assert "绑定" in shop.talker("o-anna").say("帮助"), "the writer lives"
        (answer,) = deliver(shop, request)
    passive, late = answer[1] != "success", late_replies(shop, CASHIER)
    assert passive + len(late) == 1 and books.count(shop.service, coupons) == 1
    assert "13800138000" not in lines.getvalue() and "Traceback" not in lines.getvalue()
