"""What a tier or a bought plan brings besides points: used so many times a month."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from members import audit, identity, plans, tiers
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
_GIVE_BACK = (
    update(_uses)
    .where(
        _uses.c.member_id == bindparam("m"), _uses.c.perk == bindparam("p"), _uses.c.month == bindparam("d"),
        _uses.c.used > 0,
    )
    .values(used=_uses.c.used - 1)
    .returning(_uses.c.used)
)  # fmt: skip


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
    done = used(connection, rules, member, now)
    return [Perk(perk.name, perk.per_month, done.get(perk.name, 0)) for perk in found.values()]


def use(connection: Connection, rules: Rules, member: int, perk: str, *, by: Actor, now: datetime) -> Perk:
    """Use a perk once; MemberError('perk_none', perk=) or ('perk_used_up', perk=, most=) when the month's are used."""
    identity.lock(connection, member)
    known = next((one for one in of(connection, rules, member, now) if one.name == perk), None)
    if known is None:
        raise MemberError("perk_none", perk=perk)
    most = UNLIMITED if known.per_month is None else known.per_month
    bound = {"m": member, "p": perk, "d": month_of(rules, now), "most": most}
    many = connection.execute(_USE, bound).scalar_one_or_none()
    if many is None:
        raise MemberError("perk_used_up", perk=perk, most=most)
    audit.write(
        connection, by, "perk.use", member, {"perk": perk}, now=now, before={"used": many - 1}, after={"used": many}
    )
    return Perk(perk, known.per_month, many)


def give_back(connection: Connection, member: int, perk: str, month: date, *, by: Actor, now: datetime) -> int:
    """Take one use of `month` (its first day) back; return how many are left used, or MemberError('perk_unused')."""
    left: int | None = connection.execute(_GIVE_BACK, {"m": member, "p": perk, "d": month}).scalar_one_or_none()
    if left is None:
        raise MemberError("perk_unused", perk=perk)
    detail = {"perk": perk, "month": month.isoformat()}
    audit.write(
        connection, by, "perk.give_back", member, detail, now=now, before={"used": left + 1}, after={"used": left}
    )
    return left


def used(connection: Connection, rules: Rules, member: int, now: datetime) -> dict[str, int]:
    """Return {perk: how often it was used this month}, also of those the member no longer has."""
    rows = connection.execute(_USED, {"member": member, "first_day": month_of(rules, now)})
    return {row.perk: row.used for row in rows if row.used}


def overdrawn(connection: Connection, rules: Rules, member: int, before: Mapping[str, int], now: datetime) -> bool:
    """Tell whether a perk was used since `before` (what `used` was then) more often than the member now may."""
    may = {perk.name: perk.per_month for perk in of(connection, rules, member, now)}
    done = used(connection, rules, member, now).items()
    return any((most := may.get(perk, 0)) is not None and many > max(most, before.get(perk, 0)) for perk, many in done)


def configured(rules: Rules) -> bool:
    """Tell whether any tier or plan brings a perk."""
    return any(tier.perks for tier in rules.loyalty.tiers) or any(plan.perks for plan in rules.loyalty.paid)


def month_of(rules: Rules, now: datetime) -> date:
    """Return the first day of the shop's present month."""
    return business_date(now, rules.shop.zone, rules.shop.day_start).replace(day=1)


def _granted(connection: Connection, rules: Rules, member: int, now: datetime) -> list[PerkRule]:
    name = tiers.of_member(connection, member) or rules.loyalty.tiers[0].name
    tier = next((tier for tier in rules.loyalty.tiers if tier.name == name), None)
    plan = plans.rule_of(connection, rules.loyalty, member, now)
    return [*(tier.perks if tier else []), *(plan.perks if plan else [])]
