"""A counter without chat: staff with limits, members with phones, errands run at a desk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, time
from itertools import count
from threading import Barrier
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from members import approvals, auditing, coupons, identity, ledger, serving, shops, staffing, undoing
from members.audit import Actor
from members.db import Database
from members.errors import MemberError
from members.rules import (
    BindingRules,
    CouponRule,
    LoyaltyRules,
    Rules,
    ShopRules,
    StaffLimits,
    StaffRules,
    StoreLimits,
    StoreRule,
)
from members.serving import Desk, Errand
from members.vault import Vault, generate_key

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
VAULT = Vault({"k1": generate_key()})
APP = "wx-test"
LIMITS = StaffLimits(
    coupons_per_shift=3, topup_per_shift=1000, adjust_points_per_shift=500, per_member_per_day=8,
    four_eyes_over_yuan=600,
)  # fmt: skip
RULES = Rules(
    ShopRules(name="邻家生鲜", day_start=time(4)),
    LoyaltyRules(),
    {
        "off": CouponRule.model_validate({"title": "满100减20", "off": 20, "over": 100, "per_member": 2}),
        "soup": CouponRule.model_validate({"title": "免费例汤", "gift": "例汤"}),
    },
    BindingRules(),
    StaffRules(limits={"cashier": LIMITS}, store_limits=StoreLimits(topup_per_day=1500)),
)


class Books:
    """Books with two stores, a cashier and a manager of the first, and a member; each deed in its own transaction."""

    def __init__(self, database: Database) -> None:
        self.database, self._serial = database, count(1)
        with database.transaction() as connection:
            shops.sync_stores(connection, [StoreRule(id="s1", name="徐汇店"), StoreRule(id="s2", name="静安店")])
            coupons.sync_templates(connection, RULES.coupons)
        self.cashier, self.manager = self.hire("cashier"), self.hire("manager")
        self.member = self.join("+8613800138000")

    def hire(self, role: str, store: str | None = "s1") -> int:
        """A person of staff with an openid."""
        number = next(self._serial)
        with self.database.transaction() as connection:
            return shops.add_staff(
                connection, openid=f"o-{number}", name=f"员{number}", role=role, store=store, now=NOW
            )  # fmt: skip

    def join(self, phone: str) -> int:
        """A member with a phone."""
        with self.database.transaction() as connection:
            member, key = identity.create(connection, VAULT, tier="普卡", now=NOW)
            identity.add_phone(connection, VAULT, member, key, phone, source="test", now=NOW)
            return member

    def desk(self, connection: Connection, staff: int, now: datetime = NOW, approved_by: str = "") -> Desk:
        """The desk of a person of staff."""
        on_duty = staffing.on_duty(connection, staff)
        return Desk(connection, VAULT, RULES, APP, on_duty, now, "test", approved_by)

    def do(self, what: Callable[[Connection], Any]) -> Any:
        """Do something; return what came of it, or the code of the refusal. Who was overtaken tries once more."""
        for _ in range(2):
            try:
                with self.database.transaction() as connection:
                    return what(connection)
            except MemberError as refused:
                return refused.code
            except IntegrityError:
                continue
        return "raced"

    def serve(self, errand: Errand, *, staff: int | None = None, key: str = "", now: datetime = NOW) -> Any:
        """Run an errand; the deed served, or the code of the refusal."""
        who, name = staff or self.cashier, key or f"k{next(self._serial)}"
        return self.do(lambda connection: serving.serve(self.desk(connection, who, now), errand, key=name))

    def undo(self, number: int | None = None, *, staff: int | None = None, now: datetime = NOW) -> Any:
        """Undo; what was undone, or the code of the refusal."""
        return self.do(lambda connection: undoing.undo(self.desk(connection, staff or self.cashier, now), number))

    def topup(self, yuan: int, member: int | None = None) -> Errand:
        """Top up so many 元."""
        return Errand("topup", member or self.member, {"amount": yuan * 100})

    def owned(self, member: int | None = None) -> tuple[int, int]:
        """Points and principal of a member."""
        with self.database.reading() as connection:
            found = ledger.balances(connection, member or self.member)
        return found["points"], found["principal"]

    def ask(self, errand: Errand, wanted: Any, *, staff: int | None = None, now: datetime = NOW) -> Any:
        """Put an errand before a manager; the request, or the code of the refusal."""

        def put(connection: Connection) -> Any:
            server, key = staffing.on_duty(connection, staff or self.cashier), f"a{next(self._serial)}"
            by = Actor(f"staff:{server.id}", server.store)
            return approvals.ask(connection, RULES, errand, wanted, staff=server, key=key, by=by, now=now)[0]

        return self.do(put)

    def decide(self, number: int, *, staff: int | None = None, verdict: Any = "approved", now: datetime = NOW) -> Any:
        """Decide and, when it is a yes, carry out; the deed, the request, or the code of the refusal."""

        def say(connection: Connection) -> Any:
            manager = staffing.on_duty(connection, staff or self.manager)
            by = Actor(f"staff:{manager.id}", manager.store)
            request = approvals.decide(connection, number, verdict, manager=manager, by=by, now=now)
            if verdict == "refused":
                return request
            desk = self.desk(connection, request.staff, now, approved_by=by.name)
            return approvals.carry_out(desk, request)

        return self.do(say)

    def check(self) -> None:
        """Every sum of the books holds."""
        with self.database.reading() as connection:
            assert auditing.breaches(connection, now=NOW) == []


@contextmanager
def opened(url: str) -> Iterator[Books]:
    """A counter over empty books; afterwards its sums must hold."""
    database = Database(url)
    try:
        books = Books(database)
        yield books
        books.check()
    finally:
        database.dispose()


def at_once(deeds: list[Callable[[], Any]]) -> list[Any]:
    """Do all of it at the same moment, a thread each; return what came of each."""
    gate = Barrier(len(deeds))

    def run(deed: Callable[[], Any]) -> Any:
        gate.wait()
        return deed()

    with ThreadPoolExecutor(len(deeds)) as pool:
        return [future.result() for future in [pool.submit(run, deed) for deed in deeds]]
