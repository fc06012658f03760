"""The callback on a real socket: what no ASGI test can see."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.faults.servers import Server, open_books, talker, write_config
from tests.support.talker import shown

MEGABYTE = 2**20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One real server for all of these; afterwards it has nothing to complain of and ends well."""
    folder: Path = tmp_path_factory.mktemp("http")
    path = write_config(folder, f"sqlite:///{folder / 'test.db'}")
    service = open_books(path)
    service.prepare()
    service.close()
    with Server(path) as running:
        yield running
        assert running.stop() == 0, running.log
        assert "Traceback" not in running.log and '"error"' not in running.log, running.log


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    """A client that keeps its connection."""
    with httpx.Client(base_url=server.address, timeout=60, trust_env=False) as opened:
        yield opened


def says_help(client: httpx.Client, openid: str) -> bool:
    """Somebody is answered as ever."""
    who = talker(openid)
    body, query = who.request(who.text_xml("帮助"))
    return "绑定" in shown(client.post("/wechat", content=body, params=query).text)


def test_head_has_a_length_and_no_body(client: httpx.Client) -> None:
    who = talker("o-head")
    _, query = who.request("")
    answer = client.head("/wechat", params=query | {"echostr": "12345"})
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "5")
    assert says_help(client, "o-head")


@pytest.mark.parametrize("size", [64 * 1024 + 1, 5 * MEGABYTE])
@pytest.mark.parametrize("chunked", [False, True])
def test_too_much_is_refused(server: Server, client: httpx.Client, size: int, chunked: bool) -> None:
    """Whether the length is told or not; the connection may be closed on who goes on sending."""
    _, query = talker("o-big").request("")
    content = (b"x" * 1000 for _ in range(size // 1000 + 1)) if chunked else b"x" * size
    try:
        answer = client.post("/wechat", content=content, params=query)
        assert answer.status_code == 413
    except httpx.TransportError:
        pass
    assert says_help(client, f"o-big-{size}-{chunked}")


def test_a_flood_does_not_fill_the_memory(server: Server) -> None:
    assert server.process is not None
    process, sizes = psutil.Process(server.process.pid), []
    _, query = talker("o-flood").request("")
    for _ in range(12):
        flood = (b"x" * 65_536 for _ in range(160))
        with contextlib.suppress(httpx.TransportError):
            httpx.post(f"{server.address}/wechat", content=flood, params=query, timeout=60, trust_env=False)
        sizes.append(process.memory_info().rss // MEGABYTE)
    assert sizes[-1] - sizes[1] < 32, f"megabytes after each ten: {sizes}"


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\0\1\2\3\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST /wechat HTTP/9.9\r\n\r\n",
        b"POST /wechat HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /wechat HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST /wechat HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /wechat HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n<xml>",
        b"GET /wechat?\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /wechat?" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET " + b"/" * 100_000,
    ],
)
def test_whatever_comes_over_the_wire_is_survived(server: Server, client: httpx.Client, request_bytes: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as wire:
        try:
            wire.sendall(request_bytes)
            wire.shutdown(socket.SHUT_WR)
            first = wire.recv(4096)
        except OSError:
            first = b""
    assert b" 500 " not in first and b"Traceback" not in first
    assert says_help(client, f"o-wire-{len(request_bytes)}")
