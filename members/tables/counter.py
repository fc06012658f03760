"""The counter: what staff did, asked approval for and have to do; keys of tills and what they were answered."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, Text
from sqlmodel import Field, SQLModel

from members.tables.base import big, json_column, key, ref, when


class StaffDeed(SQLModel, table=True):
    """One deed of a person of staff that moved value: what limits count, 今日 sums up and 撤销 undoes.

    `amount` is in 分 or points according to `kind`; `detail` holds the ids of what was made.
    """

    __tablename__ = "staff_deed"
    id: int | None = key()
    key: str = Field(unique=True)
    staff_id: int = ref("staff.id", null=False)
    store_id: str | None = None
    member_id: int | None = ref("member.id", index=True)
    at: datetime = when()
    kind: str = Field(description="issue | redeem | sale | refund | topup | points | …")
    amount: int = big(0)
    count: int = 1
    detail: dict[str, Any] = json_column()
    state: str = Field(default="done", description="done | undone")
    undo_until: datetime | None = when(null=True)
    undone_at: datetime | None = when(null=True)
    undone_by: str = ""
    approved_by: str = ""

    __table_args__ = (
        Index("ix_staff_deed_staff", "staff_id", "at"),
        Index("ix_staff_deed_store", "store_id", "at"),
    )


class Approval(SQLModel, table=True):
    """A deed that waits for a second pair of eyes: asked → approved | refused | expired, decided once."""

    id: int | None = key()
    key: str = Field(unique=True)
    staff_id: int = ref("staff.id", null=False)
    store_id: str | None = None
    member_id: int | None = ref("member.id")
    kind: str
    amount: int = big(0)
    params: dict[str, Any] = json_column()
    asked_at: datetime = when()
    expires_at: datetime = when()
    state: str = Field(default="asked", index=True)
    decided_by: int | None = ref("staff.id")
    decided_at: datetime | None = when(null=True)
    deed_id: int | None = ref("staff_deed.id")


class StaffTask(SQLModel, table=True):
    """Something a person should do for a member, and what came of it."""

    __tablename__ = "staff_task"
    id: int | None = key()
    key: str = Field(unique=True)
    store_id: str | None = None
    staff_id: int | None = ref("staff.id")
    member_id: int | None = ref("member.id")
    text: str
    source: str = ""
    created_at: datetime = when()
    due_at: datetime | None = when(null=True)
    state: str = Field(default="open", description="open | done | dropped", index=True)
    done_at: datetime | None = when(null=True)
    done_by: int | None = ref("staff.id")
    result: str = ""


class ApiKey(SQLModel, table=True):
    """A key of a till or shop system: only its hash is kept. A key with a store sees and serves that store alone."""

    __tablename__ = "api_key"
    id: int | None = key()
    name: str
    prefix: str
    hash: str = Field(unique=True)
    store_id: str | None = Field(default=None, foreign_key="store.id")
    scopes: list[str] = json_column()
    created_at: datetime = when()
    revoked_at: datetime | None = when(null=True)


class ApiRequest(SQLModel, table=True):
    """A write that was asked for under an idempotency key, and the answer every repetition gets."""

    __tablename__ = "api_request"
    key_id: int = ref("api_key.id", null=False, primary=True)
    key: str = Field(primary_key=True)
    digest: str
    route: str
    at: datetime = when(index=True)
    status: int = 0
    answer: str = Field(default="", sa_column=Column(Text, nullable=False, default=""))
