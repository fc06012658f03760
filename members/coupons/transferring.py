"""A coupon on its way to a friend: offered under a word, claimed once by whoever brings it, or withdrawn, or run out.

The word is as random as a code and only its keyed hash is stored. Until it is claimed the owner may still use the
coupon; with the claim it gets a new code, so that the old one, which the former owner has seen, opens nothing any more.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, insert, select, update

from members.coupons.codes import exact, new_code, normalise_code
from members.coupons.copies import USABLE, Copy, by_id, find, refuse_unusable
from members.coupons.issuing import coupons
from members.errors import MemberError
from members.tables import CouponTransfer, table
from members.vault import Vault

HOURS = 24
transfers = table(CouponTransfer)
_BY_WORD = select(transfers).where(transfers.c.token_hash == bindparam("hashed"))
_WITHDRAW = (
    update(transfers)
    .where(transfers.c.coupon_id == bindparam("which"), transfers.c.state == "open")
    .values(state="cancelled", settled_at=bindparam("moment"))
)
_CLAIM = (
    update(transfers)
    .where(transfers.c.id == bindparam("which"), transfers.c.state == "open")
    .values(state="claimed", to_member=bindparam("taker"), settled_at=bindparam("moment"))
)
_HAND_OVER = (
    update(coupons)
    .where(coupons.c.id == bindparam("which"), coupons.c.member_id == bindparam("giver"), USABLE)
    .values(
        member_id=bindparam("taker"), code=bindparam("fresh"), state="issued", locked_until=None, lock_key="",
        noticed_at=None,
    )
)  # fmt: skip
_RAN_OUT = (
    select(transfers.c.id)
    .where(transfers.c.state == "open", transfers.c.expires_at <= bindparam("moment"))
    .order_by(transfers.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_END = (
    update(transfers)
    .where(transfers.c.id.in_(bindparam("ended", expanding=True)), transfers.c.state == "open")
    .values(state="expired", settled_at=bindparam("moment"))
)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A coupon that changed hands: its new code, whose it was."""

    id: int
    title: str
    code: str
    expires_at: datetime
    giver: int


def offer_transfer(
    connection: Connection, vault: Vault, member: int, code: str, *, now: datetime, hours: int = HOURS
) -> str:
    """Offer the member's own coupon to a friend; return the word the friend types. An earlier word ends.

    MemberError coupon_unknown (also for somebody else's), coupon_not_transferable, or why it can't be used.
    """
    copy = _own(connection, vault, member, code, now)
    if not copy.rule.transferable:
        raise MemberError("coupon_not_transferable", title=copy.title)
    refuse_unusable(copy, now)
    withdraw(connection, copy.id, now=now)
    word = new_code()
    row = {
        "token_hash": _hash(vault, word), "coupon_id": copy.id, "from_member": member, "to_member": None,
        "state": "open", "created_at": now, "settled_at": None,
        "expires_at": min(now + timedelta(hours=hours), copy.expires_at),
    }  # fmt: skip
    connection.execute(insert(transfers), row)
    return word


def claim_transfer(connection: Connection, vault: Vault, member: int, token: str, *, now: datetime) -> Claimed:
    """Give the coupon to the member who brings its word, once; MemberError when there is none (any more).

    coupon_mistyped and transfer_unknown for a wrong word (count these, see `wrong_code`), transfer_self, transfer_gone
    when it was claimed, withdrawn, used or ran out.
    """
    word = _word(token)
    row = connection.execute(_BY_WORD, {"hashed": _hash(vault, word)}).one_or_none()
    if row is None:
        raise MemberError("transfer_unknown" if exact(word) else "coupon_mistyped")
    if row.from_member == member:
        raise MemberError("transfer_self")
    if row.state != "open" or row.expires_at <= now:
        raise MemberError("transfer_gone")
    claim = {"which": row.id, "taker": member, "moment": now}
    if connection.execute(_CLAIM, claim).rowcount != 1:
        raise MemberError("transfer_gone")
    fresh = new_code()
    bound = {"which": row.coupon_id, "giver": row.from_member, "taker": member, "fresh": fresh, "moment": now}
    if connection.execute(_HAND_OVER, bound).rowcount != 1:
        raise MemberError("transfer_gone")
    copy = by_id(connection, row.coupon_id)
    return Claimed(copy.id, copy.title, copy.code, copy.expires_at, row.from_member)


def cancel_transfer(connection: Connection, vault: Vault, member: int, code: str, *, now: datetime) -> bool:
    """Withdraw the member's own open offer of a coupon; return whether there was one."""
    return withdraw(connection, _own(connection, vault, member, code, now).id, now=now)


def withdraw(connection: Connection, coupon: int, *, now: datetime) -> bool:
    """End the open offer of a coupon, whoever made it; return whether there was one."""
    return connection.execute(_WITHDRAW, {"which": coupon, "moment": now}).rowcount > 0


def expire_transfers(connection: Connection, now: datetime, *, limit: int = 500) -> int:
    """Mark up to `limit` offers that nobody claimed in time; return how many."""
    due = list(connection.execute(_RAN_OUT, {"moment": now, "most": limit}).scalars())
    return connection.execute(_END, {"ended": due, "moment": now}).rowcount if due else 0


def _own(connection: Connection, vault: Vault, member: int, code: str, now: datetime) -> Copy:
    copy = find(connection, code, now=now, vault=vault)
    if copy.member != member:
        raise MemberError("coupon_unknown")
    return copy


def _word(token: str) -> str:
    try:
        return normalise_code(token)
    except MemberError as refusal:
        raise MemberError("transfer_unknown" if refusal.code == "coupon_unknown" else refusal.code) from refusal


def _hash(vault: Vault, word: str) -> str:
    return vault.blind_index("coupon transfer", word)
