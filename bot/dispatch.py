"""One transaction for a batch of messages: admitted once, answered, effects and replies stored together."""

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection

from bot.logs import safe_trace
from bot.metrics import HANDLED
from bot.render import TEXT_BYTES, in_script, reply_xml, size, text_of
from handlers import events, flows, routing
from handlers.context import Context, Reply
from handlers.copy import Copy
from handlers.inbound import Inbound
from handlers.nlu.own import Own
from handlers.reading import MAX_TEXT
from handlers.routes import EVENTS
from members import handoffs, inbox, outbox, people, scripts
from members.clock import Clock
from members.db import Database
from members.errors import MemberError
from members.people import Person
from members.places import Places
from members.rules import Rules
from members.segments import SegmentRule
from members.vault import Vault
from recommend.rules import RecommendRules

log = structlog.get_logger("memberbot.dispatch")
LATE_DAYS = 2
PUSHES = ("marketing", "reminder")
# SQLSTATE classes and SQLite codes of what passes: connection lost, deadlock, out of resources, lock refused, shutdown
PASSING, BUSY, CANCELLED = ("08", "40", "53", "55", "57"), (5, 6), "57014"


@dataclass(slots=True, eq=False)
class Job:
    """One callback on its way: `xml` is the answer once it is known, `late` says its caller no longer waits."""

    inbound: Inbound
    futures: list["asyncio.Future[str]"] = field(default_factory=list)
    xml: str | None = None
    late: bool = False
    late_booked: bool = False
    settled: bool = False
    done: bool = False
    text: str = ""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a dispatcher needs to know; built once at start."""

    database: Database
    vault: Vault
    rules: Rules
    recommend: RecommendRules
    copy: Copy
    clock: Clock
    app_id: str
    link: Callable[[str, str], str]
    segments: Mapping[str, SegmentRule] = field(default_factory=dict)
    own: Own | None = None


@dataclass(frozen=True, slots=True)
class _Answered:
    reply: Reply
    incident: str = ""


class Dispatcher:
    """Answers callbacks; `process` is called by one writer at a time per process."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._places = Places()
        self.wake: Callable[[], None] = lambda: None

    def process(self, jobs: Sequence[Job]) -> None:
        """Answer a batch in one transaction, or, when that fails, each in a transaction of its own.

        A database that cannot be reached raises (OperationalError): the caller tries again, nothing was done.
        """
        try:
            self._together(jobs)
        except Exception as error:
            if len(jobs) > 1:
                for job in jobs:
                    self.process([job])
            elif isinstance(error, (OperationalError, InterfaceError, NoConnection)):
                raise
            else:
                jobs[0].late_booked = False
                self._say(jobs[0], self._incident(jobs[0], "store").reply, self._setup.clock.now())

    def _together(self, jobs: Sequence[Job]) -> None:
        setup = self._setup
        now = setup.clock.now()
        wake: list[str] = []
        with setup.database.transaction() as connection:
            by_key = {job.inbound.key: job for job in jobs}
            rows = [
                {"key": key, "openid": job.inbound.openid, "kind": job.inbound.kind, "received_at": now}
                for key, job in by_key.items()
            ]
            new = inbox.admit(connection, rows)
            fresh = [job for job in jobs if job.inbound.key in new]
            self._repeat(connection, [job for job in jobs if job.inbound.key not in new])
            answers = self._answer_all(connection, fresh, now, wake, alone=len(jobs) == 1)
            inbox.store(connection, answers)
        if wake:
            self.wake()

    def _repeat(self, connection: Connection, jobs: Sequence[Job]) -> None:
        stored = inbox.replies(connection, [job.inbound.key for job in jobs]) if jobs else {}
        for job in jobs:
            job.xml = stored.get(job.inbound.key) or ""

    def _answer_all(
        self, connection: Connection, jobs: Sequence[Job], now: datetime, wake: list[str], *, alone: bool
    ) -> list[tuple[str, str, str]]:
        jobs = self._write_fates(connection, jobs)
        if not jobs:
            return []
        for window in ("message", "action"):
            people.touch(connection, [j.inbound.openid for j in jobs if j.inbound.window == window], window, now)
        openids = sorted({job.inbound.openid for job in jobs})
        persons = people.load(connection, openids, self._setup.app_id)
        answered = []
        for job in jobs:
            person = persons.get(job.inbound.openid) or Person(job.inbound.openid)
            person = _read_script(connection, job.inbound, person)
            back = self._come_back(connection, job, person, now)
            found = self._answer(connection, job, person, now, wake, alone=alone)
            if back and found.reply.text:
                found = replace(found, reply=replace(found.reply, text=f"{back}\n{found.reply.text}"))
            answered.append((job, person, found))
        handed = self._hand_over(connection, answered, now)
        return [self._finish(connection, job, person, found, handed, now, wake) for job, person, found in answered]

    @staticmethod
    def _write_fates(connection: Connection, jobs: Sequence[Job]) -> list[Job]:
        """Write what became of sends in bulk, which nobody answers; return the other messages."""
        finished = [job for job in jobs if job.inbound.event.lower() in events.FATES]
        if finished:
            outbox.confirm(connection, [fate for job in finished for fate in events.fates(job.inbound)])
        for job in finished:
            job.xml = ""
            HANDLED.labels(job.inbound.event.lower()).inc()
        return [job for job in jobs if job not in finished] if finished else list(jobs)

    def _come_back(self, connection: Connection, job: Job, person: Person, now: datetime) -> str:
        """End a talk with a person that has lasted its time; return what the next answer says of it."""
        if person.paused_until is None or person.paused_until > now or job.inbound.window != "message":
            return ""
        handoffs.end(connection, person.openid, by="time", now=now)
        return self._setup.copy.text("human_time_over")

    def _answer(
        self, connection: Connection, job: Job, person: Person, now: datetime, wake: list[str], *, alone: bool
    ) -> _Answered:
        setup, inbound = self._setup, job.inbound
        ctx = Context(
            connection, person, setup.app_id, setup.rules, setup.recommend, setup.copy, setup.vault, now, inbound.key,
            setup.link, wake, setup.segments, places=self._places,
        )  # fmt: skip
        chosen = routing.plan(inbound, person, ctx.stand, now, setup.own)
        if chosen.takes_up:  # outside the savepoint: a refusal must not bring back what waited for a 确认
            flows.take_up(ctx)
        event = inbound.event.lower() if inbound.event.lower() in EVENTS else "other_event"
        intent = chosen.route.intent if chosen.route else event
        HANDLED.labels(intent).inc()
        if not chosen.writes and (chosen.light or not alone):
            return self._try(job, ctx, chosen, intent)
        for attempt in (1, 2):
            savepoint = connection.begin_nested()
            try:
                reply = routing.answer(inbound, ctx, chosen)
            except MemberError as refused:
                savepoint.rollback()
                return _Answered(routing.refusal(ctx, refused))
            except IntegrityError:
                # somebody else was faster; what they wrote is visible now, so the guards answer the second try
                savepoint.rollback()
                if attempt == 2:
                    return self._incident(job, intent)
            except Exception as error:  # a fault of ours: an apology and a trace, never silence
                if isinstance(error, DBAPIError) and _passes(error):
                    raise
                savepoint.rollback()
                return self._incident(job, intent)
            else:
                savepoint.commit()
                return _Answered(reply)
        raise AssertionError("unreachable")

    def _try(self, job: Job, ctx: Context, chosen: routing.Plan, intent: str) -> _Answered:
        """Answer a message that writes nothing; a failing statement spoils the whole transaction and is raised."""
        try:
            return _Answered(routing.answer(job.inbound, ctx, chosen))
        except MemberError as refused:
            return _Answered(routing.refusal(ctx, refused))
        except DBAPIError:
            raise
        except Exception:  # a fault of ours: an apology and a trace, never silence
            return self._incident(job, intent)

    def _incident(self, job: Job, intent: str) -> _Answered:
        incident = secrets.token_hex(4)
        log.error("incident", incident=incident, intent=intent, key=job.inbound.key, trace=safe_trace())
        return _Answered(Reply(self._setup.copy.text("incident", incident=incident)), incident)

    def _hand_over(
        self, connection: Connection, answered: Sequence[tuple[Job, Person, _Answered]], now: datetime
    ) -> dict[str, list[tuple[int, str]]]:
        """Return {openid: [(outbox id, text)]} of what waited for these people's next message."""
        talking = [(j, p) for j, p, a in answered if j.inbound.window and a.reply.text and not j.late]
        if not talking:
            return {}
        by_member = {p.member.id: p.openid for _, p in talking if p.member is not None}
        found: dict[str, list[tuple[int, str]]] = {}
        pushed: set[str] = set()
        for row in outbox.waiting(connection, list(by_member), [p.openid for _, p in talking], now):
            openid = row.openid or by_member[row.member_id]
            if row.kind in PUSHES:
                if openid in pushed:  # an answer carries one offer at most; the next waits for the next answer
                    continue
                pushed.add(openid)
            found.setdefault(openid, []).append((row.id, str(row.content["text"])))
        return found

    def _finish(
        self, connection: Connection, job: Job, person: Person, found: _Answered,
        handed: dict[str, list[tuple[int, str]]], now: datetime, wake: list[str],
    ) -> tuple[str, str, str]:  # fmt: skip
        inbound, reply = job.inbound, found.reply
        text = reply.text
        for row, waiting in handed.pop(inbound.openid, []) if text else []:
            longer = f"{text}\n\n{waiting}"
            if size(longer) <= TEXT_BYTES and outbox.hand_over(connection, row, now):
                text = longer
        self._say(job, replace(reply, text=text), now, person.script)
        if job.late and job.text:
            self._book_late(connection, job, now)
            wake.append("late")
            job.xml = ""
        return inbound.key, job.xml or "", found.incident

    def _say(self, job: Job, reply: Reply, now: datetime, script: str = "") -> None:
        reply = in_script(reply, script)
        job.text = reply.text or "".join(f"{a.title}\n{a.description}\n{a.url}" for a in reply.articles)
        if reply.transfer:  # a message that is answered late can't be passed on any more
            job.text = scripts.spoken(self._setup.copy.text("human_resend"), script)
        job.xml = reply_xml(reply, to=job.inbound.openid, sender=job.inbound.to, created=int(now.timestamp()))

    def _book_late(self, connection: Connection, job: Job, now: datetime) -> None:
        message = outbox.Message(
            key=f"late:{job.inbound.key}", kind="late_reply", openid=job.inbound.openid, channels=("service",),
            content={"text": job.text}, reason="回复超过5秒,改用客服消息", not_before=now,
            expires_at=now + timedelta(days=LATE_DAYS),
        )  # fmt: skip
        outbox.put(connection, message, now=now)
        job.late_booked = True

    def book_late(self, job: Job) -> bool:
        """Send an answer that came after its caller had left as a customer-service message, once per callback."""
        if job.late_booked or not job.xml:
            return job.late_booked
        now = self._setup.clock.now()
        with self._setup.database.transaction() as connection:
            if not job.text:
                job.text = text_of(job.xml) or self._setup.copy.text("human_resend")
            self._book_late(connection, job, now)
            inbox.store(connection, [(job.inbound.key, "", "")])
        self.wake()
        return True


def _read_script(connection: Connection, inbound: Inbound, person: Person) -> Person:
    """Return the person as they write now: typed words show it, a tap and a voice do not."""
    typed = inbound.text[:MAX_TEXT] if inbound.kind == "text" and inbound.window == "message" else ""
    written = scripts.written(typed, person.script)
    if written is None or written == person.script:
        return person
    people.writes_in(connection, person.openid, written)
    return replace(person, script=written)


def _passes(error: DBAPIError) -> bool:
    """Tell whether the same statement may well succeed in another transaction."""
    state, code = str(getattr(error.orig, "sqlstate", "")), int(getattr(error.orig, "sqlite_errorcode", 0))
    passing = state.startswith(PASSING) and state != CANCELLED
    return error.connection_invalidated or passing or code & 0xFF in BUSY
