"""Writing orders of a table into the books: a chunk in one transaction, each order booked whole or refused.

What is young enough to earn goes through `members.orders.take`. What is older moves nothing but itself, so it is
written many at once: the same rows that `take` would write one after another.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, select

from members import audit, buyers, merging, orders, products, sales, tiers
from members.bulk import insert_rows, take_ids
from members.clock import business_date
from members.errors import MemberError
from members.importing.flaws import Flaws
from members.importing.run import TRIES, Run, chunks
from members.sales import NewOrder
from members.tables import Member, Order, OrderLine, table

CHUNK = 300
WRITTEN = ("订单", "明细行", "会员订单", "未识别买家的订单", "积分入账", "升级的会员")
heads, lines, members = table(Order), table(OrderLine), table(Member)
_HEAD = (
    "id", "scope", "order_no", "store_id", "member_id", "buyer", "at", "day", "total", "discount", "refunded",
    "paid_principal", "paid_gift", "state", "source", "by", "digest",
)  # fmt: skip
_LINE = (
    "order_id", "line_no", "product_id", "quantity", "amount", "discount", "refunded_quantity", "refunded_amount",
)  # fmt: skip
_STORED = select(heads.c.scope, heads.c.order_no, heads.c.digest).where(
    heads.c.scope == bindparam("of"), heads.c.order_no.in_(bindparam("numbers", expanding=True))
)
_HOLD = (
    select(members.c.id)
    .where(members.c.id.in_(bindparam("of", expanding=True)), members.c.state == "active")
    .order_by(members.c.id)
    .with_for_update()
)
REFUSALS = {
    "order_conflict": "这个单号已有另一笔内容不同的订单",
    "order_future": "时间还没到",
    "order_sum": "明细加起来和合计对不上",
    "order_lines": "明细行太多,或商品编码太长",
    "order_no": "单号太长,或有看不见的字",
    "amount_range": "金额超过1亿元",
    "store_unknown": "没有这家门店",
}


@dataclass(frozen=True, slots=True)
class Gathered:
    """One order of the file, with the rows (number, cells) it came from."""

    order: NewOrder
    rows: Sequence[tuple[int, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Refused:
    """An order that the books refuse, and why."""

    gathered: Gathered
    code: str

    def tell(self, flaws: Flaws) -> None:
        """Put each of its rows in the report."""
        reason = REFUSALS.get(self.code, f"不能入账({self.code})")
        for number, cells in self.gathered.rows:
            flaws.reject(number, self.code, reason, cells, example=self.gathered.order.order_no)


@dataclass(slots=True)
class Done:
    """What a chunk wrote, whose orders these were, and what was refused."""

    written: Counter[str] = field(default_factory=Counter)
    members: set[int] = field(default_factory=set)
    refused: list[Refused] = field(default_factory=list)


def write_orders(connection: Connection, run: Run, gathered: Sequence[Gathered]) -> Done:
    """Write a chunk of orders, the oldest first."""
    done = Done()
    young = run.now - timedelta(days=run.rules.loyalty.adopt_days)
    fresh = list(_fresh(connection, run, gathered, done))
    _write_old(connection, run, [one for one in fresh if one[0].order.at < young], done)
    for one, _ in fresh:
        if one.order.at >= young:
            _take(connection, run, one, done)
    return done


def _take(connection: Connection, run: Run, one: Gathered, done: Done) -> None:
    try:
        with connection.begin_nested():
            taken = orders.take(
                connection, run.vault, run.rules, one.order, app=run.app, by=run.by, now=run.now, imported=True
            )
    except MemberError as refusal:
        done.refused.append(Refused(one, refusal.code))
        return
    if taken.created:
        _count(done, one.order, taken.member, taken.points + taken.pending > 0)


def _count(done: Done, order: NewOrder, member: int | None, earned: bool = False) -> None:
    done.written["订单"] += 1
    done.written["明细行"] += len(order.lines)
    done.written["积分入账"] += earned
    if member is not None:
        done.written["会员订单"] += 1
        done.members.add(member)
    elif order.buyer is not None:
        done.written["未识别买家的订单"] += 1


def _write_old(connection: Connection, run: Run, fresh: Sequence[tuple[Gathered, str]], done: Done) -> None:
    if not fresh:
        return
    owners = _owners(connection, run, [one.order for one, _ in fresh])
    goods = products.of_lines(connection, [line for one, _ in fresh for line in one.order.lines])
    ids = take_ids(connection, heads, len(fresh))
    head_rows, line_rows = list[tuple[Any, ...]](), list[tuple[Any, ...]]()
    for number, (one, digest), member in zip(ids, fresh, owners, strict=True):
        order = sales.spread(one.order)
        day = business_date(order.at, run.rules.shop.zone, run.rules.shop.day_start)
        mark = "" if member is not None else buyers.mark(run.vault, order.buyer)
        head_rows.append(
            (number, order.scope, order.order_no, order.store, member, mark, order.at, day, order.total,
             order.discount, 0, 0, 0, "paid", order.source, run.by.name, digest)
        )  # fmt: skip
        line_rows += [
            (number, place, goods[line.sku].id, line.quantity, line.amount, line.discount, 0, 0)
            for place, line in enumerate(order.lines, 1)
        ]
        _count(done, order, member)
    insert_rows(connection, heads, _HEAD, head_rows)
    insert_rows(connection, lines, _LINE, line_rows)
    audit.write(connection, run.by, "order.import", None, {"orders": [ids[0], ids[-1]]}, now=run.now)


def _fresh(
    connection: Connection, run: Run, gathered: Sequence[Gathered], done: Done
) -> Iterable[tuple[Gathered, str]]:
    """Yield the orders that are not in the books, with their digests; other words under a known number are refused."""
    stored = _stored(connection, [one.order for one in gathered])
    for one in gathered:
        order = one.order
        try:
            sales.check(order, run.now, oldest=None)
        except MemberError as refusal:
            done.refused.append(Refused(one, refusal.code))
            continue
        day = business_date(order.at, run.rules.shop.zone, run.rules.shop.day_start)
        digest = run.vault.blind_index("order", sales.words(order, day))
        known = stored.get((order.scope, order.order_no))
        if known is None:
            yield one, digest
        elif known != digest:
            done.refused.append(Refused(one, "order_conflict"))


def _stored(connection: Connection, wanted: Sequence[NewOrder]) -> dict[tuple[str, str], str]:
    found = {}
    for scope in sorted({order.scope for order in wanted}):
        numbers = [order.order_no for order in wanted if order.scope == scope]
        for row in connection.execute(_STORED, {"of": scope, "numbers": numbers}):
            found[row.scope, row.order_no] = row.digest
    return found


def _owners(connection: Connection, run: Run, wanted: Sequence[NewOrder]) -> list[int | None]:
    """Return whose orders these are, held until the transaction ends; who was merged is whom they are part of."""
    for _ in range(TRIES):
        named = [
            buyers.find(connection, run.vault, one.buyer, app=run.app, at=one.at, now=run.now) if one.buyer else None
            for one in wanted
        ]
        owners = {member: merging.present(connection, member) for member in named if member is not None}
        active = set(connection.scalars(_HOLD, {"of": sorted(set(owners.values()))}))
        if active == set(owners.values()):  # or somebody was merged before they were held
            break
    return [None if member is None or owners[member] not in active else owners[member] for member in named]


def review_tiers(run: Run, touched: set[int]) -> int:
    """Raise whom the imported purchases deserve it; return how many."""
    raised = 0
    for chunk in chunks(sorted(touched), CHUNK):

        def look(connection: Connection, chunk: Sequence[int] = chunk) -> int:
            changes = (tiers.review(connection, run.rules, member, by=run.by, now=run.now) for member in chunk)
            return sum(change is not None for change in changes)

        raised += run.transaction(look)
    return raised
