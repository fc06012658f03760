"""Each command from outside, on a small demo shop: what it prints, its JSON, its exit code."""

import json
import sqlite3
from pathlib import Path

import pytest

from tests.support.terminal import ROOT, Folder, memberbot

MEMBER = "oDemoMember01"


def test_config_check_finds_every_error_with_its_place(bare: Folder) -> None:
    text = (bare.path / "config.yaml").read_text("utf-8")
    for right, wrong in (
        ("points_per_yuan: 1,", "point_per_yuan: 1,"),
        ("valid: 7 days", "valid: 7 dais"),
        ("stock: 20000", "stok: 20000"),
        ("percent: 10, cap: 15", "percent: 10, off: 3, cap: 15"),
        ('quiet_hours: "21:30-08:30"', 'quiet_hours: "晚上"'),
    ):
        assert right in text
        text = text.replace(right, wrong, 1)
    (bare.path / "broken.yaml").write_text(text, "utf-8")
    code, out, err = bare.run("config", "check", "broken.yaml", "--json")
    found = json.loads(out)
    assert (code, err) == (1, "")
    assert [row["key"] for row in found] == [
        "loyalty.earn.point_per_yuan", "coupons.off-5.valid", "coupons.off-5.stok", "coupons.category-10",
        "policy.quiet_hours",
    ]  # fmt: skip
    assert [row["suggestion"] for row in found] == ["points_per_yuan", None, "stock", None, None]
    lines = text.splitlines()
    for row in found:
        assert row["file"] == "broken.yaml"
        assert lines[row["line"] - 1][row["column"] - 1] != " "
    printed = bare.run("config", "check", "broken.yaml")[1].splitlines()
    first = found[0]
    assert printed[0] == (
        f"broken.yaml:{first['line']}:{first['column']} loyalty.earn.point_per_yuan: 没有这个键"
        "(是不是想写 points_per_yuan?)"
    )
    assert len(printed) == 5


def test_config_check_names_unknown_people_coupons_and_illegal_channels(bare: Folder) -> None:
    text = (bare.path / "config.yaml").read_text("utf-8")
    text = text.replace("to: 活跃会员", "to: 活跃会圆", 1).replace(
        "template: category-10,", "template: category-01,", 1
    )
    (bare.path / "config.yaml").write_text(text.replace("[service, next_reply]", "[template, next_reply]", 1), "utf-8")
    code, out, _ = bare.run("config", "check")
    assert code == 1
    marketers = (ROOT / "docs" / "marketers.zh.md").read_text("utf-8")
    assert out in marketers


def test_a_right_config_and_its_schema(bare: Folder) -> None:
    assert bare.run("config", "check") == (0, "配置没有问题\n", "")
    assert bare.json("config", "check") == []
    code, out, _ = bare.run("config", "schema")
    assert code == 0
    assert set(json.loads(out)["properties"]) >= {"wechat", "shop", "campaigns", "privacy"}


def test_key_and_nlu_need_no_installation(tmp_path: Path) -> None:
    first, second = (memberbot(["key"], tmp_path).stdout for _ in range(2))
    assert len(first.strip()) == 44 and first != second
    one = memberbot(["nlu", "积分", "今天天气怎么样"], tmp_path).stdout.splitlines()
    assert [line.split("\t")[0] for line in one] == ["points", "unknown"]
    typed = memberbot(["nlu", "--json"], tmp_path, stdin="余额\n优惠券\n").stdout.splitlines()
    assert [(row["text"], row["intent"]) for row in map(json.loads, typed)] == [
        ("余额", "balance"),
        ("优惠券", "coupons"),
    ]
    assert list(tmp_path.iterdir()) == []


def test_db_upgrade_and_check(bare: Folder) -> None:
    code, out, _ = bare.run("db", "upgrade")
    assert code == 0 and out.startswith("数据库结构版本 ")
    assert bare.run("db", "check") == (0, "数据库结构与程序一致\n", "")
    with sqlite3.connect(bare.path / "data" / "memberbot.db") as books:
        books.execute("ALTER TABLE member ADD COLUMN surplus TEXT")
    code, out, _ = bare.run("db", "check")
    assert code == 1 and "surplus" in out


def test_staff_are_added_listed_and_revoked(bare: Folder) -> None:
    added = bare.json("staff", "add", "小李", "--role", "manager", "--openid", "oXiaoLi")
    assert added == {"id": 1}
    people = bare.json("staff", "list")
    assert [(row["name"], row["role"], row["active"]) for row in people] == [("小李", "manager", True)]
    assert bare.run("staff", "revoke", "1") == (0, "已停用编号 1\n", "")
    assert bare.run("staff", "list")[1] == "1\t小李\tmanager\t\t停用\n"
    assert bare.run("staff", "revoke", "1")[0] == 2


def test_segments_are_counted_and_exported(shop: Folder) -> None:
    listed = shop.json("segment", "list")
    counts = {row["name"]: row["members"] for row in listed}
    assert shop.json("segment", "count", "全部会员") == {"name": "全部会员", "members": 12}
    for name, members in counts.items():
        exported = shop.run("segment", "export", name)[1].split()
        assert shop.run("segment", "count", name)[1] == f"{members}\n"
        assert len(set(exported)) == len(exported) == members
    code, _, err = shop.run("segment", "count", "没有")
    assert code == 2 and "活跃会员" in err


def test_a_campaign_is_listed_planned_and_applied_once(shop: Folder) -> None:
    listed = shop.json("campaign", "list")
    assert [row["name"] for row in listed] == ["每周专属", "复购提醒", "双月券包", "升级搭配"]
    plan = shop.json("campaign", "plan", "每周专属")
    sent = plan["arms"]["send"]
    assert 0 < sent <= 6
    assert plan["steps"][-1]["left"] == sent
    applied = shop.json("campaign", "apply", plan["id"])
    assert (applied["put"], applied["already"]) == (sent, 0)
    assert shop.run("campaign", "apply", plan["id"]) == (2, "", "这份方案已经执行过\n")
    assert "剩 0" in shop.run("campaign", "plan", "每周专属")[1].splitlines()[-7]
    assert shop.run("audit") == (0, "账目全部相符\n", "")


def test_a_member_is_shown_by_id_phone_and_openid_with_the_phone_masked(shop: Folder) -> None:
    shown = shop.json("member", "show", MEMBER)
    assert shown["phone"][3:7] == "****"
    assert shop.json("member", "show", str(shown["id"])) == shown
    assert shop.run("member", "show", MEMBER)[1].splitlines()[0] == f"会员\t{shown['id']}"
    with sqlite3.connect(shop.path / "data" / "memberbot.db") as books:
        cast = books.execute("SELECT value FROM setting WHERE key = 'sandbox:cast'").fetchone()[0]
    phone = next(row["phone"] for row in json.loads(cast)["people"] if row["openid"] == MEMBER)
    assert shop.json("member", "show", phone) == shown
    assert phone not in shop.run("member", "show", MEMBER)[1]


def test_recommend_and_repurchase_answer_for_a_member(shop: Folder) -> None:
    code, out, _ = shop.run("recommend", MEMBER, "-k", "3")
    assert code == 0 and len(out.splitlines()) == 3
    assert isinstance(shop.json("repurchase", MEMBER), list)


def test_audit_finds_what_was_tampered_with(shop: Folder) -> None:
    assert shop.json("audit") == []
    with sqlite3.connect(shop.path / "data" / "memberbot.db") as books:
        books.execute("UPDATE account SET balance = balance + 1 WHERE kind = 'points'")
    code, out, _ = shop.run("audit")
    assert code == 1 and "余额与分录不符" in out


@pytest.mark.slow
def test_say_is_one_turn_without_a_running_service(shop: Folder) -> None:
    done = memberbot(["say", "积分", "--as", MEMBER, "--json"], shop.path)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["failed"] == "" and "积分" in said["reply"]
    points = shop.json("member", "show", MEMBER)
    assert f"您现有 {points['points']:,} 积分" in said["reply"]
    staff = memberbot(["say", "今日", "--as", "oSomebody", "--staff"], shop.path)
    assert staff.stdout.strip() == "今天您发券 0 张,核销 0 张。"
    stranger = memberbot(["say", "积分", "--as", "oNobodyYet"], shop.path)
    assert (stranger.returncode, "绑定" in stranger.stdout) == (0, True)
