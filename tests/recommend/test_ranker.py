"""The ranker's measures by hand, its forests against scikit-learn's own answer, and what it refuses."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from recommend import forest, ranker
from recommend.matrix import BadPurchases
from recommend.places import ranks

MEMBER = np.repeat([0, 1], [3, 3])
BOUGHT = np.array([False, True, False, True, False, True])
SIZE = np.repeat(np.float32([2, 3]), 3)


def drawn(rows: int = 900, missing: float = 0.2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    values = rng.normal(size=(rows, 5)).astype(np.float32)
    values[:, 1] = np.round(values[:, 1])
    bought = values[:, 0] + values[:, 1] * values[:, 2] > 0.8
    values[rng.random(values.shape) < missing] = np.nan
    values[:, 4] = np.nan
    return values, bought, rng.integers(1, 9, rows).astype(np.float32)


def test_recall_and_ndcg_by_hand() -> None:
    score = np.float32([3, 2, 1, 1, 3, 2])
    second, third = 1 / np.log2(3), 1 / np.log2(4)
    recall, ndcg = ranker.gain(MEMBER, score, BOUGHT, SIZE)
    assert recall == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert ndcg == pytest.approx((second / (1 + second) + (second + third) / (1 + second + third)) / 2)


def test_only_the_first_ten_count() -> None:
    member, bought = np.zeros(11, np.int64), np.arange(11) == 10
    assert ranker.gain(member, -np.arange(11, dtype=np.float32), bought, np.ones(11, np.float32)) == (0, 0)


def test_a_simple_score_blends_own_and_alike_and_breaks_ties_by_popularity() -> None:
    columns = {"light": np.float32([0.5, 0]), "alike": np.float32([0, 1]), "popular": np.float32([0.2, 0.4])}
    assert ranker.Simple("light", 0.7)(columns).tolist() == pytest.approx([0.3502, 0.3004])
    assert ranker.Simple("light", 0.5, "popular")(columns).tolist() == pytest.approx([0.3502, 0.2004])


def test_where_own_habits_say_nothing_the_simple_score_lends_from_what_does() -> None:
    right = BOUGHT.astype(np.float32)
    none = {name: np.zeros_like(right) for name in (*ranker.OWN_COLUMNS, "alike", "popular")}
    found = ranker.best_simple(MEMBER, none | {"linked": right}, BOUGHT, SIZE)
    assert (found.lender, found.own < 1) == ("linked", True)


def test_an_infinite_part_is_the_simple_score_alone() -> None:
    odds, simple = np.float32([5, -5]), np.float32([0.1, 0.9])
    assert ranker.joined(odds, simple, np.inf).argmax() == 1
    assert ranker.joined(odds, simple, 0.0).tolist() == [5, -5]
    assert ranker.joined(odds, simple, 2.0)[0] == pytest.approx(5 + 2 * np.log(0.101))


def test_the_forests_stay_away_where_they_do_harm() -> None:
    right = BOUGHT.astype(np.float32)
    assert ranker.best_part(MEMBER, 20 * (0.5 - right), right, BOUGHT, SIZE) == np.inf
    assert ranker.best_part(MEMBER, 20 * (right - 0.5), 1 - right, BOUGHT, SIZE) == 0


def test_a_planted_forest_answers_as_scikit_learn_does_where_it_only_matters_that_a_value_is_missing() -> None:
    random = np.random.default_rng(5)
    rows = random.random((2000, 3), dtype=np.float32)
    rows[random.random(2000) < 0.3, 1] = np.nan
    bought = random.random(2000) < np.where(np.isnan(rows[:, 1]), 0.8, 0.2)
    limits = forest.edges(rows)
    model = HistGradientBoostingClassifier(max_iter=20, max_leaf_nodes=15, early_stopping=False, random_state=0)
    model.fit(forest.binned(rows, limits), bought)
    planted = forest.planted(model, limits)
    assert (planted.nan_right & (planted.threshold > 1e30)).any()
    expected = model.decision_function(forest.binned(rows, limits))
    assert planted.log_odds(rows) == pytest.approx(expected, abs=1e-5)


def test_a_planted_forest_answers_as_scikit_learn_does() -> None:
    rows, bought, _ = drawn()
    limits = forest.edges(rows)
    bins = forest.binned(rows, limits)
    model = HistGradientBoostingClassifier(max_iter=9, max_leaf_nodes=15, early_stopping=False).fit(bins, bought)
    fresh = np.vstack([drawn(300, 0.5)[0], rows])
    expected = model.decision_function(forest.binned(fresh, limits))
    assert forest.planted(model, limits).log_odds(fresh) == pytest.approx(expected, abs=1e-5)


def test_bins_by_hand() -> None:
    rows = np.float32([[1, np.nan], [2, np.nan], [2, np.nan], [5, np.nan], [np.nan, np.nan]])
    limits = forest.edges(rows)
    assert [limit.tolist() for limit in limits] == [[1, 2], []]
    assert forest.binned(rows, limits)[:4].tolist() == [[0, 0], [1, 0], [1, 0], [2, 0]]
    many = forest.edges(np.arange(10_000, dtype=np.float32)[:, None])
    assert len(many[0]) == forest.BINS - 1


def test_forests_learn_what_was_bought_and_are_the_same_with_the_same_seed() -> None:
    rows, bought, size = drawn(missing=0.05)
    one, two = (ranker.fit_forests(rows, bought, size, seed=3, most=600) for _ in range(2))
    odds = one.log_odds(rows)
    assert odds[bought].mean() > odds[~bought].mean() + 1
    assert (odds == two.log_odds(rows)).all()


def test_the_first_forest_sees_only_the_relative_columns() -> None:
    rows, bought, size = drawn(missing=0.05)
    relative = ranker.relative_places(["item_popular", "basket_half_3", "rank_alike", "member_size", "price"])
    assert relative.tolist() == [1, 2]
    forests = ranker.fit_forests(rows, bought, size, seed=3, relative=relative)
    assert set(forests.plain[0].feature.tolist()) == {1, 2}
    assert 0 in forests.by_basket[0].feature.tolist()


def test_pairs_of_forests_draw_their_own_rows_and_what_leads_gets_their_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranker, "LEADING", 30)
    rows, bought, size = drawn(missing=0.05)
    forests = ranker.fit_forests(rows, bought, size, seed=3, most=600, pairs=2)
    assert len(forests.plain) == len(forests.by_basket) == 2
    every = [forest.log_odds(rows) for forest in (*forests.plain, *forests.by_basket)]
    assert not np.allclose(every[0], every[1])
    assert forests.log_odds(rows) == pytest.approx(np.mean(every, axis=0), abs=1e-5)
    member, new = np.repeat(np.arange(9), 100), rows[:, 3] > 1
    half, mean = forests.by_basket[0].half(), forests.log_odds(rows)
    place, among_new = ranks(member, half.log_odds(rows)), np.full(len(rows), 99)
    among_new[new] = ranks(member[new], half.log_odds(rows)[new])
    for lists, leads in (
        ([(np.arange(900), 10)], place < 30), ([(np.arange(900), 40)], place < 40),
        ([(np.flatnonzero(new), 10)], among_new < 30),
        ([(np.arange(900), 10), (np.flatnonzero(new), 10)], (place < 30) | (among_new < 30)),
    ):  # fmt: skip
        odds = forests.leading_odds(rows, member, lists)
        assert odds[leads] == pytest.approx(mean[leads], abs=1e-5)
        assert np.isneginf(odds[~leads]).all() and not leads.all()


def test_half_a_forest_are_its_first_trees() -> None:
    rows, bought, size = drawn(missing=0.05)
    one = ranker.fit_forests(rows, bought, size, seed=3).plain[0]
    half = one.half()
    assert len(half.leaves) == -(-len(one.leaves) // 2) and half.tree.max() < len(half.leaves) <= one.tree.max()
    assert (half.leaves == one.leaves[: len(half.leaves)]).all() and half.base == one.base


def test_a_calibration_rises_and_meets_what_happened() -> None:
    score = np.repeat(np.float32([0, 1, 2]), 100)
    bought = np.concatenate([np.arange(100) < 10, np.arange(100) < 5, np.arange(100) < 50])
    chance = ranker.calibrated(score, bought)(np.float32([0, 1, 2, 9]))
    assert chance.tolist() == pytest.approx([0.075, 0.075, 0.5, 0.5])


def test_what_cannot_be_learnt_from_is_refused() -> None:
    rows, bought, size = drawn()
    with pytest.raises(BadPurchases, match="different lengths"):
        ranker.fit_forests(rows, bought[1:], size, seed=1)
    with pytest.raises(BadPurchases, match="infinite"):
        ranker.fit_forests(np.where(np.isnan(rows), np.inf, rows), bought, size, seed=1)
    with pytest.raises(BadPurchases, match="no size"):
        ranker.fit_forests(rows, bought, size * np.float32(np.nan), seed=1)
    with pytest.raises(ranker.TooLittle):
        ranker.fit_forests(rows, np.zeros(len(rows), np.bool_), size, seed=1)
    with pytest.raises(BadPurchases, match="NaN"):
        ranker.calibrated(np.float32([np.nan]), np.array([True]))


def test_a_part_no_better_than_chance_is_left_out() -> None:
    member, bought = np.repeat(np.arange(40), 12), np.tile(np.arange(12) == 3, 40)
    size, odds = np.ones(len(member), np.float32), np.tile(np.arange(12, 0, -1, dtype=np.float32), 40)
    simple = np.full(len(member), 0.01, np.float32)
    simple[[3, 12 + 5]] = 0.9
    better, same = (ranker.joined(odds, simple, part) for part in (2.0, 0.0))
    assert ranker.gain(member, better, bought, size) > ranker.gain(member, same, bought, size)
    assert ranker.best_part(member, odds, simple, bought, size) == 0
    simple[bought] = 0.9
    assert ranker.best_part(member, odds, simple, bought, size) > 0
