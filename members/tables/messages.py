"""What came in, what is to go out and why, and what became of it."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, Text
from sqlmodel import Field, SQLModel

from members.tables.base import json_column, key, ref, when


class Inbox(SQLModel, table=True):
    """One callback, once: its key and the stored reply every repetition gets."""

    key: str = Field(primary_key=True)
    openid: str
    kind: str
    received_at: datetime = when(index=True)
    reply: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    incident: str = ""


class Outbox(SQLModel, table=True):
    """The intent to send: what, to whom, why, by which channels in order of preference, not before, until."""

    id: int | None = key()
    key: str = Field(unique=True)
    kind: str = Field(description="code | notice | late_reply | reminder | marketing")
    topic: str = ""
    member_id: int | None = ref("member.id", index=True)
    openid: str | None = Field(default=None, index=True)
    campaign: str = ""
    decision_id: int | None = ref("decision.id")
    channels: list[str] = json_column()
    content: dict[str, Any] = json_column()
    sealed: bytes | None = None
    reason: str = ""
    created_at: datetime = when()
    not_before: datetime = when()
    expires_at: datetime = when()
    state: str = Field(default="pending", description="pending | claimed | sent | unknown | failed | expired…")
    channel: str = ""
    lease_until: datetime | None = when(null=True)  # claimed: until then; pending: delivery looks again then
    attempts: int = 0
    note: str = ""

    __table_args__ = (Index("ix_outbox_due", "state", "lease_until", "not_before"),)


class Delivery(SQLModel, table=True):
    """One attempt to send, with the platform's answer and, later, its finish event."""

    id: int | None = key()
    outbox_id: int = ref("outbox.id", null=False, index=True)
    attempt: int
    channel: str
    at: datetime = when()
    outcome: str
    errcode: str = ""
    message_id: str = Field(default="", index=True)
    finished: str = ""


class Decision(SQLModel, table=True):
    """Why this offer for this member: the stored reason behind 为什么."""

    id: int | None = key()
    member_id: int = ref("member.id", null=False, index=True)
    campaign: str
    template: str = ""
    at: datetime = when()
    reason: str = Field(description="the sentence a member reads")
    trace: dict[str, Any] = json_column()


class CampaignPlan(SQLModel, table=True):
    """One frozen plan: the audience, the funnel, and the configuration it was made from."""

    __tablename__ = "campaign_plan"
    id: str = Field(primary_key=True)
    campaign: str = Field(index=True)
    period: str
    config_hash: str
    made_at: datetime = when()
    applied_at: datetime | None = when(null=True)
    funnel: dict[str, Any] = json_column()


class Audience(SQLModel, table=True):
    """One member of a plan: sent or held out, by which channel, with which offer and why."""

    plan_id: str = Field(primary_key=True, foreign_key="campaign_plan.id")
    member_id: int = ref("member.id", null=False, primary=True)
    arm: str
    channel: str = ""
    template: str = ""
    text: str = ""
    reason: str = ""
    trace: dict[str, Any] = json_column()
