"""The last order once more (照上次的菜单上菜): what of it can be had today, and the list a store makes ready.

Nothing is paid and nothing is set aside: it is a task of the store (members/tasks.py), one open at a time for a member.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, select

from members import identity, limits, staffing, tasks
from members.audit import Actor
from members.errors import MemberError
from members.products import KEPT
from members.rules import Rules
from members.staffing import Server
from members.tables import Member, Order, OrderLine, Product, StaffTask, Store, table

SOURCE = "reorder"
PER_DAY = 3
OPEN_FOR = timedelta(hours=24)
TEXT_CHARS = 400
_orders, _lines, _products = table(Order), table(OrderLine), table(Product)
_members, _stores, _tasks = table(Member), table(Store), table(StaffTask)
_LAST = (
    select(_orders.c.id, _orders.c.at, _orders.c.store_id)
    .where(_orders.c.member_id == bindparam("member"), _orders.c.state != "refunded")
    .order_by(_orders.c.at.desc(), _orders.c.id.desc())
    .limit(1)
)
_GOODS = (
    select(
        _products.c.id, _products.c.name, _lines.c.quantity - _lines.c.refunded_quantity, _products.c.active
    )
    .select_from(_lines.join(_products, _lines.c.product_id == _products.c.id))
    .where(_lines.c.order_id == bindparam("which"), KEPT)
    .order_by(_lines.c.line_no)
)  # fmt: skip
_HOME = select(_members.c.home_store).where(_members.c.id == bindparam("member"))
_STORES = select(_stores.c.id, _stores.c.name).where(_stores.c.active).order_by(_stores.c.id)
_OPEN = (
    select(_tasks.c.id, _tasks.c.store_id, _tasks.c.created_at, _tasks.c.due_at)
    .where(_tasks.c.member_id == bindparam("member"), _tasks.c.source == SOURCE, _tasks.c.state == "open")
    .order_by(_tasks.c.id.desc())
)


@dataclass(frozen=True, slots=True)
class Line:
    """An article of the last order, how many pieces of it were kept, and whether it is sold today."""

    product: int
    name: str
    quantity: int
    active: bool


@dataclass(frozen=True, slots=True)
class Last:
    """The order to have once more, and where it was bought."""

    order: int
    at: datetime
    store: str | None
    lines: Sequence[Line]

    @property
    def today(self) -> Sequence[Line]:
        """Return what of it can be had."""
        return [line for line in self.lines if line.active and line.quantity > 0]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A list that a store has not finished yet."""

    task: int
    store: str | None
    since: datetime


def last(connection: Connection, member: int) -> Last | None:
    """Return the member's newest order that was not given back whole; an article on several lines once."""
    row = connection.execute(_LAST, {"member": member}).one_or_none()
    if row is None:
        return None
    found: dict[int, Line] = {}
    for product, name, quantity, active in connection.execute(_GOODS, {"which": row.id}):
        before = found[product].quantity if product in found else 0
        found[product] = Line(product, name, before + int(quantity), bool(active))
    return Last(row.id, row.at, row.store_id, list(found.values()))


def stores(connection: Connection, member: int, order: Last) -> dict[str, str]:
    """Return {id: name} of the stores that come into question: the order's and the member's own, else all."""
    known: dict[str, str] = {row.id: row.name for row in connection.execute(_STORES)}
    home = connection.execute(_HOME, {"member": member}).scalar_one_or_none()
    near = {store: known[store] for store in (order.store, home) if store in known}
    return near or known


def waiting(connection: Connection, member: int, now: datetime) -> Waiting | None:
    """Return the member's list that is still open; a day old, it is none any more."""
    for row in connection.execute(_OPEN, {"member": member}):
        if row.due_at is None or row.due_at > now:
            return Waiting(row.id, row.store_id, row.created_at)
    return None


def place(
    connection: Connection, rules: Rules, member: int, wanted: Sequence[Line], *, store: str | None, text: str,
    key: str, by: Actor, now: datetime,
) -> int:  # fmt: skip
    """Give a store the list, once per key; return the task's number.

    MemberError: reorder_open (one is open already), reorder_limit, reorder_changed (something is not sold any more).
    """
    identity.lock(connection, member)
    if waiting(connection, member, now) is not None:
        raise MemberError("reorder_open")
    sold = _products.c.id.in_([line.product for line in wanted]) & _products.c.active
    if len(connection.execute(select(_products.c.id).where(sold)).all()) != len({line.product for line in wanted}):
        raise MemberError("reorder_changed")
    day = limits.business_day(now, rules.shop.zone, rules.shop.day_start)
    limits.take(connection, f"{SOURCE}:{member}", day, PER_DAY, refusal="reorder_limit")
    for row in connection.execute(_OPEN, {"member": member}).all():
        tasks.drop(connection, row.id, by=by, now=now)
    number = tasks.add(
        connection, key=f"{SOURCE}:{key}", store=store, staff=None, member=member, text=text[:TEXT_CHARS],
        source=SOURCE, by=by, now=now, due_at=now + OPEN_FOR,
    )  # fmt: skip
    if number is None:
        raise MemberError("reorder_open")
    return number


def withdraw(connection: Connection, member: int, *, by: Actor, now: datetime) -> Waiting | None:
    """Take the open list back; None when there is none, or the store was faster."""
    identity.lock(connection, member)
    found = waiting(connection, member, now)
    return found if found is not None and tasks.drop(connection, found.task, by=by, now=now) else None


def servers(connection: Connection, store: str | None) -> list[Server]:
    """Return whom of a store to tell: everybody there who can be reached, else who decides for it."""
    there = [one for one in staffing.active(connection) if one.store == store and one.openid]
    return there or [one for one in staffing.managers_of(connection, store) if one.openid]
