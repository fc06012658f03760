"""Tiers by the spending of twelve months."""

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import insert

from members import identity, tiers
from members.db import Database
from members.rules import TierRule
from members.tables import Order, table
from members.vault import Vault, generate_key

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
RULES = [TierRule(name="普卡"), TierRule(name="银卡", spend_12_months=100), TierRule(name="金卡", spend_12_months=300)]
SPAN = {"since": date(2025, 3, 2), "until": date(2026, 3, 2)}


@pytest.mark.parametrize(
    ("spent", "tier"), [(0, "普卡"), (9_999, "普卡"), (10_000, "银卡"), (29_999, "银卡"), (30_000, "金卡")]
)
def test_the_highest_tier_reached(spent: int, tier: str) -> None:
    assert tiers.deserved(RULES, spent).name == tier


def test_members_rise_and_nobody_falls(books_url: str) -> None:
    database, vault = Database(books_url), Vault({"k1": generate_key()})
    with database.transaction() as connection:

        def member(tier: str, *orders: tuple[date, int]) -> int:
            made, _ = identity.create(connection, vault, tier=tier, now=NOW)
            for number, (day, total) in enumerate(orders):
                row = {"order_no": f"{made}-{number}", "member_id": made, "at": NOW, "day": day, "total": total}
                connection.execute(
                    insert(table(Order)), row | {"discount": 0, "buyer": "", "state": "paid", "source": ""}
                )
            return made

        poor = member("普卡", (date(2026, 1, 1), 9_999))
        silver = member("普卡", (date(2026, 1, 1), 6_000), (date(2026, 2, 1), 4_000))
        gold = member("普卡", (date(2026, 1, 1), 30_000))
        past = member("普卡", (date(2025, 3, 2), 30_000))
        kept = member("金卡", (date(2026, 1, 1), 10_000))
        assert tiers.promote(connection, RULES, **SPAN) == 2
        found = [tiers.of_member(connection, one) for one in (poor, silver, gold, past, kept)]
        assert found == ["普卡", "银卡", "金卡", "普卡", "金卡"]
        assert tiers.promote(connection, RULES, **SPAN) == 0
