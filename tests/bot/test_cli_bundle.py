"""Slow stock from the command line: found in a stock list, bundled, offered, and the reason asked for in chat."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.support.terminal import Folder, memberbot

NAME = "清仓套餐"
CAMPAIGN = """
  清仓套餐:
    kind: bundle
    to: 全部会员
    schedule: {every: month, day: 1, at: "10:00"}
    offer: {template: clearing}
    likeliest: 4
    say: "{member}您好,{product}一起买更划算:{coupon}"
    channels: [service, next_reply]
    hold_out: 0%
"""
SOLD = """
    SELECT p.sku, p.name, count(DISTINCT o.member_id) AS buyers FROM order_line l
    JOIN product p ON p.id = l.product_id JOIN orders o ON o.id = l.order_id
    WHERE p.active AND p.category IS NOT NULL GROUP BY p.id HAVING count(DISTINCT o.day) >= 20 ORDER BY 3 DESC, 1
"""


def sold(shop: Folder) -> list[tuple[str, str, int]]:
    """The articles sold on most days, those of most members first."""
    with sqlite3.connect(next((shop.path / "data").glob("*.db"))) as books:
        return books.execute(SOLD).fetchall()


def stock_list(shop: Folder, text: str) -> str:
    """A file of what lies in the shop."""
    (shop.path / "stock.csv").write_text(text, "utf-8")
    return "stock.csv"


def test_what_lies_is_listed_longest_first(shop: Folder) -> None:
    (first, name, _), (second, *_), *_ = sold(shop)
    file = stock_list(shop, f"商品编码,品名,库存\n{first},x,1000000\n{second},x,1\n{first},x,1\nno-such,x,7\n")
    found = shop.json("report", "slow", file)
    [slow] = found["slow"]
    assert (slow["sku"], slow["name"], slow["stock"], found["unknown"]) == (first, name, 1_000_001, ["no-such"])
    assert slow["cover"] is None if not slow["sold"] else slow["cover"] == round(slow["stock"] * 90 / slow["sold"], 1)
    code, told, _ = shop.run("report", "slow", file)
    assert code == 0 and f"{name}({first})\t1000001\t" in told and "不认识的商品编码 1 个:no-such" in told
    nothing = stock_list(shop, f"商品编码,库存\n{first},0\n")
    assert "没有滞销的商品" in shop.run("report", "slow", nothing)[1]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("商品编码,库存\nA1,三箱\n", "第 2 行:库存不是整数「三箱」"),
        ("商品编码,库存\nA1,-2\n", "第 2 行:库存为负或太大「-2」"),
        ("商品编码,库存\nA1,\n", "第 2 行没有库存"),
        ("商品编码,库存\n,2\n", "第 2 行没有商品编码"),
        ("商品编码,架号\nA1,2\n", "没有「库存」这一列"),
        ("品名,库存\nA1,2\n", "没有「商品编码」这一列"),
        ("商品编码,库存\n", "表里一行也没有"),
    ],
)
def test_a_stock_list_that_says_nothing_is_refused(shop: Folder, text: str, complaint: str) -> None:
    assert shop.run("report", "slow", stock_list(shop, text)) == (2, "", f"{complaint}\n")


def test_a_file_that_is_not_there_is_refused(shop: Folder) -> None:
    assert shop.run("report", "slow", "nowhere.csv") == (2, "", "没有文件 nowhere.csv\n")


@pytest.fixture
def clearing(shop: Folder) -> tuple[Folder, list[Any]]:
    """The demo with a bundle of two articles that many members buy, nobody held out and everybody's rest over."""
    pair = sold(shop)[:2]
    write(shop.path / "config.yaml", [sku for sku, *_ in pair])
    return shop, pair


def write(path: Path, skus: list[str]) -> None:
    text = path.read_text("utf-8")
    products = ", ".join(f'"{sku}"' for sku in skus)
    template = f"  clearing: {{title: 清仓套餐9元, bundle: {{products: [{products}], price: 9}}, cost: 3, stock: 50}}\n"
    for begin, more in (("\ncampaigns:", CAMPAIGN), ("\ncoupons:", f"\n{template}")):
        at = text.index("\n", text.index(begin) + 1)
        text = text[:at] + more.rstrip("\n") + text[at:]
    text = text.replace("  hold_out: 5%", "  hold_out: 0%").replace("\nrecommend:", "\nrecommend:\n  rest_days: 0")
    path.write_text(text, "utf-8")


def test_the_likeliest_are_offered_both_and_may_ask_why(clearing: tuple[Folder, list[Any]]) -> None:
    shop, pair = clearing
    made = shop.json("campaign", "plan", NAME)
    sent = made["arms"]["send"]
    assert 0 < sent <= 4 and made["templates"] == {"clearing": sent} and made["cost"]["at_most"] == 300 * sent
    assert made["offers"] == {f"{pair[0][1]}、{pair[1][1]}": sent}
    done = shop.json("campaign", "apply", made["id"])
    assert (done["put"], done["no_coupon"], done["no_longer"]) == (sent, 0, 0)
    assert shop.run("audit") == (0, "账目全部相符\n", "")
    for member in range(1, 40):
        openid = f"oDemoMember{member:02}"
        if "一起买更划算" in memberbot(["say", "积分", "--as", openid], shop.path).stdout:
            why = memberbot(["say", "为什么", "--as", openid], shop.path).stdout
            assert NAME in why and "您买过" in why and "店里所有会员合在一起" in why, why
            return
    raise AssertionError("nobody was told")
