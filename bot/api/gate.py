"""What every request passes before it is read: key, scope, rate, size; and what becomes of what fails inside."""

import secrets
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from threading import Lock
from typing import Any

import structlog
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.routing import APIRoute
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from bot.api import problems
from bot.api.call import RETRY_SECONDS, Call
from bot.api.problems import refused
from bot.dispatch import BUSY, CANCELLED, PASSING
from bot.logs import safe_trace
from bot.metrics import REQUESTS
from bot.service import Service
from members import api_keys
from members.api_keys import ApiCaller
from members.errors import MemberError

log = structlog.get_logger("memberbot.api")
MOST_BYTES = 256 * 1024
KEY_CHARS = 100
RATE = RateLimitItemPerMinute(6000)
Handle = Callable[[Request], Awaitable[Response]]


def gated(service: Service) -> type[APIRoute]:
    """Return the class of this installation's routes; the rate is each process's own, it guards the machine only."""
    rate = FixedWindowRateLimiter(MemoryStorage())
    turn: AbstractContextManager[object] = Lock() if service.database.sqlite else nullcontext()

    class Gated(APIRoute):
        """A route that lets nobody in without a key whose scopes hold the route's `x-scope`."""

        def get_route_handler(self) -> Any:
            inner, described = super().get_route_handler(), self.openapi_extra or {}
            gate = _Gate(service, rate, turn, str(described["x-scope"]), self.path_format, "parameters" in described)

            async def handle(request: Request) -> Response:
                response = await gate.answered(inner, request)
                REQUESTS.labels(gate.path, str(response.status_code)).inc()
                return response

            return handle

    return Gated


@dataclass(frozen=True, slots=True)
class _Gate:
    """The way into one route; `writes`: every request needs an Idempotency-Key."""

    service: Service
    rate: FixedWindowRateLimiter
    turn: AbstractContextManager[object]
    scope: str
    path: str
    writes: bool

    async def answered(self, inner: Handle, request: Request) -> Response:
        """Let a request in and answer it, whatever becomes of it."""
        copy = self.service.copy
        try:
            return await inner(await self._admitted(request))
        except problems.Refused as problem:
            return problems.answer(copy, problem)
        except MemberError as error:
            status, body = problems.of_books(copy, error)
            return Response(body, status, media_type=problems.MEDIA)
        except RequestValidationError as error:
            return _unreadable(self.service, error)
        except HTTPException as error:
            code = "api_json" if error.status_code == 400 else "api_refused"
            return problems.answer(copy, refused(error.status_code, code, code="http"))
        except Exception as error:  # a fault of ours: an incident and a trace, never silence
            return _fault(self.service, self.path, error)

    async def _admitted(self, request: Request) -> Request:
        caller = await run_in_threadpool(_caller, self.service, request)
        if not self.rate.hit(RATE, str(caller.id)):
            raise refused(429, "api_rate", {"Retry-After": "60"})
        if self.scope not in caller.scopes:
            why = {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}
            raise refused(403, "api_scope", why, scope=self.scope)
        key = _idempotency_key(request)
        if self.writes and not key:
            raise refused(400, "idempotency_key_required")
        read = await _bounded(request)
        route = f"{request.method} {self.path}"
        read.state.call = Call(self.service, caller, self.service.clock.now(), route, request.url.path, key, self.turn)
        return read


def _caller(service: Service, request: Request) -> ApiCaller:
    """Return who holds the key (Refused 401 for anybody else)."""
    kind, _, text = request.headers.get("authorization", "").partition(" ")
    text = text.strip()
    if kind.lower() != "bearer" or not text:
        raise refused(401, "api_key_missing", {"WWW-Authenticate": "Bearer"})
    found = None
    if text.isascii() and len(text) <= KEY_CHARS:
        with service.database.reading() as connection:
            found = api_keys.caller(connection, text)
    if found is None:
        raise refused(401, "api_key_unknown", {"WWW-Authenticate": 'Bearer error="invalid_token"'})
    return found


async def _bounded(request: Request) -> Request:
    """Return the request with its body read, never holding more than the cap (Refused 413), and JSON (Refused 415)."""
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST_BYTES:
                raise refused(413, "api_too_large", most=MOST_BYTES // 1024)
    except ClientDisconnect:
        raise refused(400, "api_json") from None
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and kind != "application/json":
        raise refused(415, "api_media")

    async def again() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(request.scope, again)


def _idempotency_key(request: Request) -> str:
    """Return the Idempotency-Key, '' for none; Refused 400 when it is longer than 128 or has other than ASCII signs."""
    key = request.headers.get("idempotency-key", "").strip()
    if len(key) > 128 or not (key.isascii() and key.isprintable()):
        raise refused(400, "idempotency_key_bad")
    return key


def _unreadable(service: Service, error: RequestValidationError) -> Response:
    found = error.errors()
    if any(one["type"] == "json_invalid" for one in found):
        return problems.answer(service.copy, refused(400, "api_json"))
    return problems.answer(service.copy, refused(422, "api_fields"), problems.fields(service.copy, found))


def passes(error: Exception) -> bool:
    """Tell whether the same request may well succeed a little later: the books are busy or out of reach."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, NoConnection)
    state, code = str(getattr(error.orig, "sqlstate", "") or ""), int(getattr(error.orig, "sqlite_errorcode", 0) or 0)
    passing = (state.startswith(PASSING) and state != CANCELLED) or code & 0xFF in BUSY
    lost = not state and not code and isinstance(error, OperationalError | InterfaceError)
    return error.connection_invalidated or passing or lost


def _fault(service: Service, path: str, error: Exception) -> Response:
    if passes(error):
        log.warning("books out of reach", route=path, kind=type(getattr(error, "orig", error)).__name__)
        return problems.answer(service.copy, refused(503, "api_busy", {"Retry-After": RETRY_SECONDS}))
    incident = secrets.token_hex(4)
    log.error("incident", incident=incident, route=path, trace=safe_trace())
    return problems.answer(service.copy, refused(500, "incident", incident=incident))
