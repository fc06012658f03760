"""What operators see: alive, ready or not, and figures that name nobody."""

import asyncio
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import httpx
import psutil
import psycopg
import pytest
from sqlalchemy import make_url

from bot.webhook import DEADLINE_SECONDS
from tests.conftest import administrate, fresh_database
from tests.faults import books
from tests.faults.books import CASHIER, eventually, outbox, stalled
from tests.faults.logged import logged
from tests.faults.raw import Answer, send_raw
from tests.support.shop import Shop, open_shop

SECRETS = ("o-anna", "o-cashier", "13800138000", "138****8000", "小李", "gh_test", "积分", "hologram")


def test_metrics_name_nobody(shop: Shop) -> None:
    books.open_shop_books(shop.service)
    with logged() as lines:
        anna, cashier = shop.talker("o-anna"), shop.talker(CASHIER, "aes")
        for words in ("绑定 13800138000", "积分", "我叫小李,电话13800138000", "x" * 100):
            anna.say(words)
        _, code = shop.code_for("o-anna")
        anna.say(code)
        cashier.say("发券 13800138000 满100减20")
        anna.event("hologram-o-anna-13800138000")
        anna.event("scancode_push", EventKey="13800138000")
        anna.click("13800138000")
        shop.post(b"<xml>13800138000", {"signature": "o-anna"})
        metrics = shop.request("GET", "/metrics").text
    assert 'memberbot_callbacks_total{outcome="200"}' in metrics
    assert 'memberbot_messages_total{intent="staff_issue"}' in metrics
    for secret in (*SECRETS, code):
        assert not re.search(rf"(?<![\d.]){re.escape(secret)}(?!\d)", metrics), secret
        assert secret not in lines.getvalue() or secret == code


def test_an_unknown_event_adds_no_figure(shop: Shop) -> None:
    """Otherwise whoever chooses the names of events fills the memory."""

    def labels() -> set[str]:
        return set(re.findall(r'memberbot_messages_total\{intent="([^"]*)"\}', shop.request("GET", "/metrics").text))

    shop.talker("o-anna").event("never_seen_before")
    before = labels()
    for number in range(20):
        shop.talker("o-anna").event(f"made_up_{number}")
    assert labels() == before


def test_health_asks_nobody(shop: Shop, books_url: str) -> None:
    with stalled(books_url):
        answer = shop.request("GET", "/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_ready_while_the_books_are(shop: Shop) -> None:
    answer = shop.request("GET", "/ready")
    assert answer.status_code == 200 and answer.json()["status"] == "ready"


def test_not_ready_without_the_server(tmp_path: Path, postgres_url: str, migrated_postgres: str) -> None:
    """The database goes, /ready says so without its address, and comes back with it."""
    with fresh_database(postgres_url, migrated_postgres) as url:
        name = str(make_url(url).database)
        with open_shop(tmp_path, url) as shop, logged() as lines:
            assert shop.request("GET", "/ready").status_code == 200
            administrate(postgres_url, "ALTER DATABASE {} WITH ALLOW_CONNECTIONS false", name)
            end_sessions(postgres_url, name)
            answer = shop.request("GET", "/ready")
            assert answer.status_code == 503 and answer.json()["status"] == "not ready"
            assert name not in answer.text and "postgres" not in answer.text
            assert shop.request("GET", "/health").status_code == 200
            administrate(postgres_url, "ALTER DATABASE {} WITH ALLOW_CONNECTIONS true", name)
            assert shop.request("GET", "/ready").status_code == 200
            assert "绑定" in shop.talker("o-anna").say("帮助")
        assert "Traceback" not in lines.getvalue()


def end_sessions(server_url: str, name: str) -> None:
    """End every session on a database."""
    plain = make_url(server_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])


def test_not_ready_without_the_file(tmp_path: Path, migrated_sqlite: Path) -> None:
    file = tmp_path / "test.db"
    shutil.copy(migrated_sqlite, file)
    with open_shop(tmp_path, f"sqlite:///{file}") as shop:
        assert shop.request("GET", "/ready").status_code == 200
        shop.service.database.dispose()
        for part in tmp_path.glob("test.db*"):
            part.unlink()
        answer = shop.request("GET", "/ready")
        assert answer.status_code == 503 and answer.json()["status"] == "not ready"


@pytest.fixture
def postmaster(postgres_url: str) -> psutil.Process:
    """The first process of the tests' PostgreSQL server."""
    folder = Path(str(make_url(postgres_url).query["host"]))
    return psutil.Process(int((folder / "postmaster.pid").read_text().split()[0]))


@contextmanager
def hung(postmaster: psutil.Process) -> Iterator[None]:
    """The server takes connections and serves none."""
    family = [postmaster, *postmaster.children(recursive=True)]
    for process in family:
        process.suspend()
    try:
        yield
    finally:
        for process in family:
            process.resume()


async def probes(shop: Shop, request: tuple[bytes, dict[str, str]]) -> tuple[list[int], Answer]:
    """A load balancer asks again and again whether we are ready; meanwhile somebody writes."""
    transport = httpx.ASGITransport(shop.front)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        asking = asyncio.gather(*(client.get("/ready") for _ in range(60)))
        answer = await send_raw(shop.front, "POST", urlencode(request[1]).encode(), [request[0]])
        return [ready.status_code for ready in await asking], answer


@pytest.mark.slow
@pytest.mark.postgres
def test_probes_of_a_hanging_database_keep_nobody_from_being_heard(
    postgres_shop: Shop, postmaster: psutil.Process
) -> None:
    shop = postgres_shop
    anna = shop.talker("o-anna")
    anna.say("帮助")
    shop.service.webhook._deadline = DEADLINE_SECONDS
    with hung(postmaster):
        ready, answer = shop.portal.call(probes, shop, anna.request(anna.text_xml("帮助")))
    assert set(ready) == {503}
    assert (answer.status, answer.body) == (200, b"success")
    assert eventually(lambda: books.count(shop.service, outbox, outbox.c.kind == "late_reply") == 1)
    assert shop.request("GET", "/ready").status_code == 200
