"""Members who own something of everything, and a plain picture of what they own: for the tests of merging."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import Connection, insert, select

from members import consent, identity, ledger, tags
from members.audit import Actor
from members.ledger import Booking, Leg
from members.rules import BindingRules, LoyaltyRules, Rules, ShopRules, StaffRules, TierRule
from members.tables import (
    Account,
    Coupon,
    CouponGrant,
    CouponTemplate,
    CouponTransfer,
    GiftGrant,
    Identity,
    Member,
    MemberTag,
    Order,
    Outbox,
    PaidMembership,
    PerkUse,
    PointLot,
    StaffTask,
    table,
)
from members.vault import Vault, generate_key

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
BY = Actor("staff:9", "S1", "cli")
VAULT = Vault({"k1": generate_key()})
TIERS = [
    TierRule(name="普卡"),
    TierRule(name="银卡", spend_12_months=3000),
    TierRule(name="金卡", spend_12_months=9000),
]
RULES = Rules(ShopRules(name="店"), LoyaltyRules(tiers=TIERS), {}, BindingRules(), StaffRules())
SERIAL = count(1)
OWNED = {
    "points": "issuer",
    "pending": "issuer",
    "principal": "cash",
    "gift": "issuer",
    "wallet:miles": "partner:miles",
}


def phone() -> str:
    """Return a phone nobody has yet."""
    return f"+86138{next(SERIAL):08d}"


def new_member(connection: Connection, number: str = "", *, tier: str = "普卡") -> int:
    """Return a member with a card and a phone."""
    member, key = identity.create(connection, VAULT, tier=tier, now=NOW)
    number = number or phone()
    identity.add_phone(connection, VAULT, member, key, number, source="otp", now=NOW)
    return member


def give(
    connection: Connection, member: int, account: str, amount: int, *, days: int = 30, order: int | None = None
) -> None:
    """Give something of one account; points end after `days`."""
    legs = (
        Leg(account, amount, member, expires_at=NOW + timedelta(days=days), matures_at=NOW + timedelta(days=7)),
        Leg(OWNED.get(account, "issuer"), -amount),
    )
    ledger.post(connection, Booking(f"give:{next(SERIAL)}", "earn", "test", NOW, legs, "测试", order))


def spend(connection: Connection, member: int, account: str, amount: int, at: datetime, kind: str = "spend") -> int:
    """Spend something of one account; return the movement."""
    legs = (Leg(account, -amount, member), Leg("spent", amount))
    return ledger.post(connection, Booking(f"spend:{next(SERIAL)}", kind, "test", at, legs, "测试")).id


def order(connection: Connection, member: int, total: int = 1000) -> int:
    """Put an order of the member in the books."""
    row = {"order_no": f"A{next(SERIAL)}", "member_id": member, "at": NOW, "day": date(2026, 3, 2), "total": total}
    return int(connection.execute(insert(table(Order)).returning(table(Order).c.id), row).scalar_one())


def template(connection: Connection) -> str:
    """Return a new coupon template without limits."""
    code = f"T{next(SERIAL)}"
    row = {"code": code, "title": code, "rule": {}, "issued": 0, "committed": 0, "active": True, "source": "test"}
    connection.execute(insert(table(CouponTemplate)), row)
    return code


def coupon(connection: Connection, member: int, of: str, state: str = "issued") -> int:
    """Put one copy in the member's hands, counted as issuing counts it."""
    coupons, templates, grants = table(Coupon), table(CouponTemplate), table(CouponGrant)
    number = next(SERIAL)
    row = {
        "code": f"C{number:011d}", "key": f"k{number}", "template": of, "member_id": member, "granted_to": member,
        "title": of, "state": state, "issued_at": NOW, "issued_by": "test", "reason": "",
        "expires_at": NOW + timedelta(days=14),
        "redeemed_at": NOW - timedelta(hours=1) if state == "redeemed" else None,
    }  # fmt: skip
    made = int(connection.execute(insert(coupons).returning(coupons.c.id), row).scalar_one())
    connection.execute(templates.update().where(templates.c.code == of).values(issued=templates.c.issued + 1))
    mine = (grants.c.template == of) & (grants.c.member_id == member)
    if connection.execute(grants.update().where(mine).values(count=grants.c.count + 1)).rowcount == 0:
        connection.execute(insert(grants), {"template": of, "member_id": member, "count": 1})
    return made


def rich(connection: Connection, *, tier: str = "普卡", of: str = "") -> int:
    """Return a member who owns something of everything that can change hands."""
    member = new_member(connection, tier=tier)
    number = next(SERIAL)
    identity.add(connection, member, "openid", "wx-one", f"o{number}", source="otp", now=NOW)
    bought = order(connection, member)
    give(connection, member, "points", 10, days=90, order=bought)
    give(connection, member, "points", 7, days=10)
    give(connection, member, "points", 3, days=-1)
    give(connection, member, "pending", 5, days=60, order=bought)
    give(connection, member, "principal", 5000)
    give(connection, member, "gift", 700)
    give(connection, member, "wallet:miles", 40)
    of = of or template(connection)
    held = coupon(connection, member, of)
    coupon(connection, member, of, "redeemed")
    coupon(connection, member, of, "expired")
    tags.put(connection, member, "素食", source="staff", by=BY, now=NOW)
    tags.put(connection, member, f"只有{member}", source="inferred", confidence=0.6, by=BY, now=NOW)
    consent.answer(connection, consent.of_member(member), "sms", True, source="test", now=NOW)
    rows: list[tuple[Any, dict[str, Any]]] = [
        (PerkUse, {"member_id": member, "perk": "免费停车", "month": date(2026, 3, 1), "used": 2}),
        (GiftGrant, {"key": f"birthday:咖啡:{member}:2026", "rule": "birthday:咖啡", "member_id": member, "at": NOW}),
        (PaidMembership, {
            "key": f"p{number}", "member_id": member, "plan": "黑卡", "price": 1, "since": NOW, "until": NOW,
        }),
        (CouponTransfer, {
            "token_hash": f"t{number}", "coupon_id": held, "from_member": member, "state": "open", "created_at": NOW,
            "expires_at": NOW,
        }),
        (StaffTask, {"key": f"s{number}", "member_id": member, "text": "回访", "created_at": NOW, "state": "open"}),
        (Outbox, {
            "key": f"m{number}", "kind": "notice", "member_id": member, "channels": [], "content": {},
            "reason": "", "created_at": NOW, "not_before": NOW, "expires_at": NOW, "state": "pending",
        }),
    ]  # fmt: skip
    for model, row in rows:
        connection.execute(insert(table(model)), row)
    return member


PICTURES: tuple[tuple[type[Any], str, tuple[str, ...]], ...] = (
    (Coupon, "member_id", ("id", "state")),
    (Coupon, "granted_to", ("id",)),
    (Order, "member_id", ("id",)),
    (MemberTag, "member_id", ("tag", "source", "confidence")),
    (GiftGrant, "member_id", ("key",)),
    (PaidMembership, "member_id", ("id",)),
    (CouponTransfer, "from_member", ("id", "state")),
    (StaffTask, "member_id", ("id", "state")),
    (Outbox, "member_id", ("id", "state")),
    (PerkUse, "member_id", ("perk", "month", "used")),
    (Member, "id", ("state", "merged_into", "tier", "tier_since", "home_store", "birthday", "personalised")),
)


def picture(connection: Connection, member: int) -> dict[str, Any]:
    """Return all that a member is and owns, without the ids of rows that a way back makes anew."""
    return dict(_pictured(connection, member))


def _pictured(connection: Connection, member: int) -> Iterator[tuple[str, Any]]:
    accounts, lots, grants, known = table(Account), table(PointLot), table(CouponGrant), table(Identity)
    held = select(accounts.c.kind, accounts.c.balance).where(accounts.c.member_id == member, accounts.c.balance != 0)
    yield "balances", sorted(connection.execute(held))
    columns = (lots.c.account, lots.c.remaining, lots.c.expires_at, lots.c.matures_at, lots.c.order_id)
    still = select(*columns).where(lots.c.member_id == member, lots.c.remaining > 0)
    yield "lots", sorted(map(str, connection.execute(still)))
    granted = select(grants.c.template, grants.c.count).where(grants.c.member_id == member, grants.c.count > 0)
    yield "grants", sorted(connection.execute(granted))
    named = select(known.c.kind, known.c.scope, known.c.value).where(
        known.c.member_id == member, known.c.ended_at.is_(None)
    )
    yield "identities", sorted(connection.execute(named))
    yield "consents", consent.topics(connection, consent.of_member(member))
    for model, owner, names in PICTURES:
        rows = table(model)
        found = select(*(rows.c[name] for name in names)).where(rows.c[owner] == member)
        if model is MemberTag:
            found = found.where(rows.c.ended_at.is_(None))
        yield f"{rows.name}.{owner}", sorted(map(str, connection.execute(found)))
