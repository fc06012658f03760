"""Who is likeliest to take a bundle, by hand on a small shop, and against the same arithmetic over a whole log."""

from __future__ import annotations

from datetime import date, timedelta
from math import log, sqrt

import numpy as np
import pytest

from recommend import bundle, bundle_audience
from recommend.buyers import Beside
from recommend.features import Bought, Purchase
from recommend.matrix import from_arrays

LONG_AGO = date(2026, 1, 1)
TEA = Beside("tea", {"tea": 1.0, "egg": 0.5}, {"egg": 0.75}, frozenset({"tea", "herbs"}))
MILK = Beside("milk", {"milk": 1.0, "egg": 0.25}, {"egg": 0.5}, frozenset({"milk"}))


def bought(member: int, **days: int) -> tuple[int, Bought]:
    """So many days on which a member bought each article, the last on 1 January 2026."""
    return member, {
        sku: [Purchase(member, sku, LONG_AGO - timedelta(days=back), 1, 100) for back in range(many)][::-1]
        for sku, many in days.items()
    }


def test_the_likelihood_by_hand() -> None:
    everybody = [bought(1, egg=1), bought(2, soap=1)]
    found = bundle_audience.likeliest(everybody, [TEA, MILK], bought_since=LONG_AGO + timedelta(days=1))
    # of two members the one with the greater taste stands one deviation above the mean; nobody bought any of the kin
    assert [(one.member, one.usual, one.own, one.share) for one in found] == [(1, "egg", False, 0.75)]
    assert found[0].score == pytest.approx(1.0)


def test_the_least_of_the_articles_counts() -> None:
    both, one, other, none = bought(1, tea=2, milk=2), bought(2, tea=4), bought(3, milk=4), bought(4, soap=2)
    found = bundle_audience.likeliest([both, one, other, none], [TEA, MILK], bought_since=LONG_AGO + timedelta(days=1))
    assert [each.member for each in found] == [1, 2]
    taste = [2 * log(3) / sqrt(1 + 2 * log(3)) / 2, log(5) / sqrt(1 + log(5)), 0.0, 0.0]
    kin = [log(1 + log(3)), log(1 + log(5)), 0.0, 0.0]
    tea = sum((np.array(some) - np.mean(some)) / np.std(some) for some in (taste, kin))
    assert found[0].score == pytest.approx(float(tea[0]))  # milk gives the same by symmetry
    assert found[1].score == pytest.approx(float(tea[2]))  # who buys tea alone counts as little as milk says


def test_who_bought_the_slow_article_lately_is_left_out_and_kin_can_tell() -> None:
    everybody = [bought(1, tea=1, milk=1), bought(2, herbs=2, milk=1), bought(3, soap=1)]
    found = bundle_audience.likeliest(everybody, [TEA, MILK], bought_since=LONG_AGO)
    assert [(one.member, one.usual, one.own, one.share) for one in found] == [(2, "herbs", False, 0.0)]


def test_nobody_without_purchases() -> None:
    assert bundle_audience.likeliest([], [TEA, MILK], bought_since=LONG_AGO) == []


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
        return Beside(str(item), cosine, dict.fromkeys(map(str, items), 0.5), frozenset(map(str, kin)))

    asked = [
        (member, {
            str(item): [Purchase(member, str(item), LONG_AGO + timedelta(days=int(day)), 1, 100) for day in sorted(
                rows[(rows[:, 0] == member) & (rows[:, 1] == item), 2].tolist())]
            for item in items if member in buyers[item]
        })
        for member in members
    ]  # fmt: skip
    found = bundle_audience.likeliest(asked, [beside(3), beside(7)], bought_since=LONG_AGO + timedelta(days=100))
    score = {one.member: one.score for one in found}
    expected = np.minimum(*(bundle.likely_buyers(tastes, items.index(item), kin).score for item in (3, 7)))
    assert len(score) == len(members) == 60
    assert [score[member] for member in members] == pytest.approx(expected.tolist())
