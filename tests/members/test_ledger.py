"""The ledger against a model in memory, on both databases; and an audit that can fail."""

from collections import deque
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text, update

from members import auditing, coupons, identity, ledger, schema
from members.clock import add_months, end_of_day
from members.db import Database
from members.errors import MemberError
from members.ledger import Booking, Leg
from members.rules import CouponRule
from members.tables import CouponTemplate, Entry, PointLot, table
from members.vault import Vault, generate_key

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")
VAULT = Vault({"k1": generate_key()})
KEYS = count()
MOVES = st.lists(
    st.tuples(st.sampled_from(["earn", "spend", "topup", "pay", "again", "wait", "expire"]), st.integers(1, 500)),
    max_size=25,
)


@pytest.fixture
def database(books_url: str) -> Database:
    return Database(books_url)


def new_member(connection: Connection) -> int:
    return identity.create(connection, VAULT, tier="普卡", now=NOW)[0]


def earn(member: int, points: int, at: datetime, *, key: str = "", days: int = 30) -> Booking:
    legs = (Leg("points", points, member), Leg("issuer", -points))
    expires = at + timedelta(days=days)
    return Booking(key or f"earn:{next(KEYS)}", "earn", "test", at, legs, "消费", expires_at=expires)


def spend(member: int, points: int, at: datetime) -> Booking:
    legs = (Leg("points", -points, member), Leg("spent", points))
    return Booking(f"spend:{next(KEYS)}", "spend", "test", at, legs, "兑换")


def move(member: int, account: str, amount: int, at: datetime) -> Booking:
    return Booking(f"move:{next(KEYS)}", "move", "test", at, (Leg(account, amount, member), Leg("cash", -amount)))


class Model:
    """What the books should say, kept the plain way: a queue of (expiry, points) and one number a balance."""

    def __init__(self) -> None:
        self.lots: deque[list[Any]] = deque()
        self.principal = 0

    @property
    def points(self) -> int:
        return sum(int(str(points)) for _, points in self.lots)

    def take(self, points: int) -> None:
        while points:
            lot = self.lots[0]
            used = min(points, int(str(lot[1])))
            lot[1] = int(str(lot[1])) - used
            points -= used
            if not lot[1]:
                self.lots.popleft()

    def expire(self, now: datetime) -> None:
        self.lots = deque(lot for lot in self.lots if lot[0] > now)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=MOVES)
def test_any_sequence_of_movements_agrees_with_the_model(database: Database, moves: list[tuple[str, int]]) -> None:
    model, now, last = Model(), NOW, None
    with database.transaction() as connection:
        member = new_member(connection)
        for what, amount in moves:
            before = (ledger.balances(connection, member), model.points, model.principal)
            if what == "earn":
                last = earn(member, amount, now)
                assert ledger.post(connection, last).created
                model.lots.append([now + timedelta(days=30), amount])
            elif what == "again" and last is not None:
                assert not ledger.post(connection, last).created
            elif what == "topup":
                ledger.post(connection, move(member, "principal", amount, now))
                model.principal += amount
            elif what == "wait":
                now += timedelta(hours=amount)
            elif what == "expire":
                ledger.expire_points(connection, now)
                model.expire(now)
            elif what in ("spend", "pay"):
                booking = spend(member, amount, now) if what == "spend" else move(member, "principal", -amount, now)
                enough = amount <= (model.points if what == "spend" else model.principal)
                savepoint = connection.begin_nested()
                try:
                    ledger.post(connection, booking)
                except MemberError as refused:
                    assert not enough and refused.code == "insufficient"
                    savepoint.rollback()
                    assert ledger.balances(connection, member) == before[0]
                    continue
                assert enough
                savepoint.commit()
                if what == "spend":
                    model.take(amount)
                else:
                    model.principal -= amount
        owned = ledger.balances(connection, member)
        assert (owned["points"], owned["principal"], owned["gift"]) == (model.points, model.principal, 0)
        assert auditing.breaches(connection, now=now) == []


def test_points_go_first_expiring_first(database: Database) -> None:
    with database.transaction() as connection:
        member = new_member(connection)
        ledger.post(connection, earn(member, 10, NOW, days=90))
        ledger.post(connection, earn(member, 5, NOW, days=10))
        assert ledger.good_points(connection, member, NOW)[1] == (NOW + timedelta(days=10), 5)
        ledger.post(connection, spend(member, 7, NOW))
        assert ledger.good_points(connection, member, NOW)[1] == (NOW + timedelta(days=90), 8)


def test_a_reversal_puts_everything_back_once(database: Database) -> None:
    with database.transaction() as connection:
        member = new_member(connection)
        ledger.post(connection, earn(member, 10, NOW))
        spent = ledger.post(connection, spend(member, 4, NOW))
        undo = ledger.reversal(connection, spent.id, key="undo:1", actor="test", at=NOW, reason="撤销")
        assert ledger.post(connection, undo).created
        assert not ledger.post(connection, undo).created
        assert ledger.balances(connection, member)["points"] == 10
        assert auditing.breaches(connection, now=NOW) == []


@pytest.mark.parametrize("legs", [(), (Leg("points", 5, 1),), (Leg("points", 0, 1), Leg("issuer", 0))])
def test_unbalanced_or_empty_bookings_are_our_fault(database: Database, legs: tuple[Leg, ...]) -> None:
    with database.transaction() as connection, pytest.raises(ValueError):
        ledger.post(connection, Booking("bad", "earn", "test", NOW, legs))


def test_the_audit_finds_tampering(database: Database) -> None:
    with database.transaction() as connection:
        member = new_member(connection)
        ledger.post(connection, earn(member, 10, NOW))
        assert auditing.breaches(connection, now=NOW) == []
    for damage, check in (
        (update(table(Entry)).where(table(Entry).c.member_id == member).values(amount=11), "分录不平"),
        (update(table(Entry)).where(table(Entry).c.member_id == member).values(balance_after=99), "账链断裂"),
        (update(table(PointLot)).values(remaining=1), "积分与批次不符"),
        (text("UPDATE account SET balance = 7 WHERE member_id IS NOT NULL"), "余额与分录不符"),
        (text("UPDATE movement SET reason = 'x'"), "账链断裂"),
        (text("UPDATE member SET chain_seq = 5"), "账链末端不符"),
    ):
        with pytest.raises(ZeroDivisionError), database.transaction() as connection:
            connection.execute(damage)
            assert check in {breach.check for breach in auditing.breaches(connection, now=NOW)}
            raise ZeroDivisionError  # take the damage back


def test_balances_never_go_below_zero_even_by_hand(database: Database) -> None:
    with database.transaction() as connection:
        member = new_member(connection)
        ledger.post(connection, earn(member, 1, NOW))
    with pytest.raises(Exception, match=r"(?i)check"), database.transaction() as connection:
        connection.execute(text("UPDATE account SET balance = -1 WHERE member_id IS NOT NULL"))


def test_the_models_and_the_migrated_schema_agree(database: Database) -> None:
    assert schema.current(database) == schema.head()
    assert schema.differences(database) == []
    schema.upgrade(database)


RULE = CouponRule(title="满100减20", off=20, over=100, stock=3, per_member=2)


def test_coupons_are_issued_within_stock_and_limit_and_redeemed_once(database: Database) -> None:
    with database.transaction() as connection:
        coupons.sync_templates(connection, {"t": RULE})
        anna, bert = new_member(connection), new_member(connection)

        def issue(member: int, key: str) -> coupons.Issued:
            return coupons.issue(connection, "t", RULE, member, key=key, by="test", reason="", zone=ZONE, now=NOW)

        first = issue(anna, "a1")
        assert issue(anna, "a1").code == first.code and not issue(anna, "a1").created
        issue(anna, "a2")
        refused(connection, "coupon_limit", lambda: issue(anna, "a3"))
        issue(bert, "b1")
        refused(connection, "template_empty", lambda: issue(bert, "b2"))
        assert first.expires_at == end_of_day(NOW.astimezone(ZONE).date() + timedelta(days=14), ZONE)
        coupons.redeem(connection, first.code.lower(), by="test", store=None, now=NOW)
        refused(connection, "coupon_used", lambda: coupons.redeem(connection, first.code, by="t", store=None, now=NOW))
        assert coupons.count_usable(connection, anna, NOW) == 1
        late = first.expires_at
        assert coupons.count_usable(connection, anna, late) == 0
        assert coupons.expire_due(connection, late) == 2
        assert auditing.breaches(connection, now=NOW) == []
        connection.execute(update(table(CouponTemplate)).values(issued=1))
        assert [breach.check for breach in auditing.breaches(connection, now=NOW)] == ["发券数不符"]


def refused(connection: Connection, code: str, action: Callable[[], object]) -> None:
    savepoint = connection.begin_nested()
    with pytest.raises(MemberError) as caught:
        action()
    savepoint.rollback()
    assert caught.value.code == code


def test_expiry_dates_at_month_ends_and_leap_days() -> None:
    assert str(add_months(date(2024, 2, 29), 12)) == "2025-02-28"
    assert str(add_months(date(2026, 1, 31), 1)) == "2026-02-28"
    assert str(add_months(date(2026, 12, 31), 2)) == "2027-02-28"
