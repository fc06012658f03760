"""What every part of the platform shares: settings, clock, state, events, and who is who."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from bot.sandbox import state as snapshot
from bot.sandbox.errors import ApiError, UserError
from bot.sandbox.hooks import Hooks, Person
from bot.sandbox.hub import Event, Hub
from bot.sandbox.settings import SandboxSettings, TemplateSpec
from bot.sandbox.state import Follower

T = TypeVar("T")
SAVE_AFTER_SECONDS: Final = 0.3
PLATFORM_ZONE: Final = ZoneInfo("Asia/Shanghai")


class World:
    """One account on the local platform. Days and months are those of Asia/Shanghai."""

    def __init__(
        self, settings: SandboxSettings, hooks: Hooks, now: Callable[[], datetime], state_path: Path | None
    ) -> None:
        self.settings, self.hooks, self.now = settings, hooks, now
        self.state_path = state_path
        self.mode: str = settings.mode
        self.state = snapshot.load(state_path)
        self.hub = Hub(state_path.with_name(state_path.name + ".events") if state_path else None)
        self.hub.last_id = max(self.hub.last_id, self.state.last_id)
        self.persons: dict[str, Person] = {}
        self._hook_lock = asyncio.Lock()
        self._saving: asyncio.TimerHandle | None = None

    def seconds(self) -> float:
        return self.now().timestamp()

    def local(self) -> datetime:
        return self.now().astimezone(PLATFORM_ZONE)

    def at(self) -> str:
        return self.now().astimezone(UTC).isoformat()

    def touch(self) -> None:
        """Something changed: the snapshot follows within SAVE_AFTER_SECONDS."""
        if self.state_path is not None and self._saving is None:
            self._saving = asyncio.get_running_loop().call_later(SAVE_AFTER_SECONDS, self.save)

    def save(self) -> None:
        if self._saving is not None:
            self._saving.cancel()
            self._saving = None
        if self.state_path is not None:
            self.state.last_id = self.hub.last_id
            snapshot.save(self.state_path, self.state)

    def media_folder(self) -> Path | None:
        return self.state_path.with_name(self.state_path.name + ".media") if self.state_path else None

    def message_id(self) -> int:
        self.state.last_msg_id += 1
        return self.state.last_msg_id

    async def ask(self, question: Callable[..., T], *args: Any) -> T:
        """The answer of a hook, given in a worker thread; one hook runs at a time."""
        async with self._hook_lock:
            return await asyncio.to_thread(question, *args)

    async def meet_people(self) -> bool:
        """Learn who the product knows; True when anything the page shows has changed."""
        people = {person.openid: person for person in await self.ask(self.hooks.people)}
        for openid, person in people.items():
            if openid not in self.state.followers:
                since = self.seconds() if person.followed else 0.0
                self.state.followers[openid] = Follower(openid, followed=person.followed, subscribed_at=since)
                self.touch()
        changed, self.persons = people != self.persons, people
        return changed

    async def announce_people(self) -> None:
        if await self.meet_people():
            self.hub.publish("state")

    async def subscriptions(self) -> dict[str, TemplateSpec]:
        """The subscription templates by id: those of the product, and those of the settings, which win."""
        rows = await self.ask(self.hooks.subscriptions)
        known = {row["template_id"]: _subscription(row) for row in rows}
        return known | {spec.template_id: spec for spec in self.settings.subscription_templates}

    async def follower(self, openid: object) -> Follower:
        """The person behind an openid, followed or not; 40003 when there is none."""
        found = await self._find(openid)
        if found is None:
            raise ApiError(40003)
        return found

    async def person(self, openid: object) -> Follower:
        """The person at the page; UserError when there is none."""
        found = await self._find(openid)
        if found is None:
            raise UserError("没有这个人")
        return found

    async def _find(self, openid: object) -> Follower | None:
        if not isinstance(openid, str):
            return None
        if openid not in self.state.followers:
            await self.announce_people()
        return self.state.followers.get(openid)

    def invent(self, label: str, openid: str = "") -> Follower:
        """A stranger with a phone: new, or the one of this openid."""
        openid = openid or "o" + secrets.token_urlsafe(24)[:27]
        if openid in self.state.followers:
            return self.state.followers[openid]
        follower = Follower(openid, followed=False, own_label=label)
        self.state.followers[openid] = follower
        self.touch()
        return follower

    def shown(self, follower: Follower) -> Person:
        """How the page shows somebody: as the product knows them, else as a stranger."""
        known = self.persons.get(follower.openid)
        label = follower.own_label or f"陌生人 {follower.openid[-4:]}"
        person = known or Person(follower.openid, label)
        return replace(person, followed=follower.followed)

    def show(self, openid: str, direction: str, via: str, kind: str, text: str, **more: Any) -> Event:
        """One bubble (or grey line) in somebody's chat."""
        return self.hub.publish(
            "message", openid=openid, at=self.at(), dir=direction, via=via, kind=kind, text=text, **more
        )


def _subscription(row: dict[str, Any]) -> TemplateSpec:
    return TemplateSpec(row["template_id"], row["title"], dict(row.get("fields") or {}))
