"""The models from the command line: fitted, shown, used, taken back; on the small demo shop."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.command_models import STAGES
from members.db import Database
from recommend import turn
from tests.support.terminal import Folder

MEMBER = "oDemoMember01"
TIMING_NOW = ("timing", "current")


def kinds(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["kind"], one["state"]) for one in found["models"]]


def test_before_the_first_night_counts_speak(shop: Folder) -> None:
    assert shop.run("model", "show") == (0, "还没有模型,先按次数推荐;运行 memberbot model fit\n", "")
    assert {row["by"] for row in shop.json("repurchase", MEMBER)} == {"counts"}
    code, _, err = shop.run("model", "rollback", "timing")
    assert (code, err) == (2, "「补货时间」没有更早的模型可以退回\n")
    code, _, err = shop.run("model", "rollback", "timings")
    assert (code, err) == (2, "没有叫「timings」的模型。可以写:next_basket、timing\n")


def test_while_a_night_runs_no_second_is_begun(shop: Folder) -> None:
    books = Database(f"sqlite:///{shop.path / 'data' / 'memberbot.db'}")
    with turn.keeping(books, "a night", since=datetime(2026, 11, 15, 19, tzinfo=UTC)):
        for words in (("fit",), ("score", "--json")):
            found = shop.run("model", *words)
            assert found == (2, "", "另一处正在算推荐,2026-11-16 03:00 开始,请等它算完再试\n")
    books.dispose()
    assert shop.run("model", "score")[0] == 0


def test_habits_of_who_refused_or_left_are_not_printed(shop: Folder) -> None:
    assert shop.run("repurchase", MEMBER)[0] == 0
    number = str(shop.json("member", "show", MEMBER)["id"])
    shop.run("say", "不要个性化", "--as", MEMBER)
    assert shop.run("repurchase", MEMBER) == (2, "", "这位会员不要个性化(或已注销),不看购买周期\n")
    assert shop.run("member", "erase", number, "--now")[0] == 0
    assert shop.run("repurchase", number)[0] == 2


@pytest.mark.slow
def test_fit_show_use_and_take_back(shop: Folder) -> None:
    code, out, err = shop.run("model", "fit")
    assert code == 0 and "下一单:启用" in out and "补货时间:启用" in out and "打分" in err
    found = shop.json("model", "show")
    assert kinds(found) == [("next_basket", "current"), ("timing", "current")]
    assert all((shop.path / "data" / "models" / one["file"]).exists() for one in found["models"])
    assert found["scores"]["members"] > 0 and sum(found["scores"]["stages"].values()) == found["scores"]["members"]
    rows = shop.json("repurchase", MEMBER)
    assert rows and {row["by"] for row in rows} == {"timing"} and all(0 <= row["confidence"] <= 1 for row in rows)
    assert [row["due"] for row in rows] == sorted(row["due"] for row in rows)
    named = shop.json("recommend", MEMBER, "-k", "6")
    assert len(named) == 6 == len({row["category"] for row in named})
    assert named[0]["kind"] in ("repurchase", "habit") and named[0]["score_long"] > 0
    assert shop.run("recommend", MEMBER, "-k", "6")[1].count("\n") == 6
    assert shop.run("segment", "count", "全部会员")[1].strip().isdecimal()

    again = shop.json("model", "fit")
    assert all({"candidate", "current"} <= set(one) for one in again["models"])
    assert all(one["promoted"] for one in again["models"]), "the same days make the same model"
    code, out, _ = shop.run("model", "rollback", "补货时间")
    assert code == 0 and "改用 2 号模型" in out
    assert ("timing", "rolled_back") in kinds(shop.json("model", "show"))
    standing = shop.json("member", "show", MEMBER)["standing"]
    assert standing["state"] in STAGES and 1 <= standing["value_decile"] <= 10 and standing["rfm"]
    told = shop.run("member", "show", MEMBER)[1]
    assert (
        f"{STAGES[standing['state']]}(约 " in told
        and f"消费十分位 {standing['value_decile']}、{standing['rfm']}" in told
    )
    shown = shop.run("model", "show")[1]
    at = datetime.fromisoformat(shop.json("model", "show")["last"]["at"]).astimezone(ZoneInfo("Asia/Shanghai"))
    assert f"上次\t{at:%Y-%m-%d %H:%M}\t" in shown, "in the shop's time"
    assert "已退回" in shown and "召回" in shown and "位会员,截至" in shown
    in_use = next(one for one in shop.json("model", "show")["models"] if (one["kind"], one["state"]) == TIMING_NOW)
    timing = shop.path / "data" / "models" / in_use["file"]
    kept = timing.read_bytes()
    timing.write_bytes(b"not a model")
    code, _, err = shop.run("model", "rollback", "next_basket")
    assert code == 2 and err.startswith("在用的「补货时间」模型读不出来"), "its forecasts would be lost"
    assert kinds(shop.json("model", "show")).count(("next_basket", "rolled_back")) == 0
    assert shop.json("repurchase", MEMBER) == rows
    timing.write_bytes(kept)
    for file in (shop.path / "data" / "models").glob("next_basket-*"):
        file.write_bytes(b"not a model")
    code, _, err = shop.run("model", "rollback", "next_basket")
    assert code == 2 and err.endswith("读不出来(文件坏了),没有退回\n")
    code, _, err = shop.run("model", "score")
    assert code == 2 and err.startswith("在用的「下一单」模型读不出来") and "model fit" in err
    assert "在用,但读不出来,今夜重新学" in shop.run("model", "show")[1]
    current = [one for one in shop.json("model", "show")["models"] if one["state"] == "current"]
    assert [one["readable"] for one in current] == [False, True]
    assert shop.json("repurchase", MEMBER) == rows, "the night's scores are as they were"
    assert shop.run("audit")[0] == 0


def test_a_folder_that_takes_no_files_is_named(shop: Folder) -> None:
    (shop.path / "data" / "models").write_text("no folder")
    code, out, err = shop.run("model", "fit", "--json")
    assert (code, out) == (2, "") and "模型文件写不进" in err and "models" in err


def test_the_boards_of_value_and_habits(shop: Folder) -> None:
    board = shop.json("report", "value")
    rows = board["concentration"]["rows"]
    assert sum(row["members"] for row in rows) == sum(board["stages"].values()) == 12
    assert abs(rows[-1]["cumulative"] - 1) < 1e-9
    assert "前20%的会员贡献" in shop.run("report", "value")[1]
    found = shop.json("report", "habits")
    assert set(found) == {"together", "steps"} and all(one["beyond"] > 1 for one in found["together"])
    assert all(one["extra"] > 0 and 0 < one["chance"] < 1 for one in found["steps"])
    assert shop.run("report", "habits")[1].startswith("同一天一起买(近半年)")


def test_articles_without_a_category_are_named_as_the_reason(shop: Folder) -> None:
    with sqlite3.connect(next((shop.path / "data").glob("*.db"))) as opened:
        opened.execute("UPDATE product SET category = NULL")
    assert shop.run("report", "value")[1].startswith("前20%的会员贡献"), "what was paid needs no category"
    for command in (("report", "habits"), ("evaluate", "--data", "books")):
        code, _, err = shop.run(*command)
        assert code == 2 and err.startswith("购买的商品都没有品类("), (command, err)


def test_boards_of_an_empty_shop_say_so(bare: Folder) -> None:
    assert bare.run("report", "value") == (2, "", "还没有会员的购买记录\n")
    assert bare.run("model", "fit")[:2] == (0, "购买记录还太少,先按次数推荐\n")
