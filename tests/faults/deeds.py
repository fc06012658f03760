"""Everything that moves value, each deed once: what has to be there before, and the deed under one key."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from members import adoption, balance, coupons, exchange, gifts, ledger, merging, orders, points, refunds
from members.clock import end_of_day
from members.ledger import Booking, Leg
from members.orders import Buyer, NewLine, NewOrder
from members.refunds import NewRefund
from members.rules import Rules
from members.tables import Merge, table
from tests.properties.world import APP, START, TILL, ZONE, World, add_member, phone_of


@dataclass(frozen=True)
class Deed:
    """`prepare` returns what `do` needs; `do` gives the same answer every time it is called."""

    name: str
    prepare: Callable[[World], Any]
    do: Callable[[Connection, World, Any], Any]


EXPIRES = end_of_day(START.astimezone(ZONE).date() + timedelta(days=20), ZONE)
LATER = START + timedelta(hours=1)


def owner(world: World) -> int:
    """A member with points of two lots, balance of both kinds, and a coupon."""
    member = add_member(world, 1, START)
    with world.database.transaction() as connection:
        for number, part in enumerate((70, 130)):
            legs = (Leg("points", part, member), Leg("issuer", -part))
            expires = EXPIRES + timedelta(days=number)
            ledger.post(connection, Booking(f"have:{number}", "earn", "test", START, legs, expires_at=expires))
        balance.top_up(connection, world.rules, member, 300_00, key="have:money", by=TILL, now=START)
        issue(connection, world.rules, member, key="have:coupon")
    return member


def issue(connection: Connection, rules: Rules, member: int, key: str = "deed", code: str = "off") -> coupons.Issued:
    """One coupon issued."""
    rule = rules.coupons[code]
    return coupons.issue(connection, code, rule, member, key=key, by=TILL, reason="t", zone=ZONE, now=START)


def coupon_code(connection: Connection) -> str:
    """The code of the member's coupon."""
    found = select(coupons.coupons.c.code).where(coupons.coupons.c.key == "have:coupon")
    return str(connection.execute(found).scalar_one())


def sale(
    connection: Connection, *, no: str = "sale", pay: int = 0, coupon: bool = False, at: datetime = START
) -> NewOrder:
    """Fruit and tobacco for 270 元, perhaps with the coupon of 10 元."""
    lines = [NewLine("a1", "苹果", 3, 200_00, category="fruit"), NewLine("t1", "烟", 1, 70_00, category="tobacco")]
    off, codes = (10_00, [coupon_code(connection)]) if coupon else (0, [])
    return NewOrder(no, "s1", "s1", Buyer("phone", phone_of(1)), at, lines, 270_00 - off, off, pay, codes, "till")


def take(connection: Connection, world: World, order: NewOrder, now: datetime = START) -> orders.Taken:
    """Take a sale."""
    return orders.take(connection, world.vault, world.rules, order, app=APP, by=TILL, now=now)


def taken(connection: Connection, world: World, member: int) -> tuple[int, int]:
    """A sale paid in part with the balance, with a coupon and all gifts."""
    order = sale(connection, pay=120_00, coupon=True)
    done = take(connection, world, order)
    return done.order, done.points + done.pending


def owner_who_bought(world: World) -> int:
    """A member with a sale."""
    member = owner(world)
    with world.database.transaction() as connection:
        taken(connection, world, member)
    return member


def refund(amount: int | None) -> Callable[[Connection, World, int], int]:
    """Give back so much of the sale."""

    def do(connection: Connection, world: World, member: int) -> int:
        wanted = NewRefund("s1", "sale", "back", amount, (), LATER, "")
        return refunds.refund(connection, world.vault, world.rules, wanted, by=TILL, now=LATER).refund

    return do


def void(connection: Connection, world: World, member: int) -> int:
    """The sale undone."""
    found = select(orders.orders.c.id).where(orders.orders.c.order_no == "sale")
    order = int(connection.execute(found).scalar_one())
    return orders.void(connection, world.vault, world.rules, order, by=TILL, now=LATER).refund


def exchanged(connection: Connection, world: World, member: int) -> tuple[int, int]:
    """The sale given back against another."""
    back = NewRefund("s1", "sale", "back", None, (), LATER, "")
    done = refunds.exchange(
        connection, world.vault, world.rules, back, sale(connection, no="other", at=LATER), app=APP, by=TILL, now=LATER
    )
    return done.refunded.refund, done.taken.order


def stranger(world: World) -> int:
    """Somebody bought with a phone that nobody had then."""
    with world.database.transaction() as connection:
        take(connection, world, sale(connection, no="early"))
    return add_member(world, 1, START)


def adopted(connection: Connection, world: World, member: int) -> None:
    """The stranger's sale becomes the member's."""
    marks = [world.vault.blind_index("phone", phone_of(1))]
    adoption.adopt(connection, world.vault, world.rules, member, marks, app=APP, by=TILL, now=LATER)


def two(world: World) -> tuple[int, int]:
    """Two members of whom one owns something."""
    return owner_who_bought(world), add_member(world, 2, START)


def merged(connection: Connection, world: World, pair: tuple[int, int]) -> int:
    """One becomes part of the other; merged already, that merge."""
    found = connection.execute(select(table(Merge).c.id)).scalar_one_or_none()
    if found is not None:
        return int(found)
    return merging.merge(connection, world.vault, world.rules, *pair, by=TILL, reason="同一人", now=LATER).id


def top_up(connection: Connection, world: World, member: int) -> balance.TopUp:
    """Money with a gift on top."""
    return balance.top_up(connection, world.rules, member, 150_00, key="deed", by=TILL, now=START)


def pay(connection: Connection, world: World, member: int) -> balance.Paid:
    """A payment from both parts."""
    return balance.pay(connection, world.rules, member, 210_00, key="deed", by=TILL, now=START)


def cash_out(connection: Connection, world: World, member: int) -> int:
    """Principal paid out."""
    return balance.cash_out(connection, member, 100_00, key="deed", by=TILL, now=START).movement


def give(connection: Connection, world: World, member: int) -> int:
    """Points given."""
    return points.give(
        connection, world.rules, member, 7, key="deed", kind="gift", by=TILL, reason="t", now=START, pending=True
    )


def spend(connection: Connection, world: World, member: int) -> int:
    """Points of both lots spent."""
    return points.spend(connection, member, 150, key="deed", by=TILL, reason="t", now=START)


def undo(connection: Connection, world: World, member: int) -> int:
    """The top-up undone."""
    movement = ledger.find(connection, "have:money")
    assert movement is not None
    return points.undo(connection, world.rules, movement, by=TILL, reason="t", now=START)


def redeem(connection: Connection, world: World, member: int) -> str:
    """The coupon redeemed; redeemed already by this till, the same."""
    row = connection.execute(select(coupons.coupons).where(coupons.coupons.c.key == "have:coupon")).one()
    if row.state != "redeemed":
        coupons.redeem(connection, row.code, by=TILL, store="s1", now=START, discount=500)
    return str(row.code)


def reward(connection: Connection, world: World, member: int) -> int:
    """Points that become a coupon."""
    chosen = world.rules.loyalty.reward[0]
    return exchange.reward(connection, world.rules, member, chosen, key="deed", by=TILL, now=START).id


def partner(connection: Connection, world: World, member: int) -> exchange.Exchanged:
    """Points that become miles."""
    return exchange.partner(connection, world.rules, member, "miles", 105, key="deed", by=TILL, now=START)


def vouchers(connection: Connection, world: World, member: int) -> None:
    """The period's job."""
    exchange.vouchers(connection, world.rules, "2028-01-01", START)


def expired(connection: Connection, world: World, member: int) -> None:
    """The night's job for points and coupons that have run out."""
    ledger.expire_points(connection, EXPIRES)
    coupons.expire_due(connection, EXPIRES)


def presented(connection: Connection, world: World, member: int) -> None:
    """The card presented."""
    gifts.on_present(connection, world.rules, member, by=TILL, now=START)


def checked_in(connection: Connection, world: World, member: int) -> int:
    """The daily check-in."""
    return gifts.check_in(connection, world.rules, member, by=TILL, now=START).points


DEEDS = [
    Deed("give", owner, give),
    Deed("spend", owner, spend),
    Deed("undo", owner, undo),
    Deed("top-up", owner, top_up),
    Deed("pay", owner, pay),
    Deed("cash-out", owner, cash_out),
    Deed("reward", owner, reward),
    Deed("partner", owner, partner),
    Deed("vouchers", owner, vouchers),
    Deed("expire", owner, expired),
    Deed("present", owner, presented),
    Deed("check-in", owner, checked_in),
    Deed("issue", owner, lambda connection, world, member: issue(connection, world.rules, member).id),
    Deed("redeem", owner, redeem),
    Deed("order", owner, taken),
    Deed("refund-part", owner_who_bought, refund(100_00)),
    Deed("refund-all", owner_who_bought, refund(None)),
    Deed("void", owner_who_bought, void),
    Deed("exchange", owner_who_bought, exchanged),
    Deed("adopt", stranger, adopted),
    Deed("merge", two, merged),
]
