"""Children of a member: the birth date sealed under the member's key, the life stage readable and a tag of the member.

A child under 14 is sensitive (PIPL art. 28 and 31): the caller has asked for consent, with the purpose named, before
anything is kept. At 14 the date is destroyed and the stage ends. A due date is kept like a birth date until the birth
date is told; then it replaces the due date.
"""

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from members import audit, inferring, tags
from members.audit import Actor
from members.errors import MemberError
from members.identity import lock
from members.life_stage import TAGS, of_code, stage_on
from members.tables import Child, Member, MemberTag, table
from members.vault import Vault

MOST = 6
FIELD = "child"
SAME_CHILD = timedelta(days=120)
JOB = Actor("system", origin="job")
children, members, member_tags = table(Child), table(Member), table(MemberTag)

_OF_MEMBER = (
    select(children.c.id, children.c.sealed, children.c.stage, children.c.stage_until)
    .where(children.c.member_id == bindparam("member"), children.c.ended_at.is_(None))
    .order_by(children.c.id)
)
_DUE = (
    select(children.c.id, children.c.member_id, children.c.sealed)
    .select_from(children.join(members, children.c.member_id == members.c.id))
    .where(
        children.c.ended_at.is_(None), children.c.stage_until <= bindparam("day"), members.c.state == "active",
        children.c.id > bindparam("after"),
    )
    .order_by(children.c.id)
    .limit(bindparam("many"))
)  # fmt: skip
_END = (
    update(children)
    .where(children.c.id == bindparam("child"), children.c.ended_at.is_(None))
    .values(ended_at=bindparam("moment"), sealed=b"", stage_until=None)
)
_MOVE = (
    update(children)
    .where(children.c.id == bindparam("child"), children.c.ended_at.is_(None))
    .values(stage=bindparam("code"), stage_until=bindparam("end"))
)
_OWN_TAGS = select(member_tags.c.tag).where(
    member_tags.c.member_id == bindparam("member"), member_tags.c.ended_at.is_(None),
    member_tags.c.source == "member", member_tags.c.tag.in_(sorted(TAGS)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Known:
    """A child as the member may read it: `born` is the birth date, or (`due`) the due date; a day or only a month."""

    id: int
    born: date
    due: bool
    month_only: bool
    stage: str


def add(
    connection: Connection, vault: Vault, member: int, born: date, *, due: bool = False, month_only: bool = False,
    source: str = "member", by: Actor, today: date, now: datetime,
) -> str:  # fmt: skip
    """Keep a child whose date the member has consented to; return the tag of its stage.

    A birth within four months of a due date is that child. MemberError: child_age (not −1…14 years, a due date past or
    a birth ahead), child_known, child_most.
    """
    lock(connection, member)
    found = stage_on(born, today)
    if found is None or due != (found[0].code == "pregnancy"):
        raise MemberError("child_age")
    known = of_member(connection, vault, member)
    if any(child.born == born and child.due == due for child in known):
        raise MemberError("child_known")
    expected = [child for child in known if child.due and abs(child.born - born) <= SAME_CHILD]
    if len(known) - len(expected) >= MOST:
        raise MemberError("child_most", most=MOST)
    for child in expected:
        connection.execute(_END, {"child": child.id, "moment": now})
    stage, end = found
    row = {
        "member_id": member, "stage": stage.code, "stage_until": end, "created_at": now, "source": source,
        "sealed": _seal(vault, vault.member_key(connection, member), born, due, month_only),
    }  # fmt: skip
    connection.execute(insert(children), row)
    # the audit trail stays for ever: it learns of the deed, neither date nor stage
    audit.write(connection, by, "member.child", member, {}, now=now)
    settle_tags(connection, member, by=by, now=now)
    return stage.tag


def _seal(vault: Vault, key: bytes, born: date, due: bool, month_only: bool) -> bytes:
    return vault.seal(key, FIELD, json.dumps({"born": born.isoformat(), "due": due, "month_only": month_only}))


def of_member(connection: Connection, vault: Vault, member: int) -> list[Known]:
    """Return the member's children, in the order they were told."""
    rows = connection.execute(_OF_MEMBER, {"member": member}).all()
    key = vault.member_key(connection, member) if rows else b""
    return [_known(vault, key, row) for row in rows]


def _known(vault: Vault, key: bytes, row: Any) -> Known:
    told = json.loads(vault.unseal(key, FIELD, row.sealed))
    return Known(row.id, date.fromisoformat(told["born"]), told["due"], told["month_only"], row.stage)


def tag_of(child: Known) -> str:
    """Return a child's stage as people read it."""
    stage = of_code(child.stage)
    return child.stage if stage is None else stage.tag


def remove(connection: Connection, member: int, child: int | None, *, by: Actor, now: datetime) -> int:
    """Forget one child, or (None) all of them: the sealed date is destroyed, the stage's tag goes; return how many."""
    lock(connection, member)
    rows = connection.execute(_OF_MEMBER, {"member": member}).all()
    gone = [row.id for row in rows if child in (None, row.id)]
    for one in gone:
        connection.execute(_END, {"child": one, "moment": now})
    if gone:
        audit.write(connection, by, "member.child_removed", member, {"children": len(gone)}, now=now)
        settle_tags(connection, member, by=by, now=now)
    return len(gone)


def settle_tags(connection: Connection, member: int, *, by: Actor, now: datetime) -> None:
    """Give the member the tags of their children's stages, and take off those of stages gone by."""
    stages = (of_code(row.stage) for row in connection.execute(_OF_MEMBER, {"member": member}))
    wanted = {stage.tag for stage in stages if stage is not None}
    carried = set(connection.scalars(_OWN_TAGS, {"member": member}))
    for tag in sorted(carried - wanted):
        tags.take_off(connection, member, tag, by=by, now=now)
    for tag in sorted(wanted - carried):
        tags.put(connection, member, tag, source="member", by=by, now=now)
    inferring.end_of_children(connection, member, now=now)


def move_along(
    connection: Connection, vault: Vault, today: date, *, after: int = 0, limit: int = 200, now: datetime
) -> tuple[int, int | None]:
    """Move up to `limit` children whose stage is over to the next; return (how many, the child to go on after).

    At 14 the date is destroyed. A stage moves by the calendar alone: a day without the job loses nothing.
    """
    rows = connection.execute(_DUE, {"day": today, "after": after, "many": limit}).all()
    for row in rows:
        told = json.loads(vault.unseal(vault.member_key(connection, row.member_id), FIELD, row.sealed))
        found = stage_on(date.fromisoformat(told["born"]), today)
        if found is None:
            connection.execute(_END, {"child": row.id, "moment": now})
        else:
            connection.execute(_MOVE, {"child": row.id, "code": found[0].code, "end": found[1]})
        settle_tags(connection, row.member_id, by=JOB, now=now)
    return len(rows), rows[-1].id if len(rows) == limit else None


def hand_over(
    connection: Connection, vault: Vault, giver: int, taker: int, wanted: list[int] | None = None
) -> list[int]:
    """Make children (`wanted`, else all) another member's, sealed anew under that one's key; return their ids."""
    rows = [
        row for row in connection.execute(_OF_MEMBER, {"member": giver}).all() if wanted is None or row.id in wanted
    ]
    if rows:
        old, new = vault.member_key(connection, giver), vault.member_key(connection, taker)
        for row in rows:
            sealed = vault.seal(new, FIELD, vault.unseal(old, FIELD, row.sealed))
            moved = update(children).where(children.c.id == row.id).values(member_id=taker, sealed=sealed)
            connection.execute(moved)
    return [row.id for row in rows]
