"""Load: requests built before the clock starts, answers kept and checked after it has stopped.

It runs in a process of its own: a Load as JSON on standard input, a Measured on standard output.
"""

import asyncio
import gc
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, cast
from urllib.parse import urlencode
from xml.etree import ElementTree

import uvloop

from benchmarks.shop import KEYS, openid, points
from tests.support.talker import decrypt, encrypt, fields, shown, sign

STRIDE = 7919  # neighbours in time are different members
PATIENCE = 300.0
Kind = Literal["points", "echo", "constant"]


@dataclass(frozen=True, slots=True)
class Load:
    """What to send: `points` is asked in safe mode, `echo` in plain mode; message ids start at `first`."""

    port: int
    kind: Kind
    members: int
    first: int
    messages: int
    concurrency: int


@dataclass(frozen=True, slots=True)
class Measured:
    """Answers a second, their quantiles in ms, how many were wrong, and the share of a core the generator took."""

    rate: float
    p50: float
    p99: float
    wrong: int
    generator: float


@dataclass(slots=True)
class Exchange:
    """One request of a member, and what came back."""

    member: int
    nonce: str
    request: bytes
    answer: bytes = b""
    seconds: float = 0.0


def exchange(kind: Kind, members: int, number: int) -> Exchange:
    """Build the request with this message id, as the platform sends it."""
    member = number * STRIDE % members
    now, nonce = str(int(time.time())), str(number)
    xml = (
        f"<xml><ToUserName><![CDATA[gh_bench]]></ToUserName><FromUserName><![CDATA[{openid(member)}]]></FromUserName>"
        f"<CreateTime>{now}</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[积分]]></Content>"
        f"<MsgId>{23_000_000_000_000_000 + number}</MsgId></xml>"
    )
    query = {"signature": sign(KEYS.token, now, nonce), "timestamp": now, "nonce": nonce, "openid": openid(member)}
    if kind == "points":
        sealed = encrypt(KEYS, xml)
        query |= {"encrypt_type": "aes", "msg_signature": sign(KEYS.token, now, nonce, sealed)}
        xml = f"<xml><ToUserName><![CDATA[gh_bench]]></ToUserName><Encrypt><![CDATA[{sealed}]]></Encrypt></xml>"
    body = xml.encode()
    head = (
        f"POST /wechat?{urlencode(query)} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/xml\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return Exchange(member, nonce, head.encode() + body)


def right(kind: Kind, asked: Exchange) -> bool:
    """Tell whether the answer is the one this member must get."""
    head, _, body = asked.answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 ") or not body:
        return False
    try:
        return {"points": _points, "echo": _echo, "constant": _constant}[kind](asked, body.decode())
    except (ElementTree.ParseError, KeyError, ValueError, AssertionError):
        return False


def _constant(asked: Exchange, body: str) -> bool:
    return body == "success"


def _echo(asked: Exchange, body: str) -> bool:
    return shown(body) == "积分"


def _points(asked: Exchange, body: str) -> bool:
    sealed = fields(body)
    signed = sign(KEYS.token, sealed["TimeStamp"], asked.nonce, sealed["Encrypt"]) == sealed["MsgSignature"]
    return signed and f" {points(asked.member):,} 积分" in shown(decrypt(KEYS, sealed["Encrypt"]))


class Caller(asyncio.Protocol):
    """One caller: asks again as soon as it is answered, over the same connection while the server keeps it open."""

    def __init__(self, port: int, queue: Iterator[Exchange]) -> None:
        self._port, self._queue, self._received = port, queue, b""
        self._loop = asyncio.get_running_loop()
        self._asked: Exchange | None = None
        self._transport: asyncio.Transport | None = None
        self._connecting: asyncio.Task[object] | None = None
        self._began = 0.0
        self.done: asyncio.Future[None] = self._loop.create_future()

    def ask(self) -> None:
        """Send the next request; connecting, where that is needed, is part of its time."""
        self._asked, self._received, self._began = next(self._queue, None), b"", time.perf_counter()
        if self._asked is None:
            self.done.set_result(None)
            if self._transport is not None:
                self._transport.close()
        elif self._transport is None:
            self._connecting = self._loop.create_task(
                self._loop.create_connection(lambda: self, "127.0.0.1", self._port)
            )
        else:
            self._transport.write(self._asked.request)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send what waited for the connection."""
        assert self._asked is not None
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._asked.request)

    def data_received(self, data: bytes) -> None:
        """Note an answer once it is whole."""
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found or self._asked is None:
            return
        lower = head.lower()
        if len(body) < int(lower.partition(b"content-length:")[2].split(b"\r\n", 1)[0]):
            return
        self._asked.seconds = time.perf_counter() - self._began
        self._asked.answer = self._received
        if b"connection: close" not in lower:
            self.ask()

    def connection_lost(self, error: Exception | None) -> None:
        """Go on with the next request over a new connection."""
        self._transport = None
        if not self.done.done():
            self.ask()


async def _run(load: Load, asked: Sequence[Exchange]) -> None:
    queue = iter(asked)
    callers = [Caller(load.port, queue) for _ in range(load.concurrency)]
    for caller in callers:
        caller.ask()
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(caller.done for caller in callers))


def measure(load: Load) -> Measured:
    """Put the load on a server and check every answer."""
    asked = [exchange(load.kind, load.members, load.first + position) for position in range(load.messages)]
    gc.disable()
    began, own = time.perf_counter(), time.process_time()
    uvloop.run(_run(load, asked))
    seconds, own = time.perf_counter() - began, time.process_time() - own
    ordered = sorted(one.seconds * 1000 for one in asked)
    wrong = sum(not right(load.kind, one) for one in asked)
    quantile = {part: ordered[min(len(ordered) - 1, len(ordered) * part // 100)] for part in (50, 99)}
    return Measured(len(asked) / seconds, quantile[50], quantile[99], wrong, own / seconds)


def main() -> None:
    """Be the generator's process."""
    print(json.dumps(asdict(measure(Load(**json.load(sys.stdin))))))
