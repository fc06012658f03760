"""The protocol of evaluation on tables small enough to check by hand; nothing after the target changes anything."""

from typing import Any

import numpy as np
import pytest

from recommend.evaluating import intervals, next_basket, scorers, timing
from recommend.evaluating.cases import Case, case_of
from recommend.evaluating.cost import Meter
from recommend.evaluating.measures import auc, best, quality, within
from recommend.evaluating.shop import Shop
from recommend.matrix import BadPurchases, PurchaseLog, from_arrays
from recommend.timing_features import NEVER, Asked

LINES = [
    # member, day, item; cut at 10
    ("ann", 1, "milk"), ("ann", 1, "bread"), ("ann", 2, "milk"), ("ann", 10, "milk"), ("ann", 10, "tea"),
    ("ann", 11, "bread"), ("bob", 1, "bread"), ("bob", 12, "tea"), ("bob", 20, "milk"), ("cat", 11, "milk"),
    ("dan", 3, "tea"),
]  # fmt: skip
BREAD, MILK, TEA = range(3)
SECOND = 1 / np.log2(3)
PERSONAL = scorers.SIMPLE["personal top"]


def log_of(lines: list[tuple[Any, int, Any]]) -> PurchaseLog:
    return from_arrays(*(np.array(column) for column in zip(*lines, strict=True)))


def rows(log: PurchaseLog) -> list[tuple[Any, int, Any]]:
    columns = (log.members[log.member], log.day, log.items[log.item])
    return list(zip(*(column.tolist() for column in columns), strict=True))


def grocery(members: int = 40, days: int = 120, seed: int = 4) -> PurchaseLog:
    """A shop where each member comes every five days for some of four favourites and one thing by chance."""
    random, lines = np.random.default_rng(seed), []
    for member in range(members):
        favourites = random.permutation(12)[:4]
        for day in range(member % 5, days, 5):
            lines += [(member, day, int(item)) for item in random.permutation(favourites)[:2]]
            lines.append((member, day, int(random.integers(12))))
    return log_of(lines)


def test_the_target_is_the_first_day_after_the_cut_of_who_has_a_history() -> None:
    of = Case(log_of(LINES), 10)
    assert rows(of.target) == [("ann", 10, "milk"), ("ann", 10, "tea"), ("bob", 12, "tea")]
    assert rows(of.unknown) == [("ann", 10, "tea"), ("bob", 12, "tea")]
    assert of.log.members[of.asked].tolist() == ["ann", "bob"]


def test_recall_and_ndcg_by_hand() -> None:
    of = Case(log_of(LINES), 10)
    found = quality(np.array([[MILK, BREAD, TEA], [BREAD, MILK, -1]]), np.array([[TEA, -1], [MILK, TEA]]), of)
    assert found.recall.tolist() == [1.0, 0.0]
    assert found.ndcg == pytest.approx([(1 + 0.5) / (1 + SECOND), 0])
    assert found.new_in_ten.tolist() == [1.0, 0.0]
    assert found.new_of_ten.tolist() == [1.0, 1.0]
    assert found.mean("recall") == 0.5
    only_tea = within(np.array([[TEA], [TEA]]), of.asked, of.target)
    assert only_tea[0].tolist() == [0.5, 1.0] and only_tea[1] == pytest.approx([1 / (1 + SECOND), 1])


def test_who_has_nothing_to_find_has_no_figure() -> None:
    of = Case(log_of([("ann", 1, "milk"), ("ann", 9, "milk"), ("bob", 1, "milk"), ("bob", 9, "tea")]), 9)
    found = quality(np.array([[0], [0]]), np.array([[1], [1]]), of)
    assert np.isnan(found.new_in_ten[0]) and found.mean("new_of_ten") == 1.0


def test_dates_are_cut_before_the_last_weeks_and_rare_items_dropped() -> None:
    lines = [(who, day, "milk") for who in range(4) for day in (1, 8, 15, 60)] + [(0, 2, "rare"), (0, 61, "rare")]
    of = case_of(log_of(lines), weeks=2, order_only=False)
    assert (of.cut, of.order_only, of.log.items.tolist()) == (48, False, ["milk"])
    assert {day for _, day, _ in rows(of.target)} == {60}
    fixed = case_of(log_of(lines), cut=20, order_only=False)
    assert (fixed.cut, len(fixed.past)) == (20, 12)


def test_in_an_order_only_log_the_last_basket_of_each_is_the_target() -> None:
    lines = [(who, basket, "milk") for who in range(9) for basket in range(1, 3 + who % 3)]
    lines += [(9, 1, "milk"), (3, 2, "tea"), *[(who, 1, "tea") for who in range(9)], (8, 2, "tea")]
    of = case_of(log_of(lines))
    assert of.order_only and of.log.members[of.asked].tolist() == list(range(9))
    assert set(of.target.day.tolist()) == {-1} and of.past.day.max() == -2
    last = {who: max(basket for one, basket, _ in lines if one == who) for who in range(9)}
    wanted = {(who, item) for who, basket, item in lines if who < 9 and basket == last[who]}
    assert {(who, item) for who, _, item in rows(of.target)} == wanted
    earlier = of.earlier()
    assert {(who, item) for who, _, item in rows(earlier.target)} == {
        (who, item) for who, basket, item in lines if who < 9 and last[who] > 2 and basket == last[who] - 1
    }


def test_nothing_to_ask_is_said() -> None:
    with pytest.raises(BadPurchases, match="10 baskets"):
        case_of(log_of(LINES), order_only=False, weeks=1)
    with pytest.raises(BadPurchases, match="nobody"):
        case_of(log_of([(who, 1, "milk") for who in range(12)] + [(99, 80, "milk")]), order_only=False)


def dealt(log: PurchaseLog, item: np.ndarray) -> PurchaseLog:
    """Return the log with other items (codes) in its rows."""
    return from_arrays(log.members[log.member], log.day, log.items[item], log.quantity)


def later_shuffled(of: Case, after: np.ndarray) -> Case:
    """Return the case with the items of rows after each member's day given dealt anew."""
    log = of.log
    rest = log.day > after[log.member]
    item = log.item.copy()
    item[rest] = np.random.default_rng(8).permutation(item[rest])
    return Case(dealt(log, item), of.cut, of.parents, of.span)


def test_nothing_after_the_cut_reaches_a_list_and_nothing_after_the_target_a_figure() -> None:
    of = case_of(grocery(16, 70), weeks=4, order_only=False)
    target = np.full(len(of.log.members), of.cut - 1)
    changed = later_shuffled(of, target)
    assert rows(changed.past) == rows(of.past) and rows(changed.target) != rows(of.target)
    target[of.target.member] = of.target.day
    beyond = later_shuffled(of, target)
    assert rows(beyond.log) != rows(of.log)
    for other in (changed, beyond):
        for fit in scorers.SIMPLE.values():
            one, two = (next_basket.by_scores(case, fit) for case in (of, other))
            assert (one.items == two.items).all() and (one.fresh == two.fresh).all()
    one, two = (next_basket.by_memberbot(case) for case in (of, changed))
    assert (one.items == two.items).all() and (one.fresh == two.fresh).all()
    same = quality(one.items, one.fresh, beyond)
    assert same.recall.tolist() == quality(one.items, one.fresh, of).recall.tolist()


def test_the_product_stands_against_the_best_rival_in_each_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    of = case_of(grocery(), weeks=4, order_only=False)
    monkeypatch.setattr(next_basket, "by_memberbot", lambda of: next_basket.by_scores(of, PERSONAL))
    found = list(next_basket.rows(of, dict(scorers.SIMPLE) | {"absent": absent}))
    assert [row.method for row in found] == ["memberbot", *scorers.SIMPLE]
    for one in next_basket.standings(found):
        assert one.other == max(row.quality.mean(one.measure) for row in found[1:])
        assert one.low <= one.own - one.other <= one.high
        assert one.gain == pytest.approx(one.own / one.other - 1)
    assert found[1].plain()["recall"] == found[1].quality.mean("recall")


def absent(of: Case) -> scorers.Scorer:
    raise ImportError("a package that isn't there")


def test_the_simple_scores_by_hand() -> None:
    of = Case(log_of(LINES), 10)
    baskets = scorers.Baskets(of.past, of.cut)
    ann, bob = (int(np.flatnonzero(of.log.members == who)[0]) for who in ("ann", "bob"))
    assert scorers.global_top(baskets)(np.array([ann]))[0].tolist() == [2, 2, 1]
    own = scorers.personal(baskets, half_life=1.0, in_baskets=True)(np.array([ann, bob]))
    assert own == pytest.approx(np.array([[0.5, 1.5, 0], [1, 0, 0]]), abs=2e-4)
    days = scorers.personal(baskets, half_life=9.0)(np.array([bob]))
    assert days[0, BREAD] == pytest.approx(0.5, abs=2e-4)
    assert best(np.array([[0.5, -np.inf, 0.7, 0.5]])).tolist() == [[2, 0, 3, -1]]


def test_intervals_by_hand() -> None:
    assert intervals.of_means([0.5, 0.7], [0.2, 0.4]) == pytest.approx((0.3, 0.3))
    assert intervals.of_means([1, 0, np.nan], [0, 0, 5]) == (0, 1)
    same = (np.array([3, 1]), np.array([4, 4]))
    assert intervals.of_ratios(same, same) == (0, 0)
    assert intervals.of_ratios(([1, 1], [1, 1]), ([0, 0], [1, 1])) == (1, 1)
    assert intervals.of_clusters([1, 1, 0], ["ann", "ann", "bob"]) == (0, 1)
    low, high = intervals.of_means(np.r_[np.ones(500), np.zeros(500)], np.zeros(1000))
    assert (low, high) == pytest.approx((0.5 - 1.96 * 0.0158, 0.5 + 1.96 * 0.0158), abs=0.004)
    true = np.array([False, True] * 40)
    assert intervals.of_figure(true, true.astype(float), auc, draws=50) == (1, 1)


def test_a_reminder_hits_when_the_next_purchase_is_one_to_seven_days_after_it() -> None:
    wait = np.array([0, 1, 7, 8, NEVER])
    nothing = np.zeros(5, dtype=int)
    unused: Any = None
    week = timing.Round(0, unused, unused, Asked(0, nothing, nothing, nothing, wait), nothing)
    assert timing.hits(week, timing.Answer(nothing, nothing, nothing)).tolist() == [False, True, True, False, False]
    assert timing.hits(week, timing.Answer(nothing, nothing + 1, nothing)).tolist() == [
        False, False, True, True, False,
    ]  # fmt: skip


def test_a_tenth_is_sent_the_strongest_first_and_every_reminder_counts_for_its_member() -> None:
    log = grocery(80)
    weeks = timing.rounds(log, timing.cut_of(log))
    assert timing.cut_of(log) == 120 - 28 - 8 and [week.cut for week in weeks] == [84, 91, 98, 105]
    answers = [
        timing.Answer((week.ask.wait == 3) + 0.0, np.zeros(len(week.ask), dtype=int), week.ask.wait) for week in weeks
    ]
    sent = timing.play(weeks, answers)
    assert sent["all"].sent.sum() == sum(int(len(week.ask) / 10) for week in weeks)
    assert sent["all"].rate == 1.0, "three days from now is within the week"
    assert timing.error(weeks, answers, 120) == 0
    slow = [week.group("slow") for week in weeks]
    assert all((week.median[rows] >= 14).all() for week, rows in zip(weeks, slow, strict=True))


def test_reminders_are_the_same_whatever_comes_after_the_first_week() -> None:
    log = grocery(80)
    cut = timing.cut_of(log)
    found = timing.evaluate(log, cut)
    random, rest = np.random.default_rng(3), log.day >= cut
    item = log.item.copy()
    item[rest] = random.permutation(item[rest])
    other = timing.evaluate(dealt(log, item), cut)
    assert found.own[0].score.tolist() == other.own[0].score.tolist()
    assert found.own[0].offset.tolist() == other.own[0].offset.tolist()
    assert [row.method for row in found.rows] == [timing.CONTROL, timing.OWN] and found.rows[0].against == {}
    assert found.reliability.base == pytest.approx(0.25, abs=0.25) and sum(b[2] for b in found.reliability.bins) == sum(
        found.pairs
    )
    with pytest.raises(BadPurchases, match="too few pairs"):
        timing.evaluate(log_of(LINES), 10)


def test_levels_know_their_parents() -> None:
    log = log_of(LINES)
    shop = Shop(log, np.array(["rolls", "", "hot"]), np.array(["food", "drink", "drink"]), not_timed=("food",))
    assert shop.levels == ("product", "type", "category")
    types, parents = shop.at("type")
    assert types.items.tolist() == ["hot", "rolls"] and parents[0].tolist() == ["drink", "food"]
    assert [len(shop.at(level)[1]) for level in shop.levels] == [2, 1, 0]
    timed, level = shop.timed()
    assert (level, timed.items.tolist()) == ("category", ["drink"])
    assert Shop(log).levels == ("product",) and Shop(log).timed()[1] == "product"


def test_a_cost_is_time_and_memory() -> None:
    meter = Meter()
    found, seconds = meter.timed(sum, range(1000))
    cost = meter.cost(seconds, 0.5, 100)
    assert (found, cost.member_ms) == (499500, 5.0)
    assert cost.fit_seconds >= 0 and (cost.peak_mib is None or cost.peak_mib > 1)
