"""Value that goes along with a merge, lot by lot in one movement, and what comes back when the merge is undone."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from members import ledger
from members.ledger import LOT_KINDS, Booking, Leg, accounts, entries, lot_uses, lots, movements
from members.merging_rows import Pair

LOST = ("expire", "clawback", "reverse_expire", "reverse_clawback")
REASON, REASON_BACK = "会员合并", "撤销会员合并"

_OPEN = (
    select(lots.c.id, lots.c.account, lots.c.remaining, lots.c.expires_at, lots.c.matures_at, lots.c.order_id)
    .where(lots.c.member_id == bindparam("whose"), lots.c.remaining > 0)
    .order_by(lots.c.expires_at, lots.c.id)
)
_PLAIN = (
    select(accounts.c.kind, accounts.c.balance)
    .where(
        accounts.c.member_id == bindparam("whose"), accounts.c.balance != 0,
        accounts.c.kind.not_in(LOT_KINDS),
    )
    .order_by(accounts.c.kind)
)  # fmt: skip
_CAME = (
    select(accounts.c.kind, func.sum(entries.c.amount))
    .select_from(entries.join(accounts, entries.c.account_id == accounts.c.id))
    .where(entries.c.movement_id == bindparam("movement"), entries.c.member_id == bindparam("whose"))
    .group_by(accounts.c.kind)
    .order_by(accounts.c.kind)
)
_LOTS = (
    select(
        lots.c.id, lots.c.account, lots.c.amount, lots.c.remaining, lots.c.expires_at, lots.c.matures_at,
        lots.c.order_id,
    )
    .where(lots.c.movement_id == bindparam("movement"), lots.c.member_id == bindparam("whose"))
    .order_by(lots.c.id)
)  # fmt: skip
_LOST = (
    select(lot_uses.c.lot_id, func.sum(lot_uses.c.amount))
    .select_from(lot_uses.join(lots).join(movements, lot_uses.c.movement_id == movements.c.id))
    .where(
        lots.c.movement_id == bindparam("movement"),
        movements.c.kind.in_(LOST) | (movements.c.kind.like("reverse_%") & (lot_uses.c.amount > 0)),
    )
    .group_by(lot_uses.c.lot_id)
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Value:
    """What moved by account: points or 分."""

    moved: Mapping[str, int]
    missing: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Rest:
    """A lot, and how much of it is still wanted or to be had."""

    lot: Any
    left: int

    def stands_for(self, wanted: "_Rest", now: datetime) -> bool:
        """Tell whether both came of one order and end together."""
        return all(getattr(self.lot, name) == getattr(wanted.lot, name) for name in ("order_id", "expires_at"))

    def can_pay(self, wanted: "_Rest", now: datetime) -> bool:
        """Tell whether these are points, and both are good still."""
        return self.lot.account == "points" and all(lot.expires_at > now for lot in (self.lot, wanted.lot))


def carry(connection: Connection, pair: Pair) -> Value:
    """Move all points, balance, wallets and debts of the source to the target; both must be locked."""
    legs: list[Leg] = []
    for lot in connection.execute(_OPEN, {"whose": pair.source}):
        legs += _lot_legs(lot, lot.remaining, pair.source, pair.target, lot)
    for kind, balance in connection.execute(_PLAIN, {"whose": pair.source}):
        legs += _plain_legs(kind, balance, pair.source, pair.target)
    if legs:
        ledger.post(connection, _booking(pair, pair.mark, "merge", REASON, legs))
    return Value(_came(legs, pair.target))


def bring_back(connection: Connection, pair: Pair) -> Value:
    """Move back what the merge brought, less what ran out or was taken back since, as far as the target has it.

    A lot that was spent comes back out of the target's other points, with the date it had.
    """
    movement = ledger.find(connection, pair.mark)
    if movement is None:
        return Value({})
    legs = list(_points_back(connection, pair, movement))
    brought = dict(connection.execute(_CAME, {"movement": movement, "whose": pair.target}).all())
    have = ledger.balances(connection, pair.target)
    for kind, amount in brought.items():
        if kind not in LOT_KINDS:
            still = min(amount, have.get(kind, 0)) if amount > 0 else max(amount, have.get(kind, 0))
            legs += _plain_legs(kind, still, pair.target, pair.source)
    if legs:
        ledger.post(connection, _booking(pair, f"un{pair.mark}", "unmerge", REASON_BACK, legs))
    returned = _came(legs, pair.source)
    return Value(returned, _missing(brought, returned))


def _booking(pair: Pair, key: str, kind: str, reason: str, legs: Sequence[Leg]) -> Booking:
    return Booking(key, kind, pair.by.name, pair.now, legs, reason, store_id=pair.by.store)


def _lot_legs(taken: Any, amount: int, giver: int, taker: int, dated: Any) -> list[Leg]:
    """Return the legs that take from one lot and open another, which ends when `dated` does and is of its order."""
    matures_at = taken.matures_at if taken.account == "pending" else None
    return [
        Leg(taken.account, -amount, giver, lot=taken.id),
        Leg(taken.account, amount, taker, None, dated.expires_at, matures_at, dated.order_id),
    ]


def _plain_legs(kind: str, amount: int, giver: int, taker: int) -> list[Leg]:
    # a debt is lifted from the one before it is laid on the other: both stay within their sign at every line
    return [Leg(kind, -amount, giver), Leg(kind, amount, taker)] if amount else []


def _points_back(connection: Connection, pair: Pair, movement: int) -> Iterator[Leg]:
    bound = {"movement": movement, "whose": pair.target}
    brought = connection.execute(_LOTS, bound).all()
    lost = dict(connection.execute(_LOST, bound).all())
    short: list[_Rest] = []
    for lot in brought:
        if lot.remaining:
            yield from _lot_legs(lot, lot.remaining, pair.target, pair.source, lot)
        gone = lot.amount - lot.remaining - int(lost.get(lot.id, 0))
        short.append(_Rest(lot, gone))
    own = {lot.id for lot in brought}
    others = [
        _Rest(lot, lot.remaining) for lot in connection.execute(_OPEN, {"whose": pair.target}) if lot.id not in own
    ]
    # what has matured or was moved on and back since is a lot of the same order and date: it goes before all others
    for fits in (_Rest.stands_for, _Rest.can_pay):
        for wanted in short:
            for other in others:
                if fits(other, wanted, pair.now):
                    yield from _taken(pair, wanted, other)


def _taken(pair: Pair, wanted: _Rest, other: _Rest) -> list[Leg]:
    take = min(wanted.left, other.left)
    wanted.left -= take
    other.left -= take
    return _lot_legs(other.lot, take, pair.target, pair.source, wanted.lot) if take else []


def _came(legs: Sequence[Leg], member: int) -> dict[str, int]:
    found: Counter[str] = Counter()
    for leg in legs:
        if leg.member == member:
            found[leg.account] += leg.amount
    return dict(found)


def _missing(brought: Mapping[str, int], returned: Mapping[str, int]) -> dict[str, int]:
    """Return what is not back; pending points that have matured meanwhile came back as points."""
    left = Counter({kind: int(amount) for kind, amount in brought.items()})
    left.subtract(Counter(returned))
    if left["points"] < 0:
        left["pending"], left["points"] = left["pending"] + left["points"], 0
    return {kind: amount for kind, amount in left.items() if amount}
