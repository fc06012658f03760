"""Two real worker processes, one set of books: two hundred deliveries of one message at the same moment are one."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from bot.service import Service
from tests.conftest import fresh_database
from tests.faults import books
from tests.faults.books import CASHIER, coupons, inbox, outbox, verifications
from tests.faults.servers import Server, open_books, talker, write_config
from tests.scenarios.test_dedupe import resigned
from tests.support.talker import Talker, fields, shown

DELIVERIES = 200
Pair = tuple[Service, list[str]]
Request = tuple[str, bytes, dict[str, str]]


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Service, list[str]]]:
    """Empty books, and where two processes serve them; they start on a database without a schema, at the same moment.

    SQLite: two times `serve`; PostgreSQL: `serve --workers 2`.
    """
    folder: Path = tmp_path_factory.mktemp(f"pair-{request.param}")
    with ExitStack() as stack:
        url, workers = f"sqlite:///{folder / 'test.db'}", (1, 1)
        if request.param == "postgres":
            url, workers = stack.enter_context(fresh_database(request.getfixturevalue("postgres_url"))), (2,)
        path = write_config(folder, url)
        servers = [Server(path, workers=number).start(wait=False) for number in workers]
        for server in servers:
            stack.callback(server.kill)
        for server in servers:
            server.wait_ready()
        service = open_books(path)
        stack.callback(service.close)
        yield service, [servers[0].address, servers[-1].address]
        for server in servers:
            assert server.stop() == 0, server.log
            assert "Traceback" not in server.log and '"error"' not in server.log, server.log


async def _deliver(requests: list[Request]) -> list[httpx.Response]:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx.AsyncClient(timeout=60, limits=limits, trust_env=False) as client:
        return await asyncio.gather(
            *(client.post(f"{to}/wechat", content=body, params=query) for to, body, query in requests)
        )


def deliver(requests: list[Request]) -> list[httpx.Response]:
    """Send everything at once."""
    return asyncio.run(_deliver(requests))


def spread(addresses: list[str], who: Talker, xml: str, times: int = DELIVERIES) -> list[Request]:
    """The same message again and again, to both processes, every other time signed anew."""
    body, query = who.request(xml)
    signed = (resigned(who, query, str(number)) if number % 3 else query for number in range(times))
    return [(addresses[number % 2], body, one) for number, one in enumerate(signed)]


@pytest.mark.slow
def test_one_effect_and_equal_replies(pair: Pair) -> None:
    service, addresses = pair
    books.open_shop_books(service)
    books.await_confirm(service)
    cashier = talker(CASHIER)
    answers = deliver(spread(addresses, cashier, cashier.text_xml("确认")))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1 and "满100减20" in shown(answers[0].text)
    assert books.count(service, coupons) == 1
    assert books.count(service, inbox, inbox.c.openid == CASHIER) == 1
    assert books.breaches(service) == []


@pytest.mark.slow
def test_many_messages_in_every_order(pair: Pair) -> None:
    """Forty people at once, each message four times, the processes in opposite orders: no deadlock, one code each."""
    service, addresses = pair
    people = [talker(f"o-{number}") for number in range(40)]
    requests: list[Request] = []
    for number, who in enumerate(people):
        requests += spread(addresses, who, who.text_xml(f"绑定 1370013{number:04d}"), times=4)
    front, back = requests[::2], requests[1::2][::-1]
    mixed = [one for two in zip(front, back, strict=True) for one in two]
    answers = deliver(mixed)
    assert {answer.status_code for answer in answers} == {200}
    heard: dict[str, set[bytes]] = {}
    for answer in answers:
        heard.setdefault(fields(answer.text)["ToUserName"], set()).add(answer.content)
    assert sorted(heard) == sorted(who.openid for who in people)
    assert all(len(contents) == 1 for contents in heard.values()), "200 equal replies, person by person"
    assert all("编号" not in content.decode() for contents in heard.values() for content in contents)
    assert books.count(service, verifications) == books.count(service, outbox, outbox.c.kind == "code")
    codes = [row.openid for row in books.rows(service, verifications)]
    assert len(codes) == len(set(codes)) and len(codes) >= 20, "the limit per minute may hold some back"


@pytest.mark.slow
def test_events_without_an_id(pair: Pair) -> None:
    service, addresses = pair
    anna = talker("o-anna")
    click = anna.xml("event", "<Event>CLICK</Event><EventKey>help</EventKey>")
    other = click.replace(">help<", ">bind<")
    answers = deliver([*spread(addresses, anna, click, 20), *spread(addresses, anna, other, 20)])
    assert len({answer.content for answer in answers[:20]}) == len({answer.content for answer in answers[20:]}) == 1
    assert answers[0].content != answers[20].content
    assert books.count(service, inbox, inbox.c.openid == "o-anna") == 2
