"""The networks beside the forests: inputs by hand, the same answers as scikit-learn's own, kept in the file."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier

from recommend import nextbasket, nextbasket_file, ranker
from recommend.matrix import from_arrays
from recommend.net import Net, fit_net, inputs, quantiles_of
from tests.recommend.test_nextbasket import CUT, answer, lines


def drawn() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(2)
    rows = random.normal(size=(4_000, 3)).astype(np.float32)
    bought = random.random(4_000) < 1 / (1 + np.exp(-3 * np.abs(rows[:, 0])))
    rows[random.random(4_000) < 0.3, 1] = np.nan
    return rows, bought


def test_inputs_are_places_among_the_quantiles_and_flags_by_hand() -> None:
    rows = np.float32([[1, np.nan], [2, np.nan], [3, np.nan], [9, 5]])
    found = inputs(rows, np.float32([1, 2, 3, 5]), np.array([3, 4]))
    assert found[:, 0] == pytest.approx([3.4 * (place - 0.5) for place in (1 / 3, 2 / 3, 1, 1)])
    assert found[:, 1] == pytest.approx([0, 0, 0, 1.7])
    assert found[:, 2:].tolist() == [[0, 1], [0, 1], [0, 1], [0, 0]]


def test_quantiles_of_a_column_never_known_and_of_equal_values_are_one() -> None:
    quantiles, ends = quantiles_of(np.float32([[np.nan, 7], [np.nan, 7]]))
    assert quantiles.tolist() == [0, 7]
    assert ends.tolist() == [1, 2]


def test_numpy_answers_as_scikit_learn_does_and_a_seed_fixes_all(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, bought = drawn()
    kept: list[MLPClassifier] = []
    plain = MLPClassifier.fit
    monkeypatch.setattr(MLPClassifier, "fit", lambda self, *a, **k: kept.append(self) or plain(self, *a, **k))
    weight = np.ones(len(rows), dtype=np.float32)
    one = fit_net(rows, bought, weight, 3, *quantiles_of(rows))
    odds = one.log_odds(rows)
    theirs = kept[0].predict_proba(inputs(rows, one.quantiles, one.ends))[:, 1]
    assert 1 / (1 + np.exp(-odds)) == pytest.approx(theirs, abs=1e-4)
    again = fit_net(rows, bought, weight, 3, *quantiles_of(rows))
    assert all(np.array_equal(getattr(one, of.name), getattr(again, of.name)) for of in fields(Net))
    # what is far from zero on either side was bought more often, which no straight line tells
    assert odds[np.abs(rows[:, 0]) > 1.5].mean() > odds[np.abs(rows[:, 0]) < 0.3].mean() + 0.5


def test_networks_count_for_half_and_join_only_when_they_help() -> None:
    rows, bought = drawn()
    size = np.ones(len(rows), dtype=np.float32)
    forests = ranker.fit_forests(rows, bought, size, 1)
    both = replace(forests, nets=ranker.fit_nets(rows, bought, size, 1))
    nets = np.mean([one.log_odds(rows) for one in both.nets], axis=0)
    assert both.log_odds(rows) == pytest.approx((forests.log_odds(rows) + nets) / 2, abs=1e-4)
    member = np.repeat(np.arange(200), 20)
    right = bought.astype(np.float32)
    assert ranker.better_together(member, -right, right, bought, size * 20)
    assert not ranker.better_together(member, right, -right, bought, size * 20)
    assert not ranker.better_together(member, right, right, bought, size * 20)


@pytest.mark.parametrize("chosen", [True, False])
def test_what_was_chosen_is_kept_in_the_file(chosen: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nextbasket, "better_together", lambda *_: chosen)
    log = from_arrays(*lines(80))
    model = nextbasket.fit(log, CUT)
    assert model.learnt.forests is not None
    assert bool(model.learnt.forests.nets) is chosen
    nextbasket_file.save(model.learnt, tmp_path / "one.npz")
    back = nextbasket.asked_at(nextbasket_file.load(tmp_path / "one.npz"), log, CUT)
    assert answer(back.score()) == answer(model.score())
