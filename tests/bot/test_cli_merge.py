"""Merging, parting, history and trail from the command line, on a small demo shop."""

import json
import sqlite3

from tests.support.terminal import Folder


def members(shop: Folder) -> tuple[int, int]:
    """Two demo members: one who talks in chat, one who does not."""
    with sqlite3.connect(shop.path / "data" / "memberbot.db") as books:
        bound = books.execute("SELECT member_id FROM identity WHERE value = 'oDemoMember01'").fetchone()[0]
        other = books.execute(
            "SELECT id FROM member WHERE id NOT IN (SELECT member_id FROM identity WHERE kind = 'openid') ORDER BY id"
        ).fetchone()[0]
    return bound, other


def test_two_members_are_merged_told_and_parted(shop: Folder) -> None:
    target, source = members(shop)
    before = {member: shop.json("member", "show", str(member)) for member in (source, target)}
    code, out, err = shop.run("member", "merge", str(source), "oDemoMember01", "--reason", "同一位顾客换了号码")
    assert (code, err) == (0, "")
    assert out.startswith(f"会员 {source} 已并入会员 {target}(合并编号 1)\n转入:")
    joined = shop.json("member", "show", str(source))
    assert joined["id"] == target, "the old number means whom they are part of now"
    for kind in ("points", "principal", "gift"):
        assert joined[kind] == before[source][kind] + before[target][kind]
    assert shop.run("audit")[0] == 0
    code, _, err = shop.run("member", "merge", str(source), str(target), "--reason", "again")
    assert (code, err) == (2, f"会员 {source} 已经并入会员 {target}。\n")
    parted = shop.json("member", "unmerge", "1")
    assert parted["missing"] == {} and parted["returned"]["points"] == before[source]["points"]
    assert {member: shop.json("member", "show", str(member)) for member in (source, target)} == before
    assert shop.run("audit")[0] == 0
    assert shop.run("member", "unmerge", "1")[::2] == (2, "这次合并已经撤销过了。\n")
    assert shop.run("member", "unmerge", "7")[::2] == (2, "没有这次合并。\n")
    with sqlite3.connect(shop.path / "data" / "memberbot.db") as books:
        told = books.execute("SELECT topic, openid FROM outbox WHERE topic LIKE 'notice%merged' ORDER BY id").fetchall()
    assert told == [("notice_merged", "oDemoMember01"), ("notice_unmerged", "oDemoMember01")]


def test_the_history_and_the_trail_tell_who_when_and_why(shop: Folder) -> None:
    target, source = members(shop)
    done = shop.json("member", "merge", str(source), str(target), "--reason", "重复建档")
    history = shop.json("member", "history", str(source))
    assert history["members"] == [target, source]
    assert [(row["source"], row["target"], row["reason"]) for row in history["merges"]] == [
        (source, target, "重复建档")
    ]
    phones = [row for row in history["identities"] if row["kind"] == "phone"]
    assert {row["value"][3:7] for row in phones} == {"****"}
    assert [row["ended_by"] for row in phones if row["member"] == source] == [f"merge:{done['id']}"]
    text = shop.run("member", "history", str(target))[1]
    assert text.startswith("会员\t种类\t值\t来源\t从\t到\n") and f"会员 {source} → {target}" in text
    trail = shop.json("member", "trail", str(target))
    merged = [row for row in trail if row["action"] == "member.merge"]
    assert [(row["actor"], row["origin"], row["member"]) for row in merged] == [
        ("cli", "cli", source),
        ("cli", "cli", target),
    ]
    assert merged[0]["after"] == {} and merged[0]["before"]["points"] == done["moved"]["points"]
    lines = shop.run("member", "trail", str(source), "--many", "1")[1].splitlines()
    assert len(lines) == 2 and "member.merge" in lines[1] and "重复建档" in lines[1]


def test_a_person_of_staff_leaves_a_trail(shop: Folder) -> None:
    staff = next(row["id"] for row in shop.json("staff", "list") if row["openid"] == "oDemoCashier")
    with sqlite3.connect(shop.path / "data" / "memberbot.db") as books:
        for actor, approved in ((f"staff:{staff}", ""), ("staff:99", f"staff:{staff}"), ("staff:99", "")):
            books.execute(
                "INSERT INTO audit_log (at, actor, action, origin, approved_by, detail, before, after) VALUES "
                "('2026-01-02 03:04:05.000000', ?, 'balance.topup', 'wechat:abc', ?, '{}', '{\"principal\": 1}', null)",
                (actor, approved),
            )
    found = shop.json("staff", "trail", str(staff))
    assert [(row["actor"], row["approved_by"]) for row in found] == [
        ("staff:99", f"staff:{staff}"),
        (f"staff:{staff}", ""),
    ]
    assert found[0]["before"] == {"principal": 1}
    text = shop.run("staff", "trail", str(staff))[1].splitlines()
    assert text[1].split("\t")[1:6] == ["staff:99", "", "wechat:abc", f"staff:{staff}", "balance.topup"]
    assert json.loads(text[1].split("\t")[7]) == {"principal": 1}


def test_who_is_not_there_can_not_be_merged(shop: Folder) -> None:
    target, _ = members(shop)
    code, _, err = shop.run("member", "merge", "13800138000", str(target), "--reason", "x")
    assert code == 2 and "没有找到会员「13800138000」" in err
    assert shop.run("member", "merge", str(target), str(target), "--reason", "x")[::2] == (
        2,
        "同一位会员不能和自己合并。\n",
    )
    assert shop.run("member", "merge", "1", "2")[0] == 2, "a reason must be given"
