"""What people do, and the XML it becomes (PLATFORM.md, "Messages and events")."""

import xml.etree.ElementTree as ET

import pytest

from tests.sandbox.shop import MENU, ORIGINAL, Bench

pytestmark = pytest.mark.anyio


def last(b: Bench) -> ET.Element:
    return ET.fromstring(b.shop.callbacks[-1].xml)


def fields(b: Bench) -> dict[str, str]:
    """The fields of the latest callback but the four common ones."""
    root = last(b)
    assert (root.findtext("ToUserName"), root.findtext("CreateTime")) == (ORIGINAL, str(int(b.shop.now.timestamp())))
    common = ("ToUserName", "FromUserName", "CreateTime", "MsgId", "MediaId")
    return {child.tag: child.text or "" for child in root if child.tag not in common}


async def test_text_carries_a_fresh_msg_id(b: Bench) -> None:
    await b.act("say", openid="alice", text="积分")
    first = last(b)
    await b.act("say", openid="alice", text="积分")
    assert fields(b) == {"MsgType": "text", "Content": "积分"}
    assert first.findtext("MsgId") != last(b).findtext("MsgId")
    assert last(b).findtext("FromUserName") == "alice"


async def test_text_that_xml_cannot_carry_is_made_safe(b: Bench) -> None:
    await b.act("say", openid="alice", text="a\x00b]]><MsgType>x</MsgType>😀")
    assert fields(b) == {"MsgType": "text", "Content": "ab]]><MsgType>x</MsgType>😀"}


async def test_a_msgmenu_click_arrives_as_text_with_bizmsgmenuid(b: Bench) -> None:
    await b.act("say", openid="alice", text="满意", menu_id="101")
    assert fields(b) == {"MsgType": "text", "Content": "满意", "bizmsgmenuid": "101"}


async def test_image_message_whose_bytes_can_be_fetched(b: Bench) -> None:
    await b.act("image", openid="alice")
    sent = fields(b)
    assert sent["MsgType"] == "image" and sent["PicUrl"].startswith("http://shop.test/sandbox/media/")
    picture = await b.http.get(f"/sandbox/media/{last(b).findtext('MediaId')}")
    assert picture.content.startswith(b"\x89PNG") and picture.headers["content-type"] == "image/png"


async def test_voice_message_with_recognition(b: Bench) -> None:
    await b.act("voice", openid="alice", text="我的积分")
    assert fields(b) == {"MsgType": "voice", "Format": "amr", "Recognition": "我的积分"}


async def test_location_message_and_location_event(b: Bench) -> None:
    await b.act("location", openid="alice", latitude=31.2304, longitude=121.4737)
    sent = fields(b)
    assert (sent["MsgType"], sent["Location_X"], sent["Location_Y"]) == ("location", "31.230400", "121.473700")
    await b.act("location", openid="alice", latitude=31.0, longitude=121.0, report=True)
    sent = fields(b)
    assert (sent["Event"], sent["Latitude"], sent["Longitude"]) == ("LOCATION", "31.000000", "121.000000")
    assert float(sent["Precision"]) > 0


async def test_subscribe_by_search_and_by_code(b: Bench) -> None:
    stranger = (await b.act("person", label="路人"))["openid"]
    await b.act("follow", openid=stranger)
    assert fields(b) == {"MsgType": "event", "Event": "subscribe", "EventKey": ""}
    await b.act("unfollow", openid=stranger)
    assert fields(b) == {"MsgType": "event", "Event": "unsubscribe", "EventKey": ""}
    qr = await b.api(
        "qrcode/create", {"action_name": "QR_LIMIT_STR_SCENE", "action_info": {"scene": {"scene_str": "A1"}}}
    )
    await b.act("scan", openid=stranger, scene="A1")
    assert fields(b) == {"MsgType": "event", "Event": "subscribe", "EventKey": "qrscene_A1", "Ticket": qr["ticket"]}
    await b.act("scan", openid=stranger, scene="A1")
    assert fields(b) == {"MsgType": "event", "Event": "SCAN", "EventKey": "A1", "Ticket": qr["ticket"]}


async def test_menu_click_and_view(b: Bench) -> None:
    assert await b.refused("menu", openid="alice", key="POINTS") == "菜单里没有这一项"
    await b.api("menu/create", MENU)
    await b.act("menu", openid="alice", key="POINTS")
    assert fields(b) == {"MsgType": "event", "Event": "CLICK", "EventKey": "POINTS"}
    await b.act("menu", openid="alice", url="https://shop.test/")
    assert fields(b) | {"MenuId": ""} == {
        "MsgType": "event",
        "Event": "VIEW",
        "EventKey": "https://shop.test/",
        "MenuId": "",
    }


async def test_subscription_popup_and_change_events_have_a_list(b: Bench) -> None:
    for accept, word in ((True, "accept"), (False, "reject")):
        await b.act("consent", openid="alice", template_id="sub_expiry", accept=accept)
        row = last(b).find("SubscribeMsgPopupEvent/List")
        assert last(b).findtext("Event") == "subscribe_msg_popup_event" and row is not None
        assert [(child.tag, child.text) for child in row] == [
            ("TemplateId", "sub_expiry"),
            ("SubscribeStatusString", word),
            ("PopupScene", "2"),
        ]
    await b.act("consent", openid="alice", template_id="sub_expiry", manage=True)
    assert last(b).findtext("Event") == "subscribe_msg_change_event"
    assert last(b).findtext("SubscribeMsgChangeEvent/List/SubscribeStatusString") == "reject"


async def test_what_a_phone_would_not_let_you_do(b: Bench) -> None:
    stranger = (await b.act("person", label="路人"))["openid"]
    before = len(b.shop.callbacks)
    assert await b.refused("say", openid=stranger, text="积分") == "还没有关注公众号,请先关注"
    assert await b.refused("say", openid="nobody", text="积分") == "没有这个人"
    assert await b.refused("say", openid="alice", text="  ") == "请输入内容"
    assert await b.refused("say", openid="alice", text="长" * 5001) == "内容太长"
    assert await b.refused("follow", openid="alice") == "已经关注了"
    assert await b.refused("unfollow", openid=stranger) == "还没有关注公众号,请先关注"
    assert await b.refused("location", openid="alice", latitude=91, longitude=0) == "经纬度不对"
    assert await b.refused("consent", openid="alice", template_id="none", accept=True) == "没有这个订阅通知"
    assert await b.refused("scan", openid="alice", scene="长" * 65) == "二维码场景值要有 1 到 64 个字"
    assert len(b.shop.callbacks) == before


async def test_a_temporary_code_expires(b: Bench) -> None:
    body = {"expire_seconds": 60, "action_name": "QR_SCENE", "action_info": {"scene": {"scene_id": 7}}}
    assert (await b.api("qrcode/create", body))["expire_seconds"] == 60
    b.shop.pass_time(seconds=59)
    await b.act("scan", openid="alice", scene="7")
    b.shop.pass_time(seconds=1)
    assert await b.refused("scan", openid="alice", scene="7") == "二维码已过期"


async def test_a_stranger_may_be_met_under_a_given_openid(b: Bench) -> None:
    made = [(await b.http.post("/sandbox/api/person", json={"openid": "oTerminal-1"})).json() for _ in range(2)]
    assert [row["openid"] for row in made] == ["oTerminal-1", "oTerminal-1"]
    assert (await b.http.post("/sandbox/api/person", json={"openid": "o 1"})).status_code == 400
