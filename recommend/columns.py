"""One column of purchases as it is given, made whole numbers or labels; what can't be is refused."""

from datetime import date, datetime
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FARTHEST, LARGEST = 10**8, 10**12  # a day number; pieces or 分 of a line, so that sums of them fit


class BadPurchases(ValueError):
    """The purchases can't be learnt from: empty, NaN, unsorted, or columns that don't fit together."""


def dates(day: NDArray[Any]) -> NDArray[Any]:
    """Return a column of Python dates or moments (each in its own zone) as numpy dates, any other as it is."""
    if day.dtype != object or not len(day) or not all(isinstance(one, date) for one in day):
        return day
    plain = [one.date() if isinstance(one, datetime) else one for one in day]
    return np.array(plain, dtype="datetime64[D]")


def days(day: NDArray[Any]) -> NDArray[Any]:
    """Return whole day numbers from numbers or numpy dates."""
    refuse_missing("day", day)
    if np.issubdtype(day.dtype, np.datetime64):
        return day.astype("datetime64[D]").astype(np.int64)
    found = whole("day", day, len(day), 0)
    if len(found) and (found.min() < -FARTHEST or found.max() > FARTHEST):
        raise BadPurchases(f"day is beyond ±{FARTHEST}")
    return found


def numbered(name: str, labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the labels there are, rising, and the place of each one given among them."""
    try:
        return np.unique(labels, return_inverse=True)
    except TypeError as error:
        raise BadPurchases(f"{name} mixes labels of different kinds") from error


def whole(name: str, values: ArrayLike | None, count: int, default: int) -> NDArray[Any]:
    """Return whole numbers, `count` times the default where there is no column."""
    if values is None:
        return np.full(count, default, dtype=np.int64)
    column = np.asarray(values)
    refuse_missing(name, column)
    if not np.issubdtype(column.dtype, np.number):
        raise BadPurchases(f"{name} is not a number")
    if np.issubdtype(column.dtype, np.floating):
        if (column != np.floor(column)).any() or np.isinf(column).any():
            raise BadPurchases(f"{name} must be whole numbers")
        if (np.abs(column) > LARGEST).any():
            raise BadPurchases(f"{name} is beyond ±{LARGEST}")
    found = column.astype(np.int64)
    if len(found) and (found.min() < -LARGEST or found.max() > LARGEST):
        raise BadPurchases(f"{name} is beyond ±{LARGEST}")
    return found


def refuse_missing(name: str, column: NDArray[Any]) -> None:
    """BadPurchases where a value is missing."""
    if column.ndim != 1:
        raise BadPurchases(f"{name} must be one column")
    try:
        missing = column == None if column.dtype == object else np.zeros(len(column), np.bool_)  # noqa: E711
        found = bool(np.any(missing) or np.any(column != column))
    except TypeError:  # pandas' NA is neither equal nor unequal to anything
        found = True
    if found:
        raise BadPurchases(f"{name} has missing values (NaN)")
