"""`post_many` leaves the rows that `post` leaves, on both engines, byte for byte."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, insert
from sqlalchemy.exc import NoResultFound

from members.db import Database
from members.errors import MemberError
from members.ledger import Booking, Leg, post
from members.ledger_bulk import post_many
from members.tables import Member, table

START = datetime(2026, 1, 1, 4, 5, 6, 789, tzinfo=UTC)
MEMBERS = (1, 2, 3)
TABLES = {
    "member": "id", "account": "id", "movement": "id", "entry": "movement_id, line_no", "point_lot": "id",
    "lot_use": "movement_id, lot_id",
}  # fmt: skip
Outcome = tuple[list[tuple[int, bool]], dict[str, list[Any]]]


@pytest.fixture
def database(books_url: str) -> Iterator[Database]:
    """Yield books with three members and nothing booked."""
    made = Database(books_url)
    with made.transaction() as connection:
        rows = [
            {"id": member, "created_at": START, "state": "active", "tier": "", "chain_seq": 0, "chain_hash": b""}
            for member in MEMBERS
        ]
        connection.execute(insert(table(Member)), rows)
    yield made
    made.dispose()


def _legs(kind: str, member: int, other: int, amount: int) -> tuple[Leg, ...]:
    return {
        "earn": (Leg("points", amount, member), Leg("issuer", -amount)),
        "expire": (Leg("points", -amount, member), Leg("expired", amount)),
        "spend": (Leg("points", -amount, member), Leg("spent", amount)),
        "transfer": (Leg("points", -amount, member), Leg("points", amount, other)),
        "topup": (
            Leg("principal", amount, member),
            Leg("cash", -amount),
            Leg("gift", amount, member),
            Leg("issuer", -amount),
        ),
        "pay": (Leg("principal", -amount, member), Leg("cash", amount)),
    }[kind]


@st.composite
def _bookings(draw: st.DrawFn) -> Booking:
    kind = draw(st.sampled_from(["earn", "earn", "earn", "topup", "spend", "expire", "transfer", "pay"]))
    member, other = draw(st.permutations(MEMBERS))[:2]
    big = kind in ("earn", "topup")
    amount = draw(st.integers(1, 500) if big else st.integers(1, 40))
    at = START + timedelta(days=draw(st.integers(0, 9)), microseconds=draw(st.integers(0, 2)))
    return Booking(
        key=f"k{draw(st.integers(0, 60))}",
        kind=kind,
        actor=draw(st.sampled_from(["import", "staff:1"])),
        at=at,
        legs=_legs(kind, member, other, amount),
        reason=draw(st.sampled_from(["", "消费 ¥1.00", "a\tb"])),
        expires_at=at + timedelta(days=draw(st.integers(0, 5))),
    )


@st.composite
def _beginnings(draw: st.DrawFn) -> list[Booking]:
    """Draw what every member starts from: a little stored value, and a few small lots that expire in any order."""
    made = [Booking(f"t{m}", "topup", "import", START, _legs("topup", m, m, draw(st.integers(1, 60)))) for m in MEMBERS]
    for position in range(draw(st.integers(3, 9))):
        member, ends = 1 + position % len(MEMBERS), START + timedelta(days=draw(st.integers(0, 9)))
        legs = _legs("earn", member, member, draw(st.integers(5, 50)))
        made.append(Booking(f"b{position}", "earn", "import", START, legs, expires_at=ends))
    return made


def _snapshot(connection: Connection) -> dict[str, list[Any]]:
    return {
        name: [tuple(bytes(v) if isinstance(v, memoryview) else v for v in row) for row in rows]
        for name, order in TABLES.items()
        for rows in [connection.exec_driver_sql(f"SELECT * FROM {name} ORDER BY {order}").all()]  # noqa: S608
    }


def _restart_ids(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        for name in ("account", "movement", "point_lot"):
            connection.exec_driver_sql(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), 1, false)")


def _one_by_one(connection: Connection, bookings: Sequence[Booking]) -> list[tuple[int, bool]]:
    return [(done.id, done.created) for done in (post(connection, booking) for booking in bookings)]


def _at_once(connection: Connection, bookings: Sequence[Booking]) -> list[tuple[int, bool]]:
    return [(done.id, done.created) for done in post_many(connection, bookings)]


def _outcome(database: Database, before: Sequence[Booking], batches: Sequence[Sequence[Booking]], how: Any) -> Any:
    """Return what booking led to, and leave no trace of it."""
    with database.engine.connect() as connection:
        transaction = connection.begin()
        _restart_ids(connection)
        try:
            _one_by_one(connection, before)
            booked = [done for batch in batches for done in how(connection, batch)]
            return booked, _snapshot(connection)
        except MemberError as refusal:
            return refusal.code, refusal.facts
        finally:
            transaction.rollback()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=_beginnings(),
    batches=st.lists(st.lists(_bookings(), max_size=12), min_size=1, max_size=2),
)
def test_the_same_rows_as_one_by_one(database: Database, before: list[Booking], batches: list[list[Booking]]) -> None:
    expected = _outcome(database, before, batches, _one_by_one)
    assert _outcome(database, before, batches, _at_once) == expected


LATER = START + timedelta(days=400)


def test_many_rows_span_several_reads(database: Database) -> None:
    earned = [
        Booking(f"e{n}", "earn", "import", START + timedelta(hours=n), _legs("earn", 1 + n % 3, 1, 3), expires_at=LATER)
        for n in range(1200)
    ]
    spent = [Booking(f"s{n}", "spend", "import", START, _legs("spend", 1 + n % 3, 1, 4)) for n in range(600)]
    expected = _outcome(database, [], [earned, [*earned[::7], *spent]], _one_by_one)
    assert _outcome(database, [], [earned, [*earned[::7], *spent]], _at_once) == expected
    assert len(expected[1]["lot_use"]) > 600


def test_a_refusal_writes_nothing(database: Database) -> None:
    good = Booking("a", "earn", "import", START, _legs("earn", 1, 2, 5), expires_at=START)
    bad = Booking("b", "spend", "import", START, _legs("spend", 1, 2, 6))
    with database.transaction() as connection:
        before = _snapshot(connection)
        with pytest.raises(MemberError) as refused:
            post_many(connection, [good, bad])
        assert _snapshot(connection) == before
    assert (refused.value.code, refused.value.facts) == ("insufficient", {"account": "points"})


def test_faults_of_ours_are_told_apart(database: Database) -> None:
    unbalanced = Booking("a", "earn", "import", START, (Leg("points", 5, 1),), expires_at=START)
    eternal = Booking("a", "earn", "import", START, _legs("earn", 1, 2, 5))
    stranger = Booking("a", "earn", "import", START, _legs("earn", 99, 2, 5), expires_at=START)
    for booking, fault in ((unbalanced, ValueError), (eternal, ValueError), (stranger, NoResultFound)):
        with database.transaction() as connection, pytest.raises(fault):
            post_many(connection, [booking])


def test_a_key_is_booked_once_over_batches_and_processes(database: Database) -> None:
    booking = Booking("a", "topup", "import", START, _legs("topup", 1, 2, 5))
    with database.transaction() as connection:
        first = post_many(connection, [booking, booking])
    with database.transaction() as connection:
        again = post_many(connection, [booking])
        assert [row[3] for row in _snapshot(connection)["account"] if row[1] == 1] == [5, 5]
    assert [done.created for done in (*first, *again)] == [True, False, False]
    assert len({done.id for done in (*first, *again)}) == 1
