"""The books from outside: a statement, the check of one with nothing but the file, what the shop owes."""

import json
from pathlib import Path

import pytest

from tests.support.terminal import Folder, memberbot

MEMBER = "oDemoMember01"


def statement(shop: Folder, path: Path) -> list[str]:
    """A statement of the demo's first member, written to a file."""
    code, out, err = shop.run("statement", MEMBER, "--out", str(path))
    assert (code, err) == (0, ""), err
    assert out == f"已写入 {path}\n"
    return path.read_text("utf-8").splitlines()


def test_a_statement_is_verified_with_neither_books_nor_config(shop: Folder, tmp_path: Path) -> None:
    lines = statement(shop, tmp_path / "statement.jsonl")
    assert shop.run("statement", MEMBER)[1].splitlines() == lines
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir()
    done = memberbot(["statement", "verify", str(tmp_path / "statement.jsonl")], nowhere)
    assert (done.returncode, done.stderr) == (0, "")
    first, second = done.stdout.splitlines()
    assert first.startswith(f"核对无误:会员 {json.loads(lines[0])['member']},共 {len(lines) - 2} 笔,积分 ")
    head = json.loads(lines[-1])["head"]
    assert second.startswith(f"账链末端 {head[:4]} {head[4:8]} ")
    assert list(nowhere.iterdir()) == []
    for given, code in ((head[:16], 0), (head[:4].upper() + " " + head[4:8], 0), ("0000", 1)):
        with_head = memberbot(["statement", "verify", str(tmp_path / "statement.jsonl"), "--head", given], nowhere)
        assert with_head.returncode == code


def test_a_tampered_statement_is_told_with_reasons(shop: Folder, tmp_path: Path) -> None:
    lines = statement(shop, tmp_path / "s")
    second = json.loads(lines[2])
    lines[2] = json.dumps(second | {"amount": second["amount"] + 100}, ensure_ascii=False)
    (tmp_path / "s").write_text("\n".join(lines), "utf-8")
    done = memberbot(["statement", "verify", str(tmp_path / "s")], tmp_path)
    assert done.returncode == 1
    assert done.stdout.splitlines()[0].startswith(f"第3行:{second['account']} 余额写的是 ")
    assert "第3行:指纹不符,这一行或它前面的行改过" in done.stdout.splitlines()
    found = json.loads(memberbot(["statement", "verify", str(tmp_path / "s"), "--json"], tmp_path).stdout)
    assert len(found["problems"]) == len(done.stdout.splitlines()) - 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["verify"], "请写出要核对的文件"), (["verify", "none.jsonl"], "读不了 none.jsonl"),
        (["verify", "."], "读不了 ."), (["verify", "bytes"], "不是 UTF-8 文本"),
        (["13800138000", "file"], "要核对对账单请写"),
    ],
)  # fmt: skip
def test_what_can_not_be_read_is_bad_usage(tmp_path: Path, words: list[str], said: str) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    done = memberbot(["statement", *words], tmp_path)
    assert done.returncode == 2 and said in done.stderr and done.stdout == ""


def test_a_file_that_is_no_statement_is_not_right(tmp_path: Path) -> None:
    for content in ("", "x\ny\n", "{}\n{}\n{}\n"):
        (tmp_path / "f").write_text(content, "utf-8")
        assert memberbot(["statement", "verify", str(tmp_path / "f")], tmp_path).returncode == 1


def test_an_unknown_member_and_a_place_that_can_not_be_written(shop: Folder, tmp_path: Path) -> None:
    assert shop.run("statement", "13800138000")[0] == 2
    code, _, err = shop.run("statement", MEMBER, "--out", str(tmp_path / "no" / "s"))
    assert code == 2 and err.startswith("写不了 ")


def test_what_the_shop_owes(shop: Folder) -> None:
    code, out, err = shop.run("report", "liability")
    assert (code, err) == (0, "")
    assert out.splitlines()[0].startswith("未用积分\t") and out.splitlines()[-1].startswith("合计预计\t¥")
    found = shop.json("report", "liability")
    assert found["points"] > 0 and found["expected"] >= found["points_expected"]
    assert f"{found['points']:,}" in out.splitlines()[0]
