"""What a till says about money that goes back, before any book is opened; and what is due of an order then. Pure.

Of `refunded` 分 of an order in all, the balance gets back floor(paid from it × refunded / total), and of that the gift
balance floor(its part × that / paid from the balance); the till gives the rest. The points due are what was earned less
floor(earned × left / total). One refund gets the difference of these figures after and before it: however the money
goes back, in the end exactly what was paid and earned has gone back, and nothing on the way is negative.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from members import sales
from members.errors import MemberError
from members.tiers import TierChange


class RefundLine(NamedTuple):
    """How many of an article come back, and the 分 given back for them (None: their share of what was paid)."""

    sku: str
    quantity: int
    amount: int | None = None


@dataclass(frozen=True, slots=True)
class NewRefund:
    """Money to give back: `amount` 分, or (None) what the lines come to, or without lines all that is left."""

    scope: str
    order_no: str
    refund_no: str
    amount: int | None
    lines: Sequence[RefundLine | tuple[str, int, int]]
    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Refunded:
    """What went back, in 分 and points; `created` is False when this refund had been made before.

    `amount` = `cash_back` + `principal_back` + `gift_back`; `left` of the order has not gone back. `coupons_back`:
    (title, 'issued' or 'expired'); `gifts_taken`: what they were given for; `friends_taken`: what the member and who
    brought them lost of the gifts for that, (member, points, coupon title), told the first time only. `refund` is 0
    where no money went back.
    """

    refund: int
    created: bool
    order: int
    order_no: str
    member: int | None
    amount: int
    cash_back: int = 0
    principal_back: int = 0
    gift_back: int = 0
    points_due: int = 0
    points_taken: int = 0
    coupons_back: Sequence[tuple[str, str]] = ()
    gifts_taken: Sequence[str] = ()
    left: int = 0
    tier: TierChange | None = None
    friends_taken: Sequence[tuple[int, int, str]] = ()


class Parts(NamedTuple):
    """Of an order what is due when so much of it went back in all: 分 by where they came from, and points."""

    cash: int
    principal: int
    gift: int
    points: int


def parts(total: int, principal: int, gift: int, earned: int, refunded: int) -> Parts:
    """Return what is due in all after `refunded` 分 of `total`: each rises with it, and at the end all of it is due."""
    if not total:
        return Parts(0, 0, 0, earned)
    of_balance = (principal + gift) * refunded // total
    of_gift = gift * of_balance // (principal + gift) if of_balance else 0
    due = earned - earned * (total - refunded) // total
    return Parts(refunded - of_balance, of_balance - of_gift, of_gift, due)


class Piece(NamedTuple):
    """What comes back on one line of a receipt: so many pieces, so much money."""

    line_no: int
    sku: str
    pieces: int
    amount: int


class Line(Protocol):
    """A line of a receipt in the books."""

    line_no: int
    sku: str
    quantity: int
    amount: int
    refunded_quantity: int
    refunded_amount: int


def check(wanted: NewRefund, now: datetime) -> None:
    """Refuse what can't be a refund: MemberError('order_no', 'order_future', 'amount_range', 'refund_line')."""
    sales.check_number(wanted.refund_no)
    sales.when(wanted.at, now)
    sales.money(*(amount for amount in (wanted.amount, *(line[2] for line in wanted.lines)) if amount is not None))
    skus = [line[0] for line in wanted.lines]
    for place, line in enumerate(wanted.lines):
        if line[0] in skus[:place] or not 0 <= line[1] <= sales.MOST_QUANTITY:
            raise MemberError("refund_line", sku=line[0])


def words(wanted: NewRefund) -> str:
    """Return what tells two refunds of one number apart, hashed."""
    said = [wanted.amount, sorted([list(line)[:3] for line in wanted.lines], key=str)]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def pieces(receipt: Sequence[Line], wanted: NewRefund) -> list[Piece]:
    """Return what comes back of which line: of an article on several lines, from the first that has some left.

    MemberError('refund_line') when the order has no such article, or less of it.
    """
    return [piece for line in wanted.lines for piece in _off(receipt, RefundLine(*line))]


def _off(receipt: Sequence[Line], wanted: RefundLine) -> list[Piece]:
    mine = [line for line in receipt if line.sku == wanted.sku]
    many, amount = wanted.quantity, wanted.amount
    if amount is None and mine:
        amount = _share(mine, many)
    found = []
    for line in mine:
        most = line.quantity - line.refunded_quantity, line.amount - line.refunded_amount
        piece = Piece(line.line_no, wanted.sku, min(many, most[0]), min(amount or 0, most[1]))
        many, amount = many - piece.pieces, (amount or 0) - piece.amount
        found.append(piece)
    if not mine or many or amount:
        raise MemberError("refund_line", sku=wanted.sku)
    return [piece for piece in found if piece.pieces or piece.amount]


def _share(mine: Sequence[Line], many: int) -> int:
    """Return what was paid for `many` more pieces: rounded down, but for the last one, with which all has come back."""
    paid, bought = sum(line.amount for line in mine), sum(line.quantity for line in mine)
    before, back = sum(line.refunded_quantity for line in mine), sum(line.refunded_amount for line in mine)
    return max(paid * min(before + many, bought) // max(bought, 1) - back, 0)


def amount_of(wanted: NewRefund, returned: Sequence[Piece], total: int, refunded: int) -> int:
    """Return the 分 that go back: none for what was free; MemberError('refund_sum') when the lines say another amount.

    MemberError('refund_too_much') when so much is not left, or nothing comes back at all.
    """
    left, together = total - refunded, sum(piece.amount for piece in returned)
    if wanted.lines and wanted.amount not in (None, together):
        raise MemberError("refund_sum")
    amount = together if wanted.lines else left if wanted.amount is None else wanted.amount
    if amount > left or (amount == 0 and total and not any(piece.pieces for piece in returned)):
        raise MemberError("refund_too_much", left=left)
    return amount
