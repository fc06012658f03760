"""The coupon pack from outside: switched on in config.yaml, planned, applied, and asked about in chat."""

import json
import re
from pathlib import Path

import pytest

from tests.support.terminal import Folder, memberbot

PACK = "    kind: coupon_pack\n"


@pytest.fixture
def packing(shop: Folder) -> Folder:
    """The small demo with the pack of config.yaml switched on and nobody held out."""
    write(
        shop,
        (f"{PACK}    on: false\n", f"{PACK}    on: true\n"),
        ("hold_out: 10%", "hold_out: 0%"),
        ("  hold_out: 5%", "  hold_out: 0%"),
    )
    return shop


def write(shop: Folder, *changes: tuple[str, str]) -> Path:
    """Replace parts of config.yaml, each of which must be there."""
    path = shop.path / "config.yaml"
    text = path.read_text("utf-8")
    for right, wrong in changes:
        assert right in text
        text = text.replace(right, wrong)
    path.write_text(text, "utf-8")
    return path


def said(shop: Folder, text: str, openid: str) -> str:
    """What the bot answers in chat."""
    return memberbot(["say", text, "--as", openid], shop.path).stdout


def test_a_pack_is_switched_on_planned_applied_and_explained(packing: Folder) -> None:
    made = packing.json("campaign", "plan", "双月券包")
    cost, sent = made["cost"], made["arms"]["send"]
    assert re.fullmatch(r"\d{4}-(01|03|05|07|09|11)/2M", made["period"])
    assert sent == made["steps"][-1]["left"] > 0
    assert 0 < cost["expected"] <= cost["budget"] == 20_000 * 100 and cost["gap"] <= 0.05
    assert sent <= cost["coupons"] == sum(made["templates"].values()) <= 12 * sent
    done = packing.json("campaign", "apply", made["id"])
    assert (done["put"], done["already"], done["no_coupon"]) == (sent, 0, 0)
    assert packing.run("campaign", "apply", made["id"]) == (2, "", "这份方案已经执行过\n")
    assert packing.run("audit") == (0, "账目全部相符\n", "")

    openid = "oDemoMember01"
    assert "为您选了「" in said(packing, "积分", openid)
    listed = said(packing, "优惠券", openid)
    [title] = re.findall(r"^1\. (\S+券)", listed, re.MULTILINE) or [""]
    assert title, listed
    why = said(packing, f"为什么给我{title}", openid)
    assert title in why and "双月券包" in why and re.search(r"您常买的|您近|大家常买|买过", why), why


def test_what_is_wrong_with_a_pack_is_said_with_its_place(bare: Folder) -> None:
    path = write(
        bare,
        ("product_coupons: 10, spend_and_save: 2, budget: 20000", "product_coupons: 31, spend_and_save: 2, budget: 0"),
        ("{every: 2 months, day: 1,", "{every: 5 months, day: 1,"),
    )
    assert faults(bare, path) == {
        "campaigns.双月券包.schedule.every": "every 要写 day、week、month,或「2 months」(1、2、3、4、6、12 个月)",
        "campaigns.双月券包.pack.product_coupons": "应小于或等于 30",
        "campaigns.双月券包.pack.budget": "应大于 0",
    }


@pytest.mark.parametrize(
    ("right", "wrong", "place", "complaint"),
    [
        ("product: category-10,", "product: category-01,", "offer.product[0]", "没有叫「category-01」的券模板"),
        ("product: category-10,", "product: off-5,", "offer.product[0]", "「off-5」没有限定品类或商品"),
        ("product: category-10,", "product: free-soup,", "offer.product[0]", "「free-soup」不能当品类券"),
        ("spend: [off-5-over-60,", "spend: [off-5,", "offer.spend[0]", "「off-5」不是满减券"),
        ("off-10-over-120, off", "off-5-over-60, off", "offer", "同一个券模板写了两次"),
        ("plain: off-5}\n    say: \"{member}您好,按", "plain: category-10}\n    say: \"{member}您好,按", "offer.plain",
         "「category-10」按品类发,不能当通用券"),
        ("spend_and_save: 2,", "spend_and_save: 4,", "", "offer.spend 至少要写 pack.spend_and_save 那么多种"),
        ("offer: {product: category-10, spend", "offer: {spend", "", "offer.product 要写券模板"),
        ("product_coupons: 10, spend_and_save: 2", "product_coupons: 0, spend_and_save: 0", "", "不能都是 0"),
        ("为您选了{coupon}。", "为您选了{coupon},{last}。", "say", "文案不能用 {last}"),
        ("{every: 2 months, day: 1,", "{every: 2 months, day: monday,", "schedule", "按月的要写 day(几号,1–28)"),
        ("{every: 2 months, day: 1,", "{every: 2 months, day: 30,", "schedule.day", "按月的写几号(1–28)"),
        (f"{PACK}    on: false\n", f"{PACK}    on: false\n    chanels: 1\n", "chanels", "没有这个键"),
    ],
)  # fmt: skip
def test_each_mistake_in_a_pack(bare: Folder, right: str, wrong: str, place: str, complaint: str) -> None:
    found = faults(bare, write(bare, (right, wrong)))
    [(key, message)] = found.items()
    assert key.removeprefix("campaigns.双月券包").removeprefix(".") == place
    assert complaint in message


def faults(bare: Folder, path: Path) -> dict[str, str]:
    """{key: message} of what the check finds, each at a place where something is written."""
    code, out, _ = bare.run("config", "check", "--json")
    lines, rows = path.read_text("utf-8").splitlines(), json.loads(out)
    assert code == 1
    for row in rows:
        assert lines[row["line"] - 1][row["column"] - 1] not in " ,:"
    return {row["key"]: row["message"] for row in rows}


def test_the_schema_tells_an_editor_of_packs(bare: Folder) -> None:
    kinds = json.loads(bare.run("config", "schema")[1])["$defs"]
    assert set(kinds["CouponPack"]["properties"]) >= {"pack", "offer", "schedule", "say", "hold_out"}
    assert kinds["PackRule"]["properties"]["budget"]["exclusiveMinimum"] == 0
    assert "day" in str(kinds["When"]["properties"]["every"]) and "monday" in str(kinds["When"]["properties"]["day"])
