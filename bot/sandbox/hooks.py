"""What the platform asks of the product, so that the page can show it; all read-only but the clock."""

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

Group = Literal["member", "stranger", "staff"]


@dataclass(frozen=True)
class Person:
    """Somebody with a phone in hand; `followed` only counts when the platform meets the openid for the first time."""

    openid: str
    label: str
    group: Group = "stranger"
    note: str = ""
    phone: str | None = None
    followed: bool = True


class Hooks(Protocol):
    """Plain methods are called from a worker thread, one at a time; `move_clock` on the event loop."""

    def shop_name(self) -> str:
        """The name above the chat."""
        ...

    def people(self) -> list[Person]:
        """Everybody who can be picked on the page."""
        ...

    def owner_of(self, phone: str) -> list[str]:
        """The openids that are to see an SMS to this phone; empty when nobody is known."""
        ...

    def books(self, openid: str, since_turn_at: datetime) -> list[dict[str, Any]]:
        """Entries made for this person since then: {at, what, account, amount, balance_after, reason}."""
        ...

    def log(self, limit: int) -> list[dict[str, Any]]:
        """What was sent and why, newest first."""
        ...

    def qr_scenes(self) -> list[dict[str, Any]]:
        """The codes that can be scanned: {scene, title}."""
        ...

    def subscriptions(self) -> list[dict[str, Any]]:
        """Subscription templates: {template_id, title, fields}."""
        ...

    def move_clock(self, to: datetime) -> Awaitable[None]:
        """Move the product's clock forward and run what falls due."""
        ...
