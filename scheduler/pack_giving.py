"""The coupons of one member's pack into the books: a decision each, what is used up meanwhile left out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from members import coupons, decisions
from members.coupons import Issued
from members.errors import MemberError
from members.rules import CouponRule


@dataclass(frozen=True, slots=True)
class Given:
    """What a member got: the copies, the best first, and the decision of the best."""

    issued: Sequence[Issued]
    decision: int


def give(
    connection: Connection, member: int, wanted: Sequence[Mapping[str, Any]], rules: Mapping[str, CouponRule], *,
    campaign: str, key: str, common: Mapping[str, Any], by: str, zone: ZoneInfo, now: datetime,
) -> Given:  # fmt: skip
    """Issue the coupons of a pack within the caller's savepoint, each once per key; `common` joins each trace.

    A coupon that is refused (stock, budget, limits) takes its decision with it; the last refusal is raised when none is
    left. Decisions are written from the last to the best, so that 为什么 tells of the best first; copies the other way
    round, so that it leads the list of coupons.
    """

    def issue(one: Mapping[str, Any], decision: int) -> Issued:
        code = one["template"]
        return coupons.issue(
            connection, code, rules[code], member, key=f"{key}:{code}:{one['product'] or one['category']}", by=by,
            reason=one["reason"], zone=zone, now=now, decision=decision, title=one["title"],
        )  # fmt: skip

    reasons = [
        decisions.record(
            connection, member, campaign=campaign, template=one["template"], reason=one["reason"],
            trace={**one, **common}, now=now,
        )
        for one in reversed(wanted)
    ][::-1]  # fmt: skip
    pairs = list(zip(wanted, reasons, strict=True))
    whole = connection.begin_nested()
    try:
        issued = [issue(one, decision) for one, decision in pairs]
    except MemberError:
        whole.rollback()
        return _one_by_one(connection, pairs, issue)
    whole.commit()
    return Given(issued, reasons[0])


def _one_by_one(
    connection: Connection, pairs: Sequence[tuple[Mapping[str, Any], int]],
    issue: Callable[[Mapping[str, Any], int], Issued],
) -> Given:  # fmt: skip
    found: list[tuple[Issued, int]] = []
    last: MemberError | None = None
    for one, decision in pairs:
        savepoint = connection.begin_nested()
        try:
            found.append((issue(one, decision), decision))
        except MemberError as refusal:
            savepoint.rollback()
            decisions.withdraw(connection, decision)
            last = refusal
        else:
            savepoint.commit()
    if last is not None and not found:
        raise last
    return Given([issued for issued, _ in found], found[0][1])
