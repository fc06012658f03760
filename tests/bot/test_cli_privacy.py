"""A member's data handed out and their membership ended from the command line, on a small demo shop."""

import json
import sqlite3
from pathlib import Path

from tests.support.terminal import Folder


def someone(shop: Folder) -> int:
    """A demo member without an openid and without principal."""
    with sqlite3.connect(shop.path / "data" / "memberbot.db") as books:
        found = books.execute(
            "SELECT id FROM member WHERE state = 'active' AND id NOT IN (SELECT member_id FROM identity WHERE kind = "
            "'openid') AND id NOT IN (SELECT member_id FROM account WHERE kind = 'principal' AND balance > 0) LIMIT 1"
        ).fetchone()
    return int(found[0])


def test_everything_is_exported_and_audited(shop: Folder, tmp_path: Path) -> None:
    member = someone(shop)
    found = shop.json("member", "export", str(member))
    assert found["profile"]["id"] == member and found["orders"]
    target = tmp_path / "data.json"
    code, out, _ = shop.run("member", "export", str(member), "--out", str(target))
    assert (code, out) == (0, f"已写入 {target}\n")
    assert target.stat().st_mode & 0o077 == 0
    assert json.loads(target.read_text("utf-8"))["profile"] == found["profile"]
    assert [row["action"] for row in shop.json("member", "trail", str(member))].count("member.export") == 2


def test_erasing_cools_down_or_happens_at_once(shop: Folder) -> None:
    member = someone(shop)
    code, out, err = shop.run("member", "erase", str(member))
    assert (code, err) == (0, "")
    assert f"会员 {member} 将在" in out and "撤销注销" in out
    assert shop.json("member", "erase", str(member))["done"] is None
    done = shop.json("member", "erase", str(member), "--now")
    assert done["done"] is not None
    assert shop.run("audit")[0] == 0
    assert shop.run("member", "erase", str(member), "--now")[::2] == (2, "这位会员已经注销。\n")
    assert shop.run("member", "export", str(member))[0] == 0
    assert shop.run("member", "history", str(member))[0] == 0


def test_principal_refuses_it_at_once(shop: Folder) -> None:
    with sqlite3.connect(shop.path / "data" / "memberbot.db") as books:
        row = books.execute("SELECT member_id FROM account WHERE kind = 'principal' AND balance > 0").fetchone()
    code, _, err = shop.run("member", "erase", str(row[0]), "--now")
    assert code == 2 and "先到门店办理退款" in err
    assert shop.run("audit")[0] == 0
