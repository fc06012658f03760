"""The words of the counter: any order, any spelling of a code, and clear answers to what can't be done."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from members.tables import Coupon, table
from tests.support.acting import empty_books, hire
from tests.support.shop import Shop, open_shop

PHONE = "+8613800138000"
CODE = re.compile(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}")
coupons = table(Coupon)
TWINS = {"coupons": {"weekend": {"title": "满100减20周末专享", "off": 20, "over": 100, "valid": "3 days"}}}


@pytest.fixture
def local(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Shop]:
    """A shop on SQLite with a cashier and a bound member, for tables of words."""
    with open_shop(tmp_path, empty_books(migrated_sqlite, tmp_path), TWINS) as running:
        hire(running, "o-wang")
        running.member(PHONE, openid="o-anna")
        yield running


def code_in(text: str) -> str:
    """The coupon code in a reply."""
    found = CODE.search(text)
    assert found is not None, text
    return found[0]


def states(shop: Shop) -> list[tuple[str, str]]:
    """(template, state) of every coupon."""
    with shop.service.database.reading() as connection:
        return [
            tuple(row) for row in connection.execute(select(coupons.c.template, coupons.c.state).order_by(coupons.c.id))
        ]


@pytest.mark.parametrize(
    "typed",
    [
        "发券 13800138000 满100减20",
        "发券13800138000满100减20",
        "给13800138000发一张满100减20",
        "13800138000 发券 满100减20",
        "发券满100减20给13800138000",
        "发券 满100减20 13800138000",
        "给 138-0013-8000 发 满100减20 一张",
        "送券 13800138000 满100减20",
        "请给13800138000发张满100减20的优惠券",
        "發券 13800138000 滿100減20",
        "发券：１３８００１３８０００，满１００减２０",
        "补券 13800138000 off-20-over-100",
        "给会员13800138000送一张满100减20券",
        "送一张满100减20给13800138000",
        "发一张满100减20给 +86 13800138000",
        "发券 13800138000 off20over100",
        "13800138000发券满100减20",
        "给顾客13800138000发优惠券满100减20",
        "OFF-20-OVER-100发券13800138000",
    ],
)
def test_the_parts_of_an_issue_in_any_order(local: Shop, typed: str) -> None:
    assert "已发「满100减20」给 138****8000" in local.talker("o-wang").say(typed)
    assert states(local) == [("off-20-over-100", "issued")]


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("发券", "发券请写"), ("发券 13800138000", "发券请写"), ("发券 满100减20", "发券请写"),
        ("发券 138****8000 满100减20", "带星号的手机号"), ("给138xxxx8000发满100减20", "带星号的手机号"),
        ("查会员 138****8000", "带星号的手机号"), ("查138****8000", "带星号的手机号"),
        ("发券 1380013800 满100减20", "手机号好像不对"), ("查会员 1380013800", "手机号好像不对"),
        ("发券 138001380001 满100减20", "手机号好像不对"), ("发券 13900139000 满100减20", "没有找到这位会员"),
        ("发券 13800138000 免费火锅", "没有找到「免费火锅」这种券"), ("发券 13800138000 券", "哪一种"),
        ("发券 13800138000 满100减20 3张", "一次只能发一张"), ("给13800138000发两张满100减20", "一次只能发一张"),
        ("查会员", "查会员请写"), ("查会员 13900139000", "没有找到这位会员"), ("核销", "核销请写"),
        ("核销 K7QF", "没有这张券"), ("核销 13800138000", "没有这张券"),
    ],
)  # fmt: skip
def test_what_can_not_be_done_is_said_clearly(local: Shop, typed: str, answer: str) -> None:
    said = local.talker("o-wang").say(typed)
    assert answer in said
    assert states(local) == []
    if "没有找到「" in said or answer == "发券请写":
        assert "· 满100减20" in said


def test_a_part_of_two_titles_asks_which(local: Shop) -> None:
    said = local.talker("o-wang").say("发券 13800138000 100减")
    assert said.splitlines()[:3] == ["您要发的是哪一种?", "· 满100减20", "· 满100减20周末专享"]
    assert "已发「满100减20周末专享」" in local.talker("o-wang").say("发券 13800138000 周末")


def spellings(code: str) -> list[str]:
    """The same code as people type it."""
    plain = code.replace("-", "")
    return [
        code, code.lower(), plain, " ".join(plain), code.replace("-", " "), code.replace("-", "—"),
        code.replace("-", "－"),
        plain.replace("0", "O").replace("1", "I"), plain.lower().replace("0", "o").replace("1", "l"),
        "".join(chr(ord(symbol) + 0xFEE0) for symbol in plain),
    ]  # fmt: skip


@pytest.mark.parametrize("command", ["核销 {}", "核销{}", "核销券码:{}", "{} 核销", "用券 {}"])
def test_a_code_in_any_spelling(local: Shop, command: str) -> None:
    hire(local, "o-zhao", name="赵店长", role="manager")
    zhao = local.talker("o-zhao")
    for way in range(10):
        code = code_in(zhao.say("发券 13800138000 免费例汤"))
        assert "已核销「免费例汤」" in zhao.say(command.format(spellings(code)[way])), way
