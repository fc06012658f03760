"""The JSON API and the event stream of the chat page; restart from the snapshot."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from bot.sandbox import Person, build_sandbox
from tests.sandbox.shop import SETTINGS, Bench, Shop, answering, bench, text_xml

pytestmark = pytest.mark.anyio


async def state(b: Bench) -> dict[str, Any]:
    answer: dict[str, Any] = (await b.http.get("/sandbox/api/state")).json()
    return answer


async def test_the_state_has_all_the_page_needs(b: Bench) -> None:
    got = await state(b)
    assert (got["shop"], got["mode"], got["now"]) == ("测试小店", "plain", "2026-05-20T04:00:00+00:00")
    assert got["people"][0] == {
        "openid": "alice",
        "label": "王小明",
        "group": "member",
        "note": "金卡",
        "phone": "138****0001",
        "followed": True,
    }
    assert got["qr"] == [{"scene": "store-1", "title": "一号店"}]
    assert {row["template_id"]: row["title"] for row in got["subscriptions"]} == {
        "sub_shop": "补货提醒",
        "sub_expiry": "优惠券到期提醒",
    }
    assert (got["menu"], got["faults"]) == ([], [])


async def test_a_new_stranger_becomes_a_member_when_the_product_knows_them(b: Bench) -> None:
    openid = (await b.act("person", label="路人甲"))["openid"]
    (stranger,) = [p for p in (await state(b))["people"] if p["openid"] == openid]
    assert (stranger["label"], stranger["group"], stranger["followed"]) == ("路人甲", "stranger", False)
    await b.act("follow", openid=openid)
    b.shop.members.append(Person(openid, "李四", "member"))
    before = b.platform.world.hub.last_id
    await b.act("say", openid=openid, text="绑定")
    (member,) = [p for p in (await state(b))["people"] if p["openid"] == openid]
    assert (member["label"], member["group"], member["followed"]) == ("李四", "member", True)
    assert "state" in [event["type"] for event in b.platform.world.hub.since(before)]
    del b.shop.members[-1]
    assert [p["label"] for p in (await state(b))["people"] if p["openid"] == openid] == ["路人甲"]


async def test_the_clock_moves_forward_only(b: Bench) -> None:
    assert (await b.act("clock", advance_seconds=3600))["now"] == "2026-05-20T05:00:00+00:00"
    assert (await b.act("clock", to="2026-05-21T00:00:00+08:00"))["now"] == "2026-05-20T16:00:00+00:00"
    assert (await b.act("clock", to="2026-05-21T09:00"))["now"] == "2026-05-21T01:00:00+00:00"
    assert await b.refused("clock", to="2026-05-01T00:00:00Z") == "时钟只能向前拨"
    assert await b.refused("clock", advance_seconds=-1) == "请写出要拨快多少秒"
    assert await b.refused("clock", to="tomorrow") == "请求格式不对"
    assert next(e["now"] for e in b.platform.world.hub.since(0) if e["type"] == "clock") == "2026-05-20T05:00:00+00:00"


async def test_say_may_wait_for_the_reply(b: Bench) -> None:
    b.shop.answer = answering(text_xml("您有 5 分").encode())
    got = await b.act("say", openid="alice", text="积分", wait=True)
    assert (got["reply"], got["failed"], got["books"][0]["account"]) == ("您有 5 分", "", "points")


async def test_the_log_comes_from_the_product(b: Bench) -> None:
    assert (await b.http.get("/sandbox/api/log")).json()["rows"] == [{"campaign": "weekly", "reason": "常买咖啡"}]


@pytest.mark.parametrize("content", [b"[]", b"{", b"\xff", b'"x"'])
async def test_bodies_that_are_not_objects_are_refused(b: Bench, content: bytes) -> None:
    answer = await b.http.post("/sandbox/api/say", content=content)
    assert (answer.status_code, answer.json()) == (400, {"error": "请求格式不对"})


async def test_mode_must_be_one_of_three(b: Bench) -> None:
    assert await b.refused("mode", mode="raw") == "模式只能是 plain、compatible、aes"


async def test_history_keeps_the_last_200_events_oldest_first(b: Bench) -> None:
    for n in range(120):
        await b.http.post("/sandbox/api/say", json={"openid": "alice", "text": str(n)})
    await b.platform.settle()
    events = (await b.http.get("/sandbox/api/history", params={"openid": "alice"})).json()["events"]
    assert len(events) == 200
    assert [e["id"] for e in events] == sorted(e["id"] for e in events)
    assert (await b.http.get("/sandbox/api/history", params={"openid": "nobody"})).json() == {"events": []}


async def test_missing_static_files_are_404(b: Bench) -> None:
    for path in ("none.js", "../build.py", "%2e%2e/build.py"):
        assert (await b.http.get(f"/sandbox/static/{path}")).status_code == 404


async def test_everything_survives_a_restart(tmp_path: Path) -> None:
    path, shop = tmp_path / "data" / "sandbox.json", Shop()
    async with bench(shop, path) as b:
        await b.api("menu/create", {"button": [{"type": "click", "name": "积分", "key": "P"}]})
        await b.act("say", openid="alice", text="积分")
        assert [await b.serve(str(n)) for n in range(3)] == [0, 0, 0]
        for _ in range(2):
            await b.act("consent", openid="alice", template_id="sub_expiry", accept=True)
        body = {"touser": ["alice", "bob"], "msgtype": "text", "text": {"content": "x"}, "clientmsgid": "once"}
        await b.api("message/mass/send", body)
        stranger = (await b.act("person", label="路人"))["openid"]
        await b.act("unfollow", openid="bob")
        await b.act("image", openid="alice")
        token, before = b.token, b.platform.world.hub.history("alice")
        media = before[-2]["picurl"] if "picurl" in before[-2] else before[-3]["picurl"]
    async with bench(shop, path) as b:
        b.token, b.token_from = token, shop.now
        assert b.platform.world.hub.history("alice") == before
        assert await b.code("tags/get") == 0
        assert (await state(b))["menu"] == [{"type": "click", "name": "积分", "key": "P"}]
        assert await b.code("message/mass/send", body) == 45065
        assert {p["openid"]: p["followed"] for p in (await state(b))["people"]} == {
            "alice": True,
            "bob": False,
            stranger: False,
        }
        follower = b.platform.world.state.followers["alice"]
        assert follower.consents == {"sub_expiry": 2} and follower.mass_sends == {"2026-05": 1}
        assert (await b.http.get(media)).status_code == 200
        assert [await b.serve(str(n)) for n in range(6)] == [0, 0, 0, 0, 0, 45047]
        await b.act("say", openid="alice", text="又来")
        assert b.platform.world.hub.history("alice")[-2]["id"] > before[-1]["id"]


async def test_the_snapshot_holds_no_name_or_phone_of_the_product(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.json"
    async with bench(Shop(), path) as b:
        await b.http.post("/sandbox/sms/send", json={"phone": "13800000001", "text": "您好"})
        await b.act("say", openid="alice", text="积分")
    written = "".join(file.read_text() for file in tmp_path.iterdir() if file.is_file())
    assert "alice" in written and "王小明" not in written and "13800000001" not in written


async def test_a_change_is_on_disk_soon_without_a_stop(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.json"
    async with bench(Shop(), path) as b:
        await b.act("consent", openid="alice", template_id="sub_expiry", accept=True)
        while not path.exists():
            await asyncio.sleep(0.02)
        assert json.loads(path.read_text())["followers"]["alice"]["consents"] == {"sub_expiry": 1}
        journal = [json.loads(line) for line in Path(f"{path}.events").read_text().splitlines()]
        assert journal == b.platform.world.hub.since(0) != []


async def test_a_broken_snapshot_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.json"
    path.write_text('{"followers": 3')
    (tmp_path / "sandbox.json.events").write_text('{"id": 7, "type": "log"}\n{"id": "x"}\n[]\nnonsense\n{"id": 9, "ty')
    async with bench(Shop(), path) as b:
        assert (await state(b))["people"][0]["openid"] == "alice"
        assert b.platform.world.hub.last_id == 7
    assert (tmp_path / "sandbox.json.broken").read_text() == '{"followers": 3'


# --- the event stream, over a real socket


@asynccontextmanager
async def served(shop: Shop) -> AsyncIterator[tuple[str, uvicorn.Server, "asyncio.Task[None]"]]:
    sandbox = build_sandbox(SETTINGS, shop, shop.tick, transport=httpx.ASGITransport(shop))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await sandbox.start()
        yield
        await sandbox.stop()

    app = FastAPI(lifespan=lifespan)
    app.include_router(sandbox.router, prefix="/sandbox")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        task = asyncio.create_task(server.serve([listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/sandbox", server, task
        server.should_exit = True
        await task


async def read(stream: httpx.Response, kind: str) -> dict[str, Any]:
    async for line in stream.aiter_lines():
        if line.startswith("data: "):
            event: dict[str, Any] = json.loads(line.removeprefix("data: "))
            if event["type"] == kind:
                return event
    raise AssertionError(f"the stream ended before {kind}")


async def test_the_stream_pushes_events_resumes_and_ends_at_a_graceful_stop() -> None:
    shop = Shop(answer=answering(text_xml("您好").encode()))
    async with served(shop) as (url, server, task), httpx.AsyncClient(timeout=30, trust_env=False) as http:
        async with http.stream("GET", f"{url}/api/stream") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            await http.post(f"{url}/api/say", json={"openid": "alice", "text": "积分"})
            asked = await read(stream, "message")
        assert (asked["dir"], asked["text"]) == ("in", "积分")
        async with http.stream("GET", f"{url}/api/stream", headers={"Last-Event-ID": str(asked["id"])}) as stream:
            lines = stream.aiter_lines()
            missed: list[dict[str, Any]] = []
            async for line in lines:
                if line.startswith("data: "):
                    missed.append(json.loads(line.removeprefix("data: ")))
                    if missed[-1].get("dir") == "out":
                        break
            assert [event["id"] for event in missed] == list(range(asked["id"] + 1, missed[-1]["id"] + 1))
            server.should_exit = True
            await task


async def test_a_listener_that_does_not_read_is_cut_off_and_the_others_go_on(b: Bench) -> None:
    hub = b.platform.world.hub
    slow = hub.listen(hub.last_id - 1 if hub.last_id else 0)
    hub.publish("log")
    first = await anext(slow)
    assert first["type"] == "log"
    for _ in range(5_000):
        hub.publish("log")
    got = [event["id"] async for event in slow]
    assert got == sorted(got) and 0 < len(got) < 5_000


async def test_time_to_come_is_the_products_too(b: Bench) -> None:
    b.shop.now += timedelta(days=3)
    await b.act("say", openid="alice", text="积分")
    assert b.platform.world.hub.history("alice")[0]["at"] == "2026-05-23T04:00:00+00:00"
