"""What is to be booked, and the line of it that a member's hash chain is made of."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

GENESIS = bytes(32)
MAX_AMOUNT = 10**12


@dataclass(frozen=True, slots=True)
class Leg:
    """One signed amount on one account: of a member when `member` is given, else a system account of that kind.

    Taking from points or pending takes from `lot` when it is named. What is added forms a lot that ends at `expires_at`
    (and, pending, matures at `matures_at`); without these the booking's own count. `order` is where the lot came from.
    """

    account: str
    amount: int
    member: int | None = None
    lot: int | None = None
    expires_at: datetime | None = None
    matures_at: datetime | None = None
    order: int | None = None


@dataclass(frozen=True, slots=True)
class Booking:
    """What is to be booked; `key` makes it happen once, `expires_at` dates the lot that earned points form.

    One that `reverses` a movement puts points back into the lots they were taken from, and takes them first from the
    lots that movement opened. `from_lots` are taken from before others, in their order.
    """

    key: str
    kind: str
    actor: str
    at: datetime
    legs: Sequence[Leg]
    reason: str = ""
    order_id: int | None = None
    reverses: int | None = None
    expires_at: datetime | None = None
    matures_at: datetime | None = None
    store_id: str | None = None
    from_lots: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Booked:
    """The movement's id, and whether this call made it (False: it was there already)."""

    id: int
    created: bool


def canonical(booking: Booking, leg: Leg, seq: int, balance_after: int) -> bytes:
    """Return the bytes that the chain hashes: tab-joined fields, the instant in UTC ISO 8601 to the microsecond."""
    at = booking.at.astimezone(None).timestamp()
    fields = (
        seq, leg.member, leg.account, leg.amount, balance_after,
        booking.key, booking.kind, round(at * 1_000_000), booking.actor, booking.reason,
    )  # fmt: skip
    return "\t".join(str(field).replace("\t", " ") for field in fields).encode()


def chain(previous: bytes, line: bytes) -> bytes:
    """Return the next link: SHA-256 over the previous link and the line."""
    return hashlib.sha256((previous or GENESIS) + line).digest()


def check(booking: Booking) -> None:
    """Refuse unbalanced, empty or oversized bookings (ValueError: a fault of ours, never of a member)."""
    if not booking.legs or sum(leg.amount for leg in booking.legs) != 0:
        raise ValueError(f"unbalanced booking {booking.key}")
    if any(leg.amount == 0 or abs(leg.amount) > MAX_AMOUNT for leg in booking.legs):
        raise ValueError(f"amount out of range in {booking.key}")
