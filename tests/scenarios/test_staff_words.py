"""The words of the counter: any order, any spelling of a code, and clear answers to what can't be done."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from members.tables import Coupon, table
from tests.support.acting import deal, empty_books, hire
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
    assert "已发「满100减20」给 138****8000" in deal(local, "o-wang", typed)


def test_an_issue_in_traditional_script_is_echoed_in_it(local: Shop) -> None:
    talker = local.talker("o-wang")
    assert "回覆「確認」" in talker.say("發券 13800138000 滿100減20")
    assert "已發「滿100減20」給 138****8000" in talker.say("確認")
    assert states(local) == [("off-20-over-100", "issued")]


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("发券", "哪位会员"), ("发券 13800138000", "发哪一种券"), ("发券 满100减20", "哪位会员"),
        ("发券 138****800 满100减20", "后四位"), ("给139xxxx8000发满100减20", "没有找到这位会员"),
        ("查会员 137****8000", "没有找到这位会员"), ("查尾号80", "后四位"),
        ("发券 1380013800 满100减20", "手机号好像不对"), ("查会员 1380013800", "手机号好像不对"),
        ("发券 138001380001 满100减20", "手机号好像不对"), ("发券 13900139000 满100减20", "没有找到这位会员"),
        ("发券 13800138000 免费火锅", "没有找到「免费火锅」这种券"), ("发券 13800138000 券", "哪一种"),
        ("发券 13800138000 满100减20 6张", "1 到 5 张"), ("给13800138000发零张满100减20", "1 到 5 张"),
        ("发券 13800138000 满100减20 3张", "每人最多 2 张"), ("发券 13800138000 唯一券 2张", "已经发完"),
        ("查会员", "哪位会员"), ("查会员 13900139000", "没有找到这位会员"), ("核销", "请发券码"),
        ("核销 K7QF", "没有这张券"), ("核销 13800138000", "没有这张券"), ("查会员 000000000000", "会员码不对或已过期"),
        ("消费 尾号8000 -5", "不能是负数"), ("消费 尾号8000 0", "不能是0"), ("消费 尾号8000 1.234", "最多到分"),
        ("充值 尾号8000 99999999999999999999999", "不能超过1亿元"), ("充值 尾号8000 6000", "5000 元之间"),
        ("充值 尾号8000 12.5.6", "没看懂"), ("消费 13800138000 128.5 30", "一次只能写一个金额"),
        ("加积分 尾号8000 1.5", "整数"), ("加积分 尾号8000 -5", "请写正数"), ("扣积分 尾号8000 5", "余额不足"),
        ("消费 尾号8000 5 用余额", "余额不足"), ("退款 尾号8000 5", "没有找到可退的消费"), ("撤销", "没有可以撤销"),
        ("撤销 99", "没有编号 99"), ("批准 1", "要店长来办"), ("停用店员 小王", "要店长来办"), ("人群", "要店长来办"),
        ("确认", "没有等您确认"), ("任务", "没有待办任务"), ("完成 5", "没有编号 5 的任务"),
    ],
)  # fmt: skip
def test_what_can_not_be_done_is_said_clearly(local: Shop, typed: str, answer: str) -> None:
    said = local.talker("o-wang").say(typed)
    assert answer in said
    assert states(local) == []
    if "没有找到「" in said:
        assert "· 满100减20" in said


def test_a_part_of_two_titles_asks_which(local: Shop) -> None:
    said = local.talker("o-wang").say("发券 13800138000 100减")
    assert said.splitlines() == ["您要发的是哪一种?请回复序号:", "1. 满100减20", "2. 满100减20周末专享"]
    assert "已发「满100减20周末专享」" in deal(local, "o-wang", "2")
    assert "已发「满100减20周末专享」" in deal(local, "o-wang", "发券 13800138000 周末")


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
    for way in range(10):
        code = code_in(deal(local, "o-zhao", "发券 13800138000 免费例汤"))
        assert "已核销「免费例汤」" in deal(local, "o-zhao", command.format(spellings(code)[way])), way
