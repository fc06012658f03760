"""Companions, trade-up, slow stock and its audience, worked out by hand on small logs."""

import numpy as np
import pytest
from scipy.stats import false_discovery_control, poisson

from recommend import association, bundle, trade_up
from recommend.association import Pairs
from recommend.matrix import BadPurchases, PurchaseLog, from_arrays
from tests.recommend.till import CUT, FUTURE, LINES, categories, log_of

TOGETHER = [
    # ann: three baskets; bob: two
    ("ann", 1, "cake"), ("ann", 1, "candle"), ("ann", 2, "cake"), ("ann", 2, "candle"), ("ann", 2, "milk"),
    ("ann", 3, "milk"), ("bob", 1, "cake"), ("bob", 1, "milk"), ("bob", 2, "candle"), ("bob", 2, "milk"),
]  # fmt: skip


def log_from(lines: list[tuple[str, int, str]]) -> PurchaseLog:
    return from_arrays(*(np.array(column) for column in zip(*lines, strict=True)))


def market(seed: int = 2, days: int = 60) -> list[tuple[str, int, str]]:
    """Return baskets in which only cake and candle belong together; some members always buy much, some little."""
    random = np.random.default_rng(seed)
    lines = []
    for member in range(30):
        keen = 0.7 if member % 2 else 0.1
        for day in range(days):
            bought = [item for item in ("milk", "bread", "tea", "eggs", "rice") if random.random() < keen]
            if random.random() < 0.2:
                bought += ["cake", "candle"]
            else:
                bought += [item for item in ("cake", "candle") if random.random() < 0.05]
            bought.append("peas" if day < days / 2 else "nuts")
            lines += [(f"m{member:02d}", day, item) for item in bought]
    return lines


def told(pairs: Pairs) -> dict[tuple[str, str], tuple[float, ...]]:
    columns = (pairs.baskets, pairs.support, pairs.lift, pairs.expected, pairs.q)
    names = [
        tuple(sorted((str(pairs.items[a]), str(pairs.items[b])))) for a, b in zip(pairs.left, pairs.right, strict=True)
    ]
    figures = zip(*(np.round(column, 9).tolist() for column in columns), strict=True)
    return {(left, right): of for (left, right), of in zip(names, figures, strict=True)}


def test_what_chance_gives_by_hand() -> None:
    log = log_from(TOGETHER)
    found = association.baskets(log, 9, least=1)
    assert found.owner.tolist() == [0, 0, 0, 1, 1]
    cake, candle, milk = 0, 1, 2
    expected = association.by_chance(found, np.array([cake, cake]), np.array([candle, milk]))
    ann, bob = (2 * 1 + 3 * 2 + 0) / (6**2 - 3 * 2**2), (2 + 2) / (4**2 - 1 - 1 - 2**2)
    assert found.share.tolist() == pytest.approx([ann, bob])
    assert expected.tolist() == pytest.approx([2 * 2 * ann + 1 * 1 * bob, 2 * 2 * ann + 1 * 2 * bob])


def test_support_lift_and_adjusted_p_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(association, "TOGETHER", 1)
    pairs = association.pairs(log_from(TOGETHER), 9, least=1)
    assert pairs.asked == 3 and len(pairs.left) == 3
    assert pairs.baskets.tolist() == [2, 2, 2]
    assert pairs.support.tolist() == pytest.approx([2 / 5] * 3)
    assert pairs.lift.tolist() == pytest.approx([2 * 5 / (3 * 3), 2 * 5 / (3 * 4), 2 * 5 / (3 * 4)])
    assert pairs.q.tolist() == pytest.approx(false_discovery_control(poisson.sf(1, pairs.expected)).tolist())
    assert pairs.beyond.tolist() == pytest.approx(((2 + 2) / (2 + pairs.expected)).tolist())
    companion = pairs.of(1)[0]
    assert (companion.item, companion.confidence) == ("cake", pytest.approx(2 / 3))
    assert companion.explain().startswith("67%的小票同时买")


def test_pairs_never_seen_still_count_as_asked() -> None:
    log = log_from(market())
    pairs = association.pairs(log, 60)
    assert 0 < len(pairs.left) < pairs.asked == 9 * 8 // 2
    p = poisson.sf(pairs.baskets - 1, pairs.expected)
    every = np.concatenate([p, np.ones(pairs.asked - len(p))])
    assert pairs.q.tolist() == pytest.approx(false_discovery_control(every)[: len(p)].tolist())


def test_only_what_belongs_together_is_found_though_big_baskets_lift_everything() -> None:
    pairs = association.pairs(log_from(market()), 60)
    assert set(told(pairs.companions())) == {("cake", "candle")}
    assert pairs.lift[pairs.q > 0.05].max() > 1.2


def test_over_all_pairs_chance_gives_as_many_as_there_are() -> None:
    found = association.baskets(log_from(market()), 60, least=1)
    left, right = np.triu_indices(len(found.items), k=1)
    size = np.asarray(found.holds.sum(axis=1)).ravel()
    assert association.by_chance(found, left, right).sum() == pytest.approx((size * (size - 1)).sum() / 2)


def test_companions_know_neither_the_future_nor_the_names() -> None:
    lines = market()
    now = told(association.pairs(log_from(lines), 60))
    later = [("m00", 60 + day, item) for day in range(40) for item in ("milk", "tea", "caviar")]
    assert told(association.pairs(log_from([*lines, *later]), 60)) == now
    turned = [(f"z{99 - int(who[1:])}", day, item[::-1]) for who, day, item in lines[::-1]]
    other = told(association.pairs(log_from(turned), 60))
    assert {tuple(sorted(name[::-1] for name in pair)): row for pair, row in other.items()} == now


def climbers() -> PurchaseLog:
    """Return members who all drink tea; five of ten went on to fine tea, one to gold tea; milk is another type."""
    price = {"tea": 1000, "fine tea": 1500, "gold tea": 2500, "weak tea": 900, "milk": 1200}
    lines = [(f"m{at:02d}", day, "tea") for at in range(10) for day in (1, 2)]
    lines += [(f"m{at:02d}", 5, "fine tea") for at in range(5)] + [("m00", 9, "gold tea")]
    lines += [(f"m{at:02d}", 4, "weak tea") for at in range(8)] + [(f"m{at:02d}", 6, "milk") for at in range(9)]
    who, when, what = zip(*lines, strict=True)
    return from_arrays(who, when, what, np.ones(len(what), dtype=int), [price[item] for item in what])


TYPES = {"tea": "tea", "fine tea": "tea", "gold tea": "tea", "weak tea": "tea", "milk": "milk"}


def test_trade_up_by_hand() -> None:
    log = climbers()
    offers = trade_up.trade_ups(log, 20, [TYPES[item] for item in log.items.tolist()])
    assert {str(log.members[at]) for at in offers.member} == {f"m{at:02d}" for at in range(5, 10)}
    assert {str(log.items[at]) for at in offers.usual} == {"tea"}
    assert {str(log.items[at]) for at in offers.premium} == {"fine tea"}
    assert set(offers.extra.tolist()) == {500}
    assert set(offers.chance.tolist()) == {5 / 30} and set(offers.share.tolist()) == {0.5}
    assert offers.explain(0) == "常买tea;买它的会员后来有50%也买了fine tea,每件多5.00元"


def test_two_articles_first_bought_on_one_day_are_no_step() -> None:
    log = from_arrays(["ann", "ann", "bob", "bob"], [1, 1, 1, 2], ["tea", "fine tea"] * 2)
    before, after, members = trade_up.steps(trade_up.tried(log, 9, ["tea", "tea"]))
    assert [(str(log.items[a]), str(log.items[b])) for a, b in zip(before, after, strict=True)] == [("tea", "fine tea")]
    assert members.tolist() == [1]


def test_money_and_chance_can_prefer_different_articles() -> None:
    log = climbers()
    types = [TYPES[item] for item in log.items.tolist()]
    log = log.extended(from_arrays(["m01", "m02", "m03", "m04"], [9] * 4, ["gold tea"] * 4, [1] * 4, [2500] * 4))
    dear, sure = (trade_up.trade_ups(log, 20, types, prefer=prefer) for prefer in ("money", "chance"))
    named = [{str(log.items[item]) for item in offers.premium} for offers in (dear, sure)]
    assert named[0] == {"gold tea"}
    assert named[1] <= {"fine tea", "gold tea"} and sure.chance.min() >= dear.chance.max()


def test_trade_up_does_not_know_the_future() -> None:
    log = climbers()
    more = log.extended(
        from_arrays([f"m{at:02d}" for at in range(10)], [21] * 10, ["gold tea"] * 10, [1] * 10, [1] * 10)
    )
    types = [TYPES[item] for item in log.items.tolist()]
    first, second = (trade_up.trade_ups(given, 20, types) for given in (log, more))
    assert (first.premium.tolist(), first.chance.tolist(), first.extra.tolist()) == (
        second.premium.tolist(), second.chance.tolist(), second.extra.tolist(),
    )  # fmt: skip


def test_slow_stock_by_hand() -> None:
    found = bundle.slow_items([0, 50, 3, 2, 9, 1], [4, 4, 1, 4, 0, 0], window=90, cover=120)
    assert [(slow.item, slow.stock, slow.sold, slow.cover) for slow in found] == [
        (4, 9, 0, np.inf), (5, 1, 0, np.inf), (1, 50, 4, 50 * 90 / 4), (2, 3, 1, 3 * 90 / 1),
    ]  # fmt: skip
    assert bundle.slow_items([0, 0], [4, 0], window=90, cover=120) == []
    assert bundle.slow_items([4], [3], window=90, cover=120) == [], "just 120 days is not above it"


@pytest.mark.parametrize(
    ("stock", "sold"), [([1, 2], [1]), ([-1], [1]), ([1], [-1]), ([np.nan], [1]), ([1.5], [1]), ([1], [0.5])]
)
def test_stock_that_makes_no_sense_is_refused(stock: list[float], sold: list[float]) -> None:
    with pytest.raises(BadPurchases, match="stock and sales are needed"):
        bundle.slow_items(stock, sold, window=90, cover=120)


def test_likely_buyers_by_hand() -> None:
    log = log_of(LINES)
    found = bundle.tastes(log, CUT)
    tea = log.items.tolist().index("tea")
    bought = {"ann": {"milk", "bread", "tea"}, "bob": {"own milk", "bread", "milk"}, "cat": {"bread"},
              "dan": {"tea", "fine tea"}, "eve": {"milk"}}  # fmt: skip
    days = {("ann", "milk"): 4, ("bob", "own milk"): 2, ("dan", "tea"): 4, ("eve", "milk"): 4}
    of = {item: {who for who in bought if item in bought[who]} for item in log.items.tolist()}
    raw = []
    for who, goods in bought.items():
        weight = {item: np.log1p(days.get((who, item), 1)) for item in goods}
        near = {item: len(of[item] & of["tea"]) / np.sqrt(len(of[item]) * len(of["tea"])) for item in goods}
        raw.append(sum(near[item] * weight[item] for item in goods) / np.sqrt(1 + sum(weight.values())))
    score = (np.array(raw) - np.mean(raw)) / np.std(raw)
    assert bundle.likely_buyers(found, tea).score.tolist() == pytest.approx(score.tolist())
    assert [str(log.members[at]) for at in bundle.likely_buyers(found, tea).best(2)] == ["dan", "ann"]


def test_an_article_nobody_bought_is_offered_to_buyers_of_its_type() -> None:
    log = log_of([*LINES, ("zoe", 120, "caviar", 1, 1)])
    names = log.items.tolist()
    kin = [names.index("tea"), names.index("fine tea")]
    best = bundle.likely_buyers(bundle.tastes(log, CUT), names.index("caviar"), kin).best(9)
    assert [str(log.members[at]) for at in best] == ["dan", "ann"]


def test_likely_buyers_do_not_know_the_future() -> None:
    now, later = (log_of(lines) for lines in (LINES, [*LINES, *FUTURE]))
    scores = [
        bundle.likely_buyers(bundle.tastes(log, CUT), log.items.tolist().index("tea")).score for log in (now, later)
    ]
    order = [np.argsort(-score[:5]).tolist() for score in scores]
    assert order[0] == order[1]


def test_a_slow_article_is_joined_with_its_companion() -> None:
    log = log_from(market())
    pairs = association.pairs(log, 60).companions()
    candle, cake, milk = (log.items.tolist().index(name) for name in ("candle", "cake", "milk"))
    found = bundle.companion(candle, pairs)
    assert found is not None and found[0] == cake and found[1] > 1.5
    assert bundle.companion(milk, pairs) is None


def test_nothing_before_the_cut_is_refused() -> None:
    log = log_of(LINES)
    for ask in (
        lambda: association.pairs(log, 5),
        lambda: trade_up.trade_ups(log, 5, categories(log)),
        lambda: bundle.tastes(log, 5),
    ):
        with pytest.raises(BadPurchases, match="before day 5"):
            ask()
    with pytest.raises(BadPurchases, match="for each item"):
        trade_up.trade_ups(log, CUT, ["tea"])
