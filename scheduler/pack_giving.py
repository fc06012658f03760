"""The coupons of one member's pack into the books: a decision each, what is used up meanwhile left out."""

from collections.abc import Mapping, Sequence
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
    reasons = [
        decisions.record(
            connection, member, campaign=campaign, template=one["template"], reason=one["reason"],
            trace={**one, **common}, now=now,
        )
        for one in reversed(wanted)
    ][::-1]  # fmt: skip
    found: list[tuple[Issued, int]] = []
    refused: MemberError | None = None
    for one, decision in zip(wanted, reasons, strict=True):
        savepoint = connection.begin_nested()
        try:
            issued = coupons.issue(
                connection, one["template"], rules[one["template"]], member,
                key=f"{key}:{one['template']}:{one['product'] or one['category']}", by=by, reason=one["reason"],
                zone=zone, now=now, decision=decision, title=one["title"],
            )  # fmt: skip
        except MemberError as refusal:
            savepoint.rollback()
            decisions.withdraw(connection, decision)
            refused = refusal
            continue
        savepoint.commit()
        found.append((issued, decision))
    if not found:
        raise refused or MemberError("template_empty", title="")
    return Given([issued for issued, _ in found], found[0][1])
