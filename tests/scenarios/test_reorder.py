"""照上次的菜单上菜: the last order once more, with what can be had today, for one store, once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from members.tables import Member, Product, StaffTask, table
from tests.support.acting import buy, empty_books, hire, in_days, messages
from tests.support.shop import Shop, open_shop

PHONE = "+8613800138000"
STORES = [{"id": "s1", "name": "一店"}, {"id": "s2", "name": "二店"}, {"id": "s3", "name": "三店"}]
BASKET = [("鸡蛋", 2, 2000), ("鲜牛奶", 1, 1200), ("大米", 1, 5000)]


@pytest.fixture
def shop(tmp_path: Path, books_url: str) -> Iterator[Shop]:
    """Three stores, somebody serves at two of them, and a member who has bought at the first."""
    with open_shop(tmp_path, books_url, {"shop": {"stores": STORES}}) as running:
        stock(running)
        yield running


@pytest.fixture
def local(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Shop]:
    """The same on SQLite alone."""
    with open_shop(tmp_path, empty_books(migrated_sqlite, tmp_path), {"shop": {"stores": STORES}}) as running:
        stock(running)
        yield running


def stock(shop: Shop) -> None:
    """Hire, and let a member buy."""
    hire(shop, "o-wang", store="s1")
    hire(shop, "o-li", name="小李", store="s2")
    buy(shop, shop.member(PHONE, openid="o-anna"), in_days(shop, -3), BASKET)


def tasks(shop: Shop) -> list[Any]:
    """The stores' tasks."""
    rows = table(StaffTask)
    with shop.service.database.reading() as connection:
        return list(connection.execute(select(rows).order_by(rows.c.id)))


def change(shop: Shop, rows: Any, which: Any, **values: Any) -> None:
    """Change rows behind the scenes."""
    with shop.service.database.transaction() as connection:
        connection.execute(update(rows).where(which).values(**values))


def test_it_is_shown_confirmed_and_given_to_the_store_once(shop: Shop) -> None:
    anna = shop.talker("o-anna")
    assert anna.say("再来一单").splitlines() == [
        "照您 2月27日 那一单,请一店备好:", "· 鸡蛋 ×2", "· 鲜牛奶", "· 大米", "到店再付款,现在不收钱。",
        "确定请回复「确认」,不要了请回复「取消」。",
    ]  # fmt: skip
    assert tasks(shop) == []
    assert anna.say("确认").startswith("好的,已经请一店备货(3 样)。")
    assert "备货" not in anna.say("确认")
    [task] = tasks(shop)
    assert (task.store_id, task.text, task.state) == ("s1", "照上次备货(到店付款):鸡蛋×2、鲜牛奶、大米", "open")
    [told] = messages(shop, "o-wang")
    assert "鸡蛋×2、鲜牛奶、大米(138****8000)" in told.content["text"]
    assert messages(shop, "o-li") == []
    assert "鸡蛋×2" in shop.talker("o-wang").say("任务")


def test_the_store_answers_and_the_member_hears_of_it(shop: Shop) -> None:
    anna = shop.talker("o-anna")
    anna.say("老样子")
    anna.say("确认")
    shop.talker("o-wang").say(f"完成 {tasks(shop)[0].id} 放在收银台")
    [told] = messages(shop, "o-anna")
    assert "一店已有答复:放在收银台" in told.content["text"]
    assert "请一店备好" in anna.say("再来一单")


def test_one_at_a_time_and_it_can_be_taken_back(shop: Shop) -> None:
    anna = shop.talker("o-anna")
    anna.say("再来一单")
    anna.say("确认")
    said = anna.say("再来一单")
    assert "一店正在备货" in said and "1. 撤回这一单" in said
    assert anna.say("1") == "已撤回,一店不会再备这一单。"
    assert tasks(shop)[0].state == "dropped"
    assert "不用再备货" in messages(shop, "o-wang")[-1].content["text"]
    assert anna.say("取消再来一单") == "现在没有在备货的单子。"
    anna.say("再来一单")
    anna.say("确认")
    assert anna.say("取消再来一单").startswith("已撤回")


def test_what_is_not_sold_any_more_is_marked_and_skipped(shop: Shop) -> None:
    products, anna = table(Product), shop.talker("o-anna")
    change(shop, products, products.c.name == "鲜牛奶", active=False)
    assert "· 鲜牛奶(现在不卖了,这次跳过)" in anna.say("再来一单")
    change(shop, products, products.c.name == "大米", active=False)
    assert "刚刚下架" in anna.say("确认")
    assert tasks(shop) == []
    change(shop, products, products.c.name == "鸡蛋", active=False)
    assert "现在都不卖了" in anna.say("再来一单")


def test_between_the_home_store_and_the_last_one_the_member_chooses(shop: Shop) -> None:
    members, anna = table(Member), shop.talker("o-anna")
    change(shop, members, members.c.id > 0, home_store="s2")
    assert anna.say("再来一单").splitlines()[1:] == ["1. 一店", "2. 二店"]
    assert "请二店备好" in anna.say("第二个")
    anna.say("确认")
    assert tasks(shop)[0].store_id == "s2" and len(messages(shop, "o-li")) == 1


def test_where_nobody_serves_nothing_is_promised(local: Shop) -> None:
    members, anna = table(Member), local.talker("o-anna")
    change(local, members, members.c.id > 0, home_store="s3")
    anna.say("再来一单")
    assert anna.say("三店").startswith("三店现在没有能接单的店员")
    assert "备货" not in anna.say("确认")


@pytest.mark.parametrize("between", ["积分", "你好", "优惠券", "推荐"])
def test_another_question_in_between_is_answered(local: Shop, between: str) -> None:
    anna = local.talker("o-anna")
    anna.say("再来一单")
    assert "备好" not in anna.say(between)
    anna.say("再来一单")
    assert anna.say("取消") == "好的,已取消。"
    assert "备货" not in anna.say("确认") and tasks(local) == []


def test_a_late_yes_does_nothing(local: Shop) -> None:
    anna = local.talker("o-anna")
    anna.say("再来一单")
    local.clock.forward(minutes=11)
    assert "备货" not in anna.say("确认") and tasks(local) == []


def test_the_same_yes_delivered_again_gets_the_same_answer(local: Shop) -> None:
    anna = local.talker("o-anna")
    anna.say("再来一单")
    xml = anna.text_xml("确认")
    assert anna.send(xml) == anna.send(xml)
    assert len(tasks(local)) == 1


def test_two_devices_have_a_flow_each_and_one_list_between_them(shop: Shop) -> None:
    from members import identity
    from tests.support.shop import KEYS

    member = 1
    with shop.service.database.transaction() as connection:
        member = identity.find(connection, "openid", "o-anna", KEYS.app_id) or 0
        identity.add(connection, member, "openid", KEYS.app_id, "o-pad", source="otp", now=shop.clock.now())
    anna, pad = shop.talker("o-anna"), shop.talker("o-pad")
    anna.say("再来一单")
    assert "备好" in pad.say("再来一单")
    assert anna.say("确认").startswith("好的")
    assert "一次只能备一单" in pad.say("确认")
    assert len(tasks(shop)) == 1


def test_three_a_day_and_an_old_one_blocks_nobody(local: Shop) -> None:
    anna = local.talker("o-anna")
    for _ in range(3):
        anna.say("再来一单")
        anna.say("确认")
        anna.say("取消再来一单")
    anna.say("再来一单")
    assert "今天已经备了 3 单" in anna.say("确认")
    local.clock.forward(days=1)
    anna.say("再来一单")
    anna.say("确认")
    local.clock.forward(hours=25)
    anna.say("再来一单")
    assert anna.say("确认").startswith("好的")
    assert [task.state for task in tasks(local)] == ["dropped"] * 4 + ["open"]


def test_nothing_bought_nothing_to_order_again(local: Shop) -> None:
    local.member("+8613900139000", openid="o-ben")
    assert "还没有您的消费记录" in local.talker("o-ben").say("再来一单")
    assert "绑定" in local.talker("o-x").say("再来一单")
