"""What goes with an article by the receipts of everybody, counted by hand on both engines."""

from __future__ import annotations

from math import sqrt

import pytest

from members.db import Database
from recommend import buyers
from recommend.buyers import Beside
from recommend.rules import RecommendRules
from tests.scheduler.bundle_shop import BundleShop, bundle_rules
from tests.scheduler.small_shop import MONDAY, ZONE, ago

RULES = RecommendRules(look_back_days=90)


@pytest.fixture
def shop(database: Database) -> BundleShop:
    """Three bought tea with egg and milk 60 days ago, twelve soap."""
    return BundleShop(database, bundle_rules())


def beside(shop: BundleShop, *skus: str, without: tuple[str, ...] = ()) -> list[Beside]:
    with shop.database.reading() as connection:
        return buyers.beside(connection, skus, now=MONDAY, zone=ZONE, rules=RULES, without=without)


def test_cosine_and_shares_by_hand(shop: BundleShop) -> None:
    shop.buys(None, egg=2000)  # a fourth buys egg; of 16 four do
    [tea] = beside(shop, "tea-1")
    assert tea.cosine == {"tea-1": 1.0, "egg-1": pytest.approx(3 / sqrt(4 * 3)), "milk-1": 1.0}
    assert tea.share == {"egg-1": (1.0, 4 / 16), "milk-1": (1.0, 3 / 16)}
    assert tea.kin == {"tea-1"}


def test_only_what_three_bought_with_it_counts(shop: BundleShop) -> None:
    for _ in range(2):
        shop.buys(None, tea=8000, fish=6000)
    assert "fish-1" not in beside(shop, "tea-1")[0].cosine
    shop.buys(None, tea=8000, fish=6000)
    assert beside(shop, "tea-1")[0].cosine["fish-1"] == pytest.approx(3 / sqrt(3 * 6))


def test_what_is_long_ago_still_to_come_excluded_or_taken_back_does_not_count(shop: BundleShop) -> None:
    for _ in range(3):
        shop.buys(None, *ago(91), tea=8000, fish=6000)
        shop.buys(None, *ago(-1), tea=8000, soap=6000)
    assert beside(shop, "tea-1")[0].share.keys() == {"egg-1", "milk-1"}
    assert beside(shop, "tea-1", without=("egg",))[0].share.keys() == {"milk-1"}
    assert beside(shop, "fish-1") == [Beside("fish-1", {"fish-1": 1.0}, {}, frozenset({"fish-1"}))]


def test_where_members_are_many_the_buyers_are_counted_among_some(
    shop: BundleShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    [whole] = beside(shop, "soap-1")
    monkeypatch.setattr(buyers, "COUNTED", 5)  # of 15 members every third
    with shop.database.reading() as connection:
        assert len(buyers.sample(connection, 5)) == 5 and len(buyers.sample(connection, 15)) == 15
    [tea] = beside(shop, "tea-1")
    assert tea.share["egg-1"] == (1.0, 3 / 15), "one of three in the sample stands for three of fifteen"
    assert beside(shop, "soap-1") == [whole]


def test_who_buys_an_article_anyway_is_reckoned_from_the_sample(
    shop: BundleShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        shop.buys(None, fish=6000, soap=1500)
    monkeypatch.setattr(buyers, "COUNTED", 6)  # of 18 members every third, five of them buyers of soap
    [fish] = beside(shop, "fish-1")
    assert fish.share == {"soap-1": (1.0, 15 / 18)}
    assert fish.cosine["soap-1"] == pytest.approx(3 / sqrt(15 * 3))
