"""Checking in: points once per business day, more for days in a row; the ledger's own keys are the memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, bindparam, select

from members import identity, ledger, merging_history, points
from members.audit import Actor
from members.clock import business_date
from members.errors import MemberError
from members.rules import CheckinRule, Rules
from members.tables import Movement, table

LOOK_BACK = 32
_movements = table(Movement)
_KNOWN = select(_movements.c.key).where(_movements.c.key.in_(bindparam("keys", expanding=True)))


@dataclass(frozen=True, slots=True)
class CheckedIn:
    """What today's check-in brought (`created`: just now), how many days in a row it is, and the good points after."""

    points: int
    streak: int
    created: bool
    balance: int


def check_in(connection: Connection, rules: Rules, member: int, *, by: Actor, now: datetime) -> CheckedIn:
    """Check in once per business day; MemberError('checkin_off') where the shop has none.

    Whoever was merged into the member has checked in for them too, for as long as the merge holds.
    """
    rule = rules.loyalty.checkin
    if rule is None:
        raise MemberError("checkin_off")
    identity.lock(connection, member)
    day = business_date(now, rules.shop.zone, rules.shop.day_start)
    everyone = merging_history.family(connection, member)
    streak = 1 + days_before(connection, everyone, day)
    brought, key = worth(rule, streak), key_of(member, day)
    created = connection.execute(_KNOWN, {"keys": [key_of(one, day) for one in everyone]}).first() is None
    if created:
        reason = f"连续签到{streak}天" if streak > 1 else "签到"
        points.give(connection, rules, member, brought, key=key, kind="gift", by=by, reason=reason, now=now)
    return CheckedIn(brought, streak, created, ledger.good_points(connection, member, now)[0])


def worth(rule: CheckinRule, streak: int) -> int:
    """Return the points of the `streak`th day in a row; after the longest streak that brings more it counts anew."""
    if not rule.streak:
        return rule.points
    return rule.points + rule.streak.get((streak - 1) % max(rule.streak) + 1, 0)


def next_bonus(rule: CheckinRule, streak: int) -> tuple[int, int] | None:
    """Return (days still to come in a row, points more) of the next bonus after `streak` days, None without any."""
    if not rule.streak:
        return None
    place = (streak - 1) % max(rule.streak) + 1
    day = min((day for day in rule.streak if day > place), default=min(rule.streak) + max(rule.streak))
    return day - place, rule.streak.get(day, rule.streak[min(rule.streak)])


def days_before(connection: Connection, everyone: Sequence[int], day: date) -> int:
    """Return on how many days in a row up to the day before `day` one of these has checked in."""
    found, many = 0, LOOK_BACK
    while True:
        days = [day - timedelta(days=found + number) for number in range(1, many + 1)]
        keys = {day: {key_of(one, day) for one in everyone} for day in days}
        known = set(connection.scalars(_KNOWN, {"keys": sorted(set().union(*keys.values()))}))
        streak = next((number for number, day in enumerate(days) if not keys[day] & known), many)
        found += streak
        if streak < many:
            return found
        many *= 2


def key_of(member: int, day: date) -> str:
    """Return the ledger key of a member's check-in of a day."""
    return f"checkin:{member}:{day.isoformat()}"
