"""Tags: put on, taken off, never inferred over a person's word; and segments that ask for them."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from members import segments, tags
from members.audit import Actor
from members.db import Database
from members.errors import MemberError
from members.segments import SegmentRule
from members.tables import AuditLog, MemberTag, table
from tests.members.merging_books import BY, NOW, new_member

JOB = Actor("system", origin="job")
ZONE = ZoneInfo("Asia/Shanghai")


@pytest.fixture
def database(books_url: str) -> Iterator[Database]:
    opened = Database(books_url)
    yield opened
    opened.dispose()


def carried(connection: Any, member: int) -> list[tuple[str, str, float]]:
    return [(tag.tag, tag.source, tag.confidence) for tag in tags.of_member(connection, member)]


def test_a_tag_is_put_on_once_and_taken_off_once(database: Database) -> None:
    with database.transaction() as connection:
        member = new_member(connection)
        assert tags.put(connection, member, "#素食 ", source="staff", by=BY, now=NOW)
        assert not tags.put(connection, member, "素食", source="staff", by=BY, now=NOW)
        assert carried(connection, member) == [("素食", "staff", 1.0)]
        assert tags.take_off(connection, member, "素食", by=BY, now=NOW)
        assert not tags.take_off(connection, member, "素食", by=BY, now=NOW)
        assert carried(connection, member) == []
        assert tags.put(connection, member, "素食", source="member", by=BY, now=NOW), "it may come back"
        rows = table(MemberTag)
        assert len(connection.execute(select(rows).where(rows.c.member_id == member)).all()) == 2, "nothing is deleted"
        log = table(AuditLog)
        done = list(connection.scalars(select(log.c.action).where(log.c.member_id == member).order_by(log.c.id)))
        assert done == ["member.tag", "member.untag", "member.tag"]


def test_what_a_person_said_outranks_what_was_inferred(database: Database) -> None:
    with database.transaction() as connection:
        member = new_member(connection)
        guess: dict[str, Any] = {"source": "inferred", "by": JOB, "now": NOW}
        assert tags.put(connection, member, "有婴儿", confidence=0.6, **guess)
        assert tags.put(connection, member, "有婴儿", confidence=0.8, **guess), "inferred anew"
        assert tags.put(connection, member, "有婴儿", source="staff", by=BY, now=NOW)
        assert not tags.put(connection, member, "有婴儿", confidence=0.9, **guess)
        assert carried(connection, member) == [("有婴儿", "staff", 1.0)]
        tags.take_off(connection, member, "有婴儿", by=BY, now=NOW)
        assert not tags.put(connection, member, "有婴儿", confidence=0.9, **guess), "staff took it off"
        assert tags.put(connection, member, "爱吃辣", confidence=0.9, **guess)
        tags.take_off(connection, member, "爱吃辣", by=JOB, now=NOW)
        assert tags.put(connection, member, "爱吃辣", confidence=0.9, **guess), "only the inference had ended it"


@pytest.mark.parametrize("text", ["", " # ", "长" * 31, "a\nb", "a\u200bb"])
def test_no_tag(database: Database, text: str) -> None:
    with database.transaction() as connection:
        member = new_member(connection)
        with pytest.raises(MemberError, match="bad_tag"):
            tags.put(connection, member, text, source="staff", by=BY, now=NOW)


@pytest.mark.parametrize(
    ("condition", "who"),
    [
        ("母婴", {0, 1}),
        (["母婴", "素食"], {0, 1, 2}),
        ({"name": "母婴", "confidence": 0.7}, {0}),
        ({"name": ["母婴"], "source": "inferred"}, {1}),
        ({"life_stage": "baby", "confidence": 0.5}, {2}),
        ({"life_stage": "baby", "confidence": 0.95}, set()),
    ],
)
def test_a_segment_asks_for_tags(database: Database, condition: Any, who: set[int]) -> None:
    with database.transaction() as connection:
        people = [new_member(connection) for _ in range(4)]
        for number, word, source, sure in (
            (0, "母婴", "staff", 1.0), (1, "母婴", "inferred", 0.6), (2, "素食", "member", 1.0),
            (2, "life_stage:baby", "inferred", 0.9), (3, "母婴", "staff", 1.0),
        ):  # fmt: skip
            tags.put(connection, people[number], word, source=source, confidence=sure, by=BY, now=NOW)
        tags.take_off(connection, people[3], "母婴", by=BY, now=NOW)
        rule = SegmentRule.model_validate({"tag": condition})
        later = NOW + timedelta(days=1)
        assert set(segments.members_of(connection, rule, later, ZONE)) == {people[number] for number in who}
        others = SegmentRule.model_validate({"not": [{"tag": condition}]})
        assert segments.count(connection, others, later, ZONE) == 4 - len(who)


@pytest.mark.parametrize("wrong", [{}, {"confidence": 0.5}, {"name": "a", "confidence": 2}, {"nam": "a"}, 5, [""]])
def test_a_wrong_tag_condition_is_refused(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        SegmentRule.model_validate({"tag": wrong})
