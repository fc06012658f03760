"""What a handler gets and gives: a Context for one message, a Reply."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from handlers.copy import Copy
from handlers.inbound import Inbound
from handlers.understanding import Understood
from members.audit import Actor
from members.conversations import Stand
from members.people import MemberView, Person, StaffView
from members.places import Places
from members.rules import Rules
from members.segments import SegmentRule
from members.vault import Vault
from recommend.rules import RecommendRules


@dataclass(frozen=True, slots=True)
class Article:
    """One entry of a graphic reply."""

    title: str
    description: str
    url: str
    picurl: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the person gets: a text, or articles; neither is no answer at all (only to events that ask for none).

    `transfer` hands the message itself to the platform's customer service, which leaves no room for words.
    """

    text: str = ""
    articles: Sequence[Article] = ()
    transfer: bool = False


SILENT = Reply()


class Handler(Protocol):
    """One small function per thing a person can say."""

    def __call__(self, inbound: Inbound, ctx: "Context", said: Understood, /) -> Reply:
        """Answer one message."""


@dataclass(slots=True)
class Context:
    """Everything one message may use; `link` turns a path and a subject into a signed public address ('' if none).

    `flow` is the staff flow that this message goes on with; it has ended with it.
    """

    connection: Connection
    person: Person
    app: str
    rules: Rules
    recommend: RecommendRules
    copy: Copy
    vault: Vault
    now: datetime
    message_key: str
    link: Callable[[str, str], str]
    wake: list[str] = field(default_factory=list)
    segments: Mapping[str, SegmentRule] = field(default_factory=dict)
    flow: Stand | None = None
    places: Places = field(default_factory=Places)

    @property
    def openid(self) -> str:
        """Return who is talking."""
        return self.person.openid

    @property
    def member(self) -> MemberView:
        """Return the member; only for routes that need one (the router has asked the others to bind)."""
        if self.person.member is None:
            raise LookupError("no member")
        return self.person.member

    @property
    def staff(self) -> StaffView:
        """Return the person of staff; only for staff routes."""
        if self.person.staff is None:
            raise LookupError("no staff")
        return self.person.staff

    @property
    def stand(self) -> Stand | None:
        """Return where a flow stands, None when it has run out."""
        stand = self.person.stand
        return None if stand is None or stand.expires_at <= self.now else stand

    @property
    def by(self) -> Actor:
        """Return who acts, for the audit trail."""
        staff = self.person.staff
        return Actor(self.actor, staff.store if staff else None, f"wechat:{self.openid[-6:]}")

    @property
    def actor(self) -> str:
        """Return the name of the actor for the books."""
        staff = self.person.staff
        return f"staff:{staff.id}" if staff else f"openid:{self.openid[-6:]}"
