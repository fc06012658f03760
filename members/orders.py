"""Orders: a sale taken once, with everything it moves, and a sale undone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from members import audit, balance, buyers, coupons, giving_back, products, redeeming, referrals, rewarding, sales
from members.audit import Actor
from members.bought import Receipt, last, spent
from members.buyers import Held
from members.clock import business_date
from members.coupons import Redeemed
from members.earning import EarnLine
from members.errors import MemberError
from members.gifts import GiftDone
from members.prepared import Prepared
from members.products import Article
from members.returns import Refunded
from members.rewarding import Sale
from members.rules import Rules
from members.sales import OLDEST, Buyer, NewLine, NewOrder
from members.tables import Account, Coupon, Entry, Movement, Order, OrderLine, Store, table
from members.tiers import TierChange
from members.vault import Vault

__all__ = ["Buyer", "NewLine", "NewOrder", "Receipt", "Taken", "last", "spent", "stands", "take", "void"]

orders, lines, stores = table(Order), table(OrderLine), table(Store)
copies, movements, entries, accounts = table(Coupon), table(Movement), table(Entry), table(Account)


def _bound(*names: str) -> dict[str, Any]:
    return {name: bindparam(f"new_{name}") for name in names}


_INSERT = Prepared(
    upsert(orders)
    .values(
        _bound("scope", "order_no", "store_id", "member_id", "buyer", "at", "day")
        | _bound("total", "discount", "source", "by", "digest")
        | {"refunded": 0, "paid_principal": 0, "paid_gift": 0, "state": "paid"}
    )
    .on_conflict_do_nothing(index_elements=[orders.c.scope, orders.c.order_no])
    .returning(orders.c.id)
)
_INSERT_LINE = Prepared(
    insert(lines).values(
        _bound("order_id", "line_no", "product_id", "quantity", "amount", "discount")
        | {"refunded_quantity": 0, "refunded_amount": 0}
    )
)
_BRAND = Prepared(select(stores.c.brand).where(stores.c.id == bindparam("store")))
_PAID = (
    update(orders)
    .where(orders.c.id == bindparam("which"))
    .values(paid_principal=bindparam("of_principal"), paid_gift=bindparam("of_gift"))
)
_STORED = select(orders.c.id, orders.c.member_id, orders.c.digest, orders.c.paid_principal, orders.c.paid_gift).where(
    orders.c.scope == bindparam("whose"), orders.c.order_no == bindparam("number")
)
_BROUGHT = (
    select(accounts.c.kind, func.sum(entries.c.amount))
    .select_from(
        movements.join(entries, entries.c.movement_id == movements.c.id).join(
            accounts, accounts.c.id == entries.c.account_id
        )
    )
    .where(movements.c.order_id == bindparam("which"), movements.c.kind == "earn", accounts.c.member_id.is_not(None))
    .group_by(accounts.c.kind)
)
_USED = (
    select(copies.c.id)
    .where(copies.c.order_id == bindparam("which"), copies.c.state == "redeemed")
    .order_by(copies.c.template, copies.c.id)
)


@dataclass(frozen=True, slots=True)
class Taken:
    """A sale in the books and what it moved; `created` is False when the same order had been taken before.

    `points` can be used now, `pending` mature later; `principal` and `gift` (分) paid of the balance. With
    `unknown_buyer` the till named somebody nobody knows: `buyer` is who, and nothing was earned until they bind.
    """

    order: int
    order_no: str
    member: int | None
    created: bool
    points: int = 0
    pending: int = 0
    gifts: Sequence[GiftDone] = ()
    tier: TierChange | None = None
    coupons: Sequence[Redeemed] = ()
    principal: int = 0
    gift: int = 0
    unknown_buyer: bool = False
    buyer: Buyer | None = None


def take(
    connection: Connection, vault: Vault, rules: Rules, order: NewOrder, *, app: str, by: Actor, now: datetime,
    imported: bool = False,
) -> Taken:  # fmt: skip
    """Take a sale once per (scope, number). The same said again is the stored order; other words are refused.

    `imported`: however old, without gifts, and what is older than loyalty.adopt_days earns nothing.
    MemberError: order_conflict, order_future, order_old, order_sum, order_lines, order_no, order_pay_too_much,
    order_needs_member, amount_range, store_unknown, buyer_kind, bad_phone, insufficient, order_discount_missing,
    coupon_not_theirs, and what else a coupon refuses.
    """
    sales.check(order, now, oldest=None if imported else OLDEST)
    brand = _brand(connection, order.store)
    buyer = buyers.find(connection, vault, order.buyer, app=app, at=order.at, now=now)
    referrals.hold(connection, rules, buyer)
    member = buyers.hold(connection, buyer)
    day = business_date(order.at, rules.shop.zone, rules.shop.day_start)
    digest = vault.blind_index("order", sales.words(order, day))
    number = _insert(connection, vault, order, member, day, digest, by)
    if number is None:
        return _again(connection, order, digest)
    return _Taking(connection, vault, rules, order, number, member, by, now).make(day, brand, imported)


def _brand(connection: Connection, store: str | None) -> str:
    if store is None:
        return ""
    for (brand,) in _BRAND.rows(connection, {"store": store}):
        return str(brand)
    raise MemberError("store_unknown", store=store)


def _insert(
    connection: Connection, vault: Vault, order: NewOrder, member: Held | None, day: date, digest: str, by: Actor
) -> int | None:
    """Write the head of an order; None when its number is taken."""
    row = {
        "new_scope": order.scope, "new_order_no": order.order_no, "new_store_id": order.store,
        "new_member_id": None if member is None else member.id, "new_at": order.at,
        "new_buyer": "" if member else buyers.mark(vault, order.buyer),
        "new_day": day, "new_total": order.total, "new_discount": order.discount, "new_source": order.source,
        "new_by": by.name, "new_digest": digest,
    }  # fmt: skip
    for (number,) in _INSERT.rows(connection, row):
        return int(number)
    return None


def _again(connection: Connection, order: NewOrder, digest: str) -> Taken:
    row = connection.execute(_STORED, {"whose": order.scope, "number": order.order_no}).one()
    if row.digest != digest:
        raise MemberError("order_conflict", no=order.order_no)
    brought = {kind: int(amount) for kind, amount in connection.execute(_BROUGHT, {"which": row.id})}
    pending = brought.get("pending", 0)
    found = [coupons.by_id(connection, coupon) for coupon in connection.scalars(_USED, {"which": row.id}).all()]
    used = [Redeemed(c.id, c.member, c.title, c.code, c.template, c.discount, c.terms) for c in found]
    unknown = row.member_id is None and order.buyer is not None
    return Taken(
        row.id, order.order_no, row.member_id, False, sum(brought.values()) - pending, pending, coupons=used,
        principal=row.paid_principal, gift=row.paid_gift, unknown_buyer=unknown, buyer=order.buyer,
    )  # fmt: skip


class _Taking:
    """One new sale on its way: its head is written, its member is held."""

    def __init__(
        self, connection: Connection, vault: Vault, rules: Rules, order: NewOrder, number: int, member: Held | None,
        by: Actor, now: datetime,
    ) -> None:  # fmt: skip
        self.connection, self.vault, self.rules, self.order = connection, vault, rules, order
        self.number, self.member, self.by, self.now = number, member, by, now

    def make(self, day: date, brand: str, imported: bool) -> Taken:
        """Write the lines and move what the sale moves."""
        goods = products.of_lines(self.connection, self.order.lines)
        using = redeeming.legal(
            self.connection, self.vault, sales.spread(self.order), self.member, goods, zone=self.rules.shop.zone,
            now=self.now,
        )  # fmt: skip
        self.order = order = sales.spread(self.order, () if using is None else using.lines)
        self._lines(goods)
        used = redeeming.redeem(self.connection, order, self.number, using, by=self.by, now=self.now)
        principal, gift = self._pay()
        sale = Sale(
            self.number, order.total, principal + gift, _earning(order, goods), order.store or "", brand, order.at, day,
            used.multiplier,
        )  # fmt: skip
        brought = rewarding.NOTHING
        if self.member is not None:
            bring = rewarding.bring_late if imported else rewarding.bring
            brought = bring(self.connection, self.rules, self.member, sale, by=self.by, now=self.now)
        taken = Taken(
            self.number, order.order_no, None if self.member is None else self.member.id, True, brought.points,
            brought.pending, brought.gifts, brought.tier, used.coupons, principal, gift,
            self.member is None and order.buyer is not None, order.buyer,
        )  # fmt: skip
        self._tell_audit(taken)
        return taken

    def _lines(self, goods: Mapping[str, Article]) -> None:
        rows = [
            {
                "new_order_id": self.number, "new_line_no": place, "new_product_id": goods[line.sku].id,
                "new_quantity": line.quantity, "new_amount": line.amount, "new_discount": line.discount,
            }
            for place, line in enumerate(self.order.lines, 1)
        ]  # fmt: skip
        if rows:
            _INSERT_LINE.many(self.connection, rows)

    def _pay(self) -> tuple[int, int]:
        """Take from the balance what it is to pay; return the parts of principal and gift."""
        if not self.order.pay_balance:
            return 0, 0
        if self.member is None:
            raise MemberError("order_needs_member")
        paid = balance.pay(
            self.connection, self.rules, self.member.id, self.order.pay_balance, key=f"order:{self.number}:pay",
            by=self.by, now=self.now, order=self.number,
        )  # fmt: skip
        self.connection.execute(_PAID, {"which": self.number, "of_principal": paid.principal, "of_gift": paid.gift})
        return paid.principal, paid.gift

    def _tell_audit(self, taken: Taken) -> None:
        detail = {
            "order": taken.order, "no": taken.order_no, "total": self.order.total, "discount": self.order.discount,
            "points": taken.points + taken.pending, "principal": taken.principal, "gift": taken.gift,
            "coupons": [coupon.id for coupon in taken.coupons],
        }  # fmt: skip
        audit.write(
            self.connection, self.by, "order.take", taken.member,
            {name: value for name, value in detail.items() if value}, now=self.now,
        )  # fmt: skip


def _earning(order: NewOrder, goods: Mapping[str, Article]) -> Sequence[EarnLine]:
    found = []
    for line in order.lines:
        article = goods[line.sku]
        found.append(EarnLine(article.category, article.brand, line.sku, line.amount, article.category_name))
    return found


def stands(connection: Connection, order: int | None) -> bool:
    """Tell whether there is such an order, and money of it was kept."""
    kept = select(orders.c.id).where(orders.c.id == order, orders.c.state != "refunded")
    return order is not None and connection.execute(kept).scalar_one_or_none() is not None


def void(
    connection: Connection, vault: Vault, rules: Rules, order: int, *, by: Actor, now: datetime, reason: str = "撤销"
) -> Refunded:
    """Undo a sale that should not have been taken: money, points, coupons and gifts all go back where they were.

    Once; MemberError('order_unknown'), ('refund_too_much') when all of it had been refunded already.
    """
    return giving_back.void(connection, vault, rules, order, by=by, now=now, reason=reason)
