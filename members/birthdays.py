"""The member's birthday: gifts hang on it, so it is set once and changed at most once a year.

The year may be unknown; then the date is kept in UNKNOWN_YEAR, a leap year nobody living was born in. What was imported
or told at the till may be corrected at once: only what the member set themselves counts for the year.
"""

from datetime import date, datetime, timedelta

from sqlalchemy import Connection, bindparam, func, select, update

from members import audit
from members.audit import Actor
from members.clock import add_months
from members.errors import MemberError
from members.identity import lock
from members.tables import AuditLog, Member, table

UNKNOWN_YEAR = 1904
OLDEST = 120
YEARS_OF_CONSENT = 14
APART = timedelta(days=365)
ACTION = "member.birthday"
members, log = table(Member), table(AuditLog)
_OF = select(members.c.birthday).where(members.c.id == bindparam("member"))
_SET_AT = select(func.max(log.c.at)).where(log.c.member_id == bindparam("member"), log.c.action == ACTION)
_PUT = update(members).where(members.c.id == bindparam("which")).values(birthday=bindparam("born"))


def of_member(connection: Connection, member: int) -> date | None:
    """Return the birthday; its year may be UNKNOWN_YEAR."""
    found: date | None = connection.execute(_OF, {"member": member}).scalar_one()
    return found


def check(connection: Connection, member: int, born: date, *, today: date, now: datetime) -> None:
    """Refuse what can't be set now: MemberError birthday_wrong, birthday_young, birthday_same, birthday_wait (at=)."""
    if born.year != UNKNOWN_YEAR:
        if not add_months(today, -12 * OLDEST) <= born <= today:
            raise MemberError("birthday_wrong")
        if add_months(born, 12 * YEARS_OF_CONSENT) > today:
            raise MemberError("birthday_young", years=YEARS_OF_CONSENT)
    if of_member(connection, member) == born:
        raise MemberError("birthday_same")
    last: datetime | None = connection.execute(_SET_AT, {"member": member}).scalar_one()
    if last is not None and last + APART > now:
        raise MemberError("birthday_wait", at=last + APART)


def put(connection: Connection, member: int, born: date, *, by: Actor, today: date, now: datetime) -> None:
    """Set the birthday; the member is held, so that two messages at once don't both change it."""
    lock(connection, member)
    check(connection, member, born, today=today, now=now)
    connection.execute(_PUT, {"which": member, "born": born})
    audit.write(connection, by, ACTION, member, {}, now=now)
