"""Timing: every formula on a table checked by hand, and chances that come true."""

import numpy as np
import pytest

from recommend import timing
from recommend.hazard import middle, survival
from recommend.matrix import BadPurchases, PurchaseLog, from_arrays
from recommend.renewal import BgNbd
from recommend.timing import TimingModel, windows_of
from recommend.timing_features import NEVER, Events, asked, in_trips, member_rhythm, own_rhythm
from recommend.timing_features import windows as counted
from tests.recommend.clockwork import END, START, UNTIL, fitted, log_of, open_books

MILK, SOAP = [100, 110, 122, 130, 145], [100, 145, 150]


def by_hand() -> PurchaseLog:
    """One member: milk on five days with gaps 10, 12, 8, 15; soap on three; and a trip for bread on day 147."""
    return log_of(*((1, day, "milk") for day in MILK), *((1, day, "soap") for day in SOAP), (1, 147, "bread"))


@pytest.fixture
def books() -> PurchaseLog:
    return open_books()


@pytest.fixture
def model() -> TimingModel:
    return fitted()


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
    # four of five pieces were used up in the 45 days from the first purchase to the last
    own = {"stock_up": 1, "supply": pytest.approx(45 / 4)}
    assert trips == {"missed": 1, "trip_cycle": 1, "share": pytest.approx(5 / 6), **own}
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


def test_who_bought_twice_as_much_is_reminded_twice_as_late() -> None:
    random = np.random.default_rng(5)
    rows = []
    for member in range(120):
        pace, day = int(random.integers(4, 9)), START + int(random.integers(8))
        while day < END:
            pieces = int(random.integers(1, 5))
            rows.append((member, day, 0, pieces))
            day += pace * pieces + int(random.integers(-1, 2))
    log = from_arrays(*(np.array(column) for column in zip(*rows, strict=True)))
    found = timing.fit(log, UNTIL).forecast(log, UNTIL)
    wait = asked(Events.of(log), UNTIL).wait
    offset = found.remind - UNTIL
    best = found.strongest(len(found) // 2)
    assert ((wait > offset) & (wait <= offset + 7))[best].mean() > 0.95


def test_strongest_and_speaking_fall_in_confidence_and_end_at_the_floor(books: PurchaseLog, model: TimingModel) -> None:
    found = model.forecast(books, UNTIL)
    spoken = found.speaking(0.6)
    assert 0 < len(spoken) < len(found)
    assert (np.diff(found.confidence[spoken]) <= 0).all()
    assert (found.confidence[spoken] >= 0.6).all()
    assert (np.delete(found.confidence, spoken) < 0.6).all()
    assert len(found.speaking(1.01)) == 0


def test_the_chances_of_the_days_add_up_to_the_window(books: PurchaseLog, model: TimingModel) -> None:
    found = model.forecast(books, UNTIL)
    assert found.bought.shape == (len(found), timing.AHEAD)
    assert (found.bought >= 0).all()
    assert found.windows[:, 2] == pytest.approx(found.bought[:, 3:10].sum(axis=1), abs=1e-5)


def test_renewal_by_hand() -> None:
    # never over: waits of a rate gamma(1 + 3, 10 + 30) are longer than 20 days with (40 / 60)^4
    ever = BgNbd(1, 10, 1e-12, 1)
    one = (np.array([3]), np.array([25]), np.array([30]))
    assert ever.surviving(*one, 20)[0, [0, 20]] == pytest.approx([1, (40 / 60) ** 4])
    # the odds of being over: a / (b + 3 − 1) · (40 / 35)^4
    odds = 0.5 / 4 * (40 / 35) ** 4
    over = BgNbd(1, 10, 0.5, 2).surviving(*one, 20)[0, 20]
    assert over == pytest.approx(1 - (1 - (40 / 60) ** 4) / (1 + odds))


def test_renewal_is_learnt_and_refuses_bad_columns() -> None:
    random = np.random.default_rng(2)
    rate = random.gamma(4, 1 / 80, 800)
    count = random.poisson(rate * 200)
    last = np.where(count > 0, 200 * random.beta(np.maximum(count, 1), 1), 0)
    found = BgNbd.fit(count[count > 2], last[count > 2], np.full((count > 2).sum(), 200))
    assert found.r / found.alpha == pytest.approx(rate[count > 2].mean(), rel=0.2)
    assert found.a / (found.a + found.b) < 0.05
    with pytest.raises(BadPurchases, match="no pair"):
        BgNbd.fit(*[np.zeros(0)] * 3)
    with pytest.raises(BadPurchases, match="NaN"):
        BgNbd.fit(np.array([3.0]), np.array([np.nan]), np.array([9.0]))
