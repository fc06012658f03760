"""A member named by a till: found by any of their identities, made where nobody is, and completed with what is new.

A till has no SMS proof. So it never ties an openid to a member (that opens a chat to their value), never replaces a
phone, and a yes to messages does not undo the member's own no.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, bindparam, update

from members import adoption, audit, buyers, consent, identity
from members.audit import Actor
from members.errors import MemberError
from members.rules import Rules
from members.sales import Buyer
from members.tables import Identity, Member, table
from members.vault import Vault, normalise_phone

_members, _identities = table(Member), table(Identity)
_BIRTHDAY = (
    update(_members)
    .where(_members.c.id == bindparam("member"), _members.c.birthday.is_(None))
    .values(birthday=bindparam("born"))
)
_HOME = (
    update(_members)
    .where(_members.c.id == bindparam("member"), _members.c.home_store.is_(None))
    .values(home_store=bindparam("store"))
)
_END_ISSUED = (
    update(_identities)
    .where(
        _identities.c.member_id == bindparam("member"), _identities.c.kind == "card",
        _identities.c.source == "issued", _identities.c.ended_at.is_(None),
    )
    .values(ended_at=bindparam("moment"), ended_by=bindparam("by"))
)  # fmt: skip
OPENS = ("phone", "card", "shop")


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Who a till names: `named` by kind of identity (phone, card, shop as ISSUER:NUMBER, openid), and what it knows."""

    named: Mapping[str, str]
    store: str | None = None
    birthday: date | None = None
    consents: Mapping[str, bool] | None = None


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The member; `adopted` orders that an unknown buyer had made became theirs."""

    member: int
    created: bool
    adopted: int


def enrol(
    connection: Connection, vault: Vault, rules: Rules, who: Newcomer, *, app: str, by: Actor, now: datetime
) -> Enrolled:
    """Find or make a member; MemberError('bad_phone', 'member_conflict', 'member_unknown': an openid only finds)."""
    found = {
        kind: buyers.find(connection, vault, Buyer(kind, value), app=app, at=now, now=now)
        for kind, value in who.named.items()
    }
    known = {member for member in found.values() if member is not None}
    if len(known) > 1:
        raise MemberError("member_conflict")
    fresh = {kind: who.named[kind] for kind in OPENS if kind in found and found[kind] is None}
    if not known and not fresh:
        raise MemberError("member_unknown")
    member = _held(connection, known.pop()) if known else _made(connection, vault, rules, fresh, by, now)
    created = all(one is None for one in found.values())
    marks = [_add(connection, vault, member, kind, value, by, now) for kind, value in fresh.items()]
    _complete(connection, member, who, by, now)
    if created or fresh:
        action = "member.create" if created else "member.link"
        audit.write(connection, by, action, member, {"kinds": sorted(fresh)}, now=now)
    adopted = adoption.adopt(connection, vault, rules, member, marks, app=app, by=by, now=now) if marks else 0
    return Enrolled(member, created, adopted)


def _held(connection: Connection, member: int) -> int:
    held = buyers.hold(connection, member)
    if held is None:
        raise MemberError("member_unknown")
    return held.id


def _made(
    connection: Connection, vault: Vault, rules: Rules, fresh: Mapping[str, str], by: Actor, now: datetime
) -> int:
    member, _ = identity.create(connection, vault, tier=rules.loyalty.tiers[0].name, now=now)
    if "card" in fresh:  # a printed card takes the place of the one that was just issued
        connection.execute(_END_ISSUED, {"member": member, "moment": now, "by": by.name})
    return member


def _add(connection: Connection, vault: Vault, member: int, kind: str, text: str, by: Actor, now: datetime) -> str:
    """Add what nobody has; return the mark that orders of an unknown buyer carry. A second phone is refused."""
    if kind == "phone":
        if any(row.kind == "phone" for row in identity.of_member(connection, member)):
            raise MemberError("member_conflict")
        key, phone = vault.member_key(connection, member), normalise_phone(text)
        identity.add_phone(connection, vault, member, key, phone, source=by.name, now=now)
    else:
        issuer, _, number = text.partition(":") if kind == "shop" else ("", "", text.replace(" ", ""))
        identity.add(connection, member, kind, issuer, number, source=by.name, now=now)
    return buyers.mark(vault, Buyer(kind, text))


def _complete(connection: Connection, member: int, who: Newcomer, by: Actor, now: datetime) -> None:
    """Fill in what was not known; consents: a no always counts, a yes where the member has not said no."""
    if who.birthday is not None:
        connection.execute(_BIRTHDAY, {"member": member, "born": who.birthday})
    if who.store is not None:
        connection.execute(_HOME, {"member": member, "store": who.store})
    subject = consent.of_member(member)
    before = consent.topics(connection, subject) if who.consents else {}
    for topic, wanted in (who.consents or {}).items():
        if topic not in before or (before[topic][0] and not wanted):
            consent.answer(connection, subject, topic, wanted, source=by.name, now=now)
