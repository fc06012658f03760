"""导出: a link of one's own that soon ends, and what stands behind it."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from members import scores
from members.scores import Score
from members.tables import ExportLink, table
from tests.support.acting import buy, deeds, in_days, issue
from tests.support.shop import Shop, open_shop

PHONE = "+8613800138000"
links = table(ExportLink)


@pytest.fixture
def shop(tmp_path: Path, books_url: str) -> Iterator[Shop]:
    """A shop with a public address."""
    with open_shop(tmp_path, books_url, {"wechat": {"public_url": "https://shop.example"}}) as running:
        yield running


@pytest.fixture
def member(shop: Shop) -> int:
    """A member with an order, a coupon, points and a child; beside a stranger to them."""
    shop.member("+8613900139000", points=77, openid="o-other")
    found = shop.member(PHONE, points=1200, principal=5000, openid="o-anna")
    buy(shop, found, in_days(shop, -3), [("鲜奶", 2, 2400), ("<b>大米</b>", 1, 5900)])
    issue(shop, found, "off-20-over-100", key="k1")
    anna = shop.talker("o-anna")
    for words in ("宝宝2023年6月1日出生", "确认"):
        anna.say(words)
    return found


def ask(shop: Shop, openid: str = "o-anna") -> str:
    """Ask for the export; return the path of its link."""
    said = shop.talker(openid).say("导出我的数据")
    found = re.search(r"https://shop\.example(/export/[\w-]+)", said)
    assert found is not None, said
    return found[1]


def test_the_link_opens_everything_and_only_ones_own(shop: Shop, member: int) -> None:
    path = ask(shop)
    answer = shop.request("GET", path, params={"as": "json"})
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].startswith("attachment")
    told = json.loads(answer.text)
    assert told["profile"]["id"] == member
    assert PHONE in [one["value"] for one in told["identities"]]
    assert told["children"] == [{"stage": "宝宝1-2岁", "date": "2023-06-01", "due": False, "month_only": False}]
    assert [(line["name"], line["amount"]) for line in told["orders"][0]["lines"]] == [
        ("鲜奶", 2400),
        ("<b>大米</b>", 5900),
    ]
    assert {one["account"]: one["balance"] for one in told["balances"]} == {"points": 1200, "principal": 5000}
    assert [coupon["title"] for coupon in told["coupons"]] == ["满100减20"]
    assert {"member.child", "member.export", "member.export_opened"} <= {one["action"] for one in told["audit"]}
    assert "13900139000" not in answer.text and "o-other" not in answer.text


def test_the_page_is_for_reading_and_nothing_else(shop: Shop, member: int) -> None:
    answer = shop.request("GET", ask(shop))
    assert "138001" in answer.text and "订单" in answer.text and "¥24.00" in answer.text
    assert not re.search(r">\d{4}-\d\d-\d\dT", answer.text) and "会员卡" in answer.text, (
        "words and times that people know"
    )
    assert "<b>大米" not in answer.text and "&lt;b&gt;大米" in answer.text
    headers = answer.headers
    assert "no-store" in headers["cache-control"] and "noindex" in headers["x-robots-tag"]
    assert headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in headers["content-security-policy"]


def test_what_was_worked_out_is_told_in_words(shop: Shop, member: int) -> None:
    row = Score(member, in_days(shop, 0).date(), [["x1", 0.5, 0.4, 0.3, "habit", "买过 3 次"]], [], "slowing",
                upgrades=[["premium", "x1", "x2", 0.1, 500]])  # fmt: skip
    with shop.service.database.transaction() as connection:
        scores.put_many(connection, [row], now=shop.clock.now())
    part = shop.request("GET", ask(shop)).text.partition("推算的需要和补货时间")[2].partition("<h2>")[0]
    for words in ("<th>阶段</th><td>放缓</td>", "<th>可能的升级搭配</th>", "<th>常买</th><th>商品</th>", "买过 3 次"):
        assert words in part, (words, part)
    assert "premium" not in part and "[" not in part


def test_only_the_hash_of_a_long_token_is_kept(shop: Shop, member: int) -> None:
    token = ask(shop).rpartition("/")[2]
    assert len(token) >= 43, "32 random bytes"
    with shop.service.database.reading() as connection:
        assert connection.execute(select(links.c.token_hash)).scalar_one() == hashlib.sha256(token.encode()).hexdigest()


def test_unknown_and_ended_links_look_alike(shop: Shop, member: int) -> None:
    path = ask(shop)
    never = shop.request("GET", "/export/" + "x" * 43)
    shop.clock.forward(hours=23, minutes=59)
    assert shop.request("GET", path).status_code == 200
    shop.clock.forward(minutes=1)
    ended = shop.request("GET", path)
    assert (never.status_code, ended.status_code) == (404, 404)
    assert never.text == ended.text
    assert "no-store" in ended.headers["cache-control"]


def test_a_link_opens_ten_times(shop: Shop, member: int) -> None:
    path = ask(shop)
    codes = [shop.request("GET", path).status_code for _ in range(12)]
    assert codes == [200] * 10 + [404] * 2
    assert len(deeds(shop, "member.export_opened")) == 10


def test_one_export_an_hour_and_the_old_link_ends(shop: Shop, member: int) -> None:
    first, anna = ask(shop), shop.talker("o-anna")
    assert "刚刚给过您" in anna.say("导出我的数据")
    assert shop.request("GET", first).status_code == 200
    shop.clock.forward(hours=1)
    second = ask(shop)
    assert (shop.request("GET", first).status_code, shop.request("GET", second).status_code) == (404, 200)


def test_without_an_address_the_way_is_told(tmp_path: Path, books_url: str) -> None:
    (tmp_path / "plain").mkdir()
    with open_shop(tmp_path / "plain", books_url) as plain:
        plain.member(PHONE, openid="o-anna")
        said = plain.talker("o-anna").say("导出我的数据")
        assert "门店021-5555" in said and "核对手机号" in said
