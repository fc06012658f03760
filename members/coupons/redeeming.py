"""From issued to redeemed and back, locked in between, or void: each step one conditional update that decides.

A step reads the copy, says why it can't be taken, and else tries it on exactly the copy that was read; when another was
faster it looks again. Nobody waits for anybody, and the loser learns what happened.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import BigInteger, Connection, and_, bindparam, func, or_, update

from members import discounts, slots
from members.coupons import kinds
from members.coupons.copies import USABLE, Copy, by_id, find, refuse_unusable
from members.coupons.issuing import By, coupons, name_of
from members.coupons.transferring import withdraw
from members.errors import MemberError
from members.prepared import Prepared
from members.rules import CouponRule
from members.vault import Vault

TRIES = 5
LONGEST_LOCK = 24 * 3600

_SAME = and_(
    coupons.c.id == bindparam("which"), coupons.c.code == bindparam("seen_code"),
    coupons.c.reserved == bindparam("seen_reserved", type_=BigInteger()),
    func.coalesce(coupons.c.slot_id, 0) == bindparam("seen_slot", type_=BigInteger()),
)  # fmt: skip
_OWN_LOCK = and_(
    coupons.c.state == "locked", coupons.c.locked_until > bindparam("moment"), coupons.c.lock_key == bindparam("till")
)
_REDEEM = Prepared(
    update(coupons)
    .where(_SAME, or_(USABLE, _OWN_LOCK))
    .values(
        state="redeemed", redeemed_at=bindparam("moment"), redeemed_by=bindparam("who"), lock_key="",
        redeemed_store=bindparam("shop"), order_id=bindparam("sale"), discount=bindparam("taken_off"),
        reserved=bindparam("kept"), locked_until=None,
    )
    .returning(coupons.c.member_id)
)  # fmt: skip
_LOCK = (
    update(coupons)
    .where(_SAME, coupons.c.expires_at > bindparam("moment"), or_(USABLE, _OWN_LOCK))
    .values(state="locked", locked_until=bindparam("until"), lock_key=bindparam("till"))
)
_UNLOCK = update(coupons).where(_SAME, _OWN_LOCK).values(state="issued", locked_until=None, lock_key="")
_REVERSE = (
    update(coupons)
    .where(_SAME, coupons.c.state == "redeemed", coupons.c.discount == bindparam("seen_discount"))
    .values(
        state=bindparam("back"),
        redeemed_at=None,
        redeemed_by="",
        redeemed_store=None,
        order_id=None,
        discount=0,
        reserved=0,
        locked_until=None,
        lock_key="",
    )
)
_RESERVE = update(coupons).where(coupons.c.id == bindparam("which")).values(reserved=bindparam("amount"))
_VOID = (
    update(coupons)
    .where(_SAME, USABLE)
    .values(
        state="void", reserved=0, slot_id=None, locked_until=None, lock_key="", returned=bindparam("comes_back"),
    )
)  # fmt: skip


@dataclass(frozen=True)
class Redeemed:
    """Which coupon of whom was just redeemed; `discount` (分) is what it took off, as far as that was said."""

    id: int
    member: int
    title: str
    code: str
    template: str
    discount: int
    terms: Mapping[str, Any]

    @cached_property
    def rule(self) -> CouponRule:
        """Return the template's rule."""
        return kinds.rule_of(self.terms)


@dataclass(frozen=True, slots=True)
class Locked:
    """A coupon that one till holds until then."""

    id: int
    member: int
    title: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Reversed:
    """A coupon that was redeemed and is not any more: `issued` again, or `expired` where its time is over."""

    id: int
    member: int
    title: str
    state: str


def redeem(
    connection: Connection, code: str, *, by: By, store: str | None, now: datetime, lock_key: str = "",
    order: int | None = None, discount: int = 0, vault: Vault | None = None,
) -> Redeemed:  # fmt: skip
    """Redeem once: of any number of racing calls exactly one wins, the rest learn what happened (MemberError).

    `code` may be a coupon token when the vault is given. A lock's own `lock_key` redeems also after the last day. With
    an `order`, its basket has decided on days and hours, and `discount` (分) is what the coupon took off there; without
    one nobody knows, and what was committed stays.
    """
    for _ in range(TRIES):
        copy = find(connection, code, now=now, vault=vault)
        if not (copy.locked(now) and copy.lock_key == lock_key):
            refuse_unusable(copy, now)
        _refuse_place(copy, store, now, timed=order is None)
        kept = copy.reserved if copy.thing or (order is None and not discount) else 0
        taken_off = 0 if copy.thing else discount
        bound = _seen(copy) | {
            "moment": now, "till": lock_key, "who": name_of(by), "shop": store, "sale": order,
            "taken_off": taken_off, "kept": kept,
        }  # fmt: skip
        won = _REDEEM.rows(connection, bound)
        if won:
            if delta := taken_off + kept - copy.reserved:
                kinds.commit(connection, copy.template, delta)
            return Redeemed(copy.id, won[0][0], copy.title, copy.code, copy.template, taken_off, copy.terms)
    raise MemberError("busy")


def lock(
    connection: Connection, code: str, *, lock_key: str, seconds: int, by: By, store: str | None, now: datetime,
    vault: Vault | None = None,
) -> Locked:  # fmt: skip
    """Hold a coupon for one till until it redeems or lets go, `seconds` long; the same `lock_key` may renew its lock.

    A lock that was taken in time stays good after the last day; it can't be taken or renewed then. ValueError when
    there is no key or the time is not within (0, 24 h].
    """
    if not lock_key or not 0 < seconds <= LONGEST_LOCK:
        raise ValueError("a lock needs a key and up to 24 hours")
    until = now + timedelta(seconds=seconds)
    for _ in range(TRIES):
        copy = find(connection, code, now=now, vault=vault)
        if not (copy.locked(now) and copy.lock_key == lock_key and copy.expires_at > now):
            refuse_unusable(copy, now)
        _refuse_place(copy, store, now, timed=False)
        bound = _seen(copy) | {"moment": now, "till": lock_key, "until": until}
        if connection.execute(_LOCK, bound).rowcount == 1:
            return Locked(copy.id, copy.member, copy.title, until)
    raise MemberError("busy")


def unlock(
    connection: Connection, code: str, *, lock_key: str, now: datetime, by: By = "", vault: Vault | None = None
) -> bool:
    """Let a coupon go; False when this key does not hold it (any more), which changes nothing."""
    for _ in range(TRIES):
        copy = find(connection, code, now=now, vault=vault)
        if not copy.locked(now) or copy.lock_key != lock_key:
            return False
        if connection.execute(_UNLOCK, _seen(copy) | {"moment": now, "till": lock_key}).rowcount == 1:
            return True
    raise MemberError("busy")


def reverse(
    connection: Connection, coupon: int | str, *, by: By, now: datetime, redeemed_at: datetime | None = None
) -> Reversed:
    """Undo a redemption: the coupon (id or code) is its member's again, or expired where its time is over.

    With `redeemed_at` only the redemption of that instant: one that came after it is somebody else's.

    Its cost leaves the budget; what it may cost again is committed as far as the budget has room, and the member keeps
    the coupon in any case. MemberError('coupon_not_used') for what is not redeemed.
    """
    for _ in range(TRIES):
        copy = by_id(connection, coupon) if isinstance(coupon, int) else find(connection, coupon, now=now)
        if copy.state != "redeemed" or redeemed_at not in (None, copy.redeemed_at):
            raise MemberError("coupon_not_used", title=copy.title)
        back = "issued" if copy.expires_at > now else "expired"
        bound = _seen(copy) | {"seen_discount": copy.discount, "back": back}
        if connection.execute(_REVERSE, bound).rowcount == 1:
            _commit_again(connection, copy, back)
            return Reversed(copy.id, copy.member, copy.title, back)
    raise MemberError("busy")


def _commit_again(connection: Connection, copy: Copy, back: str) -> None:
    cost = copy.reserved + copy.discount
    worst = (copy.rule.worst_case(copy.face) or 0) if back == "issued" else 0
    if not cost and not worst:
        return
    committed, budget = kinds.commit(connection, copy.template, -cost)
    again = worst if budget is None else min(worst, budget - committed)
    if again:
        kinds.commit(connection, copy.template, again)
        connection.execute(_RESERVE, {"which": copy.id, "amount": again})


def void(connection: Connection, coupon: int, *, by: By, now: datetime, give_back: bool) -> bool:
    """Make a coupon void that nobody has used; `give_back`: stock and the member's limit get it back.

    False, and nothing changed, when it is redeemed, expired, void, or held by a till. Its appointment is free again.
    """
    for _ in range(TRIES):
        copy = by_id(connection, coupon)
        if not copy.usable(now):
            return False
        if connection.execute(_VOID, _seen(copy) | {"moment": now, "comes_back": give_back}).rowcount != 1:
            continue
        withdraw(connection, copy.id, now=now)
        if copy.slot is not None:
            slots.release(connection, copy.slot)
        if copy.reserved:
            kinds.commit(connection, copy.template, -copy.reserved)
        if give_back:
            kinds.give_back(connection, copy.template, copy.granted_to)
        return True
    raise MemberError("busy")


def _seen(copy: Copy) -> dict[str, object]:
    return {
        "which": copy.id, "seen_code": copy.code, "seen_reserved": copy.reserved, "seen_slot": copy.slot or 0,
    }  # fmt: skip


def _refuse_place(copy: Copy, store: str | None, now: datetime, *, timed: bool) -> None:
    stores, limited = copy.placed
    if stores and store not in stores:
        raise MemberError("coupon_wrong_store", title=copy.title)
    if not limited or copy.zone is None:
        return
    problem = discounts.wrong_time(copy.rule, now.astimezone(copy.zone))
    if problem == "coupon_not_yet" and copy.rule.since is not None:
        raise MemberError("coupon_not_yet", title=copy.title, day=copy.rule.since.isoformat())
    if problem and timed:
        raise MemberError("coupon_wrong_time", title=copy.title)
