"""Template, subscription and mass messages (PLATFORM.md, "Which channel may carry what" and errcodes)."""

import xml.etree.ElementTree as ET
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.sandbox import Person, TemplateSpec
from tests.sandbox.shop import Bench, Shop, bench

pytestmark = pytest.mark.anyio


def points(
    touser: str = "alice", thing: str = "购物", number: str = "5", phrase: str = "到账", **more: Any
) -> dict[str, Any]:
    data = {"thing1": {"value": thing}, "number2": {"value": number}, "phrase3": {"value": phrase}}
    return {"touser": touser, "template_id": "tpl_points", "data": data, **more}


def expiry(touser: str = "alice", thing: str = "咖啡券") -> dict[str, Any]:
    data = {"thing1": {"value": thing}, "time2": {"value": "2026年5月21日 18:00"}}
    return {"touser": touser, "template_id": "sub_expiry", "data": data}


def mass(*openids: str, **more: Any) -> dict[str, Any]:
    return {"touser": list(openids), "msgtype": "text", "text": {"content": "周末特惠"}, **more}


def finished(b: Bench, name: str) -> list[ET.Element]:
    roots = [ET.fromstring(callback.xml) for callback in b.shop.callbacks]
    return [root for root in roots if root.findtext("Event") == name]


# --- template messages


async def test_a_template_reaches_any_follower_and_its_finish_event_comes_back(b: Bench) -> None:
    answer = await b.api("message/template/send", points(url="https://shop.test/points"))
    await b.platform.settle()
    assert answer["errcode"] == 0
    (card,) = await b.seen("alice", "template")
    assert (card["kind"], card["title"], card["url"]) == ("card", "积分变动通知", "https://shop.test/points")
    assert card["fields"][1] == {"name": "number2", "value": "5"}
    (event,) = finished(b, "TEMPLATESENDJOBFINISH")
    assert (event.findtext("MsgID"), event.findtext("Status")) == (str(answer["msgid"]), "success")
    assert event.findtext("FromUserName") == "alice" and event.find("MsgId") is None


async def test_a_blocked_account_shows_only_in_the_finish_event(b: Bench) -> None:
    await b.act("faults", kind="blocked", path="/cgi-bin/message/template/send", count=1)
    assert await b.code("message/template/send", points()) == 0
    await b.platform.settle()
    assert await b.seen("alice") == []
    assert finished(b, "TEMPLATESENDJOBFINISH")[0].findtext("Status") == "failed:user block"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (points(thing="字" * 20), 0),
        (points(thing="字" * 21), 47003),
        (points(thing=""), 47003),
        (points(thing="  "), 47003),
        (points(phrase="一二三四五"), 0),
        (points(phrase="一二三四五六"), 47003),
        (points(phrase="ABC"), 47003),
        (points(number="五"), 47003),
        (points(number="-12.5"), 0),
        (points() | {"data": {"thing1": {"value": "购物"}}}, 47003),
        (points() | {"data": points()["data"] | {"thing9": {"value": "x"}}}, 47003),
        (points() | {"data": points()["data"] | {"thing1": "购物"}}, 47003),
        (points() | {"data": None}, 47003),
        (points() | {"template_id": "tpl_unknown"}, 40037),
        (points("nobody"), 40003),
    ],
)
async def test_template_rules(b: Bench, body: dict[str, Any], code: int) -> None:
    assert await b.code("message/template/send", body) == code
    assert len(await b.seen("alice")) == (code == 0)


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("amount", "¥12.50", "十二元"),
        ("amount1", "12.5元", "12345678901"),
        ("date", "2026年5月20日", "明天"),
        ("date", "2026-05-20~2026-05-27", "5月20日"),
        ("time", "18:00", "下午六点"),
        ("letter", "VIP", "V1P"),
        ("symbol", "☆", "☆☆☆☆☆☆"),
        ("character_string", "C-20260520", "券号"),
        ("phone_number", "138****0001", "电话"),
        ("car_number", "沪A12345", "沪A12345678"),
        ("name", "王小明", "王" * 11),
        ("const", "待使用", "待" * 21),
    ],
)
async def test_template_field_kinds(kind: str, right: str, wrong: str) -> None:
    async with bench(templates=(TemplateSpec("t", "标题", {"k": kind}, {"k": "说明"}),)) as b:

        async def send(value: str) -> int:
            body = {"touser": "alice", "template_id": "t", "data": {"k": {"value": value}}}
            return await b.code("message/template/send", body)

        assert (await send(right), await send(wrong)) == (0, 47003)
        assert (await b.seen("alice"))[0]["fields"] == [{"name": "说明", "value": right}]


async def test_an_unknown_field_kind_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="unknown kind 'poem'"):
        async with bench(templates=(TemplateSpec("t", "标题", {"k": "poem"}),)):
            pass


async def test_who_left_gets_no_template_43004(b: Bench) -> None:
    await b.act("unfollow", openid="alice")
    assert await b.code("message/template/send", points()) == 43004


async def test_the_same_openid_and_client_msg_id_send_once_within_ten_minutes(b: Bench) -> None:
    first = await b.api("message/template/send", points(client_msg_id="m1"))
    assert await b.api("message/template/send", points(client_msg_id="m1")) == first
    await b.api("message/template/send", points("bob", client_msg_id="m1"))
    await b.api("message/template/send", points(client_msg_id="m2"))
    assert (len(await b.seen("alice")), len(await b.seen("bob"))) == (2, 1)
    b.shop.pass_time(seconds=599)
    await b.api("message/template/send", points(client_msg_id="m1"))
    assert len(await b.seen("alice")) == 2
    b.shop.pass_time(seconds=1)
    await b.api("message/template/send", points(client_msg_id="m1"))
    assert len(await b.seen("alice")) == 3
    await b.platform.settle()
    assert len(finished(b, "TEMPLATESENDJOBFINISH")) == 4


async def test_the_daily_template_quota_ends_at_midnight_in_shanghai() -> None:
    async with bench(daily_quotas={"/cgi-bin/message/template/send": 2}) as b:
        assert [await b.code("message/template/send", points()) for _ in range(3)] == [0, 0, 45009]
        b.shop.now = datetime.fromisoformat("2026-05-20T23:59:59+08:00")
        assert await b.code("message/template/send", points()) == 45009
        b.shop.pass_time(seconds=1)
        assert await b.code("message/template/send", points()) == 0


def test_the_default_quotas_are_those_of_the_platform() -> None:
    from tests.sandbox.shop import SETTINGS

    assert SETTINGS.daily_quotas["/cgi-bin/message/template/send"] == 100_000
    assert SETTINGS.daily_quotas["/cgi-bin/stable_token"] == 500_000
    assert SETTINGS.daily_quotas["/cgi-bin/user/get"] == 500
    assert SETTINGS.minute_quotas["/cgi-bin/message/mass/send"] == 60
    assert SETTINGS.mass_quota == 4


# --- subscription notices


async def test_one_send_per_consent(b: Bench) -> None:
    assert await b.code("message/subscribe/bizsend", expiry()) == 43101
    await b.act("consent", openid="alice", template_id="sub_expiry", accept=True)
    b.shop.pass_time(days=400)
    assert [await b.code("message/subscribe/bizsend", expiry()) for _ in range(2)] == [0, 43101]
    await b.platform.settle()
    (card,) = await b.seen("alice", "subscription")
    assert card["title"] == "优惠券到期提醒"
    (event,) = finished(b, "subscribe_msg_sent_event")
    row = event.find("SubscribeMsgSentEvent/List")
    assert row is not None
    assert [child.tag for child in row] == ["TemplateId", "MsgID", "ErrorCode", "ErrorStatus"]
    assert (row.findtext("TemplateId"), row.findtext("ErrorCode"), row.findtext("ErrorStatus")) == (
        "sub_expiry",
        "0",
        "success",
    )


async def test_consents_add_up_and_belong_to_one_person_and_template(b: Bench) -> None:
    for _ in range(2):
        await b.act("consent", openid="alice", template_id="sub_expiry", accept=True)
    shop = {"touser": "alice", "template_id": "sub_shop", "data": {"thing1": {"value": "咖啡"}}}
    assert await b.code("message/subscribe/bizsend", shop) == 43101
    assert await b.code("message/subscribe/bizsend", expiry("bob")) == 43101
    assert [await b.code("message/subscribe/bizsend", expiry()) for _ in range(3)] == [0, 0, 43101]


async def test_a_refused_popup_gives_nothing_and_a_refusal_in_the_settings_takes_all(b: Bench) -> None:
    await b.act("consent", openid="alice", template_id="sub_expiry", accept=False)
    assert await b.code("message/subscribe/bizsend", expiry()) == 43101
    await b.act("consent", openid="alice", template_id="sub_expiry", accept=True)
    await b.act("consent", openid="alice", template_id="sub_expiry", manage=True)
    assert await b.code("message/subscribe/bizsend", expiry()) == 43101


async def test_a_wrong_notice_uses_no_consent(b: Bench) -> None:
    await b.act("consent", openid="alice", template_id="sub_expiry", accept=True)
    assert await b.code("message/subscribe/bizsend", expiry(thing="字" * 21)) == 47003
    assert await b.code("message/subscribe/bizsend", expiry() | {"template_id": "none"}) == 40037
    assert await b.code("message/subscribe/bizsend", expiry("nobody")) == 40003
    assert await b.code("message/subscribe/bizsend", expiry()) == 0


# --- mass messages


async def test_four_mass_messages_a_month_and_the_month_is_shanghais(b: Bench) -> None:
    b.shop.now = datetime.fromisoformat("2026-05-31T15:59:59+00:00")
    send = "message/mass/send"
    assert [await b.code(send, mass("alice", "bob")) for _ in range(5)] == [0, 0, 0, 0, 45028]
    b.shop.pass_time(seconds=1)
    assert b.shop.now.month == 5 and await b.code(send, mass("alice", "bob")) == 0
    assert len(await b.seen("alice", "mass")) == 5


async def test_who_had_four_is_left_out_and_counted(b: Bench) -> None:
    b.shop.members.append(Person("carol", "李四"))
    for _ in range(4):
        await b.api("message/mass/send", mass("alice", "bob"))
    await b.api("message/mass/send", mass("alice", "carol"))
    await b.platform.settle()
    event = finished(b, "MASSSENDJOBFINISH")[-1]
    counted = {name: event.findtext(name) for name in ("TotalCount", "FilterCount", "SentCount", "ErrorCount")}
    assert counted == {"TotalCount": "2", "FilterCount": "1", "SentCount": "1", "ErrorCount": "0"}
    assert event.findtext("MsgID") and event.findtext("Status") == "send success"
    assert (len(await b.seen("alice")), len(await b.seen("carol"))) == (4, 1)


async def test_mass_lists_have_2_to_10000_openids(b: Bench) -> None:
    for openids in ([], ["alice"], ["alice", "alice"], [str(n) for n in range(10_001)], "alice"):
        assert await b.code("message/mass/send", mass() | {"touser": openids}) == 40130
    assert await b.code("message/mass/send", mass("alice", "nobody")) == 40003
    assert await b.seen("alice") == []


async def test_mass_by_tag_and_to_all(b: Bench) -> None:
    tag = (await b.api("tags/create", {"tag": {"name": "咖啡"}}))["tag"]["id"]
    await b.api("tags/members/batchtagging", {"openid_list": ["bob"], "tagid": tag})
    text = {"msgtype": "text", "text": {"content": "新品"}}
    assert await b.code("message/mass/sendall", {"filter": {"is_to_all": False, "tag_id": tag}, **text}) == 0
    assert (len(await b.seen("alice")), len(await b.seen("bob"))) == (0, 1)
    assert await b.code("message/mass/sendall", {"filter": {"is_to_all": True}, **text}) == 0
    assert (len(await b.seen("alice")), len(await b.seen("bob"))) == (1, 2)
    assert await b.code("message/mass/sendall", {"filter": {"tag_id": 99999}, **text}) == 45159
    assert await b.code("message/mass/sendall", text) == 47001


async def test_who_left_gets_no_mass_message(b: Bench) -> None:
    await b.act("unfollow", openid="alice")
    assert await b.code("message/mass/send", mass("alice", "bob")) == 0
    assert (len(await b.seen("alice")), len(await b.seen("bob"))) == (0, 1)


async def test_the_same_clientmsgid_within_24_hours_is_45065(b: Bench) -> None:
    first = await b.api("message/mass/send", mass("alice", "bob", clientmsgid="spring-1"))
    again = await b.api("message/mass/send", mass("alice", "bob", clientmsgid="spring-1"))
    assert (first["errcode"], again["errcode"], again["msg_id"]) == (0, 45065, first["msg_id"])
    b.shop.pass_time(hours=24, seconds=-1)
    assert await b.code("message/mass/send", mass("alice", "bob", clientmsgid="spring-1")) == 45065
    b.shop.pass_time(seconds=1)
    assert await b.code("message/mass/send", mass("alice", "bob", clientmsgid="spring-1")) == 0
    assert len(await b.seen("alice")) == 2


async def test_clientmsgid_up_to_32_characters(b: Bench) -> None:
    assert await b.code("message/mass/send", mass("alice", "bob", clientmsgid="x" * 32)) == 0
    assert await b.code("message/mass/send", mass("alice", "bob", clientmsgid="x" * 33)) == 45067


async def test_sixty_mass_calls_a_minute(b: Bench) -> None:
    calls = [await b.code("message/mass/send", mass("alice")) for _ in range(61)]
    assert calls == [40130] * 60 + [45011]
    b.shop.pass_time(minutes=1)
    assert await b.code("message/mass/send", mass("alice")) == 40130


async def test_mass_texts_are_limited_and_of_known_types(b: Bench) -> None:
    assert await b.code("message/mass/send", mass("alice", "bob") | {"text": {"content": "a" * 2049}}) == 45002
    assert await b.code("message/mass/send", mass("alice", "bob") | {"msgtype": "poem"}) == 40008


async def test_time_is_the_products_clock() -> None:
    async with bench(Shop(now=datetime.fromisoformat("2030-01-01T00:00:00+00:00"))) as b:
        await b.api("message/template/send", points())
        assert (await b.seen("alice"))[0]["at"] == "2030-01-01T00:00:00+00:00"
        b.shop.now += timedelta(days=1)
        assert (await b.http.get("/sandbox/api/state")).json()["now"] == "2030-01-02T00:00:00+00:00"
