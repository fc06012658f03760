"""A shop of clockwork, and the timing model fitted on it once."""

from functools import cache

import numpy as np

from recommend.matrix import PurchaseLog, from_arrays
from recommend.timing import Forecast, TimingModel, fit

START, UNTIL, END = 17_000, 17_200, 17_240


def log_of(*rows: tuple[int, int, str]) -> PurchaseLog:
    """Return a log of (member, day, item), one piece each."""
    member, day, item = zip(*rows, strict=True)
    return from_arrays(np.array(member), np.array(day), np.array(item))


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


@cache
def open_books() -> PurchaseLog:
    """Return the shop's log."""
    return shop()


@cache
def fitted() -> TimingModel:
    """Return the model that knows the shop's days before UNTIL."""
    return fit(open_books(), UNTIL)


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
