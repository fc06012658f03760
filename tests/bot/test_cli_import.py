"""Imports of tables from the command line: what is printed, the JSON, the bar, the rejected rows, what is refused."""

import csv
from pathlib import Path
from typing import Any

import pytest

from tests.support.terminal import Folder


def write(path: Path, rows: list[list[Any]], encoding: str = "utf-8") -> str:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows(rows)
    return str(path)


def test_members_articles_and_orders_come_in_and_again(bare: Folder) -> None:
    folder = bare.path
    people = write(
        folder / "会员.csv", [["手机号", "积分", "余额"], ["13800138000", "10", "8.88"], ["123", "", ""]], "gbk"
    )
    code, out, err = bare.run("import", "members", people, "--rejected", "剔除.csv")
    assert code == 0
    assert "手机号不对" in out and "第 3 行" in out and "新会员 1" in out
    assert "导入会员" in err, "the bar is on standard error"
    assert len((folder / "剔除.csv").read_text("utf-8-sig").splitlines()) == 2
    again = bare.json("import", "members", people)
    assert again["unchanged"] and again["read"] == {"行": 2}
    assert again["findings"][0]["rows"] == [3]
    goods = write(folder / "p.csv", [["sku", "name", "price", "品类"], ["a", "茶", "15.00", "饮料"]])
    assert bare.json("import", "products", goods)["written"] == {"新商品": 1, "更新的商品": 0}
    receipts = write(
        folder / "o.csv",
        [
            ["单号", "时间", "会员手机", "商品编码", "数量", "金额"],
            ["R1", "2024-05-06 12:00", "13800138000", "a", "2", "30"],
        ],
    )
    report = bare.json("import", "orders", receipts)
    assert (report["written"]["订单"], report["written"]["会员订单"]) == (1, 1)
    assert bare.json("import", "orders", receipts)["unchanged"]
    shown = bare.json("member", "show", "13800138000")
    assert (shown["points"], shown["principal"], shown["last_order"]["total"]) == (10, 888, 3000)
    assert bare.run("audit")[0] == 0


def test_receipts_without_articles_tell_what_was_paid_and_why_there_are_no_habits(bare: Folder) -> None:
    write(bare.path / "m.csv", [["手机号"], ["13800138000"]])
    rows = [[f"R{month}", f"2026-{month:02}-06 12:00", "13800138000", "50"] for month in (8, 9, 10)]
    write(bare.path / "o.csv", [["单号", "时间", "会员手机", "订单金额"], *rows])
    for what, file in (("members", "m.csv"), ("orders", "o.csv")):
        assert bare.run("import", what, file)[0] == 0
    board = bare.json("report", "value")
    assert [row["amount"] for row in board["concentration"]["rows"] if row["members"]] == [15000]
    assert bare.run("report", "habits") == (2, "", "会员的小票上没有商品明细:import orders 要一行一件\n")
    assert bare.run("model", "fit")[1] == "购买记录还太少,先按次数推荐\n1 位会员已分层\n"
    assert bare.json("member", "show", "13800138000")["standing"]["value_decile"] == 1


@pytest.mark.parametrize("what", ["members", "products", "orders"])
def test_what_is_no_table_is_refused_in_one_line(bare: Folder, what: str) -> None:
    (bare.path / "x.xlsx").write_bytes(b"PK")
    for name, why in (("none.csv", "没有文件 none.csv"), ("x.xlsx", "只能导入 .csv 和 .parquet")):
        code, out, err = bare.run("import", what, name)
        assert (code, out) == (2, "")
        assert why in err and "Traceback" not in err
    file = write(bare.path / "x.csv", [["什么"], ["1"]])
    code, _, err = bare.run("import", what, file)
    assert code == 2 and "列" in err
