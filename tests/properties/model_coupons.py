"""Coupons as their rules say: how many there may be, how long they hold, and the one way through their states."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from tests.properties.model_value import Refused, Value, local_day, midnight_after


@dataclass
class Template:
    """An offer with its limits; `worst` is what one copy costs at most, in 分; a `thing` takes nothing off a sale."""

    days: int
    worst: int
    thing: bool = False
    stock: int | None = None
    budget: int | None = None
    per_member: int | None = None
    per_day: int | None = None
    transferable: bool = False
    by_day: dict[date, int] = field(default_factory=dict)


@dataclass
class Copy:
    """One member's copy; `reserved` is what it may still cost (or, a thing that was used, has cost)."""

    template: str
    owner: int
    granted_to: int
    expires: datetime
    reserved: int
    worst: int
    state: str = "issued"
    discount: int = 0
    returned: bool = False
    lock_key: str = ""
    locked_until: datetime | None = None
    order: str | None = None


@dataclass
class Offer:
    """A copy on its way to a friend."""

    copy: str
    giver: int
    until: datetime
    open: bool = True


@dataclass
class Coupons(Value):
    """Every template and every copy, by the key it was issued under."""

    templates: dict[str, Template] = field(default_factory=dict)
    copies: dict[str, Copy] = field(default_factory=dict)
    offers: list[Offer] = field(default_factory=list)

    def issued(self, code: str) -> int:
        """How many copies of a template are out: all that were not given back."""
        return sum(copy.template == code and not copy.returned for copy in self.copies.values())

    def committed(self, code: str) -> int:
        """What all copies of a template may still cost and have cost."""
        return sum(copy.reserved + copy.discount for copy in self.copies.values() if copy.template == code)

    def granted(self, code: str, who: int) -> int:
        """How many copies of a template count for somebody's limit."""
        return sum(c.template == code and c.granted_to == who and not c.returned for c in self.copies.values())

    def issue(self, key: str, code: str, owner: int, *, face: int | None = None) -> Copy:
        """One more copy, if budget, stock and limits allow."""
        offer, today = self.templates[code], local_day(self.now)
        worst = offer.worst if face is None else face
        if offer.budget is not None and self.committed(code) + worst > offer.budget:
            raise Refused("coupon_budget")
        if offer.stock is not None and self.issued(code) >= offer.stock:
            raise Refused("template_empty")
        if offer.per_member is not None and self.granted(code, owner) >= offer.per_member:
            raise Refused("coupon_limit")
        if offer.per_day is not None and offer.by_day.get(today, 0) >= offer.per_day:
            raise Refused("coupon_day")
        offer.by_day[today] = offer.by_day.get(today, 0) + 1
        expires = midnight_after(today + timedelta(days=offer.days))
        copy = self.copies[key] = Copy(code, owner, owner, expires, worst, worst)
        return copy

    def locked(self, copy: Copy) -> bool:
        """Whether a till holds the copy now; a lock that ran out holds nothing."""
        return copy.state == "locked" and copy.locked_until is not None and copy.locked_until > self.now

    def usable(self, copy: Copy) -> bool:
        """Whether the copy can be used, locked or given away."""
        return copy.state in ("issued", "locked") and not self.locked(copy) and copy.expires > self.now

    def must_be_usable(self, copy: Copy) -> None:
        """Refuse a copy that can't be used, saying why."""
        if copy.state in ("redeemed", "void"):
            raise Refused({"redeemed": "coupon_used", "void": "coupon_void"}[copy.state])
        if self.locked(copy):
            raise Refused("coupon_locked")
        if not self.usable(copy):
            raise Refused("coupon_expired")

    def lock(self, key: str, lock_key: str, seconds: int) -> None:
        """A till holds a copy for a while; it may renew its lock as long as the copy holds."""
        copy = self.copies[key]
        if not (self.locked(copy) and copy.lock_key == lock_key and copy.expires > self.now):
            self.must_be_usable(copy)
        copy.state, copy.lock_key, copy.locked_until = "locked", lock_key, self.now + timedelta(seconds=seconds)

    def unlock(self, key: str, lock_key: str) -> bool:
        """The till lets go."""
        copy = self.copies[key]
        if not self.locked(copy) or copy.lock_key != lock_key:
            return False
        copy.state, copy.lock_key, copy.locked_until = "issued", "", None
        return True

    def redeem(self, key: str, *, lock_key: str = "", discount: int = 0, order: str | None = None) -> Copy:
        """Use a copy, once; with the lock's key also after its last day. What it did not cost is free for others."""
        copy = self.copies[key]
        if not (self.locked(copy) and copy.lock_key == lock_key):
            self.must_be_usable(copy)
        copy.state, copy.lock_key, copy.locked_until, copy.order = "redeemed", "", None, order
        if not self.templates[copy.template].thing:
            copy.discount = discount
            if discount or order:
                copy.reserved = 0
        return copy

    def reverse(self, key: str) -> str:
        """Take a redemption back: the copy holds again if its time is not over, and counts as far as there is room."""
        copy = self.copies[key]
        if copy.state != "redeemed":
            raise Refused("coupon_not_used")
        copy.state, copy.discount, copy.reserved, copy.order = "expired", 0, 0, None
        if copy.expires > self.now:
            budget, committed = self.templates[copy.template].budget, self.committed(copy.template)
            copy.state = "issued"
            copy.reserved = copy.worst if budget is None else min(copy.worst, budget - committed)
        return copy.state

    def void(self, key: str, *, give_back: bool) -> bool:
        """Make a copy worthless; with `give_back` as if it had never been."""
        copy = self.copies[key]
        if not self.usable(copy):
            return False
        copy.state, copy.returned, copy.reserved = "void", give_back, 0
        for offer in self.offers:
            offer.open = offer.open and offer.copy != key
        return True

    def expire_coupons(self) -> int:
        """The night's job: what ran out is expired; return how many did."""
        due = [
            copy for copy in self.copies.values()
            if copy.state in ("issued", "locked") and copy.expires <= self.now and not self.locked(copy)
        ]  # fmt: skip
        for copy in due:
            copy.state, copy.reserved = "expired", 0
        return len(due)

    def offer(self, key: str, who: int, hours: int) -> int:
        """Offer one's own copy to a friend; return the number of the offer."""
        copy = self.copies[key]
        if copy.owner != who:
            raise Refused("coupon_unknown")
        if not self.templates[copy.template].transferable:
            raise Refused("coupon_not_transferable")
        self.must_be_usable(copy)
        for other in self.offers:
            other.open = other.open and other.copy != key
        self.offers.append(Offer(key, who, min(self.now + timedelta(hours=hours), copy.expires)))
        return len(self.offers) - 1

    def claim(self, number: int, who: int) -> Copy:
        """The friend takes it, once."""
        offer = self.offers[number]
        copy = self.copies[offer.copy]
        if offer.giver == who:
            raise Refused("transfer_self")
        if not offer.open or offer.until <= self.now or copy.owner != offer.giver or not self.usable(copy):
            raise Refused("transfer_gone")
        offer.open = False
        copy.owner, copy.state, copy.lock_key, copy.locked_until = who, "issued", "", None
        return copy
