"""What came back, taken off what had been bought: the lines of its own sale, or where that is unknown the latest."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = NDArray[Any]


def taken_back(
    pair: Column, day: Column, quantity: Column, amount: Column, sold: Column | None
) -> tuple[Column, Column]:
    """Return quantities and amounts after each return (a negative quantity) was taken off earlier rows of its `pair`.

    Rows rise by day within a pair of member and item. `sold` is the day of the sale that a return belongs to, its own
    day where that is unknown; None when it is for all. Rows of returns keep what they say.
    """
    quantity, amount = quantity.copy(), amount.copy()
    order = np.argsort(pair, kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    for row in np.flatnonzero(quantity < 0).tolist():
        since = None if sold is None or sold[row] == day[row] else int(sold[row])
        owed, money, at = -int(quantity[row]), -int(amount[row]), int(place[row]) - 1
        while owed > 0 and at >= 0 and pair[order[at]] == pair[row]:
            earlier, at = order[at], at - 1
            if quantity[earlier] <= 0 or since not in (None, int(day[earlier])):
                continue
            taken = min(owed, int(quantity[earlier]))
            share = int(amount[earlier]) * taken // int(quantity[earlier])
            amount[earlier] -= share if since is None else min(money, int(amount[earlier]))
            quantity[earlier] -= taken
            owed -= taken
    return quantity, amount
