"""Writing households of the demo data into the books: one call, one transaction, everything of them or nothing."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from members import tails
from members.bulk import insert_rows, take_ids
from members.importing.completejourney_households import Household, Purchase, Terms
from members.importing.completejourney_names import demo_card, demo_phone
from members.importing.completejourney_shop import SOURCE
from members.ledger import Booking, Leg
from members.ledger_bulk import post_many
from members.rules import TierRule
from members.tables import Coupon, CouponGrant, CouponTemplate, Identity, Member, Order, OrderLine, Setting, table
from members.tiers import deserved
from members.vault import Vault, normalise_phone

SETTING = "import:completejourney"
ACTOR = "import"
WRITTEN = ("会员", "订单", "明细行", "积分入账", "充值入账", "优惠券")
members, identities, settings = table(Member), table(Identity), table(Setting)
orders, lines = table(Order), table(OrderLine)
coupons, templates, grants = table(Coupon), table(CouponTemplate), table(CouponGrant)

_LOCK = select(settings.c.value).where(settings.c.key == SETTING).with_for_update()
_DONE = select(identities.c.value).where(identities.c.kind == "shop", identities.c.scope == SOURCE)
_DONE_OF = _DONE.where(identities.c.value.in_(bindparam("wanted", expanding=True)))
_RAISE = (
    update(templates)
    .where(templates.c.code == bindparam("which"))
    .values(issued=templates.c.issued + bindparam("many"))
)
_MEMBER = ("id", "created_at", "state", "tier", "home_store", "personalised", "chain_seq", "chain_hash")
_IDENTITY = ("member_id", "kind", "scope", "value", "sealed", "source", "created_at", "ended_by")
_ORDER = ("id", "order_no", "store_id", "member_id", "buyer", "at", "day", "total", "discount", "state", "source")
_LINE = ("order_id", "line_no", "product_id", "quantity", "amount", "discount")
_COUPON = (
    "code", "key", "template", "member_id", "granted_to", "title", "state", "issued_at", "issued_by", "reason",
    "expires_at", "redeemed_at", "redeemed_by", "redeemed_store", "order_id",
)  # fmt: skip


def imported(connection: Connection) -> set[int]:
    """Return the households that are in the books, also those whose member has been erased since."""
    return {int(value) for value in connection.scalars(_DONE)}


def write_households(
    connection: Connection, vault: Vault, found: Sequence[Household], terms: Terms, tiers: Sequence[TierRule],
    names: Mapping[str, str],
) -> Counter[str]:  # fmt: skip
    """Write those of `found` that are not in the books yet; return how many rows of which kind.

    The lock on the setting keeps two imports from meeting in one household.
    """
    connection.execute(_LOCK).one()
    done = set(connection.scalars(_DONE_OF, {"wanted": [str(household.id) for household in found]}))
    fresh = [household for household in found if str(household.id) not in done]
    ids = take_ids(connection, members, len(fresh))
    pairs = list(zip(ids, fresh, strict=True))
    insert_rows(connection, members, _MEMBER, [_member(row, household, tiers) for row, household in pairs])
    _write_identities(connection, vault, pairs)
    order_ids = take_ids(connection, orders, sum(len(household.purchases) for household in fresh))
    written = Counter({"会员": len(fresh), "订单": len(order_ids)})
    written["明细行"] = _write_orders(connection, pairs, iter(order_ids))
    bookings = list(_bookings(pairs, iter(order_ids), terms))
    post_many(connection, bookings)
    written["积分入账"] = sum(booking.kind == "earn" for booking in bookings)
    written["充值入账"] = len(bookings) - written["积分入账"]
    written["优惠券"] = _write_coupons(connection, pairs, iter(order_ids), names)
    return written


def _member(row: int, household: Household, tiers: Sequence[TierRule]) -> tuple[Any, ...]:
    spent = sum(purchase.total for purchase in household.purchases)
    tier = deserved(tiers, spent).name if tiers else ""
    return (row, household.since, "active", tier, household.home_store, True, 0, b"")


def _write_identities(connection: Connection, vault: Vault, pairs: Sequence[tuple[int, Household]]) -> None:
    keys = vault.create_member_keys(connection, [member for member, _ in pairs])
    rows: list[tuple[Any, ...]] = []
    for member, household in pairs:
        phone = normalise_phone(demo_phone(household.id))
        sealed = vault.seal(keys[member], "phone", phone)
        rest = (SOURCE, household.since, "")
        rows.append((member, "phone", "", vault.blind_index("phone", phone), sealed, *rest))
        rows.append((member, tails.KIND, str(member), tails.index(vault, phone), None, *rest))
        rows.append((member, "card", "", demo_card(household.id), None, *rest))
        rows.append((member, "shop", SOURCE, str(household.id), None, *rest))
    insert_rows(connection, identities, _IDENTITY, rows)


def _write_orders(connection: Connection, pairs: Sequence[tuple[int, Household]], ids: Iterator[int]) -> int:
    heads: list[tuple[Any, ...]] = []
    rows: list[tuple[int, ...]] = []
    for member, household in pairs:
        owners: list[int] = []
        numbers: list[int] = []
        for order, p in zip(ids_for(household, ids), household.purchases, strict=True):
            heads.append((order, p.order_no, p.store, member, "", p.at, p.day, p.total, p.discount, "paid", SOURCE))
            owners.extend(repeat(order, p.lines))
            numbers.extend(range(1, p.lines + 1))
        rows.extend(zip(owners, numbers, *household.columns, strict=True))
    insert_rows(connection, orders, _ORDER, heads)
    insert_rows(connection, lines, _LINE, rows)
    return len(rows)


def ids_for(household: Household, ids: Iterator[int]) -> list[int]:
    """Return the row ids of a household's orders, taken off `ids` in order."""
    return [next(ids) for _ in household.purchases]


def _bookings(pairs: Iterable[tuple[int, Household]], ids: Iterator[int], terms: Terms) -> Iterator[Booking]:
    for member, household in pairs:
        if household.top_up:
            yield _top_up(member, household, *household.top_up)
        for order, purchase in zip(ids_for(household, ids), household.purchases, strict=True):
            points = terms.points(purchase.total)
            if points:
                yield _earned(member, order, purchase, points, terms)


def _top_up(member: int, household: Household, principal: int, gift: int) -> Booking:
    legs = (
        Leg("principal", principal, member),
        Leg("cash", -principal),
        Leg("gift", gift, member),
        Leg("issuer", -gift),
    )
    return Booking(f"cj:{household.id}:topup", "topup", ACTOR, household.since, legs, reason="开业充值赠送")


def _earned(member: int, order: int, purchase: Purchase, points: int, terms: Terms) -> Booking:
    legs = (Leg("points", points, member), Leg("issuer", -points))
    return Booking(
        f"order:{purchase.order_no}:earn", "earn", ACTOR, purchase.at, legs,
        reason=f"消费 ¥{purchase.total // 100}.{purchase.total % 100:02d}", order_id=order,
        expires_at=terms.points_end(purchase.day),
    )  # fmt: skip


def _write_coupons(
    connection: Connection, pairs: Sequence[tuple[int, Household]], ids: Iterator[int], names: Mapping[str, str]
) -> int:
    rows: list[tuple[Any, ...]] = []
    granted: Counter[tuple[str, int]] = Counter()
    for member, household in pairs:
        own = ids_for(household, ids)
        for held in household.held:
            granted[held.template, member] += 1
            used = None if held.purchase is None else household.purchases[held.purchase]
            rows.append(
                (held.code, held.key, held.template, member, member, names[held.template],
                 "redeemed" if held.redeemed_at else "issued", held.issued_at, ACTOR, f"第 {held.campaign} 期优惠活动",
                 held.expires_at, held.redeemed_at, ACTOR if held.redeemed_at else "", used and used.store,
                 None if held.purchase is None else own[held.purchase])
            )  # fmt: skip
    insert_rows(connection, coupons, _COUPON, rows)
    insert_rows(connection, grants, ("template", "member_id", "count"), [(*who, n) for who, n in granted.items()])
    issued: Counter[str] = Counter()
    for (template, _), many in granted.items():
        issued[template] += many
    if issued:
        connection.execute(_RAISE, [{"which": template, "many": many} for template, many in sorted(issued.items())])
    return len(rows)
