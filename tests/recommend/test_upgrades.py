"""What members could be led on to, by hand: who took the dearer article up, what goes with what, whom it is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from recommend.books import Shelf
from recommend.matrix import PurchaseLog, from_arrays
from recommend.rules import RecommendRules
from recommend.upgrades import Upgrades

TODAY = 100
SKUS = ("gold", "milk", "rice", "tea")
PRICE = {"gold": 1500, "milk": 1000, "rice": 3000, "tea": 2000}
RULES = RecommendRules(look_back_days=60, min_purchases=2)
BESIDE = {2: [["tea", 2.4, 0.25]]}


def log_of(*rows: tuple[int, int, str]) -> PurchaseLog:
    """One piece of an article a row: member, day, sku."""
    member, day, sku = zip(*rows, strict=True)
    return from_arrays(member, day, sku, [1] * len(rows), [PRICE[one] for one in sku])


def shelf(*, unsold: Sequence[str] = (), alike: bool = False, price: Sequence[int] = (0, 0, 0, 0)) -> Shelf:
    """Two milks of one type, `alike` in name, rice, and tea without a type; what each costs today."""
    skus, some = np.array(SKUS, dtype=object), np.array(price, dtype=np.int64)
    names = np.array(["milk" if alike and sku == "gold" else sku for sku in SKUS], dtype=object)
    kind = np.array(["dairy milk", "dairy milk", "grain rice", ""], dtype=object)
    active = np.array([sku not in unsold for sku in SKUS])
    return Shelf(skus, names, kind, kind, kind, kind, some, np.zeros(len(SKUS), np.bool_), active)


def rows() -> list[tuple[int, int, str]]:
    """Three took up the dearer milk; the fourth buys milk and rice habitually, the fifth once, the sixth long ago."""
    taken = [(who, day, sku) for who in (1, 2, 3) for day, sku in ((50, "milk"), (60, "gold"))]
    fourth = [(4, day, sku) for day in (50, 70) for sku in ("milk", "rice")]
    return [*taken, *fourth, (5, 90, "milk"), (5, 90, "tea"), (6, 10, "milk"), (6, 20, "milk")]


def learnt(*more: tuple[int, int, str], unsold: Sequence[str] = ()) -> Upgrades:
    log = log_of(*rows(), *more)
    return Upgrades.learn(log, log, shelf(unsold=unsold), TODAY, RULES, BESIDE)


def test_who_buys_habitually_is_led_on_to_what_others_took_up() -> None:
    found = learnt().of(0, 6)
    # three of six who bought milk took up the gold one; five yuan more a piece
    premium = ["premium", "milk", "gold", 0.5, 500]
    assert found == {3: [premium, ["companion", "rice", "tea", 0.25, 2.4]]}


def test_some_members_after_others_are_told_the_same() -> None:
    upgrades = learnt((7, 80, "milk"), (7, 85, "milk"))
    whole = upgrades.of(0, 7)
    assert set(whole) == {3, 6}
    assert whole == {code: found for first in range(7) for code, found in upgrades.of(first, first + 1).items()}


@pytest.mark.parametrize(
    ("more", "left"),
    [
        ((4, 99, "gold"), ["companion"]),
        ((4, 5, "gold"), ["companion"]),
        ((4, 99, "tea"), ["premium"]),
        ((4, TODAY, "gold"), ["premium", "companion"]),
    ],
)
def test_what_was_ever_bought_before_today_is_not_offered(more: tuple[int, int, str], left: list[str]) -> None:
    assert [one[0] for one in learnt(more).of(3, 4)[3]] == left


@pytest.mark.parametrize(("sku", "left"), [("gold", ["companion"]), ("tea", ["premium"])])
def test_what_was_taken_back_to_the_shop_was_tried(sku: str, left: list[str]) -> None:
    bought = [*rows(), (4, 80, sku), (4, 82, sku)]
    member, day, item = zip(*bought, strict=True)
    pieces = [1] * (len(bought) - 1) + [-1]
    log = from_arrays(member, day, item, pieces, [PRICE[one] * many for one, many in zip(item, pieces, strict=True)])
    assert log.before(TODAY).of([4]).quantity.sum() == 4
    upgrades = Upgrades.learn(log, log, shelf(), TODAY, RULES, BESIDE)
    assert [one[0] for one in upgrades.of(3, 4)[3]] == left


def test_what_is_not_sold_any_more_leads_nowhere() -> None:
    assert [one[0] for one in learnt(unsold=["gold"]).of(3, 4)[3]] == ["companion"]


@pytest.mark.parametrize(
    ("told", "ways"),
    [
        ({"alike": True}, ["companion"]), ({"price": (1000, 1000, 0, 0)}, ["companion"]),
        ({"price": (900, 1000, 0, 0)}, ["companion"]), ({"price": (1100, 1000, 0, 0)}, ["premium", "companion"]),
        ({"price": (0, 1000, 0, 0)}, ["premium", "companion"]),
    ],
)  # fmt: skip
def test_a_step_leads_to_another_name_and_a_higher_price(told: dict[str, Any], ways: list[str]) -> None:
    log = log_of(*rows())
    upgrades = Upgrades.learn(log, log, shelf(**told), TODAY, RULES, BESIDE)
    assert [one[0] for one in upgrades.of(3, 4)[3]] == ways


def test_what_costs_nothing_is_no_step_up() -> None:
    log = from_arrays(
        [who for who in (1, 2, 3, 4) for _ in range(2)], [50, 60] * 3 + [50, 70],
        ["milk", "gold"] * 3 + ["milk", "milk"], [1] * 8, [0] * 8,
    )  # fmt: skip
    rice = log_of((9, 50, "rice"), (9, 50, "tea"))
    both = log.extended(rice)
    assert Upgrades.learn(both, both, shelf(), TODAY, RULES, {}).of(0, 5) == {}


def test_a_shop_without_steps_has_companions_alone() -> None:
    log = log_of((1, 50, "rice"), (1, 60, "rice"), (2, 50, "milk"), (2, 60, "gold"), (3, 70, "tea"))
    found = Upgrades.learn(log, log, shelf(), TODAY, RULES, BESIDE).of(0, 3)
    assert found == {0: [["companion", "rice", "tea", 0.25, 2.4]]}
