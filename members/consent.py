"""What a person agreed to or refused, per topic; the present answer and its whole history.

Of what is pushed a member may refuse all (`marketing`), a kind (`push:marketing`, `push:reminder`: the kinds of the
outbox) or one campaign (`marketing:NAME`).
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from members import inferring, scores
from members.tables import Consent, ConsentEvent, Member, table

consents, events, members = table(Consent), table(ConsentEvent), table(Member)
PERSONALISED = "personalised"
MARKETING = "marketing"
SMS = "sms"
_GET = select(consents.c.topic, consents.c.granted, consents.c.remaining).where(consents.c.subject == bindparam("who"))
_PUT = upsert(consents)
_PUT = _PUT.on_conflict_do_update(
    index_elements=[consents.c.subject, consents.c.topic],
    set_={name: _PUT.excluded[name] for name in ("granted", "remaining", "at", "source")},
)
_ADD_ONE = upsert(consents)
_ADD_ONE = _ADD_ONE.on_conflict_do_update(
    index_elements=[consents.c.subject, consents.c.topic],
    set_={"granted": True, "remaining": func.coalesce(consents.c.remaining, 0) + 1, "at": _ADD_ONE.excluded.at},
)
_USE_ONE = (
    update(consents)
    .where(consents.c.subject == bindparam("who"), consents.c.topic == bindparam("what"), consents.c.granted)
    .where(consents.c.remaining > 0)
    .values(remaining=consents.c.remaining - 1)
)


def of_member(member: int) -> str:
    """Return the consent subject of a member."""
    return f"member:{member}"


def of_openid(openid: str) -> str:
    """Return the consent subject of an openid."""
    return f"openid:{openid}"


def subscription(template_id: str) -> str:
    """Return the topic of one subscription template."""
    return f"subscription:{template_id}"


def answer(connection: Connection, subject: str, topic: str, granted: bool, *, source: str, now: datetime) -> None:
    """Write a yes or a no, and its event."""
    row = {"subject": subject, "topic": topic, "granted": granted, "remaining": None, "at": now, "source": source}
    connection.execute(_PUT, row)
    event = {"subject": subject, "topic": topic, "granted": granted, "at": now, "source": source}
    connection.execute(insert(events), event)


def add_one(connection: Connection, openid: str, template_id: str, *, source: str, now: datetime) -> None:
    """Count one accepted subscription pop-up: it carries one send, without time limit."""
    subject, topic = of_openid(openid), subscription(template_id)
    row = {"subject": subject, "topic": topic, "granted": True, "remaining": 1, "at": now, "source": source}
    connection.execute(_ADD_ONE, row)
    event = {"subject": subject, "topic": topic, "granted": True, "at": now, "source": source}
    connection.execute(insert(events), event)


def use_one(connection: Connection, openid: str, template_id: str) -> bool:
    """Use up one subscription consent; False when none is left."""
    bound = {"who": of_openid(openid), "what": subscription(template_id)}
    return connection.execute(_USE_ONE, bound).rowcount == 1


def topics(connection: Connection, subject: str) -> dict[str, tuple[bool, int | None]]:
    """Return {topic: (granted, remaining)} of a subject."""
    found = connection.execute(_GET, {"who": subject})
    return {row.topic: (row.granted, row.remaining) for row in found}


def of_kind(kind: str) -> str:
    """Return the topic of everything pushed of one kind of the outbox: marketing or reminder."""
    return f"push:{kind}"


def of_campaign(campaign: str) -> str:
    """Return the topic of one campaign."""
    return f"{MARKETING}:{campaign}"


def topics_of(kind: str, campaign: str) -> tuple[str, str, str]:
    """Return the topics whose refusal keeps a push of this kind and campaign from a member."""
    return MARKETING, of_kind(kind), of_campaign(campaign)


def may_market(connection: Connection, member: int, campaign: str = "", kind: str = "") -> bool:
    """Tell whether a push may reach the member: allowed until refused, as a whole, for its kind or its campaign."""
    answers = topics(connection, of_member(member))
    return all(answers.get(topic, (True, None))[0] for topic in topics_of(kind, campaign))


def refused_members(connection: Connection, about: Sequence[str] = (MARKETING,)) -> set[int]:
    """Return the members who refused any of these topics."""
    refused = select(consents.c.subject).where(consents.c.topic.in_(about), ~consents.c.granted)
    subjects = connection.execute(refused).scalars()
    return {int(subject.partition(":")[2]) for subject in subjects if subject.startswith("member:")}


def refused_topics(connection: Connection, member: int) -> set[str]:
    """Return what of the pushes the member has refused."""
    answers = topics(connection, of_member(member))
    about = (MARKETING, of_kind(""), of_campaign(""))
    return {topic for topic, (granted, _) in answers.items() if not granted and topic.startswith(about)}


def personalise(connection: Connection, member: int, wanted: bool, *, source: str, now: datetime) -> None:
    """Switch personalised offers on or off (PIPL art. 24); off, what was worked out and inferred is forgotten."""
    connection.execute(update(members).where(members.c.id == member).values(personalised=wanted))
    answer(connection, of_member(member), PERSONALISED, wanted, source=source, now=now)
    if not wanted:
        scores.drop(connection, [member])
        inferring.end(connection, [member], now=now)
