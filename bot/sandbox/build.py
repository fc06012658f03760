"""Puts the platform together."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx
from fastapi import APIRouter

from bot.sandbox.cgi import Cgi
from bot.sandbox.hooks import Hooks
from bot.sandbox.page import Page
from bot.sandbox.platform import Platform
from bot.sandbox.settings import SandboxSettings


@dataclass(frozen=True)
class Sandbox:
    """`router` is included with prefix /sandbox; it stays out of the OpenAPI document."""

    platform: Platform
    router: APIRouter

    async def start(self) -> None:
        """Before the first request; the service itself need not be listening yet."""
        await self.platform.start()

    async def stop(self) -> None:
        """Streams end at once, the state is saved."""
        await self.platform.stop()


def build_sandbox(
    settings: SandboxSettings,
    hooks: Hooks,
    now: Callable[[], datetime],
    state_path: Path | None = None,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Sandbox:
    """The platform for one account; `transport` replaces the network for callbacks, no `state_path` forgets at exit."""
    platform = Platform(settings, hooks, now, state_path, transport)
    router = APIRouter()
    for method, path, endpoint in (*Cgi(platform).routes(), *Page(platform).routes()):
        router.add_route(path, endpoint, methods=[method], include_in_schema=False)
    return Sandbox(platform, router)
