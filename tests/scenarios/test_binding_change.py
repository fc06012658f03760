"""Changing the phone: the present one is proved first, then the new one; what thieves and the forgetful get."""

from members import identity
from tests.support.acting import become_member, deeds, messages
from tests.support.shop import KEYS, Shop

PHONE, OTHER = "+8613800138000", "+8613900139000"


def owner(shop: Shop, openid: str) -> int | None:
    """Whom an openid speaks for."""
    with shop.service.database.reading() as connection:
        return identity.find(connection, "openid", openid, KEYS.app_id)


def change(shop: Shop, openid: str, to: str) -> str:
    """Go through the change of a phone up to the new phone's code; return that code."""
    bot = shop.talker(openid)
    assert "先验证现在的手机号" in bot.say("换手机号")
    assert "新的手机号" in bot.say(shop.code_for(openid)[1])
    assert "验证码已发送" in bot.say(to)
    return shop.code_for(openid)[1]


def test_changing_the_phone_proves_the_old_one_and_the_new_one(shop: Shop) -> None:
    shop.member(PHONE, points=88)
    become_member(shop, "o-anna", "13800138000")
    shop.clock.forward(minutes=2)
    become_member(shop, "o-bob", "13800138000")
    shop.clock.forward(minutes=2)
    anna = shop.talker("o-anna")
    assert "手机号已换成 139****9000" in anna.say(change(shop, "o-anna", "13900139000"))
    assert "88" in anna.say("积分")
    notice = messages(shop, "o-bob")[-1].content["text"]
    assert "138****8000" in notice
    assert "139****9000" in notice
    assert len(deeds(shop, "identity.change_phone")) == 1
    shop.clock.forward(minutes=2)
    assert "欢迎成为" in become_member(shop, "o-carl", "13800138000"), "the old number is anybody's"


def test_a_wanted_phone_that_came_along_gets_its_code_after_the_proof(shop: Shop) -> None:
    become_member(shop, "o-anna", "13800138000")
    shop.clock.forward(minutes=2)
    anna = shop.talker("o-anna")
    assert "先验证现在的手机号 138****8000" in anna.say("换手机号 13900139000")
    assert "先回复发到 138****8000" in anna.say("13900139000")
    shop.clock.forward(minutes=2)
    assert "先验证" in anna.say("重发")
    assert shop.code_for("o-anna")[0] == PHONE
    assert "139****9000" in anna.say(shop.code_for("o-anna")[1])
    assert shop.code_for("o-anna")[0] == OTHER
    assert "已换成 139****9000" in anna.say(shop.code_for("o-anna")[1])


def test_a_change_of_mind_about_the_new_phone(shop: Shop) -> None:
    become_member(shop, "o-anna", "13800138000")
    shop.clock.forward(minutes=2)
    change(shop, "o-anna", "13900139000")
    anna = shop.talker("o-anna")
    assert "就是您现在的手机号" in anna.say("13800138000")
    shop.clock.forward(minutes=2)
    assert "137****7000" in anna.say("13700137000")
    assert "已换成 137****7000" in anna.say(shop.code_for("o-anna")[1])


def test_changing_to_ones_own_or_to_anothers_phone(shop: Shop) -> None:
    shop.member(OTHER, points=999)
    become_member(shop, "o-anna", "13800138000")
    shop.clock.forward(minutes=2)
    anna = shop.talker("o-anna")
    assert "不用换" in anna.say("换手机号 13800138000")
    taken = change(shop, "o-anna", "13900139000")
    assert "属于另一位会员" in anna.say(taken)
    assert "0 积分" in anna.say("积分")
    assert "138****8000" in anna.say("绑定")


def test_a_borrowed_wechat_can_not_move_the_phone(shop: Shop) -> None:
    """Who holds the openid but not the present phone gets no further than the first question."""
    become_member(shop, "o-anna", "13800138000")
    shop.clock.forward(minutes=2)
    thief = shop.talker("o-anna")
    thief.say("换手机号 13700137000")
    assert shop.code_for("o-anna")[0] == PHONE
    for said in ("13700137000", "绑定 13700137000", "换手机号 13700137000", "换成13700137000"):
        thief.say(said)
    assert {code.topic for code in messages(shop, "o-anna", "code")} == {"verify"}
    assert shop.code_for("o-anna")[0] == PHONE
    shop.clock.forward(minutes=20)
    assert "已经绑定 138****8000" in thief.say("13700137000")
    assert shop.code_for("o-anna")[0] == PHONE


def test_a_change_ends_with_unbinding_and_with_anothers_change(shop: Shop) -> None:
    become_member(shop, "o-anna", "13800138000")
    shop.clock.forward(minutes=2)
    become_member(shop, "o-bob", "13800138000")
    shop.clock.forward(minutes=2)
    stale = change(shop, "o-anna", "13900139000")
    shop.clock.forward(minutes=2)
    assert "已换成" in shop.talker("o-bob").say(change(shop, "o-bob", "13700137000"))
    assert "没有等待中" in shop.talker("o-anna").say(stale)
    shop.clock.forward(minutes=2)
    late = change(shop, "o-anna", "13900139000")
    shop.talker("o-anna").say("解绑")
    shop.talker("o-anna").say("确认解绑")
    assert "没有等待中" in shop.talker("o-anna").say(late)
    assert owner(shop, "o-anna") is None
