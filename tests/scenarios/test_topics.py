"""Refusing one kind of push or one campaign, keeping one kind only, and taking it back."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from members import consent, outbox
from members.tables import Outbox, table
from tests.support.shop import Shop

PHONE = "+8613800138000"
rows = table(Outbox)


@pytest.fixture
def member(shop: Shop) -> int:
    """A bound member with an offer, a reminder and a campaign's offer waiting."""
    found = shop.member(PHONE, openid="o-anna")
    for key, kind, campaign in (
        ("a", "marketing", "春季"),
        ("b", "reminder", "该补货了"),
        ("c", "marketing", "每周专属"),
    ):
        now = shop.clock.now()
        message = outbox.Message(
            key, kind, ("service",), {"text": "."}, "test", now, now + timedelta(days=7), member=found,
            campaign=campaign,
        )  # fmt: skip
        with shop.service.database.transaction() as connection:
            outbox.put(connection, message, now=now)
    return found


def waiting(shop: Shop) -> set[str]:
    """What still waits."""
    with shop.service.database.reading() as connection:
        return set(connection.scalars(select(rows.c.key).where(rows.c.state == "pending")))


def allowed(shop: Shop, member: int) -> dict[str, bool]:
    """Whether an offer, a reminder and one campaign may reach the member."""
    with shop.service.database.reading() as connection:
        return {
            "offer": consent.may_market(connection, member, "春季", "marketing"),
            "reminder": consent.may_market(connection, member, "该补货了", "reminder"),
            "weekly": consent.may_market(connection, member, "每周专属", "marketing"),
        }


ALL = {"offer": True, "reminder": True, "weekly": True}
REMINDERS = ("退订 补货提醒", "退订复购提醒", "不要补货提醒", "关闭回购提醒", "请取消补货提醒。")


@pytest.mark.parametrize("words", REMINDERS)
def test_exact_words_stop_reminders_alone(shop: Shop, member: int, words: str) -> None:
    anna = shop.talker("o-anna")
    assert "不再给您发「补货提醒」" in anna.say(words)
    assert allowed(shop, member) == ALL | {"reminder": False}
    assert waiting(shop) == {"a", "c"}
    assert "已经退订" in anna.say(words)
    assert "恢复接收「补货提醒」" in anna.say("恢复 复购提醒")
    assert allowed(shop, member) == ALL
    assert "没有退订" in anna.say("恢复补货提醒")


def test_offers_alone(shop: Shop, member: int) -> None:
    anna = shop.talker("o-anna")
    assert "不再给您发「优惠券和活动」" in anna.say("退订 优惠券")
    assert allowed(shop, member) == {"offer": False, "reminder": True, "weekly": False}
    assert waiting(shop) == {"b"}


@pytest.mark.parametrize("words", ["只要优惠券不要提醒", "只要优惠券"])
def test_one_kind_only(shop: Shop, member: int, words: str) -> None:
    anna = shop.talker("o-anna")
    anna.say("退订")
    assert "只给您发「优惠券和活动」" in anna.say(words)
    assert allowed(shop, member) == ALL | {"reminder": False}


def test_one_campaign_by_its_name(shop: Shop, member: int) -> None:
    anna = shop.talker("o-anna")
    assert "没有叫「酒店」的消息" in anna.say("退订 酒店")
    assert allowed(shop, member) == ALL
    assert "不再给您发「每周专属」" in anna.say("退订「每周专属」")
    assert allowed(shop, member) == ALL | {"weekly": False}
    assert waiting(shop) == {"a", "b"}
    assert "已退订 每周专属" in anna.say("资料")
    assert "恢复接收「每周专属」" in anna.say("恢复 每周专属")
    assert allowed(shop, member) == ALL


def test_all_and_back_leaves_what_was_refused_by_itself(shop: Shop, member: int) -> None:
    anna = shop.talker("o-anna")
    anna.say("退订 补货提醒")
    anna.say("退订")
    assert not any(allowed(shop, member).values())
    assert "「补货提醒」您单独退订过" in anna.say("恢复")
    assert allowed(shop, member) == ALL | {"reminder": False}
    anna.say("恢复")
    assert allowed(shop, member) == ALL


@pytest.mark.parametrize("words", ["退订 谢谢", "退订,谢谢!", "退订 吧"])
def test_polite_words_after_it_name_no_campaign(shop: Shop, member: int, words: str) -> None:
    assert "已退订,不会再给您发营销消息" in shop.talker("o-anna").say(words)


def test_one_kind_back_after_refusing_everything(shop: Shop, member: int) -> None:
    anna = shop.talker("o-anna")
    anna.say("退订")
    anna.say("恢复 补货提醒")
    assert allowed(shop, member) == {"offer": False, "reminder": True, "weekly": False}


@pytest.mark.parametrize(
    "words", ["怎么退订补货提醒", "可以不发补货提醒吗", "补货提醒是什么", "我要不要退订优惠券呢", "你们的提醒有点烦"]
)
def test_roundabout_words_change_nothing(shop: Shop, member: int, words: str) -> None:
    shop.talker("o-anna").say(words)
    assert allowed(shop, member) == ALL
    assert waiting(shop) == {"a", "b", "c"}
