"""The callback as a bare ASGI endpoint: verify, open, queue, answer within the deadline."""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

import structlog

from bot.envelope import BadSignature, Envelope, Opened
from bot.inbound import BODY_LIMIT, BadCallback, inbound_of
from bot.logs import safe_trace
from bot.metrics import CALLBACKS, SECONDS
from bot.spool import Spool
from bot.writer import Writer

log = structlog.get_logger("memberbot.webhook")
DEADLINE_SECONDS = 4.5  # "5 s deadline; then the connection is dropped and the same callback comes again"
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class TooLarge(Exception):
    """A body past the cap."""


class Webhook:
    """GET verifies the address, POST answers a callback. What fails inside becomes words.

    Only when not even the spool can keep a callback is it a 503: unacknowledged, it comes again.
    """

    def __init__(self, envelope: Envelope, writer: Writer, spool: Spool, *, deadline: float = DEADLINE_SECONDS) -> None:
        self._envelope, self._writer, self._spool, self._deadline = envelope, writer, spool, deadline
        self.in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        started = time.perf_counter()
        self.in_flight += 1
        try:
            status, body, kind = await self._answer(scope, receive)
        except (BadSignature, UnicodeError):
            status, body, kind = 403, "signature does not match", b"text/plain; charset=utf-8"
        except BadCallback:
            status, body, kind = 400, "malformed callback", b"text/plain; charset=utf-8"
        except TooLarge:
            status, body, kind = 413, "callback too large", b"text/plain; charset=utf-8"
        except Exception:
            log.error("callback failed", trace=safe_trace())
            status, body, kind = 503, "try again", b"text/plain; charset=utf-8"
        finally:
            self.in_flight -= 1
        CALLBACKS.labels(str(status)).inc()
        SECONDS.observe(time.perf_counter() - started)
        content = body.encode()
        headers = [(b"content-type", kind), (b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[int, str, bytes]:
        text, xml = b"text/plain; charset=utf-8", b"text/xml; charset=utf-8"
        query = dict(parse_qsl(scope["query_string"].decode("ascii"), keep_blank_values=True))
        if scope["method"] in ("GET", "HEAD"):
            self._envelope.verify(query.get("signature", ""), query.get("timestamp", ""), query.get("nonce", ""))
            return 200, query.get("echostr", ""), text
        if scope["method"] != "POST":
            return 405, "GET or POST", text
        opened = self._envelope.open(query, await read_body(scope, receive))
        answer = await self._reply(opened)
        if not answer:
            return 200, "success", text
        return 200, self._envelope.seal(answer, opened, int(time.time())), xml

    async def _reply(self, opened: Opened) -> str:
        inbound = inbound_of(opened.root)
        job, future = self._writer.submit(inbound)
        deadline = asyncio.get_running_loop().call_later(self._deadline, _expire, future)
        try:
            return await future
        except (TimeoutError, ConnectionError):
            committed = self._writer.give_up(job)
            if committed is not None:
                return committed
        finally:
            deadline.cancel()
        await asyncio.to_thread(self._spool.add, inbound)
        if job.settled:  # it was booked while the file was written
            await asyncio.to_thread(self._spool.remove, inbound.key)
        log.warning("answer later", key=inbound.key)
        return ""


def _expire(future: "asyncio.Future[str]") -> None:
    if not future.done():
        future.set_exception(TimeoutError())


async def read_body(scope: Scope, receive: Receive) -> bytes:
    """Return the body, never holding more than the cap in memory (TooLarge)."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BadCallback("left")
        body += bytes(message.get("body", b""))
        if len(body) > BODY_LIMIT:
            raise TooLarge
        if not message.get("more_body", False):
            return body
