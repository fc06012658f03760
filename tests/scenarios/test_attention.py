"""The attention budget: 每月最多2条 is kept when a campaign is planned and when a message leaves."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from members import attention, outbox
from members.tables import Member, Outbox, table
from tests.support.shop import Shop

PHONE = "+8613800138000"
rows, members = table(Outbox), table(Member)


@pytest.fixture
def member(shop: Shop) -> int:
    """A bound member."""
    return shop.member(PHONE, openid="o-anna")


def push(shop: Shop, member: int, key: str, kind: str = "marketing") -> None:
    """Put a push in the outbox that leaves with the next message."""
    now = shop.clock.now()
    message = outbox.Message(
        key, kind, ("next_reply",), {"text": f"推送{key}"}, "test", now, now + timedelta(days=60), member=member
    )
    with shop.service.database.transaction() as connection:
        outbox.put(connection, message, now=now)


def budget(shop: Shop, member: int) -> int | None:
    """What the books say."""
    with shop.service.database.reading() as connection:
        return connection.execute(select(members.c.attention).where(members.c.id == member)).scalar_one()


def spent(shop: Shop) -> set[int]:
    """Whom a plan leaves out."""
    with shop.service.database.reading() as connection:
        return attention.spent(connection, shop.clock.now())


@pytest.mark.parametrize(
    ("words", "most"),
    [
        ("每月最多2条", 2), ("每个月最多给我发三条消息", 3), ("一个月不超过5条", 5), ("每月只收1条就够了", 1),
        ("30天内最多两条", 2), ("每月最多十条推送", 10), ("请每月最多发2条吧,谢谢", 2),
    ],
)  # fmt: skip
def test_the_budget_is_set_in_many_words(shop: Shop, member: int, words: str, most: int) -> None:
    assert f"最多给您发{most}条" in shop.talker("o-anna").say(words)
    assert budget(shop, member) == most


def test_the_budget_is_taken_away_and_bounded(shop: Shop, member: int) -> None:
    anna = shop.talker("o-anna")
    assert "0到30" in anna.say("每月最多99条")
    assert budget(shop, member) is None
    anna.say("每月最多0条")
    assert budget(shop, member) == 0
    assert spent(shop) == {member}
    assert "不再限制" in anna.say("不限条数")
    assert budget(shop, member) is None
    assert spent(shop) == set()


def test_no_more_leaves_than_was_allowed(shop: Shop, member: int) -> None:
    anna = shop.talker("o-anna")
    anna.say("每月最多2条")
    for key in "abc":
        push(shop, member, key)
    said = [anna.say("积分") for _ in range(4)]
    assert ["推送" in one for one in said] == [True, True, False, False]
    with shop.service.database.reading() as connection:
        states = dict(connection.execute(select(rows.c.key, rows.c.state).where(rows.c.member_id == member)).all())
        note = connection.execute(select(rows.c.note).where(rows.c.key == "c")).scalar_one()
    assert states == {"a": "sent", "b": "sent", "c": "cancelled"}
    assert note == "会员设定的条数已满"
    assert spent(shop) == {member}


def test_the_window_rolls(shop: Shop, member: int) -> None:
    anna = shop.talker("o-anna")
    anna.say("每月最多1条")
    push(shop, member, "a")
    assert "推送a" in anna.say("积分")
    shop.clock.forward(days=29)
    push(shop, member, "b", "reminder")
    assert "推送b" not in anna.say("积分")
    shop.clock.forward(days=2)
    assert spent(shop) == set()
    push(shop, member, "c")
    assert spent(shop) == {member}, "what waits counts when a campaign is planned"
    assert "推送c" in anna.say("积分")


def test_notices_do_not_count(shop: Shop, member: int) -> None:
    anna = shop.talker("o-anna")
    anna.say("每月最多0条")
    push(shop, member, "n", "notice")
    assert "推送n" in anna.say("积分")
    push(shop, member, "m")
    assert "推送m" not in anna.say("积分")
