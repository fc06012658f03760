"""kill -9 and SIGTERM on a real server: what was acknowledged is in the books, once, and the books balance."""

import asyncio
import random
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from bot.service import Service
from tests.faults import books
from tests.faults.books import CASHIER, coupons, eventually, inbox, outbox, stalled, verifications
from tests.faults.servers import Server, open_books, talker, write_config
from tests.support.talker import shown
from tests.support.terminal import memberbot

KILLS, SEED, AT_ONCE = 4, 20260302, 12


@dataclass
class Platform:
    """Delivers messages like the platform: what was not answered comes again until it is."""

    address: str
    answered: dict[tuple[bytes, str], bytes] = field(default_factory=dict)
    open: dict[tuple[bytes, str], dict[str, str]] = field(default_factory=dict)

    def add(self, body: bytes, query: dict[str, str]) -> None:
        self.open[body, query["openid"]] = query

    async def deliver(self) -> None:
        """Deliver everything that is open, some at a time; what fails stays open."""
        room, limits = asyncio.Semaphore(AT_ONCE), httpx.Limits(max_connections=None, max_keepalive_connections=0)
        async with httpx.AsyncClient(timeout=60, trust_env=False, limits=limits) as client:

            async def one(key: tuple[bytes, str], query: dict[str, str]) -> None:
                async with room:
                    try:
                        answer = await client.post(f"{self.address}/wechat", content=key[0], params=query)
                    except httpx.TransportError:
                        return
                    assert answer.status_code == 200, answer.text
                    self.answered[key] = answer.content
                    del self.open[key]

            await asyncio.gather(*(one(key, query) for key, query in list(self.open.items())))


@pytest.fixture
def installation(tmp_path: Path, books_url: str) -> Iterator[tuple[Path, Service]]:
    """A config.yaml and the books it means, with 20 members and a manager who issues coupons."""
    path = write_config(tmp_path, books_url)
    service = open_books(path)
    books.open_shop_books(service, phones=20)
    books.await_confirm(service)
    yield path, service
    service.close()


def audit(path: Path) -> "subprocess.CompletedProcess[str]":
    return memberbot(["audit", "--config", str(path)], path.parent)


@pytest.mark.slow
def test_kill_at_random_points_while_messages_arrive(installation: tuple[Path, Service]) -> None:
    path, service = installation
    chance, server = random.Random(SEED), Server(path)
    platform = Platform(server.address)
    cashier, strangers, tagged = talker(CASHIER), [talker(f"o-{n}") for n in range(300)], 0

    async def round_of(kill_after: int | None) -> None:
        """Deliver; kill -9 a moment after so many more were answered."""
        delivering, before = asyncio.create_task(platform.deliver()), len(platform.answered)
        if kill_after is not None:
            while len(platform.answered) < before + kill_after and not delivering.done():
                await asyncio.sleep(0.001)
            await asyncio.sleep(chance.uniform(0.0, 0.01))
            server.kill()
        await delivering

    for _ in range(KILLS):
        server.start()
        for step in range(120):
            who = cashier if step % 2 else strangers[chance.randrange(300)]
            words = chance.choice(("帮助", f"绑定 1370013{chance.randrange(10**4):04d}", "你好", "积分"))
            if who is cashier:
                words, tagged = f"标签 1380013{8000 + chance.randrange(20):04d} 第{tagged}次", tagged + 1
            platform.add(*who.request(who.text_xml(words)))
        asyncio.run(round_of(chance.randrange(60)))
        assert platform.open, "the kill came too late to interrupt anything"
    server.start()
    with server:
        asyncio.run(round_of(None))
        assert platform.open == {}
        first = dict(platform.answered)
        for body, openid in first:
            platform.open[body, openid] = talker(openid).request("")[1]
        asyncio.run(round_of(None))
        assert {key for key in first if platform.answered[key] != first[key]} == set(), "a retry hears the same"
        log = server.log
    assert books.breaches(service) == []
    checked = audit(path)
    assert (checked.returncode, checked.stdout.strip()) == (0, "账目全部相符"), checked
    assert books.count(service, inbox) == len(first)
    told = [shown(answer.decode()) for answer in first.values() if answer != b"success"]
    assert books.count(service, books.tags) == tagged == sum("加标签" in words for words in told)
    assert books.count(service, verifications) == books.count(service, outbox, outbox.c.kind == "code")
    assert books.rows(service, inbox, inbox.c.reply.is_(None)) == []
    assert "Traceback" not in log and "incident" not in log


@pytest.mark.slow
@pytest.mark.parametrize(
    ("books_url", "end"),
    [("sqlite", "kill"), pytest.param("postgres", "stop", marks=pytest.mark.postgres)],
    indirect=["books_url"],
)
def test_what_was_acknowledged_but_not_booked(installation: tuple[Path, Service], books_url: str, end: str) -> None:
    """`success` was the answer, the books hung, the process ended: after the restart it is booked and answered."""
    path, service = installation
    cashier, anna = talker(CASHIER), talker("o-anna")
    with Server(path) as server:
        platform = Platform(server.address)
        with stalled(books_url):
            platform.add(*cashier.request(cashier.text_xml("确认")))
            platform.add(*anna.request(anna.text_xml("帮助")))
            asyncio.run(platform.deliver())
            assert set(platform.answered.values()) == {b"success"}
            if end == "kill":
                server.kill()
            else:
                assert server.stop() == 0, server.log
            assert len(list((service.folder / "spool").glob("*.late"))) == 2
        assert books.count(service, inbox) == 0 or end == "stop"
        server.start()
        late = outbox.c.kind == "late_reply"
        assert eventually(lambda: books.count(service, outbox, late) == 2)
        assert eventually(lambda: not list((service.folder / "spool").glob("*.late")))
        platform.open = {key: talker(key[1]).request("")[1] for key in platform.answered}
        asyncio.run(platform.deliver())
        assert set(platform.answered.values()) == {b"success"}, "a retry after all that"
    assert books.count(service, outbox, late) == 2 and books.count(service, coupons) == 1
    assert books.breaches(service) == []


def listening(server: Server) -> bool:
    """Whether anybody new would be let in."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", server.port)) == 0


@pytest.mark.slow
def test_sigterm_answers_who_is_waiting(installation: tuple[Path, Service], books_url: str) -> None:
    """Messages in flight are answered, by reply or late; then the process ends well."""
    path, service = installation
    with Server(path) as server:
        platform = Platform(server.address)
        for number in range(20):
            who = talker(f"o-{number}")
            platform.add(*who.request(who.text_xml("帮助")))
        with httpx.Client(base_url=server.address, trust_env=False) as client:

            def in_flight() -> float:
                lines = client.get("/metrics").text.splitlines()
                figures = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
                return float(figures["memberbot_batch_messages_sum"]) + float(figures["memberbot_waiting_messages"])

            async def stop_while_they_wait() -> int:
                delivering = asyncio.create_task(platform.deliver())
                with stalled(books_url):
                    assert await asyncio.to_thread(eventually, lambda: in_flight() >= AT_ONCE)
                    ending = asyncio.create_task(asyncio.to_thread(server.stop))
                    assert await asyncio.to_thread(eventually, lambda: not listening(server))
                await delivering
                return await ending

            assert asyncio.run(stop_while_they_wait()) == 0, server.log
        answers = list(platform.answered.values())
        late = books.count(service, outbox, outbox.c.kind == "late_reply")
        assert len(answers) >= AT_ONCE, "everybody who was in flight was answered"
        assert sum(answer != b"success" for answer in answers) + late == len(answers)
        assert "Traceback" not in server.log
        assert eventually(lambda: books.count(service, inbox) == len(answers))
