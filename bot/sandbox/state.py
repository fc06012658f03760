"""What the platform remembers, and its snapshot on disk. Times are seconds since the epoch on the product's clock."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError


@dataclass
class Window:
    """An open right to send customer-service messages: valid while now < closes_at and left > 0."""

    closes_at: float
    left: int


@dataclass
class Follower:
    """One openid. `own_label` is set for people made on the page; everything personal else stays in the product."""

    openid: str
    followed: bool = True
    own_label: str = ""
    subscribed_at: float = 0.0
    subscribe_scene: str = "ADD_SCENE_SEARCH"
    qr_scene: str = ""
    tags: list[int] = field(default_factory=list)
    windows: dict[str, Window] = field(default_factory=dict)
    consents: dict[str, int] = field(default_factory=dict)
    mass_sends: dict[str, int] = field(default_factory=dict)
    wrote_at: float = 0.0
    typing_until: float = 0.0


@dataclass
class Token:
    """An access token of kind stable or plain; an `expired` one answers 42001 before its time."""

    value: str
    expires_at: float
    kind: str
    expired: bool = False


@dataclass
class Sent:
    """A client id that was used: when, and the message id it got."""

    at: float
    msg_id: int


@dataclass
class QrCode:
    """A code made through the API; permanent ones never expire."""

    ticket: str
    expires_at: float | None


@dataclass
class Media:
    """Uploaded bytes live beside the snapshot, or in memory without one."""

    kind: str
    content_type: str
    created_at: float


@dataclass
class Tally:
    """Calls counted within one period (a day, a month or a minute); a new period starts at zero."""

    period: str = ""
    calls: dict[str, int] = field(default_factory=dict)

    def add(self, period: str, key: str) -> int:
        """The count of `key` in `period`, this call included."""
        if period != self.period:
            self.period, self.calls = period, {}
        self.calls[key] = self.calls.get(key, 0) + 1
        return self.calls[key]


@dataclass
class State:
    """Everything that survives a restart."""

    followers: dict[str, Follower] = field(default_factory=dict)
    tokens: list[Token] = field(default_factory=list)
    daily: Tally = field(default_factory=Tally)
    monthly: Tally = field(default_factory=Tally)
    minute: Tally = field(default_factory=Tally)
    client_ids: dict[str, Sent] = field(default_factory=dict)
    menu: dict[str, Any] | None = None
    conditional_menus: list[dict[str, Any]] = field(default_factory=list)
    tags: dict[int, str] = field(default_factory=dict)
    qr_codes: dict[str, QrCode] = field(default_factory=dict)
    media: dict[str, Media] = field(default_factory=dict)
    last_msg_id: int = 24_000_000_000_000_000
    last_turn: int = 0
    last_id: int = 0


ADAPTER: Final = TypeAdapter(State)


def load(path: Path | None) -> State:
    """The state saved at `path`; an unreadable snapshot is set aside as *.broken and a new state begins."""
    if path is None or not path.exists():
        return State()
    try:
        return ADAPTER.validate_json(path.read_bytes())
    except ValidationError:
        path.replace(path.with_name(path.name + ".broken"))
        return State()


def save(path: Path, state: State) -> None:
    """Replace the snapshot in one step: a reader sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(ADAPTER.dump_json(state))
    temporary.replace(path)
