"""Each mistake in config.yaml gives its own Chinese line, at its line and column."""

import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import AwareDatetime
from pydantic_core import core_schema

from bot.config_words import Fault, words
from tests.bot.config_example import GOOD, Strict, said, write


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1:1: 文件是空的"),
        ("# 只有注释\n", "1:1: 文件是空的"),
        ("- a\n", "1:1: 文件最外层应是"),
        ("\njust text", "2:1: 文件最外层应是"),
        ("a:\n\tb: 1", "2:1: 缩进不能用制表符"),
        (b"a: 1\nb: \xd6\xd0", "2:4: 从这里起不是 UTF-8"),
        (b"\xff\xfea\x00", "1:1: 文件是 UTF-16 编码"),
        ("a: 1\nb: \x07", "2:4: 有不可见的控制字符 U+0007"),
        ("a: [1, 2", "1:4: 方括号"),
        ("a: 1\n b: 2", "2:3: 这里不该出现冒号"),
        ("a\uff1a1\nb: 2", "1:2: 用了中文冒号"),
        ("a: *x", "1:4: 引用(*)了一个没有定义的锚点"),
        ("a: 1\n---\nb: 1", "2:1: 一个文件里只能有一份配置"),
        ("!!int\na: 1", "1:1: 不支持“!”标签"),
        ("a: @x", "1:4: 值不能以这个字符开头"),
        ("a: {b: ${X}}", "1:8: 在 [ ] 或 { } 里"),
        ("a: *", "1:5: “*”和“&”后面要有名字"),
        ("a: 'x", "1:6: 引号没有配对"),
        ("a: " + "[" * 100_000, "1:43: 括号或缩进嵌套太深"),
        ("a: " + "x" * (1 << 20), "1:1: 文件超过 1024 KiB"),
        ("a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
            f"{b}: &{b} [{','.join([f'*{a}'] * 10)}]\n" for a, b in zip("abcdefg", "bcdefgh", strict=True)
        ), "超过 20000 个值(别名 * 展开后)"),
    ],
)  # fmt: skip
def test_unreadable_files_give_one_line(text: str | bytes, expected: str) -> None:
    [line] = said(write(text))
    assert line.startswith("config.yaml:") and expected in line


def test_missing_files_directories_and_byte_order_marks(tmp_path: Path) -> None:
    assert said(Path("none.yaml")) == ["none.yaml:1:1: 找不到这个文件"]
    assert said(tmp_path)[0].endswith(":1:1: 这是一个目录,不是文件")
    assert said(Path("a\0b"))[0].endswith(":1:1: 读不了这个文件(路径不合法)")
    assert said(write(b"\xef\xbb\xbfwechat: {token: abc}\nenabled: 3")) == [
        "config.yaml:1:1: 文件开头有 BOM,请另存为不带 BOM 的 UTF-8",
        "config.yaml:2:10 enabled: 应是true 或 false,现在是数字 3",
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("mode: !!python/object:os.system plain", "2:7 mode: 不支持“!”标签"),
        ("stores: !!set {a}", "2:9 stores: 不支持“!”标签"),
        ("stores: &s [*s]", "2:9 stores[0]: 锚点(&)引用了自己"),
        ("coupons: &s {<<: *s}", "2:14 coupons: “<<”只能合并另一组键值(*锚点)"),
        ("? [a]\n: 1", "2:3: 键名只能是普通文字"),
        ("'': 1", "2:1: 键名是空的"),
        ("scores: [1.5e999]", "2:10 scores[0]: 不能是 NaN 或无穷大"),
        ("enabled: on", "2:10 enabled: 只能写 true 或 false(是不是想写 true?)"),
        ("enabled: 0", "2:10 enabled: 只能写 true 或 false(是不是想写 false?)"),
        ("loyalty:", "2:9 loyalty: 应是一组“键: 值”,现在是空"),
        ("loyalty: [1]", "2:10 loyalty: 应是一组“键: 值”,现在是列表"),
        ("stores: {a: 1}", "2:9 stores: 应是列表,现在是一组“键: 值”"),
        ("stores:\n  - name: x", "3:5 stores[0].id: 缺少必填的键"),
        ("loyalty: {earn: {points_per_yuan: 1.5}}", "2:35 loyalty.earn.points_per_yuan: 应是整数,现在是数字 1.5"),
        ("loyalty: {earn: {points_per_yuan: -1}}", "2:35 loyalty.earn.points_per_yuan: 应大于或等于 0"),
        ("coupons: {a: {title: x, valid: 3 moons}}", "2:32 coupons.a.valid: 单位应是 days 或 weeks"),
        ("coupons: {a: {title: x, valid: 3}}", "2:10 coupons: 检查这里时出错(days: AttributeError),写法多半不对"),
        ("campaigns: {x: {kind: repurchse}}", "2:23 campaigns.x.kind: 应是repurchase、coupon_pack之一,现在是文字"
         "“repurchse”(是不是想写 repurchase?)"),
        ("campaigns: {x: {days_ahead: 1}}", "2:16 campaigns.x.kind: 缺少必填的键"),
        ("campaigns: {x: {kind: repurchase, confidnce: 1}}", "2:35 campaigns.x.confidnce: 没有这个键(是不是想写 "
         "confidence?)"),
        ("campaigns: {coupon_pack: {kind: coupon_pack, budget: x}}", "2:54 campaigns.coupon_pack.budget: 应是整数"),
        ("campaigns: {a: {kind: coupon_pack, budget: 1, repurchase: x}}", "2:59 campaigns.a.repurchase: 应是整数"),
        ("segments: {x: {at_lest: 3}}", "2:16 segments.x.at_lest: 没有这个键(是不是想写 at_least?)"),
        ("segments: {x: {at_least: three}}", "2:26 segments.x.at_least: 应是整数,现在是文字“three”"),
        ("campaigns: {x: {kind: repurchase, budgt: 1}}", "2:35 campaigns.x.budgt: 没有这个键,这里可以写:kind、days"),
        ("segments: {x: [1]}", "2:15 segments.x: 应是一组“键: 值” 或 文字,现在是列表"),
        ("hold_out: som", "2:11 hold_out: 应是整数 或 none、all之一,现在是文字“som”"),
        ("stores: [{id: x, opens: 9点}]", "2:25 stores[0].opens: 应是时刻(如 \"09:30\"),现在是文字“9点”"),
        ("token: x", "2:1 token: 没有这个键(是不是想写 wechat.token?)"),
        ("long_name: 3", "2:1 long_name: 没有这个键(是不是想写 long-name?)"),
        ("zzzzzz: 3", "2:1 zzzzzz: 没有这个键,这里可以写:wechat、loyalty"),
        ("stores: [{id:x}]", "2:11 stores[0].id:x: 没有这个键,冒号要用英文的,后面要有空格"),
        ("reward: soup", "2:9 reward: 没有名为 soup 的券"),
        ("mode: aes", "1:1: aes 模式要有密钥"),
        ("reward: ${", "2:9 reward: “${”的写法不对"),
    ],
)  # fmt: skip
def test_each_mistake_at_its_place(line: str, expected: str) -> None:
    found = said(write(GOOD + line + "\n"))
    assert any(one.startswith(f"config.yaml:{expected}") for one in found), found
    assert len(found) == (2 if line in ("segments: {x: {at_lest: 3}}", "stores: [{id:x}]") else 1), found


def test_a_tripping_validator_does_not_hide_the_rest() -> None:
    found = said(write("coupons: {a: {title: x, valid: [1]}}\nenabled: maybe\n"))
    assert [line.partition(": ")[0] for line in found] == [
        "config.yaml:1:1 wechat",
        "config.yaml:1:10 coupons",
        "config.yaml:2:10 enabled",
    ]


@pytest.mark.parametrize("kind", sorted(get_args(core_schema.ErrorType)))
def test_every_pydantic_error_has_chinese_words(kind: str) -> None:
    never = re.compile("no_such|get_attr|needs_py|frozen_(field|inst)|default_f|iteration|.*sentinel|ellips|.*argument")
    text = words(Fault(("a",), kind, {"expected": "'a' or 'b'"}, None, "English"), echo=True)
    assert re.search(r"[\u4e00-\u9fff]", text)
    assert "English" not in text or never.match(kind), text


def test_awkward_types_have_a_schema_and_messages() -> None:
    class Node(Strict):
        children: "list[Node]" = []
        at: AwareDatetime | None = None

    found = said(write("children: [{children: 1}, {at: 2025-01-01T00:00:00}]\nchildrn: 1\n"), {}, Node)
    assert [line.partition(" ")[2] for line in found] == [
        "children[0].children: 应是列表,现在是数字 1",
        "children[1].at: 要带时区(如 +08:00)",
        "childrn: 没有这个键(是不是想写 children?)",
    ]


def test_a_key_named_like_a_union_tag_does_not_lead_astray() -> None:
    path = write(GOOD + "campaigns: {a: {kind: repurchase, repurchase: {days_ahead: 1}, days_ahead: x}}\n")
    assert [line.partition(": ")[0] for line in said(path)] == [
        "config.yaml:2:35 campaigns.a.repurchase",
        "config.yaml:2:76 campaigns.a.days_ahead",
    ]


def test_of_a_union_the_branch_that_was_meant_speaks() -> None:
    class Every(Strict):
        every: "list[Every | Level | Visit]"

    class Level(Strict):
        tier: str

    class Visit(Strict):
        visits: int

    class Shop(Strict):
        rule: "Every | Level | Visit"

    Every.model_rebuild(_types_namespace={"Every": Every, "Level": Level, "Visit": Visit})
    Shop.model_rebuild(_types_namespace={"Every": Every, "Level": Level, "Visit": Visit})
    assert said(write("rule: {every: [{tier: 1}, {every: [{visit: 3}]}, {visits: x}, 5]}"), {}, Shop) == [
        "config.yaml:1:23 rule.every[0].tier: 应是文字,现在是数字;请给它加上引号",
        "config.yaml:1:36 rule.every[1].every[0].visits: 缺少必填的键",
        "config.yaml:1:37 rule.every[1].every[0].visit: 没有这个键(是不是想写 visits?)",
        "config.yaml:1:59 rule.every[2].visits: 应是整数,现在是文字“x”",
        "config.yaml:1:63 rule.every[3]: 应是一组“键: 值”,现在是数字 5",
    ]
