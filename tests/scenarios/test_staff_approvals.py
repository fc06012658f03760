"""Four eyes: above an amount a manager says yes or no in chat, once, in time, and never to their own."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from members import identity, ledger
from tests.support.acting import deal, deeds, empty_books, hire, messages
from tests.support.shop import KEYS, Shop, open_shop

PHONE = "+8613800138000"
STRICT = {
    "shop": {"stores": [{"id": "s1", "name": "徐汇店"}, {"id": "s2", "name": "静安店"}]},
    "staff": {
        "limits": {
            "cashier": {
                "four_eyes_over": 100, "four_eyes_over_yuan": 500, "four_eyes_over_coupons": 1,
                "topup_per_shift": 2000,
            },
            "manager": {"four_eyes_over_yuan": 1000},
        }
    },
}  # fmt: skip


def opened(running: Shop) -> Shop:
    """The staff of two stores and a member."""
    hire(running, "o-wang", store="s1")
    hire(running, "o-zhao", name="赵店长", role="manager", store="s1")
    hire(running, "o-qian", name="钱店长", role="manager", store="s2")
    running.member(PHONE, openid="o-anna")
    return running


@pytest.fixture
def strict(tmp_path: Path, books_url: str) -> Iterator[Shop]:
    """A shop where much needs a second pair of eyes."""
    with open_shop(tmp_path, books_url, STRICT) as running:
        yield opened(running)


@pytest.fixture
def local(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Shop]:
    """The same on SQLite, for what does not differ."""
    with open_shop(tmp_path, empty_books(migrated_sqlite, tmp_path), STRICT) as running:
        yield opened(running)


def principal(shop: Shop) -> int:
    """What the member's principal is."""
    with shop.service.database.reading() as connection:
        return ledger.balances(connection, 1)["principal"]


def asked(shop: Shop, words: str = "充值 尾号8000 800", openid: str = "o-wang") -> str:
    """Ask for approval; return its number."""
    said = deal(shop, openid, words)
    found = re.search(r"已提交,编号 (\d+)", said)
    assert found is not None, said
    return found[1]


def texts(shop: Shop, openid: str) -> list[str]:
    """All notices to an openid."""
    return [str(message.content["text"]) for message in messages(shop, openid) if message.state != "cancelled"]


def test_a_manager_approves_and_everybody_hears_of_it(strict: Shop) -> None:
    wang, zhao = strict.talker("o-wang"), strict.talker("o-zhao")
    assert "这笔要店长批准" in wang.say("充值 尾号8000 800")
    said = wang.say("确认")
    number = re.findall(r"\d+", said)[0]
    assert said.startswith(f"已提交,编号 {number},等赵店长批准。2026年3月2日 11:00 前")
    assert principal(strict) == 0
    (notice,) = texts(strict, "o-zhao")
    assert notice.startswith(f"小王请您批准编号 {number}:充值 ¥800.00(138****8000)。")
    assert f"{number}. 小王:充值 ¥800.00(138****8000)" in zhao.say("待审批")
    assert zhao.say(f"批准 {number}").startswith(
        f"已批准编号 {number},小王的这笔已办好:\n已给 138****8000 充值 ¥800.00。"
    )
    assert principal(strict) == 80_000
    assert "充值 ¥800.00" in texts(strict, "o-anna")[-1]
    assert texts(strict, "o-wang")[-1].startswith(f"赵店长已批准编号 {number},已办好")
    (deed,) = deeds(strict, "balance.topup")
    assert (deed.actor, deed.approved_by, deed.store_id) == ("staff:1", "staff:2", "s1")
    assert zhao.say(f"批准 {number}") == f"编号 {number} 已经处理过了。"
    assert zhao.say("待审批") == "没有等您批准的申请。"
    assert principal(strict) == 80_000
    assert "已撤销" in deal(strict, "o-wang", "撤销"), "the one who asked did it"


def test_a_manager_refuses_with_a_reason(strict: Shop) -> None:
    number = asked(strict)
    assert (
        strict.talker("o-zhao").say(f"拒绝 {number} 金额不对")
        == f"已拒绝编号 {number}。" + "\n\n" + texts(strict, "o-zhao")[0]
    ), "the notice rides with the answer"
    assert texts(strict, "o-wang")[-1] == f"赵店长没有批准编号 {number}:充值 ¥800.00(138****8000)。金额不对"
    assert "已经处理过了" in strict.talker("o-zhao").say(f"批准 {number}")
    assert principal(strict) == 0


def test_nobody_answers_in_time(strict: Shop) -> None:
    number = asked(strict)
    strict.clock.forward(minutes=60)
    assert "已过时作废" in strict.talker("o-zhao").say(f"批准 {number}")
    assert "没有等您批准" in strict.talker("o-zhao").say("待审批")
    assert f"编号 {number}(充值 ¥800.00(138****8000))没有人批准,已作废" in strict.talker("o-wang").say("你好")
    assert principal(strict) == 0


def test_who_decided_in_time_is_not_said_to_have_lapsed(local: Shop) -> None:
    number = asked(local)
    local.talker("o-zhao").say(f"批准 {number}")
    local.clock.forward(minutes=61)
    assert "作废" not in local.talker("o-wang").say("你好")


def test_only_who_manages_the_store_decides(local: Shop) -> None:
    hire(local, "o-li", name="小李", store="s1")
    number = asked(local)
    assert "没有编号" in local.talker("o-qian").say(f"批准 {number}")
    assert "没有等您批准" in local.talker("o-qian").say("待审批")
    for openid in ("o-li", "o-wang"):
        assert local.talker(openid).say(f"批准 {number}").splitlines()[0] == "这个要店长来办。"
    hire(local, "o-boss", name="老板", role="head_office")
    assert "已批准" in local.talker("o-boss").say(f"批准 {number}")
    assert principal(local) == 80_000


def test_nobody_approves_their_own(local: Shop) -> None:
    said = deal(local, "o-zhao", "充值 尾号8000 1200")
    assert said == "这笔要店长批准,但现在没有别的店长可以批。没有做任何变动。"
    hire(local, "o-boss", name="老板", role="head_office")
    number = asked(local, "充值 尾号8000 1200", "o-zhao")
    assert local.talker("o-zhao").say(f"批准 {number}") == "自己提交的要由别人批准。"
    assert "已批准" in local.talker("o-boss").say(f"批准 {number}")


def test_nobody_approves_for_themselves(local: Shop) -> None:
    number = asked(local)
    with local.service.database.transaction() as connection:
        identity.add(connection, 1, "openid", KEYS.app_id, "o-zhao", source="test", now=local.clock.now())
    assert "和您本人有关" in local.talker("o-zhao").say(f"批准 {number}")
    assert principal(local) == 0


def test_points_and_coupons_above_their_amount(local: Shop) -> None:
    local.talker("o-zhao").say("你好")
    assert "已给" in deal(local, "o-wang", "加积分 尾号8000 100")
    number = asked(local, "加积分 尾号8000 101")
    assert "加 101 积分" in local.talker("o-zhao").say(f"批准 {number}")
    number = asked(local, "发券 尾号8000 满100减20 2张")
    assert "已发「满100减20」2张" in local.talker("o-zhao").say(f"批准 {number}")
    assert "送您 2 张" in texts(local, "o-anna")[-1]


def test_a_limit_is_counted_when_it_is_done(local: Shop) -> None:
    numbers = [asked(local), asked(local, "充值 尾号8000 700"), asked(local, "充值 尾号8000 900")]
    zhao = local.talker("o-zhao")
    assert "已批准" in zhao.say(f"批准 {numbers[0]}")
    assert "已批准" in zhao.say(f"批准 {numbers[1]}")
    assert "这个班次充值已达上限(2,000 元)" in zhao.say(f"批准 {numbers[2]}")
    assert principal(local) == 150_000
    assert "已拒绝" in zhao.say(f"拒绝 {numbers[2]}")


def test_who_is_revoked_gets_nothing_approved(local: Shop) -> None:
    number = asked(local)
    local.talker("o-wang").say("充值 尾号8000 5")
    assert "已停用小王" in local.talker("o-zhao").say("停用店员 小王")
    assert "听懂" in local.talker("o-wang").say("确认") or "绑定" in local.talker("o-wang").say("确认")
    assert "已经处理过了" in local.talker("o-zhao").say(f"批准 {number}")
    hire(local, "o-wang", store="s1")
    assert local.talker("o-wang").say("确认") == "现在没有等您确认的操作。"
    assert principal(local) == 0


def test_a_revoked_manager_decides_nothing(local: Shop) -> None:
    hire(local, "o-boss", name="老板", role="head_office")
    number = asked(local)
    local.talker("o-boss").say("停用店员 赵店长")
    assert "听懂" in local.talker("o-zhao").say(f"批准 {number}")
    assert principal(local) == 0
