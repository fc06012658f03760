"""Trade-up from the command line: switched on in the demo's config.yaml, scored, planned, applied, asked about."""

from __future__ import annotations

import pytest

from tests.support.terminal import Folder, memberbot

NAME = "升级搭配"
HEAD = "    kind: trade_up\n"


@pytest.fixture
def leading(shop: Folder) -> Folder:
    """The small demo with the example of config.yaml switched on for everybody and nobody held out."""
    path = shop.path / "config.yaml"
    text = path.read_text("utf-8")
    begin = text.index(f"  {NAME}:")
    head, rest = text[:begin], text[begin:]
    for right, wrong in (
        (f"{HEAD}    on: false\n", f"{HEAD}    on: true\n"), ("to: 活跃会员", "to: 全部会员"),
        ("hold_out: 10%", "hold_out: 0%"), ("  hold_out: 5%", "  hold_out: 0%"),
    ):  # fmt: skip
        assert right in rest
        rest = rest.replace(right, wrong, 1)
    path.write_text(head + rest, "utf-8")
    return shop


def said(shop: Folder, text: str, openid: str) -> str:
    """What the bot answers in chat."""
    return memberbot(["say", text, "--as", openid], shop.path).stdout


def test_members_are_led_on_by_what_the_night_found(leading: Folder) -> None:
    assert leading.run("model", "score")[0] == 0
    made = leading.json("campaign", "plan", NAME)
    sent = made["arms"]["send"]
    assert sent == made["steps"][-1]["left"] > 0
    assert sum(made["offers"].values()) == sent and made["templates"] == {"product-10": sent}
    done = leading.json("campaign", "apply", made["id"])
    assert (done["put"], done["already"], done["no_coupon"]) == (sent, 0, 0)
    assert leading.run("campaign", "apply", made["id"]) == (2, "", "这份方案已经执行过\n")
    assert leading.run("audit") == (0, "账目全部相符\n", "")

    for member in range(1, 40):
        openid = f"oDemoMember{member:02}"
        if "不妨试试" in said(leading, "积分", openid):
            why = said(leading, "为什么", openid)
            assert NAME in why and "您常买" in why and "店里所有会员合在一起" in why, why
            return
    raise AssertionError("nobody was told")
