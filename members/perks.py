"""What a tier or a bought plan brings besides points: used so many times a month."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects.postgresql import insert as upsert

from members import audit, plans, tiers
from members.audit import Actor
from members.clock import business_date
from members.errors import MemberError
from members.rules import PerkRule, Rules
from members.tables import PerkUse, table

UNLIMITED = 2**31 - 1
_uses = table(PerkUse)
_USED = select(_uses.c.perk, _uses.c.used).where(
    _uses.c.member_id == bindparam("member"), _uses.c.month == bindparam("first_day")
)
_USE = (
    upsert(_uses)
    .values(member_id=bindparam("m"), perk=bindparam("p"), month=bindparam("d"), used=1)
    .on_conflict_do_update(
        index_elements=[_uses.c.member_id, _uses.c.perk, _uses.c.month],
        set_={"used": _uses.c.used + 1},
        where=_uses.c.used < bindparam("most"),
    )
    .returning(_uses.c.used)
)


@dataclass(frozen=True, slots=True)
class Perk:
    """Something a member may have `per_month` times (None: always), and how often it was used this month."""

    name: str
    per_month: int | None
    used: int

    @property
    def left(self) -> int | None:
        """Return how often it may still be used this month, None when always."""
        return None if self.per_month is None else max(self.per_month - self.used, 0)


def of(connection: Connection, rules: Rules, member: int, now: datetime) -> list[Perk]:
    """Return what the member's tier and plan bring; of two with one name the more generous counts."""
    found: dict[str, PerkRule] = {}
    for perk in _granted(connection, rules, member, now):
        known = found.get(perk.name)
        if known is None or (known.per_month is not None and (perk.per_month or UNLIMITED) > known.per_month):
            found[perk.name] = perk
    if not found:
        return []
    rows = connection.execute(_USED, {"member": member, "first_day": month_of(rules, now)})
    used = {row.perk: row.used for row in rows}
    return [Perk(perk.name, perk.per_month, used.get(perk.name, 0)) for perk in found.values()]


def use(connection: Connection, rules: Rules, member: int, perk: str, *, by: Actor, now: datetime) -> Perk:
    """Use a perk once; MemberError('perk_none', perk=) or ('perk_used_up', perk=, most=) when the month's are used."""
    known = next((one for one in of(connection, rules, member, now) if one.name == perk), None)
    if known is None:
        raise MemberError("perk_none", perk=perk)
    most = UNLIMITED if known.per_month is None else known.per_month
    bound = {"m": member, "p": perk, "d": month_of(rules, now), "most": most}
    used = connection.execute(_USE, bound).scalar_one_or_none()
    if used is None:
        raise MemberError("perk_used_up", perk=perk, most=most)
    audit.write(
        connection, by, "perk.use", member, {"perk": perk}, now=now, before={"used": used - 1}, after={"used": used}
    )
    return Perk(perk, known.per_month, used)


def month_of(rules: Rules, now: datetime) -> date:
    """Return the first day of the shop's present month."""
    return business_date(now, rules.shop.zone, rules.shop.day_start).replace(day=1)


def _granted(connection: Connection, rules: Rules, member: int, now: datetime) -> list[PerkRule]:
    name = tiers.of_member(connection, member) or rules.loyalty.tiers[0].name
    tier = next((tier for tier in rules.loyalty.tiers if tier.name == name), None)
    plan = plans.rule_of(connection, rules.loyalty, member, now)
    return [*(tier.perks if tier else []), *(plan.perks if plan else [])]
