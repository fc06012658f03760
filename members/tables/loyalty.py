"""Gifts that were given, tiers that changed, paid plans and perks that were used."""

from datetime import date, datetime

from sqlmodel import Field, SQLModel

from members.tables.base import big, key, ref, when


class GiftGrant(SQLModel, table=True):
    """One gift for one occasion; the key (rule, member, occasion) refuses the second."""

    __tablename__ = "gift_grant"
    key: str = Field(primary_key=True)
    rule: str
    member_id: int = ref("member.id", null=False, index=True)
    at: datetime = when()
    order_id: int | None = ref("orders.id", index=True)
    movement_id: int | None = ref("movement.id")
    coupon_id: int | None = ref("coupon.id")
    points: int = big(0)
    taken_back: int = big(0)


class TierEvent(SQLModel, table=True):
    """A tier that changed, and the sentence that tells the member why."""

    __tablename__ = "tier_event"
    id: int | None = key()
    member_id: int = ref("member.id", null=False, index=True)
    at: datetime = when()
    before: str
    after: str
    reason: str
    by: str = ""


class PaidMembership(SQLModel, table=True):
    """A plan bought for a time, [since, until); `price` in 分. `key` makes buying it happen once."""

    __tablename__ = "paid_membership"
    id: int | None = key()
    key: str = Field(unique=True)
    member_id: int = ref("member.id", null=False, index=True)
    plan: str
    price: int = big(0)
    since: datetime = when()
    until: datetime = when()
    by: str = ""
    ended_at: datetime | None = when(null=True)


class PerkUse(SQLModel, table=True):
    """How often a member used a perk in a month; raised by one conditional upsert."""

    __tablename__ = "perk_use"
    member_id: int = ref("member.id", null=False, primary=True)
    perk: str = Field(primary_key=True)
    month: date = Field(primary_key=True)
    used: int = 0
