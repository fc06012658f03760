"""One request that was let in: how it reads the books, and how it writes them exactly once."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError

from bot.api import problems
from bot.api.problems import refused
from bot.service import Service
from members import coupons, idempotency, limits, notices, shops
from members.api_keys import ApiCaller
from members.audit import Actor
from members.errors import MemberError
from members.idempotency import Stored

MISSES, TEN_MINUTES = 300, timedelta(minutes=10)
TRIES = 4
WRONG_CODES = ("coupon_unknown", "coupon_mistyped")
RETRY_SECONDS = "2"
JSON, REPLAY = "application/json", {"Idempotency-Replay": "true"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request came to."""

    body: BaseModel
    status: int = 200


REDEEMS = "coupons:redeem"
Effect = Callable[[Connection], Answer]
Look = Callable[[Connection], BaseModel]


@dataclass(slots=True)
class Call:
    """One request: who asks, when, what for (`route` is method and path template), under which idempotency key.

    Writers take turns where the books have one writer: waiting at a lock is fair, polling a busy file is not.
    """

    service: Service
    caller: ApiCaller
    now: datetime
    route: str
    path: str
    key: str
    turn: AbstractContextManager[object]
    _told: bool = field(default=False)

    @property
    def by(self) -> Actor:
        """Return who acts."""
        return self.caller.actor

    @property
    def redeems(self) -> bool:
        """Tell whether this key may see codes that are worth something."""
        return REDEEMS in self.caller.scopes

    def store(self, connection: Connection, asked: str | None) -> str | None:
        """Return the store a request is about; MemberError('store_unknown') for none of ours, or none of this key's."""
        own = self.caller.store
        if asked is None or asked == own:
            return own
        if own is not None or shops.name_of(connection, asked) is None:
            raise MemberError("store_unknown", store=asked)
        return asked

    def tell(self, connection: Connection, member: int, text: str, key: str, facts: Mapping[str, object]) -> None:
        """Put a notice for the member in the outbox, once per key."""
        app, say = self.service.config.wechat.app_id, self.service.copy.text
        told = notices.tell(connection, say, app=app, member=member, text=text, key=key, facts=facts, now=self.now)
        self.told(told > 0)

    def told(self, somebody: bool) -> None:
        """Note that something waits in the outbox: delivery is woken after the commit."""
        self._told = self._told or somebody

    def read(self, look: Look) -> Response:
        """Answer a question; nothing is written."""
        with self.service.database.reading() as connection:
            return Response(_json(look(connection)), media_type=JSON)

    def look_up(self, look: Look) -> Response:
        """Answer a question about a member, which `look` may audit; who asks for too many nobody knows is stopped."""
        name, period = f"{self.by.name}:misses", limits.every(TEN_MINUTES, self.now)
        with self.turn, self.service.database.transaction() as connection:
            if limits.count(connection, name, period) >= MISSES:
                wait = int((period.until - self.now).total_seconds()) + 1
                raise refused(429, "api_misses", {"Retry-After": str(wait)}, at=period.until)
            try:
                return Response(_json(look(connection)), media_type=JSON)
            except MemberError as error:
                if error.code == "member_unknown":
                    limits.take(connection, name, period, MISSES, refusal="api_misses")
                status, body = problems.of_books(self.service.copy, error)
                return Response(body, status, media_type=problems.MEDIA)

    def write(self, body: BaseModel, effect: Effect, *, codes: bool = False) -> Response:
        """Do something once per idempotency key: the effect and its answer are stored together, or neither is.

        A refusal by the books rolls the effect back and stays as the answer. `codes`: coupon codes that are wrong count
        against this key and lock it in the end.
        """
        said = f"{self.path}\n{body.model_dump_json(exclude_unset=True)}"
        stored, again = self._committed(said, effect, codes)
        if self._told and not again:
            self.service.dispatcher.wake()
        media = JSON if stored.status < 400 else problems.MEDIA
        return Response(stored.answer, stored.status, REPLAY if again else {}, media)

    def _committed(self, said: str, effect: Effect, codes: bool) -> tuple[Stored, bool]:
        """Return the answer and whether it is a repetition; a transaction that lost a deadlock is tried again."""
        for left in reversed(range(TRIES)):
            self._told = False
            try:
                with self.turn, self.service.database.transaction() as connection:
                    return self._once(connection, said, effect, codes)
            except DBAPIError as error:
                if not left or not str(getattr(error.orig, "sqlstate", "") or "").startswith("40"):
                    raise
        raise AssertionError("unreachable")

    def _once(self, connection: Connection, said: str, effect: Effect, codes: bool) -> tuple[Stored, bool]:
        known = idempotency.claim(connection, self.caller.id, self.key, route=self.route, body=said, now=self.now)
        if known is not None:
            return known, True
        if codes:
            self._guard(connection)
        stored = self._done(connection, effect, codes)
        idempotency.store(connection, self.caller.id, self.key, stored)
        return stored, False

    def _done(self, connection: Connection, effect: Effect, codes: bool) -> Stored:
        for attempt in (1, 2):
            savepoint = connection.begin_nested()
            try:
                answer = effect(connection)
            except MemberError as error:
                savepoint.rollback()
                return self._refusal(connection, error, codes)
            except IntegrityError:
                # somebody else was faster; what they wrote is visible now, so the guards answer the second try
                savepoint.rollback()
                if attempt == 2:
                    raise
            else:
                savepoint.commit()
                return Stored(answer.status, _json(answer.body))
        raise AssertionError("unreachable")

    def _refusal(self, connection: Connection, error: MemberError, codes: bool) -> Stored:
        self._told = False
        if error.code == "busy":  # nothing was decided: the same key may come again
            raise refused(503, "api_busy", {"Retry-After": RETRY_SECONDS}) from error
        if self.caller.store is not None and error.code == "coupon_wrong_store":
            error = MemberError("coupon_unknown")
        # a real coupon that this till must not see is no guess
        if codes and error.code in WRONG_CODES and not error.facts.get("hidden"):
            coupons.wrong_code(connection, self.by.name, self.service.config.staff, self.now)
        return Stored(*problems.of_books(self.service.copy, error))

    def _guard(self, connection: Connection) -> None:
        try:
            coupons.guarded(connection, self.by.name, self.service.config.staff, self.now)
        except MemberError as error:
            minutes = error.facts.get("minutes", 1)
            raise refused(429, error.code, {"Retry-After": str(int(str(minutes)) * 60)}, **error.facts) from None


def _json(body: BaseModel) -> str:
    return body.model_dump_json()


def call_of(request: Request) -> Call:
    """Return the call that the gate has let in."""
    call = request.state.call
    if not isinstance(call, Call):
        raise TypeError("a request came past the gate")
    return call


async def _call(request: Request) -> Call:
    return call_of(request)


Here = Annotated[Call, Depends(_call)]
"""What an endpoint asks for."""
