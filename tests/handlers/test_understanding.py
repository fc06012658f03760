"""What people type and what it means: the whole table, and what must not be understood."""

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from handlers.routes import ROUTES
from handlers.understanding import ACTIONS, understand

HERE = Path(__file__).parent


def rows(name: str) -> list[str]:
    """The lines of a table, comments left out."""
    return [line for line in (HERE / name).read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]


SAID = [line.partition(": ") for line in rows("said.txt")]
PAIRS = [(intent, phrase) for intent, _, phrases in SAID for phrase in phrases.split("|")]
NOT_OURS = [phrase for line in rows("not_ours.txt") for phrase in line.split("|")]
MEMBER_PHONE = {"13800138000"}


@pytest.mark.parametrize(("intent", "phrases"), [(intent, phrases) for intent, _, phrases in SAID])
def test_what_people_type(intent: str, phrases: str) -> None:
    found = {phrase: understand(phrase).intent for phrase in phrases.split("|")}
    assert {phrase: was for phrase, was in found.items() if was != intent} == {}


def test_what_is_not_ours_is_never_guessed() -> None:
    found = {phrase: understand(phrase).intent for phrase in NOT_OURS}
    assert {phrase: was for phrase, was in found.items() if was != "unknown"} == {}


FOREIGN = [
    "支付宝",
    "微信支付",
    "京东",
    "淘宝",
    "美团",
    "滴滴",
    "银行",
    "话费",
    "股票",
    "基金",
    "驾照",
    "入户",
    "落户",
    "学校",
    "游戏",
    "航空",
    "移动",
    "医院",
    "先生",
    "小姐",
    "公司",
    "孩子",
    "天气",
    "明天",
    "电影",
]
OURS = [
    "余额",
    "积分",
    "优惠券",
    "券",
    "红包",
    "积分明细",
    "余额明细",
    "订单",
    "会员码",
    "二维码",
    "等级",
    "退订",
    "解绑",
    "确认解绑",
    "恢复",
    "兑换",
    "注销",
    "绑定",
    "换手机号",
    "推荐",
]


@pytest.mark.parametrize("word", OURS)
def test_a_foreign_word_beside_ours_makes_it_unknown(word: str) -> None:
    near = [
        text for other in FOREIGN for text in (other + word, word + other, f"我的{other}{word}", f"{other}的{word}吗")
    ]
    assert {text: was for text in near if (was := understand(text).intent) != "unknown"} == {}


@pytest.mark.parametrize(
    ("asked", "intent"),
    [
        ("怎么退订", "unsubscribe"), ("可以退订吗", "unsubscribe"), ("退订了吗", "unsubscribe"),
        ("退订是什么意思", "unsubscribe"), ("不要再给我发广告了", "unsubscribe"), ("别给我推送消息了", "unsubscribe"),
        ("不想再收到你们的短信", "unsubscribe"), ("怎么恢复", "resubscribe"), ("能不能不要个性化", "depersonalise"),
        ("请不要给我个性化推荐", "depersonalise"), ("怎么解绑", "unbind"), ("可以注销吗", "erase"),
        ("确认解绑吗", "confirm_unbind"), ("怎么兑换", "redeem_points"),
    ],
)  # fmt: skip
def test_a_question_about_an_action_is_not_the_action(asked: str, intent: str) -> None:
    said = understand(asked)
    assert (said.intent, said.confidence) == (intent, 0.6)


@pytest.mark.parametrize(
    "text",
    [
        "不退订",
        "不要退订",
        "我没有退订",
        "不解绑",
        "我不想解绑",
        "别注销",
        "不要取消",
        "不要恢复",
        "退订单",
        "解绑银行卡",
    ],
)
def test_a_denied_action_is_not_the_action(text: str) -> None:
    assert understand(text).intent not in ACTIONS


@pytest.mark.parametrize(("intent", "phrase"), [pair for pair in PAIRS if pair[0] in ACTIONS])
def test_exact_words_are_sure(intent: str, phrase: str) -> None:
    assert understand(phrase).confidence == 1.0


def test_every_intent_has_a_route() -> None:
    assert {understand(phrase).intent for _, phrase in PAIRS} <= set(ROUTES)


@pytest.mark.parametrize(
    "typed",
    [
        "13800138000",
        " 138 0013 8000 ",
        "138-0013-8000",
        "138.0013.8000",
        "13800 138000",
        "１３８００１３８０００",
        "+8613800138000",
        "+86 138 0013 8000",
        "(+86)13800138000",
        "008613800138000",
        "86-13800138000",
        "我的手机号是13800138000",
        "手机:13800138000。",
        "绑定 13800138000",
        "绑定手机号13800138000谢谢",
        "13800138000👌",
        "绑定\n138\n0013\n8000",
        "一三八零零一三八零零零",
        "13800138000\n",
    ],
)
def test_a_phone_in_any_shape(typed: str) -> None:
    for expecting in (True, False):
        said = understand(typed, expecting_phone=expecting)
        assert (said.intent, said.slots.get("phone")) == ("bind", "13800138000")


@pytest.mark.parametrize(
    "typed",
    ["1380013800", "138001380001", "021-55550100", "02155550100", "+1 415 555 2671", "+85291234567", "12800138000",
     "12345", "138 0013 800", "手机号是1380013800", "１３８００１３８００"],
)  # fmt: skip
def test_what_can_not_be_a_phone_is_said_so(typed: str) -> None:
    assert understand(typed, expecting_phone=True).intent == "bad_phone"
    assert understand(f"绑定 {typed}").intent == "bad_phone"


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("123456", "123456"), ("123456。", "123456"), ("１２３４５６", "123456"), ("验证码 123456", "123456"),
        ("123 456", "123456"), ("123-456", "123456"), ("我收到的是123456", "123456"), ("code:123456", "123456"),
        ("【邻家生鲜】您的验证码是123456,5分钟内有效,请勿外传。", "123456"), ("12345", "12345"),
        ("012345", "012345"),
        ("一二三四五六", "123456"), ("123456谢谢", "123456"), ("1234567", "1234567"),
    ],
)  # fmt: skip
def test_a_code_in_any_shape_while_one_is_expected(typed: str, code: str) -> None:
    assert understand(typed, expecting_code=True).slots == {"code": code}


@pytest.mark.parametrize("typed", ["积分", "13900139000", "重发", "取消", "帮助", "12", "123456789", "第一"])
def test_other_words_are_no_code_while_one_is_expected(typed: str) -> None:
    assert understand(typed, expecting_code=True).intent != "verify_code"


@settings(deadline=None)
@given(st.text(st.characters(), max_size=600), st.booleans(), st.booleans(), st.booleans())
@example("\ud800", False, False, False)
@example("ﷺ" * 500, True, True, True)
@example("1" * 600, True, True, True)
@example("给☎发☎", True, False, False)
def test_any_text_is_answered_by_some_route(text: str, staff: bool, code: bool, phone: bool) -> None:
    said = understand(text, staff=staff, expecting_code=code, expecting_phone=phone)
    assert said.intent in ROUTES
    assert 0 <= said.confidence <= 1


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from([*OURS, *FOREIGN, "我", "的", "吗", "不", "别", "138", "\n", "券", "发", "给"]), max_size=8
    )
)
def test_only_staff_words_of_staff_reach_staff_routes(words: list[str]) -> None:
    assert not understand("".join(words)).intent.startswith("staff_")
