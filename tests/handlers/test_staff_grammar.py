"""What staff type at the counter, phrase by phrase; and what must not be taken for a command."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.reading import normalise
from handlers.staff.reading import (
    MOST_FEN,
    count_in,
    in_figures,
    member_said,
    money_in,
    number_in,
    numeral,
    points_in,
    who_in,
)
from handlers.staff.understanding import answer_in, command_in
from handlers.understanding import understand

Slots = dict[str, str]
P, T = {"phone": "13800138000"}, {"tail": "8000"}
M = {"masked": "138****8000"}

SAID: list[tuple[str, str, Slots]] = [
    # slips of the pen and pinyin
    ("冲值 13800138000 100", "staff_topup", {**P, "amount": "10000"}),
    ("充直 尾号8000 100", "staff_topup", {**T, "amount": "10000"}),
    ("chongzhi 13800138000 100", "staff_topup", {**P, "amount": "10000"}),
    ("fa quan 13800138000 5元券", "staff_issue", {**P, "name": "5元券"}),
    ("撒销", "staff_undo", {}),
    ("jinri", "staff_today", {}),
    ("标签 13800138000 删除 爱喝茶", "staff_tag", {**P, "way": "off", "tags": "爱喝茶"}),
    ("退款 C261122-1794A3 10", "staff_refund", {"order_no": "c261122-1794a3", "amount": "1000"}),
    # 发券
    ("发券 138****8000 满100减20 2张", "staff_issue", {**M, "name": "满100减20", "count": "2"}),
    ("满100减20 2张 发给 138****8000", "staff_issue", {**M, "name": "满100减20", "count": "2"}),
    ("给138****8000发两张满100减20", "staff_issue", {**M, "name": "满100减20", "count": "2"}),
    ("發兩張 滿100減20 給 138****8000", "staff_issue", {**M, "name": "满100减20", "count": "2"}),
    ("发券 尾号8000 5元券", "staff_issue", {**T, "name": "5元券"}),
    ("发2张券给13800138000满100减20", "staff_issue", {**P, "name": "满100减20", "count": "2"}),
    ("发券 尾号8000 满一百减二十 两张", "staff_issue", {**T, "name": "满一百减二十", "count": "2"}),
    ("发券 尾号8000 满一百减二十两张", "staff_issue", {**T, "name": "满一百减二十", "count": "2"}),
    ("发券 尾号8000 满100减20俩张", "staff_issue", {**T, "name": "满100减20", "count": "2"}),
    ("发券 尾号8000 免费例汤 十二张", "staff_issue", {**T, "name": "免费例汤", "count": "12"}),
    ("发券 13800138000 满100减20 三张", "staff_issue", {**P, "name": "满100减20", "count": "3"}),
    ("发券 13800138000 满100减20 x3", "staff_issue", {**P, "name": "满100减20", "count": "3"}),
    ("发券：１３８００１３８０００，满１００减２０", "staff_issue", {**P, "name": "满100减20"}),
    ("发券 满100减20", "staff_issue", {"name": "满100减20"}),
    ("发券 13800138000", "staff_issue", P),
    ("发券", "staff_issue", {}),
    ("送一张免费例汤给尾号八零零零", "staff_issue", {**T, "name": "免费例汤", "count": "1"}),
    ("发券 1380013800 满100减20", "staff_issue", {"problem": "bad_phone", "name": "满100减20"}),
    # 核销
    ("核销 K7QF-2MDX-9TA0", "staff_redeem", {"code": "k7qf-2mdx-9ta0"}),
    ("核销K7QF2MDX9TA0", "staff_redeem", {"code": "k7qf2mdx9ta0"}),
    ("K7QF-2MDX-9TA0 核销", "staff_redeem", {"code": "k7qf-2mdx-9ta0"}),
    ("核销 123456789012345", "staff_redeem", {"code": "123456789012345"}),
    ("验券 k7qf 2mdx 9ta0 谢谢", "staff_redeem", {"code": "k7qf 2mdx 9ta0"}),
    ("核销", "staff_redeem", {}),
    # 消费
    ("消费 尾号8000 128.5", "staff_sale", {**T, "amount": "12850"}),
    ("128.5 消费 尾号8000", "staff_sale", {**T, "amount": "12850"}),
    ("尾号8000消费128块5", "staff_sale", {**T, "amount": "12850"}),
    ("尾号8000 128块5 消费", "staff_sale", {**T, "amount": "12850"}),
    ("消費 尾號8000 128塊5", "staff_sale", {**T, "amount": "12850"}),
    ("消费 138****8000 ¥128.50", "staff_sale", {**M, "amount": "12850"}),
    ("消费￥１２８．５０尾号８０００", "staff_sale", {**T, "amount": "12850"}),
    ("尾号8000一共消费128.5", "staff_sale", {**T, "amount": "12850"}),
    ("消费:尾号8000,金额128.5元。", "staff_sale", {**T, "amount": "12850"}),
    ("13800138000消费一百二十八块五", "staff_sale", {**P, "amount": "12850"}),
    ("消费 8000 128.5", "staff_sale", {**T, "amount": "12850"}),
    ("买单 13800138000 45", "staff_sale", {**P, "amount": "4500"}),
    ("结账 138 0013 8000 1,234.50", "staff_sale", {**P, "amount": "123450"}),
    ("消费 0000 0121 2345 128.5", "staff_sale", {"member_code": "000001212345", "amount": "12850"}),
    ("消费 8123456789012345 30元", "staff_sale", {"card": "8123456789012345", "amount": "3000"}),
    ("消费 尾号8000 30 用余额", "staff_sale", {**T, "pay": "balance", "amount": "3000"}),
    ("尾号8000 用余额付 30", "staff_sale", {**T, "pay": "balance", "amount": "3000"}),
    ("消费 尾号8000", "staff_sale", T),
    ("消费 50", "staff_sale", {"amount": "5000"}),
    ("消费", "staff_sale", {}),
    ("消费 尾号8000 -5", "staff_sale", {**T, "problem": "amount_negative"}),
    ("消费 尾号8000 0", "staff_sale", {**T, "problem": "amount_zero"}),
    ("消费 尾号8000 12.345", "staff_sale", {**T, "problem": "amount_precision"}),
    ("消费 尾号8000 99999999999", "staff_sale", {**T, "problem": "amount_range"}),
    ("消费 尾号80 50", "staff_sale", {"problem": "staff_tail_shape", "amount": "5000"}),
    ("消费 尾号8000 10 20", "staff_sale", {**T, "amount": "1000", "problem": "amount_two"}),
    # 退款
    ("退款 尾号8000 50", "staff_refund", {**T, "amount": "5000"}),
    ("给尾号8000退款五十元", "staff_refund", {**T, "amount": "5000"}),
    ("退款 13800138000 全部", "staff_refund", {**P, "amount": "all"}),
    ("退款 单号C260302-7F3A21 50", "staff_refund", {"order_no": "c260302-7f3a21", "amount": "5000"}),
    ("退款", "staff_refund", {}),
    # 充值
    ("充值 13800138000 500", "staff_topup", {**P, "amount": "50000"}),
    ("充500 尾号8000", "staff_topup", {**T, "amount": "50000"}),
    ("尾号8000充值五百元", "staff_topup", {**T, "amount": "50000"}),
    ("給尾號8000充值五百", "staff_topup", {**T, "amount": "50000"}),
    ("帮尾号8000充500块", "staff_topup", {**T, "amount": "50000"}),
    ("给8000充500", "staff_topup", {**T, "amount": "50000"}),
    ("充值 138 0013 8000 5000", "staff_topup", {**P, "amount": "500000"}),
    ("充值", "staff_topup", {}),
    # 积分
    ("加积分 尾号8000 100", "staff_points", {**T, "points": "100", "sign": "+"}),
    ("给尾号8000加100积分", "staff_points", {**T, "points": "100", "sign": "+"}),
    ("尾号8000加一百分", "staff_points", {**T, "points": "100", "sign": "+"}),
    ("送100积分给尾号8000 生日", "staff_points", {**T, "points": "100", "sign": "+", "reason": "生日"}),
    ("扣积分 13800138000 50 错加了", "staff_points", {**P, "points": "-50", "sign": "-", "reason": "错加了"}),
    ("扣尾号8000 50积分 原因:重复积分", "staff_points", {**T, "points": "-50", "sign": "-", "reason": "重复积分"}),
    ("尾号8000 积分 -50", "staff_points", {**T, "points": "-50", "sign": "-"}),
    ("加积分", "staff_points", {"sign": "+"}),
    ("扣积分", "staff_points", {"sign": "-"}),
    ("加积分 尾号8000 1.5", "staff_points", {**T, "problem": "points_whole", "sign": "+"}),
    ("加积分 尾号8000 减50", "staff_points", {**T, "problem": "points_both", "sign": "+"}),
    ("加积分 尾号8000 minus 50", "staff_points", {**T, "problem": "points_both", "sign": "+"}),
    ("扣积分 尾号8000 +50", "staff_points", {**T, "problem": "points_both", "sign": "-"}),
    ("扣积分 尾号8000 减50", "staff_points", {**T, "points": "-50", "sign": "-"}),
    ("加积分 尾号8000 +50", "staff_points", {**T, "points": "50", "sign": "+"}),
    # 权益, 开通
    ("权益 尾号8000", "staff_perks", T),
    ("尾号8000有什么权益", "staff_perks", T),
    ("用权益 尾号8000 免费配送", "staff_perk", {**T, "name": "免费配送"}),
    ("用8000的权益 免费配送一次", "staff_perk", {**T, "name": "免费配送"}),
    ("尾号8000用权益免费配送", "staff_perk", {**T, "name": "免费配送"}),
    ("用权益", "staff_perk", {}),
    ("开通 尾号8000 黑金", "staff_plan", {**T, "name": "黑金"}),
    ("给尾号8000开通黑金", "staff_plan", {**T, "name": "黑金"}),
    ("尾号8000 黑金 开通", "staff_plan", {**T, "name": "黑金"}),
    ("开通 1380013800 黑金", "staff_plan", {"problem": "bad_phone", "name": "黑金"}),
    ("开通", "staff_plan", {}),
    # 查会员, 上次
    ("查会员 13800138000", "staff_lookup", P),
    ("查会员 8000", "staff_lookup", T),
    ("查8000", "staff_lookup", T),
    ("8000 查会员", "staff_lookup", T),
    ("查 尾号8000", "staff_lookup", T),
    ("尾号8000", "staff_lookup", T),
    ("138****8000的积分", "staff_lookup", M),
    ("13800138000 会员查询", "staff_lookup", P),
    ("查13800138000的优惠券", "staff_lookup", P),
    ("查会员", "staff_lookup", {}),
    ("上次 8000", "staff_last", T),
    ("8000上次", "staff_last", T),
    ("查会员 138 0013 800", "staff_lookup", {"problem": "bad_phone"}),
    ("上次 尾号8000", "staff_last", T),
    ("尾号8000上次点了什么", "staff_last", T),
    ("138****8000 菜单", "staff_last", M),
    ("13800138000 买过什么", "staff_last", P),
    ("会员上次", "staff_last", {}),
    # 标签
    ("标签 尾号8000 不吃辣", "staff_tag", {**T, "way": "on", "tags": "不吃辣"}),
    ("给尾号8000打标签 爱喝汤、不吃辣", "staff_tag", {**T, "way": "on", "tags": "爱喝汤 不吃辣"}),
    ("去标签 尾号8000 不吃辣", "staff_tag", {**T, "way": "off", "tags": "不吃辣"}),
    ("标签", "staff_tag", {"way": "on"}),
    # 撤销, 今日, 任务, 帮助
    ("撤销", "staff_undo", {}),
    ("撤销 12", "staff_undo", {"number": "12"}),
    ("撤销第12笔", "staff_undo", {"number": "12"}),
    ("撤销刚才那笔", "staff_undo", {}),
    ("撤销上一笔核销", "staff_undo", {"kind": "redeem"}),
    ("撤销 充值", "staff_undo", {"kind": "topup"}),
    ("撤销刚才的充值", "staff_undo", {"kind": "topup"}),
    ("撤销发券", "staff_undo", {"kind": "issue"}),
    ("撤销 充值 12", "staff_undo", {"kind": "topup", "number": "12"}),
    ("今日", "staff_today", {}),
    ("本店今日", "staff_today", {"of": "store"}),
    ("任务", "staff_tasks", {}),
    ("完成 3 已回访,满意", "staff_done", {"number": "3", "reason": "已回访,满意"}),
    ("完成3 打过13800138000了", "staff_done", {"number": "3", "reason": "打过*了"}),
    ("派任务 小李 尾号8000 回访口味", "staff_assign", {**T, "text": "小李 回访口味"}),
    ("帮助", "staff_help", {}),
    # managers
    ("待审批", "staff_approvals", {}),
    ("批准 3", "staff_approve", {"number": "3"}),
    ("批准3号", "staff_approve", {"number": "3"}),
    ("拒绝 3 金额不对", "staff_refuse", {"number": "3", "reason": "金额不对"}),
    ("邀请店员 小李 13900139000", "staff_invite", {"role": "cashier", "phone": "13900139000", "name": "小李"}),
    ("邀请导购 小美 13900139000", "staff_invite", {"role": "adviser", "phone": "13900139000", "name": "小美"}),
    (
        "邀请店长 钱店长 13900139000 门店 s2",
        "staff_invite",
        {"role": "manager", "phone": "13900139000", "name": "钱店长", "store": "s2"},
    ),
    ("停用店员 小李", "staff_revoke", {"ref": "小李"}),
    ("停用店员 3", "staff_revoke", {"ref": "3"}),
    ("店员", "staff_people", {}),
    ("人群 活跃会员", "staff_segment", {"name": "活跃会员"}),
    ("人群", "staff_segment", {}),
]

NOT_COMMANDS = """怎么充值|充值记录|充值卡在哪买|我要结账|消费满200送什么|消费记录|消费明细|上次消费|我消费了多少
退款要多久|怎么退款|退货流程是什么|积分|加积分活动是什么|送积分吗|我的积分怎么扣了|扣了我多少积分|标签是什么意思|什么是标签
取消|撤销订单|今天天气怎么样|13800138000|绑定 13800138000|手机号是13800138000
我有什么优惠券|券|存在问题|充电宝在哪|充满了|完成了|完成作业|批准了吗|拒绝接听|任务栏|店员呢|店员态度不好
人群太多了|尾号限行|减肥|给我发个红包|上次|菜单|核心|送外卖吗|加油|加班|帮我充值|加微信13800138000
打电话给13800138000|13800138000是我的手机号|邀请好友|邀请|停用会员|今天吃什么|谢谢|好的
余额|储值|会员|买单怎么走|扣款了|付款码|减20|满100减20|100|128.5|8000|优惠券怎么发|发票
发货了吗|送货上门|补货了吗|查询|查快递|退订|退定金|结账要排队吗|会员日送积分|核销了吗|怎么核销|为什么扣积分
积分规则|充值有什么优惠|充值100送多少|消费100积多少分|尾号8000是我|把13800138000绑定给我
给13800138000打电话|批准 3 吗|撤销 12 和 13|今日特价|今日菜单|任务太多|帮助别人|完成 三
权益|我的权益|怎么用权益|权益怎么用|会员权益有哪些|开通了吗|开通会员多少钱|顾客尾号8000说没开通
8000 积分|上次 8000元|查 8000块|退款 尾号8000 50吗|充值 尾号8000 500行吗|消费 尾号8000 大概100"""


@pytest.mark.parametrize(("typed", "intent", "slots"), SAID)
def test_what_staff_type(typed: str, intent: str, slots: Slots) -> None:
    command = command_in(normalise(typed))
    assert command is not None
    assert (command.intent, dict(command.slots)) == (intent, slots)


@pytest.mark.parametrize("typed", [typed for line in NOT_COMMANDS.splitlines() for typed in line.split("|")])
def test_what_is_no_command(typed: str) -> None:
    assert command_in(normalise(typed)) is None


@pytest.mark.parametrize("typed", [typed for typed, _, _ in SAID])
def test_for_others_it_is_ordinary_text(typed: str) -> None:
    assert not understand(typed).intent.startswith("staff_")
    assert understand(typed, staff=True).intent.startswith("staff_")


AMOUNTS = [
    ("128.5", 12850), ("¥128.50", 12850), ("128块5", 12850), ("128块五", 12850), ("128块5毛", 12850),
    ("128元5角5分", 12855), ("128块05", 12805), ("128块零5分", 12805), ("128元5分", 12805), ("128块50", 12850),
    ("5毛", 50), ("1,234.50", 123450), ("一百二十八块五", 12850), ("一百二十八元整", 12800), ("两百", 20000),
    ("一百五", 15000), ("一百零五", 10500), ("二百五十三", 25300), ("1万2", 1200000), ("1.5万", 1500000),
    ("壹佰贰拾元", 12000), ("１２８．５", 12850), ("十五块", 1500), ("一千零一", 100100), ("一二八", 12800),
    ("一百二十八点五", 12850), ("100块钱", 10000), ("128塊5", 12850), ("貳佰圓", 20000), ("0.01", 1),
    ("100000000", 10**10),
]  # fmt: skip
BAD_AMOUNTS = [
    ("-50", "amount_negative"), ("负50", "amount_negative"), ("¥-50", "amount_negative"), ("－50", "amount_negative"),
    ("0", "amount_zero"), ("0.00", "amount_zero"), ("1.234", "amount_precision"), ("0.001", "amount_precision"),
    ("100000000.01", "amount_range"), ("9" * 32, "amount_range"), ("12.5.6", "amount_shape"), ("12,34", "amount_shape"),
]  # fmt: skip


@pytest.mark.parametrize(("typed", "fen"), AMOUNTS)
def test_money_to_the_fen(typed: str, fen: int) -> None:
    found = money_in(normalise(typed))
    assert found is not None
    assert (found.value, found.problem) == (fen, "")
    assert (found.start, found.end) == (0, len(normalise(typed)))


@pytest.mark.parametrize(("typed", "problem"), BAD_AMOUNTS)
def test_what_is_no_amount_is_named(typed: str, problem: str) -> None:
    found = money_in(normalise(typed))
    assert found is not None and (found.value, found.problem) == (0, problem)


@given(st.integers(1, MOST_FEN))
def test_any_amount_in_digits_is_exact(fen: int) -> None:
    for text in (f"{fen // 100}.{fen % 100:02d}", f"¥{fen // 100:,}.{fen % 100:02d}元"):
        found = money_in(text)
        assert found is not None and (found.value, found.problem) == (fen, "")


DIGITS = "零一二三四五六七八九"


def spelled(number: int) -> str:
    """A number below a hundred million as Chinese write it."""
    if number >= 10_000:
        head, rest = divmod(number, 10_000)
        between = "零" if 0 < rest < 1000 else ""
        return f"{spelled(head)}万{between}{spelled(rest) if rest else ''}"
    said, zero = "", False
    for size, unit in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit, number = divmod(number, size)
        if digit:
            said += ("零" if zero else "") + DIGITS[digit] + unit
            zero = False
        elif said:
            zero = True
    return said


@given(st.integers(1, 99_999_999))
def test_any_number_in_words_is_exact(number: int) -> None:
    assert numeral(spelled(number)) == number
    found = money_in(f"{spelled(number)}元")
    assert found is not None and found.value == number * 100


@given(st.text(max_size=40))
def test_reading_never_raises(text: str) -> None:
    plain = normalise(text)
    money_in(plain), points_in(plain), count_in(plain), number_in(plain), who_in(plain), member_said(plain)
    command_in(plain)


@pytest.mark.parametrize(
    ("typed", "slots"),
    [
        ("13800138000", P), ("138 0013 8000", P), ("138****8000", M), ("尾号8000", T), ("8000", T), ("八零零零", T),
        ("后四位是8000", T), ("8000的会员", T), ("1380013800", {"problem": "bad_phone"}), ("积分", {}), ("你好", {}),
        ("0000 0121 2345", {"member_code": "000001212345"}), ("8123 4567 8901 2345", {"card": "8123456789012345"}),
    ],
)  # fmt: skip
def test_which_member_is_said(typed: str, slots: Slots) -> None:
    assert dict(member_said(normalise(typed))) == slots


@pytest.mark.parametrize(
    ("asked", "typed", "slots"),
    [
        ("amount", "128.5", {"amount": "12850"}), ("amount", "一共128块5吧", {"amount": "12850"}),
        ("amount", "共128块5", {"amount": "12850"}), ("amount", "大概128", None), ("amount", "你好", None),
        ("amount", "-5", {"problem": "amount_negative"}), ("amount", "全部", {"amount": "all"}),
        ("points", "100", {"points": "100"}), ("points", "一百分", {"points": "100"}), ("points", "好", None),
        ("points", "-5", {"problem": "amount_negative"}), ("code", "K7QF-2MDX-9TA0", {"code": "k7qf-2mdx-9ta0"}),
        ("code", "123456789012345", {"code": "123456789012345"}), ("code", "你好", None),
        ("tags", "不吃辣", {"tags": "不吃辣"}),
    ],
)  # fmt: skip
def test_an_answer_fills_its_slot(asked: str, typed: str, slots: Slots | None) -> None:
    found = answer_in(normalise(typed), asked, {})
    assert (None if found is None else dict(found)) == slots


@pytest.mark.parametrize(
    ("sign", "typed", "slots"),
    [
        ("+", "减50", {"problem": "points_both"}), ("+", "minus 50", {"problem": "points_both"}),
        ("-", "+50", {"problem": "points_both"}), ("-", "减50", {"points": "-50"}), ("+", "加50", {"points": "50"}),
    ],
)  # fmt: skip
def test_a_sign_that_contradicts_is_asked_about(sign: str, typed: str, slots: Slots) -> None:
    assert answer_in(typed, "points", {"slots": {"sign": sign}}) == slots


def test_points_asked_for_a_deduction_are_taken_off() -> None:
    assert answer_in("50", "points", {"slots": {"sign": "-"}}) == {"points": "-50"}


@pytest.mark.parametrize(
    ("typed", "choice"), [("2", "2"), ("第二个", "2"), ("二", "2"), ("2.", "2"), ("4", "4"), ("好", None)]
)
def test_a_number_chooses_from_a_list(typed: str, choice: str | None) -> None:
    found = answer_in(normalise(typed), "order", {"options": ["a", "b", "c"]})
    assert (None if found is None else found["choice"]) == choice


@pytest.mark.parametrize(
    ("asked", "typed", "slots"),
    [
        ("member", "8000", T),
        ("name", "5", {"choice": "5"}),
        ("name", "20", {"name": "20"}),
        ("name", "0", {"choice": "0"}),
    ],
)
def test_a_number_off_the_list_may_say_something_else(asked: str, typed: str, slots: Slots) -> None:
    assert answer_in(typed, asked, {"options": ["a", "b"]}) == slots


@pytest.mark.parametrize(
    ("typed", "figures"),
    [
        ("满一百减二十", "满100减20"), ("满一百二减二十", "满120减20"), ("满两百减俩", "满200减2"), ("五元券", "5元券"),
        ("5块钱券", "5元券"), ("九点五折", "9.5折"), ("1.5万", "15000"), ("满100减20", "满100减20"),
        ("免费例汤", "免费例汤"), ("万能券", "万能券"),
    ],
)  # fmt: skip
def test_numbers_in_figures(typed: str, figures: str) -> None:
    assert in_figures(normalise(typed)) == figures
