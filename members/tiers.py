"""Tiers: which one a member holds, which one their spending deserves, how it rises and how it ends.

A tier is reached at once, kept through `tier_until`, then kept anew if it is still deserved; who no longer deserves it
is lowered when the days of grace are over. An upgrade that rested on money since given back is taken back at once. What
counts is what was paid less what was refunded, on the business days of a rolling time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, insert, select, update

from members import audit, notices, standing
from members.audit import Actor
from members.clock import business_date
from members.plans import PlanHeld, buy, plan_multiplier, plan_of
from members.rules import Rules, TierRule
from members.standing import Figures
from members.tables import Member, TierEvent, table

__all__ = [
    "GraceWarning",
    "PlanHeld",
    "Reviewed",
    "TierChange",
    "buy",
    "deserved",
    "grace_until",
    "held",
    "of_member",
    "plan_multiplier",
    "plan_of",
    "review",
    "review_all",
    "tell_change",
    "tell_grace",
    "warning",
    "why",
]

JOB = Actor("system", origin="job")


class Held(NamedTuple):
    """What a member holds; the tier is sure through the business day `tier_until`."""

    id: int
    tier: str
    tier_since: datetime | None
    tier_until: date | None
    state: str


_members, _events = table(Member), table(TierEvent)
_HELD = [_members.c[name] for name in Held._fields]
_TIER = select(_members.c.tier).where(_members.c.id == bindparam("member"))
_ONE = select(*_HELD).where(_members.c.id == bindparam("member"))
_LOCKED = _ONE.with_for_update()
_PAGE = (
    select(*_HELD)
    .where(_members.c.id > bindparam("after"), _members.c.state == "active")
    .order_by(_members.c.id)
    .limit(bindparam("many"))
)
_SET_TIER = (
    update(_members)
    .where(_members.c.id == bindparam("member"))
    .values(tier=bindparam("name"), tier_since=bindparam("moment"), tier_until=bindparam("last_day"))
)
_SET_UNTIL = update(_members).where(_members.c.id == bindparam("member")).values(tier_until=bindparam("last_day"))
_WHY = (
    select(_events.c.reason, _events.c.after)
    .where(_events.c.member_id == bindparam("member"))
    .order_by(_events.c.id.desc())
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class TierChange:
    """A tier that was changed just now, with the sentence (without its full stop) that says why."""

    member: int
    before: str
    after: str
    reason: str
    event: int
    risen: bool


@dataclass(frozen=True, slots=True)
class GraceWarning:
    """A tier whose period is over without being deserved: it is lowered after `last`; `missing` says what is there."""

    member: int
    tier: str
    last: date
    missing: str


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What one page of the nightly review did; `last` is the member to go on after, None when it is over."""

    changes: Sequence[TierChange]
    warnings: Sequence[GraceWarning]
    last: int | None


def of_member(connection: Connection, member: int) -> str:
    """Return the name of the member's tier."""
    return str(connection.execute(_TIER, {"member": member}).scalar_one())


def held(connection: Connection, member: int) -> Held:
    """Return what the member holds."""
    return Held(*connection.execute(_ONE, {"member": member}).one())


def why(connection: Connection, member: int) -> str:
    """Return why the member has this tier, '' when nothing was ever written about it."""
    row = connection.execute(_WHY, {"member": member}).one_or_none()
    return row.reason if row is not None and row.after == of_member(connection, member) else ""


def deserved(tiers: Sequence[TierRule], spent: int) -> TierRule:
    """Return the highest tier that `spent` 分 in twelve months reach by themselves: a tier asking for more is not."""
    by_spending = [tier for tier in tiers if not (tier.spend or tier.orders)]
    return [tier for tier in by_spending if spent >= tier.spend_12_months * 100][-1]


def review(connection: Connection, rules: Rules, member: int, *, by: Actor, now: datetime) -> TierChange | None:
    """Look at one member after a purchase or refund: raise at once, take back what rested on refunded money."""
    if len(rules.loyalty.tiers) == 1:
        return None
    return _settle(connection, rules, member, by, now)


def review_all(connection: Connection, rules: Rules, now: datetime, *, after: int = 0, limit: int = 500) -> Reviewed:
    """Look at the next `limit` active members: raise, keep anew, lower after the grace, and say who is in it."""
    rows = [Held(*row) for row in connection.execute(_PAGE, {"after": after, "many": limit})]
    if not rows:
        return Reviewed((), (), None)
    tiers, day = rules.loyalty.tiers, _day(rules, now)
    spending = standing.figures_between(connection, tiers, rows[0].id, rows[-1].id, day)
    changes, warnings = list[TierChange](), list[GraceWarning]()
    for row in rows:
        found = spending(row.id)
        if not _matters(tiers, row, found, day):
            continue
        change = _settle(connection, rules, row.id, JOB, now)
        if change is not None:
            changes.append(change)
        elif (warned := warning(rules, row, found, day)) is not None:
            warnings.append(warned)
    return Reviewed(changes, warnings, rows[-1].id)


def grace_until(rules: Rules, tier: str, until: date | None, found: Figures, day: date) -> date | None:
    """Return the last day of grace of a tier whose period is over and that is no longer deserved, else None."""
    policy, place = rules.loyalty.tier_policy, _place(rules.loyalty.tiers, tier)
    lost = standing.place_of(rules.loyalty.tiers, found) < (place or 0)
    if not (policy.downgrade and lost and until is not None and until < day):
        return None
    last = until + timedelta(days=policy.grace_days)
    return last if last >= day else None


def _matters(tiers: Sequence[TierRule], row: Held, found: Figures, day: date) -> bool:
    place = _place(tiers, row.tier)
    if place is None or standing.place_of(tiers, found) > place:
        return True
    return place > 0 and (row.tier_until is None or row.tier_until < day)


def _settle(connection: Connection, rules: Rules, member: int, by: Actor, now: datetime) -> TierChange | None:
    """Bring one member's tier up to date, holding the member until the transaction ends."""
    row = Held(*connection.execute(_LOCKED, {"member": member}).one())
    if row.state != "active":
        return None
    tiers, day = rules.loyalty.tiers, _day(rules, now)
    found = standing.figures(connection, tiers, member, day)
    place, due = _place(tiers, row.tier), standing.place_of(tiers, found)
    if place is None:
        return _moved(connection, rules, row, due, "等级方案有调整", by, now)
    if due > place:
        there, asked = standing.words(tiers[due], found)
        return _moved(connection, rules, row, due, f"{there},达到{tiers[due].name}({asked})", by, now)
    if place and due < place:
        lower = _rested_on_refunds(connection, rules, row, place, due)
        if lower is not None:
            return _lowered(connection, rules, row, lower, "退款后", found, by, now)
    _keep(connection, rules, row, place, due, day)
    if due < place and _over(rules, row, day):
        return _lowered(connection, rules, row, due, "", found, by, now)
    return None


def _rested_on_refunds(connection: Connection, rules: Rules, row: Held, place: int, due: int) -> int | None:
    """Return the place to fall back to when the tier was reached by money that was given back since, else None."""
    if row.tier_since is None:
        return None
    tiers, then = rules.loyalty.tiers, _day(rules, row.tier_since)
    gross = standing.place_of(tiers, standing.figures(connection, tiers, row.id, then, gross=True))
    net = standing.place_of(tiers, standing.figures(connection, tiers, row.id, then))
    lower = max(net, due)
    return lower if gross >= place > lower else None


def _keep(connection: Connection, rules: Rules, row: Held, place: int, due: int, day: date) -> None:
    """Date the period of a tier that has none, and begin a new one for a tier that is over and still deserved."""
    keep, until = rules.loyalty.tier_policy.keep, row.tier_until
    if not place or (until is not None and (until >= day or due < place)):
        return
    again = keep.after(day if until is None else until)
    last = again if again >= day else keep.after(day)
    connection.execute(_SET_UNTIL, {"member": row.id, "last_day": last})


def _over(rules: Rules, row: Held, day: date) -> bool:
    policy = rules.loyalty.tier_policy
    return policy.downgrade and row.tier_until is not None and day > row.tier_until + timedelta(days=policy.grace_days)


def warning(rules: Rules, row: Held, found: Figures, day: date) -> GraceWarning | None:
    """Return the warning of a member whose tier is in its days of grace, else None."""
    last = grace_until(rules, row.tier, row.tier_until, found, day)
    if last is None:
        return None
    tier = next(tier for tier in rules.loyalty.tiers if tier.name == row.tier)
    there, asked = standing.words(tier, found)
    return GraceWarning(row.id, row.tier, last, f"{there},保级需要 {asked}")


def _lowered(
    connection: Connection, rules: Rules, row: Held, place: int, because: str, found: Figures, by: Actor,
    now: datetime,
) -> TierChange:  # fmt: skip
    tiers = rules.loyalty.tiers
    there, asked = standing.words(next(tier for tier in tiers if tier.name == row.tier), found)
    reason = f"{because}{there},未达到{row.tier}({asked}),调整为{tiers[place].name}"
    return _moved(connection, rules, row, place, reason, by, now)


def _moved(
    connection: Connection, rules: Rules, row: Held, place: int, reason: str, by: Actor, now: datetime
) -> TierChange:
    tiers, day = rules.loyalty.tiers, _day(rules, now)
    name, before = tiers[place].name, _place(tiers, row.tier)
    last = rules.loyalty.tier_policy.keep.after(day) if place else None
    connection.execute(_SET_TIER, {"member": row.id, "name": name, "moment": now, "last_day": last})
    event = {"member_id": row.id, "at": now, "before": row.tier, "after": name, "reason": reason, "by": by.name}
    made = connection.execute(insert(_events).returning(_events.c.id), event).scalar_one()
    audit.write(
        connection, by, "tier.change", row.id, {"event": made}, now=now, before={"tier": row.tier}, after={"tier": name}
    )
    return TierChange(row.id, row.tier, name, reason, made, place > (before or 0))


def tell_change(
    connection: Connection, say: notices.Say, *, app: str, change: TierChange, now: datetime, except_openid: str = ""
) -> int:
    """Tell the member of a changed tier and why, once; return how many openids are told."""
    facts = {"before": change.before, "after": change.after, "reason": change.reason}
    text = "notice_tier" if change.risen else "notice_tier_lower"
    return notices.tell(
        connection, say, app=app, member=change.member, text=text, key=f"{change.event}", facts=facts, now=now,
        except_openid=except_openid,
    )  # fmt: skip


def tell_grace(connection: Connection, say: notices.Say, *, app: str, warning: GraceWarning, now: datetime) -> int:
    """Tell the member once that the tier ends unless it is reached again."""
    facts = {"tier": warning.tier, "last": day_words(warning.last), "missing": warning.missing}
    key = f"{warning.member}:{warning.last.isoformat()}"
    return notices.tell(
        connection, say, app=app, member=warning.member, text="notice_tier_grace", key=key, facts=facts, now=now
    )


def day_words(day: date) -> str:
    """Return a date as people write it: 2026年3月2日."""
    return f"{day.year}年{day.month}月{day.day}日"


def _place(tiers: Sequence[TierRule], name: str) -> int | None:
    """Return the place of a tier; '' is the first, and what has left config.yaml has none."""
    names = [tier.name for tier in tiers]
    return names.index(name) if name in names else None if name else 0


def _day(rules: Rules, moment: datetime) -> date:
    return business_date(moment, rules.shop.zone, rules.shop.day_start)
