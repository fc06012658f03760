"""What a member may know of their tier: why it is theirs, until when, and what the next one asks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection

from members import standing, tiers
from members.clock import business_date
from members.rules import Rules, TierRule
from members.standing import Demand


@dataclass(frozen=True, slots=True)
class Missing:
    """One threshold of the next tier: what there is of it (`there`) and what is still missing (`gap`, ≥ 0)."""

    demand: Demand
    there: int
    gap: int


@dataclass(frozen=True, slots=True)
class Outlook:
    """A member's tier; `until` is its last sure day, `grace` says what happens when that is over.

    `higher` is the next tier, None at the top; `missing` has every threshold of it.
    """

    rule: TierRule
    why: str
    until: date | None
    grace: tiers.GraceWarning | None
    higher: TierRule | None
    missing: Sequence[Missing]


def of(connection: Connection, rules: Rules, member: int, now: datetime) -> Outlook:
    """Return the outlook of a member; a tier that has left config.yaml is the first one."""
    levels, day = rules.loyalty.tiers, business_date(now, rules.shop.zone, rules.shop.day_start)
    held = tiers.held(connection, member)
    found = standing.figures(connection, levels, member, day)
    place = next((place for place, rule in enumerate(levels) if rule.name == held.tier), 0)
    higher = levels[place + 1] if place + 1 < len(levels) else None
    missing = []
    for demand in [] if higher is None else standing.demands(higher):
        there = standing.has(demand, found)
        missing.append(Missing(demand, there, max(demand.needed - there, 0)))
    until = held.tier_until if place and rules.loyalty.tier_policy.downgrade else None
    grace = tiers.warning(rules, held, found, day)
    return Outlook(levels[place], tiers.why(connection, member), until, grace, higher, missing)
