"""How the next basket grows with a shop: members drawn at random, 20 lines each.

Run: python3 dev.py bench next_basket_growth -- 10000 100000

Prints seconds of CPU to make the matrix, to fit and to score everybody, and the process's peak memory.
"""

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from benchmarks.next_basket import peak_memory
from recommend import nextbasket
from recommend.matrix import PurchaseLog, from_arrays

ITEMS, BASKETS, A_BASKET, DAYS, FAVOURITES = 2_000, 8, 2.5, 365, 12
BLOCK, FRESH = 5_000, 5


def shop(members: int, seed: int = 3) -> PurchaseLog:
    """Return a log in which each line is one of the member's favourites (four times of five) or any popular item."""
    rng = np.random.default_rng(seed)
    lines = int(members * BASKETS * A_BASKET)
    member = rng.integers(0, members, lines, dtype=np.int32)
    trip = rng.integers(0, BASKETS, lines, dtype=np.int32)
    popular = (ITEMS * rng.random(lines) ** 3).astype(np.int64)
    favourite = (member * np.int64(7_919) + rng.integers(0, FAVOURITES, lines) * np.int64(104_729)) % ITEMS
    item = np.where(rng.random(lines) < 0.8, favourite, popular)
    day = (member % 40 + trip * (DAYS - 40) // BASKETS + (member * np.int64(31) + trip * np.int64(17)) % 20) % DAYS
    return from_arrays(member, day, item)


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print the seconds of CPU a step took, and the peak memory so far."""
    began = time.process_time()
    yield
    print(f"{what}: {time.process_time() - began:.1f} s CPU, peak {peak_memory():,.0f} MiB", flush=True)


def main() -> None:
    """Make, fit and score shops of the sizes asked for."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("members", type=int, nargs="*", default=[10_000])
    for members in given.parse_args().members:
        with timed(f"{members:,} members: matrix"):
            log = shop(members)
        with timed(f"{len(log):,} rows: fit"):
            model = nextbasket.fit(log)
        with timed(f"score all, in blocks of {BLOCK:,}"):
            for start in range(0, members, BLOCK):
                model.score(log.members[start : start + BLOCK], fresh=FRESH)


if __name__ == "__main__":
    main()
