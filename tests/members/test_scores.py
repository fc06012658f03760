"""What is inferred of members: put on, corrected, taken off; never over a person's word, never of a child unasked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import insert

from handlers.privacy_copy import EXPORT_NAMES
from members import children, consent, exporting, identity, inferring, merging, scores, tags
from members.audit import Actor
from members.db import Database
from members.scores import Score
from members.tables import Category, Child, Product, table
from members.vault import Vault, generate_key
from tests.members.merging_books import BY, RULES

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
    row = Score(
        anna, date(2026, 11, 16), [["milk", 0.5, 0.4, 0.3, "habit", "买过 3 次"]], [], stage="active", upgrades=[]
    )
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
    cycle = ["milk", "2026-11-01", 7, "2026-11-18", 0.9, 5, [0.5]]
    led = ["premium", "milk", "gold", 0.12, 500]
    second = Score(anna, date(2026, 11, 16), first.suggestions, [cycle], "active", 7, upgrades=[led])
    with books.transaction() as connection:
        connection.execute(insert(table(Category)), {"code": "milk", "name": "奶类", "department": ""})
        sold = {"sku": "milk", "name": "鲜奶", "category": "milk", "own_brand": False, "active": True}
        connection.execute(insert(table(Product)), sold)
    with books.transaction() as connection:
        scores.put_many(connection, [first], now=NOW)
        scores.put_many(connection, [second], now=NOW)
        assert scores.of_member(connection, anna) == second
        assert scores.summary(connection)["stages"] == {"active": 1}
        taken = exporting.gather(connection, vault, anna, NOW)["scores"]
        assert taken[0]["cycles"] == [
            {"category": "奶类", "last": "2026-11-01", "gap_days": 7, "expected": "2026-11-18"}
        ]
        assert taken[0]["upgrades"] == [{"usual": "鲜奶", "product": "gold"}] and "member" not in taken[0]
        assert taken[0]["suggestions"] == [{"product": "鲜奶", "chance": 0.5, "reason": "买过 3 次"}]
        assert scores.drop_before(connection, date(2026, 11, 17)) == 1
        assert scores.of_member(connection, anna) is None


def scored(books: Database, who: int, now: datetime = NOW, *, stage: str = "active") -> int:
    with books.transaction() as connection:
        return scores.put_many(connection, [Score(who, now.date(), [], None, stage)], now=now)


def row(books: Database, who: int) -> Score | None:
    with books.reading() as connection:
        return scores.of_member(connection, who)


def test_an_older_night_never_replaces_a_newer_row(books: Database, vault: Vault) -> None:
    anna = member(books, vault)
    scored(books, anna, NOW, stage="slowing")
    scored(books, anna, NOW - timedelta(hours=1), stage="lost")
    found = row(books, anna)
    assert found is not None and (found.stage, found.cycles) == ("slowing", None)


def test_a_merge_and_its_way_back_leave_nothing_inferred(books: Database, vault: Vault) -> None:
    anna, ben = member(books, vault), member(books, vault)
    for who, tag in ((anna, "养狗"), (ben, "养猫")):
        scored(books, who)
        refresh(books, {who: {tag: 0.9}})
    later = NOW + timedelta(hours=1)
    with books.transaction() as connection:
        done = merging.merge(connection, vault, RULES, ben, anna, by=BY, reason="同一人", now=later)
    assert carried(books, anna) == carried(books, ben) == {} and row(books, anna) is None is row(books, ben)
    assert scored(books, anna) == 0, "the receipts were read before they were one"
    refresh(books, {anna: {"养狗": 0.9}}, 1)
    with books.transaction() as connection:
        merging.unmerge(connection, vault, RULES, done.id, by=BY, now=NOW + timedelta(days=2))
    assert carried(books, anna) == carried(books, ben) == {}


def test_a_refusal_made_while_they_were_one_holds_for_both(books: Database, vault: Vault) -> None:
    anna, ben = member(books, vault), member(books, vault)
    refresh(books, {ben: {"养猫": 0.9}})
    with books.transaction() as connection:
        done = merging.merge(connection, vault, RULES, ben, anna, by=BY, reason="同一人", now=NOW)
    with books.transaction() as connection:
        consent.personalise(connection, anna, False, source="test", now=NOW + timedelta(hours=1))
    with books.transaction() as connection:
        merging.unmerge(connection, vault, RULES, done.id, by=BY, now=NOW + timedelta(hours=2))
    for who in (anna, ben):
        refresh(books, {who: {"养猫": 0.9}}, 3)
        assert scored(books, who, NOW + timedelta(days=3)) == 0 and carried(books, who) == {}


def test_with_the_last_child_goes_what_tells_of_children(books: Database, vault: Vault) -> None:
    anna = member(books, vault)
    with books.transaction() as connection:
        children.add(connection, vault, anna, date(2025, 6, 1), by=BY, today=NOW.date(), now=NOW)
    refresh(books, {anna: {"家有孩子": 0.9, "养猫": 0.9}})
    assert {"家有孩子", "养猫"} <= set(carried(books, anna))
    with books.transaction() as connection:
        children.remove(connection, anna, None, by=BY, now=NOW)
    assert set(carried(books, anna)) == {"养猫"}


def test_the_members_own_export_names_every_column() -> None:
    assert {one.name for one in fields(Score)} - {"member"} <= EXPORT_NAMES.keys()


def test_a_score_holds_every_column_but_what_it_was_written_from() -> None:
    columns = [column.name for column in scores.scores.c if column.name not in ("at", "orders_read")]
    assert ["member_id", *(one.name for one in fields(Score)[1:])] == columns
