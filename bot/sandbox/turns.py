"""One callback from first delivery to the reply that the person sees."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter
from typing import Any, Final

import httpx

from bot.sandbox import callbacks, limits
from bot.sandbox.errors import MalformedReply
from bot.sandbox.wire import Envelope, PassiveReply, Wire, read
from bot.sandbox.world import World

log = logging.getLogger(__name__)
FINISH_EVENTS_AT_ONCE: Final = 16


@dataclass(frozen=True)
class Attempt:
    """One delivery; status 0 means that no answer came within the deadline."""

    number: int
    status: int
    ms: float
    body: bytes = b""


@dataclass
class Turn:
    """A finished callback: `reply` is what was shown, `failed` says why 暂时无法提供服务 was shown instead."""

    turn: int
    openid: str
    request_xml: str
    reply_xml: str = ""
    reply: PassiveReply | None = None
    failed: str = ""
    attempts: list[Attempt] = field(default_factory=list)
    books: list[dict[str, Any]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The reply in words, for a terminal."""
        if self.failed:
            return limits.UNAVAILABLE
        if self.reply is None:
            return ""
        return self.reply.text or "\n".join(item["title"] for item in self.reply.items) or f"[{self.reply.kind}]"


class Turns:
    """Posts callbacks. Those of one person go one after the other, in the order in which they were started."""

    def __init__(self, world: World, transport: httpx.AsyncBaseTransport | None) -> None:
        self._world = world
        self.wire = Wire(world.settings)
        self._transport = transport
        self._client: httpx.AsyncClient | None = None
        self._lanes: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._finishing = asyncio.Semaphore(FINISH_EVENTS_AT_ONCE)
        self._tasks: set[asyncio.Task[Any]] = set()

    def number(self) -> int:
        self._world.state.last_turn += 1
        self._world.touch()
        return self._world.state.last_turn

    def start(
        self, openid: str, turn: int, fields: Mapping[str, object], *, shown: bool = True
    ) -> "asyncio.Task[Turn]":
        """Begin a turn of a person; `shown` is False for events to which the platform shows no reply."""
        return self._spawn(self._person_turn(openid, turn, self._seal(openid, fields), shown))

    def finish(self, sender: str, fields: Mapping[str, object]) -> None:
        """Post what became of a send; nobody sees the answer."""
        self._spawn(self._finish_turn(sender, fields))

    async def settle(self) -> None:
        """Wait until nothing is under way."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def stop(self) -> None:
        """Break off everything: the person would have to write again."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def verify(self) -> bool:
        """The GET check that the platform makes when the server address is saved."""
        query = self.wire.verification("sandbox-echo", int(self._world.seconds()))
        try:
            answer = await self._http().get(self._world.settings.callback_url, params=query)
        except httpx.HTTPError:
            return False
        return answer.status_code == 200 and answer.text == "sandbox-echo"

    def _seal(self, openid: str, fields: Mapping[str, object]) -> Envelope:
        created = int(self._world.seconds())
        complete = callbacks.head(self._world.settings.original_id, openid, created, fields)
        return self.wire.seal(callbacks.render(complete), complete, self._world.mode, created)

    async def _person_turn(self, openid: str, turn: int, envelope: Envelope, shown: bool) -> Turn:
        async with self._lanes[openid]:
            result = await self._run(openid, turn, envelope)
            if shown:
                self._show(result)
        self._world.hub.publish("log")
        await self._world.announce_people()
        return result

    async def _finish_turn(self, sender: str, fields: Mapping[str, object]) -> None:
        await asyncio.sleep(self._world.settings.finish_delay_seconds)
        async with self._finishing:
            await self._run(sender, self.number(), self._seal(sender, fields))
        self._world.hub.publish("log")

    async def _run(self, openid: str, turn: int, envelope: Envelope) -> Turn:
        result, since = Turn(turn, openid, envelope.xml), self._world.now()
        async for attempt in self._deliver(envelope):
            result.attempts.append(attempt)
            if attempt.status == 200:
                self._judge(result, envelope, attempt)
                if openid in self._world.state.followers:
                    result.books = await self._world.ask(self._world.hooks.books, openid, since)
            self._publish(result, envelope, attempt, since)
        if result.attempts[-1].status != 200:
            result.failed = "no answer"
        return result

    def _judge(self, result: Turn, envelope: Envelope, attempt: Attempt) -> None:
        """Read the answer; a malformed one is final, the platform does not ask again."""
        result.reply_xml = attempt.body.decode(errors="replace")
        try:
            result.reply_xml = self.wire.open(envelope, attempt.body)
            if result.reply_xml:
                is_event = "<Event>" in envelope.xml
                original = self._world.settings.original_id
                result.reply = read(
                    result.reply_xml, openid=result.openid, original_id=original, to_message=not is_event
                )
        except MalformedReply as error:
            result.failed = str(error)

    async def _deliver(self, envelope: Envelope) -> AsyncIterator[Attempt]:
        deadline, spacing = self._world.settings.deadline_seconds, self._world.settings.spacing_seconds
        for number in range(1, limits.CALLBACK_DELIVERIES + 1):
            started = perf_counter()
            attempt = await self._post(envelope, number, deadline)
            yield attempt
            if attempt.status == 200:
                return
            if number < limits.CALLBACK_DELIVERIES:
                await asyncio.sleep(max(0.0, spacing - (perf_counter() - started)))

    async def _post(self, envelope: Envelope, number: int, deadline: float) -> Attempt:
        """One delivery. An ASGI app runs on after the deadline, as a real server does when its caller hangs up."""
        started = perf_counter()
        request = self._http().post(
            self._world.settings.callback_url,
            params=envelope.query,
            content=envelope.body,
            headers={"Content-Type": "text/xml", "User-Agent": "Mozilla/4.0"},
        )
        call = self._spawn(request)
        done, _ = await asyncio.wait({call}, timeout=deadline)
        ms = round((perf_counter() - started) * 1000, 1)
        if not done:
            if not isinstance(self._transport, httpx.ASGITransport):
                call.cancel()
            return Attempt(number, 0, ms)
        if call.cancelled():
            raise asyncio.CancelledError
        error = call.exception()
        if isinstance(error, httpx.HTTPError):
            return Attempt(number, 0, ms)
        if error is not None:
            log.error("sandbox callback failed", exc_info=error)
            return Attempt(number, 500, ms)
        answer = call.result()
        return Attempt(number, answer.status_code, ms, answer.content)

    def _publish(self, result: Turn, envelope: Envelope, attempt: Attempt, since: datetime) -> None:
        encrypted = {} if envelope.mode == "plain" else {"encrypted_xml": envelope.body.decode()}
        self._world.hub.publish(
            "turn",
            openid=result.openid,
            at=since.isoformat(),
            turn=result.turn,
            request_xml=envelope.xml,
            reply_xml=result.reply_xml if attempt.status == 200 else attempt.body.decode(errors="replace")[:2000],
            status=attempt.status,
            ms=attempt.ms,
            attempt=attempt.number,
            mode=envelope.mode,
            error=result.failed,
            books=result.books,
            **encrypted,
        )

    def _show(self, result: Turn) -> None:
        follower = self._world.state.followers.get(result.openid)
        if follower is None or not follower.followed:
            return
        if result.failed:
            self._world.show(result.openid, "out", "passive", "event", limits.UNAVAILABLE, turn=result.turn)
        elif result.reply is not None:
            reply = result.reply
            more: dict[str, Any] = {"items": reply.items} if reply.items else {}
            if reply.media_id:
                more["picurl"] = f"/sandbox/media/{reply.media_id}"
            self._world.show(result.openid, "out", "passive", reply.kind, reply.text, turn=result.turn, **more)

    def _http(self) -> httpx.AsyncClient:
        if self._client is None:
            limits_ = httpx.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=2.0)
            self._client = httpx.AsyncClient(
                transport=self._transport, timeout=None, limits=limits_, trust_env=False, follow_redirects=False
            )
        return self._client

    def _spawn(self, work: Any) -> "asyncio.Task[Any]":
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) and not isinstance(error, httpx.HTTPError):
            log.error("sandbox turn failed", exc_info=error)
