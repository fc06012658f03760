"""What is inferred of members as tags: put on, corrected and taken off as a whole, night by night.

Only tags of the recommender's own are touched: what a person said stands, and what staff took off does not come back.
Who wants nothing personal, has left or was merged carries none. What tells of children needs a child that was told with
a guardian's consent (PIPL art. 28 and 31).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from members import scores
from members.tables import Child, MemberTag, table
from members.tags import clean

BY, OF_CHILD = "recommend", "recommend:child"
OWN = (BY, OF_CHILD)
STEP = 0.05  # a confidence that moved less is left alone
SOURCE = "inferred"
tags, children = table(MemberTag), table(Child)
_OF: BindParameter[Any] = bindparam("of", expanding=True)
_CARRIED = select(tags.c.member_id, tags.c.tag, tags.c.source, tags.c.by, tags.c.confidence).where(
    tags.c.member_id.in_(_OF), tags.c.ended_at.is_(None)
)
_TAKEN_OFF = select(tags.c.member_id, tags.c.tag).where(tags.c.member_id.in_(_OF), tags.c.ended_by.like("staff:%"))
_PARENTS = select(children.c.member_id).where(children.c.member_id.in_(_OF), children.c.ended_at.is_(None))
_OWN = (tags.c.source == SOURCE) & ((tags.c.by == BY) | (tags.c.by == OF_CHILD))  # an IN list is refused by executemany
_NEW = upsert(tags)
_PUT = _NEW.on_conflict_do_update(
    index_elements=[tags.c.member_id, tags.c.tag],
    index_where=tags.c.ended_at.is_(None),
    set_={name: _NEW.excluded[name] for name in ("confidence", "at", "by")},
    where=_OWN,
)
_MINE = _OWN & tags.c.ended_at.is_(None)
_END = (
    update(tags)
    .where(tags.c.member_id == bindparam("whose"), tags.c.tag == bindparam("word"), _MINE)
    .values(ended_at=bindparam("moment"), ended_by=BY)
)
_END_CHILDLIKE = (
    update(tags)
    .where(tags.c.member_id == bindparam("whose"), tags.c.by == OF_CHILD, _MINE)
    .values(ended_at=bindparam("moment"), ended_by=BY)
)
_CARRIERS = select(tags.c.member_id).where(_MINE).distinct().order_by(tags.c.member_id)
_END_ALL = update(tags).where(tags.c.member_id.in_(_OF), _MINE).values(ended_at=bindparam("moment"), ended_by=BY)


def refresh(
    connection: Connection, wanted: Mapping[int, Mapping[str, float]], *, of_children: frozenset[str], now: datetime
) -> int:
    """Make the inferred tags of these members what is wanted ({member: {tag: confidence}}); return how many changed."""
    bound = {"of": list(wanted)}
    personal = set(scores.personal(connection, list(wanted), now))
    parents = set(connection.scalars(_PARENTS, bound))
    refused = {(row.member_id, row.tag) for row in connection.execute(_TAKEN_OFF, bound)}
    carried: dict[int, dict[str, tuple[bool, float]]] = defaultdict(dict)
    for member, tag, source, by, confidence in connection.execute(_CARRIED, bound):
        carried[member][tag] = (source == SOURCE and by in OWN, confidence)
    puts, ends = [], []
    for member, words in wanted.items():
        kept = {
            clean(tag): sure
            for tag, sure in words.items()
            if member in personal and (tag not in of_children or member in parents)
        }
        mine = carried[member]
        ends += [(member, tag) for tag, (own, _) in mine.items() if own and tag not in kept]
        puts += [
            (member, tag, sure)
            for tag, sure in kept.items()
            if (member, tag) not in refused and _changes(mine.get(tag), sure)
        ]
    if puts:
        connection.execute(_PUT, [_row(*one, OF_CHILD if one[1] in of_children else BY, now) for one in puts])
    if ends:
        connection.execute(_END, [{"whose": member, "word": tag, "moment": now} for member, tag in ends])
    return len(puts) + len(ends)


def _changes(carried: tuple[bool, float] | None, sure: float) -> bool:
    return carried is None or (carried[0] and abs(carried[1] - sure) >= STEP)


def _row(member: int, tag: str, sure: float, by: str, now: datetime) -> dict[str, object]:
    return {
        "member_id": member, "tag": tag, "source": SOURCE, "confidence": sure, "at": now, "by": by, "ended_by": "",
    }  # fmt: skip


def end(connection: Connection, wanted: Sequence[int], *, now: datetime) -> int:
    """Take every inferred tag off these members; return how many."""
    return connection.execute(_END_ALL, {"of": list(wanted), "moment": now}).rowcount


def end_of_children(connection: Connection, member: int, *, now: datetime) -> None:
    """Take off what tells of children when no child of the member is told any more."""
    if connection.execute(_PARENTS, {"of": [member]}).first() is None:
        connection.execute(_END_CHILDLIKE, {"whose": member, "moment": now})


def carriers(connection: Connection) -> list[int]:
    """Return who carries an inferred tag."""
    return list(connection.scalars(_CARRIERS))
