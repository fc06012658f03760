"""config.yaml: what loads, what the environment adds, and that every error comes in one go."""

import json
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import AfterValidator, ConfigDict

from bot.config_file import ConfigErrors, Problem, load, problems, schema
from tests.bot.config_example import GOOD, Config, Store, Strict, Tier, Visits, said, write


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_right_file_loads() -> None:
    text = """\
        wechat: &w {token: "123", templates: {a: x}}
        loyalty: {earn: {points_per_yuan: 2}, tiers: [金卡], multiplier: 1.20}
        coupons: {free-soup: &soup {title: 汤, valid: 2 weeks}, other: {<<: *soup, off: 3}}
        stores:
          - {id: no, opens: 09:30, since: 2021-02-03}
        enabled: true
        campaigns: {提醒: {kind: repurchase}}
        segments: {a: {at_least: 3}, b: {tag: x}, c: off}
        reward: free-soup
        """
    config = load(write(text), Config, {})
    assert config.loyalty.multiplier == Decimal("1.2")
    assert config.loyalty.tiers == [Tier.gold]
    assert (config.coupons["other"].title, config.coupons["other"].off, config.coupons["other"].valid) == ("汤", 3, 14)
    assert config.stores == [Store(id="no", opens=time(9, 30), since=date(2021, 2, 3))]
    assert (config.segments["a"], config.segments["c"]) == (Visits(at_least=3), "off")


def test_every_error_comes_in_one_go_by_line() -> None:
    text = """\
        wechat:
          token: ${NO_SUCH}
          app_id: 12
        loyalty:
          earn: {point_per_yuan: 1}
          tiers: [金卡, 银卡]
        coupns: {}
        mode: aess
        enabled: yes
        scores: [.nan, nan, 1]
        mode: aes
        """
    assert said(write(text), {"MEMBERBOT_WECHAT__TOKN": "x"}) == [
        "config.yaml:2:10 wechat.token: 环境变量 NO_SUCH 没有设置",
        "config.yaml:3:11 wechat.app_id: 应是文字,现在是数字;请给它加上引号",
        "config.yaml:5:10 loyalty.earn.point_per_yuan: 没有这个键(是不是想写 points_per_yuan?)",
        "config.yaml:6:15 loyalty.tiers[1]: 应是普卡、金卡之一,现在是文字“银卡”(是不是想写 普卡?)",
        "config.yaml:7:1 coupns: 没有这个键(是不是想写 coupons?)",
        "config.yaml:8:7 mode: 应是plain、compatible、aes之一,现在是文字“aess”(是不是想写 aes?)",
        "config.yaml:9:10 enabled: 只能写 true 或 false(是不是想写 true?)",
        "config.yaml:10:10 scores[0]: 不能是 NaN 或无穷大",
        "config.yaml:10:16 scores[1]: 不能是 NaN 或无穷大",
        "config.yaml:11:1 mode: 键重复了,第一次写在第 8 行",
        "环境变量 MEMBERBOT_WECHAT__TOKN wechat.tokn: 没有这个键(是不是想写 token?)",
    ]


def test_environment_references() -> None:
    text = """\
        wechat:
          token: ${T}
          app_id: x-${A:-y}
          secret: ${S}
          templates: {a: "$${x}", b: "${E:-}"}
        scores:
          - ${N}
        """
    config = load(write(text), Config, {"T": "0123", "S": "true", "N": "2.5", "E": ""})
    assert (config.wechat.token, config.wechat.app_id, config.scores) == ("0123", "x-y", [2.5])
    assert config.wechat.secret.get_secret_value() == "true"
    assert config.wechat.templates == {"a": "${x}", "b": ""}


def test_a_wanting_secret_does_not_hide_the_cross_checks_and_an_override_fills_it() -> None:
    path = write("wechat: {token: '${T}'}\nreward: soup\n")
    assert said(path) == [
        "config.yaml:1:17 wechat.token: 环境变量 T 没有设置",
        "config.yaml:2:9 reward: 没有名为 soup 的券",
    ]
    env = {"MEMBERBOT_WECHAT__TOKEN": "123", "MEMBERBOT_REWARD__": "", "MEMBERBOT_HOME": "/x"}
    assert said(path, env)[0] == "config.yaml:2:9 reward: 没有名为 soup 的券"


def test_secrets_are_not_printed() -> None:
    class Picky(Strict):
        key: Annotated[str, AfterValidator(lambda text: _refuse(text))]
        number: int
        sort: Literal["a"]

    def _refuse(text: str) -> str:
        raise ValueError(f"{text!r} 太短")

    path = write("key: ${K}\nnumber: ${K}\nsort: x\n")
    found = said(path, {"K": "hush\nhush", "MEMBERBOT_X__SORT": "sesame"}, Picky)
    assert len(found) == 4 and not any("hush" in line or "sesame" in line for line in found)
    assert found[0] == "config.yaml:1:6 key: '***' 太短"


def test_overrides_follow_the_type_of_their_target() -> None:
    path = write(GOOD + "coupons: {free-soup: {title: 汤}}\nstores: [{id: a}]\n")
    env = {
        "MEMBERBOT_WECHAT__TOKEN": "0x12",
        "MEMBERBOT_WECHAT__APP_ID": "123456",
        "MEMBERBOT_WECHAT__SECRET": "1.10",
        "MEMBERBOT_wechat__Templates__Hello": "{category}九折",
        "MEMBERBOT_COUPONS__FREE_SOUP__OFF": "7",
        "MEMBERBOT_COUPONS__NEW": "{title: 8, valid: 3 days}",
        "MEMBERBOT_STORES__0__NAME": "off",
        "MEMBERBOT_LOYALTY__TIERS": '["金卡"]',
        "MEMBERBOT_LOYALTY__EARN__POINTS_PER_YUAN": "3",
        "MEMBERBOT_": "x",
        "MEMBERBOT_ENABLED": "true",
    }
    config = load(path, Config, env)
    assert (config.wechat.token, config.wechat.app_id) == ("0x12", "123456")
    assert config.wechat.secret.get_secret_value() == "1.10"
    assert config.wechat.templates == {"hello": "{category}九折"}
    assert (config.coupons["free-soup"].off, config.coupons["new"].title, config.coupons["new"].valid) == (7, "8", 3)
    assert (config.stores[0].name, config.loyalty.tiers) == ("off", [Tier.gold])
    assert (config.loyalty.earn.points_per_yuan, config.enabled) == (3, False)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("LOYALTI__EARN", "1", "loyalti: 没有这个键(是不是想写 loyalty?)"),
        ("LOYALTY__EARN__POINTS_PER_YUAN", "many", "loyalty.earn.points_per_yuan: 应是整数,现在是文字"),
        ("LOYALTY__TIERS", "[金卡", "loyalty.tiers: 应是列表,现在是文字"),
        ("LOYALTY__TIERS", "[金卡, 锡卡]", "loyalty.tiers[1]: 应是普卡、金卡之一,现在是文字(是不是想写 普卡?)"),
        ("COUPONS__X__OFF", "1", "coupons.x.title: 缺少必填的键"),
        ("WECHAT__TOKEN__X", "1", "wechat.token: 不是一组“键: 值”,不能再往下覆盖"),
        ("STORES__0__NAME", "1", "stores.0: 没有这个键"),
        ("WECHAT__", "1", "wechat.: 没有这个键"),
        ("WECHAT__TOKEN", "", "wechat.token: 至少要有 3 个字符"),
    ],
)
def test_wrong_overrides_name_the_variable(name: str, value: str, expected: str) -> None:
    [line] = said(write(GOOD), {f"MEMBERBOT_{name}": value})
    assert line.startswith(f"环境变量 MEMBERBOT_{name} {expected}")


def test_two_overrides_of_one_key() -> None:
    [line] = said(write(GOOD), {"MEMBERBOT_WECHAT__TOKEN": "one", "MEMBERBOT_WECHAT__token": "two"})
    assert line == "环境变量 MEMBERBOT_WECHAT__token wechat.token: 与环境变量 MEMBERBOT_WECHAT__TOKEN 指的是同一个键"


def test_quoted_references_reach_strict_models_too() -> None:
    class Exact(Strict):
        model_config = ConfigDict(strict=True)
        number: int
        text: str
        switch: bool

    path = write('{number: "${N}", text: "${N}", switch: "${S}"}')
    assert load(path, Exact, {"N": "7", "S": "true"}) == Exact(number=7, text="7", switch=True)
    assert said(path, {"N": "seven", "S": "perhaps"}, Exact) == [
        "config.yaml:1:10 number: 应是整数,现在是文字",
        "config.yaml:1:40 switch: 应是true 或 false,现在是文字",
    ]


def test_schema_is_for_editors() -> None:
    made = schema(Config)
    assert made["$schema"].startswith("https://json-schema.org/draft/2020-12/")
    assert (made["title"], made["additionalProperties"]) == ("Config", False)
    assert made["$defs"]["Coupon"]["additionalProperties"] is False
    json.dumps(made)


def test_load_raises_what_problems_lists() -> None:
    path = write("enabled: 5\n")
    with pytest.raises(ConfigErrors) as caught:
        load(path, Config, {})
    assert caught.value.problems == problems(path, Config, {})
    assert str(caught.value).splitlines() == said(path)
    assert str(Problem("f", 3, 4, "a.b", "错", "c")) == "f:3:4 a.b: 错(是不是想写 c?)"
