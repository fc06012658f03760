"""What staff mean: a deed by its kind, a title with its numbers in words, four digits, a number not on the list."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.acting import deal, deeds, empty_books, hire
from tests.support.shop import Shop, open_shop

PHONES = ("+8613800138000", "+8613912348000", "+8613700001111")
PLANS = {"loyalty": {"paid": [{"name": "黑金", "price": 199}, {"name": "钻石", "price": 399}]}}
DEAR = {"coupons": {"off-25": {"title": "满120减25", "off": 25, "over": 120, "valid": "3 days"}}}


@pytest.fixture
def local(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Shop]:
    """A shop on SQLite with a cashier and three members, two of whose phones end in 8000."""
    with open_shop(tmp_path, empty_books(migrated_sqlite, tmp_path), {**PLANS, **DEAR}) as running:
        hire(running, "o-wang")
        for phone in PHONES:
            running.member(phone)
        yield running


def test_a_kind_undoes_the_last_of_that_kind(local: Shop) -> None:
    wang = local.talker("o-wang")
    for words in ("充值 尾号1111 100", "充值 尾号1111 200", "发券 尾号1111 免费例汤", "消费 尾号1111 30"):
        deal(local, "o-wang", words)
    for words in ("撤销 充值", "撤销刚才的充值"):
        assert "充值 ¥200.00(137****1111)" in wang.say(words)
    assert "已撤销" in wang.say("确认")
    assert "充值 ¥100.00(137****1111)" in deal(local, "o-wang", "撤销充值"), "the one that is not undone yet"
    assert wang.say("撤销 充值") == "您没有可以撤销的充值。"
    assert wang.say("撤销核销") == "您没有可以撤销的核销。"
    assert "发券 1 张" in deal(local, "o-wang", "撤销发券")
    assert "消费 ¥30.00" in wang.say("撤销")


def test_a_kind_undoes_nothing_of_others_nor_what_is_late(local: Shop) -> None:
    deal(local, "o-wang", "充值 尾号1111 100")
    hire(local, "o-li", name="小李")
    assert local.talker("o-li").say("撤销 充值") == "您没有可以撤销的充值。"
    local.clock.forward(minutes=15)
    deal(local, "o-wang", "消费 尾号1111 30")
    assert "已过撤销时间" in local.talker("o-wang").say("撤销 充值")
    sold = deal(local, "o-wang", "消费 尾号1111 40").split("编号 ")[1].split(",")[0]
    assert local.talker("o-wang").say(f"撤销 充值 {sold}") == f"没有编号 {sold} 的操作可由您撤销。"
    assert "消费 ¥40.00" in local.talker("o-wang").say(f"撤销 消费 {sold}")


@pytest.mark.parametrize(
    ("typed", "echo"),
    [
        ("满一百减二十 两张", "发「满100减20」2张"), ("满一百减二十俩张", "发「满100减20」2张"),
        ("一百减二十", "发「满100减20」1张"), ("满壹佰减贰拾", "发「满100减20」1张"),
        ("满一百二减二十五", "发「满120减25」1张"), ("满一百二十减二十五的券", "发「满120减25」1张"),
        ("一百二十减", "发「满120减25」1张"), ("减二十五", "发「满120减25」1张"), ("满两百减二十", "没有找到"),
        ("满二十减二百", "没有找到"),
    ],
)  # fmt: skip
def test_a_title_with_its_numbers_in_words(local: Shop, typed: str, echo: str) -> None:
    assert echo in local.talker("o-wang").say(f"发券 尾号1111 {typed}")


def test_a_number_is_not_cut_through(tmp_path: Path, migrated_sqlite: Path) -> None:
    books = empty_books(migrated_sqlite, tmp_path)
    titles = {"off-5": {"title": "5元券", "off": 5, "valid": "7 days"}}
    with open_shop(tmp_path, books, {"coupons": titles}) as shop:
        hire(shop, "o-wang")
        shop.member(PHONES[0])
        wang = shop.talker("o-wang")
        for words in ("五元券", "5元券", "5块钱的券", "五块", "伍元"):
            assert "发「5元券」1张" in wang.say(f"发券 尾号8000 {words}"), words
        for words in ("二十五元券", "25元券", "十五元券", "五十元券"):
            assert "没有找到" in wang.say(f"发券 尾号8000 {words}"), words


def test_four_bare_digits_are_a_tail(local: Shop) -> None:
    wang = local.talker("o-wang")
    assert wang.say("查会员 1111").startswith("会员 137****1111")
    assert wang.say("上次 1111") == "137****1111 还没有消费记录。"
    assert "没有找到这位会员" in wang.say("查会员 2222")
    assert wang.say("查会员 8000").startswith("有 2 位会员符合")


@pytest.mark.parametrize("typed", ["3", "0", "第三个", "99"])
def test_a_member_not_on_the_list_is_asked_for_again(local: Shop, typed: str) -> None:
    wang = local.talker("o-wang")
    first = wang.say("充值 8000 100")
    for _ in range(2):
        assert wang.say(typed) == f"没有这个序号。{first}"
    assert wang.say("2").startswith("给 138****8000 充值 ¥100.00")
    assert "已给" in wang.say("确认")
    assert len(deeds(local, "balance.topup")) == 1


def test_four_digits_at_a_list_name_another(local: Shop) -> None:
    wang = local.talker("o-wang")
    wang.say("充值 尾号8000 100")
    assert wang.say("1111").startswith("给 137****1111 充值")


def test_every_list_is_shown_again(local: Shop) -> None:
    wang = local.talker("o-wang")
    first = wang.say("开通 1111")
    assert wang.say("9") == f"没有这个序号。{first}"
    assert "开通「钻石」" in wang.say("2")
    listed = wang.say("发券 尾号1111").splitlines()[1:]
    assert wang.say("9").splitlines()[1:] == listed
    assert "发「" in wang.say("1")
    for amount in (18, 36):
        deal(local, "o-wang", f"消费 尾号1111 {amount}")
    first = wang.say("退款 尾号1111")
    assert first.startswith("退哪一笔")
    assert wang.say("3") == f"没有这个序号。{first}"
    assert "多少钱" in wang.say("2")
