"""Timing: formulas on tables checked by hand, no peeking, labels mean nothing, bad input is refused."""

import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from recommend import timing
from recommend.hazard import EDGES, Hazards, middle, survival
from recommend.matrix import BadPurchases, PurchaseLog, from_arrays
from recommend.timing import Forecast, TimingModel, fit, windows_of
from recommend.timing_features import NEVER, Events, asked, design, gather, in_trips, member_rhythm, own_rhythm
from recommend.timing_features import windows as counted

EPOCH = date(1970, 1, 1)
START, UNTIL, END = 17_000, 17_200, 17_240
MILK, SOAP = [100, 110, 122, 130, 145], [100, 145, 150]


def log_of(*rows: tuple[int, int, str]) -> PurchaseLog:
    """Return a log of (member, day, item), one piece each."""
    member, day, item = zip(*rows, strict=True)
    return from_arrays(np.array(member), np.array(day), np.array(item))


def by_hand() -> PurchaseLog:
    """One member: milk on five days with gaps 10, 12, 8, 15; soap on three; and a trip for bread on day 147."""
    return log_of(*((1, day, "milk") for day in MILK), *((1, day, "soap") for day in SOAP), (1, 147, "bread"))


def shop(seed: int = 3, members: int = 90) -> PurchaseLog:
    """Return a shop of clockwork: coffee every 10 days (±1), rice every 21 (±2), and sweets at random.

    Everybody comes on a third of all days in any case.
    """
    random = np.random.default_rng(seed)
    rows: list[tuple[int, int, str]] = []
    for member in range(members):
        for item, gap, slack in (("coffee", 10, 1), ("rice", 21, 2)):
            day = START + int(random.integers(gap))
            while day < END:
                rows.append((member, day, item))
                day += gap + int(random.integers(-slack, slack + 1))
        rows += [(member, day, "sweets") for day in range(START, END) if random.random() < 0.06]
        rows += [(member, day, "bread") for day in range(START, END) if random.random() < 0.3]
    return log_of(*rows)


@pytest.fixture(scope="module")
def books() -> PurchaseLog:
    return shop()


@pytest.fixture(scope="module")
def model(books: PurchaseLog) -> TimingModel:
    return fit(books, UNTIL)


def rows_of(forecast: Forecast, log: PurchaseLog) -> dict[tuple[str, str], tuple[float, ...]]:
    """Return {(member label, item label): numbers} of a forecast."""
    return {
        (str(log.members[member]), str(log.items[item])): (int(last), int(due), *chances.tolist())
        for member, item, last, due, chances in zip(
            forecast.member, forecast.item, forecast.last, forecast.due, forecast.windows, strict=True
        )
    }


def same(one: dict[tuple[str, str], tuple[float, ...]], other: dict[tuple[str, str], tuple[float, ...]]) -> bool:
    return one.keys() == other.keys() and all(np.allclose(one[pair], other[pair], atol=2e-3) for pair in one)


def test_only_pairs_with_four_purchase_days_are_asked_and_the_wait_counts_from_the_day() -> None:
    events = Events.of(by_hand())
    milk = asked(events, 131)
    assert len(milk) == 1
    assert milk.wait.tolist() == [14]
    assert asked(events, 130).day == 130
    assert len(asked(events, 130)) == 0
    assert asked(events, 145).wait.tolist() == [0]
    assert asked(events, 146).wait.tolist() == [NEVER]


def test_the_rhythm_of_five_purchases_by_hand() -> None:
    events = Events.of(by_hand())
    ask = asked(events, 150)
    found = {name: float(values[0]) for name, values in own_rhythm(events, ask).items()}
    assert (found["count"], found["elapsed"], found["age"], found["mean"], found["median"]) == (5, 5, 50, 11.25, 11)
    assert found["spread"] == pytest.approx(np.std([10, 12, 8, 15]))
    assert (found["low"], found["high"]) == (8, 15)
    assert (found["gap1"], found["gap2"], found["gap3"]) == (15, 8, 12)
    weights = [0.85**3, 0.85**2, 0.85, 1]
    assert found["recent"] == pytest.approx(np.dot(weights, [10, 12, 8, 15]) / sum(weights))
    within_a_week = weights[0] + weights[1] + weights[2]
    assert found["at_risk"] == pytest.approx(sum(weights))
    assert found["own_hazard"] == pytest.approx((within_a_week + 0.2) / (sum(weights) + 0.8))


def test_trips_and_windows_by_hand() -> None:
    events = Events.of(by_hand())
    ask = asked(events, 150)
    trips = {name: float(values[0]) for name, values in in_trips(events, ask).items()}
    assert trips == {"missed": 1, "trip_cycle": 1, "share": pytest.approx(5 / 6), "stock_up": 1}
    windows = {name: int(values[0]) for name, values in counted(events, ask).items()}
    assert windows == {"bought7": 1, "bought14": 1, "bought28": 3, "bought56": 5, "bought91": 5, "bought182": 5}


def test_a_member_who_only_comes_on_one_weekday_is_expected_on_that_day() -> None:
    events = Events.of(log_of(*((1, day, "milk") for day in range(3, 150, 7))))
    found = {name: float(values[0]) for name, values in member_rhythm(events, 150).items()}
    assert found["idle"] == 7 - (150 - 3) % 7 if (150 - 3) % 7 else 7
    assert found["trips28"] == 4
    chances = [found[f"trip{ahead}"] for ahead in range(7)]
    assert chances.index(max(chances)) == 0
    assert chances[0] > 0.9 > 0.1 > max(chances[1:])
    assert found["trip_today"] > 0.85


def test_survival_by_hand() -> None:
    edges = np.array([0, 1, 8])
    even = survival(edges, np.array([[0.1, 0.5]]), np.ones((1, 7)))
    assert even[0, [0, 1, 8]] == pytest.approx([1, 0.9, 0.45])
    assert even[0, 2] == pytest.approx(0.9 * 0.5 ** (1 / 7))
    on_day_three = np.full((1, 7), 1e-9)
    on_day_three[0, 3] = 1
    jump = survival(edges, np.array([[0.1, 0.5]]), on_day_three)
    assert jump[0, 1:] == pytest.approx([0.9, 0.9, 0.9, 0.45, 0.45, 0.45, 0.45, 0.45])
    assert windows_of(jump).tolist() == [[pytest.approx(0.45)]]


def test_the_median_wait_is_of_those_that_end_within_the_horizon() -> None:
    surviving = np.array([[1.0, 0.9, 0.8, 0.5, 0.4], [1.0, 0.2, 0.1, 0.0, 0.0]])
    assert middle(surviving).tolist() == [2, 0]


def test_windows_end_before_the_reminder_or_miss() -> None:
    surviving = np.linspace(1, 0.5, 93)[None, :]
    found = windows_of(surviving)
    assert found.shape == (1, 7)
    assert found == pytest.approx(np.full((1, 7), 7 * 0.5 / 92), abs=1e-6)


def test_clockwork_is_found_and_chances_come_true(books: PurchaseLog, model: TimingModel) -> None:
    found = model.forecast(books, UNTIL)
    wait = asked(Events.of(books), UNTIL).wait
    item = books.items[found.item]
    missed = np.abs(found.due - UNTIL - wait)
    assert np.median(missed[item == "coffee"]) <= 1
    assert np.median(missed[item == "rice"]) <= 3
    offset = found.remind - UNTIL
    hit = (wait > offset) & (wait <= offset + 7)
    # one in ten of the coffees may fall due on the very first day, when any reminder is too late
    assert hit[item == "coffee"].mean() > 0.85
    best = found.strongest(len(found) // 4)
    assert hit[best].mean() > 0.9
    assert found.confidence.mean() == pytest.approx(hit.mean(), abs=0.06)


def test_strongest_and_speaking_fall_in_confidence_and_end_at_the_floor(books: PurchaseLog, model: TimingModel) -> None:
    found = model.forecast(books, UNTIL)
    spoken = found.speaking(0.6)
    assert 0 < len(spoken) < len(found)
    assert (np.diff(found.confidence[spoken]) <= 0).all()
    assert (found.confidence[spoken] >= 0.6).all()
    assert (np.delete(found.confidence, spoken) < 0.6).all()
    assert len(found.speaking(1.01)) == 0


def test_shuffling_the_future_changes_nothing(books: PurchaseLog, model: TimingModel) -> None:
    past = books.day < UNTIL
    random = np.random.default_rng(1)
    future = np.flatnonzero(~past)
    member, item = books.members[books.member].copy(), books.items[books.item].copy()
    member[future], item[future] = random.permutation(member[future]), random.permutation(item[future])
    shuffled = from_arrays(member, books.day, item)
    again = fit(shuffled, UNTIL)
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
    assert same(expected, rows_of(fit(other, UNTIL).forecast(other, UNTIL), other))


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


def test_a_purchase_cancels_the_reminder() -> None:
    rows = [(member, START + 10 * step + member, "coffee") for step in range(23) for member in range(40)]
    log = log_of(*rows)
    found = fit(log, UNTIL).forecast(log, UNTIL)
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
    model.save(tmp_path / "timing.npz")
    loaded = TimingModel.load(tmp_path / "timing.npz")
    assert rows_of(model.forecast(books, UNTIL), books) == rows_of(loaded.forecast(books, UNTIL), books)


def test_other_files_are_not_loaded(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", weights=np.ones(3))
    with pytest.raises(BadPurchases, match="not a timing model"):
        TimingModel.load(tmp_path / "other.npz")
    names = ("edges", "weights", "offset", "centre", "scale")
    pickled = np.array([{"a": 1}], dtype=object)
    np.savez(tmp_path / "evil.npz", allow_pickle=True, **dict.fromkeys(names, pickled))
    with pytest.raises(ValueError, match="pickle"):
        TimingModel.load(tmp_path / "evil.npz")


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
    with pytest.raises(BadPurchases, match="too little history: the first week needs"):
        fit(log_of(*((1, day, "a") for day in range(0, 100, 9))), 100)


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
        Hazards.fit(columns, np.zeros(100), np.full(100, 200))
    good = {"edges": np.arange(3), "weights": np.ones((2, 4)), "offset": np.ones(2), "centre": np.ones(4)}
    with pytest.raises(BadPurchases, match="finite"):
        Hazards(**good, scale=np.array([1, np.inf, 1, 1]))
    with pytest.raises(BadPurchases, match="shapes"):
        Hazards(**good | {"offset": np.ones(3)}, scale=np.ones(4))


def test_a_short_history_has_a_short_horizon() -> None:
    log = shop(members=40).before(START + 80)
    found = fit(log, START + 80)
    assert 2 <= len(found.hazards.weights) < len(EDGES) - 1
    assert found.forecast(log, START + 80).due.max() < START + 80 + found.hazards.edges[-1]


def test_the_columns_are_finite_for_every_asked_pair(books: PurchaseLog) -> None:
    events = Events.of(books)
    for day in (START + 35, UNTIL, END + 400):
        ask = asked(events, day)
        table, _ = gather(events, ask)
        assert np.isfinite(design(table, np.arange(len(ask)))).all()
