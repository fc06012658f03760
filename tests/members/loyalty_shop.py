"""A shop whose loyalty rules a test writes: its books, members, orders and refunds, as plain rows."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime
from threading import Barrier
from typing import Any
from uuid import uuid4

from sqlalchemy import insert, select, update

from members import coupons, gifts, identity, ledger, shops, tiers
from members.audit import Actor
from members.clock import business_date
from members.db import Database
from members.earning import EarnLine
from members.gifts import GiftDone, OrderFacts
from members.rules import BindingRules, CouponRule, LoyaltyRules, Rules, ShopRules, StaffRules
from members.tables import Coupon, GiftGrant, Member, Order, table
from members.vault import Vault, generate_key

NOW = datetime(2026, 3, 3, 4, 0, tzinfo=UTC)
TILL = Actor("test", "s1", "test")
COUPONS = {
    "soup": {"title": "例汤", "gift": "例汤", "valid": "30 days"},
    "sister": {"title": "妹妹店券", "off": 10, "scope": {"brands": ["妹妹牌"]}},
    "rare": {"title": "限量券", "off": 5, "stock": 1},
}
SHOP = {
    "name": "测试商店",
    "stores": [{"id": "s1", "name": "一店", "brand": "姐姐牌"}, {"id": "s2", "name": "二店", "brand": "妹妹牌"}],
}
orders, members, grants, copies = table(Order), table(Member), table(GiftGrant), table(Coupon)


def rules(loyalty: dict[str, Any], **shop: Any) -> Rules:
    """Rules of which only the loyalty section is written."""
    return Rules(
        shop=ShopRules.model_validate({**SHOP, **shop}),
        loyalty=LoyaltyRules.model_validate(loyalty),
        coupons={code: CouponRule.model_validate(rule) for code, rule in COUPONS.items()},
        binding=BindingRules(),
        staff=StaffRules(),
    )


class Books:
    """The books of the shop under one set of rules; every deed is a transaction of its own."""

    def __init__(self, database: Database, given: Rules) -> None:
        self.database, self.rules = database, given
        self.vault = Vault({"k1": generate_key()})
        with database.transaction() as connection:
            shops.sync_stores(connection, given.shop.stores)
            coupons.sync_templates(connection, given.coupons)

    def member(self, *, birthday: date | None = None, tier: str = "普卡", now: datetime = NOW) -> int:
        """Add a member."""
        with self.database.transaction() as connection:
            made, _ = identity.create(connection, self.vault, tier=tier, now=now)
            connection.execute(update(members).where(members.c.id == made).values(birthday=birthday))
        return made

    def order(self, member: int, total: int, *, at: datetime = NOW) -> int:
        """Put an order in the books, in 分; nothing else happens."""
        shop = self.rules.shop
        row = {
            "scope": "", "order_no": uuid4().hex, "store_id": "s1", "member_id": member, "buyer": "",
            "at": at, "day": business_date(at, shop.zone, shop.day_start), "total": total, "discount": 0, "refunded": 0,
            "paid_principal": 0, "paid_gift": 0, "state": "paid", "source": "", "by": "", "digest": "",
        }  # fmt: skip
        with self.database.transaction() as connection:
            return int(connection.execute(insert(orders).returning(orders.c.id), row).scalar_one())

    def refund(self, order: int, amount: int | None = None) -> None:
        """Give back so much of an order, or all of it."""
        with self.database.transaction() as connection:
            total = connection.execute(select(orders.c.total).where(orders.c.id == order)).scalar_one()
            back = total if amount is None else amount
            state = "refunded" if back == total else "part_refunded"
            connection.execute(update(orders).where(orders.c.id == order).values(refunded=back, state=state))

    def bought(
        self, member: int, total: int, *, at: datetime = NOW, lines: tuple[EarnLine, ...] = (), store: str = "s1",
        brand: str = "姐姐牌",
    ) -> list[GiftDone]:  # fmt: skip
        """Put an order in the books and give what it brings."""
        return self.given(member, OrderFacts(self.order(member, total, at=at), total, lines, store, brand), at=at)

    def given(self, member: int, order: OrderFacts, *, at: datetime = NOW) -> list[GiftDone]:
        """Give what an order in the books brings."""
        with self.database.transaction() as connection:
            done = gifts.on_purchase(connection, self.rules, member, order, by=TILL, now=at)
            return done + gifts.on_total(connection, self.rules, member, order, by=TILL, now=at)

    def taken_back(self, order: int, *, at: datetime = NOW) -> list[gifts.TakenBack]:
        """Take back what has lost its reason."""
        with self.database.transaction() as connection:
            return gifts.take_back(connection, self.rules, order, by=TILL, now=at)

    def present(self, member: int, *, at: datetime = NOW, store: str | None = None) -> list[GiftDone]:
        """Present the card."""
        with self.database.transaction() as connection:
            return gifts.on_present(connection, self.rules, member, by=TILL, now=at, store=store)

    def review(self, member: int, *, at: datetime = NOW) -> tiers.TierChange | None:
        """Look at a member's tier."""
        with self.database.transaction() as connection:
            return tiers.review(connection, self.rules, member, by=TILL, now=at)

    def night(self, at: datetime, *, limit: int = 2) -> tuple[list[tiers.TierChange], list[tiers.GraceWarning]]:
        """Run the nightly review, page by page."""
        changes: list[tiers.TierChange] = []
        warnings: list[tiers.GraceWarning] = []
        last: int | None = 0
        while last is not None:
            with self.database.transaction() as connection:
                page = tiers.review_all(connection, self.rules, at, after=last, limit=limit)
            changes, warnings, last = [*changes, *page.changes], [*warnings, *page.warnings], page.last
        return changes, warnings

    def tier(self, member: int) -> tuple[str, date | None]:
        """The member's tier and its last sure day."""
        with self.database.reading() as connection:
            held = tiers.held(connection, member)
        return held.tier, held.tier_until

    def points(self, member: int, *, at: datetime = NOW) -> int:
        """The member's good points."""
        with self.database.reading() as connection:
            return ledger.good_points(connection, member, at)[0]

    def pending(self, member: int) -> int:
        """The member's pending points."""
        with self.database.reading() as connection:
            return ledger.balances(connection, member)["pending"]

    def coupons(self, member: int) -> list[tuple[str, str]]:
        """(title, state) of the member's coupons."""
        mine = select(copies.c.title, copies.c.state).where(copies.c.member_id == member).order_by(copies.c.id)
        with self.database.reading() as connection:
            return [(row.title, row.state) for row in connection.execute(mine)]

    def keys(self, member: int) -> list[str]:
        """The keys of the gifts a member was given."""
        mine = select(grants.c.key).where(grants.c.member_id == member).order_by(grants.c.key)
        with self.database.reading() as connection:
            return [str(key) for key in connection.scalars(mine)]


@contextmanager
def open_books(url: str, loyalty: dict[str, Any], **shop: Any) -> Iterator[Books]:
    """Open the shop's books under these loyalty rules."""
    database = Database(url)
    yield Books(database, rules(loyalty, **shop))
    database.dispose()


def at_once(many: int, deed: Any) -> list[Any]:
    """Do a deed in so many threads at the same time; return what each brought."""
    gate = Barrier(many)

    def one(number: int) -> Any:
        gate.wait()
        return deed(number)

    with ThreadPoolExecutor(many) as pool:
        return list(pool.map(one, range(many)))
