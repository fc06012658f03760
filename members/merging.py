"""Two members who turn out to be one person: joined with all they own, and parted again with what is still there.

Value moves by entries of the ledger, everything else by rows that change owner; each thing that went along is noted, so
that the way back is exact. Identities never move: they end on one member and begin on the other. Both members are held
in the order of their ids, so that opposite merges at once neither block each other nor both happen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from members import (
    audit,
    children,
    erasing,
    identity,
    inferring,
    ledger,
    merging_history,
    merging_profile,
    merging_rows,
    merging_value,
    scores,
    tails,
    tiers,
)
from members.audit import Actor
from members.errors import MemberError
from members.merging_rows import Pair
from members.rules import Rules
from members.tables import Identity, Member, table
from members.tables import Merge as MergeRow
from members.vault import Vault

members, identities, merges = table(Member), table(Identity), table(MergeRow)
LONGEST_REASON = 200

_HOLD = select(members.c.id).where(members.c.id == bindparam("member")).with_for_update()
_STATE = select(members.c.state, members.c.merged_into).where(members.c.id == bindparam("member"))
_JOIN = (
    update(members)
    .where(members.c.id == bindparam("member"), members.c.state == "active")
    .values(state="merged", merged_into=bindparam("into"))
)
_PART = (
    update(members)
    .where(
        members.c.id == bindparam("member"), members.c.state == "merged", members.c.merged_into == bindparam("into")
    )
    .values(state="active", merged_into=None)
)  # fmt: skip
_SET_DETAIL = update(merges).where(merges.c.id == bindparam("which")).values(detail=bindparam("facts"))
_UNDO = (
    update(merges)
    .where(merges.c.id == bindparam("which"), merges.c.undone_at.is_(None))
    .values(undone_at=bindparam("moment"), undone_by=bindparam("who"))
)
_END = (
    update(identities)
    .where(identities.c.id == bindparam("row"), identities.c.ended_at.is_(None))
    .values(ended_at=bindparam("moment"), ended_by=bindparam("mark"))
)
_ACTIVE = (
    select(identities)
    .where(
        identities.c.member_id == bindparam("member"), identities.c.ended_at.is_(None), identities.c.kind != tails.KIND
    )
    .order_by(identities.c.id)
)


@dataclass(frozen=True, slots=True)
class Merge:
    """What a merge carried over: value by account (points or 分), and how many coupons, orders and identities."""

    id: int
    source: int
    target: int
    moved: Mapping[str, int]
    coupons: int
    orders: int
    identities: int


@dataclass(frozen=True, slots=True)
class Unmerged:
    """What came back of a merge, and what did not: by account, and numbers of coupons, orders and identities."""

    id: int
    source: int
    target: int
    returned: Mapping[str, int]
    missing: Mapping[str, int]
    coupons: int
    orders: int
    identities: int


def merge(
    connection: Connection, vault: Vault, rules: Rules, source: int, target: int, *, by: Actor, reason: str,
    now: datetime,
) -> Merge:  # fmt: skip
    """Make `source` part of `target` with everything owned.

    MemberError: merge_same, merge_gone (erased or unknown), merge_merged (`into=` whom), merge_reason, merge_leaving
    (one of them has asked to be erased: that wish is theirs alone, and goes before).
    """
    if source == target:
        raise MemberError("merge_same")
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise MemberError("merge_reason", most=LONGEST_REASON)
    _hold(connection, source, target)
    for member in (source, target):
        _must_be_active(connection, member)
        if erasing.waiting(connection, member) is not None:
            raise MemberError("merge_leaving", member=member)
    before = {"source": _owned(connection, source), "target": _owned(connection, target)}
    pair = Pair(_begin(connection, source, target, by, reason.strip(), now), source, target, by, now)
    value = merging_value.carry(connection, pair)
    rows = merging_rows.carry(connection, pair)
    many = _carry_identities(connection, vault, pair)
    _forget_inferred(connection, pair)  # before tags are carried: made anew tonight, from what is one person's now
    tags = merging_profile.carry_tags(connection, pair)
    for child in children.hand_over(connection, vault, source, target):
        merging_rows.note(connection, pair.id, "child", str(child))
    merging_profile.carry_consents(connection, pair)
    profile = merging_profile.carry_profile(connection, rules, pair)
    if connection.execute(_JOIN, {"member": source, "into": target}).rowcount != 1:
        raise MemberError("busy")
    done = Merge(pair.id, source, target, value.moved, rows["coupon"], rows["order"], many)
    facts = {"moved": dict(value.moved), "rows": rows, "identities": many, "tags": tags, "profile": profile}
    connection.execute(_SET_DETAIL, {"which": pair.id, "facts": facts})
    detail = {"merge": pair.id, "source": source, "target": target, "reason": reason.strip()}
    _write_audit(connection, pair, "member.merge", detail, before)
    return done


def unmerge(
    connection: Connection, vault: Vault, rules: Rules, merge_id: int, *, by: Actor, now: datetime
) -> Unmerged:  # fmt: skip
    """Part the two members of a merge; what is gone meanwhile is named, never made up for; their tiers are reviewed.

    MemberError: merge_unknown, merge_undone, merge_covered (the target was itself merged later: undo that first).
    """
    row = connection.execute(select(merges).where(merges.c.id == merge_id)).one_or_none()
    if row is None:
        raise MemberError("merge_unknown")
    pair = Pair(merge_id, row.source_id, row.target_id, by, now)
    _hold(connection, pair.source, pair.target)
    if connection.execute(_UNDO, {"which": merge_id, "moment": now, "who": by.name}).rowcount != 1:
        raise MemberError("merge_undone", at=row.undone_at or now)
    if connection.execute(_STATE, {"member": pair.target}).one().state != "active":
        raise MemberError("merge_covered")
    if connection.execute(_PART, {"member": pair.source, "into": pair.target}).rowcount != 1:
        raise MemberError("merge_gone", member=pair.source)
    before = {"source": _owned(connection, pair.source), "target": _owned(connection, pair.target)}
    value = merging_value.bring_back(connection, pair)
    done = _bring_back(connection, vault, pair, row, value)
    _forget_inferred(connection, pair)
    for member in sorted((pair.source, pair.target)):
        tiers.review(connection, rules, member, by=by, now=now)
    detail = {"merge": merge_id, "source": pair.source, "target": pair.target, "missing": dict(done.missing)}
    _write_audit(connection, pair, "member.unmerge", detail, before)
    return done


def present(connection: Connection, member: int) -> int:
    """Return the member that this one is part of by now: itself, unless it was merged."""
    row = connection.execute(_STATE, {"member": member}).one_or_none()
    while row is not None and row.state == "merged" and row.merged_into is not None:
        member = row.merged_into
        row = connection.execute(_STATE, {"member": member}).one_or_none()
    return member


def _forget_inferred(connection: Connection, pair: Pair) -> None:
    scores.drop(connection, [pair.source, pair.target])
    inferring.end(connection, [pair.source, pair.target], now=pair.now)


def _hold(connection: Connection, *pair: int) -> None:
    for member in sorted(pair):
        connection.execute(_HOLD, {"member": member})


def _must_be_active(connection: Connection, member: int) -> None:
    row = connection.execute(_STATE, {"member": member}).one_or_none()
    if row is not None and row.state == "merged":
        raise MemberError("merge_merged", member=member, into=row.merged_into)
    if row is None or row.state != "active":
        raise MemberError("merge_gone", member=member)


def _begin(connection: Connection, source: int, target: int, by: Actor, reason: str, now: datetime) -> int:
    row = {
        "source_id": source, "target_id": target, "at": now, "by": by.name, "reason": reason, "undone_at": None,
        "undone_by": "", "detail": {},
    }  # fmt: skip
    return int(connection.execute(insert(merges).returning(merges.c.id), row).scalar_one())


def _carry_identities(connection: Connection, vault: Vault, pair: Pair) -> int:
    found = connection.execute(_ACTIVE, {"member": pair.source}).all()
    for row in found:
        merging_rows.note(connection, pair.id, "identity", str(row.id))
        phone = _hand_over(connection, vault, row, pair.target, pair.mark, pair.now)
        if phone:
            tails.add(connection, vault, pair.target, phone, source=pair.mark, now=pair.now)
    tails.end(connection, pair.source, by=pair.mark, now=pair.now)
    return len(found)


def _return_identities(connection: Connection, vault: Vault, pair: Pair) -> int:
    mark, came = f"un{pair.mark}", _brought(connection, pair)
    phones = [_hand_over(connection, vault, row, pair.source, mark, pair.now) for row in came]
    tails.end(connection, pair.target, by=mark, now=pair.now)
    kept = merging_history.phones_of(connection, vault, pair.target)
    for member, numbers in ((pair.source, phones), (pair.target, kept)):
        for phone in filter(None, numbers):
            tails.add(connection, vault, member, phone, source=mark, now=pair.now)
    return len(came)


def _brought(connection: Connection, pair: Pair) -> list[Row[Any]]:
    """Return the target's identities that this merge brought, also those a later merge took along and gave back."""
    refs = [int(ref) for ref in merging_rows.noted(connection, pair.id, "identity")]
    known = select(identities.c.kind, identities.c.scope, identities.c.value).where(identities.c.id.in_(refs))
    theirs = {tuple(row) for row in connection.execute(known)}
    return [
        row
        for row in connection.execute(_ACTIVE, {"member": pair.target})
        if (row.kind, row.scope, row.value) in theirs and (row.source == pair.mark or row.source.startswith("unmerge:"))
    ]


def _hand_over(connection: Connection, vault: Vault, row: Row[Any], taker: int, mark: str, now: datetime) -> str:
    """End an identity where it is and begin it with the taker, sealed anew under the taker's key; return a phone."""
    sealed, plain = row.sealed, ""
    if sealed is not None:
        plain = vault.unseal(vault.member_key(connection, row.member_id), row.kind, sealed)
        sealed = vault.seal(vault.member_key(connection, taker), row.kind, plain)
    connection.execute(_END, {"row": row.id, "moment": now, "mark": mark})
    identity.add(connection, taker, row.kind, row.scope, row.value, source=mark, now=now, sealed=sealed)
    return plain if row.kind == "phone" else ""


def _bring_back(
    connection: Connection, vault: Vault, pair: Pair, row: Row[Any], value: merging_value.Value
) -> Unmerged:
    back, gone = merging_rows.bring_back(connection, pair)
    came = _return_identities(connection, vault, pair)
    merging_profile.return_tags(connection, pair)
    born = [int(child) for child in merging_rows.noted(connection, pair.id, "child")]
    children.hand_over(connection, vault, pair.target, pair.source, born)
    for member in (pair.target, pair.source):
        children.settle_tags(connection, member, by=pair.by, now=pair.now)
    merging_profile.return_consents(connection, pair, row.at)
    merging_profile.return_profile(connection, pair, row.detail["profile"])
    left = {
        "coupons": gone["coupon"], "orders": gone["order"], "identities": row.detail["identities"] - came,
    }  # fmt: skip
    missing = dict(value.missing) | {name: many for name, many in left.items() if many}
    counts = (back["coupon"], back["order"], came)
    return Unmerged(pair.id, pair.source, pair.target, value.moved, missing, *counts)


def _owned(connection: Connection, member: int) -> dict[str, int]:
    return {kind: amount for kind, amount in ledger.balances(connection, member).items() if amount}


def _write_audit(
    connection: Connection, pair: Pair, action: str, detail: Mapping[str, Any], before: Mapping[str, Any]
) -> None:
    """Write the deed to the trail of both members."""
    for side, member in (("target", pair.target), ("source", pair.source)):
        audit.write(
            connection, pair.by, action, member, detail, now=pair.now, before=before[side],
            after=_owned(connection, member),
        )  # fmt: skip
