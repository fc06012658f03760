"""转人工: customer service in its hours, the store outside them; the bot is silent and comes back by itself."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlmodel import SQLModel

from members import outbox
from members.tables import Handoff, Member, Outbox, StaffTask, table
from tests.support.acting import become_member, empty_books, hire, issue, messages
from tests.support.shop import Shop, open_shop
from tests.support.talker import Talker, fields, shown

PHONE, TYPED = "+8613800138000", "13800138000"
STORES = {"shop": {"stores": [{"id": "s1", "name": "人民路店"}, {"id": "s2", "name": "静安店"}]}}
SECRET = "我家住在天山路三弄的那个秘密"
tasks, members, handoffs = table(StaffTask), table(Member), table(Handoff)


@pytest.fixture
def shop(tmp_path: Path, books_url: str) -> Iterator[Shop]:
    """A shop at ten in the morning with a member and a manager of their store."""
    with open_shop(tmp_path, books_url, STORES) as running:
        furnish(running)
        yield running


@pytest.fixture
def local(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Shop]:
    """The same on SQLite."""
    with open_shop(tmp_path, empty_books(migrated_sqlite, tmp_path), STORES) as running:
        furnish(running)
        yield running


def furnish(shop: Shop) -> None:
    shop.member(PHONE, points=12, openid="o-anna")
    hire(shop, "o-zhao", name="赵店长", role="manager", store="s1")
    with shop.service.database.transaction() as connection:
        connection.execute(update(members).values(home_store="s1"))


def asks(bot: Talker, words: str) -> dict[str, str]:
    """The fields of the answer to a message, {} for none."""
    xml = bot.send(bot.text_xml(words))
    return fields(xml) if xml else {}


def transferred(bot: Talker, words: str) -> bool:
    """Whether a message was passed on to customer service."""
    answer = asks(bot, words)
    assert set(answer) >= {"ToUserName", "FromUserName", "CreateTime", "MsgType"}
    return answer["MsgType"] == "transfer_customer_service"


def todo(shop: Shop) -> list[Any]:
    with shop.service.database.reading() as connection:
        return list(connection.execute(select(tasks).order_by(tasks.c.id)))


def talks(shop: Shop) -> list[Any]:
    with shop.service.database.reading() as connection:
        return list(connection.execute(select(handoffs).order_by(handoffs.c.id)))


def night(shop: Shop) -> None:
    shop.clock.forward(hours=12)


@pytest.mark.parametrize("words", ["人工", "转人工", "人工客服", "轉人工"])
def test_in_hours_the_message_itself_is_transferred(shop: Shop, words: str) -> None:
    anna = shop.talker("o-anna")
    assert transferred(anna, words)
    (told,) = messages(shop, "o-anna")
    assert (
        told.channels == ["service"]
        and "已为您转接人工客服" in told.content["text"]
        and "机器人" in told.content["text"]
    )
    assert told.expires_at <= shop.clock.now() + timedelta(minutes=10)
    (talk,) = talks(shop)
    assert (talk.kind, talk.openid, talk.ended_at) == ("service", "o-anna", None)
    assert talk.until == shop.clock.now() + timedelta(minutes=30)
    assert todo(shop) == []


def test_a_stranger_is_transferred_too(local: Shop) -> None:
    assert transferred(local.talker("o-new"), "人工")


def test_while_a_person_answers_everything_is_passed_on(shop: Shop) -> None:
    anna = shop.talker("o-anna")
    assert transferred(anna, "人工")
    for words in ("积分", "我要投诉", "退订", SECRET, "确认", "123456", "好的返回一下我的钱"):
        shop.clock.forward(minutes=2)
        assert transferred(anna, words), words
    bot = anna.send(anna.xml("image", f"<MediaId>m</MediaId><MsgId>{next(anna.ids)}</MsgId>"))
    assert fields(bot)["MsgType"] == "transfer_customer_service"


@pytest.mark.parametrize("words", ["机器人", "返回", "结束人工", "取消", "返回吧", "機器人", " 机器人。"])
def test_the_bot_is_called_back(local: Shop, words: str) -> None:
    anna = local.talker("o-anna")
    anna.say("人工")
    assert "我回" in anna.say(words)
    assert talks(local)[0].ended_by == "member"
    assert [message.state for message in messages(local, "o-anna")] == ["cancelled"], "too late to be told"
    assert "您现有 12 积分" in anna.say("积分")


def test_events_still_work_meanwhile(shop: Shop) -> None:
    anna = shop.talker("o-anna")
    anna.say("人工")
    assert "您现有 12 积分" in anna.click("points")
    assert anna.event("VIEW", EventKey="https://shop.test/") == ""
    assert transferred(anna, "在吗")


def test_it_comes_back_by_itself_and_says_so_once(shop: Shop) -> None:
    anna = shop.talker("o-anna")
    anna.say("人工")
    shop.clock.forward(minutes=30)
    said = anna.say("积分")
    assert "人工会话已结束" in said and "您现有 12 积分" in said
    assert talks(shop)[0].ended_by == "time"
    assert "人工会话" not in anna.say("积分")
    assert transferred(anna, "人工"), "and a person can be had again"
    assert len(talks(shop)) == 2


def test_after_the_time_a_person_can_be_asked_for_at_once(local: Shop) -> None:
    anna = local.talker("o-anna")
    anna.say("人工")
    local.clock.forward(hours=1)
    assert transferred(anna, "人工")
    assert transferred(anna, "积分")
    assert [talk.ended_by for talk in talks(local)] == ["time", ""]


def test_a_menu_tap_can_not_be_passed_on_so_the_next_words_are(shop: Shop) -> None:
    anna = shop.talker("o-anna")
    assert "您的话会转给人工客服" in anna.click("human")
    assert messages(shop, "o-anna") == []
    assert transferred(anna, "你好")


def test_customer_service_takes_and_closes_the_talk(shop: Shop) -> None:
    anna = shop.talker("o-anna")
    anna.say("人工")
    shop.clock.forward(minutes=20)
    assert anna.event("kf_create_session", KfAccount="test1@test") == ""
    shop.clock.forward(minutes=20)
    assert transferred(anna, "在吗"), "thirty minutes from when somebody took it"
    assert anna.event("kf_close_session", KfAccount="test1@test", CloseType="KF") == ""
    assert talks(shop)[0].ended_by == "staff"
    back = messages(shop, "o-anna")[-1]
    assert back.content["type"] == "msgmenu" and back.content["items"][0]["content"] == "积分"
    assert "您现有 12 积分" in anna.say("积分")
    anna.event("kf_close_session", KfAccount="test1@test")
    assert len(messages(shop, "o-anna")) == 2, "what was over is not over again"


def test_out_of_hours_a_member_leaves_word_with_the_store(shop: Shop) -> None:
    night(shop)
    anna = shop.talker("o-anna")
    said = anna.say("人工")
    assert "09:00-21:00" in said and "人民路店" in said
    (task,) = todo(shop)
    assert (task.store_id, task.staff_id, task.source, task.state) == ("s1", None, "chat", "open")
    (told,) = messages(shop, "o-zhao")
    assert "请您联系" in told.content["text"] and "138****8000" in told.content["text"]
    assert talks(shop) == [], "nobody is there, so the bot is not silent"
    assert "您现有 12 积分" in anna.say("积分")
    anna.say("人工")
    assert len(todo(shop)) == 1, "asked once"
    assert "1" in shop.talker("o-zhao").say("任务")


def test_out_of_hours_a_stranger_hears_when(local: Shop) -> None:
    night(local)
    assert "09:00-21:00" in local.talker("o-new").say("人工")
    assert todo(local) == []


@pytest.mark.parametrize("late", [False, True])
def test_a_complaint_is_urgent_at_any_hour(local: Shop, late: bool) -> None:
    if late:
        night(local)
    anna = local.talker("o-anna")
    assert ("人民路店" in anna.say("我要投诉")) if late else transferred(anna, "我要投诉")
    (task,) = todo(local)
    assert task.text.startswith("【急】")
    assert task.due_at == local.clock.now() + timedelta(hours=2)
    assert "【急】" in messages(local, "o-zhao")[0].content["text"]


def test_the_adviser_who_brought_a_member_is_asked(local: Shop) -> None:
    adviser = hire(local, "o-wang", name="小王", role="adviser", store="s2")
    friend = local.talker("o-friend")
    friend.event("subscribe", EventKey=f"qrscene_u_{adviser}", Ticket="t")
    become_member(local, "o-friend", "13800138001")
    night(local)
    assert "您的顾问小王" in friend.say("人工")
    (task,) = todo(local)
    assert (task.staff_id, task.store_id) == (adviser, "s2")
    assert len(messages(local, "o-wang")) == 1 and messages(local, "o-zhao") == []
    (talk,) = talks(local)
    assert (talk.kind, talk.staff_id, talk.ended_at) == ("adviser", adviser, local.clock.now())


def test_staff_without_a_chat_still_find_the_task(local: Shop) -> None:
    with local.service.database.transaction() as connection:
        connection.execute(update(members).values(home_store="s2"))
    hire(local, "o-boss", name="总部", role="head_office")
    night(local)
    assert "静安店" in local.talker("o-anna").say("人工")
    assert len(messages(local, "o-boss")) == 1, "where a store has nobody, head office hears of it"


def test_a_shop_without_customer_service_never_transfers(tmp_path: Path, migrated_sqlite: Path) -> None:
    changes = {"shop": {**STORES["shop"], "service": {"transfer": False}}}
    with open_shop(tmp_path, empty_books(migrated_sqlite, tmp_path), changes) as shop:
        furnish(shop)
        said = shop.talker("o-anna").say("人工")
        assert "021-5555" in said and "人民路店" in said
        assert "021-5555" in shop.talker("o-new").say("人工")
        assert talks(shop) == []


def test_hours_and_minutes_are_the_shops(tmp_path: Path, migrated_sqlite: Path) -> None:
    changes = {"shop": {**STORES["shop"], "service": {"hours": "22:00-11:00", "pause_minutes": 5}}}
    with open_shop(tmp_path, empty_books(migrated_sqlite, tmp_path), changes) as shop:
        furnish(shop)
        anna = shop.talker("o-anna")
        assert transferred(anna, "人工")
        shop.clock.forward(minutes=4)
        assert transferred(anna, "积分")
        shop.clock.forward(minutes=1)
        assert "您现有 12 积分" in anna.say("积分")
        shop.clock.forward(hours=1)
        assert "22:00-11:00" in anna.say("人工")


def test_a_repetition_is_passed_on_again_and_nothing_is_done_twice(shop: Shop) -> None:
    anna = shop.talker("o-anna")
    xml = anna.text_xml("人工")
    assert anna.send(xml) == anna.send(xml)
    assert len(talks(shop)) == len(messages(shop, "o-anna")) == 1


def test_what_is_said_to_a_person_is_nowhere_kept(local: Shop, capfd: pytest.CaptureFixture[str]) -> None:
    anna = local.talker("o-anna")
    anna.say("人工")
    assert transferred(anna, SECRET)
    with local.service.database.reading() as connection:
        for known in SQLModel.metadata.sorted_tables:
            assert SECRET not in str(connection.execute(select(known)).all()), known.name
    seen = capfd.readouterr()
    assert SECRET not in seen.out + seen.err
    assert not list(local.service.folder.rglob("*.late"))


def test_what_waits_for_the_next_answer_waits_until_there_is_one(local: Shop) -> None:
    member = local.member("+8613800138009", openid="o-ben")
    ben = local.talker("o-ben")
    ben.say("人工")
    issue(local, member, "free-soup", key="k")
    with local.service.database.transaction() as connection:
        now = local.clock.now()
        message = outbox.Message(
            "k", "notice", ("next_reply",), {"text": "您有新券"}, "test", now, now + timedelta(days=1), member=member
        )
        outbox.put(connection, message, now=now)
    assert transferred(ben, "在吗")
    assert "您有新券" in ben.say("机器人")


def test_two_phones_of_one_member_are_two_talks(local: Shop) -> None:
    become_member(local, "o-tablet", TYPED)
    anna, tablet = local.talker("o-anna"), local.talker("o-tablet")
    anna.say("人工")
    assert "您现有 12 积分" in tablet.say("积分")
    assert transferred(anna, "积分")


def test_a_restart_forgets_no_talk(tmp_path: Path, books_url: str) -> None:
    with open_shop(tmp_path, books_url, STORES) as shop:
        furnish(shop)
        shop.talker("o-anna").say("人工")
    with open_shop(tmp_path, books_url, STORES) as again:
        again.clock.forward(minutes=1)
        assert transferred(again.talker("o-anna"), "积分")


def test_leaving_ends_the_talk(local: Shop) -> None:
    anna = local.talker("o-anna")
    anna.say("人工")
    anna.event("unsubscribe")
    anna.event("subscribe")
    assert "先绑定会员" in shown(anna.send(anna.text_xml("积分")))
    (talk,) = talks(local)
    assert (talk.openid, talk.ended_by) == (None, "member")
    with local.service.database.reading() as connection:
        pending = select(table(Outbox).c.id).where(table(Outbox).c.state == "pending")
        assert connection.execute(pending).all() == []
