"""Issuing: one copy per key, within stock, budget and limits; each guard is one conditional statement."""

from dataclasses import dataclass
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, Connection, Integer, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from members import limits
from members.audit import Actor
from members.coupons import kinds
from members.coupons.codes import new_code
from members.coupons.kinds import grants, templates
from members.errors import MemberError
from members.prepared import Prepared
from members.rules import CouponRule
from members.tables import Coupon, table

coupons = table(Coupon)
UNLIMITED = 2**31 - 1
DRAWS = 3
By = Actor | str
"""Who acts: an Actor, or its name as the books write it."""

_WORST = bindparam("worst", type_=BigInteger())
_TAKE = Prepared(
    update(templates)
    .where(
        templates.c.code == bindparam("which"), templates.c.active,
        templates.c.stock.is_(None) | (templates.c.issued < templates.c.stock),
        templates.c.budget.is_(None) | (templates.c.committed + _WORST <= templates.c.budget),
    )
    .values(issued=templates.c.issued + 1, committed=templates.c.committed + _WORST)
    .returning(templates.c.title, templates.c.per_member, templates.c.per_day)
)  # fmt: skip
_GRANT = Prepared(
    upsert(grants)
    .values(template=bindparam("t"), member_id=bindparam("m"), count=1)
    .on_conflict_do_update(
        index_elements=[grants.c.template, grants.c.member_id],
        set_={"count": grants.c.count + 1},
        where=grants.c.count < bindparam("most", type_=Integer()),
    )
    .returning(grants.c.count)
)
_BY_KEY = Prepared(
    select(coupons.c.id, coupons.c.code, coupons.c.title, coupons.c.expires_at).where(
        coupons.c.key == bindparam("issue_key")
    )
)
_COLUMNS = (
    "code", "key", "template", "member_id", "granted_to", "title", "state", "issued_at", "issued_by", "reason",
    "decision_id", "expires_at", "face", "reserved", "lock_key", "redeemed_by", "discount", "returned",
)  # fmt: skip
_INSERT = Prepared(
    upsert(coupons)
    .values({name: bindparam(f"v_{name}", type_=coupons.c[name].type) for name in _COLUMNS})
    .on_conflict_do_nothing()
    .returning(coupons.c.id)
)


@dataclass(frozen=True, slots=True)
class Issued:
    """One member's copy; `created` is False when the same key had issued it before."""

    id: int
    code: str
    title: str
    expires_at: datetime
    created: bool


def name_of(by: By) -> str:
    """Return the name of who acts."""
    return by.name if isinstance(by, Actor) else by


def issue(
    connection: Connection, code: str, rule: CouponRule, member: int, *, key: str, by: By, reason: str, zone: ZoneInfo,
    now: datetime, decision: int | None = None, title: str | None = None, face: int | None = None,
    day_start: time = time(),
) -> Issued:  # fmt: skip
    """Issue one copy, once per key; `face` (分) where the template leaves its value open.

    MemberError template_empty, coupon_budget, coupon_limit or coupon_day when a guard refuses: the caller rolls back to
    before the call. What a copy may cost at most is committed of the budget from now on.
    """
    known = _known(connection, key)
    if known is not None:
        return known
    expires = rule.expires_at(now, zone)
    if expires <= now:
        raise MemberError("template_empty", title=rule.title)
    worst = rule.worst_case(face) or 0
    taken = _TAKE.rows(connection, {"which": code, "worst": worst})
    if not taken:
        kinds.refuse(connection, code, rule.title, worst)
    named, per_member, per_day = taken[0]
    title = _titled(title or named, face)
    most = UNLIMITED if per_member is None else per_member
    if not _GRANT.rows(connection, {"t": code, "m": member, "most": most}):
        raise MemberError("coupon_limit", title=title, most=most)
    row = {
        "key": key, "template": code, "member_id": member, "granted_to": member, "title": title, "state": "issued",
        "issued_at": now, "issued_by": name_of(by), "reason": reason, "decision_id": decision,
        "expires_at": expires, "face": face, "reserved": worst, "lock_key": "", "redeemed_by": "",
        "discount": 0, "returned": False,
    }  # fmt: skip
    made = _insert(connection, row)
    if not made.created:
        kinds.commit(connection, code, -worst)
        kinds.give_back(connection, code, member)
    elif per_day is not None:
        day = limits.business_day(now, zone, day_start)
        limits.take(connection, f"template:{code}", day, per_day, refusal="coupon_day")
    return made


def _known(connection: Connection, key: str) -> Issued | None:
    found = _BY_KEY.rows(connection, {"issue_key": key})
    if not found:
        return None
    which, code, title, expires = found[0]
    return Issued(which, code, title, expires, False)


def _titled(title: str, face: int | None) -> str:
    if face is None:
        return title
    amount = f"{face // 100}" if face % 100 == 0 else f"{face // 100}.{face % 100:02d}"
    return title.replace("{amount}", amount)


def _insert(connection: Connection, row: dict[str, Any]) -> Issued:
    """Insert a copy under a fresh code; what another transaction made under the same key meanwhile comes back."""
    for _ in range(DRAWS):
        drawn = new_code()
        made = _INSERT.rows(connection, {f"v_{name}": value for name, value in {**row, "code": drawn}.items()})
        if made:
            return Issued(made[0][0], drawn, row["title"], row["expires_at"], True)
        known = _known(connection, row["key"])
        if known is not None:
            return known
    raise MemberError("busy")
