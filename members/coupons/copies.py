"""Reading copies: by code, token or id, with their template's rule; what a member can use now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, Select, and_, bindparam, func, or_, select

from members import member_code
from members.coupons.codes import exact, normalise_code
from members.coupons.issuing import coupons
from members.coupons.kinds import ZONE, rule_of, templates
from members.discounts import Held
from members.errors import MemberError
from members.prepared import Prepared
from members.rules import CouponRule
from members.tables import Decision, table
from members.vault import Vault

CATEGORY, PRODUCT = "{category}", "{product}"
MONEY = ("off", "percent", "free", "bundle")
decisions = table(Decision)

OPEN = or_(
    coupons.c.state == "issued", and_(coupons.c.state == "locked", coupons.c.locked_until <= bindparam("moment"))
)
USABLE = and_(OPEN, coupons.c.expires_at > bindparam("moment"))
_MINE = and_(coupons.c.member_id == bindparam("member"), coupons.c.state.in_(("issued", "locked")), USABLE)
_USABLE = (
    select(
        coupons.c.code, coupons.c.title, coupons.c.expires_at, coupons.c.template, templates.c.rule, coupons.c.id,
        coupons.c.face, coupons.c.slot_id,
    )
    .select_from(coupons.join(templates, coupons.c.template == templates.c.code))
    .where(_MINE)
    .order_by(coupons.c.expires_at, coupons.c.id)
    .limit(bindparam("many"))
)  # fmt: skip
_COUNT = select(func.count()).select_from(coupons).where(_MINE)
_COLUMNS = (
    coupons.c.id, coupons.c.code, coupons.c.template, coupons.c.member_id, coupons.c.granted_to, coupons.c.title,
    coupons.c.state, coupons.c.issued_at, coupons.c.expires_at, coupons.c.face, coupons.c.reserved,
    coupons.c.locked_until, coupons.c.lock_key, coupons.c.redeemed_at, coupons.c.redeemed_by,
    coupons.c.redeemed_store, coupons.c.discount, coupons.c.order_id, coupons.c.slot_id, coupons.c.decision_id,
    templates.c.rule,
)  # fmt: skip


def _one(name: str, column: Any) -> Prepared:
    joined = coupons.join(templates, coupons.c.template == templates.c.code)
    found: Select[Any] = select(*_COLUMNS).select_from(joined).where(column == bindparam(name))
    return Prepared(found)


_BY_CODE, _BY_ID = _one("which", coupons.c.code), _one("which", coupons.c.id)
_TRACE = select(decisions.c.trace).where(decisions.c.id == bindparam("which"))


@dataclass(frozen=True)
class Copy:
    """One member's copy as the books hold it now; amounts in 分, `terms` is its template's stored rule."""

    id: int
    code: str
    template: str
    member: int
    granted_to: int
    title: str
    state: str
    issued_at: datetime
    expires_at: datetime
    face: int | None
    reserved: int
    locked_until: datetime | None
    lock_key: str
    redeemed_at: datetime | None
    redeemed_by: str
    redeemed_store: str | None
    discount: int
    order: int | None
    slot: int | None
    decision: int | None
    terms: Mapping[str, Any]

    @cached_property
    def rule(self) -> CouponRule:
        """Return the template's rule."""
        return rule_of(self.terms)

    @property
    def thing(self) -> bool:
        """Tell whether it takes nothing off an order, without reading the whole rule."""
        return not any(self.terms.get(name) for name in MONEY)

    @property
    def placed(self) -> tuple[Sequence[str], bool]:
        """Return (the stores where it is good, empty: all; whether it is good at some times only), as quickly."""
        scope = self.terms.get("scope") or {}
        timed = self.terms.get("since") or scope.get("days") or scope.get("hours")
        return scope.get("stores") or (), bool(timed)

    @property
    def zone(self) -> ZoneInfo | None:
        """Return the zone in which its days and hours count, where the template was written with one."""
        key = self.terms.get(ZONE)
        return None if key is None else ZoneInfo(key)

    def locked(self, now: datetime) -> bool:
        """Tell whether a till holds it; a lock that ran out holds nothing."""
        return self.state == "locked" and self.locked_until is not None and self.locked_until > now

    def usable(self, now: datetime) -> bool:
        """Tell whether it can be used, locked or given away now."""
        return self.state in ("issued", "locked") and not self.locked(now) and self.expires_at > now


def by_id(connection: Connection, coupon: int) -> Copy:
    """Return a copy; MemberError('coupon_unknown')."""
    found = _BY_ID.rows(connection, {"which": coupon})
    if not found:
        raise MemberError("coupon_unknown")
    return Copy(*found[0])


def find(connection: Connection, text: str, *, now: datetime, vault: Vault | None = None) -> Copy:
    """Return the copy a code or (given the vault) a short-lived token names.

    MemberError coupon_unknown, or coupon_mistyped when the check symbol says that the code was mistyped.
    """
    if vault is not None and (named := member_code.coupon_named(vault, text, now)) is not None:
        return by_id(connection, named)
    plain = normalise_code(text)
    found = _BY_CODE.rows(connection, {"which": plain})
    if not found:
        raise MemberError("coupon_unknown" if exact(plain) else "coupon_mistyped")
    return Copy(*found[0])


def refuse_unusable(copy: Copy, now: datetime) -> None:
    """Raise why a copy can't be used, locked or given away now (MemberError); nothing when it can."""
    if copy.state == "redeemed":
        raise MemberError("coupon_used", title=copy.title, at=copy.redeemed_at)
    if copy.state == "void":
        raise MemberError("coupon_void", title=copy.title)
    if copy.locked(now):
        raise MemberError("coupon_locked", title=copy.title, at=copy.locked_until)
    if not copy.usable(now):
        raise MemberError("coupon_expired", title=copy.title, at=copy.expires_at)


def held(connection: Connection, copy: Copy) -> Held:
    """Return a copy for `discounts`: its template's rule, what was chosen for the member filled in."""
    scope = copy.rule.scope
    if copy.decision is None or (scope.category != CATEGORY and PRODUCT not in scope.products):
        return Held(copy.id, copy.rule, copy.face)
    trace = connection.execute(_TRACE, {"which": copy.decision}).scalar_one_or_none() or {}
    category = str(trace.get("category") or CATEGORY) if scope.category == CATEGORY else scope.category
    products = [str(trace.get("product") or PRODUCT) if sku == PRODUCT else sku for sku in scope.products]
    chosen = scope.model_copy(update={"category": category, "products": products})
    return Held(copy.id, copy.rule.model_copy(update={"scope": chosen}), copy.face)


def held_by(connection: Connection, member: int, now: datetime, *, many: int = 50) -> list[Held]:
    """Return what a member could use on a basket now, expiring first."""
    return [held(connection, by_id(connection, row.id)) for row in usable(connection, member, now, many=many)]


def usable(connection: Connection, member: int, now: datetime, *, many: int = 50) -> list[Row[Any]]:
    """Return what a member can use now (code, title, expires_at, template, rule, id, face, slot_id), expiring first."""
    return list(connection.execute(_USABLE, {"member": member, "moment": now, "many": many}))


def count_usable(connection: Connection, member: int, now: datetime) -> int:
    """Return how many coupons the member can use now."""
    return int(connection.execute(_COUNT, {"member": member, "moment": now}).scalar_one())
