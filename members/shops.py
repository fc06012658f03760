"""The shop's stores and its staff."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from members.errors import MemberError
from members.rules import StoreRule
from members.tables import Approval, Conversation, Member, Staff, Store, table

_stores, _staff, _members = table(Store), table(Staff), table(Member)
_approvals, _conversations = table(Approval), table(Conversation)
_NAME = select(_stores.c.name).where(_stores.c.id == bindparam("store"))
_PUT = upsert(_stores)
_PUT = _PUT.on_conflict_do_update(
    index_elements=[_stores.c.id],
    set_={name: _PUT.excluded[name] for name in ("name", "address", "lat", "lon", "hours", "phone")},
)
ROLES = ("cashier", "adviser", "manager", "head_office")


def sync_stores(connection: Connection, rules: Iterable[StoreRule]) -> None:
    """Write the stores of config.yaml to the books."""
    for rule in rules:
        connection.execute(_PUT, {**rule.model_dump(), "active": True})


def name_of(connection: Connection, store: str | None) -> str | None:
    """Return a store's name."""
    return connection.execute(_NAME, {"store": store}).scalar_one_or_none()


def home_of(connection: Connection, member: int) -> str | None:
    """Return the id of the store the member calls theirs."""
    found: str | None = connection.execute(select(_members.c.home_store).where(_members.c.id == member)).scalar_one()
    return found


def add_staff(
    connection: Connection, *, openid: str | None, name: str, role: str, store: str | None, now: datetime
) -> int:
    """Add a person of staff, or give their openid a new role; MemberError('bad_role', 'no_store')."""
    if role not in ROLES:
        raise MemberError("bad_role", roles="、".join(ROLES))
    if store is not None and name_of(connection, store) is None:
        raise MemberError("no_store", store=store)
    if openid is not None:
        _forget_flow(connection, openid)
        renewed = {"name": name, "role": role, "store_id": store, "active": True, "revoked_at": None}
        known = update(_staff).where(_staff.c.openid == openid).values(renewed).returning(_staff.c.id)
        found = connection.execute(known).scalar_one_or_none()
        if found is not None:
            return int(found)
    row = {"openid": openid, "name": name, "role": role, "store_id": store, "active": True, "created_at": now}
    return int(connection.execute(insert(_staff).returning(_staff.c.id), row).scalar_one())


def revoke_staff(connection: Connection, staff: int, *, now: datetime) -> bool:
    """End what a person of staff may do, at once: also what waits for their 确认, a manager's word, or an invite.

    Locks in the order of the messages it may meet: the flow, the requests, then the person.
    """
    active = (_staff.c.id == staff) & _staff.c.active
    found = connection.execute(select(_staff.c.openid).where(active)).one_or_none()
    if found is None:
        return False
    _forget_flow(connection, found.openid)
    waiting = (_approvals.c.staff_id == staff) & (_approvals.c.state == "asked")
    connection.execute(update(_approvals).where(waiting).values(state="withdrawn", decided_at=now))
    ended = {"active": False, "revoked_at": now, "invite_hash": None, "invite_until": None}
    return connection.execute(update(_staff).where(active).values(ended)).rowcount == 1


def _forget_flow(connection: Connection, openid: str | None) -> None:
    connection.execute(delete(_conversations).where(_conversations.c.openid == openid))


def list_staff(connection: Connection) -> list[Row[int, str, str, str | None, str | None, bool]]:
    """Return all staff (id, name, role, store_id, openid, active)."""
    columns = (_staff.c.id, _staff.c.name, _staff.c.role, _staff.c.store_id, _staff.c.openid, _staff.c.active)
    return list(connection.execute(select(*columns).order_by(_staff.c.id)))
