"""Every table of the books. Money is integer 分, points are integers, instants are UTC-aware."""

from members.tables.base import UtcDateTime, table
from members.tables.messages import Audience, CampaignPlan, Decision, Delivery, Inbox, Outbox
from members.tables.operations import AuditLog, JobRun, RateCount, Setting
from members.tables.people import (
    Consent,
    ConsentEvent,
    Conversation,
    Follower,
    Identity,
    Member,
    MemberKey,
    Staff,
    Verification,
)
from members.tables.shop import Category, Order, OrderLine, Product, Store
from members.tables.value import Account, Coupon, CouponGrant, CouponTemplate, Entry, LotUse, Movement, PointLot

__all__ = [
    "Account",
    "Audience",
    "AuditLog",
    "CampaignPlan",
    "Category",
    "Consent",
    "ConsentEvent",
    "Conversation",
    "Coupon",
    "CouponGrant",
    "CouponTemplate",
    "Decision",
    "Delivery",
    "Entry",
    "Follower",
    "Identity",
    "Inbox",
    "JobRun",
    "LotUse",
    "Member",
    "MemberKey",
    "Movement",
    "Order",
    "OrderLine",
    "Outbox",
    "PointLot",
    "Product",
    "RateCount",
    "Setting",
    "Staff",
    "Store",
    "UtcDateTime",
    "Verification",
    "table",
]
