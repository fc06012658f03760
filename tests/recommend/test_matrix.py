"""The purchase matrix on tables small enough to check by hand."""

from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recommend.matrix import BadPurchases, PurchaseLog, aligned, from_arrays, from_frame, from_parquet, is_order_only

LINES = [
    # member, day, item, quantity, 分
    ("ann", 1, "milk", 2, 800), ("ann", 1, "milk", 1, 400), ("ann", 1, "bread", 1, 500), ("ann", 5, "milk", 1, 400),
    ("ann", 7, "milk", -2, -800), ("ann", 9, "tea", 1, 2000), ("bob", 2, "bread", 3, 1500), ("bob", 2, "tea", 1, 2000),
    ("bob", 4, "bread", -1, -500), ("bob", 8, "milk", 1, 400), ("cat", 3, "milk", 1, 0), ("cat", 6, "milk", 1, 400),
]  # fmt: skip


def log_of(lines: list[tuple[str, int, str, int, int]]) -> PurchaseLog:
    return from_arrays(*(np.array(column) for column in zip(*lines, strict=True)))


def rows(log: PurchaseLog) -> list[tuple[str, int, str, int, int]]:
    columns = (log.members[log.member], log.day, log.items[log.item], log.quantity, log.amount)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_lines_of_one_member_day_and_item_become_one_row_whatever_their_order() -> None:
    log = log_of(LINES)
    assert rows(log)[:2] == [("ann", 1, "bread", 1, 500), ("ann", 1, "milk", 3, 1200)]
    assert rows(log_of(LINES[::-1])) == rows(log)


def test_a_return_takes_back_the_latest_earlier_pieces_with_their_money() -> None:
    assert rows(log_of(LINES).before(10)) == [
        ("ann", 1, "bread", 1, 500), ("ann", 1, "milk", 2, 800), ("ann", 9, "tea", 1, 2000),
        ("bob", 2, "bread", 2, 1000), ("bob", 2, "tea", 1, 2000), ("bob", 8, "milk", 1, 400),
        ("cat", 3, "milk", 1, 0), ("cat", 6, "milk", 1, 400),
    ]  # fmt: skip


def test_a_return_is_unknown_before_its_day() -> None:
    before = rows(log_of(LINES).before(7))
    assert ("ann", 5, "milk", 1, 400) in before
    assert ("ann", 1, "milk", 3, 1200) in before


def test_a_return_without_a_purchase_takes_nothing() -> None:
    assert rows(log_of([("ann", 1, "milk", -1, -400), ("ann", 2, "milk", 1, 400)]).before(3)) == [
        ("ann", 2, "milk", 1, 400)
    ]


def test_the_past_is_the_same_whatever_comes_later() -> None:
    later = [("ann", 8, "beer", 9, 9), ("zoe", 12, "milk", 1, 1)]
    assert rows(log_of([*LINES, *later]).before(8)) == rows(log_of(LINES).before(8))


def test_a_log_grown_day_by_day_equals_the_log_of_all_days() -> None:
    grown = log_of(LINES[:4])
    for line in LINES[4:]:
        grown = grown.extended(log_of([line]))
    assert rows(grown) == rows(log_of(LINES))


def test_gifts_are_left_out() -> None:
    log = from_arrays(["ann", "ann"], [1, 2], ["milk", "tea"], gift=[False, True])
    assert rows(log) == [("ann", 1, "milk", 1, 0)]


def test_a_level_up_sums_the_rows_of_one_parent_and_leaves_out_the_orphans() -> None:
    log = log_of(LINES).before(7)
    assert log.items.tolist() == ["bread", "milk", "tea"]
    up = log.at_level(["food", "food", None])
    assert rows(up)[:2] == [("ann", 1, "food", 4, 1700), ("ann", 5, "food", 1, 400)]
    assert up.items.tolist() == ["food"]
    with pytest.raises(BadPurchases, match="one parent"):
        log.at_level(["food"])


def test_common_items_are_those_of_enough_baskets() -> None:
    assert log_of(LINES).before(10).common(3).items.tolist() == ["milk"]


def test_members_are_picked_by_label() -> None:
    assert {row[0] for row in rows(log_of(LINES).of(["bob", "nobody"]))} == {"bob"}


def test_dates_become_days_since_1970() -> None:
    days = np.array(["1970-01-03T23:59", "1970-01-02"], dtype="datetime64[s]")
    assert from_arrays([1, 1], days, ["a", "a"]).day.tolist() == [1, 2]


def test_an_order_only_log_is_known_and_counted_from_its_end() -> None:
    log = from_arrays(["a", "a", "a", "b", "b"], [1, 2, 3, 1, 2], ["x"] * 5)
    assert is_order_only(log)
    assert aligned(log).day.tolist() == [-3, -2, -1, -2, -1]
    assert not is_order_only(log_of(LINES))
    gapped = from_arrays(["a"] * 9 + ["b"] * 9, [*range(7), 8, 9, *range(1, 10)], ["x"] * 18)
    assert is_order_only(gapped)
    assert aligned(gapped).day.tolist() == 2 * [*range(-9, 0)]


def test_a_frame_and_a_parquet_file_give_the_same_log(tmp_path: Path) -> None:
    parquet, arrow = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pyarrow")
    named = dict(zip(("who", "day", "item", "quantity", "amount"), zip(*LINES, strict=True), strict=True))
    table = arrow.table({name: list(column) for name, column in named.items()})
    parquet.write_table(table, tmp_path / "lines.parquet")
    log = from_parquet(tmp_path / "lines.parquet", {"member": "who"})
    assert rows(log) == rows(log_of(LINES))
    pandas = pytest.importorskip("pandas")
    assert rows(from_frame(pandas.DataFrame(named), {"member": "who"})) == rows(log)
    with pytest.raises(BadPurchases, match="missing: member"):
        from_parquet(tmp_path / "lines.parquet")


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        (([], [], []), "no purchases"),
        ((["a"], [1, 2], ["x"]), "different lengths"),
        ((["a"], [float("nan")], ["x"]), "day has missing"),
        ((["a"], [1.5], ["x"]), "whole numbers"),
        ((["a"], ["monday"], ["x"]), "not a number"),
        (([None], [1], ["x"]), "member has missing"),
        ((["a"], [1], [float("nan")]), "item has missing"),
        ((["a"], [1], ["x"], [float("nan")]), "quantity has missing"),
        ((["a"], np.array(["NaT"], dtype="datetime64[D]"), ["x"]), "day has missing"),
        (([["a"]], [1], ["x"]), "one column"),
    ],
)
def test_bad_columns_are_refused(columns: tuple[Any, ...], why: str) -> None:
    with pytest.raises(BadPurchases, match=why):
        from_arrays(*columns)


def test_unsorted_rows_and_codes_without_a_label_are_refused() -> None:
    log = log_of(LINES)
    columns = {name: getattr(log, name) for name in ("member", "day", "item", "quantity", "amount")}
    with pytest.raises(BadPurchases, match="not sorted"):
        PurchaseLog(**{name: column[::-1] for name, column in columns.items()}, members=log.members, items=log.items)
    with pytest.raises(BadPurchases, match="outside the labels"):
        PurchaseLog(**columns, members=log.members, items=log.items[:1])


def sold_log(lines: list[tuple[int, str, int, int, int]]) -> PurchaseLog:
    """Lines of ann: day, item, quantity, 分, day of the sale."""
    day, item, quantity, amount, sold = (np.array(column) for column in zip(*lines, strict=True))
    return from_arrays(["ann"] * len(lines), day, item, quantity, amount, sold=sold)


EXCHANGED = [
    (1, "milk", 2, 800, 1), (5, "milk", 1, 300, 5), (9, "milk", -1, -500, 1), (9, "milk", 1, 350, 9),
    (9, "tea", 1, 20, 9), (9, "tea", -1, -20, 9), (10, "milk", -1, -350, 10),
]  # fmt: skip


def test_a_return_that_knows_its_sale_takes_back_that_one_with_its_money() -> None:
    log = sold_log(EXCHANGED)
    assert [row[1:] for row in rows(log)] == [
        (1, "milk", 2, 800), (5, "milk", 1, 300), (9, "milk", -1, -500), (9, "milk", 1, 350), (9, "tea", 0, 0),
        (10, "milk", -1, -350),
    ]  # fmt: skip
    assert [row[1:] for row in rows(log.before(10))] == [
        (1, "milk", 1, 300), (5, "milk", 1, 300), (9, "milk", 1, 350)
    ]  # fmt: skip
    assert [row[1:] for row in rows(log.before(11))] == [(1, "milk", 1, 300), (5, "milk", 1, 300)], "the latest, else"
    assert [row[1:] for row in rows(log.since(5))] == [(5, "milk", 1, 300)], "the sale of day 1 is not among these"
    assert log.before(11).sold is None and rows(sold_log(EXCHANGED[::-1])) == rows(log)


def test_what_was_sold_when_stays_known_one_level_up_in_picks_and_in_a_log_that_grew() -> None:
    log = sold_log(EXCHANGED)
    up = log.at_level(["food", "food"])
    assert [row[1:] for row in rows(up.before(10))] == [(1, "food", 1, 300), (5, "food", 1, 300), (9, "food", 1, 350)]
    assert rows(log.of(["ann"]).compact().before(10)) == rows(log.before(10))
    grown = sold_log(EXCHANGED[:1])
    assert grown.sold is None
    for line in EXCHANGED[1:]:
        grown = grown.extended(sold_log([line]))
    assert rows(grown) == rows(log) and rows(grown.before(11)) == rows(log.before(11))


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"day": [1.0, np.inf]}, "day must be whole numbers"),
        ({"day": [1, 2**40]}, "day is beyond"),
        ({"amount": [1, 3 * 2**61]}, "amount is beyond"),
        ({"amount": [1.0, 1e30]}, "amount is beyond"),
        ({"gift": [True]}, "different lengths"),
        ({"item": np.array(["x", 3], dtype=object)}, "item mixes labels"),
        ({"member": np.array([1, "a"], dtype=object)}, "member mixes labels"),
        ({"day": np.array([date(2024, 1, 1), 3], dtype=object)}, "day is not a number"),
    ],
)
def test_what_would_become_nonsense_is_refused(columns: dict[str, Any], complaint: str) -> None:
    given: dict[str, Any] = {"member": ["a", "b"], "day": [1, 2], "item": ["x", "y"]}
    with pytest.raises(BadPurchases, match=complaint):
        from_arrays(**(given | columns))


def test_python_dates_and_moments_are_days_where_they_were_bought() -> None:
    east = timezone(timedelta(hours=8))
    days = [date(2024, 1, 1), datetime(2024, 1, 2, 1, tzinfo=east), datetime(2024, 1, 3, 23)]  # noqa: DTZ001
    log = from_arrays(["a"] * 3, np.array(days, dtype=object), ["x"] * 3)
    assert log.dated and np.diff(log.day).tolist() == [1, 1]


def test_frames_and_parquet_take_dates(tmp_path: Path) -> None:
    pandas, pa = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    days = ["2024-01-01 23:30", "2024-01-02 00:30"]
    whole, aware = pandas.to_datetime(days), pandas.to_datetime(days).tz_localize("Asia/Shanghai")
    for column in (whole, aware, whole.date):
        frame = pandas.DataFrame({"member": ["a", "a"], "day": column, "item": ["x", "x"]})
        log = from_frame(frame)
        assert log.dated and np.diff(log.day).tolist() == [1]
    for kind in (pa.timestamp("us"), pa.date32(), pa.timestamp("us", "Asia/Shanghai")):
        column = pa.array(aware if "Shanghai" in str(kind) else whole).cast(kind, safe=False)
        parquet.write_table(pa.table({"member": ["a", "a"], "day": column, "item": ["x", "x"]}), tmp_path / "p.parquet")
        log = from_parquet(tmp_path / "p.parquet")
        assert log.dated and np.diff(log.day).tolist() == [1], kind
    broken = pandas.DataFrame({"member": ["a", "b"], "day": [1, 2], "item": pandas.array(["x", None], dtype="string")})
    with pytest.raises(BadPurchases, match="item has missing values"):
        from_frame(broken)
