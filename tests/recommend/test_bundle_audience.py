"""Who is likeliest to take a bundle, by hand on a small shop, and against the same arithmetic over a whole log."""

from __future__ import annotations

from datetime import date, timedelta
from math import log, sqrt

import numpy as np
import pytest

from recommend import bundle
from recommend.bundle_audience import Likely, likeliest
from recommend.buyers import Beside
from recommend.features import Bought, Purchase
from recommend.matrix import from_arrays

LONG_AGO, LATER = date(2026, 1, 1), date(2026, 1, 2)
TEA = Beside("tea", {"tea": 1.0, "egg": 0.5, "peas": 0.9}, {"egg": (0.75, 0.25), "peas": (0.9, 0.9)},
             frozenset({"tea", "herbs"}))  # fmt: skip
MILK = Beside("milk", {"milk": 1.0, "egg": 0.25}, {"egg": (0.5, 0.25)}, frozenset({"milk"}))


def bought(member: int, **days: int) -> tuple[int, Bought]:
    """So many days on which a member bought each article, the last on 1 January 2026."""
    return member, {
        sku: [Purchase(member, sku, LONG_AGO - timedelta(days=back), 1, 100) for back in range(many)][::-1]
        for sku, many in days.items()
    }


def asked(everybody: list[tuple[int, Bought]], since: date = LATER) -> list[Likely]:
    """The likeliest of a shop whose members are all asked."""
    return likeliest(everybody, [TEA, MILK], sample=everybody, bought_since=since)


def test_the_likelihood_by_hand() -> None:
    found = asked([bought(1, egg=1), bought(2, soap=1)])
    # of two members the one with the greater taste stands one deviation above the mean; nobody bought any of the kin
    assert [(one.member, one.usual, one.own, one.share, one.base) for one in found] == [(1, "egg", False, 0.75, 0.25)]
    assert found[0].score == pytest.approx(1.0)


def test_the_least_of_the_articles_counts() -> None:
    both, one, other, none = bought(1, tea=2, milk=2), bought(2, tea=4), bought(3, milk=4), bought(4, soap=2)
    found = asked([both, one, other, none])
    assert [each.member for each in found] == [1], "who takes one of them alone is below the average of the other"
    taste = [2 * log(3) / sqrt(1 + 2 * log(3)) / 2, log(5) / sqrt(1 + log(5)), 0.0, 0.0]
    kin = [log(1 + log(3)), log(1 + log(5)), 0.0, 0.0]
    tea = sum((np.array(some) - np.mean(some)) / np.std(some) for some in (taste, kin))
    assert found[0].score == pytest.approx(float(tea[0]))  # milk gives the same by symmetry


def test_who_bought_the_slow_article_lately_is_left_out_and_kin_can_tell() -> None:
    everybody = [bought(1, tea=1, milk=1), bought(2, herbs=2, milk=1), bought(3, soap=1)]
    found = asked(everybody, LONG_AGO)
    assert [(one.member, one.usual, one.own, one.share) for one in found] == [(2, "herbs", False, 0.0)]
    assert [one.member for one in asked(everybody)] == [1, 2]


def test_what_the_buyers_buy_more_than_others_is_told_before_what_is_bought_much() -> None:
    jam = Beside("tea", {"egg": 0.5, "jam": 0.6}, {"egg": (0.75, 0.25), "jam": (0.9, 0.8)}, frozenset())
    both = [bought(1, egg=2, jam=3)]
    found = likeliest(both, [jam], sample=[*both, bought(2, soap=1)], bought_since=LATER)
    assert [one.usual for one in found] == ["egg"]


def test_what_everybody_buys_tells_nothing() -> None:
    found = asked([bought(1, egg=1, peas=9), bought(2, peas=9, soap=1), bought(3, soap=1), bought(4, soap=1)])
    assert [(one.member, one.usual) for one in found] == [(1, "egg")]
    # with what buyers of the article buy no more than others nobody is told of, however near it is
    fond, usual = [bought(1, peas=9)], [bought(1, peas=9), bought(2, soap=1)]
    assert likeliest(fond, [TEA], sample=usual, bought_since=LATER) == []


def test_the_average_is_that_of_the_shop_not_of_who_is_asked() -> None:
    fond, usual = [bought(1, egg=2), bought(2, egg=1)], [bought(3, soap=1), bought(4, soap=1), bought(5, egg=1)]
    found = likeliest(fond, [TEA, MILK], sample=usual, bought_since=LATER)
    assert [one.member for one in found] == [1, 2]


def test_nobody_without_purchases() -> None:
    assert asked([]) == []
    assert likeliest([bought(1, egg=1)], [TEA, MILK], sample=[], bought_since=LATER) == []


def test_it_is_the_arithmetic_of_the_whole_log() -> None:
    random = np.random.default_rng(5)
    rows = np.unique(random.integers(0, (60, 12, 40), (900, 3)), axis=0)
    whole = from_arrays(rows[:, 0], rows[:, 2], rows[:, 1], np.ones(len(rows), dtype=int), np.full(len(rows), 100))
    members, items = whole.members.tolist(), whole.items.tolist()
    tastes, kin = bundle.tastes(whole, 100), [0, 3, 5]
    pairs = np.unique(rows[:, :2], axis=0)
    buyers = {item: set(pairs[pairs[:, 1] == item, 0].tolist()) for item in items}

    def beside(item: int) -> Beside:
        both = {other: len(buyers[item] & buyers[other]) for other in items}
        cosine = {str(o): many / sqrt(len(buyers[o]) * len(buyers[item])) for o, many in both.items()}
        return Beside(str(item), cosine, dict.fromkeys(map(str, items), (0.5, 0.25)), frozenset(map(str, kin)))

    everybody = [
        (member, {
            str(item): [Purchase(member, str(item), LONG_AGO + timedelta(days=int(day)), 1, 100) for day in sorted(
                rows[(rows[:, 0] == member) & (rows[:, 1] == item), 2].tolist())]
            for item in items if member in buyers[item]
        })
        for member in members
    ]  # fmt: skip
    late = LONG_AGO + timedelta(days=100)
    found = likeliest(everybody, [beside(3), beside(7)], sample=everybody, bought_since=late)
    expected = np.minimum(*(bundle.likely_buyers(tastes, items.index(item), kin).score for item in (3, 7)))
    above = {member: score for member, score in zip(members, expected.tolist(), strict=True) if score > 0}
    assert {one.member: one.score for one in found} == pytest.approx(above) and 5 < len(above) < 55
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
