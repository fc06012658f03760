"""What staff did that moved value: recorded once, counted against every limit, summed up by day, undone within a time.

A limit is counted when the deed is done and given back when it is undone; what was counted stands in the deed, so that
rules that change meanwhile give back neither more nor less.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from members import limits
from members.errors import MemberError
from members.limits import Period
from members.rules import Rules, StaffLimits, StoreLimits
from members.staffing import Server, may_manage
from members.tables import StaffDeed, table

_deeds = table(StaffDeed)
FEN = 100
NEWEST = 5
_BY_KEY = select(_deeds).where(_deeds.c.key == bindparam("which"))
_ONE = select(_deeds).where(_deeds.c.id == bindparam("which"))
_LAST = (
    select(_deeds)
    .where(_deeds.c.staff_id == bindparam("who"), _deeds.c.state == "done")
    .order_by(_deeds.c.id.desc())
    .limit(bindparam("many"))
)
_LAST_OF = _LAST.where(_deeds.c.kind == bindparam("kind"))
_CLAIM = (
    update(_deeds)
    .where(_deeds.c.id == bindparam("which"), _deeds.c.state == "done", _deeds.c.undo_until > bindparam("moment"))
    .values(state="undone", undone_at=bindparam("moment"), undone_by=bindparam("by"))
)
_SUMS = (
    select(
        _deeds.c.staff_id, _deeds.c.store_id, _deeds.c.kind, _deeds.c.state, func.count().label("times"),
        func.sum(_deeds.c.count).label("copies"), func.sum(_deeds.c.amount).label("amount"),
    )
    .where(_deeds.c.at >= bindparam("since"), _deeds.c.at < bindparam("until"))
    .group_by(_deeds.c.staff_id, _deeds.c.store_id, _deeds.c.kind, _deeds.c.state)
    .order_by(_deeds.c.staff_id, _deeds.c.kind)
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Deed:
    """One deed: `amount` in 分, or points for the kind `points`; `detail` holds the ids of what was made."""

    id: int
    staff: int
    store: str | None
    member: int | None
    at: datetime
    kind: str
    amount: int
    count: int
    detail: Mapping[str, Any]
    state: str
    undo_until: datetime | None
    approved_by: str = ""


@dataclass(frozen=True, slots=True)
class Sum:
    """What one person did of one kind in a stretch of time; `undone` of it was taken back and is not in the figures."""

    staff: int
    store: str | None
    kind: str
    times: int
    count: int
    amount: int
    undone: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a deed would come to: `amount` in 分 or points (below zero: taken off), `count` of coupons."""

    kind: str
    member: int | None
    amount: int = 0
    count: int = 1


# a plan that is sold takes money like a top-up does, stored value paid out gives it like a refund: they count together
# kind → (limit of a shift, its counter, unit: 1 of the rule in what is counted, the text that refuses)
_SHIFT = {
    "issue": ("coupons_per_shift", "coupons", 1, "staff_limit"),
    "points": ("adjust_points_per_shift", "points", 1, "staff_limit_points"),
    "topup": ("topup_per_shift", "topup", FEN, "staff_limit_topup"),
    "plan": ("topup_per_shift", "topup", FEN, "staff_limit_plan"),
    "refund": ("refund_per_shift", "refund", FEN, "staff_limit_refund"),
    "cash_out": ("refund_per_shift", "refund", FEN, "staff_limit_refund"),
}
_STORE = {
    "issue": ("coupons_per_day", "coupons", 1, "store_limit"),
    "points": ("adjust_points_per_day", "points", 1, "store_limit_points"),
    "topup": ("topup_per_day", "topup", FEN, "store_limit_topup"),
    "plan": ("topup_per_day", "topup", FEN, "store_limit_plan"),
    "refund": ("refund_per_day", "refund", FEN, "store_limit_refund"),
    "cash_out": ("refund_per_day", "refund", FEN, "store_limit_refund"),
}
_SINGLE = {
    "points": ("adjust_points", 1, "staff_most_points"), "sale": ("sale", FEN, "staff_most_sale"),
    "topup": ("topup", FEN, "staff_most_topup"), "plan": ("topup", FEN, "staff_most_plan"),
    "refund": ("refund", FEN, "staff_most_refund"), "cash_out": ("refund", FEN, "staff_most_refund"),
}  # fmt: skip
_FOUR_EYES = {
    "points": ("four_eyes_over", 1), "topup": ("four_eyes_over_yuan", FEN), "refund": ("four_eyes_over_yuan", FEN),
    "issue": ("four_eyes_over_coupons", 1), "plan": ("four_eyes_over_yuan", FEN),
    "cash_out": ("four_eyes_over_yuan", FEN),
}  # fmt: skip


def _size(wanted: Wanted) -> int:
    return wanted.count if wanted.kind == "issue" else abs(wanted.amount)


def check(rules: Rules, staff: Server, wanted: Wanted) -> None:
    """Refuse a single deed that this role may never do, whatever else was done (MemberError)."""
    own = rules.staff.of(staff.role)
    if wanted.kind == "issue" and wanted.count > rules.staff.coupons_at_once:
        raise MemberError("staff_at_once", most=rules.staff.coupons_at_once)
    name, unit, refusal = _SINGLE.get(wanted.kind, ("", 1, ""))
    most = getattr(own, name) if name else None
    if most is not None and _size(wanted) > most * unit:
        raise MemberError(refusal, most=f"{most:,}")


def needs_approval(rules: Rules, staff: Server, wanted: Wanted) -> bool:
    """Tell whether a second pair of eyes must see the deed first."""
    name, unit = _FOUR_EYES.get(wanted.kind, ("", 1))
    over = getattr(rules.staff.of(staff.role), name) if name else None
    return over is not None and _size(wanted) > over * unit


def count(
    connection: Connection, rules: Rules, staff: Server, wanted: Wanted, *, now: datetime
) -> list[tuple[str, str, int]]:
    """Count a deed against the limits of its shift, its store and its member; return (key, period, many) of each.

    MemberError names the limit that refuses; whoever calls rolls back what was counted before it.
    """
    period = limits.business_day(now, rules.shop.zone, rules.shop.day_start)
    own, counted = rules.staff.of(staff.role), []
    for table_of, limit, owner in (
        (_SHIFT, own, f"staff:{staff.id}"), (_STORE, rules.staff.store_limits, f"store:{staff.store or '-'}"),
    ):  # fmt: skip
        if wanted.kind in table_of:
            counted += _take(connection, table_of[wanted.kind], limit, owner, period, _size(wanted))
    if wanted.member is not None and own.per_member_per_day is not None:
        key, most = f"staff:{staff.id}:member:{wanted.member}", own.per_member_per_day
        limits.take(connection, key, period, most, refusal="staff_limit_member")
        counted.append((key, period.since.isoformat(), 1))
    return counted


def _take(
    connection: Connection, row: tuple[str, str, int, str], of: StaffLimits | StoreLimits, owner: str, period: Period,
    many: int,
) -> list[tuple[str, str, int]]:  # fmt: skip
    name, counter, unit, refusal = row
    most = getattr(of, name)
    if most is None:
        return []
    key = f"{owner}:{counter}"
    try:
        limits.take(connection, key, period, most * unit, refusal=refusal, many=many)
    except MemberError as refused:
        raise MemberError(refused.code, most=f"{most:,}", at=period.until) from None
    return [(key, period.since.isoformat(), many)]


def record(
    connection: Connection, rules: Rules, staff: Server, wanted: Wanted, *, key: str, detail: Mapping[str, Any],
    counted: Sequence[tuple[str, str, int]], approved_by: str = "", now: datetime,
) -> Deed:  # fmt: skip
    """Write a deed down, once per key (IntegrityError otherwise); it can be undone for `staff.undo_minutes`."""
    until = now + timedelta(minutes=rules.staff.undo_minutes)
    row = {
        "key": key, "staff_id": staff.id, "store_id": staff.store, "member_id": wanted.member, "at": now,
        "kind": wanted.kind, "amount": wanted.amount, "count": wanted.count, "state": "done", "undo_until": until,
        "undone_at": None, "undone_by": "", "approved_by": approved_by,
        "detail": {**detail, "counted": [list(one) for one in counted]},
    }  # fmt: skip
    return _deed(connection.execute(insert(_deeds).returning(*_deeds.c), row).one())


def _deed(row: Row[Any]) -> Deed:
    return Deed(
        row.id, row.staff_id, row.store_id, row.member_id, row.at, row.kind, row.amount, row._mapping["count"],
        row.detail or {}, row.state, row.undo_until, row.approved_by,
    )  # fmt: skip


def by_key(connection: Connection, key: str) -> Deed | None:
    """Return the deed that was done under this key."""
    row = connection.execute(_BY_KEY, {"which": key}).one_or_none()
    return None if row is None else _deed(row)


def newest(connection: Connection, staff: int, *, many: int = NEWEST) -> list[Deed]:
    """Return what a person did last and has not undone, newest first."""
    return [_deed(row) for row in connection.execute(_LAST, {"who": staff, "many": many})]


def undoable(connection: Connection, staff: Server, number: int | None, *, kind: str = "", now: datetime) -> Deed:
    """Return the deed to undo: the last one of this person, or a numbered one of theirs or of whom they manage.

    Only of `kind` where that is given. MemberError: deed_none (deed_none_topup and so on for a kind), deed_unknown
    (also what is not theirs to undo, or of another kind), deed_undone, deed_late.
    """
    if number is None:
        deed = _last_own(connection, staff.id, kind)
    else:
        row = connection.execute(_ONE, {"which": number}).one_or_none()
        theirs = row is not None and (row.staff_id == staff.id or may_manage(staff, row.store_id))
        if row is None or not theirs or kind not in ("", row.kind):
            raise MemberError("deed_unknown", number=number)
        deed = _deed(row)
    if deed.state != "done":
        raise MemberError("deed_undone", number=deed.id)
    if deed.undo_until is None or deed.undo_until <= now:
        raise MemberError("deed_late", number=deed.id)
    return deed


def _last_own(connection: Connection, staff: int, kind: str) -> Deed:
    query, of = (_LAST_OF, {"kind": kind}) if kind else (_LAST, {})
    row = connection.execute(query, {"who": staff, "many": 1, **of}).one_or_none()
    if row is None:
        raise MemberError(f"deed_none_{kind}" if kind else "deed_none")
    return _deed(row)


def take_back(connection: Connection, deed: Deed, *, by: str, now: datetime) -> None:
    """Mark a deed as undone, once, and give back what it had counted; MemberError('deed_undone', 'deed_late')."""
    if connection.execute(_CLAIM, {"which": deed.id, "moment": now, "by": by}).rowcount != 1:
        late = deed.undo_until is None or deed.undo_until <= now
        raise MemberError("deed_late" if late else "deed_undone", number=deed.id)
    for key, since, many in deed.detail.get("counted", ()):
        start = datetime.fromisoformat(since)
        limits.give_back(connection, key, Period(start, start + timedelta(days=1)), many)


def sums(connection: Connection, since: datetime, until: datetime) -> list[Sum]:
    """Return what everybody did in [since, until), by person, store and kind."""
    done: dict[tuple[int, str | None, str], tuple[int, int, int]] = {}
    undone: dict[tuple[int, str | None, str], int] = {}
    for row in connection.execute(_SUMS, {"since": since, "until": until}):
        who = (row.staff_id, row.store_id, row.kind)
        done.setdefault(who, (0, 0, 0))
        if row.state == "done":
            done[who] = (int(row.times), int(row.copies), int(row.amount))
        else:
            undone[who] = int(row.times)
    return [Sum(*who, *figures, undone.get(who, 0)) for who, figures in done.items()]
