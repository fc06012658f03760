"""The local WeChat platform as one object."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import httpx

from bot.sandbox import rules
from bot.sandbox.directory import Directory
from bot.sandbox.errors import UserError
from bot.sandbox.faults import Faults
from bot.sandbox.hooks import Hooks
from bot.sandbox.people import People
from bot.sandbox.sending import Sending
from bot.sandbox.settings import MODES, SandboxSettings
from bot.sandbox.tokens import Quotas, Tokens
from bot.sandbox.turns import Turn, Turns
from bot.sandbox.world import World


class Platform:
    """Holds the account, its followers and every rule; lives on one event loop. `now` gives aware instants."""

    def __init__(
        self,
        settings: SandboxSettings,
        hooks: Hooks,
        now: Callable[[], datetime],
        state_path: Path | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        for spec in (*settings.templates, *settings.subscription_templates):
            for key, kind in spec.fields.items():
                if kind.rstrip("0123456789") not in rules.FIELD_KINDS:
                    raise ValueError(f"sandbox: template {spec.template_id}: {key} has the unknown kind {kind!r}")
        self.world = World(settings, hooks, now, state_path)
        self.faults = Faults()
        self.tokens = Tokens(self.world)
        self.quotas = Quotas(self.world)
        self.turns = Turns(self.world, transport)
        self.directory = Directory(self.world)
        self.sending = Sending(self.world, self.turns, self.directory, self.faults)
        self.people = People(self.world, self.turns, self.directory)

    async def start(self) -> None:
        """Meet the people the product knows."""
        await self.world.meet_people()

    async def stop(self) -> None:
        """End the streams, break off what is under way, save."""
        await self.turns.stop()
        self.world.save()
        self.world.hub.close()

    async def turn(self, openid: str, text: str) -> Turn:
        """Say one thing and wait for its reply; UserError when this person cannot write."""
        return await (await self.people.say(openid, text))

    async def settle(self) -> None:
        """Wait until no callback is under way."""
        await self.turns.settle()

    async def verify_callback(self) -> bool:
        """Whether the service answers the GET check, as when saving the server address at the real platform."""
        return await self.turns.verify()

    def set_mode(self, mode: object) -> None:
        """Switch the encryption of callbacks from the next one on."""
        if mode not in MODES:
            raise UserError(f"模式只能是 {'、'.join(MODES)}")
        self.world.mode = str(mode)
        self.world.hub.publish("state")

    async def move_clock(self, to: datetime) -> None:
        """Move the product's clock forward; UserError for a step back."""
        if to < self.world.now():
            raise UserError("时钟只能向前拨")
        await asyncio.shield(asyncio.ensure_future(self.world.hooks.move_clock(to)))
        self.world.hub.publish("clock", now=self.world.at())
        self.world.hub.publish("log")
