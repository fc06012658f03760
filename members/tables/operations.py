"""Counters, audit trail, job runs and facts of the installation."""

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel

from members.tables.base import big, json_column, key, ref, when


class RateCount(SQLModel, table=True):
    """A counter per key and period, raised by one conditional upsert."""

    __tablename__ = "rate_count"
    key: str = Field(primary_key=True)
    period: datetime = when(primary=True)
    count: int = big(0)


class AuditLog(SQLModel, table=True):
    """Who did what to whom, from where, on whose approval, and the figures before and after."""

    __tablename__ = "audit_log"
    id: int | None = key()
    at: datetime = when()
    actor: str = Field(index=True)
    action: str
    member_id: int | None = ref("member.id", index=True)
    store_id: str | None = None
    origin: str = Field(default="", description="wechat:… | api:… | cli | job")
    approved_by: str = ""
    before: dict[str, Any] = json_column()
    after: dict[str, Any] = json_column()
    detail: dict[str, Any] = json_column()


class JobRun(SQLModel, table=True):
    """One run of one job for one due time; the primary key refuses the second."""

    __tablename__ = "job_run"
    job: str = Field(primary_key=True)
    due_at: datetime = when(primary=True)
    started_at: datetime = when()
    finished_at: datetime | None = when(null=True)
    note: str = ""


class Lease(SQLModel, table=True):
    """What one process at a time may do: who is at it, since when, and until when that is believed without a sign."""

    name: str = Field(primary_key=True)
    owner: str
    since: datetime = when()
    until: datetime = when()


class Setting(SQLModel, table=True):
    """A named fact of the installation: clock offset of the sandbox, shared access token, import progress."""

    key: str = Field(primary_key=True)
    value: dict[str, Any] = json_column()
    sealed: bytes | None = None
