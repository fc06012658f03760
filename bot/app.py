"""The HTTP side: the callback first, then health, metrics, QR pictures and, locally, the sandbox."""

import asyncio
import io
import math
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cached_property

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from segno import make_qr, writers
from sqlalchemy import text

from bot.api import mount
from bot.exports import mount_exports
from bot.running import Running
from bot.service import Service
from bot.webhook import Receive, Scope, Send

CALLBACK = "/wechat"
READY_SECONDS = 2.0
QUIET = 4
COVER = 2.35
"""Width by height of a card's picture: what is higher is cut off above and below."""


class Front:
    """The ASGI app: /wechat goes to the bare endpoint, everything else through FastAPI, made when first asked."""

    def __init__(self, service: Service, running: Running) -> None:
        self.service, self.running = service, running

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Route one connection."""
        if scope["type"] == "http" and scope["path"] == CALLBACK:
            await self.service.webhook(scope, receive, send)
        else:
            await self.api(scope, receive, send)

    @cached_property
    def api(self) -> FastAPI:
        """All but the callback; a server's first word (lifespan) makes it."""
        running = self.running

        @asynccontextmanager
        async def lifespan(api: FastAPI) -> AsyncIterator[None]:
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(running.started())
                yield

        api = FastAPI(title="memberbot", lifespan=lifespan, docs_url="/docs", redoc_url=None)
        _operations(api, self.service)
        _pictures(api)
        mount_exports(api, self.service)
        mount(api, self.service)
        if running.sandbox is not None:
            api.include_router(running.sandbox.router, prefix="/sandbox")
        return api


def build_app(service: Service, *, scheduler: bool = True, address: str = "") -> Front:
    """Return the app of one installation; starting it starts the writer and, unless switched off, the scheduler.

    `address` is where this process listens: the sandbox calls back there.
    """
    return Front(service, Running(service, scheduler=scheduler, address=address))


def _operations(api: FastAPI, service: Service) -> None:
    asked: list[asyncio.Task[None]] = []

    @api.get("/health", tags=["operations"])
    async def health() -> dict[str, str]:
        """Tell that the process is alive."""
        return {"status": "ok"}

    @api.get("/ready", tags=["operations"], responses={503: {"description": "not ready"}})
    async def ready() -> JSONResponse:
        """Tell whether the books answer."""
        if not asked or asked[0].done():  # a question that hangs is not asked again: threads are few
            asked[:] = [asyncio.create_task(asyncio.to_thread(_ask, service))]
            asked[0].add_done_callback(lambda task: task.cancelled() or task.exception())
        try:
            await asyncio.wait_for(asyncio.shield(asked[0]), READY_SECONDS)
        except Exception as error:  # whatever keeps the books from answering makes us not ready
            return JSONResponse({"status": "not ready", "books": type(error).__name__}, 503)
        return JSONResponse({"status": "ready", "books": "ok"})

    @api.get("/metrics", tags=["operations"], response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Return what Prometheus reads."""
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def _ask(service: Service) -> None:
    with service.database.reading() as connection:
        connection.execute(text("SELECT version_num FROM alembic_version"))


def _pictures(api: FastAPI) -> None:
    @api.get("/qr/{name}", include_in_schema=False)
    async def qr(name: str, request: Request) -> Response:
        """Draw a member or coupon code; it holds nothing but the code in the address. `.png`: as a card's cover."""
        code = name.removesuffix(".png")
        if not code.isalnum() or not code.isascii() or len(code) > 32:
            raise HTTPException(404)
        picture, matrix = io.BytesIO(), make_qr(code, error="m").matrix
        sides = bytes(math.ceil((COVER - 1) * (len(matrix) + 2 * QUIET) / 2) if code != name else 0)
        rows = [sides + row + sides for row in matrix]
        size = len(rows[0]), len(rows)
        writers.write_png(rows, size, picture, scale=8, border=QUIET)  # type: ignore[attr-defined]  # is not in its types
        return Response(picture.getvalue(), media_type="image/png", headers={"Cache-Control": "no-store"})
