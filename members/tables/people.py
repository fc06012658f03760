"""Members, the ways they are known, what they agreed to, and who serves them."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from members.tables.base import big, json_column, key, ref, when


class Member(SQLModel, table=True):
    """One person. The chain head (`chain_seq`, `chain_hash`) is the lock and the end of their books."""

    id: int | None = key()
    created_at: datetime = when()
    state: str = Field(default="active", description="active | merged | erased")
    merged_into: int | None = ref("member.id")
    tier: str = ""
    tier_since: datetime | None = when(null=True)
    tier_until: date | None = None
    home_store: str | None = Field(default=None, foreign_key="store.id")
    personalised: bool = True
    birthday: date | None = None
    attention: int | None = Field(
        default=None, description="pushes in 30 days the member allows; none: the shop's caps"
    )
    chain_seq: int = big(0)
    chain_hash: bytes = b""


class MemberKey(SQLModel, table=True):
    """The member's own data key, wrapped by the master key `key_id`; deleting the row is the crypto-shred."""

    __tablename__ = "member_key"
    member_id: int | None = ref("member.id", null=False, primary=True)
    key_id: str
    wrapped: bytes


class Identity(SQLModel, table=True):
    """One way a member is known: openid, phone (blind index + sealed), card or shop id; never deleted, only ended."""

    id: int | None = key()
    member_id: int = ref("member.id", null=False, index=True)
    kind: str = Field(description="openid | phone | card | shop | tail (last digits of the phone)")
    scope: str = Field(default="", description="official account of an openid, issuing shop of a shop id")
    value: str = Field(description="plain, but for phones: the keyed blind index")
    sealed: bytes | None = None
    source: str = ""
    created_at: datetime = when()
    ended_at: datetime | None = when(null=True)
    ended_by: str = ""

    __table_args__ = (
        Index(
            "ux_identity_active",
            "kind",
            "scope",
            "value",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index(
            "ix_identity_tail",
            "value",
            sqlite_where=text("kind = 'tail' AND ended_at IS NULL"),
            postgresql_where=text("kind = 'tail' AND ended_at IS NULL"),
        ),
    )


class Follower(SQLModel, table=True):
    """One openid as the platform knows it, with its open windows and used budgets."""

    openid: str = Field(primary_key=True)
    followed: bool = True
    followed_at: datetime | None = when(null=True)
    unfollowed_at: datetime | None = when(null=True)
    scene: str = ""
    message_at: datetime | None = when(null=True)
    message_used: int = 0
    action_at: datetime | None = when(null=True)
    action_used: int = 0
    mass_month: str = ""
    mass_used: int = 0
    paused_until: datetime | None = when(null=True)
    near_store: str | None = None
    near_at: datetime | None = when(null=True)
    script: str = Field(
        default="", sa_column_kwargs={"server_default": ""},
        description="hant: writes traditional characters and is answered in them",
    )  # fmt: skip


class Conversation(SQLModel, table=True):
    """Where a multi-turn flow stands for one openid; personal fields are sealed."""

    openid: str = Field(primary_key=True)
    state: str
    data: dict[str, Any] = json_column()
    sealed: bytes | None = None
    expires_at: datetime = when()


class Consent(SQLModel, table=True):
    """The present answer of a subject (`member:12`, `openid:o1`) on a topic; `remaining` counts one-time consents."""

    subject: str = Field(primary_key=True)
    topic: str = Field(primary_key=True)
    granted: bool
    remaining: int | None = None
    at: datetime = when()
    source: str = ""


class ConsentEvent(SQLModel, table=True):
    """Every change of a consent, for proof."""

    __tablename__ = "consent_event"
    id: int | None = key()
    subject: str = Field(index=True)
    topic: str
    granted: bool
    at: datetime = when()
    source: str = ""


class Verification(SQLModel, table=True):
    """One SMS code: hashed, single-use, counted tries; the phone is sealed and blind-indexed."""

    id: int | None = key()
    openid: str = Field(index=True)
    purpose: str
    phone_index: str
    sealed: bytes
    salt: bytes
    code_hash: bytes
    created_at: datetime = when()
    expires_at: datetime = when()
    tries: int = 0
    state: str = Field(default="open", description="open | used | locked | replaced")


class Staff(SQLModel, table=True):
    """A person who serves: role, store, and the openid they type from, proved by the code sent to their phone.

    `invite_hash` is the keyed hash of the word that opens the binding once, until `invite_until`.
    """

    id: int | None = key()
    openid: str | None = Field(default=None, unique=True)
    name: str
    role: str = Field(description="cashier | adviser | manager | head_office")
    store_id: str | None = Field(default=None, foreign_key="store.id")
    active: bool = True
    created_at: datetime = when()
    created_by: str = ""
    revoked_at: datetime | None = when(null=True)
    bound_at: datetime | None = when(null=True)
    phone_index: str = ""
    phone_sealed: bytes | None = None
    invite_hash: str | None = Field(default=None, unique=True)
    invite_until: datetime | None = when(null=True)


class MemberTag(SQLModel, table=True):
    """A word that describes a member, with its source and how sure it is; taken off by ending it."""

    __tablename__ = "member_tag"
    id: int | None = key()
    member_id: int = ref("member.id", null=False)
    tag: str
    source: str = Field(description="staff | inferred | member")
    confidence: float = 1.0
    at: datetime = when()
    by: str = ""
    ended_at: datetime | None = when(null=True)
    ended_by: str = ""

    __table_args__ = (
        Index(
            "ux_member_tag",
            "member_id",
            "tag",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )


class Merge(SQLModel, table=True):
    """One member joined to another (`source_id` into `target_id`), and perhaps parted again."""

    __tablename__ = "member_merge"
    id: int | None = key()
    source_id: int = ref("member.id", null=False, index=True)
    target_id: int = ref("member.id", null=False, index=True)
    at: datetime = when()
    by: str = ""
    reason: str = ""
    undone_at: datetime | None = when(null=True)
    undone_by: str = ""
    detail: dict[str, Any] = json_column()


class MergeItem(SQLModel, table=True):
    """What a merge carried over, so that an unmerge can bring it back: an identity, coupon, order, lot, tag …"""

    __tablename__ = "member_merge_item"
    merge_id: int = ref("member_merge.id", null=False, primary=True)
    kind: str = Field(primary_key=True)
    ref: str = Field(primary_key=True)
    detail: dict[str, Any] = json_column()
