"""Four eyes: a deed above its role's amount waits until a manager of the store, or head office, says yes or no, once.

asked → approved | refused | expired | withdrawn, each by one conditional update whose row count decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from members import audit, serving, staffing
from members.audit import Actor
from members.deeds import Wanted
from members.errors import MemberError
from members.rules import Rules
from members.serving import Desk, Errand, Served
from members.staffing import Server, may_manage
from members.tables import Approval, table

_approvals = table(Approval)
_ONE = select(_approvals).where(_approvals.c.id == bindparam("which"))
_WAITING = (
    select(_approvals)
    .where(_approvals.c.state == "asked", _approvals.c.expires_at > bindparam("moment"))
    .order_by(_approvals.c.id)
)
_DECIDE = (
    update(_approvals)
    .where(
        _approvals.c.id == bindparam("which"), _approvals.c.state == "asked",
        _approvals.c.expires_at > bindparam("moment"),
    )
    .values(state=bindparam("verdict"), decided_by=bindparam("who"), decided_at=bindparam("moment"))
)  # fmt: skip
_EXPIRE = (
    update(_approvals)
    .where(_approvals.c.state == "asked", _approvals.c.expires_at <= bindparam("moment"))
    .values(state="expired", decided_at=bindparam("moment"))
    .returning(*_approvals.c)
)
_DONE = update(_approvals).where(_approvals.c.id == bindparam("which")).values(deed_id=bindparam("deed"))


@dataclass(frozen=True, slots=True)
class Request:
    """A deed that waits, or waited; `amount` in 分, points or coupons by kind."""

    id: int
    staff: int
    store: str | None
    member: int | None
    kind: str
    amount: int
    params: Mapping[str, Any]
    expires_at: datetime
    state: str

    @property
    def errand(self) -> Errand:
        """Return what is to be done."""
        return Errand(self.kind, self.member, self.params)


def ask(
    connection: Connection, rules: Rules, errand: Errand, wanted: Wanted, *, staff: Server, key: str, by: Actor,
    now: datetime,
) -> tuple[Request, list[Server]]:  # fmt: skip
    """Put a deed before whoever decides for the store; return it and who is to be told.

    MemberError('nobody_approves') when nobody but the asker could.
    """
    deciding = [one for one in staffing.managers_of(connection, staff.store) if one.id != staff.id]
    if not deciding:
        everybody = staffing.active(connection)
        deciding = [one for one in everybody if one.id != staff.id and may_manage(one, staff.store)]
    if not deciding:
        raise MemberError("nobody_approves")
    row = {
        "key": key, "staff_id": staff.id, "store_id": staff.store, "member_id": wanted.member, "kind": wanted.kind,
        "amount": wanted.count if wanted.kind == "issue" else wanted.amount, "params": dict(errand.params),
        "asked_at": now, "expires_at": now + timedelta(minutes=rules.staff.approval_minutes), "state": "asked",
    }  # fmt: skip
    made = _request(connection.execute(insert(_approvals).returning(*_approvals.c), row).one())
    audit.write(connection, by, "approval.ask", wanted.member, {"approval": made.id, "kind": wanted.kind}, now=now)
    return made, deciding


def waiting(connection: Connection, manager: Server, *, now: datetime) -> list[Request]:
    """Return what waits for this manager's word, oldest first."""
    found = [_request(row) for row in connection.execute(_WAITING, {"moment": now})]
    return [one for one in found if may_manage(manager, one.store) and one.staff != manager.id]


def decide(
    connection: Connection, number: int, verdict: Literal["approved", "refused"], *, manager: Server, by: Actor,
    now: datetime,
) -> Request:  # fmt: skip
    """Say yes or no, once; MemberError approval_unknown (also of another store), _own, _self, _decided, _expired."""
    row = connection.execute(_ONE, {"which": number}).one_or_none()
    if row is None or not may_manage(manager, row.store_id):
        raise MemberError("approval_unknown", number=number)
    if row.staff_id == manager.id:
        raise MemberError("approval_own")
    if row.member_id is not None and staffing.is_self(connection, manager, row.member_id):
        raise MemberError("approval_self")
    bound = {"which": number, "moment": now, "verdict": verdict, "who": manager.id}
    if connection.execute(_DECIDE, bound).rowcount != 1:
        late = row.state == "expired" or (row.state == "asked" and row.expires_at <= now)
        raise MemberError("approval_expired" if late else "approval_decided", number=number)
    audit.write(connection, by, f"approval.{verdict}", row.member_id, {"approval": number}, now=now)
    return _request(row)


def carry_out(desk: Desk, request: Request) -> Served:
    """Do what was approved, as the person who asked for it; the desk says who approved."""
    served = serving.serve(desk, request.errand, key=f"approval:{request.id}")
    desk.connection.execute(_DONE, {"which": request.id, "deed": served.deed.id})
    return served


def expire_due(connection: Connection, now: datetime) -> list[Request]:
    """End what nobody decided in time; return it, for those who asked."""
    return [_request(row) for row in connection.execute(_EXPIRE, {"moment": now}).all()]


def _request(row: Row[Any]) -> Request:
    return Request(
        row.id, row.staff_id, row.store_id, row.member_id, row.kind, row.amount, row.params or {}, row.expires_at,
        row.state,
    )  # fmt: skip
