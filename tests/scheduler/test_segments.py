"""Segments over hand-made receipts."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import update

from members import segments
from members.segments import SegmentRule
from members.tables import Member, table
from tests.scheduler.small_shop import MILK, MONDAY, RICE, ZONE, SmallShop, ago


@pytest.fixture
def people(shop: SmallShop) -> dict[str, int]:
    """Gold who buys milk often, gold who came once long ago, plain with one big receipt, plain who never bought."""
    found = {
        "often": shop.member(tier="金卡"), "gone": shop.member(tier="金卡"), "big": shop.member(),
        "never": shop.member(),
    }  # fmt: skip
    shop.buys(found["often"], MILK, *ago(20, 10, 1))
    shop.buys(found["gone"], MILK, *ago(200))
    shop.buys(found["big"], RICE, *ago(30), amount=50_000)
    return found


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"tier": "金卡"}, "often gone"),
        ({"tier": ["金卡", "普卡"]}, "often gone big never"),
        ({"visits": {"at_least": 3, "within": "60 days"}}, "often"),
        ({"visits": {"at_least": 3, "within": "20 days"}}, ""),
        ({"visits": {"at_least": 3, "within": "21 days"}}, "often"),
        ({"visits": {"at_least": 1}}, "often gone big"),
        ({"visits": {"at_most": 0}}, "never"),
        ({"visits": {"at_most": 0, "within": "90 days"}}, "gone never"),
        ({"spend": {"at_least": 500}}, "big"),
        ({"spend": {"at_least": 501}}, ""),
        ({"spend": {"at_least": 30, "within": "30 days"}}, "often"),
        ({"last_purchase": {"within": "15 days"}}, "often"),
        ({"last_purchase": {"before": "60 days"}}, "gone"),
        ({"bought": {"category": "鲜奶"}}, "often gone"),
        ({"bought": {"category": "milk", "within": "90 days"}}, "often"),
        ({"all": [{"tier": "金卡"}, {"visits": {"at_least": 1, "within": "60 days"}}]}, "often"),
        ({"any": [{"tier": "金卡"}, {"spend": {"at_least": 500}}]}, "often gone big"),
        ({"not": [{"tier": "金卡"}, {"spend": {"at_least": 500}}]}, "never"),
        ({"tier": "金卡", "not": [{"last_purchase": {"before": "60 days"}}]}, "often"),
    ],
)
def test_rules(shop: SmallShop, people: dict[str, int], rule: dict[str, Any], expected: str) -> None:
    compiled = SegmentRule.model_validate(rule)
    with shop.database.reading() as connection:
        found = segments.members_of(connection, compiled, MONDAY, ZONE)
        assert segments.count(connection, compiled, MONDAY, ZONE) == len(found)
    assert [name for name, member in people.items() if member in found] == expected.split()


def test_everybody_is_every_active_member(shop: SmallShop, people: dict[str, int]) -> None:
    with shop.database.transaction() as connection:
        merged = table(Member).c.id == people["gone"]
        connection.execute(update(table(Member)).where(merged).values(state="merged"))
        assert segments.members_of(connection, None, MONDAY, ZONE) == [people[n] for n in ("often", "big", "never")]


@pytest.mark.parametrize(
    "rule",
    [{}, {"visits": {}}, {"visits": {"at_least": 3, "at_most": 2}}, {"last_purchase": {}}, {"all": []}, {"tagg": "x"},
     {"visits": {"at_least": 3, "within": "soon"}}],
)  # fmt: skip
def test_a_rule_that_says_nothing_or_cannot_be_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SegmentRule.model_validate(rule)


def test_parts_are_walked() -> None:
    rule = SegmentRule.model_validate({"any": [{"bought": {"category": "a"}}, {"not": [{"tier": "x"}]}]})
    assert [part.tier for part in rule.parts()] == [None, None, None, "x"]
