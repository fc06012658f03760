"""Refusing and allowing again: marketing as a whole, personal selection; why an offer came."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from members import outbox
from members.tables import ConsentEvent, Decision, Member, Outbox, table
from tests.support.acting import buy, in_days
from tests.support.shop import Shop

PHONE = "+8613800138000"
rows, events, members = table(Outbox), table(ConsentEvent), table(Member)


@pytest.fixture
def member(shop: Shop) -> int:
    """A bound member."""
    return shop.member(PHONE, openid="o-anna")


def push(
    shop: Shop, member: int, key: str, kind: str = "marketing", channels: tuple[str, ...] = ("next_reply",)
) -> None:
    """Put a push in the outbox."""
    now = shop.clock.now()
    message = outbox.Message(
        key, kind, channels, {"text": f"推送{key}"}, "test", now, now + timedelta(days=7), member=member
    )
    with shop.service.database.transaction() as connection:
        outbox.put(connection, message, now=now)


def states(shop: Shop) -> dict[str, tuple[str, str]]:
    """{key: (state, note)} of the outbox."""
    with shop.service.database.reading() as connection:
        found = connection.execute(select(rows.c.key, rows.c.state, rows.c.note))
        return {row.key: (row.state, row.note) for row in found}


def answers(shop: Shop) -> list[tuple[str, bool]]:
    """The consent history: (topic, granted)."""
    with shop.service.database.reading() as connection:
        return [(row.topic, row.granted) for row in connection.execute(select(events).order_by(events.c.id))]


def personalised(shop: Shop, member: int) -> Any:
    """Whether offers are chosen by the member's purchases."""
    with shop.service.database.reading() as connection:
        return connection.execute(select(members.c.personalised).where(members.c.id == member)).scalar_one()


def test_unsubscribing_stops_what_waits_and_says_what_goes_on(shop: Shop, member: int) -> None:
    push(shop, member, "a", channels=("service",))
    push(shop, member, "b", "reminder", ("service",))
    push(shop, member, "c", "notice", ("service",))
    anna = shop.talker("o-anna")
    assert anna.say("退订").startswith("已退订,不会再给您发营销消息。")
    assert states(shop) == {"a": ("cancelled", "退订"), "b": ("cancelled", "退订"), "c": ("pending", "")}
    assert "已经退订" in anna.say("TD")
    assert "有适合您的优惠我会告诉您" in anna.say("恢复")
    assert "您没有退订" in anna.say("恢复订阅")
    assert answers(shop) == [("marketing", False), ("marketing", True)]


def test_only_exact_words_unsubscribe(shop: Shop, member: int) -> None:
    anna = shop.talker("o-anna")
    for asked in ("怎么退订", "可以退订吗", "请不要再给我发广告了", "不想再收到你们的短信"):
        assert "请回复「退订」" in anna.say(asked)
    for other in ("退订单", "退订酒店", "不退订", "取消订单"):
        assert "已退订" not in anna.say(other)
    assert answers(shop) == []
    assert "已退订" in anna.say("请帮我退订,谢谢!")
    assert "请回复「恢复」" in anna.say("怎么恢复")
    assert answers(shop) == [("marketing", False)]


def test_unsubscribing_does_not_carry_the_last_offer_along(shop: Shop, member: int) -> None:
    push(shop, member, "a")
    said = shop.talker("o-anna").say("退订")
    assert "推送" not in said
    push(shop, member, "b")
    assert "推送b" not in shop.talker("o-anna").say("积分")


def test_a_stranger_has_nothing_to_unsubscribe(shop: Shop) -> None:
    assert "不会给您发营销消息" in shop.talker("o-x").say("退订")
    assert "绑定" in shop.talker("o-x").say("恢复")


def test_not_personal_and_personal_again(shop: Shop, member: int) -> None:
    for days in (5, 12, 19, 26):
        buy(shop, member, in_days(shop, -days), [("牛奶", 1, 1200)])
    push(shop, member, "a", channels=("service",))
    anna = shop.talker("o-anna")
    for asked in ("能不能不要个性化", "请不要给我个性化推荐"):
        assert "请回复「不要个性化」" in anna.say(asked)
    assert personalised(shop, member)
    assert "不再用您的消费记录" in anna.say("不要个性化")
    assert not personalised(shop, member)
    assert states(shop)["a"][0] == "cancelled"
    assert "不按消费记录推荐" in anna.say("推荐")
    anna.say("关闭个性化推荐")
    assert "按您的习惯" in anna.say("要个性化")
    assert personalised(shop, member)
    assert answers(shop) == [("personalised", False), ("personalised", True)]


def test_why_is_answered_from_what_was_decided(shop: Shop, member: int) -> None:
    anna = shop.talker("o-anna")
    assert anna.say("为什么给我这张券") == "最近没有给您发过专属优惠。"
    with shop.service.database.transaction() as connection:
        row = {"member_id": member, "campaign": "每周专属", "template": "off-20-over-100", "at": shop.clock.now()}
        connection.execute(insert(table(Decision)), row | {"reason": "您近60天买过4次牛奶。", "trace": {}})
    said = anna.say("为什么")
    assert "您近60天买过4次牛奶。" in said
    assert "2026年3月2日 的每周专属" in said
    assert "。。" not in said
    assert "不要个性化" in said
