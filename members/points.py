"""Points: given, matured, spent, adjusted and taken back; every deed one movement under one key, per member in turn.

`owed` is what was taken back beyond what there was: whatever is given or matures next repays it first.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, bindparam, func, literal_column, or_, select

from members import audit, ledger
from members.audit import Actor
from members.clock import add_months, business_date, end_of_day
from members.errors import MemberError
from members.identity import lock
from members.ledger import Booking, Leg, accounts, entries, lot_uses, lots, members, movements
from members.rules import Rules

MOST = 10**10
SYSTEM = Actor("system", origin="job")

_OF_ORDER = (
    select(lots.c.id, lots.c.account, lots.c.remaining)
    .where(
        lots.c.member_id == bindparam("member"), lots.c.order_id == bindparam("which"), lots.c.remaining > 0,
        or_(lots.c.account == "pending", lots.c.expires_at > bindparam("moment")),
    )
    .order_by(lots.c.expires_at, lots.c.id)
)  # fmt: skip
_RAN_OUT = select(
    select(func.coalesce(func.sum(lot_uses.c.amount), 0))
    .select_from(lot_uses.join(lots).join(movements, lot_uses.c.movement_id == movements.c.id))
    .where(lots.c.order_id == bindparam("which"), movements.c.kind == "expire")
    .scalar_subquery()
    + select(func.coalesce(func.sum(lots.c.remaining), 0))
    .where(
        lots.c.order_id == bindparam("which"), lots.c.account == "points", lots.c.expires_at <= bindparam("moment")
    )
    .scalar_subquery()
    + select(func.coalesce(func.sum(entries.c.amount), 0))
    .select_from(entries.join(movements).join(accounts, entries.c.account_id == accounts.c.id))
    .where(movements.c.order_id == bindparam("which"), movements.c.kind.in_(("clawback", "reverse_clawback")))
    .where(accounts.c.member_id.is_(None), accounts.c.kind == "expired")
    .scalar_subquery()
)  # fmt: skip
_MEMBERS_SIDE = (
    select(accounts.c.kind, func.sum(entries.c.amount))
    .select_from(entries.join(accounts, entries.c.account_id == accounts.c.id))
    .where(entries.c.movement_id == bindparam("movement"), accounts.c.member_id.is_not(None))
    .group_by(accounts.c.kind)
)
_DUE = and_(lots.c.remaining > literal_column("0"), lots.c.matures_at <= bindparam("moment"))
_WHO_MATURES = select(lots.c.member_id).where(_DUE).group_by(lots.c.member_id).order_by(lots.c.member_id)
_MATURING = (
    select(lots.c.id, lots.c.remaining, lots.c.expires_at, lots.c.order_id)
    .where(_DUE, lots.c.member_id == bindparam("member"), lots.c.account == "pending")
    .order_by(lots.c.id)
)
_FIRST_DUE = select(func.min(lots.c.matures_at)).where(
    lots.c.member_id == bindparam("member"), lots.c.account == "pending", lots.c.remaining > 0
)
_STILL_PENDING = select(func.coalesce(func.sum(lots.c.remaining), 0)).where(
    lots.c.movement_id == bindparam("movement"), lots.c.account == "pending"
)
_SEQ = select(members.c.chain_seq).where(members.c.id == bindparam("member"))
_OF_MOVEMENT = (
    select(entries.c.member_id, members.c.state)
    .select_from(entries.join(members, entries.c.member_id == members.c.id))
    .where(entries.c.movement_id == bindparam("movement"))
    .distinct()
)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a claw-back takes: of pending lots, of points, as debt; `ran_out` it counts as taken without taking it."""

    pending: int
    points: int
    owed: int
    ran_out: int
    first: tuple[int, ...]

    @property
    def taken(self) -> int:
        return self.pending + self.points + self.owed


def check(points: int) -> None:
    """Refuse what is no number of points to move: MemberError('amount_range')."""
    if not 0 < points <= MOST:
        raise MemberError("amount_range")


def expires_at(rules: Rules, now: datetime) -> datetime:
    """Return when points given now run out: the end of the business day `expiry.months` later."""
    day = business_date(now, rules.shop.zone, rules.shop.day_start)
    return end_of_day(add_months(day, rules.loyalty.expiry.months), rules.shop.zone)


def matures_at(rules: Rules, now: datetime) -> datetime:
    """Return when pending points of now can be used: after the business day `earn.pending_days` later."""
    day = business_date(now, rules.shop.zone, rules.shop.day_start)
    return end_of_day(day + timedelta(days=rules.loyalty.earn.pending_days), rules.shop.zone)


def give(
    connection: Connection, rules: Rules, member: int, points: int, *, key: str, kind: str, by: Actor, reason: str,
    now: datetime, order: int | None = None, pending: bool = False,
) -> int:  # fmt: skip
    """Give points once per key, as pending ones if asked and the rules know such; return the movement.

    A debt is repaid first. Outside an order (whose own deed tells of them) the audit trail gets `points.<kind>`.
    """
    check(points)
    lock(connection, member)
    owned = ledger.balances(connection, member)
    repaid = min(-owned["owed"], points)
    later = pending and rules.loyalty.earn.pending_days > 0
    legs = [
        Leg("owed", repaid, member),
        Leg("pending" if later else "points", points - repaid, member),
        Leg("issuer", -points),
    ]
    booking = Booking(
        key, kind, by.name, now, [leg for leg in legs if leg.amount], reason, order,
        expires_at=expires_at(rules, now), matures_at=matures_at(rules, now) if later else None, store_id=by.store,
    )  # fmt: skip
    booked = ledger.post(connection, booking)
    if booked.created and order is None:
        action = "points.adjust" if kind == "adjust" else "points.give"
        _tell_audit(connection, by, action, member, booked.id, points, owned, reason, now)
    return booked.id


def spend(
    connection: Connection, member: int, points: int, *, key: str, by: Actor, reason: str, now: datetime,
    kind: str = "spend", to: str = "spent", order: int | None = None,
) -> int:  # fmt: skip
    """Take good points for something, once per key; return the movement, or MemberError('insufficient')."""
    check(points)
    lock(connection, member)
    owned = ledger.balances(connection, member)
    legs = (Leg("points", -points, member), Leg(to, points))
    booked = ledger.post(connection, Booking(key, kind, by.name, now, legs, reason, order, store_id=by.store))
    if booked.created and order is None:
        action = "points.adjust" if kind == "adjust" else "points.spend"
        _tell_audit(connection, by, action, member, booked.id, -points, owned, reason, now)
    return booked.id


def adjust(
    connection: Connection, rules: Rules, member: int, delta: int, *, key: str, by: Actor, reason: str, now: datetime
) -> int:
    """Correct the points by hand, up or down (never below what there is), once per key; return the movement."""
    if delta > 0:
        return give(connection, rules, member, delta, key=key, kind="adjust", by=by, reason=reason, now=now)
    return spend(connection, member, -delta, key=key, by=by, reason=reason, now=now, kind="adjust", to="issuer")


def _tell_audit(
    connection: Connection, by: Actor, action: str, member: int, movement: int, delta: int, before: dict[str, int],
    reason: str, now: datetime,
) -> None:  # fmt: skip
    after = ledger.balances(connection, member)
    shown = [name for name in ("points", "pending", "owed") if before[name] or after[name]]
    audit.write(
        connection, by, action, member, {"movement": movement, "points": delta, "reason": reason}, now=now,
        before={name: before[name] for name in shown}, after={name: after[name] for name in shown},
    )  # fmt: skip


def take_back(
    connection: Connection, rules: Rules, member: int, points: int, *, order: int | None, key: str, by: Actor,
    reason: str, now: datetime,
) -> int:  # fmt: skip
    """Claw back `points` (≥ 0) that an order had brought, by `earn.refunds`; return how many the member lost.

    First what the order brought and is still there, pending before points. What of it has run out counts as taken, over
    all claw-backs of the order once. Then, unless `only_pending`, other points down to zero; `may_go_negative`: the
    rest is owed. The same key takes nothing more.
    """
    if points == 0:
        return 0
    check(points)
    lock(connection, member)
    known = ledger.find(connection, key)
    if known is not None:
        return -sum(int(amount) for _, amount in connection.execute(_MEMBERS_SIDE, {"movement": known}))
    plan = _plan(connection, rules, member, points, order, now)
    legs = [
        Leg("pending", -plan.pending, member),
        Leg("points", -plan.points, member),
        Leg("owed", -plan.owed, member),
        Leg("expired", -plan.ran_out),
        Leg("issuer", plan.taken + plan.ran_out),
    ]
    moving = [leg for leg in legs if leg.amount]
    if moving:
        before = ledger.balances(connection, member)
        booking = Booking(key, "clawback", by.name, now, moving, reason, order, None, None, None, by.store, plan.first)
        movement = ledger.post(connection, booking).id
        if order is None:
            _tell_audit(connection, by, "points.take_back", member, movement, -plan.taken, before, reason, now)
    return plan.taken


def _plan(
    connection: Connection, rules: Rules, member: int, points: int, order: int | None, now: datetime
) -> _Plan:  # fmt: skip
    policy, bound = rules.loyalty.earn.refunds, {"which": order, "moment": now}
    own = connection.execute(_OF_ORDER, bound | {"member": member}).all()
    ran_out = int(connection.execute(_RAN_OUT, bound).scalar_one())
    pending = min(points, sum(row.remaining for row in own if row.account == "pending"))
    taken = min(points - pending, sum(row.remaining for row in own if row.account == "points"))
    gone = min(points - pending - taken, max(ran_out, 0))
    left = points - pending - taken - gone
    if policy != "only_pending":
        others = min(left, ledger.good_points(connection, member, now)[0] - taken)
        taken, left = taken + others, left - others
    owed = left if policy == "may_go_negative" else 0
    return _Plan(pending, taken, owed, gone, tuple(row.id for row in own))


def next_maturing(connection: Connection, member: int) -> datetime | None:
    """Return when the first pending points of a member mature, None when there are none."""
    first: datetime | None = connection.execute(_FIRST_DUE, {"member": member}).scalar_one()
    return first


def mature(connection: Connection, rules: Rules, now: datetime, *, limit: int = 500) -> list[tuple[int, int]]:
    """Turn due pending points into points, a movement per member; return (member, points), `limit` members at most."""
    due = connection.scalars(_WHO_MATURES.limit(limit), {"moment": now}).all()
    done = ((member, _mature(connection, member, now)) for member in due)
    return [(member, points) for member, points in done if points]


def _mature(connection: Connection, member: int, now: datetime) -> int:
    lock(connection, member)
    found = connection.execute(_MATURING, {"member": member, "moment": now}).all()
    if not found:
        return 0
    debt, legs = -ledger.balances(connection, member)["owed"], []
    for lot in found:
        repaid = min(debt, lot.remaining)
        debt -= repaid
        legs += [
            Leg("pending", -lot.remaining, member, lot=lot.id),
            Leg("owed", repaid, member),
            Leg("points", lot.remaining - repaid, member, expires_at=lot.expires_at, order=lot.order_id),
        ]
    # the place in the chain: what has matured once may mature again, after it was put back
    key = f"mature:{member}:{connection.scalar(_SEQ, {'member': member})}"
    moved = [leg for leg in legs if leg.amount]
    ledger.post(connection, Booking(key, "mature", SYSTEM.name, now, moved, "积分可用"))
    return sum(lot.remaining for lot in found)


def undo(connection: Connection, rules: Rules, movement: int, *, by: Actor, reason: str, now: datetime) -> int:
    """Reverse a movement, lot by lot, once; return the reversal.

    MemberError('insufficient') when what it gave is gone, ('member_merged') when it was another member's. Pending
    points that matured since are taken as points; a debt that was repaid since comes back as points.
    """
    for member, state in sorted(connection.execute(_OF_MOVEMENT, {"movement": movement})):
        if state == "merged":
            raise MemberError("member_merged")
        lock(connection, member)
    key = f"undo:{movement}"
    known = ledger.find(connection, key)
    if known is not None:
        return known
    booking = ledger.reversal(connection, movement, key=key, actor=by.name, at=now, reason=reason)
    legs = [leg for given in booking.legs for leg in _as_of_now(connection, rules, movement, given, now)]
    return ledger.post(connection, replace(booking, legs=legs, store_id=by.store)).id


def _as_of_now(connection: Connection, rules: Rules, movement: int, leg: Leg, now: datetime) -> list[Leg]:
    """Return the legs that undo one leg today: what it moved may stand on another account by now."""
    other = leg
    if leg.member is not None and leg.account == "owed" and leg.amount > 0:
        still = min(leg.amount, -ledger.balances(connection, leg.member)["owed"])
        other = Leg("points", leg.amount - still, leg.member, expires_at=expires_at(rules, now))
        leg = replace(leg, amount=still)
    elif leg.member is not None and leg.account == "pending" and leg.amount < 0:
        still = min(-leg.amount, int(connection.execute(_STILL_PENDING, {"movement": movement}).scalar_one()))
        other = Leg("points", leg.amount + still, leg.member)
        leg = replace(leg, amount=-still)
    return [part for part in dict.fromkeys((leg, other)) if part.amount]
