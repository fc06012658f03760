"""One household of the demo data as rows of the books, everything but the row ids; computed outside any transaction."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Self
from zoneinfo import ZoneInfo

import numpy as np

from members.clock import add_months, end_of_day
from members.coupons import ALPHABET, SYMBOLS, check_symbol
from members.importing.completejourney_names import spread
from members.importing.completejourney_shop import Shelf, template_code
from members.importing.completejourney_source import Campaign, Lines, Numbers, Redemption, local

TOP_UP_EVERY = 3
TOP_UPS = ((100_00, 10_00), (200_00, 25_00), (300_00, 45_00), (500_00, 100_00))


@dataclass(frozen=True, slots=True)
class Terms:
    """What the first import fixed for all later ones: the shift of dates, the zone, how points are earned."""

    shift_days: int
    zone: ZoneInfo
    points_per_yuan: int
    expiry_months: int
    open_coupons: int

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` takes."""
        return {**asdict(self), "zone": self.zone.key}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Return the terms that `to_json` gave."""
        return cls(**{**stored, "zone": ZoneInfo(stored["zone"])})

    def moment(self, wall: datetime) -> datetime:
        """Return the instant (UTC) of a wall time of the package: shifted, then read in the shop's zone."""
        return (wall + timedelta(days=self.shift_days)).replace(tzinfo=self.zone).astimezone(UTC)

    def begin(self, day: date) -> datetime:
        """Return the first instant of a day of the package."""
        return self.moment(datetime.combine(day, time()))

    def end(self, day: date) -> datetime:
        """Return the first instant after a day of the package."""
        return end_of_day(day + timedelta(days=self.shift_days), self.zone)

    def points(self, total: int) -> int:
        """Return the points for `total` 分, rounded down."""
        return total * self.points_per_yuan // 100

    def points_end(self, day: date) -> datetime:
        """Return when points earned on a (shifted) day expire."""
        return end_of_day(add_months(day, self.expiry_months), self.zone)


@dataclass(frozen=True, slots=True)
class Purchase:
    """One order without its row id, and where its lines are in the household's columns."""

    order_no: str
    store: str
    at: datetime
    day: date
    total: int
    discount: int
    lines: int


@dataclass(frozen=True, slots=True)
class Held:
    """One coupon: redeemed when `redeemed_at` is given; `purchase` is the position of the order it was used in."""

    key: str
    code: str
    template: str
    campaign: int
    issued_at: datetime
    expires_at: datetime
    redeemed_at: datetime | None = None
    purchase: int | None = None


@dataclass(frozen=True, slots=True)
class Household:
    """Everything of one household, orders by time; columns of all their lines: product row, quantity, 分, discount."""

    id: int
    purchases: Sequence[Purchase]
    columns: tuple[Sequence[int], Sequence[int], Sequence[int], Sequence[int]]
    held: Sequence[Held]

    @property
    def since(self) -> datetime:
        """Return the first purchase."""
        return self.purchases[0].at

    @property
    def home_store(self) -> str:
        """Return the most visited store, the smaller number of two."""
        visits = Counter(purchase.store for purchase in self.purchases)
        return min(visits, key=lambda store: (-visits[store], int(store)))

    @property
    def top_up(self) -> tuple[int, int] | None:
        """Return (principal, gift) in 分 for every third household; invented, the data knows no stored value."""
        return TOP_UPS[spread(self.id) % len(TOP_UPS)] if self.id % TOP_UP_EVERY == 0 else None


@dataclass(frozen=True, slots=True)
class Mailings:
    """The coupons of the package by household: what was redeemed, what was sent and is still open at the data's end."""

    campaigns: Mapping[int, Campaign]
    redeemed: Mapping[int, Sequence[Redemption]]
    open: Mapping[int, Sequence[int]]
    offers: Mapping[int, Mapping[int, Numbers]]

    def templates(self, many_open: int) -> set[int]:
        """Return the coupons that need a template: redeemed by anybody, or open when open ones are handed out."""
        redeemed = {redemption.coupon for mine in self.redeemed.values() for redemption in mine}
        offered = {coupon for offer in self.offers.values() for coupon in offer} if many_open else set()
        return redeemed | offered


def coupon_code(key: str) -> str:
    """Return the code that belongs to an import key: looks as random as any, and is the same in every run."""
    number = int.from_bytes(hashlib.sha256(f"completejourney coupon {key}".encode()).digest()[:8])
    body = "".join(ALPHABET[number >> 5 * place & 31] for place in range(SYMBOLS))
    return body + check_symbol(body)


def households(lines: Lines, shelf: Shelf, mailings: Mailings, terms: Terms) -> Iterator[Household]:
    """Yield households in the order of `lines`, which are sorted by household, time, basket and product."""
    starts = np.flatnonzero(np.r_[True, lines.basket[1:] != lines.basket[:-1]])
    totals = np.add.reduceat(lines.sales, starts)
    discounts, coupons = np.add.reduceat(lines.discount, starts), np.add.reduceat(lines.coupon, starts)
    sizes = np.diff(np.r_[starts, len(lines.basket)])
    rows = shelf.rows_of(lines.product)
    owner = lines.household[starts]
    edges = np.flatnonzero(np.r_[True, owner[1:] != owner[:-1], True])
    for first, last in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        own = starts[first:last]
        heads = (lines.basket[own], lines.store[own], lines.seconds[own])
        figures = (totals[first:last], discounts[first:last], sizes[first:last])
        purchases = [_purchase(terms, *head) for head in zip(*(c.tolist() for c in (*heads, *figures)), strict=True)]
        span = slice(int(own[0]), int(own[-1] + sizes[last - 1]))
        columns = (
            rows[span].tolist(), lines.quantity[span].tolist(), lines.sales[span].tolist(),
            lines.discount[span].tolist(),
        )  # fmt: skip
        household = int(owner[first])
        held = _held(household, purchases, coupons[first:last].tolist(), lines.product[span], mailings, terms)
        yield Household(household, purchases, columns, held)


def _purchase(terms: Terms, basket: int, store: int, second: int, total: int, discount: int, lines: int) -> Purchase:
    wall = local(second)
    day = wall.date() + timedelta(days=terms.shift_days)
    return Purchase(f"CJ{basket}", str(store), terms.moment(wall), day, total, discount, lines)


def _held(
    household: int, purchases: Sequence[Purchase], coupons: Sequence[int], bought: Numbers, mailings: Mailings,
    terms: Terms,
) -> list[Held]:  # fmt: skip
    used = mailings.redeemed.get(household, ())
    seen: Counter[tuple[int, int]] = Counter()
    held = []
    for redemption in used:
        seen[redemption.campaign, redemption.coupon] += 1
        key = f"cj:{household}:{redemption.campaign}:{redemption.coupon}:{seen[redemption.campaign, redemption.coupon]}"
        where = _order_of(redemption, purchases, coupons, terms)
        noon = terms.begin(redemption.day) + timedelta(hours=12)
        at = purchases[where].at if where is not None else noon
        sent = mailings.campaigns[redemption.campaign]
        issued = min(max(terms.begin(sent.start), purchases[0].at), at)
        template = template_code(redemption.coupon)
        held.append(Held(key, coupon_code(key), template, sent.id, issued, terms.end(sent.end), at, where))
    return held + _still_open(household, purchases[0].at, bought, mailings, terms, seen)


def _order_of(
    redemption: Redemption, purchases: Sequence[Purchase], coupons: Sequence[int], terms: Terms
) -> int | None:
    day = redemption.day + timedelta(days=terms.shift_days)
    that_day = [position for position, purchase in enumerate(purchases) if purchase.day == day]
    return max(that_day, key=lambda position: (coupons[position], -position), default=None)


def _still_open(
    household: int, since: datetime, bought: Numbers, mailings: Mailings, terms: Terms, seen: Counter[tuple[int, int]]
) -> list[Held]:
    liked: list[tuple[int, int, int]] = []
    for campaign in mailings.open.get(household, ()) if terms.open_coupons else ():
        for coupon, taken in mailings.offers[campaign].items():
            many = int(np.isin(bought, taken).sum())
            if many and not seen[campaign, coupon]:
                liked.append((-many, campaign, coupon))
    held = []
    for _, campaign, coupon in sorted(liked)[: terms.open_coupons]:
        key, sent = f"cj:{household}:{campaign}:{coupon}:1", mailings.campaigns[campaign]
        issued = max(terms.begin(sent.start), since)
        held.append(Held(key, coupon_code(key), template_code(coupon), campaign, issued, terms.end(sent.end)))
    return held


def ranked(order: Mapping[int, int], lines: Lines) -> Lines:
    """Return the lines of the households in `order`, sorted by their place there, time, basket and product."""
    place = np.full(int(lines.household.max()) + 1, -1, dtype=np.int64)
    place[list(order)] = list(order.values())
    places = place[lines.household]
    mine = np.flatnonzero(places >= 0)
    sorting = np.lexsort((lines.product[mine], lines.basket[mine], lines.seconds[mine], places[mine]))
    return lines.pick(mine[sorting])


def preferred(lines: Lines, described: Callable[[int], bool], *, enough: int = 40) -> list[int]:
    """Return all households, the most useful for a demo first.

    First those with demographics and at least `enough` baskets, then the other described ones, then the rest; within
    each group by `spread`, which mixes heavy and light buyers.
    """
    _, first = np.unique(lines.basket, return_index=True)
    found, baskets = np.unique(lines.household[first], return_counts=True)
    many = dict(zip(found.tolist(), baskets.tolist(), strict=True))

    def rank(household: int) -> tuple[bool, bool, int]:
        return not described(household), many[household] < enough, spread(household)

    return sorted(many, key=rank)
