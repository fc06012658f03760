"""What the ranker looks at, on tables small enough to check by hand."""

import numpy as np
import pytest

from recommend.candidates import alike_scores, candidates, habit_vectors, neighbourhood
from recommend.matrix import BadPurchases, from_arrays
from recommend.places import ranks
from recommend.ranking_features import item_columns, member_columns, own_columns, pair_columns
from recommend.ranking_history import History, halved, history

MEMBER = ["a"] * 7 + ["b"] * 3 + ["c"]
DAY = [0, 0, 10, 20, 20, 30, 30, 5, 25, 25, 29]
ITEM = ["milk", "tea", "milk", "milk", "egg", "milk", "tea", "egg", "egg", "tea", "egg"]


def past(now: int = 40) -> History:
    return history(from_arrays(MEMBER, DAY, ITEM, [1, 1, 2, 1, 1, 4, 1, 1, 1, 1, 1], [100] * 11), now)


def of_pair(columns: dict[str, np.ndarray], of: History, member: str, item: str) -> dict[str, float]:
    place, bought = of.pairs(*(np.searchsorted(labels, [one]) for labels, one in
                               ((of.log.members, member), (of.log.items, item))))  # fmt: skip
    assert bought.all()
    return {name: float(column[place[0]]) for name, column in columns.items()}


def test_a_weight_is_halved_each_half_life() -> None:
    assert halved(np.array([0, 10, 20]), 10).tolist() == [1, 0.5, 0.25]


def test_the_gaps_of_a_pair_by_hand() -> None:
    found = of_pair(own_columns(past()), past(), "a", "milk")
    assert found["n"] == 4 and found["pieces"] == 2 and found["price"] == 50
    assert (found["last"], found["first"], found["gap"], found["gap_spread"]) == (10, 40, 10, 0)
    assert found["due"] == pytest.approx(1.0)
    assert (found["last_baskets"], found["gap_baskets"], found["due_baskets"]) == (0, 1, 1)
    assert (found["baskets_10"], found["share"]) == (4, 1)
    tea = of_pair(own_columns(past()), past(), "a", "tea")
    assert (tea["n"], tea["gap"], tea["gap_baskets"], tea["share"]) == (2, 30, 3, 0.5)


def test_the_decayed_frequency_of_a_pair_by_hand() -> None:
    found = of_pair(own_columns(past()), past(), "a", "tea")
    weight = [2 ** (-age / 10) for age in (40, 30, 20, 10)]
    assert found["day_half_10"] == pytest.approx((weight[0] + weight[3]) / sum(weight), rel=1e-5)
    weight = [2 ** (-age / 3) for age in (3, 2, 1, 0)]
    assert found["basket_half_3"] == pytest.approx((weight[0] + weight[3]) / sum(weight), rel=1e-5)


def test_what_the_shop_says_of_an_item_by_hand() -> None:
    found = {name: column.tolist() for name, column in item_columns(past()).items()}
    assert past().log.items.tolist() == ["egg", "milk", "tea"]
    assert found["item_popular"] == pytest.approx([1e4 * 4 / 11, 1e4 * 4 / 11, 1e4 * 3 / 11])
    assert found["item_buyers"] == pytest.approx([1, 1 / 3, 2 / 3])
    assert found["item_repeats"] == pytest.approx([1 / 3, 1, 1 / 2])
    assert found["item_gap"] == pytest.approx([20, 10, 30])


def test_what_a_member_is_like_by_hand() -> None:
    found = {name: column.tolist() for name, column in member_columns(past()).items()}
    assert found["member_baskets"] == [4, 2, 1]
    assert found["member_size"] == pytest.approx([7 / 4, 3 / 2, 1])
    assert (found["member_last"], found["member_gap"]) == ([10, 15, 11], [10, 20, 0])
    assert (found["member_last_size"], found["member_distinct"]) == ([2, 2, 1], [3, 2, 1])


def test_a_pair_never_bought_has_zero_counts_and_unknown_gaps() -> None:
    of = past()
    found = pair_columns(of, item_columns(of), np.array([1]), np.array([1]), {"alike": np.ones(1, np.float32)})
    assert found["n"] == 0 and found["history_0.33"] == 0 and np.isnan(found["last"]) and np.isnan(found["due_pooled"])


def test_ranks_start_anew_for_each_member_and_ties_go_by_position() -> None:
    assert ranks(np.array([0, 0, 0, 4, 4]), np.array([1, 3, 3, 0, 9])).tolist() == [2, 0, 1, 1, 0]


def test_habit_vectors_and_neighbours_by_hand() -> None:
    of = history(from_arrays(["a", "b", "b", "c"], [1, 1, 1, 1], ["x", "x", "y", "z"]), 2)
    vectors = habit_vectors(of)
    assert vectors.toarray().tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    around = neighbourhood(of, seed=1)
    assert alike_scores(vectors, np.arange(3), around).tolist() == [[0.5, 0.5, 0.5], [0.5, 0, 0.5], [1, 0.5, 0]]


def test_candidates_are_own_items_then_alike_ones_and_popular_ones_without_repeats() -> None:
    of = past()
    found = candidates(of, np.arange(3), neighbourhood(of, seed=1))
    pairs = list(zip(found.member.tolist(), found.item.tolist(), strict=True))
    assert pairs == sorted(set(pairs))
    assert {(0, 0), (0, 1), (0, 2), (1, 0), (1, 2), (2, 0)} <= set(pairs)


def test_relabelled_items_have_the_same_columns() -> None:
    of, new = past(), {"milk": "a milk", "tea": "b tea", "egg": "c egg"}
    other = history(from_arrays(MEMBER, DAY, [new[item] for item in ITEM], [1, 1, 2, 1, 1, 4, 1, 1, 1, 1, 1],
                                [100] * 11), 40)  # fmt: skip
    for member, item in (("a", "milk"), ("a", "egg"), ("b", "egg"), ("c", "egg")):
        one, two = of_pair(own_columns(of), of, member, item), of_pair(own_columns(other), other, member, new[item])
        assert one == pytest.approx(two, nan_ok=True)


def test_a_history_is_refused_when_empty_or_past_the_cut() -> None:
    log = from_arrays(MEMBER, DAY, ITEM)
    with pytest.raises(BadPurchases, match="past the cut"):
        history(log, 30)
    with pytest.raises(BadPurchases, match="no purchases"):
        history(log.before(0), 0)


def test_items_renamed_in_another_order_keep_their_columns_ties_included() -> None:
    random = np.random.default_rng(1)
    member, day, item = random.integers(12, size=600), random.integers(60, size=600), random.integers(9, size=600)
    other = random.permutation(9)
    rows = []
    for labels in (np.arange(9), other):
        of = history(from_arrays(member, day, labels[item]), 60)
        found = candidates(of, np.arange(12), neighbourhood(of, 7))
        given = {"alike": np.round(found.alike, 1), "popular": found.popular}
        columns = pair_columns(of, item_columns(of), found.member, found.item, given)
        name = np.argsort(labels)[found.item]
        order = np.lexsort((name, found.member))
        rows.append({one: column[order] for one, column in (columns | {"name": name}).items()})
    for one, column in rows[0].items():
        assert column == pytest.approx(rows[1][one], abs=1e-4, nan_ok=True), one
