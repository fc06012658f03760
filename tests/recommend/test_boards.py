"""The boards on the till roll of twenty lines."""

from __future__ import annotations

import numpy as np

from recommend import boards, standing
from recommend.books import Shelf
from tests.recommend.till import CATEGORY, CUT, LINES, log_of


def shelf() -> Shelf:
    """What is told of the till roll's articles: tea and fine tea are of one type."""
    items = log_of(LINES).items.tolist()
    category = np.array([CATEGORY[item] for item in items], dtype=object)
    own = np.array([item.startswith("own") for item in items])
    return Shelf(
        np.array(items, dtype=object), np.array(items, dtype=object), category, category, category, category,
        np.zeros(len(items), np.int64), own, np.ones(len(items), np.bool_),
    )  # fmt: skip


def test_deciles_stages_and_quadrants_count_every_member_once() -> None:
    log = log_of(LINES)
    board = boards.value_board(log, CUT, standing.of(log, CUT, shelf()))
    rows = board.concentration.rows
    spent = {"dan": 13000, "ann": 4500, "bob": 2600, "eve": 1600, "cat": 500}
    assert {row.decile: row.amount for row in rows if row.members} == dict(
        zip((1, 3, 5, 7, 9), spent.values(), strict=True)
    )
    assert board.concentration.top_fifth == 13000 / sum(spent.values())
    assert sum(board.stages.values()) == sum(board.rfm.values()) == len(spent)
    assert board.loyalty == {"重度忠诚": 1, "重度游离": 1, "轻度游离": 1}, "bob 4 of 5 own; ann 0 of 5; eve 0 of 4"
    assert board.as_dict()["rfm_version"].startswith("rfm-")


def test_too_little_is_no_pair_and_no_step() -> None:
    log = log_of(LINES)
    assert boards.together(log, CUT, shelf()) == [] == boards.steps(log, CUT, shelf())
