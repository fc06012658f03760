"""What the API client puts on the wire and reads back, method by method."""

import logging
import sys
from typing import Any

import httpx
import pytest

from bot.sms import ConsoleSms
from bot.wechat import WeChatError
from bot.wire import LiveWire
from scheduler.channels import Outcome, SendResult, Wire
from tests.bot.wechat_platform import OK, TEXT, Platform


def test_chinese_is_not_escaped() -> None:
    platform = Platform()
    platform.client().send_service("o1", TEXT, "m1")
    request = platform.calls[0]
    assert "您的积分是 120 分🎁".encode() in request.content
    assert b"\\u" not in request.content
    assert request.headers["content-type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize(
    ("ours", "kept"), [("m1", True), ("x" * 32, True), ("x" * 33, False), ("活动1", False), ("y" * 400, False)]
)
def test_client_ids_fit_and_stay_the_same(ours: str, kept: bool) -> None:
    platform = Platform()
    client = platform.client()
    for _ in range(2):
        client.send_mass(["o1", "o2"], TEXT, ours)
    client.send_mass(["o1", "o2"], TEXT, ours + "z")
    ids = [platform.body(index)["clientmsgid"] for index in range(3)]
    assert ids[0] == ids[1] != ids[2]
    assert all(len(each) <= 32 and each.isascii() for each in ids)
    assert (ids[0] == ours) is kept


@pytest.mark.parametrize(
    ("content", "body"),
    [
        (TEXT, {"msgtype": "text", "text": {"content": TEXT["text"]}}),
        ({"type": "image", "media_id": "M"}, {"msgtype": "image", "image": {"media_id": "M"}}),
        (
            {"type": "news", "title": "一", "url": "https://x", "picurl": "https://p"},
            {
                "msgtype": "news",
                "news": {"articles": [{"title": "一", "description": "", "url": "https://x", "picurl": "https://p"}]},
            },
        ),
        (
            {"type": "msgmenu", "head": "要吗?", "items": [{"id": 1, "content": "要"}], "tail": "谢谢"},
            {
                "msgtype": "msgmenu",
                "msgmenu": {
                    "head_content": "要吗?",
                    "list": [{"id": "1", "content": "要"}],
                    "tail_content": "谢谢",
                },
            },
        ),
    ],
)
def test_service_bodies(content: dict[str, Any], body: dict[str, Any]) -> None:
    platform = Platform()
    assert platform.client().send_service("o1", content, "m1").outcome is Outcome.ACCEPTED
    assert platform.calls[0].url.path == "/cgi-bin/message/custom/send"
    assert platform.body() == {"touser": "o1", "clientmsgid": "m1", **body}


def test_notice_and_mass_bodies() -> None:
    platform = Platform()
    client = platform.client()
    client.send_template("o1", "t1", {"thing1": "牛奶"}, "https://x", "m1")
    assert platform.calls[-1].url.path == "/cgi-bin/message/template/send"
    data = {"thing1": {"value": "牛奶"}}
    expected = {"touser": "o1", "template_id": "t1", "data": data, "client_msg_id": "m1", "url": "https://x"}
    assert platform.body() == expected
    client.send_subscription("o1", "t2", {"thing1": "牛奶"}, "pages/x")
    assert platform.calls[-1].url.path == "/cgi-bin/message/subscribe/bizsend"
    assert platform.body() == {"touser": "o1", "template_id": "t2", "data": data, "page": "pages/x"}
    client.send_mass(["o1", "o2"], {"type": "image", "media_id": "M"}, "m1")
    assert platform.calls[-1].url.path == "/cgi-bin/message/mass/send"
    assert platform.body()["images"] == {"media_ids": ["M"]}
    client.typing("o1", on=False)
    assert platform.body() == {"touser": "o1", "command": "CancelTyping"}


@pytest.mark.parametrize("content", [{"type": "text"}, {"type": "video"}, {}, {"type": "msgmenu", "head": ""}])
def test_content_that_cannot_be_sent_is_refused_unsent(content: dict[str, Any]) -> None:
    platform = Platform()
    assert platform.client().send_service("o1", content, "m1") == SendResult(Outcome.REFUSED, "bad_content")
    assert platform.client().send_mass(["o1", "o2"], {"type": "news"}, "m1").outcome is Outcome.REFUSED
    assert (platform.calls, platform.token_calls) == ([], 0)


def test_menu() -> None:
    platform = Platform(OK, {"menu": {"button": []}}, {"errcode": 46003, "errmsg": "menu no exist"}, {"errcode": 48001})
    client = platform.client()
    client.menu_create({"button": [{"type": "click", "name": "积分", "key": "points"}]})
    assert platform.body()["button"][0]["name"] == "积分"
    assert client.menu_get() == {"menu": {"button": []}}
    assert client.menu_get() is None
    with pytest.raises(WeChatError) as refused:
        client.menu_get()
    assert refused.value.errcode == 48001


def test_a_read_is_repeated_when_its_answer_is_lost() -> None:
    platform = Platform(httpx.ReadTimeout, {"errcode": -1}, {"tags": [{"id": 1, "name": "金卡", "count": 0}]})
    assert platform.client().tags_get() == [{"id": 1, "name": "金卡", "count": 0}]
    assert len(platform.slept) == 2


def test_qr_codes() -> None:
    platform = Platform(*[{"ticket": "gQ", "url": "http://weixin.qq.com/q/x", "expire_seconds": 60}] * 2)
    client = platform.client()
    assert client.qr_create("store:s324", 60).ticket == "gQ"
    assert platform.body() == {
        "action_name": "QR_STR_SCENE",
        "expire_seconds": 60,
        "action_info": {"scene": {"scene_str": "store:s324"}},
    }
    client.qr_create("store:s324", None)
    assert platform.body()["action_name"] == "QR_LIMIT_STR_SCENE"
    for scene, seconds in (("", 60), ("x" * 65, 60), ("x", 0), ("x", 30 * 24 * 3600 + 1)):
        with pytest.raises(ValueError, match="1"):
            client.qr_create(scene, seconds)
    assert len(platform.calls) == 2


def test_batches() -> None:
    platform = Platform(*[{"user_info_list": [{"openid": "o"}]}] * 3)
    client = platform.client()
    assert len(client.user_info_batch([f"o{n}" for n in range(201)])) == 3
    assert [len(platform.body(n)["user_list"]) for n in range(3)] == [100, 100, 1]
    client.tags_add(5, [f"o{n}" for n in range(51)])
    assert [len(platform.body(n)["openid_list"]) for n in (3, 4)] == [50, 1]
    client.tags_remove(5, [])
    assert len(platform.calls) == 5


def test_tags() -> None:
    platform = Platform({"tag": {"id": 7, "name": "金卡"}})
    client = platform.client()
    assert client.tags_create("金卡") == 7
    client.tags_delete(7)
    assert platform.body() == {"tag": {"id": 7}}


def test_upload_image() -> None:
    platform = Platform({"type": "image", "media_id": "M", "created_at": 1})
    client = platform.client()
    assert client.upload_image(b"\x89PNG", "code.png", "image/png") == "M"
    request = platform.calls[0]
    assert request.url.params["type"] == "image"
    assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert b'name="media"; filename="code.png"' in request.content
    assert b"\x89PNG" in request.content
    with pytest.raises(ValueError, match="2 MB"):
        client.upload_image(b"x" * (2 * 1024 * 1024 + 1), "big.png", "image/png")


def test_no_log_or_error_holds_token_or_secret(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("httpx").setLevel(logging.DEBUG)
    caplog.set_level(logging.DEBUG)
    platform = Platform(OK, httpx.ReadTimeout, {"errcode": 48001, "errmsg": "api unauthorized"})
    platform.valid = "TOKEN-OF-THIS-TEST"
    client = platform.client()
    client.send_service("o1", TEXT, "m1")
    client.send_service("o1", TEXT, "m1")
    with pytest.raises(WeChatError) as refused:
        client.tags_delete(1)
    for text in (caplog.text, str(refused.value), repr(refused.value)):
        assert platform.valid not in text
        assert "s3cret" not in text


def test_the_live_wire_is_what_delivery_needs(capsys: pytest.CaptureFixture[str]) -> None:
    platform = Platform({"errcode": 0}, {"errcode": 0, "msgid": 3}, OK, {"errcode": 0, "msg_id": 4})
    wire: Wire = LiveWire(platform.client(), ConsoleSms(sys.stdout))
    assert wire.send_service("o1", TEXT, "m1").outcome is Outcome.ACCEPTED
    assert wire.send_template("o1", "t1", {}, "", "m1").message_id == "3"
    assert wire.send_subscription("o1", "t1", {}, "").outcome is Outcome.ACCEPTED
    assert wire.send_mass(["o1", "o2"], TEXT, "m1").message_id == "4"
    sent = wire.send_sms("+8613800138000", "marketing", {}, "退订回T", openid=None, message_id="m1")
    assert sent.outcome is Outcome.ACCEPTED
    assert "退订回T" in capsys.readouterr().out
    assert wire.send_sms("+8613800138000", "other", {}, "", openid=None, message_id="m1").errcode == "no_template"
