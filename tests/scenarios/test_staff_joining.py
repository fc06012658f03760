"""Becoming staff: a word, then the code on the registered phone; anything else is an ordinary answer."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from members import staffing
from members.audit import Actor
from tests.support.acting import deal, deeds, empty_books, hire, messages
from tests.support.shop import Shop, open_shop

PHONE = "+8613900139000"
STORES = {"shop": {"stores": [{"id": "s1", "name": "徐汇店"}, {"id": "s2", "name": "静安店"}]}}


@pytest.fixture
def local(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Shop]:
    """A shop on SQLite with a manager and a member."""
    with open_shop(tmp_path, empty_books(migrated_sqlite, tmp_path), STORES) as running:
        hire(running, "o-zhao", name="赵店长", role="manager", store="s1")
        running.member("+8613800138000", openid="o-anna")
        yield running


def hired(shop: Shop, phone: str = PHONE, name: str = "小李") -> staffing.Invited:
    """Somebody added from the command line."""
    with shop.service.database.transaction() as connection:
        return staffing.hire(
            connection, shop.service.vault, name=name, role="cashier", store=None, phone=phone, hours=48,
            by=Actor("cli"), now=shop.clock.now(),
        )  # fmt: skip


def ordinary(shop: Shop, openid: str) -> str:
    """How whatever is unknown is answered."""
    return head(shop, openid, "asdf")


def head(shop: Shop, openid: str, text: str) -> str:
    """The first line of an answer: below it stands what these words may have meant."""
    return shop.talker(openid).say(text).splitlines()[0]


def test_the_word_then_the_code_on_the_registered_phone(shop: Shop) -> None:
    made, li = hired(shop), shop.talker("o-li")
    assert li.say(made.word).splitlines()[0].startswith("您好,小李!验证码已发到登记的手机 139****9000,5分钟内有效")
    phone, code = shop.code_for("o-li")
    assert phone == PHONE
    assert "听懂" in li.say("查会员 13800138000"), "not staff yet"
    assert li.say(code) == "小李,欢迎!您现在可以在这里为会员办理了。\n回复「店员帮助」看看怎么用。"
    assert "店员指令" in li.say("店员帮助")
    (bound,) = deeds(shop, "staff.bind")
    assert bound.detail == {"staff": made.id}
    assert head(shop, "o-evil", made.word) == ordinary(shop, "o-evil"), "the word is used up"


@pytest.mark.parametrize("spell", [str.lower, lambda word: word.replace("-", " "), lambda word: f" {word}。"])
def test_a_word_in_any_spelling(local: Shop, spell: object) -> None:
    assert callable(spell)
    made = hired(local)
    assert "您好,小李" in local.talker("o-li").say(spell(made.word))


def test_a_wrong_or_old_word_is_an_ordinary_answer(local: Shop) -> None:
    made = hired(local)
    for openid in ("o-anna", "o-stranger"):
        expected = ordinary(local, openid)
        for word in ("K7QF-2MDX", "0000000A", made.word[:-1] + ("A" if made.word[-1] != "A" else "B")):
            assert head(local, openid, word) == expected
    local.clock.forward(hours=48)
    assert head(local, "o-li", made.word) == ordinary(local, "o-li")


def test_guessing_is_answered_alike_and_counts(local: Shop) -> None:
    made, expected = hired(local), ordinary(local, "o-evil")
    for number in range(6):
        assert head(local, "o-evil", f"K7QF-2MD{number}") == expected
    assert head(local, "o-evil", made.word) == expected, "too late: locked"
    assert "您好,小李" in local.talker("o-li").say(made.word), "others are not"
    local.clock.forward(minutes=62)
    assert "验证码" in local.talker("o-evil").say(made.word)


def test_the_word_alone_is_worth_nothing(local: Shop) -> None:
    made, evil = hired(local), local.talker("o-evil")
    evil.say(made.word)
    assert "验证码不对" in evil.say("000000" if local.code_for("o-evil")[1] != "000000" else "111111")
    li = local.talker("o-li")
    local.clock.forward(minutes=2)
    li.say(made.word)
    assert "欢迎" in li.say(local.code_for("o-li")[1])


def test_a_binding_code_does_not_make_staff(local: Shop) -> None:
    made, li = hired(local), local.talker("o-li")
    li.say("绑定 13900139000")
    assert "绑定成功" in li.say(local.code_for("o-li")[1])
    assert "店员指令" not in li.say("店员帮助")
    local.clock.forward(minutes=2)
    li.say(made.word)
    assert "欢迎" in li.say(local.code_for("o-li")[1])
    assert "不能给自己办理" in li.say("充值 13900139000 5")


def test_a_manager_invites_in_chat(local: Shop) -> None:
    zhao = local.talker("o-zhao")
    assert zhao.say("邀请导购 小美 13900139000").startswith("邀请小美(139****9000)做导购,门店 徐汇店。")
    said = zhao.say("确认")
    word = re.search(r"[0-9A-Z]{4}-[0-9A-Z]{4}", said)
    assert word is not None
    mei = local.talker("o-mei")
    mei.say(word[0])
    assert "欢迎" in mei.say(local.code_for("o-mei")[1])
    assert "小美 导购" in zhao.say("店员")
    assert "已登记为小美" in deal(local, "o-zhao", "邀请店员 小红 13900139000")
    for words in ("邀请店员", "邀请店员 小红", "邀请店员 13900139001"):
        assert "邀请店员请写" in zhao.say(words)
    assert "不能邀请这个角色" in zhao.say("邀请店长 小红 13900139001")
    assert "要店长来办" in mei.say("邀请店员 小红 13900139001")


def test_head_office_names_the_store_and_invites_managers(local: Shop) -> None:
    hire(local, "o-boss", name="老板", role="head_office")
    boss = local.talker("o-boss")
    assert "做店长,门店 静安店" in boss.say("邀请店长 钱店长 13900139000 门店 静安店")
    assert "已登记钱店长" in boss.say("确认")
    assert "没有「九店」这家门店" in boss.say("邀请店员 小红 13900139001 门店 九店")
    assert "门店 全部" in boss.say("邀请总部 老王 13900139001")


def test_an_invitation_holds_no_phone_in_the_open(local: Shop) -> None:
    local.talker("o-zhao").say("邀请店员 小红 13900139000")
    from sqlalchemy import select

    from members.tables import Conversation, table

    with local.service.database.reading() as connection:
        row = connection.execute(select(table(Conversation))).one()
    assert "139" not in json.dumps(row.data, ensure_ascii=False) and row.sealed


def test_a_lost_phone_is_ended_at_once_and_bound_anew(shop: Shop) -> None:
    hire(shop, "o-zhao", name="赵店长", role="manager")
    made, li = hired(shop), shop.talker("o-li")
    shop.member("+8613800138000")
    li.say(made.word)
    li.say(shop.code_for("o-li")[1])
    assert "回复「确认」" in li.say("充值 13800138000 50")
    assert f"已停用小李(编号 {made.id})" in shop.talker("o-zhao").say("停用店员 小李")
    assert "听懂" in li.say("查会员 13800138000")
    assert "没有找到这位店员" in shop.talker("o-zhao").say("停用店员 小李")
    again = hired(shop)
    shop.clock.forward(minutes=2)
    new = shop.talker("o-li-new")
    new.say(again.word)
    assert "欢迎" in new.say(shop.code_for("o-li-new")[1])
    shop.clock.forward(minutes=2)
    third = hired(shop, "+8613600136000", "小张")
    li.say(third.word)
    assert "欢迎" in li.say(shop.code_for("o-li")[1]), "the openid of somebody who left may serve again"


def test_two_of_one_name_are_told_apart_by_number(local: Shop) -> None:
    first = hire(local, "o-li1", name="小李", store="s1")
    second = hire(local, "o-li2", name="小李", store="s1")
    said = local.talker("o-zhao").say("停用店员 小李")
    assert f"{first}. 小李 收银员" in said and f"{second}. 小李 收银员" in said
    assert f"已停用小李(编号 {second})" in local.talker("o-zhao").say(f"停用店员 {second}")
    assert "店员指令" in local.talker("o-li1").say("店员帮助")
    assert "没有找到这位店员" in local.talker("o-zhao").say("停用店员 赵店长"), "nobody ends themselves"


def test_tasks_are_given_listed_and_reported(shop: Shop) -> None:
    hire(shop, "o-zhao", name="赵店长", role="manager")
    hire(shop, "o-wang")
    hire(shop, "o-li", name="小李")
    shop.member("+8613800138000")
    zhao, wang = shop.talker("o-zhao"), shop.talker("o-wang")
    assert "已派任务 1 给小王" in zhao.say("派任务 小王 尾号8000 回访新口味")
    assert messages(shop, "o-wang")[-1].content["text"].startswith("新任务 1:回访新口味(138****8000)")
    assert "已派任务 2 给本店任何人" in zhao.say("派任务 整理货架")
    assert "1. 回访新口味(138****8000)\n2. 整理货架" in wang.say("任务")
    assert "回访" not in shop.talker("o-li").say("任务")
    assert "没有编号 1 的任务" in shop.talker("o-li").say("完成 1")
    assert wang.say("完成 1 很满意,想要团购") == "已完成任务 1,谢谢!"
    assert "结果:很满意,想要团购" in messages(shop, "o-zhao")[-1].content["text"]
    assert "已经完成过了" in wang.say("完成 1")
    assert "已完成任务 2" in shop.talker("o-li").say("完成2")
    assert wang.say("任务") == "没有待办任务。"
    assert "派任务请写" in zhao.say("派任务")
    assert "要店长来办" in wang.say("派任务 小李 擦桌子")
