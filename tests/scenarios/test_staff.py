"""The counter: cashiers issue, redeem, look up and sum up in chat; nobody else can, and nobody serves themselves."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, update

from members import shops
from members.coupons import ALPHABET
from members.errors import MemberError
from members.rules import StoreRule
from members.tables import Coupon, table
from tests.support.acting import become_member, deal, deeds, empty_books, hire, issue, messages
from tests.support.shop import Shop, open_shop

PHONE, OTHER = "+8613800138000", "+8613900139000"
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


def number(text: str) -> str:
    """The number of a deed in a reply."""
    found = re.search(r"编号 (\d+)", text)
    assert found is not None, text
    return found[1]


def states(shop: Shop) -> list[tuple[str, str]]:
    """(template, state) of every coupon."""
    with shop.service.database.reading() as connection:
        return [
            tuple(row) for row in connection.execute(select(coupons.c.template, coupons.c.state).order_by(coupons.c.id))
        ]


def test_issue_tell_redeem_tell(shop: Shop) -> None:
    with shop.service.database.transaction() as connection:
        shops.sync_stores(connection, [StoreRule(id="s1", name="徐汇店")])
    staff = hire(shop, "o-wang", store="s1")
    member = shop.member(PHONE, openid="o-anna")
    wang, anna = shop.talker("o-wang"), shop.talker("o-anna")
    assert wang.say("发券 13800138000 满100减20").splitlines() == [
        "发「满100减20」1张给 138****8000", "2026年3月16日 前有效。", "请核对,5分钟内回复「确认」;回复别的就不办。",
    ]  # fmt: skip
    assert states(shop) == [], "nothing happens before 确认"
    said = wang.say("确认")
    code = code_in(said)
    assert said.splitlines() == [
        "已发「满100减20」给 138****8000", f"券码 {code}", "2026年3月16日 前有效。",
        f"编号 {number(said)},15分钟内可「撤销」。",
    ]  # fmt: skip
    (notice,) = messages(shop, "o-anna")
    assert notice.content["text"].startswith("邻家生鲜送您一张「满100减20」")
    assert code in anna.say("优惠券")
    assert wang.say(f"核销 {code}").splitlines()[:2] == ["核销 138****8000 的「满100减20」", f"券码 {code}"]
    assert states(shop) == [("off-20-over-100", "issued")]
    first, said = number(said), wang.say("确认")
    assert said.splitlines() == [
        "已核销「满100减20」", f"券码 {code}", "会员 138****8000", f"编号 {number(said)},15分钟内可「撤销」。",
    ]  # fmt: skip
    assert "已在徐汇店使用" in messages(shop, "o-anna")[-1].content["text"]
    assert "没有可用的优惠券" in anna.say("优惠券")
    (issued,), (redeemed,) = deeds(shop, "coupon.issue"), deeds(shop, "coupon.redeem")
    assert (issued.actor, issued.member_id, issued.detail["template"]) == (f"staff:{staff}", member, "off-20-over-100")
    assert (redeemed.actor, redeemed.member_id) == (f"staff:{staff}", member)
    with shop.service.database.reading() as connection:
        row = connection.execute(select(coupons)).one()
    assert (row.state, row.redeemed_by, row.redeemed_store) == ("redeemed", f"staff:{staff}", "s1")
    assert wang.say("今日").splitlines() == [
        "今天您发券 1 张,核销 1 张。",
        f"可撤销:编号 {number(said)} 核销(138****8000)、编号 {first} 发券 1 张(138****8000)",
    ]  # fmt: skip


def test_a_bare_code_is_asked_about_not_redeemed(local: Shop) -> None:
    code = code_in(deal(local, "o-wang", "发券 13800138000 满100减20"))
    assert local.talker("o-wang").say(code.lower()).startswith("核销 138****8000 的「满100减20」")
    assert states(local) == [("off-20-over-100", "issued")]
    assert "听懂" in local.talker("o-anna").say(code), "nobody else is told what it is"


def test_codes_that_do_not_work(local: Shop) -> None:
    wang = local.talker("o-wang")
    code = code_in(deal(local, "o-wang", "发券 13800138000 唯一券"))
    slip = code[:-1] + ALPHABET[(ALPHABET.index(code[-1]) + 1) % 31]
    assert "有一位输错" in wang.say(f"核销 {slip}")
    assert "没有这张券" in wang.say("核销 0000-0000-0000")
    local.clock.forward(minutes=5)
    assert "已核销" in deal(local, "o-wang", f"核销 {code}")
    local.clock.forward(days=1)
    assert "已在 2026年3月2日 10:05 用过了" in wang.say(f"核销 {code}")
    expired = code_in(deal(local, "o-wang", "发券 13800138000 满100减20"))
    local.clock.forward(days=15)
    assert "过期" in wang.say(f"核销 {expired}")
    void = code_in(deal(local, "o-wang", "发券 13800138000 满100减20"))
    with local.service.database.transaction() as connection:
        connection.execute(update(coupons).where(coupons.c.state == "issued").values(state="void"))
    assert "已作废" in wang.say(f"核销 {void}")


def test_stock_and_per_member_limits(local: Shop) -> None:
    wang = local.talker("o-wang")
    local.member(OTHER)
    deal(local, "o-wang", "发券 13800138000 唯一券")
    assert wang.say("发券 13900139000 唯一券") == "「唯一券」已经发完了。"
    for _ in range(2):
        assert "已发" in deal(local, "o-wang", "发券 13800138000 满100减20")
    assert "每人最多 2 张" in wang.say("发券 13800138000 满100减20")
    assert len(messages(local, "o-anna")) == 3


def test_a_shift_has_a_limit_and_a_new_one_begins_with_the_shops_day(local: Shop) -> None:
    wang = local.talker("o-wang")
    for _ in range(5):
        assert "已发" in deal(local, "o-wang", "发券 13800138000 免费例汤")
    assert wang.say("发券 13800138000 免费例汤") == "这个班次发券已达上限(5 张),请联系店长。"
    hire(local, "o-li", name="小李")
    assert "已发" in deal(local, "o-li", "发券 13800138000 免费例汤"), "each has their own"
    hire(local, "o-zhao", name="赵店长", role="manager")
    local.clock.move_to(local.clock.now().replace(hour=15, minute=59))
    assert "上限" in wang.say("发券 13800138000 免费例汤")
    local.clock.forward(minutes=1)
    assert "已发" in deal(local, "o-wang", "发券 13800138000 免费例汤"), "midnight in Shanghai"
    assert wang.say("今日").splitlines()[0] == "今天您发券 1 张,核销 0 张。"


def test_what_was_refused_does_not_count_for_the_shift(local: Shop) -> None:
    wang = local.talker("o-wang")
    for _ in range(9):
        wang.say("发券 13800138000 免费火锅")
        wang.say("发券 13900139000 免费例汤")
        wang.say("发券 13800138000 免费例汤")
    for _ in range(5):
        assert "已发" in deal(local, "o-wang", "发券 13800138000 免费例汤")


def test_nobody_serves_themselves(local: Shop) -> None:
    wang = local.talker("o-wang")
    become_member(local, "o-wang", "13900139000")
    for words in ("发券 13900139000 满100减20", "充值 13900139000 500", "加积分 13900139000 5", "消费 13900139000 5"):
        assert wang.say(words) == "不能给自己办理,请让同事处理。"
    hire(local, "o-li", name="小李")
    code = code_in(deal(local, "o-li", "发券 13900139000 满100减20"))
    assert "不能给自己办理" in wang.say(f"核销 {code}")
    assert states(local) == [("off-20-over-100", "issued")]
    assert "已核销" in deal(local, "o-li", f"核销 {code}")


WORDS = [
    "发券",
    "发券 13800138000 满100减20",
    "给13800138000发一张满100减20",
    "核销",
    "查会员",
    "查会员 13800138000",
    "今日",
    "查13800138000",
    "店员帮助",
    "发券 138****8000 满100减20",
    "给13800138000发两张券",
    "核销 {code}",
    "{code}",
    "消费 尾号8000 128.5",
    "充值 13800138000 500",
    "退款 13800138000 50",
    "给13800138000加100积分",
    "标签 尾号8000 不吃辣",
    "撤销",
    "任务",
    "批准 1",
    "停用店员 小王",
    "邀请店员 小李 13900139000",
    "人群 活跃会员",
    "上次 尾号8000",
    "本店今日",
]


def test_for_anyone_else_these_words_are_ordinary(local: Shop) -> None:
    code = code_in(deal(local, "o-wang", "发券 13800138000 免费例汤"))
    local.member(OTHER, openid="o-carl")
    for openid in ("o-anna", "o-carl", "o-stranger"):
        bot = local.talker(openid)
        bot.say("你好")
        ordinary = bot.say("今天天气怎么样")
        for words in WORDS:
            said = bot.say(words.format(code=code))
            others = [local.service.copy.text(key).splitlines()[0] for key in ("invite_off", "need_bind")]
            assert said.splitlines()[0] in (ordinary.splitlines()[0], *others), words
            assert "店员" not in said and "指令" not in said, words
    assert states(local) == [("free-soup", "issued")]
    assert len(deeds(local, "member.lookup")) == 0


def test_revoked_staff_are_ordinary_at_once_and_may_return(shop: Shop) -> None:
    staff = hire(shop, "o-wang")
    shop.member(PHONE)
    wang = shop.talker("o-wang")
    assert "已发" in deal(shop, "o-wang", "发券 13800138000 免费例汤")
    with shop.service.database.transaction() as connection:
        assert shops.revoke_staff(connection, staff, now=shop.clock.now())
        assert not shops.revoke_staff(connection, staff, now=shop.clock.now())
    for words in ("发券 13800138000 免费例汤", "查会员 13800138000", "今日", "店员帮助"):
        assert "听懂" in wang.say(words)
    assert hire(shop, "o-wang", role="adviser") == staff
    assert "店员指令" in wang.say("店员帮助")


def test_staff_who_are_members_too_ask_like_anybody(local: Shop) -> None:
    become_member(local, "o-wang", "13900139000")
    wang = local.talker("o-wang")
    assert "0 积分" in wang.say("积分")
    assert "没有可用的优惠券" in wang.say("我有什么优惠券")
    assert "139****9000" in wang.say("绑定")
    assert "已退订" in wang.say("退订")
    assert "听懂" in wang.say("今天天气怎么样")


def test_staff_bind_with_a_code_like_anybody(local: Shop) -> None:
    wang = local.talker("o-wang")
    assert "验证码已发送" in wang.say("13900139000")
    assert "绑定成功" in wang.say(f"验证码{local.code_for('o-wang')[1]}")


def test_looking_up_shows_figures_masked_and_is_written_down(shop: Shop) -> None:
    staff = hire(shop, "o-wang")
    member = shop.member(PHONE, points=1200, principal=10_000, gift=500)
    issue(shop, member, "free-soup", key="k")
    for typed in ("查会员 13800138000", "查13800138000", "13800138000 会员查询", "查一下会员138 0013 8000"):
        assert shop.talker("o-wang").say(typed).splitlines() == [
            "会员 138****8000", "等级 普卡", "积分 1,200", "余额 ¥105.00", "可用券 1 张", "上次消费 无",
        ]  # fmt: skip
    looks = deeds(shop, "member.lookup")
    assert [(look.actor, look.member_id, look.detail) for look in looks] == [(f"staff:{staff}", member, {})] * 4


def test_a_redelivered_command_is_done_once(shop: Shop) -> None:
    hire(shop, "o-wang")
    shop.member(PHONE, openid="o-anna")
    wang = shop.talker("o-wang")
    for words in ("发券 13800138000 免费例汤", "确认"):
        xml = wang.text_xml(words)
        assert len({wang.send(xml) for _ in range(3)}) == 1
    assert states(shop) == [("free-soup", "issued")]
    assert len(messages(shop, "o-anna")) == 1


def test_every_openid_of_the_member_is_told(local: Shop) -> None:
    become_member(local, "o-bob", "13800138000")
    deal(local, "o-wang", "发券 13800138000 免费例汤")
    told = [[notice.topic for notice in messages(local, openid)] for openid in ("o-anna", "o-bob", "o-wang")]
    assert told == [["other_bound_notice", "notice_coupon"], ["notice_coupon"], []]


def test_the_trail_names_no_person(local: Shop) -> None:
    deal(local, "o-wang", "发券 13800138000 免费例汤")
    local.talker("o-wang").say("查会员 13800138000")
    for deed in (*deeds(local, "coupon.issue"), *deeds(local, "member.lookup")):
        assert "138" not in str(deed.detail)
        assert "小王" not in str(deed)


def test_hiring_refuses_what_is_not(shop: Shop) -> None:
    for role, store in (("boss", None), ("cashier", "s9")):
        with pytest.raises(MemberError), shop.service.database.transaction() as connection:
            shops.add_staff(connection, openid="o-x", name="x", role=role, store=store, now=shop.clock.now())
