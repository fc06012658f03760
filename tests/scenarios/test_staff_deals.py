"""Money and points at the counter: echoed, confirmed once, told, limited, undone as a whole or not at all."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from members import auditing, coupons, ledger, shops
from members.rules import StoreRule
from members.tables import Order, StaffDeed, table
from tests.support.acting import become_member, deal, deeds, empty_books, hire, messages
from tests.support.shop import Shop, open_shop

PHONE, OTHER = "+8613800138000", "+8613900139000"
STORES = {"shop": {"stores": [{"id": "s1", "name": "徐汇店"}, {"id": "s2", "name": "静安店"}]}}
LIMITED = {
    "staff": {
        "limits": {
            "cashier": {
                "coupons_per_shift": 5, "sale": 1000, "topup": 800, "topup_per_shift": 1000, "adjust_points": 300,
                "adjust_points_per_shift": 400, "refund": 200, "refund_per_shift": 300, "per_member_per_day": 6,
            }
        },
        "store_limits": {"topup_per_day": 1500, "coupons_per_day": 7},
    },
    "loyalty": {"balance": {"topup": [{"over": 300, "gift": 30}]}},
}  # fmt: skip
orders, staff_deeds = table(Order), table(StaffDeed)


@pytest.fixture
def served(tmp_path: Path, books_url: str) -> Iterator[Shop]:
    """A shop of two stores with limits, a cashier in one, and a bound member."""
    with open_shop(tmp_path, books_url, {**STORES, **LIMITED}) as running:
        hire(running, "o-wang", store="s1")
        running.member(PHONE, openid="o-anna")
        yield running
        with running.service.database.reading() as connection:
            assert auditing.breaches(connection, now=running.clock.now()) == []


@pytest.fixture
def local(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Shop]:
    """The same on SQLite, for what does not differ."""
    with open_shop(tmp_path, empty_books(migrated_sqlite, tmp_path), {**STORES, **LIMITED}) as running:
        hire(running, "o-wang", store="s1")
        running.member(PHONE, openid="o-anna")
        yield running


def owned(shop: Shop, member: int = 1) -> dict[str, int]:
    """What the member owns of points, principal and gift."""
    with shop.service.database.reading() as connection:
        found = ledger.balances(connection, member)
    return {kind: found[kind] for kind in ("points", "principal", "gift")}


def told(shop: Shop, openid: str = "o-anna") -> str:
    """The newest notice to an openid."""
    return str(messages(shop, openid)[-1].content["text"])


def number(said: str) -> str:
    """The number of a deed in a reply."""
    found = re.search(r"编号 (\d+)", said)
    assert found is not None, said
    return found[1]


def test_a_sale_is_echoed_booked_and_told(served: Shop) -> None:
    wang = served.talker("o-wang")
    assert wang.say("消费 尾号8000 128块5").splitlines() == [
        "记 138****8000 消费 ¥128.50,得 128 积分。", "请核对,5分钟内回复「确认」;回复别的就不办。",
    ]  # fmt: skip
    assert owned(served)["points"] == 0
    said = wang.say("确认")
    assert said.startswith("已记 138****8000 消费 ¥128.50,得 128 积分。\n单号 C260302-")
    assert owned(served) == {"points": 128, "principal": 0, "gift": 0}
    assert told(served) == "您在徐汇店消费 ¥128.50。得 128 积分。如有疑问请联系门店021-5555。"
    with served.service.database.reading() as connection:
        row = connection.execute(select(orders)).one()
    assert (row.total, row.store_id, row.scope, row.member_id, row.source) == (12850, "s1", "s1", 1, "chat")
    assert "¥128.50" in served.talker("o-anna").say("上次")
    assert "¥128.50" in wang.say("上次 尾号8000")


def test_a_second_confirmation_does_nothing(served: Shop) -> None:
    wang = served.talker("o-wang")
    assert "已给" in deal(served, "o-wang", "充值 尾号8000 100")
    for words in ("确认", "好的", "确定"):
        assert wang.say(words) == "现在没有等您确认的操作。"
    assert owned(served)["principal"] == 10_000


def test_anything_else_leaves_the_echo(local: Shop) -> None:
    wang = local.talker("o-wang")
    for words in ("取消", "今日", "你好", "查会员 尾号8000", "核销 0000-0000-0000", "不对", "消费 尾号8000 -5"):
        assert "回复「确认」" in wang.say("充值 尾号8000 100")
        wang.say(words)
        assert wang.say("确认") == "现在没有等您确认的操作。", words
    assert "回复「确认」" in wang.say("充值 尾号8000 100")
    assert "已给 138****8000 加 5 积分" in deal(local, "o-wang", "加积分 尾号8000 5"), "the newer one counts"
    assert owned(local) == {"points": 5, "principal": 0, "gift": 0}


def test_an_echo_runs_out(local: Shop) -> None:
    wang = local.talker("o-wang")
    wang.say("充值 尾号8000 100")
    local.clock.forward(minutes=5)
    assert wang.say("确认") == "现在没有等您确认的操作。"
    wang.say("充值 尾号8000 100")
    local.clock.forward(minutes=4, seconds=59)
    assert "已给" in wang.say("确认")


def test_an_event_of_the_platform_leaves_the_echo_alone(local: Shop) -> None:
    wang = local.talker("o-wang")
    wang.say("充值 尾号8000 100")
    wang.event("TEMPLATESENDJOBFINISH", MsgID="1", Status="success")
    assert "已给" in wang.say("确认")


def test_a_top_up_brings_its_gift_and_pays(served: Shop) -> None:
    wang = served.talker("o-wang")
    assert wang.say("充值 138****8000 300").startswith("给 138****8000 充值 ¥300.00,赠送 ¥30.00。")
    assert "已给 138****8000 充值 ¥300.00,赠送 ¥30.00。" in wang.say("确认")
    assert owned(served) == {"points": 0, "principal": 30_000, "gift": 3_000}
    assert told(served).startswith("您在徐汇店充值 ¥300.00,赠送 ¥30.00。")
    said = deal(served, "o-wang", "消费 尾号8000 33 用余额")
    assert "消费 ¥33.00,余额支付(本金 ¥30.00,赠送 ¥3.00)" in said
    assert owned(served) == {"points": 33, "principal": 27_000, "gift": 2_700}
    assert "余额不足" in wang.say("消费 尾号8000 500 余额支付")


def test_stored_value_is_paid_out_with_its_part_of_the_gift(served: Shop) -> None:
    wang = served.talker("o-wang")
    deal(served, "o-wang", "充值 尾号8000 300")
    assert wang.say("退储值 尾号8000 100").startswith(
        "退 138****8000 储值 ¥100.00,请付现金或原路退,随之收回赠送 ¥10.00。"
    )
    said = wang.say("确认")
    assert said == "已退 138****8000 储值 ¥100.00,随之收回赠送 ¥10.00。", "handed out money cannot be undone"
    assert owned(served) == {"points": 0, "principal": 20_000, "gift": 2_000}
    assert told(served).startswith("您在徐汇店退了储值 ¥100.00,随之收回赠送 ¥10.00。")
    assert "退款不能撤销" in wang.say("撤销")
    assert "余额不足" in wang.say("余额退款 尾号8000 201")
    assert "您一次最多退 200 元" not in wang.say("尾号8000 提现 全部")
    assert "退 138****8000 储值 ¥200.00" in wang.say("储值退款 尾号8000 全部")
    wang.say("确认")
    assert owned(served) == {"points": 0, "principal": 0, "gift": 0}
    assert wang.say("退储值 尾号8000 全部") == "这位会员没有可退的储值。"
    assert "退储值 2 笔 ¥300.00" in wang.say("今日")
    deal(served, "o-wang", "充值 尾号8000 300")
    assert "退款已达上限" in wang.say("退储值 尾号8000 1"), "it counts with refunds"


def test_the_day_counts_every_deed_that_was_undone(served: Shop) -> None:
    wang = served.talker("o-wang")
    for words in ("充值 尾号8000 100", "发券 尾号8000 免费例汤"):
        deal(served, "o-wang", words)
        wang.say("撤销")
        wang.say("确认")
    assert "撤销 2 笔" in wang.say("今日")


def test_points_up_and_down_with_a_reason(served: Shop) -> None:
    wang = served.talker("o-wang")
    assert wang.say("给尾号8000加100积分 上周漏积").startswith("给 138****8000 加 100 积分(上周漏积)。")
    wang.say("确认")
    assert "扣 138****8000 40 积分" in wang.say("扣积分 尾号8000 40")
    assert "已扣 138****8000 40 积分" in wang.say("确认")
    assert owned(served)["points"] == 60
    assert "扣了您 40 积分" in told(served)
    assert "上周漏积" in served.talker("o-anna").say("积分明细")
    assert [deed.detail["points"] for deed in deeds(served, "points.adjust")] == [100, -40]


def test_a_refund_names_its_order_and_takes_the_points_back(served: Shop) -> None:
    wang = served.talker("o-wang")
    deal(served, "o-wang", "消费 尾号8000 128.5")
    assert wang.say("退款 尾号8000 28.5").splitlines()[:3] == [
        "退 ¥28.50 给 138****8000", "原单 2026年3月2日 10:00 ¥128.50", "现金 ¥28.50 · 扣回 29 积分",
    ]  # fmt: skip
    assert "已退 ¥28.50 给 138****8000" in wang.say("确认")
    assert owned(served)["points"] == 99
    assert "已退款 ¥28.50" in told(served)
    assert "撤销" not in deal(served, "o-wang", "退款 尾号8000 全部")
    assert owned(served)["points"] == 0
    assert "没有找到可退的消费" in wang.say("退款 尾号8000 1")


def test_which_order_is_asked_when_there_are_several(local: Shop) -> None:
    wang = local.talker("o-wang")
    first = deal(local, "o-wang", "消费 尾号8000 20")
    local.clock.forward(minutes=1)
    deal(local, "o-wang", "消费 尾号8000 30")
    assert wang.say("退款 尾号8000").splitlines() == [
        "退哪一笔?请回复序号:", "1. 2026年3月2日 10:01 ¥30.00(可退 ¥30.00)",
        "2. 2026年3月2日 10:00 ¥20.00(可退 ¥20.00)",
    ]  # fmt: skip
    assert "多少钱" in wang.say("2")
    assert wang.say("全部").startswith("退 ¥20.00 给 138****8000\n原单 2026年3月2日 10:00 ¥20.00")
    assert "已退" in wang.say("确认")
    assert "30.00" in wang.say("退款 尾号8000 25").splitlines()[1], "only one has as much left"
    order_no = re.search(r"单号 (\S+)", first)
    assert order_no is not None
    assert "没有做任何变动" in wang.say(f"退款 单号{order_no[1].lower()} 5"), "nothing is left of it"


def test_another_stores_orders_are_not_refunded_here(local: Shop) -> None:
    hire(local, "o-jing", name="小静", store="s2")
    hire(local, "o-boss", name="老板", role="head_office")
    deal(local, "o-wang", "消费 尾号8000 20")
    assert "没有找到可退的消费" in local.talker("o-jing").say("退款 尾号8000 5")
    assert "已退" in deal(local, "o-boss", "退款 尾号8000 5")


def test_undoing_the_last_deed_and_a_numbered_one(served: Shop) -> None:
    wang = served.talker("o-wang")
    first = number(deal(served, "o-wang", "充值 尾号8000 300"))
    deal(served, "o-wang", "消费 尾号8000 50")
    assert "撤销 2026年3月2日 10:00" in wang.say("撤销")
    assert "已撤销编号" in wang.say("确认")
    assert owned(served) == {"points": 0, "principal": 30_000, "gift": 3_000}
    assert "撤销了刚才的操作:消费 ¥50.00" in told(served)
    assert "充值 ¥300.00(138****8000)" in deal(served, "o-wang", f"撤销 {first}")
    assert owned(served) == {"points": 0, "principal": 0, "gift": 0}
    assert wang.say(f"撤销 {first}") == f"编号 {first} 已经撤销过了。"
    assert wang.say("撤销") == "您还没有可以撤销的操作。"
    assert "撤销 2 笔" in wang.say("今日")


def test_coupons_come_back_whole(served: Shop) -> None:
    wang = served.talker("o-wang")
    said = deal(served, "o-wang", "发券 尾号8000 满100减20 2张")
    codes = re.findall(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}", said)
    assert len(codes) == 2
    assert "送您 2 张「满100减20」" in told(served)
    issued = number(said)
    deal(served, "o-wang", f"核销 {codes[0]}")
    assert "会员已经用掉了一部分" in wang.say(f"撤销 {issued}")
    assert "已撤销编号" in deal(served, "o-wang", "撤销"), "the redemption"
    assert codes[0] in served.talker("o-anna").say("优惠券")
    assert "已撤销编号" in deal(served, "o-wang", f"撤销 {issued}")
    assert "没有可用的优惠券" in served.talker("o-anna").say("优惠券")
    assert "已发" in deal(served, "o-wang", "发券 尾号8000 满100减20 2张"), "per-member limit and shift are free again"


def test_what_the_member_has_used_is_not_undone(served: Shop) -> None:
    wang = served.talker("o-wang")
    topped = number(deal(served, "o-wang", "充值 尾号8000 300"))
    paid = number(deal(served, "o-wang", "消费 尾号8000 10 用余额"))
    before = owned(served)
    assert wang.say(f"撤销 {topped}") == f"编号 {topped} 不能撤销:会员已经用掉了一部分。没有做任何变动。"
    assert owned(served) == before
    deal(served, "o-wang", f"撤销 {paid}")
    deal(served, "o-wang", f"撤销 {topped}")
    assert owned(served) == {"points": 0, "principal": 0, "gift": 0}
    given = number(deal(served, "o-wang", "加积分 尾号8000 100"))
    deal(served, "o-wang", "扣积分 尾号8000 1")
    assert "会员已经用掉了一部分" in wang.say(f"撤销 {given}")
    assert owned(served)["points"] == 99


def test_undoing_has_its_time_and_its_people(local: Shop) -> None:
    hire(local, "o-li", name="小李", store="s1")
    hire(local, "o-zhao", name="赵店长", role="manager", store="s1")
    hire(local, "o-qian", name="钱店长", role="manager", store="s2")
    done = number(deal(local, "o-wang", "充值 尾号8000 100"))
    for openid in ("o-li", "o-qian"):
        assert local.talker(openid).say(f"撤销 {done}") == f"没有编号 {done} 的操作可由您撤销。"
    assert "已撤销" in deal(local, "o-zhao", f"撤销 {done}")
    late = number(deal(local, "o-wang", "充值 尾号8000 100"))
    local.clock.forward(minutes=15)
    assert "已过撤销时间" in local.talker("o-wang").say("撤销")
    assert "已过撤销时间" in local.talker("o-wang").say(f"撤销 {late}")
    local.talker("o-wang").say("加积分 尾号8000 5")
    local.talker("o-wang").say("确认")
    local.talker("o-wang").say("撤销")
    local.clock.forward(minutes=4)
    assert "已撤销" in local.talker("o-wang").say("确认")


def test_a_refund_is_not_undone(local: Shop) -> None:
    deal(local, "o-wang", "消费 尾号8000 20")
    deal(local, "o-wang", "退款 尾号8000 5")
    assert "退款不能撤销" in local.talker("o-wang").say("撤销")


def test_a_sale_that_was_refunded_is_not_undone(local: Shop) -> None:
    sold = number(deal(local, "o-wang", "消费 尾号8000 20"))
    deal(local, "o-wang", "退款 尾号8000 5")
    assert local.talker("o-wang").say(f"撤销 {sold}") == f"编号 {sold} 已经退过款,不能撤销。剩下的请走退款。"
    assert owned(local)["points"] == 15


def test_limits_of_one_deed_a_shift_a_member_and_a_store(local: Shop) -> None:
    wang = local.talker("o-wang")
    assert "一笔消费最多记 1,000 元" in wang.say("消费 尾号8000 1000.01")
    assert "一次最多充值 800 元" in wang.say("充值 尾号8000 801")
    assert "一次最多调整 300 积分" in wang.say("加积分 尾号8000 301")
    assert "已给" in deal(local, "o-wang", "充值 尾号8000 800")
    assert wang.say("充值 尾号8000 201") == "这个班次充值已达上限(1,000 元),请联系店长。"
    assert "已给" in deal(local, "o-wang", "加积分 尾号8000 300")
    assert wang.say("扣积分 尾号8000 101") == "这个班次调整积分已达上限(400 分),请联系店长。"
    hire(local, "o-li", name="小李", store="s1")
    assert wang.say("撤销").startswith("撤销 ")
    wang.say("确认")
    assert "已扣" not in wang.say("扣积分 尾号8000 1"), "there are no points any more"
    assert "已给" in deal(local, "o-wang", "加积分 尾号8000 300"), "what was undone was given back"
    assert local.talker("o-li").say("充值 尾号8000 701") == "本店今天充值已达上限(1,500 元)。"
    assert "已给" in deal(local, "o-li", "充值 尾号8000 700")
    for _ in range(4):
        deal(local, "o-wang", "消费 尾号8000 1")
    assert "给这位会员办理已达 6 次" in wang.say("消费 尾号8000 1")
    local.member(OTHER)
    assert "已记" in deal(local, "o-wang", "消费 13900139000 1")
    local.clock.forward(days=1)
    assert "已给" in deal(local, "o-wang", "充值 尾号8000 800"), "a new shift"


def test_a_limit_reached_between_echo_and_confirmation_refuses(local: Shop) -> None:
    hire(local, "o-li", name="小李", store="s1")
    wang = local.talker("o-wang")
    for openid in ("o-wang", "o-li"):
        assert "回复「确认」" in local.talker(openid).say("充值 尾号8000 800")
    assert "已给" in local.talker("o-li").say("确认")
    assert wang.say("确认") == "本店今天充值已达上限(1,500 元)。"
    assert wang.say("确认") == "现在没有等您确认的操作。"
    assert owned(local)["principal"] == 80_000


def test_self_dealing_by_the_registered_phone(local: Shop) -> None:
    with local.service.database.transaction() as connection:
        index = local.service.vault.blind_index("phone", PHONE)
        connection.execute(shops._staff.update().where(shops._staff.c.openid == "o-wang").values(phone_index=index))
    wang = local.talker("o-wang")
    for words in ("充值 尾号8000 5", "发券 尾号8000 满100减20", "加积分 尾号8000 5", "消费 尾号8000 5"):
        assert wang.say(words) == "不能给自己办理,请让同事处理。"


def test_self_dealing_that_begins_after_the_echo(local: Shop) -> None:
    local.member(OTHER)
    wang = local.talker("o-wang")
    wang.say("充值 13900139000 5")
    with local.service.database.transaction() as connection:
        from members import identity
        from tests.support.shop import KEYS

        identity.add(connection, 2, "openid", KEYS.app_id, "o-wang", source="test", now=local.clock.now())
    assert wang.say("确认") == "不能给自己办理,请让同事处理。"
    assert owned(local, 2)["principal"] == 0


def test_code_guessing_locks_for_a_while(local: Shop) -> None:
    wang = local.talker("o-wang")
    for _ in range(10):
        assert "没有这张券" in wang.say("核销 0000-0000-0000")
    code = coupons.spell("0" * 12)
    assert wang.say(f"核销 {code}") == "券码输错次数太多,为了安全请过30分钟再试。"
    local.clock.forward(minutes=31)
    assert "没有这张券" in wang.say("核销 0000-0000-0000")


def test_a_member_code_names_whom_the_till_serves(local: Shop) -> None:
    said = local.talker("o-anna").say("会员码")
    code = re.search(r"\d{4} \d{4} \d{4}", said)
    assert code is not None
    assert "138****8000" in local.talker("o-wang").say(f"消费 {code[0]} 12.5")
    assert "138****8000" in local.talker("o-wang").say(f"查会员 {code[0].replace(' ', '')}")
    local.clock.move_to(local.clock.now() + timedelta(minutes=3))
    assert "不对或已过期" in local.talker("o-wang").say(f"消费 {code[0]} 12.5")


def test_every_deed_is_in_the_record_and_the_trail(served: Shop) -> None:
    become_member(served, "o-bob", "13700137000")
    deal(served, "o-wang", "充值 13700137000 100")
    deal(served, "o-wang", "撤销")
    with served.service.database.reading() as connection:
        row = connection.execute(select(staff_deeds)).one()
    assert (row.kind, row.amount, row.store_id, row.state, row.undone_by) == (
        "topup",
        10_000,
        "s1",
        "undone",
        "staff:1",
    )
    (topup,), (undo,) = deeds(served, "balance.topup"), deeds(served, "topup.undo")
    assert (topup.actor, topup.store_id, topup.origin) == ("staff:1", "s1", "wechat:o-wang")
    assert undo.detail == {"deed": row.id}
    assert all("137" not in str(tuple(deed)) for deed in (topup, undo))


def test_head_office_serves_without_a_store(local: Shop) -> None:
    hire(local, "o-boss", name="老板", role="head_office")
    assert "已记" in deal(local, "o-boss", "消费 尾号8000 20")
    with local.service.database.transaction() as connection:
        shops.sync_stores(connection, [StoreRule(id="s9", name="九店")])
    assert "在门店消费" in told(local)


def test_self_dealing_after_unbinding(local: Shop) -> None:
    local.member(OTHER, openid="o-wang")
    wang = local.talker("o-wang")
    assert wang.say("充值 13900139000 5") == "不能给自己办理,请让同事处理。"
    wang.say("解绑")
    assert "已解绑" in wang.say("确认解绑")
    assert wang.say("充值 13900139000 5") == "不能给自己办理,请让同事处理。"
    assert owned(local, 2)["principal"] == 0
