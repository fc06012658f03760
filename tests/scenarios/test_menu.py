"""Menu entries and everything else that is no typed text reach the same answers, or a polite one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from handlers.routes import ROUTES
from tests.support.acting import become_member, empty_books, hire
from tests.support.shop import Shop, open_shop
from tests.support.talker import Talker, shown

PHONE = "+8613800138000"


@pytest.fixture
def shop(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Shop]:
    """A shop on SQLite: nothing here differs between databases."""
    with open_shop(tmp_path, empty_books(migrated_sqlite, tmp_path)) as running:
        yield running


def send(bot: Talker, kind: str, inner: str) -> str:
    """Send a message of another kind."""
    return shown(bot.send(bot.xml(kind, f"{inner}<MsgId>{next(bot.ids)}</MsgId>")))


ENTRIES = {
    "points": "积分", "balance": "余额", "coupons": "优惠券", "last_order": "上次", "member_code": "会员码",
    "tier": "等级", "help": "帮助", "bind": "绑定", "recommend": "推荐", "why": "为什么", "stores": "门店",
    "积分": "积分", "查一下我的优惠券": "优惠券", "points_history": "积分明细", "zzz": "asdf",
}  # fmt: skip


def test_a_menu_entry_answers_like_the_word(shop: Shop) -> None:
    shop.member(PHONE, points=12, openid="o-anna")
    for openid in ("o-anna", "o-stranger"):
        bot = shop.talker(openid)
        assert {key: bot.click(key) for key in ENTRIES} == {key: bot.say(typed) for key, typed in ENTRIES.items()}


def test_no_menu_key_breaks_anything_or_opens_what_is_for_staff(shop: Shop) -> None:
    shop.member(PHONE, openid="o-anna")
    for key in [*ROUTES, "", " ", "staff_nothing", "x" * 128]:
        said = shop.talker("o-anna").click(key)
        assert said
        assert "系统出了点小问题" not in said, key
        assert "核销" not in said, key


def test_staff_may_have_menu_entries_of_their_own(shop: Shop) -> None:
    hire(shop, "o-wang")
    assert "今天您发券 0 张" in shop.talker("o-wang").click("staff_today")
    assert "听懂" in shop.talker("o-anna").click("staff_today")


def test_voice_is_heard_when_the_platform_recognised_it(shop: Shop) -> None:
    shop.member(PHONE, points=12, openid="o-anna")
    anna = shop.talker("o-anna")
    voice = "<MediaId>m</MediaId><Format>amr</Format>"
    assert "12" in send(anna, "voice", f"{voice}<Recognition><![CDATA[我的积分有多少。]]></Recognition>")
    assert "没听清" in send(anna, "voice", f"{voice}<Recognition></Recognition>")
    assert "没听清" in send(anna, "voice", voice)


def test_a_code_may_be_spoken(shop: Shop) -> None:
    anna = shop.talker("o-anna")
    anna.say("绑定 13800138000")
    spoken = "".join("零一二三四五六七八九"[int(digit)] for digit in shop.code_for("o-anna")[1])
    said = send(anna, "voice", f"<MediaId>m</MediaId><Recognition><![CDATA[验证码是{spoken}。]]></Recognition>")
    assert "绑定成功" in said


OTHERS = {
    "image": "<PicUrl><![CDATA[http://x/y.jpg]]></PicUrl><MediaId>m</MediaId>",
    "video": "<MediaId>m</MediaId><ThumbMediaId>t</ThumbMediaId>",
    "shortvideo": "<MediaId>m</MediaId><ThumbMediaId>t</ThumbMediaId>",
    "location": "<Location_X>31.2</Location_X><Location_Y>121.4</Location_Y><Scale>15</Scale><Label>上海</Label>",
    "link": "<Title>题</Title><Description>述</Description><Url>http://x</Url>",
    "file": "<Title>a.pdf</Title>",
    "miniprogrampage": "<Title>店</Title>",
}


def test_what_is_not_text_gets_a_polite_answer(shop: Shop) -> None:
    for kind, inner in OTHERS.items():
        said = send(shop.talker("o-anna"), kind, inner)
        assert "收到啦" in said or "门店" in said, kind


def test_a_picture_does_not_disturb_the_flow(shop: Shop) -> None:
    anna = shop.talker("o-anna")
    anna.say("绑定 13800138000")
    send(anna, "image", "<PicUrl>http://x/y.jpg</PicUrl><MediaId>m</MediaId>")
    anna.click("help")
    assert "绑定成功" in anna.say(shop.code_for("o-anna")[1])


def test_empty_and_odd_texts_get_the_short_menu(shop: Shop) -> None:
    for text in ("", " ", "\n", "。", "😀", "]]>", "<b>x</b>", "\u200b", "%s", "{points}", "' OR 1=1 --", "\ufffd"):
        said = shop.talker("o-anna").say(text)
        assert "绑定" in said, text
        assert "系统出了点小问题" not in said, text


def test_the_menu_leads_through_binding(shop: Shop) -> None:
    anna = shop.talker("o-anna")
    assert "请发送您的手机号" in anna.click("bind")
    assert "验证码已发送" in anna.say("13800138000")
    assert "绑定成功" in anna.say(shop.code_for("o-anna")[1])
    become_member(shop, "o-bob", "13900139000")
    assert "139****9000" in shop.talker("o-bob").click("bind")
