"""Stored value in 分: principal, which was paid in and can be paid out, and gift balance, which came on top.

A payment takes from both by rule; what a refund brings back goes where it came from. Principal is refundable in cash:
the gift that belonged to it, in proportion to what is left of both, is taken back then.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from members import audit, ledger, points
from members.audit import Actor
from members.errors import MemberError
from members.identity import lock
from members.ledger import Booking, Leg, accounts, entries
from members.rules import Rules

MOST = 10**10
KINDS = ("principal", "gift")
undo = points.undo

_MOVED = (
    select(accounts.c.kind, entries.c.amount)
    .select_from(entries.join(accounts, entries.c.account_id == accounts.c.id))
    .where(entries.c.movement_id == bindparam("movement"), accounts.c.member_id.is_not(None))
)


@dataclass(frozen=True, slots=True)
class TopUp:
    """What came to the balance: `principal` was paid, `gift` came on top."""

    movement: int
    principal: int
    gift: int


@dataclass(frozen=True, slots=True)
class Paid:
    """What a payment, or a paying out, took of the principal and of the gift balance."""

    movement: int
    principal: int
    gift: int


def check_amount(amount: int) -> None:
    """Refuse what is no amount of money to move, in 分: MemberError('amount_range')."""
    if not 0 < amount <= MOST:
        raise MemberError("amount_range")


def gift_for(rules: Rules, amount: int) -> int:
    """Return the gift in 分 that topping up `amount` brings: that of the highest step it reaches."""
    reached = [step for step in rules.loyalty.balance.topup if step.over * 100 <= amount]
    return max(reached, key=lambda step: step.over).gift * 100 if reached else 0


def split(rules: Rules, amount: int, principal: int, gift: int) -> tuple[int, int]:
    """Return what a payment takes of (principal, gift) by `balance.gift_pays`; MemberError('insufficient').

    Where the rule's share can't be met, the other part pays what it can: only `gift_at_most` is never overstepped.
    """
    policy = rules.loyalty.balance
    cap = min(gift, amount * round(policy.gift_at_most * 10_000) // 10_000)
    least = max(amount - principal, 0)
    if least > cap:
        raise MemberError("insufficient", account="principal")
    if policy.gift_pays == "first":
        wanted = cap
    elif policy.gift_pays == "last":
        wanted = least
    else:
        wanted = amount * gift // (principal + gift)
    of_gift = min(max(wanted, least), cap)
    return amount - of_gift, of_gift


def top_up(
    connection: Connection, rules: Rules, member: int, amount: int, *, key: str, by: Actor, now: datetime
) -> TopUp:
    """Put money on the balance, once per key, with the gift its rule gives on top; MemberError('topup_range')."""
    check_amount(amount)
    policy = rules.loyalty.balance
    if not policy.topup_at_least * 100 <= amount <= policy.topup_at_most * 100:
        raise MemberError("topup_range", least=policy.topup_at_least, most=policy.topup_at_most)
    lock(connection, member)
    gift = gift_for(rules, amount)
    legs = [Leg("principal", amount, member), Leg("cash", -amount), Leg("gift", gift, member), Leg("issuer", -gift)]
    movement, moved = _book(connection, member, "topup", legs, key, by, "储值", now, "balance.topup")
    return TopUp(movement, moved["principal"], moved["gift"])


def pay(
    connection: Connection, rules: Rules, member: int, amount: int, *, key: str, by: Actor, now: datetime,
    order: int | None = None,
) -> Paid:  # fmt: skip
    """Pay with the balance, once per key, split by rule; MemberError('insufficient') and nothing moves."""
    check_amount(amount)
    lock(connection, member)
    known = ledger.find(connection, key)
    if known is None:
        owned = ledger.balances(connection, member)
        principal, gift = split(rules, amount, owned["principal"], owned["gift"])
        legs = [Leg("principal", -principal, member), Leg("gift", -gift, member), Leg("revenue", amount)]
        known, _ = _book(connection, member, "pay", legs, key, by, "余额支付", now, "balance.pay", order)
    moved = _moved(connection, known)
    return Paid(known, -moved["principal"], -moved["gift"])


def give_back(
    connection: Connection, member: int, principal: int, gift: int, *, key: str, by: Actor, now: datetime,
    order: int | None, reason: str,
) -> int:  # fmt: skip
    """Refund to the balance what a payment had taken of it, once per key; return the movement."""
    check_amount(principal + gift)
    if min(principal, gift) < 0:
        raise MemberError("amount_range")
    lock(connection, member)
    legs = [Leg("principal", principal, member), Leg("gift", gift, member), Leg("revenue", -principal - gift)]
    return _book(connection, member, "refund", legs, key, by, reason, now, "balance.give_back", order)[0]


def cash_out(
    connection: Connection, member: int, amount: int | None, *, key: str, by: Actor, now: datetime
) -> Paid:  # fmt: skip
    """Pay principal out in cash, once per key, all of it with None; MemberError('insufficient', 'balance_empty').

    Of the gift balance goes the share that the amount is of the principal, rounded down: all with the last 分.
    """
    if amount is not None:
        check_amount(amount)
    lock(connection, member)
    known = ledger.find(connection, key)
    if known is None:
        owned = ledger.balances(connection, member)
        if not owned["principal"]:
            raise MemberError("balance_empty")
        amount = owned["principal"] if amount is None else amount
        if amount > owned["principal"]:
            raise MemberError("insufficient", account="principal")
        gift = owned["gift"] * amount // owned["principal"]
        legs = [Leg("principal", -amount, member), Leg("cash", amount), Leg("gift", -gift, member), Leg("issuer", gift)]
        known, _ = _book(connection, member, "refund", legs, key, by, "储值退款", now, "balance.refund")
    moved = _moved(connection, known)
    return Paid(known, -moved["principal"], -moved["gift"])


def _book(
    connection: Connection, member: int, kind: str, legs: list[Leg], key: str, by: Actor, reason: str, now: datetime,
    action: str, order: int | None = None,
) -> tuple[int, dict[str, int]]:  # fmt: skip
    """Book what is not zero of the legs; tell the audit trail, unless an order's own deed does."""
    before = ledger.balances(connection, member)
    moving = tuple(leg for leg in legs if leg.amount)
    booked = ledger.post(connection, Booking(key, kind, by.name, now, moving, reason, order, store_id=by.store))
    moved = _moved(connection, booked.id)
    if booked.created and order is None:
        after = {name: before[name] + moved[name] for name in KINDS}
        detail = {"movement": booked.id, **moved}
        was = {name: before[name] for name in KINDS}
        audit.write(connection, by, action, member, detail, now=now, before=was, after=after)
    return booked.id, moved


def _moved(connection: Connection, movement: int) -> dict[str, int]:
    found = dict.fromkeys(KINDS, 0)
    for kind, amount in connection.execute(_MOVED, {"movement": movement}):
        found[kind] = found.get(kind, 0) + amount
    return found
