"""The lists a next-basket model answers with, and how they are filled from scored candidates."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommend.matrix import Codes
from recommend.places import ranks
from recommend.ranking_history import Floats
from recommend.ranking_tables import Table

LONG_TERM, SHORT_TERM = "history_0.33", "basket_half_3"
NOBODY, OWN, ALIKE, POPULAR = range(4)
"""How an item came: there is none, the member's own repeat, what alike members buy, what everybody buys."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """The best items of members, best first: n × k labels (None where there are fewer) and their figures.

    `probability` that the item is in the next basket, calibrated; `long_term` and `short_term` preference: decayed
    share of the member's baskets with the item, over a third of the history and over the last three baskets. `source`:
    OWN, ALIKE, POPULAR or NOBODY; `count` of the member's baskets with the item; `last`: day of the last of them (of a
    log with order only its place among the member's baskets, the oldest 0), −1 when new. `fresh`: the best new items.
    """

    members: NDArray[Any]
    items: NDArray[Any]
    codes: Codes
    probability: Floats
    long_term: Floats
    short_term: Floats
    source: NDArray[np.uint8]
    count: Codes
    last: Codes
    fresh: "Ranked | None" = None


def nobody(members: NDArray[Any], items: NDArray[Any], k: int) -> Ranked:
    """Return lists of k places without an item; `items` are the labels, which `named` looks up."""
    shape = len(members), k
    probability, long_term, short_term = (np.zeros(shape, dtype=np.float32) for _ in range(3))
    codes, last = (np.full(shape, -1, dtype=np.int32) for _ in range(2))
    source, count = np.full(shape, NOBODY, np.uint8), np.zeros(shape, np.int32)
    return Ranked(members, items, codes, probability, long_term, short_term, source, count, last)


def fill(
    found: Ranked, rows: NDArray[Any], table: Table, chosen: NDArray[np.int64], score: Floats, chance: Floats,
    since: NDArray[Any],
) -> None:  # fmt: skip
    """Put the best of the chosen candidates (places in the table) into the lists at `rows`, given by member code.

    `score`, `chance` and the day `since` which the last purchase counts are given per candidate of the table.
    """
    if not len(chosen):
        return
    place = ranks(table.member[chosen], score[chosen]).astype(np.int64)
    top = place < found.codes.shape[1]
    best, columns = chosen[top], table.columns
    where, bought = (rows[table.member[best]], place[top]), columns["n"][best] > 0
    found.codes[where] = table.item[best]
    found.probability[where] = chance[best]
    found.long_term[where] = columns[LONG_TERM][best]
    found.short_term[where] = columns[SHORT_TERM][best]
    found.count[where] = columns["n"][best]
    found.last[where] = np.where(bought, since[best] - np.nan_to_num(columns["last"][best]), -1)
    found.source[where] = np.where(bought, OWN, np.where(table.lent[best], ALIKE, POPULAR))


def fill_strangers(found: Ranked, rows: NDArray[Any], popular: NDArray[np.int64], taken: Floats) -> None:
    """Put what is popular (item codes, best first) into the lists of members without a past; `taken`: their chance."""
    best = popular[: found.codes.shape[1]]
    found.codes[rows, : len(best)] = best
    found.probability[rows, : len(best)] = taken[best]
    found.source[rows, : len(best)] = POPULAR
