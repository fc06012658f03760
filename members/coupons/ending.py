"""Coupons that end: marked in bounded batches, and announced once before."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Integer, bindparam, select, update

from members.coupons import kinds
from members.coupons.copies import OPEN, USABLE
from members.coupons.issuing import coupons
from members.coupons.kinds import templates

AT_ONCE = 500
LEARNT = timedelta(days=1)
_DUE = (
    select(coupons.c.id, coupons.c.template, coupons.c.reserved)
    .where(coupons.c.state.in_(("issued", "locked")), coupons.c.expires_at <= bindparam("moment"), OPEN)
    .order_by(coupons.c.expires_at, coupons.c.id)
    .limit(bindparam("most", type_=Integer()))
    .with_for_update(skip_locked=True)
)
_EXPIRE = (
    update(coupons)
    .where(coupons.c.id.in_(bindparam("due", expanding=True)), OPEN)
    .values(state="expired", reserved=0, locked_until=None, lock_key="")
)
_ENDING = (
    select(coupons.c.id, coupons.c.member_id, coupons.c.title, coupons.c.code, coupons.c.expires_at)
    .where(
        coupons.c.state.in_(("issued", "locked")), USABLE, coupons.c.noticed_at.is_(None),
        coupons.c.expires_at <= bindparam("until"), coupons.c.issued_at <= bindparam("learnt_by"),
        coupons.c.template.in_(bindparam("kinds", expanding=True)),
    )
    .order_by(coupons.c.member_id, coupons.c.expires_at, coupons.c.id)
    .limit(bindparam("most", type_=Integer()))
    .with_for_update(skip_locked=True)
)  # fmt: skip
_NOTICED = (
    update(coupons)
    .where(coupons.c.id.in_(bindparam("told", expanding=True)), coupons.c.noticed_at.is_(None))
    .values(noticed_at=bindparam("moment"))
)


@dataclass(frozen=True, slots=True)
class Ending:
    """A coupon its member should hear of: it ends soon."""

    id: int
    member: int
    title: str
    code: str
    expires_at: datetime


def expire_due(connection: Connection, now: datetime, *, limit: int | None = None) -> int:
    """Mark what ran out as expired, `limit` at most (None: all), and release what was committed; return how many.

    A copy that a till holds is left until its lock ends.
    """
    done = 0
    while limit is None or done < limit:
        most = AT_ONCE if limit is None else min(AT_ONCE, limit - done)
        rows = connection.execute(_DUE, {"moment": now, "most": most}).all()
        if not rows:
            break
        done += connection.execute(_EXPIRE, {"due": [row.id for row in rows], "moment": now}).rowcount
        released: Counter[str] = Counter()
        for row in rows:
            released[row.template] += row.reserved
        for template, amount in sorted(released.items()):
            if amount:
                kinds.commit(connection, template, -amount)
    return done


def due_to_announce(connection: Connection, now: datetime, *, limit: int = AT_ONCE) -> list[Ending]:
    """Return up to `limit` coupons that end within their template's notice_days, each once ever: it counts as told now.

    Not on the day it was issued: then its member has just heard of it.
    """
    found: list[Ending] = []
    for days, codes in sorted(_by_notice(connection).items()):
        bound = {
            "moment": now, "until": now + timedelta(days=days), "learnt_by": now - LEARNT, "kinds": codes,
            "most": limit - len(found),
        }  # fmt: skip
        rows = connection.execute(_ENDING, bound).all() if len(found) < limit else []
        if rows:
            connection.execute(_NOTICED, {"told": [row.id for row in rows], "moment": now})
            found += [Ending(*row) for row in rows]
    return sorted(found, key=lambda one: (one.member, one.expires_at, one.id))


def _by_notice(connection: Connection) -> dict[int, list[str]]:
    """Return {days before the end: templates announced then}."""
    found: dict[int, list[str]] = defaultdict(list)
    for row in connection.execute(select(templates.c.code, templates.c.rule)):
        days = kinds.rule_of(row.rule or {}).notice_days
        if days:
            found[days].append(row.code)
    return found
