"""What a conversation leaves behind: where people came from, whom they brought, who helps them, what they ask for."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from members.tables.base import json_column, key, ref, when


class Arrival(SQLModel, table=True):
    """One follow or scan and what it was owed to; the openid goes when its owner unfollows, the member's row stays."""

    id: int | None = key()
    openid: str | None = Field(default=None, index=True)
    member_id: int | None = ref("member.id", index=True)
    at: datetime = when()
    event: str = Field(description="subscribe | scan | typed (an invite code)")
    kind: str = Field(description="store | staff | campaign | referral | other | search (no scene)")
    ref: str = Field(default="", description="id of the store or staff, name of the campaign, invite code")
    scene: str = ""


class Invitation(SQLModel, table=True):
    """The code with which a member brings friends; one per member, for ever."""

    member_id: int | None = ref("member.id", null=False, primary=True)
    code: str = Field(unique=True)
    created_at: datetime = when()


class Referral(SQLModel, table=True):
    """A friend who was brought: at most one row per invitee, whatever happens later."""

    invitee_id: int | None = ref("member.id", null=False, primary=True)
    inviter_id: int = ref("member.id", null=False, index=True)
    at: datetime = when()
    state: str = Field(default="joined", description="joined | rewarded | refused")
    reason: str = Field(default="", description="why it was refused, a code")
    settled_at: datetime | None = when(null=True)


class Child(SQLModel, table=True):
    """A child of a member; the birth date is sealed (an under-14's), only the life stage and its end are readable."""

    id: int | None = key()
    member_id: int = ref("member.id", null=False, index=True)
    sealed: bytes
    stage: str
    stage_until: date | None = None
    created_at: datetime = when()
    source: str = Field(description="member | staff")
    ended_at: datetime | None = when(null=True)


class Handoff(SQLModel, table=True):
    """A conversation given to a person: the bot is silent until `until`, or until it is called back."""

    id: int | None = key()
    openid: str | None = Field(default=None, index=True)
    member_id: int | None = ref("member.id", index=True)
    kind: str = Field(description="service | adviser")
    staff_id: int | None = ref("staff.id")
    started_at: datetime = when()
    until: datetime = when()
    ended_at: datetime | None = when(null=True)
    ended_by: str = Field(default="", description="member | staff | time")


class Erasure(SQLModel, table=True):
    """A member's wish to be forgotten: it cools down until `due_at` and may be taken back until then."""

    id: int | None = key()
    member_id: int = ref("member.id", null=False)
    asked_at: datetime = when()
    due_at: datetime = when(index=True)
    state: str = Field(default="waiting", description="waiting | withdrawn | done")
    by: str = ""
    settled_at: datetime | None = when(null=True)
    detail: dict[str, Any] = json_column()

    __table_args__ = (
        Index(
            "ux_erasure_waiting",
            "member_id",
            unique=True,
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
    )


class ExportLink(SQLModel, table=True):
    """A link under which a member's data can be fetched until `expires_at`; only the hash of its token is kept."""

    __tablename__ = "export_link"
    token_hash: str = Field(primary_key=True)
    member_id: int = ref("member.id", null=False, index=True)
    created_at: datetime = when()
    expires_at: datetime = when()
    fetched: int = 0
