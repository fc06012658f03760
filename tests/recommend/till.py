"""A till roll of 20 lines that every formula can be worked out on by hand, and ways to disturb it."""

import numpy as np

from recommend.matrix import PurchaseLog, from_arrays

Line = tuple[str, int, str, int, int]
CUT = 100
LINES: list[Line] = [
    # member, day, item, pieces, 分
    ("ann", 10, "milk", 1, 400), ("ann", 10, "bread", 1, 500), ("ann", 20, "milk", 1, 400), ("ann", 30, "milk", 2, 800),
    ("ann", 40, "tea", 1, 2000), ("ann", 50, "milk", 1, 400),
    ("bob", 15, "own milk", 1, 300), ("bob", 15, "bread", 2, 1000), ("bob", 45, "own milk", 3, 900),
    ("bob", 75, "milk", 1, 400),
    ("cat", 88, "bread", 1, 500),
    ("dan", 5, "tea", 1, 2000), ("dan", 12, "tea", 1, 2000), ("dan", 19, "tea", 1, 2000), ("dan", 26, "tea", 1, 2000),
    ("dan", 33, "fine tea", 1, 5000),
    ("eve", 92, "milk", 1, 400), ("eve", 94, "milk", 1, 400), ("eve", 96, "milk", 1, 400), ("eve", 98, "milk", 1, 400),
]  # fmt: skip
FUTURE: list[Line] = [
    ("ann", 100, "milk", 9, 9000), ("zoe", 101, "caviar", 1, 99999), ("dan", 120, "tea", -4, -8000),
    ("cat", 130, "own milk", 5, 1500),
]  # fmt: skip
CATEGORY = {"milk": "milk", "own milk": "milk", "bread": "bread", "tea": "tea", "fine tea": "tea", "caviar": "fish"}


def log_of(lines: list[Line]) -> PurchaseLog:
    return from_arrays(*(np.array(column) for column in zip(*lines, strict=True)))


def renamed(lines: list[Line]) -> tuple[list[Line], dict[str, str]]:
    """Return the same lines with members and items renamed so that their order is turned round."""
    members = {name: f"m{9 - at}" for at, name in enumerate(sorted({line[0] for line in lines}))}
    items = {name: f"i{9 - at}" for at, name in enumerate(sorted({line[2] for line in lines}))}
    new = [(members[who], day, items[what], pieces, paid) for who, day, what, pieces, paid in lines]
    return new, members | items


def categories(log: PurchaseLog, names: dict[str, str] | None = None) -> list[str]:
    back = {new: old for old, new in (names or {}).items()}
    return [CATEGORY[back.get(item, item)] for item in log.items.tolist()]
