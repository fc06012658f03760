"""RFM, value deciles and life cycle, worked out by hand on the till roll."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from recommend import life_cycle, rfm, value
from recommend.life_cycle import Rhythm, Stage
from recommend.matrix import BadPurchases, PurchaseLog
from recommend.rfm import BadScheme, RfmScheme
from recommend.rules import RfmRules
from recommend.visits import visits
from tests.recommend.till import CUT, FUTURE, LINES, log_of, renamed

SCHEME = RfmScheme(recency=(10, 30, 60), frequency=(2, 4), monetary=(1000, 4000))
Told = dict[str, tuple[object, ...]]


def told_rfm(log: PurchaseLog) -> Told:
    found = rfm.rfm(log, CUT, SCHEME)
    columns = (found.days, found.visits, found.amount, found.recency, found.frequency, found.monetary)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return {
        name: (*row, found.segment(at)) for at, (name, row) in enumerate(zip(found.members.tolist(), rows, strict=True))
    }


def told_value(log: PurchaseLog) -> Told:
    found = value.value(log, CUT)
    return dict(
        zip(found.members.tolist(), zip(found.amount.tolist(), found.decile.tolist(), strict=True), strict=True)
    )


def told_life(log: PurchaseLog) -> Told:
    found = life_cycle.life_cycle(log, CUT, life_cycle.fit(log, CUT))
    return {
        name: (float(found.rhythm[at]), int(found.silence[at]), found.stage_of(at))
        for at, name in enumerate(found.members.tolist())
    }


TOLD = (told_rfm, told_value, told_life)


def test_recency_frequency_and_monetary_by_hand() -> None:
    assert told_rfm(log_of(LINES)) == {
        "ann": (50, 5, 4500, 2, 3, 3, "重要保持客户"),
        "bob": (25, 3, 2600, 3, 2, 2, "一般发展客户"),
        "cat": (12, 1, 500, 3, 1, 1, "一般发展客户"),
        "dan": (67, 5, 13000, 1, 3, 3, "重要保持客户"),
        "eve": (2, 4, 1600, 4, 3, 2, "一般价值客户"),
    }
    told = rfm.rfm(log_of(LINES), CUT, SCHEME).explain(0)
    assert told == "重要保持客户(233):50天前来过,共5次,45.00元"


def test_frequency_and_money_are_those_of_the_window_recency_is_not() -> None:
    narrow = RfmScheme(SCHEME.recency, SCHEME.frequency, SCHEME.monetary, window=40)
    found = rfm.rfm(log_of(LINES), CUT, narrow)
    assert found.days.tolist() == [50, 25, 12, 67, 2]
    assert found.visits.tolist() == [0, 1, 1, 0, 4]
    assert found.amount.tolist() == [0, 400, 500, 0, 1600]


def test_an_edge_belongs_to_the_better_score() -> None:
    found = rfm.rfm(log_of(LINES), CUT, RfmScheme((2, 12, 50), (3, 5), (2600, 13000)))
    assert found.recency.tolist() == [2, 2, 3, 1, 4]
    assert found.frequency.tolist() == [3, 2, 1, 3, 2]
    assert found.monetary.tolist() == [2, 2, 1, 3, 1]


def test_quantiles_by_hand() -> None:
    scheme = rfm.quantile_scheme(log_of(LINES), CUT)
    assert (scheme.recency, scheme.frequency, scheme.monetary) == (
        (2, 12, 25, 50),
        (3, 4, 5),
        (1600, 2600, 4500, 13000),
    )
    assert sorted(rfm.rfm(log_of(LINES), CUT, scheme).monetary.tolist()) == [1, 2, 3, 4, 5]


def test_members_who_are_all_alike_share_one_score() -> None:
    alike = log_of([(name, 90, "milk", 1, 400) for name in ("ann", "bob", "cat")])
    found = rfm.rfm(alike, CUT, rfm.quantile_scheme(alike, CUT))
    assert {len(set(score.tolist())) for score in (found.recency, found.frequency, found.monetary)} == {1}


def test_where_all_came_last_on_one_day_the_window_tells_whether_that_is_lately() -> None:
    for cut, recent in ((CUT, True), (CUT + 400, False)):
        alike = log_of([(name, 90, "milk", 1, 400) for name in ("ann", "bob", "cat")])
        assert set(rfm.rfm(alike, cut, rfm.quantile_scheme(alike, cut)).high[:, 0].tolist()) == {recent}


def test_who_spends_nothing_is_in_the_last_decile() -> None:
    assert value.deciles(np.array([0, 0, 0, 500, 200])).tolist() == [10, 10, 10, 1, 3]
    assert value.deciles(np.zeros(12, dtype=np.int64)).tolist() == [10] * 12


def test_a_version_changes_with_any_edge_and_only_then() -> None:
    same = RfmScheme((10, 30, 60), (2, 4), (1000, 4000))
    others = [
        RfmScheme((10, 30, 61), (2, 4), (1000, 4000)),
        RfmScheme((10, 30, 60), (2, 5), (1000, 4000)),
        RfmScheme((10, 30, 60), (2, 4), (1000, 4001)),
        RfmScheme((10, 30, 60), (2, 4), (1000, 4000), window=180),
    ]
    assert same.version == SCHEME.version == rfm.rfm(log_of(LINES), CUT, SCHEME).version
    assert len({scheme.version for scheme in (same, *others)}) == 5


@pytest.mark.parametrize("edges", [(), (3, 3), (5, 2)])
def test_edges_that_do_not_rise_are_refused(edges: tuple[int, ...]) -> None:
    with pytest.raises(BadScheme, match="frequency needs rising edges"):
        RfmScheme((10,), edges, (100,))


@pytest.mark.parametrize("name", ["recency", "frequency", "monetary"])
def test_a_shop_writes_no_edge_below_zero(name: str) -> None:
    edges = {"recency": [0, 30], "frequency": [0, 4], "monetary": [0, 100]}
    assert RfmRules.model_validate(edges).window_days == 365
    with pytest.raises(ValidationError, match="每一档都不能是负数"):
        RfmRules.model_validate(edges | {name: [-1, 30]})


def test_deciles_and_concentration_by_hand() -> None:
    assert told_value(log_of(LINES)) == {
        "ann": (4500, 3), "bob": (2600, 5), "cat": (500, 9), "dan": (13000, 1), "eve": (1600, 7),
    }  # fmt: skip
    report = value.concentration(value.value(log_of(LINES), CUT))
    assert report.top_fifth == pytest.approx(13000 / 22200)
    assert report.gini == pytest.approx(189000 / 111000 - 1.2)
    assert report.members_for_80 == pytest.approx(0.6)
    assert [(row.members, row.amount, row.level) for row in report.rows[:3]] == [
        (1, 13000, "重点服务"), (0, 0, "重点服务"), (1, 4500, "常规服务"),
    ]  # fmt: skip
    assert report.rows[-1].cumulative == pytest.approx(1)
    assert report.explain() == "前20%的会员贡献59%的销售额;60%的会员贡献80%"


def test_equal_spending_is_not_concentrated() -> None:
    alike = np.full(20, 700)
    assert value.gini(alike) == pytest.approx(0)
    assert value.top_share(alike, 0.25) == pytest.approx(0.25)
    assert set(value.deciles(alike).tolist()) == {1}


@pytest.mark.parametrize(
    ("amount", "why"),
    [
        (np.array([], dtype=np.int64), "no members"),
        (np.array([1, -1]), "negative"),
        (np.array([1.0, np.nan]), "whole 分"),
    ],
)
def test_amounts_that_are_none_are_refused(amount: np.ndarray, why: str) -> None:
    for figure in (value.deciles, value.gini, lambda given: value.top_share(given, 0.2)):
        with pytest.raises(BadPurchases, match=why):
            figure(amount)


LINE = Rhythm(8.5, silence=(0.0, 10.0), chance=(1.0, 0.0))


def test_life_cycle_by_hand() -> None:
    found = life_cycle.life_cycle(log_of(LINES), CUT, LINE)
    assert found.rhythm.tolist() == pytest.approx([(17 + 40) / 6, (17 + 60) / 4, 8.5, (17 + 28) / 6, (17 + 6) / 5])
    assert found.silence.tolist() == [50, 25, 12, 67, 2]
    silences = (50 / 9.5, 25 / 19.25, 12 / 8.5, 67 / 7.5, 2 / 4.6)
    assert found.chance.tolist() == pytest.approx([1 - silence / 10 for silence in silences])
    assert [found.stage_of(row) for row in range(5)] == [
        Stage.DORMANT, Stage.ACTIVE, Stage.NEW, Stage.LOST, Stage.ACTIVE,
    ]  # fmt: skip
    assert found.explain(3) == "流失:通常8天来一次,已67天没来"


def test_who_is_new_can_slow_too() -> None:
    found = life_cycle.life_cycle(log_of(LINES), CUT, Rhythm(8.5, (0.0, 2.0), (1.0, 0.4)))
    assert [found.stage_of(row) for row in range(5)] == [
        Stage.DORMANT, Stage.SLOWING, Stage.SLOWING, Stage.DORMANT, Stage.ACTIVE,
    ]  # fmt: skip


def test_the_typical_gap_is_the_median_of_members_mean_gaps() -> None:
    assert life_cycle.fit(log_of(LINES), CUT).gap == 8.5


def test_the_same_silence_means_more_for_who_comes_more_often() -> None:
    weekly = [("ann", day, "milk", 1, 1) for day in range(2, 80, 7)]
    monthly = [("bob", day, "milk", 1, 1) for day in range(-260, 80, 30)]
    found = life_cycle.life_cycle(log_of([*weekly, *monthly]), CUT + 5, LINE)
    assert [found.stage_of(row) for row in range(2)] == [Stage.SLOWING, Stage.ACTIVE]
    assert found.silence.tolist() == [26, 35]


def test_the_chance_to_come_back_is_learnt_from_who_did() -> None:
    stay = [(f"stay{at}", day, "milk", 1, 1) for at in range(40) for day in range(at % 7, 300, 7)]
    leave = [(f"leave{at}", day, "milk", 1, 1) for at in range(40) for day in range(at % 7, 100, 7)]
    shop = life_cycle.fit(log_of([*stay, *leave]), 300)
    chance = shop.chance_at(np.array([0.5, 5.0, 20.0]))
    assert chance[0] > 0.9 and chance[1] < 0.2 and chance[2] < 0.1
    assert (np.diff(shop.chance) <= 0).all() and (np.diff(shop.silence) > 0).all()


def test_a_landmark_counts_only_once_its_horizon_is_over() -> None:
    two = log_of(
        [("ann", day, "milk", 1, 1) for day in (0, 10, 20, 30)] + [("bob", day, "milk", 1, 1) for day in (0, 10)]
    )
    silence, came = life_cycle._landmarks(visits(two, 130), typical=10.0)
    ann = [(1.0, True), (1.0, True), (1.0, True), *((float(gap), False) for gap in range(1, 7))]
    bob = [(1.0, True), *((float(gap), False) for gap in range(1, 9))]
    assert sorted(zip(silence.tolist(), came.tolist(), strict=True)) == sorted(ann + bob)


@pytest.mark.parametrize("tell", TOLD)
def test_the_future_changes_nothing(tell: Callable[[PurchaseLog], Told]) -> None:
    assert tell(log_of([*LINES, *FUTURE])) == tell(log_of(LINES))


@pytest.mark.parametrize("tell", TOLD)
def test_other_names_and_another_order_change_only_the_names(tell: Callable[[PurchaseLog], Told]) -> None:
    other, names = renamed(LINES[::-1])
    told = tell(log_of(other))
    assert {name: told[names[name]] for name in ("ann", "bob", "cat", "dan", "eve")} == tell(log_of(LINES))


@pytest.mark.parametrize(
    "ask",
    [
        lambda log: rfm.rfm(log, 5, SCHEME),
        lambda log: rfm.quantile_scheme(log, 5),
        lambda log: value.value(log, 5),
        lambda log: life_cycle.fit(log, 5),
        lambda log: life_cycle.life_cycle(log, 5, LINE),
    ],
)
def test_nobody_before_the_cut_is_refused(ask: Callable[[PurchaseLog], object]) -> None:
    with pytest.raises(BadPurchases, match="before day 5"):
        ask(log_of(LINES))


def test_a_shop_where_nobody_came_twice_has_no_rhythm() -> None:
    with pytest.raises(BadPurchases, match="no member came twice"):
        life_cycle.fit(log_of(LINES), 12)


@pytest.mark.parametrize("column", [1, 3, 4])
def test_lines_with_nan_never_become_a_log(column: int) -> None:
    broken: Any = [list(line) for line in LINES]
    broken[3][column] = float("nan")
    with pytest.raises(BadPurchases, match="NaN"):
        log_of(broken)


def test_returns_count_from_their_own_day_on() -> None:
    back = [*LINES, ("dan", 99, "fine tea", -1, -5000)]
    assert told_rfm(log_of(back))["dan"][:3] == (74, 4, 8000)
    assert rfm.rfm(log_of(back), 99, SCHEME).amount[3] == 13000
