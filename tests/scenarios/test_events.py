"""Events: following, leaving, scanning, consents in pop-ups, the fate of what was sent, and the platform's own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.event import listens_for

from bot.inbound import inbound_of
from members import consent, outbox
from members.tables import ConsentEvent, Delivery, Follower, Inbox, table
from tests.support.acting import become_member, empty_books, issue
from tests.support.shop import Shop, open_shop
from tests.support.talker import shown

PHONE = "+8613800138000"
HOLDERS = {
    "subscribe_msg_popup_event": "SubscribeMsgPopupEvent",
    "subscribe_msg_change_event": "SubscribeMsgChangeEvent",
}
followers, deliveries, inbox, events = table(Follower), table(Delivery), table(Inbox), table(ConsentEvent)


@pytest.fixture
def shop(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Shop]:
    """A shop on SQLite: nothing here differs between databases."""
    with open_shop(tmp_path, empty_books(migrated_sqlite, tmp_path)) as running:
        yield running


def follower(shop: Shop, openid: str) -> Any:
    """The row of a follower."""
    with shop.service.database.reading() as connection:
        return connection.execute(select(followers).where(followers.c.openid == openid)).one_or_none()


def popup(shop: Shop, openid: str, answers: list[tuple[str, str]], event: str = "subscribe_msg_popup_event") -> str:
    """The person answers a pop-up with these (template, answer) pairs."""
    items = "".join(
        f"<List><TemplateId><![CDATA[{template}]]></TemplateId>"
        f"<SubscribeStatusString><![CDATA[{answer}]]></SubscribeStatusString><PopupScene>1</PopupScene></List>"
        for template, answer in answers
    )
    bot = shop.talker(openid)
    inner = f"<Event><![CDATA[{event}]]></Event><{HOLDERS[event]}>{items}</{HOLDERS[event]}><N>{next(bot.ids)}</N>"
    shop.clock.forward(seconds=1)
    return shown(bot.send(bot.xml("event", inner)))


def left(shop: Shop, openid: str) -> dict[str, tuple[bool, int | None]]:
    """What an openid's consents are."""
    with shop.service.database.reading() as connection:
        found = consent.topics(connection, consent.of_openid(openid))
    return {topic.removeprefix("subscription:"): answer for topic, answer in found.items()}


def test_following_by_a_code_on_the_wall(shop: Shop) -> None:
    said = shop.talker("o-anna").event("subscribe", EventKey="qrscene_table_8", Ticket="t")
    assert "欢迎来到邻家生鲜" in said
    row = follower(shop, "o-anna")
    assert (row.followed, row.scene) == (True, "table_8")


def test_scanning_as_a_stranger_and_as_a_member(shop: Shop) -> None:
    assert "欢迎来到" in shop.talker("o-anna").event("SCAN", EventKey="store_entrance")
    assert follower(shop, "o-anna").scene == "store_entrance"
    become_member(shop, "o-anna", "13800138000")
    assert "欢迎回来" in shop.talker("o-anna").event("SCAN", EventKey="x" * 300)
    assert follower(shop, "o-anna").scene == "x" * 64


def test_leaving_and_coming_back(shop: Shop) -> None:
    member = shop.member(PHONE, points=9)
    become_member(shop, "o-anna", "13800138000")
    issue(shop, member, "free-soup", key="k")
    anna = shop.talker("o-anna")
    assert anna.event("unsubscribe") == ""
    assert follower(shop, "o-anna") is None
    shop.clock.forward(days=3)
    assert "欢迎回来" in anna.event("subscribe")
    assert follower(shop, "o-anna").followed
    assert "先绑定会员" in anna.say("积分"), "the tie to the phone ended with the following"
    become_member(shop, "o-anna", "13800138000")
    assert "您现有 9 积分" in anna.say("积分")
    assert "免费例汤" in anna.say("优惠券")


def test_leaving_ends_flow_and_code(shop: Shop) -> None:
    anna = shop.talker("o-anna")
    anna.say("绑定 13800138000")
    code = shop.code_for("o-anna")[1]
    anna.event("unsubscribe")
    anna.event("subscribe")
    assert "没有等待中" in anna.say(code)
    assert "没有进行中" in anna.say("取消")


def test_one_accepted_pop_up_is_one_consent(shop: Shop) -> None:
    assert popup(shop, "o-anna", [("t1", "accept")]) == ""
    assert left(shop, "o-anna") == {"t1": (True, 1)}
    popup(shop, "o-anna", [("t1", "accept"), ("t2", "reject"), ("t3", "accept")])
    assert left(shop, "o-anna") == {"t1": (True, 2), "t2": (False, None), "t3": (True, 1)}


def test_refusing_a_pop_up_does_not_take_back_earlier_consents(shop: Shop) -> None:
    popup(shop, "o-anna", [("t1", "accept")])
    popup(shop, "o-anna", [("t1", "reject")])
    assert left(shop, "o-anna") == {"t1": (True, 1)}


def test_refusing_in_the_settings_does(shop: Shop) -> None:
    popup(shop, "o-anna", [("t1", "accept")])
    popup(shop, "o-anna", [("t1", "reject")], "subscribe_msg_change_event")
    assert left(shop, "o-anna") == {"t1": (False, None)}
    with shop.service.database.reading() as connection:
        history = (
            connection.execute(select(table(ConsentEvent).c.granted).order_by(table(ConsentEvent).c.id)).scalars().all()
        )
    assert history == [True, False]


@pytest.mark.parametrize(
    "inner",
    [
        "<SubscribeMsgPopupEvent></SubscribeMsgPopupEvent>", "<SubscribeMsgPopupEvent>x</SubscribeMsgPopupEvent>", "",
        "<SubscribeMsgPopupEvent><List></List><List>x</List></SubscribeMsgPopupEvent>",
        "<SubscribeMsgPopupEvent><List><TemplateId></TemplateId></List></SubscribeMsgPopupEvent>",
        "<SubscribeMsgPopupEvent><List><SubscribeStatusString>accept</SubscribeStatusString></List></SubscribeMsgPopupEvent>",
    ],
)  # fmt: skip
def test_an_odd_pop_up_counts_nothing(shop: Shop, inner: str) -> None:
    bot = shop.talker("o-anna")
    assert bot.send(bot.xml("event", f"<Event>subscribe_msg_popup_event</Event>{inner}")) == ""
    assert left(shop, "o-anna") == {}


@pytest.mark.parametrize("status", ["success", "failed:user block", "failed: system failed", "failed:freq limit"])
def test_the_finish_of_a_template_message_is_kept(shop: Shop, status: str) -> None:
    now = shop.clock.now()
    with shop.service.database.transaction() as connection:
        message = outbox.Message("k", "notice", ("template",), {"text": "x"}, "test", now, now, openid="o-anna")
        row = outbox.put(connection, message, now=now)
        assert row is not None
        for attempt, name in enumerate(("200163836", "")):
            outbox.record(connection, row, attempt + 1, "template", "accepted", now=now, message_id=name)
    assert shop.talker("o-anna").event("TEMPLATESENDJOBFINISH", MsgID="200163836", Status=status) == ""
    assert shop.talker("o-anna").event("TEMPLATESENDJOBFINISH", Status=status) == ""
    with shop.service.database.reading() as connection:
        found = connection.execute(select(deliveries.c.finished).order_by(deliveries.c.id)).scalars().all()
    assert found == [status, ""]


@pytest.mark.parametrize(
    "event", ["user_info_modified", "user_authorization_revoke", "user_authorization_cancellation"]
)
def test_the_platforms_own_events_are_taken_note_of(shop: Shop, event: str) -> None:
    bot = shop.talker("gh_platform")
    inner = f"<Event>{event}</Event><OpenID>o-anna</OpenID><AppID>wx</AppID><RevokeInfo>1</RevokeInfo>"
    assert bot.send(bot.xml("event", inner)) == ""
    with shop.service.database.reading() as connection:
        assert connection.execute(select(inbox.c.openid)).scalars().all() == ["o-anna"]


@pytest.mark.parametrize(
    "event", ["VIEW", "LOCATION", "card_pass_check", "debug_demo", "view_miniprogram", "no_such_event"]
)
def test_other_events_are_silent(shop: Shop, event: str) -> None:
    assert shop.talker("o-anna").event(event, EventKey="http://x", Latitude="1") == ""


def test_an_event_is_handled_once(shop: Shop) -> None:
    bot = shop.talker("o-anna")
    item = "<List><TemplateId>t1</TemplateId><SubscribeStatusString>accept</SubscribeStatusString></List>"
    xml = bot.xml(
        "event", f"<Event>subscribe_msg_popup_event</Event><SubscribeMsgPopupEvent>{item}</SubscribeMsgPopupEvent>"
    )
    for _ in range(3):
        assert bot.send(xml) == ""
    assert left(shop, "o-anna") == {"t1": (True, 1)}


def test_a_blocked_follower_is_none_until_they_return(shop: Shop) -> None:
    shop.talker("o-anna").say("你好")
    with shop.service.database.transaction() as connection:
        connection.execute(update(followers).values(followed=False))
    shop.talker("o-anna").say("你好吗")
    assert follower(shop, "o-anna").followed


def sent(shop: Shop, *names: str) -> None:
    """Attempts to which the platform gave these message ids."""
    now = shop.clock.now()
    with shop.service.database.transaction() as connection:
        for name in names:
            message = outbox.Message(f"k{name}", "notice", ("template",), {"text": "x"}, "test", now, now, openid="o")
            row = outbox.put(connection, message, now=now)
            assert row is not None
            outbox.record(connection, row, 1, "template", "accepted", now=now, message_id=name)


def finished(shop: Shop) -> dict[str, str]:
    with shop.service.database.reading() as connection:
        return dict(connection.execute(select(deliveries.c.message_id, deliveries.c.finished)).all())


def test_the_finish_of_subscription_notices_is_kept(shop: Shop) -> None:
    sent(shop, "1", "2", "3")
    bot = shop.talker("o-anna")
    rows = "".join(
        f"<List><TemplateId>t</TemplateId><MsgID>{number}</MsgID><ErrorCode>{code}</ErrorCode>"
        f"<ErrorStatus>{words}</ErrorStatus></List>"
        for number, code, words in (("1", "0", "success"), ("2", "20004", "user refuse"))
    )
    inner = f"<Event>subscribe_msg_sent_event</Event><SubscribeMsgSentEvent>{rows}</SubscribeMsgSentEvent>"
    assert bot.send(bot.xml("event", inner)) == ""
    assert finished(shop) == {"1": "success", "2": "failed:20004 user refuse", "3": ""}


def test_a_storm_of_finish_events_takes_no_savepoint_and_reads_nobody(shop: Shop) -> None:
    sent(shop, *map(str, range(40)))
    statements: list[str] = []

    @listens_for(shop.service.database.engine, "before_cursor_execute")
    def note(connection: Any, cursor: Any, statement: str, *more: Any) -> None:
        statements.append(statement)

    async def storm() -> None:
        jobs = [
            shop.service.writer.submit(inbound_of({
                "ToUserName": "gh_test", "FromUserName": f"o{n}", "CreateTime": "1772416800", "MsgType": "event",
                "Event": "TEMPLATESENDJOBFINISH", "MsgID": str(n), "Status": "success",
            }))
            for n in range(40)
        ]  # fmt: skip
        assert [await future for _, future in jobs] == [""] * 40

    shop.portal.call(storm)
    assert set(finished(shop).values()) == {"success"}
    assert [words for words in statements if "SAVEPOINT" in words or "follower" in words] == []


@pytest.mark.parametrize("event", ["VIEW", "LOCATION", "no_such_event"])
def test_light_events_take_no_savepoint(shop: Shop, event: str) -> None:
    statements: list[str] = []

    @listens_for(shop.service.database.engine, "before_cursor_execute")
    def note(connection: Any, cursor: Any, statement: str, *more: Any) -> None:
        statements.append(statement)

    async def pair() -> None:
        jobs = [
            shop.service.writer.submit(inbound_of({
                "ToUserName": "gh_test", "FromUserName": f"o{n}", "CreateTime": "1772416800", "MsgType": "event",
                "Event": event, "EventKey": "https://shop.test/", "Latitude": "31.2", "Longitude": "121.4",
            }))
            for n in range(5)
        ]  # fmt: skip
        assert [await future for _, future in jobs] == [""] * 5

    shop.portal.call(pair)
    assert [words for words in statements if "SAVEPOINT" in words] == []


KINDS = {
    "image": "<PicUrl>http://x/y.png</PicUrl><MediaId>m</MediaId>", "video": "<MediaId>m</MediaId>",
    "shortvideo": "<MediaId>m</MediaId>", "link": "<Title>t</Title><Url>http://x</Url>", "file": "<Title>t</Title>",
    "location": "<Location_X>1</Location_X><Location_Y>2</Location_Y>", "voice": "<MediaId>m</MediaId>",
    "never_seen_before": "", "miniprogrampage": "<Title>t</Title>",
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_of_message_is_met_with_silence(shop: Shop, kind: str) -> None:
    bot = shop.talker("o-anna")
    said = shown(bot.send(bot.xml(kind, f"{KINDS[kind]}<MsgId>{next(bot.ids)}</MsgId>")))
    assert said and "系统出了点小问题" not in said
    if kind in ("image", "video", "shortvideo", "link"):
        assert "人工" in said, "what to do next is said"


@pytest.mark.parametrize(
    "words", ["【收到不支持的消息类型，暂无法显示】", "[收到不支持的消息类型,暂时无法显示]", "[Unsupported Message]"]
)
def test_a_sticker_is_met_with_a_smile(shop: Shop, words: str) -> None:
    assert "表情收到" in shop.talker("o-anna").say(words)


@pytest.mark.parametrize("words", ["查一下我的积分。", "积分。", "查积分,", "积分?", "嗯,积分。"])
def test_a_voice_is_understood_with_its_full_stop(shop: Shop, words: str) -> None:
    shop.member(PHONE, points=12, openid="o-anna")
    bot = shop.talker("o-anna")
    inner = f"<MediaId>m</MediaId><Format>amr</Format><MsgId>{next(bot.ids)}</MsgId><Recognition>{words}</Recognition>"
    assert "您现有 12 积分" in shown(bot.send(bot.xml("voice", inner)))


def test_a_tap_in_a_msgmenu_is_its_words_and_opens_the_short_window(shop: Shop) -> None:
    shop.member(PHONE, points=12, openid="o-anna")
    bot = shop.talker("o-anna")
    xml = bot.text_xml("积分").replace("</xml>", "<bizmsgmenuid>1</bizmsgmenuid></xml>")
    assert "您现有 12 积分" in shown(bot.send(xml))
    row = follower(shop, "o-anna")
    assert row.action_at is not None and row.message_at is None
