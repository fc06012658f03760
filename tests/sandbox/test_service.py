"""Customer-service messages: windows and their counts (PLATFORM.md, "Which channel may carry what")."""

import pytest

from tests.sandbox.shop import MENU, Bench

pytestmark = pytest.mark.anyio


async def codes(b: Bench, times: int) -> list[int]:
    return [await b.serve(f"第 {n} 条") for n in range(times)]


async def test_without_any_window_45015(b: Bench) -> None:
    assert await b.serve("在吗") == 45015
    assert await b.seen("alice") == []


async def test_a_message_allows_five_within_48_hours(b: Bench) -> None:
    await b.act("say", openid="alice", text="积分")
    assert await codes(b, 6) == [0, 0, 0, 0, 0, 45047]
    assert [e["text"] for e in await b.seen("alice", "service")] == [f"第 {n} 条" for n in range(5)]


async def test_the_48_hour_window_at_its_edge(b: Bench) -> None:
    await b.act("say", openid="alice", text="积分")
    b.shop.pass_time(hours=48, microseconds=-1000)
    assert await b.serve("还开着") == 0
    b.shop.pass_time(microseconds=1000)
    assert await b.serve("刚好关上") == 45015


@pytest.mark.parametrize("action", ["menu", "follow", "scan"])
async def test_a_menu_click_a_follow_and_a_scan_allow_three_within_a_minute(b: Bench, action: str) -> None:
    await b.api("menu/create", MENU)
    if action == "follow":
        await b.act("unfollow", openid="alice")
    more = {"menu": {"key": "POINTS"}, "scan": {"scene": "store-1"}}.get(action, {})
    await b.act(action, openid="alice", **more)
    assert await codes(b, 4) == [0, 0, 0, 45047]


@pytest.mark.parametrize(("seconds", "code"), [(59.999, 0), (60.0, 45015)])
async def test_the_minute_window_at_its_edge(b: Bench, seconds: float, code: int) -> None:
    await b.act("scan", openid="alice", scene="store-1")
    b.shop.pass_time(seconds=seconds)
    assert await b.serve("您好") == code


async def test_several_windows_add_up_and_the_one_that_closes_first_is_used_first(b: Bench) -> None:
    await b.act("say", openid="alice", text="积分")
    await b.act("scan", openid="alice", scene="store-1")
    assert await codes(b, 3) == [0, 0, 0]
    b.shop.pass_time(minutes=1)
    assert await codes(b, 6) == [0, 0, 0, 0, 0, 45047]


async def test_a_new_message_renews_the_window_but_does_not_pile_up(b: Bench) -> None:
    await b.act("say", openid="alice", text="积分")
    await b.act("say", openid="alice", text="余额")
    assert await codes(b, 6) == [0, 0, 0, 0, 0, 45047]
    b.shop.pass_time(hours=47)
    await b.act("say", openid="alice", text="积分")
    b.shop.pass_time(hours=47)
    assert await codes(b, 6) == [0, 0, 0, 0, 0, 45047]


async def test_a_msgmenu_click_counts_as_a_menu_click(b: Bench) -> None:
    await b.act("say", openid="alice", text="满意", menu_id="101")
    assert await codes(b, 4) == [0, 0, 0, 45047]


@pytest.mark.parametrize("act", ["view", "report", "consent"])
async def test_opening_a_page_reporting_a_position_and_consenting_open_no_window(b: Bench, act: str) -> None:
    await b.api("menu/create", MENU)
    if act == "view":
        await b.act("menu", openid="alice", url="https://shop.test/")
    elif act == "report":
        await b.act("location", openid="alice", latitude=1, longitude=1, report=True)
    else:
        await b.act("consent", openid="alice", template_id="sub_expiry", accept=True)
    assert await b.serve("在吗") == 45015


async def test_who_left_cannot_be_reached_and_the_old_window_does_not_come_back(b: Bench) -> None:
    await b.act("say", openid="alice", text="积分")
    await b.act("unfollow", openid="alice")
    assert await b.serve("别走") == 45015
    await b.act("follow", openid="alice")
    assert await codes(b, 4) == [0, 0, 0, 45047]


async def test_windows_belong_to_one_person(b: Bench) -> None:
    await b.act("say", openid="bob", text="积分")
    assert await b.serve("您好") == 45015


async def test_a_refused_call_uses_nothing_up(b: Bench) -> None:
    await b.act("say", openid="alice", text="积分")
    assert await b.serve("字" * 683) == 45002
    assert await b.serve("") == 44004
    assert await codes(b, 6) == [0, 0, 0, 0, 0, 45047]


async def test_texts_up_to_2048_bytes(b: Bench) -> None:
    await b.act("say", openid="alice", text="积分")
    assert await b.serve("a" * 2048) == 0
    assert await b.serve("a" * 2049) == 45002


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"touser": "nobody", "msgtype": "text", "text": {"content": "x"}}, 40003),
        ({"msgtype": "text", "text": {"content": "x"}}, 40003),
        ({"touser": ["alice"], "msgtype": "text", "text": {"content": "x"}}, 40003),
        ({"touser": "alice", "msgtype": "dance"}, 40008),
        ({"touser": "alice", "msgtype": "text"}, 44004),
        ({"touser": "alice", "msgtype": "image", "image": {"media_id": "none"}}, 40007),
        ({"touser": "alice", "msgtype": "news", "news": {"articles": []}}, 44004),
        ({"touser": "alice", "msgtype": "news", "news": {"articles": [{}, {}]}}, 45008),
        ({"touser": "alice", "msgtype": "msgmenu", "msgmenu": {"list": []}}, 44004),
        ([], 47001),
        ("text", 47001),
    ],
)
async def test_what_cannot_be_sent(b: Bench, body: object, code: int) -> None:
    await b.act("say", openid="alice", text="积分")
    assert await b.code("message/custom/send", body) == code
    assert await b.seen("alice") == []


async def test_bytes_that_are_not_json_are_47001(b: Bench) -> None:
    await b.fetch_token()
    token = (await b.fetch_token())["access_token"]
    url = f"/sandbox/cgi-bin/message/custom/send?access_token={token}"
    for content in (b"", b"{", b"\xff", b"[" * 100_000):
        assert (await b.http.post(url, content=content)).json()["errcode"] == 47001


async def test_image_news_and_menu_arrive_as_such(b: Bench) -> None:
    await b.act("say", openid="alice", text="积分")
    upload = await b.http.post(
        "/sandbox/cgi-bin/media/upload",
        params={"access_token": (await b.fetch_token())["access_token"], "type": "image"},
        files={"media": ("a.png", bytes(range(256)), "image/png")},
    )
    image = {"media_id": upload.json()["media_id"]}
    article = {
        "title": "新品",
        "description": "咖啡",
        "url": "https://shop.test/1",
        "picurl": "https://shop.test/1.png",
    }
    menu = {"head_content": "满意吗", "list": [{"id": "101", "content": "满意"}], "tail_content": "谢谢"}
    assert await b.code("message/custom/send", {"touser": "alice", "msgtype": "image", "image": image}) == 0
    assert (
        await b.code("message/custom/send", {"touser": "alice", "msgtype": "news", "news": {"articles": [article]}})
        == 0
    )
    assert await b.code("message/custom/send", {"touser": "alice", "msgtype": "msgmenu", "msgmenu": menu}) == 0
    picture, news, choice = await b.seen("alice", "service")
    assert (await b.http.get(picture["picurl"])).content == bytes(range(256))
    assert news["items"] == [article]
    assert choice["menu"] == {"head": "满意吗", "items": [{"id": "101", "content": "满意"}], "tail": "谢谢"}


async def test_typing_state(b: Bench) -> None:
    async def typing(command: str = "Typing") -> int:
        return await b.code("message/custom/typing", {"touser": "alice", "command": command})

    assert await typing() == 45080
    await b.act("say", openid="alice", text="积分")
    assert await typing("Dance") == 45072
    assert [await typing(), await typing()] == [0, 45081]
    assert await typing("CancelTyping") == 0
    assert await typing() == 0
    await b.serve("来了")
    assert await typing() == 0
    b.shop.pass_time(seconds=15)
    assert await typing() == 0
    b.shop.pass_time(seconds=15)
    assert await typing() == 45080
