"""Coupons: issued → redeemed | expired | void, each step one conditional update whose row count decides."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from members.errors import MemberError
from members.rules import CouponRule
from members.tables import Coupon, CouponGrant, CouponTemplate, table

coupons, templates, grants = table(Coupon), table(CouponTemplate), table(CouponGrant)

# Crockford's base 32 without the letters people confuse; 11 random symbols are 55 bits, the twelfth checks
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
SYMBOLS = 11

_USABLE = (
    select(coupons.c.code, coupons.c.title, coupons.c.expires_at, coupons.c.template, templates.c.rule)
    .select_from(coupons.join(templates, coupons.c.template == templates.c.code))
    .where(
        coupons.c.member_id == bindparam("member"),
        coupons.c.state == "issued",
        coupons.c.expires_at > bindparam("moment"),
    )
    .order_by(coupons.c.expires_at, coupons.c.id)
    .limit(bindparam("many"))
)
_TAKE_STOCK = (
    update(templates)
    .where(
        templates.c.code == bindparam("template_code"),
        templates.c.active,
        (templates.c.stock.is_(None)) | (templates.c.issued < templates.c.stock),
    )
    .values(issued=templates.c.issued + 1)
    .returning(templates.c.title, templates.c.per_member)
)
_GRANT = (
    upsert(grants)
    .values(template=bindparam("t"), member_id=bindparam("m"), count=1)
    .on_conflict_do_update(
        index_elements=[grants.c.template, grants.c.member_id],
        set_={"count": grants.c.count + 1},
        where=grants.c.count < bindparam("most"),
    )
    .returning(grants.c.count)
)
_BY_KEY = select(coupons.c.id, coupons.c.code, coupons.c.title, coupons.c.expires_at).where(
    coupons.c.key == bindparam("issue_key")
)
_REDEEM = (
    update(coupons)
    .where(
        coupons.c.code == bindparam("which"), coupons.c.state == "issued", coupons.c.expires_at > bindparam("moment")
    )
    .values(
        state="redeemed",
        redeemed_at=bindparam("moment"),
        redeemed_by=bindparam("by"),
        redeemed_store=bindparam("store"),
    )
    .returning(coupons.c.id, coupons.c.member_id, coupons.c.title)
)
_BY_CODE = select(coupons).where(coupons.c.code == bindparam("which"))
_EXPIRE = (
    update(coupons)
    .where(coupons.c.state == "issued", coupons.c.expires_at <= bindparam("moment"))
    .values(state="expired")
)


@dataclass(frozen=True, slots=True)
class Issued:
    """One member's copy; `created` is False when the same key had issued it before."""

    id: int
    code: str
    title: str
    expires_at: datetime
    created: bool


@dataclass(frozen=True, slots=True)
class Redeemed:
    """Which coupon of whom was just redeemed."""

    id: int
    member: int
    title: str


def sync_templates(connection: Connection, rules: Mapping[str, CouponRule]) -> None:
    """Write the templates of config.yaml to the books; those that left it are no longer issued."""
    statement = upsert(templates)
    changed = {name: statement.excluded[name] for name in ("title", "rule", "stock", "per_member", "active", "source")}
    statement = statement.on_conflict_do_update(index_elements=[templates.c.code], set_=changed)
    gone = (templates.c.source == "config") & templates.c.code.not_in(list(rules))
    connection.execute(update(templates).where(gone).values(active=False))
    for code, rule in sorted(rules.items()):
        row = {
            "code": code, "title": rule.title, "rule": rule.model_dump(mode="json", exclude={"valid"}),
            "stock": rule.stock, "issued": 0, "per_member": rule.per_member, "active": True, "source": "config",
        }  # fmt: skip
        connection.execute(statement, row)


def issue(
    connection: Connection, code: str, rule: CouponRule, member: int, *, key: str, by: str, reason: str, zone: ZoneInfo,
    now: datetime, decision: int | None = None, title: str | None = None,
) -> Issued:  # fmt: skip
    """Issue one copy, once per key; MemberError('template_empty') or ('coupon_limit') when a guard refuses."""
    known = connection.execute(_BY_KEY, {"issue_key": key}).one_or_none()
    if known is not None:
        return Issued(known.id, known.code, known.title, known.expires_at, False)
    template = connection.execute(_TAKE_STOCK, {"template_code": code}).one_or_none()
    if template is None:
        raise MemberError("template_empty", title=rule.title)
    most = template.per_member if template.per_member is not None else 2**31 - 1
    if connection.execute(_GRANT, {"t": code, "m": member, "most": most}).scalar_one_or_none() is None:
        raise MemberError("coupon_limit", title=template.title, most=most)
    row = {
        "code": new_code(), "key": key, "template": code, "member_id": member, "granted_to": member, "title": title or template.title,
        "state": "issued", "issued_at": now, "issued_by": by, "reason": reason, "decision_id": decision,
        "expires_at": rule.expires_at(now, zone), "redeemed_by": "",
    }  # fmt: skip
    made = connection.execute(insert(coupons).returning(coupons.c.id), row).scalar_one()
    return Issued(made, str(row["code"]), str(row["title"]), rule.expires_at(now, zone), True)


def usable(
    connection: Connection, member: int, now: datetime, *, many: int = 50
) -> list[Row[str, str, datetime, str, Any]]:
    """Return what the member can use now (code, title, expires_at, template, rule), expiring first."""
    return list(connection.execute(_USABLE, {"member": member, "moment": now, "many": many}))


def redeem(connection: Connection, code: str, *, by: str, store: str | None, now: datetime) -> Redeemed:
    """Redeem once: of any number of racing calls exactly one wins, the rest learn what happened (MemberError)."""
    plain = normalise_code(code)
    won = connection.execute(_REDEEM, {"which": plain, "moment": now, "by": by, "store": store}).one_or_none()
    if won is not None:
        return Redeemed(won.id, won.member_id, won.title)
    row = connection.execute(_BY_CODE, {"which": plain}).one_or_none()
    if row is None:
        raise MemberError("coupon_unknown")
    if row.state == "redeemed":
        raise MemberError("coupon_used", title=row.title, at=row.redeemed_at)
    if row.state in ("expired", "issued"):
        raise MemberError("coupon_expired", title=row.title, at=row.expires_at)
    raise MemberError("coupon_void", title=row.title)


def expire_due(connection: Connection, now: datetime) -> int:
    """Mark what ran out as expired; return how many."""
    return connection.execute(_EXPIRE, {"moment": now}).rowcount


def count_usable(connection: Connection, member: int, now: datetime) -> int:
    """Return how many coupons the member can use now."""
    mine = (coupons.c.member_id == member) & (coupons.c.state == "issued") & (coupons.c.expires_at > now)
    return int(connection.execute(select(func.count()).select_from(coupons).where(mine)).scalar_one())


def new_code() -> str:
    """Return a new code: 55 random bits and a check symbol, from an alphabet without look-alikes."""
    body = "".join(ALPHABET[secrets.randbelow(32)] for _ in range(SYMBOLS))
    return body + check_symbol(body)


def check_symbol(body: str) -> str:
    """Return the symbol that catches every single wrong symbol and most swaps (weighted sum modulo 31)."""
    return ALPHABET[sum((i + 1) * ALPHABET.index(symbol) for i, symbol in enumerate(body)) % 31]


def normalise_code(text: str) -> str:
    """Return a typed code without dashes, spaces and look-alikes; MemberError when it can't be one."""
    plain = text.upper().replace("-", "").replace(" ", "").translate(str.maketrans("OIL", "011"))
    if len(plain) != SYMBOLS + 1 or any(symbol not in ALPHABET for symbol in plain):
        raise MemberError("coupon_unknown")
    if check_symbol(plain[:-1]) != plain[-1]:
        raise MemberError("coupon_mistyped")
    return plain


def spell(code: str) -> str:
    """Return a code as people read it: K7QF-2MDX-9TA0."""
    return "-".join(code[i : i + 4] for i in range(0, len(code), 4))
