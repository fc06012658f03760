"""What two merged members said and are: consents, tags, tier, profile. A no stays a no, the higher tier stays."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from members import consent, tiers
from members.merging_rows import Pair, note, noted
from members.rules import Rules
from members.tables import Consent, Member, MemberTag, TierEvent, table

members, tags, consents, events = table(Member), table(MemberTag), table(Consent), table(TierEvent)
PROFILE = ("tier", "tier_since", "tier_until", "home_store", "personalised", "birthday", "attention")
INSTANTS, DAYS = ("tier_since",), ("tier_until", "birthday")
RAISED, RESTORED = "会员合并,保留两者中较高的等级", "撤销会员合并,恢复原来的等级"

_TAGS = (
    select(tags.c.id, tags.c.tag, tags.c.confidence)
    .where(tags.c.member_id == bindparam("whose"), tags.c.ended_at.is_(None))
    .order_by(tags.c.id)
)
_PROFILE = select(*(members.c[name] for name in PROFILE)).where(members.c.id == bindparam("whose"))
_CONSENTS = (
    select(consents.c.topic, consents.c.granted, consents.c.at, consents.c.source)
    .where(consents.c.subject == bindparam("who"))
    .order_by(consents.c.topic)
)
_FORGET = delete(consents).where(consents.c.subject == bindparam("who"), consents.c.topic == bindparam("about"))


def carry_tags(connection: Connection, pair: Pair) -> int:
    """Hand the source's tags on; of a word both carry, the surer one stays. Return how many went along."""
    mine = {row.tag: row for row in connection.execute(_TAGS, {"whose": pair.target})}
    went = 0
    for row in connection.execute(_TAGS, {"whose": pair.source}).all():
        other = mine.get(row.tag)
        if other is not None and other.confidence >= row.confidence:
            _end_tag(connection, pair, row)
            continue
        if other is not None:
            _end_tag(connection, pair, other)
        note(connection, pair.id, "tag", str(row.id))
        connection.execute(update(tags).where(tags.c.id == row.id).values(member_id=pair.target))
        went += 1
    return went


def _end_tag(connection: Connection, pair: Pair, row: Any) -> None:
    note(connection, pair.id, "tag_ended", str(row.id))
    connection.execute(update(tags).where(tags.c.id == row.id).values(ended_at=pair.now, ended_by=pair.mark))


def return_tags(connection: Connection, pair: Pair) -> int:
    """Hand back the tags that are still on, and put on again what the merge ended; return how many went back."""
    went = [int(ref) for ref in noted(connection, pair.id, "tag")]
    still = tags.c.id.in_(went) & (tags.c.member_id == pair.target) & tags.c.ended_at.is_(None)
    back = connection.execute(update(tags).where(still).values(member_id=pair.source)).rowcount
    for ref in sorted(map(int, noted(connection, pair.id, "tag_ended"))):
        row = connection.execute(select(tags).where(tags.c.id == ref)).one()
        carried = {other.tag for other in connection.execute(_TAGS, {"whose": row.member_id})}
        if row.ended_by == pair.mark and row.tag not in carried:
            connection.execute(update(tags).where(tags.c.id == ref).values(ended_at=None, ended_by=""))
    return back


def carry_consents(connection: Connection, pair: Pair) -> None:
    """Give the target every answer of the source it has not given itself, and every refusal."""
    mine = {row.topic: row for row in _answers(connection, pair.target)}
    for row in _answers(connection, pair.source):
        own = mine.get(row.topic)
        if own is not None and (row.granted or not own.granted):
            continue
        before = None if own is None else {"granted": own.granted, "source": own.source, "at": own.at.isoformat()}
        note(connection, pair.id, "consent", row.topic, {"before": before})
        subject = consent.of_member(pair.target)
        consent.answer(connection, subject, row.topic, row.granted, source=pair.mark, now=pair.now)


def return_consents(connection: Connection, pair: Pair, since: datetime) -> None:
    """Take the carried answers off again where nobody answered since; a refusal made since holds for both."""
    subject = consent.of_member(pair.target)
    mine = {row.topic: row for row in _answers(connection, pair.target)}
    for row in mine.values():
        if not row.granted and row.at > since and row.source != pair.mark:
            _refuse_too(connection, pair, row.topic)
    for topic, detail in sorted(noted(connection, pair.id, "consent").items()):
        if topic not in mine or mine[topic].source != pair.mark:
            continue
        before = detail["before"]
        if before is None:
            connection.execute(_FORGET, {"who": subject, "about": topic})
            continue
        at = datetime.fromisoformat(before["at"])
        consent.answer(connection, subject, topic, before["granted"], source=f"un{pair.mark}", now=pair.now)
        said = (consents.c.subject == subject) & (consents.c.topic == topic)
        connection.execute(update(consents).where(said).values(source=before["source"], at=at))


def _refuse_too(connection: Connection, pair: Pair, topic: str) -> None:
    subject = consent.of_member(pair.source)
    if consent.topics(connection, subject).get(topic, (True, None))[0]:
        mark = f"un{pair.mark}"
        if topic == consent.PERSONALISED:
            consent.personalise(connection, pair.source, False, source=mark, now=pair.now)
        else:
            consent.answer(connection, subject, topic, False, source=mark, now=pair.now)


def _answers(connection: Connection, member: int) -> list[Row[Any]]:
    return list(connection.execute(_CONSENTS, {"who": consent.of_member(member)}))


def carry_profile(connection: Connection, rules: Rules, pair: Pair) -> dict[str, Any]:
    """Fill the target's profile from the source's, raise the tier where both together reach more; return the change."""
    before, theirs = _profile(connection, pair.target), _profile(connection, pair.source)
    values = {
        "personalised": before["personalised"] and theirs["personalised"],
        "home_store": before["home_store"] or theirs["home_store"],
        "birthday": before["birthday"] or theirs["birthday"],
        "attention": min((m for m in (before["attention"], theirs["attention"]) if m is not None), default=None),
    }
    order = {tier.name: place for place, tier in enumerate(rules.loyalty.tiers)}
    own, other = order.get(before["tier"], -1), order.get(theirs["tier"], -1)
    if other > own or (other == own and _ends(theirs) > _ends(before)):
        values |= {name: theirs[name] for name in ("tier", "tier_since", "tier_until")}
    _write(connection, pair, values)
    if other > own:
        _tell_tier(connection, pair, before["tier"], theirs["tier"], RAISED)
    tiers.review(connection, rules, pair.target, by=pair.by, now=pair.now)
    after = _profile(connection, pair.target)
    changed = [name for name in PROFILE if before[name] != after[name]]
    return {"before": {n: _text(before[n]) for n in changed}, "after": {n: _text(after[n]) for n in changed}}


def return_profile(connection: Connection, pair: Pair, change: Mapping[str, Any]) -> None:
    """Undo what the merge changed of the target's profile, where nothing has changed it since."""
    now = _profile(connection, pair.target)
    before, after = change["before"], change["after"]
    back = {name: _value(name, before[name]) for name in before if _text(now[name]) == after[name]}
    if "tier" in before and "tier" not in back:
        back = {name: value for name, value in back.items() if not name.startswith("tier")}
    if back:
        _write(connection, pair, back)
    if "tier" in back:
        _tell_tier(connection, pair, now["tier"], back["tier"], RESTORED)


def _profile(connection: Connection, member: int) -> dict[str, Any]:
    return dict(connection.execute(_PROFILE, {"whose": member}).one()._mapping)


def _ends(profile: Mapping[str, Any]) -> date:
    return profile["tier_until"] or date.min


def _write(connection: Connection, pair: Pair, values: Mapping[str, Any]) -> None:
    connection.execute(update(members).where(members.c.id == pair.target).values(dict(values)))


def _tell_tier(connection: Connection, pair: Pair, before: str, after: str, reason: str) -> None:
    row = {"member_id": pair.target, "at": pair.now, "before": before, "after": after, "reason": reason}
    connection.execute(insert(events), row | {"by": pair.by.name})


def _text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date | datetime) else value


def _value(name: str, stored: Any) -> Any:
    if stored is None:
        return None
    if name in INSTANTS:
        return datetime.fromisoformat(stored)
    return date.fromisoformat(stored) if name in DAYS else stored
