"""Refunds as tills and staff ask for them: some of it, all of it, again and again, or against other goods."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from members import orders
from members.audit import Actor
from members.giving_back import friends_back, goods_back, refund
from members.orders import NewOrder, Taken
from members.returns import NewRefund, Refunded, RefundLine
from members.rules import Rules
from members.vault import Vault

__all__ = ["Exchanged", "NewRefund", "RefundLine", "Refunded", "exchange", "refund"]


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What came back and what was bought instead; `to_pay` 分 are still to be paid, below zero: given back."""

    refunded: Refunded
    taken: Taken
    to_pay: int


def exchange(
    connection: Connection, vault: Vault, rules: Rules, returned: NewRefund, bought: NewOrder, *, app: str, by: Actor,
    now: datetime,
) -> Exchanged:  # fmt: skip
    """Take goods back and sell others in one transaction; both happen once by their numbers."""
    back = goods_back(connection, rules, returned, by=by, now=now)
    taken = orders.take(connection, vault, rules, bought, app=app, by=by, now=now)
    back = friends_back(connection, rules, back, by=by, now=now)
    cash = bought.total - taken.principal - taken.gift
    return Exchanged(back, taken, cash - back.cash_back)
