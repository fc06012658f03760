"""The real config.yaml and the real models: what marketers get to see when something is wrong."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from bot import config
from bot.config_file import ConfigErrors
from members.vault import generate_key

ROOT = Path(__file__).resolve().parents[2]
SECRETS = {
    "WECHAT_APP_ID": "wx1", "WECHAT_APP_SECRET": "s", "WECHAT_TOKEN": "t", "WECHAT_AES_KEY": "a" * 43,
    "MEMBERBOT_MASTER_KEY": generate_key(),
}  # fmt: skip


def problems(folder: Path, changes: Mapping[str, str], env: Mapping[str, str] = SECRETS) -> dict[str, str]:
    """Load config.yaml with texts replaced; return {key path: message with suggestion}."""
    text = (ROOT / "config.yaml").read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new, 1)
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    try:
        config.load(folder / "config.yaml", env)
    except ConfigErrors as errors:
        assert all(
            problem.line and problem.column for problem in errors.problems if "环境变量" not in str(problem.file)
        )
        return {problem.key_path: str(problem) for problem in errors.problems}
    return {}


def test_the_file_as_it_is_has_no_problem(tmp_path: Path) -> None:
    assert problems(tmp_path, {}) == {}


def test_errors_of_every_kind_are_reported_together(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        {
            "token: ${WECHAT_TOKEN}": 'token: ""',
            "channels: [subscription, service, next_reply]": "channels: [template, service]",
            "coupon: free-soup}": "coupon: free-soop}",
            "points_per_yuan: 1,": "points_per_yuen: 1,",
            "to: 活跃会员": "to: 活跃会圆",
            "cap: 15": "cap: -1",
            "provider: console": "provider: consol",
        },
        SECRETS | {"WECHAT_AES_KEY": "short"},
    )
    assert set(found) == {
        "wechat.token", "wechat.encoding_aes_key", "sms.provider", "loyalty.earn.points_per_yuen",
        "loyalty.reward.coupon", "coupons.category-10.cap", "campaigns.每周专属.to", "campaigns.复购提醒.channels[0]",
    }  # fmt: skip
    assert "points_per_yuan?" in found["loyalty.earn.points_per_yuen"]
    assert "free-soup?" in found["loyalty.reward.coupon"]
    assert "活跃会员?" in found["campaigns.每周专属.to"]


@pytest.mark.parametrize(
    ("env", "key"),
    [
        ({"MEMBERBOT_WECHAT__TOKEN": ""}, "wechat.token"),
        ({"MEMBERBOT_WECHAT__ENCODING_AES_KEY": "x" * 42}, "wechat.encoding_aes_key"),
        ({"MEMBERBOT_SANDBOX__ENABLED": "true"}, "sandbox.enabled"),
        ({"MEMBERBOT_DATABASE__URL": "mysql://x/y"}, "database.url"),
        ({"MEMBERBOT_SHOP__TIME_ZONE": "Asia/Shangai"}, "shop.time_zone"),
        ({"MEMBERBOT_MASTER_KEY": "c2hvcnQ="}, "privacy.keys.k1"),
        ({"MEMBERBOT_LOYALITY__EARN": "1"}, "loyality"),
    ],
)
def test_what_must_not_start_does_not(tmp_path: Path, env: dict[str, str], key: str) -> None:
    assert any(path.startswith(key) for path in problems(tmp_path, {}, SECRETS | env)), env


def test_overrides_win_and_texts_stay_texts(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text((ROOT / "config.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    overrides = {
        "MEMBERBOT_WECHAT__TOKEN": "123456",
        "MEMBERBOT_SHOP__NAME": "小店",
        "MEMBERBOT_POLICY__HOLD_OUT": "20%",
    }
    loaded = config.load(tmp_path / "config.yaml", SECRETS | overrides)
    assert (loaded.wechat.token, loaded.shop.name, loaded.policy.hold_out) == ("123456", "小店", 0.2)
    assert loaded.database.url == f"sqlite:///{tmp_path}{os.sep}data/memberbot.db"
