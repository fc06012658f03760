"""Words that describe a member: put on and taken off, never deleted; what a person said outranks what was inferred."""

import unicodedata
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from members import audit
from members.audit import Actor
from members.errors import MemberError
from members.tables import MemberTag, table

LONGEST = 30
SOURCES = ("staff", "member", "inferred")
tags = table(MemberTag)

_ACTIVE = (tags.c.member_id == bindparam("member")) & tags.c.ended_at.is_(None)
_OF_MEMBER = (
    select(tags.c.tag, tags.c.source, tags.c.confidence, tags.c.at, tags.c.by).where(_ACTIVE).order_by(tags.c.id)
)
_EVER = (
    select(tags.c.id)
    .where(tags.c.member_id == bindparam("member"), tags.c.tag == bindparam("word"), tags.c.ended_by.like("staff:%"))
    .limit(1)
)
_PUT = upsert(tags)
_BETTER = (tags.c.source == "inferred") | (_PUT.excluded.source != "inferred")
_CHANGED = (tags.c.source != _PUT.excluded.source) | (tags.c.confidence != _PUT.excluded.confidence)
_PUT_BETTER = _PUT.on_conflict_do_update(
    index_elements=[tags.c.member_id, tags.c.tag],
    index_where=tags.c.ended_at.is_(None),
    set_={name: _PUT.excluded[name] for name in ("source", "confidence", "at", "by")},
    where=_BETTER & _CHANGED,
).returning(tags.c.id)
_END = (
    update(tags)
    .where(tags.c.member_id == bindparam("member"), tags.c.tag == bindparam("word"), tags.c.ended_at.is_(None))
    .values(ended_at=bindparam("moment"), ended_by=bindparam("who"))
)


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag a member carries: who says so, how sure it is (0 to 1), since when."""

    tag: str
    source: str
    confidence: float
    at: datetime
    by: str


def clean(text: str) -> str:
    """Return a tag as the books write it: full-width folded, outer `#` and blanks off; MemberError('bad_tag')."""
    word = unicodedata.normalize("NFKC", text).strip().strip("#").strip()
    if not word or len(word) > LONGEST or any(unicodedata.category(letter).startswith("C") for letter in word):
        raise MemberError("bad_tag", most=LONGEST)
    return word


def put(
    connection: Connection, member: int, tag: str, *, source: str, by: Actor, now: datetime, confidence: float = 1.0
) -> bool:
    """Put a tag on, or renew who says so and how sure it is; False when nothing changes.

    What is inferred never replaces what a person said, and does not come back after staff took it off.
    """
    if source not in SOURCES or not 0 <= confidence <= 1:
        raise ValueError(f"tag of source {source!r} with confidence {confidence}")
    word = clean(tag)
    if source == "inferred" and connection.execute(_EVER, {"member": member, "word": word}).first() is not None:
        return False
    row = {
        "member_id": member, "tag": word, "source": source, "confidence": confidence, "at": now, "by": by.name,
        "ended_by": "",
    }  # fmt: skip
    if connection.execute(_PUT_BETTER, row).scalar_one_or_none() is None:
        return False
    if source != "inferred":
        audit.write(connection, by, "member.tag", member, {"tag": word}, now=now, after={"source": source})
    return True


def take_off(connection: Connection, member: int, tag: str, *, by: Actor, now: datetime) -> bool:
    """End a tag; False when the member does not carry it."""
    word = clean(tag)
    bound = {"member": member, "word": word, "moment": now, "who": by.name}
    if connection.execute(_END, bound).rowcount != 1:
        return False
    audit.write(connection, by, "member.untag", member, {"tag": word}, now=now)
    return True


def of_member(connection: Connection, member: int) -> list[Tag]:
    """Return what the member carries, oldest first."""
    return [Tag(*row) for row in connection.execute(_OF_MEMBER, {"member": member})]


def put_many(connection: Connection, wanted: dict[int, list[str]], *, source: str, by: str, now: datetime) -> int:
    """Put tags on many members who carry none of them yet, for imports; return how many are new."""
    rows = [
        {
            "member_id": member, "tag": clean(word), "source": source, "confidence": 1.0, "at": now, "by": by,
            "ended_by": "",
        }
        for member, words in wanted.items()
        for word in dict.fromkeys(words)
    ]  # fmt: skip
    return sum(connection.execute(_PUT_BETTER, row).scalar_one_or_none() is not None for row in rows)
