"""A coupon counter for tests: books with templates of every kind, members, a vault; and what must add up."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, case, func, insert, select

from members import coupons, identity
from members.coupons import Copy, Issued, grants, rule_of, templates
from members.db import Database
from members.errors import MemberError
from members.rules import CouponRule
from members.tables import Order, Store, table
from members.vault import Vault, generate_key

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
"""A Monday, ten in the morning in Shanghai."""
DAY = timedelta(days=1)
SHANGHAI = ZoneInfo("Asia/Shanghai")
GIVEN: dict[str, dict[str, Any]] = {
    "off": {"title": "满100减20", "off": 20, "over": 100, "valid": "14 days"},
    "tight": {"title": "预算券", "off": 20, "over": 100, "valid": "14 days", "budget": 50},
    "percent": {"title": "九折券", "percent": 10, "cap": 15, "budget": 100},
    "open": {"title": "全场九折", "percent": 10},
    "gift": {"title": "例汤券", "gift": "例汤", "cost": 5, "budget": 10},
    "one": {"title": "一人一张", "off": 1, "per_member": 1},
    "daily": {"title": "每日三张", "off": 1, "per_day": 3},
    "store": {"title": "一店券", "off": 1, "scope": {"stores": ["s1"]}},
    "later": {"title": "双十一券", "off": 1, "since": "2026-11-11", "valid": "3 days"},
    "evening": {"title": "周一晚市券", "off": 1, "scope": {"days": ["monday"], "hours": "18:00-21:00"}},
    "mine": {"title": "可转赠", "off": 8, "transferable": True, "valid": "14 days"},
    "short": {"title": "当日券", "off": 1, "valid": "0 days"},
    "last": {"title": "最后一张", "off": 1, "stock": 1},
}
RULES = {code: CouponRule.model_validate(given) for code, given in GIVEN.items()}
rows = coupons.coupons


@dataclass
class Counter:
    """A shop's coupon counter with one member, more on request."""

    database: Database
    vault: Vault
    member: int
    rules: dict[str, CouponRule] = field(default_factory=lambda: dict(RULES))

    def another(self) -> int:
        """Make another member."""
        with self.database.transaction() as connection:
            return identity.create(connection, self.vault, tier="普卡", now=NOW)[0]

    def issue(
        self, template: str = "off", key: str = "k", now: datetime = NOW, *, member: int | None = None, **more: Any
    ) -> Issued:
        """Issue one."""
        with self.database.transaction() as connection:
            return coupons.issue(
                connection, template, self.rules[template], member or self.member, key=key, by="test", reason="test",
                zone=SHANGHAI, now=now, **more,
            )  # fmt: skip

    def do(self, deed: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        """Do something in a transaction of its own; return what came of it, or a refusal's code."""
        try:
            with self.database.transaction() as connection:
                return deed(connection, *arguments, **more)
        except MemberError as refusal:
            return refusal.code

    def redeem(self, code: str, now: datetime = NOW, **more: Any) -> str:
        """Redeem; return the title, or the refusal's code."""
        done = self.do(coupons.redeem, code, **{"by": "staff:1", "store": None, "now": now} | more)
        return done if isinstance(done, str) else str(done.title)

    def lock(
        self, code: str, key: str = "till", seconds: int = 60, now: datetime = NOW, store: str | None = None
    ) -> str:
        """Lock; return the title, or the refusal's code."""
        done = self.do(coupons.lock, code, lock_key=key, seconds=seconds, by="till", store=store, now=now)
        return done if isinstance(done, str) else str(done.title)

    def unlock(self, code: str, key: str = "till", now: datetime = NOW) -> Any:
        """Unlock."""
        return self.do(coupons.unlock, code, lock_key=key, now=now)

    def reverse(self, coupon: int | str, now: datetime = NOW) -> str:
        """Reverse; return the new state, or the refusal's code."""
        done = self.do(coupons.reverse, coupon, by="staff:1", now=now)
        return done if isinstance(done, str) else str(done.state)

    def void(self, coupon: int, now: datetime = NOW, *, give_back: bool = True) -> bool:
        """Make void."""
        return bool(self.do(coupons.void, coupon, by="staff:1", now=now, give_back=give_back))

    def usable(self, now: datetime = NOW, member: int | None = None) -> list[str]:
        """Return the titles of what is usable."""
        with self.database.reading() as connection:
            return [row.title for row in coupons.usable(connection, member or self.member, now)]

    def copy(self, coupon: int) -> Copy:
        """Return the copy as the books hold it."""
        with self.database.reading() as connection:
            return coupons.by_id(connection, coupon)

    def template(self, code: str) -> Any:
        """Return the template's row."""
        with self.database.reading() as connection:
            return connection.execute(select(templates).where(templates.c.code == code)).one()

    def granted(self, code: str, member: int | None = None) -> int:
        """Return how many copies count for the member's limit."""
        wanted = (grants.c.template == code) & (grants.c.member_id == (member or self.member))
        with self.database.reading() as connection:
            return int(connection.execute(select(grants.c.count).where(wanted)).scalar_one_or_none() or 0)

    def order(self, number: str = "n1") -> int:
        """Put an order in the books; return its id."""
        row = {
            "order_no": number, "store_id": "s1", "member_id": self.member, "at": NOW, "day": NOW.date(),
            "total": 10_000, "discount": 0, "state": "paid", "source": "test", "scope": "", "buyer": "",
        }  # fmt: skip
        with self.database.transaction() as connection:
            return int(connection.execute(insert(table(Order)).returning(table(Order).c.id), row).scalar_one())

    def check(self) -> None:
        """Check that every template's counters and money are the sum of its copies."""
        with self.database.reading() as connection:
            for one in connection.execute(select(templates)):
                found = connection.execute(_sums(one.code)).one()
                assert (one.code, one.issued) == (one.code, found.counted)
                assert (one.code, one.committed) == (one.code, found.money)
                assert rule_of(one.rule) == self.rules[one.code]
            held = connection.execute(_HELD).all()
            counted = connection.execute(select(grants.c.template, grants.c.member_id, grants.c.count)).all()
            assert sorted(map(tuple, held)) == sorted(tuple(row) for row in counted if row.count)


_KEPT = rows.c.returned.is_(False)
_HELD = (
    select(rows.c.template, rows.c.granted_to, func.count()).where(_KEPT).group_by(rows.c.template, rows.c.granted_to)
)


def _sums(code: str) -> Any:
    spent = func.sum(rows.c.reserved + case((rows.c.state == "redeemed", rows.c.discount), else_=0))
    counted = func.coalesce(func.sum(case((_KEPT, 1), else_=0)), 0)
    return select(func.coalesce(spent, 0).label("money"), counted.label("counted")).where(rows.c.template == code)


@contextmanager
def opened(books_url: str) -> Iterator[Counter]:
    """Open a counter over empty books."""
    database, vault = Database(books_url), Vault({"k1": generate_key()})
    with database.transaction() as connection:
        store = {"id": "s1", "name": "一店", "address": "", "hours": "", "phone": "", "active": True}
        connection.execute(insert(table(Store)), [store, store | {"id": "s2", "name": "二店"}])
        coupons.sync_templates(connection, RULES, zone=SHANGHAI)
        member, _ = identity.create(connection, vault, tier="普卡", now=NOW)
    yield Counter(database, vault, member)
    database.dispose()


def sync(connection: Connection, changed: dict[str, dict[str, Any]]) -> None:
    """Write the templates anew, some of them changed."""
    rules = {code: CouponRule.model_validate(GIVEN[code] | changed.get(code, {})) for code in GIVEN}
    coupons.sync_templates(connection, rules, zone=SHANGHAI)
