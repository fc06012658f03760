"""A member's wish to be forgotten: what it costs, what stands in its way, its cool-down, and taking it back.

Principal is the member's money and is never forfeited: while there is any, while a till holds a coupon, and while a
deed for the member waits for its approval, the erasure waits. What it does when it is due: members/forgetting.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from members import audit, coupons, ledger, merging_history, outbox, plans
from members.audit import Actor
from members.clock import business_date, end_of_day
from members.identity import lock
from members.rules import Rules
from members.tables import Approval, Coupon, Erasure, Member, table

WALLET = "wallet:"
PUSHED = ("marketing", "reminder")
erasures, members = table(Erasure), table(Member)
copies, approvals = table(Coupon), table(Approval)

_WAITING = select(erasures).where(erasures.c.member_id == bindparam("member"), erasures.c.state == "waiting")
_EVERYBODY = select(erasures.c.member_id).where(erasures.c.state == "waiting")
_WITHDRAW = (
    update(erasures)
    .where(erasures.c.member_id == bindparam("member"), erasures.c.state == "waiting")
    .values(state="withdrawn", settled_at=bindparam("moment"))
)
_DUE = (
    select(erasures.c.id, erasures.c.member_id)
    .where(erasures.c.state == "waiting", erasures.c.due_at <= bindparam("moment"), erasures.c.id > bindparam("after"))
    .order_by(erasures.c.id)
    .limit(bindparam("many"))
)
_HELD_BY_TILLS = (
    select(func.count())
    .select_from(copies)
    .where(
        copies.c.member_id == bindparam("member"), copies.c.state == "locked",
        copies.c.locked_until > bindparam("moment"),
    )
)  # fmt: skip
_ASKED = (
    select(func.count())
    .select_from(approvals)
    .where(
        approvals.c.member_id == bindparam("member"), approvals.c.state == "asked",
        approvals.c.expires_at > bindparam("moment"),
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wish:
    """An erasure that waits: since when, and when it is due."""

    id: int
    member: int
    asked_at: datetime
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Loss:
    """What goes with a member: points (also pending ones), gift 分, coupons, partners' units, a plan.

    `principal` 分 must not go: they are paid out first. `wallets` is {partner: units}; `plan` is '' without one.
    """

    points: int
    principal: int
    gift: int
    coupons: int
    tier: str
    plan: str
    wallets: Mapping[str, int]


def loss(connection: Connection, member: int, now: datetime) -> Loss:
    """Return what the member would lose now."""
    owned = ledger.balances(connection, member)
    good, _ = ledger.good_points(connection, member, now)
    tier = connection.execute(select(members.c.tier).where(members.c.id == member)).scalar_one()
    plan = plans.plan_of(connection, member, now)
    wallets = {kind.removeprefix(WALLET): many for kind, many in owned.items() if kind.startswith(WALLET) and many}
    return Loss(
        good + owned["pending"], owned["principal"], owned["gift"], coupons.count_usable(connection, member, now), tier,
        "" if plan is None else plan.name, wallets,
    )  # fmt: skip


def hindrance(connection: Connection, member: int, now: datetime) -> str:
    """Return why the erasure must wait: principal | lock | approval; nothing when it need not."""
    if ledger.balances(connection, member)["principal"]:
        return "principal"
    bound = {"member": member, "moment": now}
    if connection.execute(_HELD_BY_TILLS, bound).scalar_one():
        return "lock"
    return "approval" if connection.execute(_ASKED, bound).scalar_one() else ""


def waiting(connection: Connection, member: int) -> Wish | None:
    """Return the member's erasure that waits."""
    row = connection.execute(_WAITING, {"member": member}).one_or_none()
    return None if row is None else Wish(row.id, row.member_id, row.asked_at, row.due_at)


def waiting_members(connection: Connection) -> set[int]:
    """Return everybody who is leaving: no campaign may reach them."""
    return set(connection.scalars(_EVERYBODY))


def ask(connection: Connection, rules: Rules, member: int, *, by: Actor, note: str, now: datetime) -> Wish:
    """Begin the cool-down, once; pushes that wait are cancelled with `note`. Who has asked already gets that wish."""
    lock(connection, member)
    known = waiting(connection, member)
    if known is not None:
        return known
    today = business_date(now, rules.shop.zone, rules.shop.day_start)
    due = end_of_day(today + timedelta(days=rules.privacy.erase_days), rules.shop.zone)
    row = {"member_id": member, "asked_at": now, "due_at": due, "state": "waiting", "by": by.name, "detail": {}}
    number = int(connection.execute(insert(erasures).returning(erasures.c.id), row).scalar_one())
    for kind in PUSHED:
        outbox.cancel(connection, member, kind=kind, note=note)
    audit.write(connection, by, "member.erase_asked", member, {"erasure": number, "due": due.isoformat()}, now=now)
    return Wish(number, member, now, due)


def withdraw(connection: Connection, member: int, *, by: Actor, now: datetime) -> bool:
    """Take the wish back; False when none waits (any more)."""
    lock(connection, member)
    if connection.execute(_WITHDRAW, {"member": member, "moment": now}).rowcount != 1:
        return False
    audit.write(connection, by, "member.erase_withdrawn", member, {}, now=now)
    return True


def due(connection: Connection, now: datetime, *, after: int = 0, many: int = 100) -> list[tuple[int, int]]:
    """Return up to `many` (erasure, member) that are due, in the order they were asked."""
    return [(row.id, row.member_id) for row in connection.execute(_DUE, {"moment": now, "after": after, "many": many})]


def everyone(connection: Connection, member: int) -> list[int]:
    """Return the member and all who were merged into them: they are one person, and go together."""
    return merging_history.family(connection, member)


def settle(connection: Connection, erasure: int, detail: Mapping[str, Any], now: datetime) -> bool:
    """Close a waiting erasure as done; False when it was withdrawn or done meanwhile."""
    mine = (erasures.c.id == erasure) & (erasures.c.state == "waiting")
    values = {"state": "done", "settled_at": now, "detail": dict(detail)}
    return connection.execute(update(erasures).where(mine).values(values)).rowcount == 1
