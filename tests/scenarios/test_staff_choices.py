"""What is missing is asked for, what is ambiguous is chosen by number, and whom a tail means stays private."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, update

from members import tails
from members.tables import Conversation, Identity, table
from tests.support.acting import ask_code, become_member, buy, deal, deeds, empty_books, hire, in_days
from tests.support.shop import Shop, open_shop

identities, conversations = table(Identity), table(Conversation)
PHONES = ("+8613800138000", "+8613912348000", "+8613700008000", "+8613700001111")


@pytest.fixture
def local(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Shop]:
    """A shop on SQLite with a cashier and four members, three of whose phones end in 8000."""
    with open_shop(tmp_path, empty_books(migrated_sqlite, tmp_path)) as running:
        hire(running, "o-wang")
        for phone in PHONES:
            running.member(phone)
        yield running


def test_three_members_end_in_8000(shop: Shop) -> None:
    hire(shop, "o-wang")
    for phone in PHONES:
        shop.member(phone)
    wang = shop.talker("o-wang")
    assert wang.say("充值 尾号8000 100").splitlines() == [
        "有 3 位会员符合,请回复序号:", "1. 137****8000 普卡 上次无", "2. 139****8000 普卡 上次无",
        "3. 138****8000 普卡 上次无",
    ]  # fmt: skip
    assert wang.say("2").startswith("给 139****8000 充值 ¥100.00。")
    assert "已给 139****8000 充值" in wang.say("确认")


@pytest.mark.parametrize("typed", ["138****8000", "138xxxx8000", "138…8000", "１３８＊＊＊＊８０００", "138××××8000"])
def test_a_masked_phone_names_one_of_them(local: Shop, typed: str) -> None:
    assert "会员 138****8000" in local.talker("o-wang").say(f"查会员 {typed}")


@pytest.mark.parametrize("typed", ["3", "第三个", "三", "3.", "第3位"])
def test_a_choice_by_any_number(local: Shop, typed: str) -> None:
    wang = local.talker("o-wang")
    wang.say("查会员 尾号8000")
    assert wang.say(typed).startswith("会员 138****8000")


@pytest.mark.parametrize("typed", ["你好", "帮助", "取消", "都不是"])
def test_what_is_no_choice_leaves(local: Shop, typed: str) -> None:
    wang = local.talker("o-wang")
    wang.say("查会员 尾号8000")
    wang.say(typed)
    assert "会员 13" not in wang.say("1")
    assert len(deeds(local, "member.lookup")) == 0


def test_every_slot_is_asked_for_in_turn(local: Shop) -> None:
    wang = local.talker("o-wang")
    assert "哪位会员" in wang.say("充值")
    assert "有 3 位会员符合" in wang.say("8000")
    assert "多少钱" in wang.say("3")
    assert "不能是负数" in wang.say("-5")
    assert "给 138****8000 充值 ¥500.00" in wang.say("五百")
    assert "已给" in wang.say("确认")
    assert "哪位会员" in wang.say("发券")
    assert "没有找到这位会员" in wang.say("13600136000")
    assert "发哪一种券" in wang.say("13700001111"), "a bad answer is asked for again"
    assert "没有找到「火锅券」" in wang.say("火锅券")
    assert "发「免费例汤」1张给 137****1111" in wang.say("免费例汤")
    assert "已发" in wang.say("确认")
    assert "哪位会员" in wang.say("扣积分")
    assert "多少积分" in wang.say("尾号1111")
    assert "余额不足" in wang.say("5")
    assert "请发券码" in wang.say("核销")
    assert "没有这张券" in wang.say("0000-0000-0000")


def test_a_slot_may_come_with_the_command_in_any_order(local: Shop) -> None:
    wang = local.talker("o-wang")
    assert "哪位会员" in wang.say("消费 128.5")
    assert wang.say("尾号1111").startswith("记 137****1111 消费 ¥128.50")
    assert "多少钱" in wang.say("消费 尾号1111")
    assert wang.say("128块5").startswith("记 137****1111 消费 ¥128.50")


@pytest.mark.parametrize("words", ["今日", "查会员 尾号1111", "积分", "取消", "你好", "发券 尾号1111 免费例汤"])
def test_another_question_leaves_the_slot(local: Shop, words: str) -> None:
    wang = local.talker("o-wang")
    wang.say("充值 尾号1111")
    wang.say(words)
    assert "回复「确认」" not in wang.say("500")
    assert len(deeds(local, "balance.topup")) == 0


def test_a_flow_keeps_no_phone_in_the_open(local: Shop) -> None:
    local.talker("o-wang").say("充值 13800138000")
    with local.service.database.reading() as connection:
        row = connection.execute(select(conversations)).one()
    assert "138" not in str(row.data) and "8000" not in str(row.data)


def test_too_many_of_one_tail_ask_for_the_whole_number(local: Shop) -> None:
    for number in range(7):
        local.member(f"+86136{number:04d}8000")
    wang = local.talker("o-wang")
    assert "尾号 8000 的会员太多" in wang.say("查会员 尾号8000")
    assert "会员 138****8000" in wang.say("查会员 138****8000")


def test_a_tail_follows_its_phone(local: Shop) -> None:
    anna = local.talker("o-anna")
    become_member(local, "o-anna", "13500001234")
    wang = local.talker("o-wang")
    assert "会员 135****1234" in wang.say("查会员 尾号1234")
    local.clock.forward(minutes=2)
    anna.say("换手机号 13500005678")
    anna.say(local.code_for("o-anna")[1])
    anna.say(local.code_for("o-anna")[1])
    assert "没有找到这位会员" in wang.say("查会员 尾号1234")
    assert "会员 135****5678" in wang.say("查会员 尾号5678")


def test_a_tail_is_no_digits_in_the_books(local: Shop) -> None:
    with local.service.database.reading() as connection:
        rows = connection.execute(select(identities).where(identities.c.kind == "tail")).all()
    assert len(rows) == len(PHONES)
    assert all("8000" not in row.value and len(row.value) == 64 for row in rows)
    assert len({row.value for row in rows}) == 2


def test_phones_without_a_tail_get_theirs(shop: Shop) -> None:
    for phone in PHONES:
        shop.member(phone)
    with shop.service.database.transaction() as connection:
        connection.execute(update(identities).where(identities.c.kind == "tail").values(ended_at=shop.clock.now()))
        vault, now = shop.service.vault, shop.clock.now()
        assert tails.members_of(connection, vault, "8000", many=9) == []
        assert [tails.backfill(connection, vault, now=now, limit=3) for _ in range(3)] == [3, 1, 0]
        assert tails.members_of(connection, vault, "8000", many=9) == [3, 2, 1]
        assert tails.members_of(connection, vault, "8000", many=2) == [3, 2]


def test_tags_are_shown_put_on_and_taken_off(local: Shop) -> None:
    wang = local.talker("o-wang")
    assert wang.say("标签 尾号1111 不吃辣 爱喝汤") == "已给 137****1111 加标签:不吃辣、爱喝汤"
    assert "标签 不吃辣、爱喝汤" in wang.say("查会员 尾号1111")
    assert "137****1111 的标签:不吃辣、爱喝汤" in wang.say("标签 尾号1111")
    assert wang.say("老顾客") == "已给 137****1111 加标签:老顾客"
    assert wang.say("去标签 尾号1111 不吃辣") == "已去掉 137****1111 的标签:不吃辣"
    assert wang.say("去标签 尾号1111 不吃辣") == "这位会员没有这个标签。"
    assert "标签 爱喝汤、老顾客" in wang.say("查会员 尾号1111")


def test_the_last_order_of_whom_is_asked_when_staff_are_no_members(local: Shop) -> None:
    wang = local.talker("o-wang")
    deal(local, "o-wang", "消费 尾号1111 20")
    assert "哪位会员" in wang.say("上次")
    assert wang.say("尾号1111").startswith("137****1111 上次 2026年3月2日 10:00 消费 ¥20.00")
    for days, names in ((3, ("例汤", "米饭")), (2, ("例汤",)), (1, ("炒面",))):
        buy(local, 4, in_days(local, -days), [(name, 1, 1800) for name in names])
    local.clock.forward(minutes=1)
    buy(local, 4, local.clock.now(), [("米饭", 2, 400)])
    assert wang.say("尾号1111 菜单").splitlines() == [
        "137****1111 上次 2026年3月2日 10:01 在一店买了:", "· 米饭 ×2 ¥4.00", "合计 ¥4.00", "常买:米饭(2次)、例汤(2次)",
    ]  # fmt: skip
    wang.say(ask_code(local, "o-wang", "13500001234"))
    assert "还没有您的消费记录" in wang.say("上次")
