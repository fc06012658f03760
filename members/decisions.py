"""Why this offer for this member: stored when it is made, read when the member asks 为什么."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from members.prepared import Prepared
from members.tables import Coupon, Decision, Outbox, table

decisions, coupons, outbox = table(Decision), table(Coupon), table(Outbox)
_COLUMNS = ("member_id", "campaign", "template", "at", "reason", "trace")
_PUT = Prepared(
    insert(decisions)
    .values({name: bindparam(f"v_{name}", type_=decisions.c[name].type) for name in _COLUMNS})
    .returning(decisions.c.id)
)
_WITHDRAW = delete(decisions).where(decisions.c.id == bindparam("which"))
_LATEST = (
    select(
        decisions.c.id, decisions.c.campaign, decisions.c.template, decisions.c.reason, decisions.c.trace,
        decisions.c.at, coupons.c.code, coupons.c.title, coupons.c.state.label("coupon_state"),
        outbox.c.state.label("sent_state"), outbox.c.channel,
    )
    .select_from(
        decisions.outerjoin(coupons, coupons.c.decision_id == decisions.c.id)
        .outerjoin(outbox, outbox.c.decision_id == decisions.c.id)
    )
    .where(decisions.c.member_id == bindparam("member"))
    .order_by(decisions.c.at.desc(), decisions.c.id.desc())
    .limit(bindparam("many"))
)  # fmt: skip
_BARE = (
    select(
        coupons.c.id, coupons.c.code, coupons.c.title, coupons.c.template, coupons.c.reason, coupons.c.issued_at,
        coupons.c.state,
    )
    .where(
        coupons.c.member_id == bindparam("member"), coupons.c.decision_id.is_(None),
        coupons.c.issued_at > bindparam("since"), coupons.c.state != "void",
    )
    .order_by(coupons.c.issued_at.desc(), coupons.c.id.desc())
    .limit(bindparam("many"))
)  # fmt: skip
_RECENT = select(decisions.c.member_id, decisions.c.trace).where(
    decisions.c.campaign == bindparam("which"), decisions.c.at > bindparam("since")
)


@dataclass(frozen=True, slots=True)
class Stored:
    """One decision as 为什么 tells it; `coupon` is its code when one was issued, `channel` once it was sent.

    Of a coupon that came without a decision, `id` is the coupon's and `campaign` is empty.
    """

    campaign: str
    template: str
    reason: str
    trace: Mapping[str, Any]
    at: datetime
    coupon: str = ""
    title: str = ""
    coupon_state: str = ""
    state: str = ""
    channel: str = ""
    id: int = 0


def record(
    connection: Connection, member: int, *, campaign: str, template: str, reason: str, trace: Mapping[str, Any],
    now: datetime,
) -> int:  # fmt: skip
    """Store why; return the decision's id."""
    values = (member, campaign, template, now, reason, dict(trace))
    [(decision,)] = _PUT.rows(connection, {f"v_{name}": value for name, value in zip(_COLUMNS, values, strict=True)})
    return int(decision)


def withdraw(connection: Connection, decision: int) -> None:
    """Take back a decision of the same transaction that came to nothing."""
    connection.execute(_WITHDRAW, {"which": decision})


def latest(connection: Connection, member: int, *, many: int = 3) -> list[Stored]:
    """Return the member's newest decisions, newest first."""
    return [
        Stored(
            row.campaign, row.template, row.reason, row.trace or {}, row.at, row.code or "", row.title or "",
            row.coupon_state or "", row.sent_state or "", row.channel or "", row.id,
        )
        for row in connection.execute(_LATEST, {"member": member, "many": many})
    ]  # fmt: skip


def bare_coupons(connection: Connection, member: int, since: datetime, *, many: int) -> list[Stored]:
    """Return coupons that came since then without a decision (a gift, a person of staff, points): why they came."""
    bound = {"member": member, "since": since, "many": many}
    return [
        Stored("", row.template, row.reason, {}, row.issued_at, row.code, row.title, row.state, id=row.id)
        for row in connection.execute(_BARE, bound)
    ]


def categories_offered(connection: Connection, campaign: str, since: datetime) -> dict[int, set[str]]:
    """Return the category codes a campaign has offered to each member since then."""
    return _offered(connection, campaign, since, "category")


def products_offered(connection: Connection, campaign: str, since: datetime) -> dict[int, set[str]]:
    """Return the articles (sku) a campaign has offered to each member since then."""
    return _offered(connection, campaign, since, "product")


def _offered(connection: Connection, campaign: str, since: datetime, what: str) -> dict[int, set[str]]:
    found: dict[int, set[str]] = defaultdict(set)
    for member, trace in connection.execute(_RECENT, {"which": campaign, "since": since}):
        if trace and trace.get(what):
            found[member].add(trace[what])
    return dict(found)


def cost(connection: Connection, campaign: str, period: str, plain: int) -> int:
    """Return what a campaign's decisions of a period are expected to cost; `plain` each whose trace tells no cost."""
    each = func.coalesce(decisions.c.trace["cost"].as_integer(), plain)
    mine = (decisions.c.campaign == campaign) & (decisions.c.trace["period"].as_string() == period)
    return int(connection.execute(select(func.coalesce(func.sum(each), 0)).where(mine)).scalar_one())
