"""Timing as it is served: no peeking, labels mean nothing, any shop, files, and bad input refused."""

import subprocess
import sys
from dataclasses import replace
from datetime import date
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recommend import model_file, timing
from recommend.hazard import EDGES, RIDGES, Hazards, usual_odds
from recommend.matrix import BadPurchases, PurchaseLog, from_arrays
from recommend.model_file import BadModelFile
from recommend.renewal import BgNbd
from recommend.timing import TimingModel, fit
from recommend.timing_features import Events, asked, design, gather
from tests.recommend.clockwork import END, START, UNTIL, fitted, log_of, open_books, rows_of, same, shop

EPOCH = date(1970, 1, 1)


@pytest.fixture
def books() -> PurchaseLog:
    return open_books()


@pytest.fixture
def model() -> TimingModel:
    return fitted()


def test_shuffling_the_future_changes_nothing(books: PurchaseLog, model: TimingModel) -> None:
    past = books.day < UNTIL
    random = np.random.default_rng(1)
    future = np.flatnonzero(~past)
    member, item = books.members[books.member].copy(), books.items[books.item].copy()
    member[future], item[future] = random.permutation(member[future]), random.permutation(item[future])
    shuffled = from_arrays(member, books.day, item)
    again = fit(shuffled, UNTIL)
    assert again.renewal == model.renewal
    assert model.hazards and again.hazards
    for name, values in model.hazards.arrays().items():
        assert np.array_equal(values, again.hazards.arrays()[name]), name
    before = rows_of(model.forecast(books, UNTIL), books)
    assert before == rows_of(model.forecast(shuffled, UNTIL), shuffled)
    known = books.before(UNTIL)
    assert before == rows_of(model.forecast(known, UNTIL), known)


def test_labels_and_the_order_of_members_mean_nothing(books: PurchaseLog, model: TimingModel) -> None:
    renamed = {"coffee": "z", "rice": "a", "sweets": "m", "bread": "b"}
    member = 1000 - books.members[books.member]
    other = from_arrays(member, books.day, np.array([renamed[item] for item in books.items[books.item].tolist()]))
    expected = {
        (str(1000 - int(member)), renamed[item]): values
        for (member, item), values in rows_of(model.forecast(books, UNTIL), books).items()
    }
    assert same(expected, rows_of(timing._learnt(other.before(UNTIL), UNTIL, 7).forecast(other, UNTIL), other))


def test_moving_all_days_by_whole_weeks_changes_only_the_days(books: PurchaseLog, model: TimingModel) -> None:
    later = from_arrays(books.members[books.member], books.day + 700, books.items[books.item])
    found, moved = model.forecast(books, UNTIL), model.forecast(later, UNTIL + 700)
    assert np.array_equal(found.due + 700, moved.due)
    assert np.array_equal(found.windows, moved.windows)


def test_blocks_of_members_give_the_same_forecast(
    books: PurchaseLog, model: TimingModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = rows_of(model.forecast(books, UNTIL), books)
    monkeypatch.setattr(timing, "BLOCK", 7)
    assert same(whole, rows_of(model.forecast(books, UNTIL), books))


def test_one_member_with_the_shop_s_pool_gets_the_shop_s_answer(books: PurchaseLog, model: TimingModel) -> None:
    whole = model.forecast(books, UNTIL)
    alone = books.of([17])
    expected = {pair: values for pair, values in rows_of(whole, books).items() if pair[0] == "17"}
    assert same(expected, rows_of(model.forecast(alone, UNTIL, whole.pool), alone))


def test_a_purchase_cancels_the_reminder(model: TimingModel) -> None:
    rows = [(member, START + 10 * step + member, "coffee") for step in range(23) for member in range(40)]
    log = log_of(*rows)
    found = model.forecast(log, UNTIL)
    assert found.standing(log.before(UNTIL)).all()
    bought = log.before(UNTIL).extended(from_arrays(["x"], [UNTIL], ["coffee"]).of([]))
    assert len(bought) == len(log.before(UNTIL))
    more = log.before(UNTIL + 3)
    again = set(more.since(UNTIL).member.tolist())
    assert 0 < len(again) < len(found)
    assert [not stands for stands in found.standing(more)] == [member in again for member in found.member.tolist()]


def test_the_sentence(model: TimingModel) -> None:
    days = [(date(2016, 12, 8) - EPOCH).days + 28 * step for step in range(4)]
    found = model.forecast(log_of(*((1, day, "capsules") for day in days)), days[-1] + 20)
    assert found.explain(0) == "上次 3 月 2 日,平均 28 天一次"
    assert found.count.tolist() == [4]


def test_a_new_item_is_forecast_from_the_pool_s_middle(books: PurchaseLog, model: TimingModel) -> None:
    pool = model.forecast(books, UNTIL).pool
    assert np.array_equal(pool.of(np.array(["nobody knows it"]))[0], pool.unseen)
    found = model.forecast(log_of(*((1, day, "new") for day in range(UNTIL - 40, UNTIL, 8))), UNTIL, pool)
    assert np.isfinite(found.windows).all()


def test_saved_and_loaded_is_the_same_model(books: PurchaseLog, model: TimingModel, tmp_path: Path) -> None:
    path = tmp_path / "timing.npz"
    checksum = model.save(path)
    assert path.read_bytes().startswith(checksum.encode())
    loaded = TimingModel.load(path)
    assert rows_of(model.forecast(books, UNTIL), books) == rows_of(loaded.forecast(books, UNTIL), books)
    spoilt = bytearray(path.read_bytes())
    spoilt[-40] ^= 1
    path.write_bytes(spoilt)
    with pytest.raises(BadModelFile, match="checksum"):
        TimingModel.load(path)


def test_other_files_are_not_loaded(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", weights=np.ones(3))
    with pytest.raises(BadModelFile, match="checksum"):
        TimingModel.load(tmp_path / "other.npz")
    packed = BytesIO()
    np.savez(packed, allow_pickle=True, kind=np.array("timing 2"), renewal=np.array([{"a": 1}], dtype=object))
    evil = sha256(packed.getvalue()).hexdigest().encode() + b"\n" + packed.getvalue()
    (tmp_path / "evil.npz").write_bytes(evil)
    with pytest.raises(BadModelFile, match="not plain arrays"):
        TimingModel.load(tmp_path / "evil.npz")
    model_file.write(tmp_path / "coupons.npz", "coupons 1", {"renewal": np.ones(4)})
    with pytest.raises(BadModelFile, match="not a timing 3 model"):
        TimingModel.load(tmp_path / "coupons.npz")


def test_answering_does_not_load_sklearn(books: PurchaseLog, model: TimingModel, tmp_path: Path) -> None:
    model.save(tmp_path / "timing.npz")
    program = (
        "import sys; from pathlib import Path; from recommend.timing import TimingModel; "
        "from recommend.matrix import from_arrays; "
        f"model = TimingModel.load(Path({str(tmp_path / 'timing.npz')!r})); "
        "model.forecast(from_arrays([1] * 5, [10, 20, 30, 40, 50], ['a'] * 5), 55); "
        "print('sklearn' in sys.modules, 'scipy' in sys.modules)"
    )
    asked_for = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert asked_for.stdout.split() == ["False", "False"]


def test_empty_and_too_short_histories_are_refused(books: PurchaseLog, model: TimingModel) -> None:
    with pytest.raises(BadPurchases, match="no purchases before day 17000"):
        fit(books, START)
    with pytest.raises(BadPurchases, match="no purchases before day 17000"):
        model.forecast(books, START)
    with pytest.raises(BadPurchases, match="no member bought anything on four days"):
        fit(log_of((1, 1, "a"), (1, 30, "a"), (1, 60, "a")), 100)


def test_missing_unsorted_and_returned_are_refused(books: PurchaseLog) -> None:
    with pytest.raises(BadPurchases, match="NaN"):
        from_arrays([1, 1], [1.0, np.nan], ["a", "a"])
    with pytest.raises(BadPurchases, match="sorted"):
        PurchaseLog(
            member=books.member[::-1], day=books.day, item=books.item, quantity=books.quantity, amount=books.amount,
            members=books.members, items=books.items,
        )  # fmt: skip
    with pytest.raises(BadPurchases, match="returns among"):
        Events.of(from_arrays([1, 1], [1, 2], ["a", "a"], [1, -1]))


def test_a_return_takes_its_purchase_out_of_the_rhythm(model: TimingModel) -> None:
    days = [START + 10 * step for step in range(6)]
    quantity = [1, 1, 1, 1, 1, -1]
    log = from_arrays([1] * 6, days, ["coffee"] * 6, quantity)
    found = model.forecast(log, days[-1] + 5)
    assert found.count.tolist() == [4]
    assert found.last.tolist() == [days[3]]


def test_hazards_refuse_what_is_not_finite(books: PurchaseLog) -> None:
    columns = np.ones((100, 3), np.float32)
    columns[5, 1] = np.nan
    with pytest.raises(BadPurchases, match="NaN"):
        Hazards.fit(columns, np.zeros((100, 6), np.float32), np.zeros(100), np.full(100, 200))
    good: dict[str, Any] = {
        "edges": np.arange(3),
        "weights": np.ones((2, 4)),
        "offset": np.ones(2),
        "usual": np.ones(2),
        "centre": np.ones(4),
    }
    with pytest.raises(BadPurchases, match="finite"):
        Hazards(**good, scale=np.array([1, np.inf, 1, 1], np.float32))
    with pytest.raises(BadPurchases, match="shapes"):
        Hazards(**good | {"offset": np.ones(3)}, scale=np.ones(4, np.float32))
    with pytest.raises(BadPurchases, match="shapes"):
        Hazards(**good | {"usual": np.ones(1)}, scale=np.ones(4, np.float32))


def test_the_odds_of_a_span_by_hand() -> None:
    # a tenth ends on the first day, then half of what is left in each span that follows
    lasts = np.array([1.0] + [0.9 / 2 ** np.searchsorted(EDGES[2:], day, "right") for day in range(1, EDGES[-1] + 1)])
    found = usual_odds(lasts[None, :])
    assert found[0] == pytest.approx([np.log(1 / 9), 0, 0, 0, 0, 0], abs=1e-6)


def test_hazards_drawn_to_zero_are_the_renewal_they_are_given() -> None:
    random = np.random.default_rng(8)
    truth = random.normal(-0.5, 1, (8000, 1)).astype(np.float32)
    wait = np.full(8000, 400)
    for span in range(len(EDGES) - 2, -1, -1):
        ends = random.random(8000) < 1 / (1 + np.exp(-truth[:, 0]))
        wait[ends] = EDGES[span]
    columns, usual = random.normal(size=(8000, 5)).astype(np.float32), np.repeat(truth, len(EDGES) - 1, axis=1)
    found = Hazards.fit(columns, usual, wait, np.full(8000, 200), ridge=RIDGES[-1])
    assert found.usual[0] == pytest.approx(1, abs=0.1) and found.offset[0] == pytest.approx(0, abs=0.1)
    assert np.abs(found.weights).max() < 0.05


def test_a_small_shop_without_rhythm_stays_near_renewal_and_one_with_rhythm_does_not() -> None:
    random = np.random.default_rng(8)
    rows: dict[bool, list[tuple[int, int, str]]] = {True: [], False: []}
    for member in range(60):
        for rhythm in (True, False):
            for item in "ab":
                pace = int(random.integers(6, 30))
                day = int(random.integers(pace))
                while day < 300:
                    rows[rhythm].append((member, day, item))
                    day += pace if rhythm else 1 + int(random.exponential(pace))
    ridges = {rhythm: timing._ridge(log_of(*some), 300, 7) for rhythm, some in rows.items()}
    assert ridges[True] == RIDGES[0]
    assert ridges[False] is None or ridges[False] > RIDGES[0]


def test_a_short_history_has_a_short_horizon() -> None:
    log = shop(members=40).before(START + 80)
    found = timing._learnt(log, START + 80, 7)
    assert found.hazards
    assert 2 <= len(found.hazards.weights) < len(EDGES) - 1
    assert found.forecast(log, START + 80).due.max() < START + 80 + found.hazards.edges[-1]


def test_the_columns_are_finite_for_every_asked_pair(books: PurchaseLog) -> None:
    events = Events.of(books)
    for day in (START + 35, UNTIL, END + 400):
        ask = asked(events, day)
        table, _ = gather(events, ask)
        assert np.isfinite(design(table, np.arange(len(ask)))).all()


def test_a_shop_with_little_to_learn_from_is_forecast_by_renewal(tmp_path: Path) -> None:
    few = log_of(*((1, day, "a") for day in range(0, 100, 9)))
    found = fit(few, 100)
    assert found.hazards is None
    answer = found.forecast(few, 100)
    assert 0 < answer.confidence[0] < 1
    assert answer.explain(0).endswith("平均 9 天一次")
    found.save(tmp_path / "plain.npz")
    assert TimingModel.load(tmp_path / "plain.npz") == found


def test_numbers_of_baskets_are_counted_from_each_member_s_last() -> None:
    rows = [(1, basket, "milk") for basket in (0, 2, 4, 6)] + [(1, basket, "bread") for basket in range(8)]
    more = [(2, basket, "milk") for basket in range(14, 30, 2)] + [(2, basket, "bread") for basket in range(30)]
    log = log_of(*rows, *more)
    found = TimingModel(None, BgNbd(2, 8, 0.5, 10)).forecast(log, 100)
    assert found.by_basket
    milk = int(np.flatnonzero(log.items[found.item] == "milk")[0])
    assert found.explain(milk) == "上次在 2 单之前,平均 2 单一次"
    assert found.last.tolist() == [99, 98, 99, 98]
    with pytest.raises(BadPurchases, match="baskets have no dates"):
        found.standing(log)


@pytest.mark.parametrize("by_basket", [False, True])
def test_any_shop_is_forecast_without_settings(books: PurchaseLog, by_basket: bool) -> None:
    few = books.of(books.members[:30])
    if by_basket:
        same = few.member[1:] == few.member[:-1]
        step = np.r_[0, (few.day[1:] != few.day[:-1]) & same]
        basket = np.cumsum(step)
        first = np.r_[True, ~same]
        few = replace(few, day=basket - np.repeat(basket[first], np.bincount(few.member)[:30]))
    found = fit(few, int(few.day.max()) + 1).forecast(few, int(few.day.max()) + 1)
    assert found.by_basket == by_basket
    assert len(found)
    assert np.isfinite(found.windows).all()
    assert ((found.windows >= 0) & (found.windows <= 1)).all()
