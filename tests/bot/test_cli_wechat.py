"""QR codes from the command line: what a scene names must be there before the platform is asked."""

import pytest

from tests.support.terminal import Folder


@pytest.mark.parametrize(
    ("scene", "said"),
    [
        ("store:nowhere", "门店里没有「nowhere」"), ("s_nowhere", "门店里没有「nowhere」"),
        ("staff:99", "店员里没有「99」"),
        ("staff:小王", "店员里没有「小王」"),
        ("campaign:没有的活动", "活动里没有「没有的活动」"),
        ("ref:K7QF2MDX9T", "邀请码里没有「K7QF2MDX9T」"),
        ("x" * 65, "场景值要 1 到 64 个字符"), ("", "场景值要 1 到 64 个字符"),
    ],
)  # fmt: skip
def test_what_is_not_there_gets_no_code(shop: Folder, scene: str, said: str) -> None:
    assert shop.run("wechat", "qr", scene) == (2, "", f"{said}\n")


@pytest.mark.parametrize("scene", ["staff:1", "campaign:每周专属", "u_1", "table_8"])
def test_for_what_is_there_the_platform_is_asked(shop: Folder, scene: str) -> None:
    code, _, error = shop.run("wechat", "qr", scene)
    assert code == 2 and "里没有" not in error, "nobody listens at the platform's address in this test"
