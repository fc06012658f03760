"""Which pushes a member refuses: all, a kind, or one campaign; what waits of it in the outbox goes with the no."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from members import consent, outbox
from members.consent import MARKETING, of_campaign, of_kind, of_member
from members.tables import Outbox, table

KINDS = ("marketing", "reminder")
SOURCE = "chat"
messages = table(Outbox)
_CAMPAIGNS = (
    select(messages.c.campaign)
    .where(messages.c.member_id == bindparam("member"), messages.c.campaign != "")
    .distinct()
    .order_by(messages.c.campaign)
)


def refuse_all(connection: Connection, member: int, *, note: str, now: datetime) -> bool:
    """Refuse everything pushed; False when it was refused already. What waits is cancelled in any case."""
    new = _answer(connection, member, MARKETING, False, now)
    for kind in KINDS:
        outbox.cancel(connection, member, kind=kind, note=note)
    return new


def refuse_kind(connection: Connection, member: int, kind: str, *, note: str, now: datetime) -> bool:
    """Refuse one kind; False when it was refused already, by itself or with everything."""
    whole = MARKETING in consent.refused_topics(connection, member)
    new = _answer(connection, member, of_kind(kind), False, now)
    outbox.cancel(connection, member, kind=kind, note=note)
    return new and not whole


def refuse_campaign(connection: Connection, member: int, campaign: str, *, note: str, now: datetime) -> bool:
    """Refuse one campaign; False when it was refused already."""
    new = _answer(connection, member, of_campaign(campaign), False, now)
    for kind in KINDS:
        outbox.cancel(connection, member, kind=kind, note=note, campaign=campaign)
    return new


def allow_all(connection: Connection, member: int, *, now: datetime) -> bool:
    """Take a refusal of everything back, else those of kinds and campaigns; False when there are none."""
    refused = consent.refused_topics(connection, member)
    back = {MARKETING} if MARKETING in refused else refused
    for topic in sorted(back):
        _answer(connection, member, topic, True, now)
    return bool(back)


def allow_kind(connection: Connection, member: int, kind: str, *, note: str, now: datetime) -> bool:
    """Allow one kind again; who had refused everything goes on refusing the other kinds. False when it was allowed."""
    refused = consent.refused_topics(connection, member)
    if not refused & {MARKETING, of_kind(kind)}:
        return False
    if MARKETING in refused:
        only(connection, member, kind, note=note, now=now)
    else:
        _answer(connection, member, of_kind(kind), True, now)
    return True


def allow_campaign(connection: Connection, member: int, campaign: str, *, now: datetime) -> bool:
    """Take the refusal of one campaign back; False when there was none."""
    refused = of_campaign(campaign) in consent.refused_topics(connection, member)
    return refused and _answer(connection, member, of_campaign(campaign), True, now)


def only(connection: Connection, member: int, kind: str, *, note: str, now: datetime) -> None:
    """Allow one kind and refuse every other."""
    for other in KINDS:
        _answer(connection, member, of_kind(other), other == kind, now)
        if other != kind:
            outbox.cancel(connection, member, kind=other, note=note)
    _answer(connection, member, MARKETING, True, now)


def known_campaigns(connection: Connection, member: int) -> list[str]:
    """Return the campaigns that have reached the member, or wait to."""
    return list(connection.scalars(_CAMPAIGNS, {"member": member}))


def _answer(connection: Connection, member: int, topic: str, granted: bool, now: datetime) -> bool:
    """Write an answer that differs from the present one (allowed, where none was given); tell whether it did."""
    present, _ = consent.topics(connection, of_member(member)).get(topic, (True, None))
    if present == granted:
        return False
    consent.answer(connection, of_member(member), topic, granted, source=SOURCE, now=now)
    return True
