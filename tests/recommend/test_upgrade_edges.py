"""What members could be led on to, at the edges: the window, what teaches, how much is told and in which order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from recommend import scoring, standing, trade_up
from recommend.books import Shelf
from recommend.matrix import PurchaseLog, from_arrays
from recommend.rules import RecommendRules
from recommend.scoring import Scorer
from recommend.upgrades import LEAST_SHARE, MOST, Upgrades

TODAY, SINCE = 100, 40
RULES = RecommendRules(look_back_days=60, min_purchases=2)
PRICE = {"cream": 1500, "gold": 1500, "milk": 1000, "rice": 3000, "tea": 2000}
TYPE = {"gold": "milk", "milk": "milk", "rice": "rice"}
Line = tuple[int, int, str]


def shop(
    *lines: Line, price: Mapping[str, int] = PRICE, kind: Mapping[str, str] = TYPE, unsold: Sequence[str] = (),
    beside: Mapping[str, Any] | None = None, of: Sequence[int] | None = None,
) -> Upgrades:  # fmt: skip
    """One piece a line (member, day, sku); learnt of the members `of`, everybody's when None."""
    member, day, sku = zip(*lines, strict=True)
    log = from_arrays(member, day, sku, [1] * len(lines), [price[one] for one in sku])
    part = log if of is None else log.of(of)
    code = {one: place for place, one in enumerate(log.items.tolist())}
    known = {code[usual]: some for usual, some in (beside or {}).items() if usual in code}
    return Upgrades.learn(log, part, shelf(log, kind, unsold), TODAY, RULES, known)


def shelf(log: PurchaseLog, kind: Mapping[str, str], unsold: Sequence[str] = ()) -> Shelf:
    """All of one category, as dairy and grain are food."""
    skus = log.items.astype(object)
    food, kinds = np.full(len(skus), "food", object), np.array([kind.get(one, "") for one in skus], object)
    active = np.array([one not in unsold for one in skus])
    none = np.zeros(len(skus), np.int64)
    return Shelf(skus, skus, food, food, kinds, kinds, none, none.astype(np.bool_), active)


def took(before: str, after: str, members: Iterable[int], day: int = 50) -> list[Line]:
    """Each first bought one article, ten days later the other."""
    return [(who, when, sku) for who in members for when, sku in ((day, before), (day + 10, after))]


def habit(member: int, *skus: str, days: Sequence[int] = (50, 70)) -> list[Line]:
    """The member bought each of these on each of these days."""
    return [(member, day, sku) for day in days for sku in skus]


def told(found: Mapping[int, Sequence[Sequence[Any]]]) -> dict[int, list[tuple[Any, ...]]]:
    """{member code: [(way, usual, offered)]}."""
    return {member: [tuple(one[:3]) for one in some] for member, some in found.items()}


UP, TEA = ("premium", "milk", "gold"), ("companion", "rice", "tea")
BESIDE = {"rice": [["tea", 2.4, 0.25]]}
THREE = took("milk", "gold", (1, 2, 3))


@pytest.mark.parametrize(("first", "led"), [(SINCE, [UP, TEA]), (SINCE - 1, [])])
def test_habitual_is_what_was_bought_often_since_the_first_day_looked_at(first: int, led: list[Any]) -> None:
    found = shop(*THREE, (5, 90, "tea"), *habit(9, "milk", "rice", days=(first, 70)), beside=BESIDE).of(4, 5)
    assert told(found) == ({4: led} if led else {})


def test_what_is_bought_today_is_not_known_yet() -> None:
    lines = [*THREE, (5, 90, "tea"), *habit(9, "milk", "rice", days=(70, TODAY))]
    assert shop(*lines, beside=BESIDE).of(4, 5) == {}
    more = [*THREE, *habit(9, "milk", "rice"), (5, 90, "tea"), (9, TODAY, "tea")]
    assert told(shop(*more, beside=BESIDE).of(4, 5)) == {4: [UP, TEA]}
    late = [*took("milk", "gold", (1, 2, 3), day=TODAY - 10), *habit(9, "milk")]
    assert shop(*late).of(0, 4) == {}


def test_who_has_bought_nothing_before_today_is_led_nowhere() -> None:
    assert shop(*THREE, (9, TODAY, "milk")).of(3, 4) == {}


def test_the_steps_are_those_of_the_part_that_was_learnt_of() -> None:
    lines = [*THREE, *habit(9, "milk")]
    assert told(shop(*lines).of(3, 4)) == {3: [UP]}
    assert shop(*lines, of=[1, 2, 9]).of(3, 4) == {}


def test_a_dearer_article_of_another_type_or_of_none_is_no_step_up() -> None:
    lines = [*took("milk", "rice", (1, 2, 3)), *habit(9, "milk")]
    assert shop(*lines).of(3, 4) == {}
    none = [*took("cream", "tea", (1, 2, 3)), *habit(9, "cream")]
    assert shop(*none).of(3, 4) == {}


def test_what_is_not_sold_any_more_still_leads_on() -> None:
    assert told(shop(*THREE, *habit(9, "milk"), unsold=["milk"]).of(3, 4)) == {3: [UP]}


def many_types(number: int) -> tuple[dict[str, int], dict[str, str], list[Line]]:
    """Types a, b, …: each with a dearer article (A, B, …), the later the type, the more dearer; all of one habit."""
    names = "abcdefgh"[:number]
    price = dict.fromkeys(names, 1000) | {name.upper(): 1500 + 10 * at for at, name in enumerate(names)}
    lines = [line for name in names for line in took(name, name.upper(), (1, 2, 3))]
    return price, {name: name.lower() for name in price}, [*lines, *habit(9, *names)]


def test_so_many_steps_up_are_told_at_most_those_that_promise_most_money_first() -> None:
    price, kind, lines = many_types(MOST + 1)
    found = shop(*lines, price=price, kind=kind).of(3, 4)[3]
    assert [one[2] for one in found] == ["F", "E", "D", "C", "B"]
    assert [one[4] for one in found] == [550, 540, 530, 520, 510]


def test_money_is_chance_times_what_it_costs_more() -> None:
    price = {"a": 1000, "A": 1200, "b": 1000, "B": 2000}
    lines = [*took("a", "A", range(1, 7)), *took("b", "B", (1, 2, 3)), *habit(9, "a", "b")]
    found = shop(*lines, price=price, kind={one: one.lower() for one in price}).of(6, 7)[6]
    assert [one[2] for one in found] == ["B", "A"] and found[0][3] < found[1][3]


@pytest.mark.parametrize(("buyers", "led"), [(280, True), (281, False)])
def test_what_hardly_anybody_took_up_is_not_told(buyers: int, led: bool) -> None:
    assert (LEAST_SHARE <= 3 / (280 + 20)) and not LEAST_SHARE <= 3 / (281 + 20)
    others = [(who, 60, "milk") for who in range(10, 10 + buyers - 4)]
    found = shop(*THREE, *habit(9, "milk"), *others).of(3, 4)
    assert told(found).get(3, []) == ([UP] if led else [])


def test_what_it_costs_more_is_rounded_to_the_fen() -> None:
    log = from_arrays(
        [1, 1, 2, 2, 3, 3, 9, 9], [50, 60] * 3 + [50, 70], ["milk", "gold"] * 3 + ["milk"] * 2,
        [1, 3, 1, 3, 1, 3, 1, 1], [1000, 4001] * 3 + [1000] * 2,
    )  # fmt: skip
    found = Upgrades.learn(log, log, shelf(log, TYPE), TODAY, RULES, {}).of(3, 4)
    assert found[3][0][4] == 334  # 4001 / 3 − 1000


GOES = ("a", "b", "c", "d", "e", "f")


def with_companions(*beside: tuple[str, float, float], usual: str = "rice") -> list[list[Any]]:
    """What goes with rice, told of somebody who buys rice alone."""
    price = {**PRICE, **dict.fromkeys(GOES, 500)}
    lines = [*habit(9, "rice"), *((1, 50, name) for name in GOES)]
    return shop(*lines, price=price, beside={usual: [list(one) for one in beside]}).of(1, 2).get(1, [])


def test_so_many_companions_at_most_the_farthest_beyond_chance_first() -> None:
    found = with_companions(
        *((name, 2.0 + at / 10, 0.5 - at / 10) for at, name in enumerate(GOES[:-1])), ("f", 3.0, 0.9)
    )
    assert [one[2] for one in found] == ["f", "e", "d", "c", "b"] and len(found) == MOST


def test_a_companion_of_few_receipts_is_not_told() -> None:
    assert [one[2] for one in with_companions(("a", 9.0, 0.009), ("b", 2.0, LEAST_SHARE))] == ["b"]


@pytest.mark.parametrize("times", [(3.0, 2.0), (2.0, 3.0)])
def test_a_companion_of_two_usual_articles_is_told_of_the_one_it_goes_with_most(times: tuple[float, float]) -> None:
    lines = [*habit(9, "milk", "rice"), (1, 50, "tea")]
    beside = {"milk": [["tea", times[0], 0.2]], "rice": [["tea", times[1], 0.1]]}
    usual, share = ("milk", 0.2) if times[0] > times[1] else ("rice", 0.1)
    assert shop(*lines, beside=beside).of(1, 2) == {1: [["companion", usual, "tea", share, max(times)]]}


def test_a_companion_that_was_bought_long_ago_is_not_told() -> None:
    assert shop(*habit(9, "rice"), (9, 5, "tea"), beside=BESIDE).of(0, 1) == {}


STAIRS = {"gold": 1500, "jersey": 2500, "milk": 1000, "oat": 1000, "plain": 900, "silver": 1200, "truffle": 3001}
MILKS = dict.fromkeys(STAIRS, "milk")


def stairs(*mine: Line) -> list[tuple[Any, ...]]:
    """From milk four went on to jersey, four to gold, three to silver and three to truffle, which is too dear."""
    some = [
        *took("milk", "jersey", range(10, 14)), *took("milk", "gold", range(20, 24)),
        *took("milk", "silver", range(30, 33)), *took("milk", "truffle", range(40, 43)),
        *took("oat", "gold", range(50, 53)), (60, 50, "plain"),
    ]  # fmt: skip
    found = shop(*some, *mine, price=STAIRS, kind=MILKS)
    place = found.log.members.tolist().index(99)
    return told(found.of(place, place + 1)).get(place, [])


@pytest.mark.parametrize(
    ("tried", "offered"),
    [((), "jersey"), (("jersey",), "gold"), (("jersey", "gold"), "silver"), (("gold",), "jersey"),
     (("jersey", "gold", "silver"), "")],
)  # fmt: skip
def test_the_best_step_that_was_never_tried_is_told_and_at_most_three_times_the_price(
    tried: tuple[str, ...], offered: str
) -> None:
    mine = [*habit(99, "milk"), *((99, 5 + at, sku) for at, sku in enumerate(tried))]
    assert stairs(*mine) == ([("premium", "milk", offered)] if offered else [])


@pytest.mark.parametrize(
    ("milk", "oat", "usual"),
    [((50, 60), (55, 65), "oat"), ((55, 65), (50, 60), "milk"), ((50, 60, 70), (55, 65), "milk"),
     ((50, 60), (45, 55, 65), "oat")],
)  # fmt: skip
def test_usual_is_what_was_bought_on_most_days_of_equals_what_was_begun_last(
    milk: tuple[int, ...], oat: tuple[int, ...], usual: str
) -> None:
    mine = [*habit(99, "milk", days=milk), *habit(99, "oat", days=oat), (99, 4, "jersey"), (99, 4, "silver")]
    assert stairs(*mine) == [("premium", usual, "gold")]


def test_each_type_has_its_own_usual_article() -> None:
    price = {"a": 1000, "A": 1500, "b": 1000, "B": 1500}
    lines = [*took("a", "A", (1, 2, 3)), *took("b", "B", (1, 2, 3)), *habit(9, "a"), *habit(9, "b", days=(50, 60, 70))]
    found = shop(*lines, price=price, kind={one: one.lower() for one in price}).of(3, 4)
    assert {one[:3] for one in told(found)[3]} == {("premium", "a", "A"), ("premium", "b", "B")}


def test_a_shops_steps_and_its_offers_know_neither_todays_prices_nor_todays_purchases() -> None:
    member, day, sku = zip(*THREE, *habit(9, "milk"), strict=True)
    log = from_arrays(member, day, sku, [1] * len(sku), [PRICE[one] for one in sku])
    later = from_arrays([1, 9], [TODAY] * 2, ["gold"] * 2, [1] * 2, [1, 1])
    for known in (log, log.extended(later)):
        offers = trade_up.trade_ups(known, TODAY, ["milk", "milk"])
        assert known.members[offers.member].tolist() == [9] and offers.extra.tolist() == [500]


def test_every_block_of_members_is_told_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "BLOCK", 2)
    upgrades = shop(*THREE, *habit(7, "milk"), *habit(8, "rice"), *habit(9, "milk"), (3, 95, "tea"), beside=BESIDE)
    scorer = Scorer(upgrades.log, upgrades.shelf, TODAY, None, None, upgrades)
    rows = [row for block in scorer.scores(standing.of(upgrades.log, TODAY)) for row in block]
    assert {row.member: [one[2] for one in row.upgrades] for row in rows if row.upgrades} == {
        7: ["gold"], 8: ["tea"], 9: ["gold"],
    }  # fmt: skip


def test_nobody_is_told_but_who_was_asked_for() -> None:
    upgrades = shop(*THREE, *habit(7, "milk"), *habit(8, "milk"), *habit(9, "milk"))
    assert [set(upgrades.of(*asked)) for asked in ((3, 4), (4, 5), (3, 5), (0, 3))] == [{3}, {4}, {3, 4}, set()]
