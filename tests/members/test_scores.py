"""What is inferred of members: put on, corrected, taken off; never over a person's word, never of a child unasked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import insert

from members import consent, exporting, identity, inferring, scores, tags
from members.audit import Actor
from members.db import Database
from members.scores import Score
from members.tables import Child, table
from members.vault import Vault, generate_key

NOW = datetime(2026, 11, 16, 2, tzinfo=UTC)
STAFF = Actor("staff:1")
KIDS = frozenset({"家有孩子"})


@pytest.fixture
def books(books_url: str) -> Iterator[Database]:
    """Empty books."""
    database = Database(books_url, synchronous="OFF")
    yield database
    database.dispose()


def member(books: Database, vault: Vault) -> int:
    with books.transaction() as connection:
        return identity.create(connection, vault, tier="", now=NOW)[0]


def carried(books: Database, who: int) -> dict[str, tuple[str, float]]:
    with books.reading() as connection:
        return {one.tag: (one.source, one.confidence) for one in tags.of_member(connection, who)}


def refresh(books: Database, wanted: dict[int, dict[str, float]], days: int = 0) -> int:
    with books.transaction() as connection:
        return inferring.refresh(connection, wanted, of_children=KIDS, now=NOW + timedelta(days=days))


@pytest.fixture
def vault() -> Vault:
    return Vault({"k1": generate_key()})


def test_tags_follow_what_is_inferred(books: Database, vault: Vault) -> None:
    anna, ben = member(books, vault), member(books, vault)
    assert refresh(books, {anna: {"养猫": 0.8, "爱吃海鲜": 0.96}, ben: {}}) == 2
    assert carried(books, anna) == {"养猫": ("inferred", 0.8), "爱吃海鲜": ("inferred", 0.96)}
    assert refresh(books, {anna: {"养猫": 0.83, "爱吃海鲜": 0.96}, ben: {}}, 1) == 0
    assert refresh(books, {anna: {"养猫": 0.9}, ben: {"养狗": 0.7}}, 2) == 3
    assert carried(books, anna) == {"养猫": ("inferred", 0.9)} and carried(books, ben) == {"养狗": ("inferred", 0.7)}


def test_a_persons_word_stands_and_what_staff_took_off_stays_off(books: Database, vault: Vault) -> None:
    anna = member(books, vault)
    with books.transaction() as connection:
        tags.put(connection, anna, "养猫", source="staff", by=STAFF, now=NOW)
    refresh(books, {anna: {"养猫": 0.7, "养狗": 0.9}})
    assert carried(books, anna) == {"养猫": ("staff", 1.0), "养狗": ("inferred", 0.9)}
    with books.transaction() as connection:
        tags.take_off(connection, anna, "养狗", by=STAFF, now=NOW)
    refresh(books, {anna: {"养狗": 0.99}})
    refresh(books, {anna: {}})
    assert carried(books, anna) == {"养猫": ("staff", 1.0)}


def test_of_children_only_where_a_guardian_told_of_one(books: Database, vault: Vault) -> None:
    anna, ben = member(books, vault), member(books, vault)
    with books.transaction() as connection:
        connection.execute(insert(table(Child)), {
            "member_id": ben, "sealed": b"x", "stage": "3-6y", "created_at": NOW, "source": "test",
        })  # fmt: skip
    refresh(books, {who: {"家有孩子": 0.9, "养猫": 0.9} for who in (anna, ben)})
    assert set(carried(books, anna)) == {"养猫"} and set(carried(books, ben)) == {"家有孩子", "养猫"}


def test_who_wants_nothing_personal_loses_and_gets_nothing(books: Database, vault: Vault) -> None:
    anna = member(books, vault)
    row = Score(anna, date(2026, 11, 16), [["milk", 0.5, 0.4, 0.3, "habit", "买过 3 次"]], [], stage="active")
    with books.transaction() as connection:
        assert scores.put_many(connection, [row], now=NOW) == 1
        assert scores.of_member(connection, anna) == row
    refresh(books, {anna: {"养猫": 0.9}})
    with books.transaction() as connection:
        consent.personalise(connection, anna, False, source="test", now=NOW)
        assert scores.put_many(connection, [row], now=NOW) == 0
        assert scores.of_member(connection, anna) is None
    refresh(books, {anna: {"养猫": 0.9}})
    assert carried(books, anna) == {}


def test_a_row_is_replaced_and_can_be_taken_along(books: Database, vault: Vault) -> None:
    anna = member(books, vault)
    first = Score(anna, date(2026, 11, 15), [["milk", 0.5, 0.4, 0.3, "habit", "买过 3 次"]])
    second = Score(anna, date(2026, 11, 16), [], [["milk", "2026-11-01", 7, "2026-11-18", 0.9, 5, [0.5]]], "active", 7)
    with books.transaction() as connection:
        scores.put_many(connection, [first], now=NOW)
        scores.put_many(connection, [second], now=NOW)
        assert scores.of_member(connection, anna) == second
        assert scores.summary(connection)["stages"] == {"active": 1}
        taken = exporting.gather(connection, vault, anna, NOW)["scores"]
        assert taken[0]["cycles"][0][:2] == ["milk", "2026-11-01"] and "member" not in taken[0]
        assert scores.drop_before(connection, date(2026, 11, 17)) == 1
        assert scores.of_member(connection, anna) is None
