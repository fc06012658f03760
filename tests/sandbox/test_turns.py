"""Callbacks: deadline, three identical deliveries, passive replies (PLATFORM.md, "Callback")."""

import asyncio
import hashlib

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from bot.sandbox.limits import UNAVAILABLE
from tests.sandbox.shop import TOKEN, Bench, Shop, answering, bench, reply_xml, text_xml

pytestmark = pytest.mark.anyio
FOREVER = 3600.0


async def test_a_text_is_posted_and_its_reply_is_shown(b: Bench) -> None:
    b.shop.answer = answering(text_xml("你好").encode())
    await b.act("say", openid="alice", text="积分")
    (callback,) = b.shop.callbacks
    assert "<Content><![CDATA[积分]]></Content>" in callback.xml
    assert [(e["via"], e["kind"], e["text"]) for e in await b.seen("alice")] == [("passive", "text", "你好")]


async def test_the_signature_is_sha1_of_the_sorted_token_timestamp_and_nonce(b: Bench) -> None:
    await b.act("say", openid="alice", text="积分")
    query = b.shop.callbacks[0].query
    joined = "".join(sorted([TOKEN, query["timestamp"], query["nonce"]]))
    assert query["signature"] == hashlib.sha1(joined.encode()).hexdigest()
    assert query["timestamp"] == str(int(b.shop.now.timestamp()))
    assert query["openid"] == "alice"


@pytest.mark.parametrize("acknowledgement", [b"", b"success", b" success\n"])
async def test_success_and_an_empty_body_mean_no_reply(b: Bench, acknowledgement: bytes) -> None:
    b.shop.answer = answering(acknowledgement)
    turn = await b.platform.turn("alice", "积分")
    assert (turn.reply, turn.failed, turn.text) == (None, "", "")
    assert len(b.shop.callbacks) == 1
    assert await b.seen("alice") == []


@pytest.mark.parametrize("failure", [500, 404, 302])
async def test_three_identical_deliveries_when_the_answer_is_not_200(b: Bench, failure: int) -> None:
    b.shop.answer = answering(failure)
    turn = await b.platform.turn("alice", "积分")
    assert [(attempt.number, attempt.status) for attempt in turn.attempts] == [(1, failure), (2, failure), (3, failure)]
    assert len(b.shop.callbacks) == 3
    assert all(callback == b.shop.callbacks[0] for callback in b.shop.callbacks)
    assert [(e["kind"], e["via"], e["text"]) for e in await b.seen("alice")] == [("event", "passive", UNAVAILABLE)]


async def test_three_identical_deliveries_when_no_answer_comes_within_the_deadline() -> None:
    async with bench(deadline_seconds=0.05, mode="aes") as b:
        b.shop.answer = answering(FOREVER)
        turn = await b.platform.turn("alice", "积分")
        assert [attempt.status for attempt in turn.attempts] == [0, 0, 0]
        assert len({(c.body, tuple(c.query.items())) for c in b.shop.callbacks}) == 1
        assert [e["text"] for e in await b.seen("alice")] == [UNAVAILABLE]
        assert turn.text == UNAVAILABLE


async def test_three_deliveries_when_nobody_listens() -> None:
    calls: list[httpx.Request] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        calls.append(request)
        raise httpx.ConnectError("refused")

    async with bench(transport=httpx.MockTransport(refuse)) as b:
        turn = await b.platform.turn("alice", "积分")
        assert [attempt.status for attempt in turn.attempts] == [0, 0, 0]
        assert len({(str(call.url), call.content) for call in calls}) == 1 and len(calls) == 3


async def test_a_server_that_accepts_and_never_answers_is_hung_up_on() -> None:
    hung_up: list[bytes] = []

    async def read_until_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hung_up.append(await reader.read())
        writer.close()

    async with await asyncio.start_server(read_until_the_end, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        url, real = f"http://127.0.0.1:{port}/wechat", httpx.AsyncHTTPTransport()
        async with bench(transport=real, callback_url=url, deadline_seconds=0.3) as b:
            turn = await b.platform.turn("alice", "积分")
            assert [attempt.status for attempt in turn.attempts] == [0, 0, 0]
            while len(hung_up) < 3:
                await asyncio.sleep(0.01)
    assert len(set(hung_up)) == 1 and "积分".encode() in hung_up[0]


async def test_the_answer_to_a_retry_counts(b: Bench) -> None:
    b.shop.answer = answering(503, text_xml("第二次").encode())
    turn = await b.platform.turn("alice", "积分")
    assert (turn.text, len(turn.attempts)) == ("第二次", 2)


async def test_an_app_under_asgi_finishes_its_work_after_the_deadline() -> None:
    done, go = asyncio.Event(), asyncio.Event()

    async def late(request: Request, body: bytes) -> Response:
        await go.wait()
        done.set()
        return Response(b"success")

    async with bench(Shop(answer=late), deadline_seconds=0.05) as b:
        turn = await b.platform.turn("alice", "积分")
        assert turn.failed and not done.is_set()
        go.set()
        await done.wait()


@pytest.mark.parametrize(
    "body",
    [
        b"nonsense",
        b"<xml>",
        b"<a/>",
        b"<xml/>",
        b"\xff\xfe",
        text_xml("x", to="bob").encode(),
        text_xml("x", sender="gh_other").encode(),
        text_xml("").encode(),
        text_xml("字" * 683).encode(),
        reply_xml("<MsgType>text</MsgType>").encode(),
        reply_xml("<MsgType>dance</MsgType>").encode(),
        reply_xml("<MsgType>image</MsgType>").encode(),
        reply_xml("<MsgType>news</MsgType><ArticleCount>1</ArticleCount>").encode(),
        text_xml("x").replace("1700000000", "soon").encode(),
        b'<!DOCTYPE x [<!ENTITY a "b">]>' + text_xml("&a;").replace("<![CDATA[&a;]]>", "&a;").encode(),
    ],
)
async def test_a_malformed_reply_is_not_asked_again_and_shows_the_apology(b: Bench, body: bytes) -> None:
    b.shop.answer = answering(body)
    turn = await b.platform.turn("alice", "积分")
    assert turn.failed and turn.reply is None
    assert len(b.shop.callbacks) == 1
    assert [e["text"] for e in await b.seen("alice")] == [UNAVAILABLE]


async def test_2048_bytes_of_text_are_still_shown(b: Bench) -> None:
    text = "字" * 682 + "ab"
    assert len(text.encode()) == 2048
    b.shop.answer = answering(text_xml(text).encode())
    assert (await b.platform.turn("alice", "积分")).text == text


async def test_news_to_a_message_carries_one_article_and_to_an_event_eight(b: Bench) -> None:
    item = "<item><Title>买</Title><Description>d</Description><PicUrl>p</PicUrl><Url>u</Url></item>"
    news = reply_xml(f"<MsgType>news</MsgType><ArticleCount>9</ArticleCount><Articles>{item * 9}</Articles>")
    b.shop.answer = answering(news.encode())
    await b.act("say", openid="alice", text="推荐")
    await b.act("scan", openid="alice", scene="store-1")
    first, second = await b.seen("alice")
    assert first["items"] == [{"title": "买", "description": "d", "url": "u", "picurl": "p"}]
    assert len(second["items"]) == 8


async def test_one_persons_messages_keep_their_order(b: Bench) -> None:
    order: list[str] = []
    first_may_go = asyncio.Event()

    async def answer(request: Request, body: bytes) -> Response:
        word = "一" if "一" in body.decode() else "二" if "二" in body.decode() else "别人"
        if word == "一":
            await first_may_go.wait()
        order.append(word)
        if word == "别人":
            first_may_go.set()
        return Response(b"success")

    b.shop.answer = answer
    for openid, text in (("alice", "一"), ("alice", "二"), ("bob", "别人")):
        await b.http.post("/sandbox/api/say", json={"openid": openid, "text": text})
    await b.platform.settle()
    assert order == ["别人", "一", "二"]


async def test_a_turn_is_published_with_its_xml_and_its_entries_in_the_books(b: Bench) -> None:
    b.shop.answer = answering(500, text_xml("好").encode())
    await b.act("say", openid="alice", text="积分")
    events = b.platform.world.hub.history("alice")
    asked, failed, answered, shown = events
    assert [event["type"] for event in events] == ["message", "turn", "turn", "message"]
    assert (asked["dir"], shown["dir"]) == ("in", "out")
    assert asked["turn"] == failed["turn"] == answered["turn"]
    assert (failed["attempt"], failed["status"], failed["books"]) == (1, 500, [])
    assert (answered["attempt"], answered["status"]) == (2, 200)
    assert answered["books"][0]["account"] == "points"
    assert "积分" in answered["request_xml"] and "好" in answered["reply_xml"]
    assert "encrypted_xml" not in answered


async def test_no_reply_reaches_somebody_who_left_meanwhile(b: Bench) -> None:
    go = asyncio.Event()

    async def answer(request: Request, body: bytes) -> Response:
        await go.wait()
        return Response(text_xml("太晚").encode())

    b.shop.answer = answer
    await b.http.post("/sandbox/api/say", json={"openid": "alice", "text": "积分"})
    await b.http.post("/sandbox/api/unfollow", json={"openid": "alice"})
    go.set()
    await b.platform.settle()
    assert await b.seen("alice") == []


async def test_the_server_check_sends_a_signed_echostr(b: Bench) -> None:
    async def answer(request: Request, body: bytes) -> Response:
        query = request.query_params
        joined = "".join(sorted([TOKEN, query["timestamp"], query["nonce"]]))
        right = hashlib.sha1(joined.encode()).hexdigest() == query["signature"]
        return Response(query["echostr"] if right else "no")

    b.shop.answer = answer
    assert await b.platform.verify_callback()
    b.shop.answer = answering(b"something else")
    assert not await b.platform.verify_callback()


TRANSFER = "<MsgType><![CDATA[transfer_customer_service]]></MsgType>"
TO_ONE = "<TransInfo><KfAccount><![CDATA[test1@test]]></KfAccount></TransInfo>"


@pytest.mark.parametrize("more", ["", TO_ONE])
async def test_a_message_can_be_transferred_to_customer_service(b: Bench, more: str) -> None:
    b.shop.answer = answering(reply_xml(TRANSFER + more).encode())
    turn = await b.platform.turn("alice", "人工")
    assert (turn.failed, turn.text) == ("", "已转接人工客服")
    assert [(e["kind"], e["via"], e["text"]) for e in await b.seen("alice")] == [("event", "passive", "已转接人工客服")]


@pytest.mark.parametrize(
    "more",
    [
        "<TransInfo/>",
        "<TransInfo><KfAccount>nobody</KfAccount></TransInfo>",
        "<TransInfo>x</TransInfo>",
        TO_ONE + TO_ONE,
    ],
)
async def test_a_malformed_transfer_shows_the_apology(b: Bench, more: str) -> None:
    b.shop.answer = answering(reply_xml(TRANSFER + more).encode())
    assert (await b.platform.turn("alice", "人工")).failed
    assert [e["text"] for e in await b.seen("alice")] == [UNAVAILABLE]


async def test_an_event_can_not_be_transferred(b: Bench) -> None:
    b.shop.answer = answering(reply_xml(TRANSFER).encode())
    await b.act("scan", openid="alice", scene="store-1")
    assert [e["text"] for e in await b.seen("alice")] == [UNAVAILABLE]
