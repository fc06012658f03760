"""Coupon choice: what is counted by hand, models with known answers, earlier mailings only, and bad input refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from recommend.coupon_choice import Books, Choice, Models, conditional_logit, fit, learn, lesson, score
from recommend.coupon_features import BadCoupons, Mailing, Past, Receipts, Redemptions, cells
from recommend.evaluating.coupons import ranking
from recommend.evaluating.measures import auc
from recommend.model_file import BadModelFile

TYPES, CUT = np.array([0, 0, 1, 1]), 100
SHOP_MEMBERS, SHOP_ITEMS, MAILINGS, LASTS = 300, 12, 6, 20


def table() -> Receipts:
    """Member 0 bought item 0 twice and item 2 once, member 1 item 1 with a coupon, member 2 nothing before day 100."""
    rows = [
        (72, 0, 0, 300, 0), (86, 0, 0, 500, 0), (90, 0, 2, 200, 0), (95, 1, 1, 400, 100),
        (100, 0, 1, 900, 0), (101, 2, 3, 900, 50),
    ]  # fmt: skip
    day, member, item, amount, saved = (np.array(column) for column in zip(*rows, strict=True))
    return Receipts(member, item, day, amount, saved, members=3, items=4)


def mailing(pools: list[list[int]], items: int, members: Any, start: int = CUT, days: int = 10) -> Mailing:
    row = np.repeat(np.arange(len(pools)), [len(pool) for pool in pools])
    cell = (np.ones(len(row), dtype=np.float32), (row, np.concatenate(pools)))
    products = sparse.csr_matrix(cell, shape=(len(pools), items))
    return Mailing(f"day {start}", start, start + days, np.asarray(members), products)


def shop(seed: int = 4) -> Books:
    """Return a shop where a member likes two of twelve items and redeems only theirs; one in three never does."""
    random = np.random.default_rng(seed)
    liked = np.stack([random.permutation(SHOP_ITEMS)[:2] for _ in range(SHOP_MEMBERS)])
    rows = []
    for member in range(SHOP_MEMBERS):
        for day in np.flatnonzero(random.random(MAILINGS * LASTS) < 0.25).tolist():
            item = int(random.choice(liked[member])) if random.random() < 0.8 else int(random.integers(SHOP_ITEMS))
            rows.append((day, member, item, 500, 100 if member % 3 and random.random() < 0.3 else 0))
    rows.sort()
    days, who, what, amount, saved = (np.array(column) for column in zip(*rows, strict=True))
    receipts = Receipts(who, what, days, amount, saved, SHOP_MEMBERS, SHOP_ITEMS)
    everybody, pools = np.arange(SHOP_MEMBERS), [[item] for item in range(SHOP_ITEMS)]
    mailings = [mailing(pools, SHOP_ITEMS, everybody, LASTS * at + 5, 9) for at in range(MAILINGS)]
    used = [
        (member, at, int(item), LASTS * at + 8)
        for at in range(MAILINGS) for member in range(SHOP_MEMBERS) for item in liked[member]
        if member % 3 and random.random() < 0.3
    ]  # fmt: skip
    redemptions = Redemptions(*(np.array(column) for column in zip(*used, strict=True)))
    return Books(receipts, {"type": np.arange(SHOP_ITEMS) // 3}, mailings, redemptions)


@pytest.fixture(scope="module")
def books() -> Books:
    return shop()


def test_what_is_counted_of_a_member_and_a_coupon_by_hand() -> None:
    past = Past.of(table(), {"type": TYPES}, CUT)
    sent = mailing([[0], [1, 2]], 4, [0, 1, 2])
    facts = past.facts(sent, np.arange(3))
    assert facts["own"].tolist() == [[2, 1], [0, 1], [0, 0]]
    assert facts["spend"].tolist() == [[8, 2], [0, 4], [0, 0]]
    assert facts["coupon_own"].tolist() == [[0, 0], [0, 1], [0, 0]]
    assert facts["products"].tolist() == [[1, 1], [0, 1], [0, 0]]
    assert facts["recency"].tolist() == [[14, 10], [400, 5], [400, 400]]
    assert facts["own_14"][0].tolist() == pytest.approx([0.25 + 0.5, 0.5 ** (10 / 14)])
    # four lines in all: member 0 has 3, item 0 has 2, items 1 and 2 have 2
    assert facts["lift"][0].tolist() == pytest.approx([np.log(2.5 / 2), np.log(1.5 / 2)])
    assert facts["type_breadth"].tolist() == [[2, 3], [1, 1], [0, 0]]
    assert facts["loyalty"][0].tolist() == pytest.approx([2 / 3, 1 / 4])
    # of the second coupon's products, lines 1 and 1 (+0.1 each): half of each type
    assert facts["type_affinity"][0].tolist() == pytest.approx([2, 0.5 * 2 + 0.5 * 1])
    assert facts["coupon_rate"][0].tolist() == pytest.approx([0.5 / 32, 1.5 / 32])
    assert facts["buyers"][0].tolist() == pytest.approx(np.log1p([1, 2]))
    assert facts["size"][0].tolist() == pytest.approx(np.log1p([1, 2]))


def test_cells_are_centred_within_the_member_s_mailing() -> None:
    names, found = cells({"own": np.array([[0.0, 3.0, 1.0]]), "popularity": np.array([[2.0, 4.0, 6.0]])})
    assert names == ["own", "popularity", "rank_own"]
    logs = np.log1p([0, 3, 1])
    assert found[0, :, 0] == pytest.approx(logs - logs.mean())
    assert found[0, :, 1].tolist() == [-2, 0, 2]
    assert found[0, :, 2].tolist() == [-0.5, 0.5, 0]


def test_the_logit_of_two_coupons_is_the_log_of_the_odds() -> None:
    choices = [np.array([[0.0], [1.0]])] * 400
    taken = [np.array([False, True])] * 300 + [np.array([True, False])] * 100
    assert conditional_logit(choices, taken, 1e-6)[0] == pytest.approx(np.log(3), abs=1e-3)
    with pytest.raises(BadCoupons, match="no choices"):
        conditional_logit([], [], 1.0)
    with pytest.raises(BadCoupons, match="NaN"):
        conditional_logit([np.array([[np.nan], [1.0]])], taken[:1], 1.0)
    with pytest.raises(BadCoupons, match="without a redeemed"):
        conditional_logit(choices[:1], [np.array([False, False])], 1.0)


def test_the_measures_by_hand() -> None:
    scores, taken = np.array([[3.0, 2.0, 2.0, 1.0]]), np.array([[True, False, True, False]])
    assert ranking(scores, taken) == [(3.5 / 4, 1.0)]
    wide, hit = np.zeros((1, 20)), np.zeros((1, 20), dtype=np.bool_)
    hit[0, :4] = True
    assert ranking(wide, hit) == [(0.5, 0.5)]
    assert auc(np.array([False, False, True, True]), np.array([0.1, 0.4, 0.4, 0.8])) == 3.5 / 4


def test_liked_coupons_come_first_and_the_chance_to_redeem_comes_true(books: Books) -> None:
    last = books.mailings[-1]
    models = fit(books, last.start)
    found, taken = score(books, last, models), books.redemptions.taken(books.mailings, MAILINGS - 1)
    assert np.mean([one[0] for one in ranking(found.utility, taken)]) > 0.95
    assert auc(np.asarray(taken.any(axis=1)), found.redeems) > 0.75
    assert found.redeems.mean() == pytest.approx(taken.any(axis=1).mean(), abs=0.06)
    chance = found.probabilities()
    assert chance.shape == taken.shape
    assert ((chance >= 0) & (chance <= 1)).all()
    assert chance.sum() == pytest.approx(taken.sum(), rel=0.25)
    names, cell = cells(books.past(last.start).facts(last, np.arange(1)))
    assert 0 < len(models.choice.reasons(names, cell[0, int(found.utility[0].argmax())])) <= 3


def test_only_mailings_that_are_over_teach(books: Books) -> None:
    third = books.mailings[3]
    assert books.ended_before(third.start) == [0, 1, 2]
    assert books.ended_before(third.end) == [0, 1, 2]
    assert books.mailed(third.start).tolist() == [3] * SHOP_MEMBERS
    later = fit(books, third.start + 1)
    with pytest.raises(BadCoupons, match="after the mailing started"):
        score(books, third, later)
    lessons = [lesson(books, which) for which in range(MAILINGS)]
    taught, fitted = learn(lessons, third.start).choice.weights, fit(books, third.start).choice.weights
    assert taught is not None and fitted is not None
    assert np.array_equal(taught, fitted)


def test_changing_the_future_changes_nothing(books: Books) -> None:
    third, random = books.mailings[3], np.random.default_rng(1)
    receipts, used = books.receipts, books.redemptions
    item, amount, member = receipts.item.copy(), receipts.amount.copy(), used.member.copy()
    rows, future = np.flatnonzero(receipts.day >= third.start), np.flatnonzero(used.day >= third.start)
    item[rows], amount[rows] = random.integers(0, SHOP_ITEMS, len(rows)), 1
    member[future] = random.permutation(member[future])
    other = replace(
        books, receipts=replace(receipts, item=item, amount=amount), redemptions=replace(used, member=member)
    )
    one, same = (score(given, third, fit(given, third.start)) for given in (books, other))
    assert np.array_equal(one.utility, same.utility)
    assert np.array_equal(one.redeems, same.redeems)


def test_numbers_of_items_and_the_order_of_coupons_mean_nothing(books: Books) -> None:
    order = np.random.default_rng(2).permutation(SHOP_ITEMS)
    back = np.argsort(order)
    turned = [replace(one, products=one.products[:, back][back]) for one in books.mailings]
    other = Books(
        replace(books.receipts, item=order[books.receipts.item]), {"type": books.levels["type"][back]}, turned,
        replace(books.redemptions, coupon=order[books.redemptions.coupon]),
    )  # fmt: skip
    last = books.mailings[-1]
    one, same = score(books, last, fit(books, last.start)), score(other, turned[-1], fit(other, last.start))
    assert same.utility[:, order] == pytest.approx(one.utility, abs=0.02)
    assert same.redeems == pytest.approx(one.redeems, abs=0.01)


def test_before_anybody_redeemed_own_counts_and_habits_decide(books: Books) -> None:
    first = books.mailings[0]
    models = fit(books, first.start)
    assert models.choice.weights is None and models.response is None
    found, past = score(books, first, models), books.past(first.start)
    own = np.log1p(past.counts["own"].toarray())
    assert found.utility == pytest.approx(own - own.mean(axis=1, keepdims=True), abs=1e-5)
    assert ((found.redeems >= 0) & (found.redeems <= 1)).all()


def test_addressees_are_scored_in_chunks_with_progress(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    last, seen = books.mailings[-1], [0]
    models = fit(books, last.start)
    whole = score(books, last, models)
    monkeypatch.setattr("recommend.coupon_choice.CHUNK", 70)
    parts = score(books, last, models, progress=seen.append)
    assert seen[1:] == [70, 70, 70, 70, 20]
    assert parts.utility == pytest.approx(whole.utility, abs=1e-4)


def test_saved_and_loaded_are_the_same_models(books: Books, tmp_path: Path) -> None:
    last, path = books.mailings[-1], tmp_path / "coupons.npz"
    for cut in (last.start, 0):
        models = fit(books, cut)
        checksum = models.save(path)
        assert path.read_bytes().startswith(checksum.encode())
        one, same = score(books, last, models), score(books, last, Models.load(path))
        assert np.array_equal(one.utility, same.utility)
        assert np.array_equal(one.redeems, same.redeems)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(BadModelFile, match="checksum"):
        Models.load(path)


def test_what_cannot_be_learnt_from_is_refused() -> None:
    good = table()
    with pytest.raises(BadCoupons, match="NaN"):
        replace(good, amount=good.amount.astype(float) * np.nan)
    with pytest.raises(BadCoupons, match="not sorted by day"):
        replace(good, day=good.day[::-1])
    with pytest.raises(BadCoupons, match="lengths"):
        replace(good, item=good.item[1:])
    with pytest.raises(BadCoupons, match="member code out of range"):
        replace(good, members=2)
    with pytest.raises(BadCoupons, match="levels need one code"):
        Past.of(good, {"type": TYPES[1:]}, CUT)
    with pytest.raises(BadCoupons, match="rising and not empty"):
        mailing([[0]], 4, [])
    with pytest.raises(BadCoupons, match="rising and not empty"):
        mailing([[0]], 4, [2, 1])
    with pytest.raises(BadCoupons, match="needs a product"):
        mailing([[0], []], 4, [1])
    with pytest.raises(BadCoupons, match="ends before"):
        mailing([[0]], 4, [1], days=-1)
    with pytest.raises(BadCoupons, match="other features"):
        Choice(["own"], np.ones(1), 30).utilities(["spend"], np.ones((1, 1, 1), np.float32))
