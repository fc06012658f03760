"""The boards on the till roll of twenty lines."""

from __future__ import annotations

from functools import partial

import numpy as np

from recommend import boards, standing
from recommend.baskets import Goods
from recommend.books import Shelf
from tests.recommend.test_association import log_from, market
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
    board = boards.value_board(log, CUT, standing.of(log, CUT, bought=log, shelf=shelf()))
    rows = board.concentration.rows
    spent = {"dan": 13000, "ann": 4500, "bob": 2600, "eve": 1600, "cat": 500}
    assert {row.decile: row.amount for row in rows if row.members} == dict(
        zip((1, 3, 5, 7, 9), spent.values(), strict=True)
    )
    assert board.concentration.top_fifth == 13000 / sum(spent.values())
    assert sum(board.stages.values()) == sum(board.rfm.values()) == len(spent)
    assert board.loyalty == {"重度忠诚": 1, "重度游离": 1, "轻度游离": 1}, "bob 4 of 5 own; ann 0 of 5; eve 0 of 4"
    assert board.as_dict()["rfm_version"].startswith("rfm-")


def test_what_lies_is_listed_with_what_it_could_be_bundled_with() -> None:
    lines = market()
    log = log_from(lines)
    names = log.items.tolist()
    of = np.array(names, dtype=object)
    price = np.array([100 * at for at in range(len(names))], dtype=np.int64)
    own, active = np.zeros(len(names), np.bool_), np.array([name != "nuts" for name in names])
    goods = {
        name: Goods(name, name.upper(), name, name, "", int(price[at]) or None, bool(active[at]))
        for at, name in enumerate(names)
    } | {"lamp": Goods("lamp", "LAMP", "lamp", "lamp", "", None, True)}  # fmt: skip
    stock = {"candle": 900, "milk": 900, "lamp": 3, "nuts": 900, "bread": 1, "who": 5}
    sold = {"candle": 9, "milk": 90, "nuts": 1, "bread": 90}
    ask = partial(boards.lying, log, 60, Shelf(of, of, of, of, of, of, price, own, active), goods, stock, sold)
    found = ask(window=90, cover=120)
    told = [(one.sku, one.name, one.stock, one.sold, one.cover, one.partner, one.price) for one in found]
    both = int(price[names.index("candle")] + price[names.index("cake")])
    assert told == [
        ("lamp", "LAMP", 3, 0, None, "", None),
        ("candle", "CANDLE", 900, 9, 9000.0, "cake", both),
        ("milk", "MILK", 900, 90, 900.0, "", None),
    ]  # what is not sold any more is no slow stock
    assert found[1].partner_name == "cake" and found[1].beyond > 1.5
    assert [one.sku for one in ask(window=90, cover=120, most=1)] == ["lamp"]
    assert [one.sku for one in ask(window=90, cover=900)] == ["lamp", "candle"]
    # what lies itself is no partner
    stock["cake"] = 900
    assert {one.sku: one.partner for one in ask(window=90, cover=120)}["candle"] == ""


def test_too_little_is_no_pair_and_no_step() -> None:
    log = log_of(LINES)
    assert boards.together(log, CUT, shelf()) == [] == boards.steps(log, CUT, shelf())
