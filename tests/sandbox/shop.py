"""A local platform with a hand-moved clock and a small service that answers its callbacks; nothing is patched."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from bot.sandbox import Person, Platform, Sandbox, SandboxSettings, TemplateSpec, build_sandbox

AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
APP_ID, SECRET, TOKEN, ORIGINAL = "wx0123456789abcdef", "secret-of-the-account", "callback-token", "gh_test"
POINTS = TemplateSpec("tpl_points", "积分变动通知", {"thing1": "thing", "number2": "number", "phrase3": "phrase"})
EXPIRY = TemplateSpec("sub_expiry", "优惠券到期提醒", {"thing1": "thing", "time2": "time"})
SETTINGS = SandboxSettings(
    app_id=APP_ID,
    app_secret=SECRET,
    token=TOKEN,
    encoding_aes_key=AES_KEY,
    callback_url="http://shop.test/wechat",
    templates=(POINTS,),
    subscription_templates=(EXPIRY,),
    original_id=ORIGINAL,
    spacing_seconds=0.0,
    finish_delay_seconds=0.0,
)
MENU = {
    "button": [
        {"type": "click", "name": "积分", "key": "POINTS"},
        {"name": "更多", "sub_button": [{"type": "view", "name": "官网", "url": "https://shop.test/"}]},
    ]
}
Answer = Callable[[Request, bytes], Awaitable[Response]]


@dataclass
class Callback:
    """One delivery as the service saw it."""

    query: dict[str, str]
    body: bytes

    @property
    def xml(self) -> str:
        return self.body.decode()


@dataclass
class Shop:
    """The product as the platform sees it: a callback address, a clock and some people."""

    now: datetime = datetime(2026, 5, 20, 4, 0, tzinfo=UTC)
    callbacks: list[Callback] = field(default_factory=list)
    answer: Answer | None = None
    members: list[Person] = field(
        default_factory=lambda: [
            Person("alice", "王小明", "member", "金卡", "138****0001"),
            Person("bob", "店员", "staff"),
        ]
    )
    phones: dict[str, list[str]] = field(default_factory=lambda: {"13800000001": ["alice"]})

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        body = await request.body()
        self.callbacks.append(Callback(dict(request.query_params), body))
        response = await self.answer(request, body) if self.answer else Response(b"success")
        await response(scope, receive, send)

    def tick(self) -> datetime:
        return self.now

    def pass_time(self, **duration: float) -> None:
        self.now += timedelta(**duration)

    def shop_name(self) -> str:
        return "测试小店"

    def people(self) -> list[Person]:
        return list(self.members)

    def owner_of(self, phone: str) -> list[str]:
        return self.phones.get(phone, [])

    def books(self, openid: str, since_turn_at: datetime) -> list[dict[str, Any]]:
        return [{"at": since_turn_at.isoformat(), "what": "earn", "account": "points", "amount": 5}]

    def log(self, limit: int) -> list[dict[str, Any]]:
        return [{"campaign": "weekly", "reason": "常买咖啡"}][:limit]

    def qr_scenes(self) -> list[dict[str, Any]]:
        return [{"scene": "store-1", "title": "一号店"}]

    def subscriptions(self) -> list[dict[str, Any]]:
        return [{"template_id": "sub_shop", "title": "补货提醒", "fields": {"thing1": "thing"}}]

    async def move_clock(self, to: datetime) -> None:
        self.now = to


@dataclass
class Bench:
    """The platform over its HTTP API; `api` fetches a token by itself."""

    shop: Shop
    sandbox: Sandbox
    http: httpx.AsyncClient
    token: str = ""
    token_from: datetime = datetime(1, 1, 1, tzinfo=UTC)

    @property
    def platform(self) -> Platform:
        return self.sandbox.platform

    async def fetch_token(self, **more: Any) -> dict[str, Any]:
        asked = {"grant_type": "client_credential", "appid": APP_ID, "secret": SECRET, **more}
        answer: dict[str, Any] = (await self.http.post("/sandbox/cgi-bin/stable_token", json=asked)).json()
        return answer

    async def raw(self, path: str, body: Any = None, *, method: str = "POST", **query: str) -> httpx.Response:
        if self.shop.now - self.token_from > timedelta(hours=1):
            self.token, self.token_from = (await self.fetch_token())["access_token"], self.shop.now
        parameters = {"access_token": self.token, **query}
        return await self.http.request(
            method, f"/sandbox/cgi-bin/{path}", params=parameters, json=body if method == "POST" else None
        )

    async def api(self, path: str, body: Any = None, **query: str) -> dict[str, Any]:
        """POST with a body, GET without; checks that even a refusal is HTTP 200."""
        response = await self.raw(path, body, method="GET" if body is None else "POST", **query)
        assert response.status_code == 200
        answer: dict[str, Any] = response.json()
        return answer

    async def code(self, path: str, body: Any = None) -> int:
        return int((await self.api(path, body)).get("errcode", 0))

    async def act(self, name: str, **body: Any) -> dict[str, Any]:
        """Something a person does on the page, with all callbacks over."""
        response = await self.http.post(f"/sandbox/api/{name}", json=body)
        assert response.status_code == 200, response.text
        await self.platform.settle()
        answer: dict[str, Any] = response.json()
        return answer

    async def refused(self, name: str, **body: Any) -> str:
        response = await self.http.post(f"/sandbox/api/{name}", json=body)
        assert response.status_code == 400, response.text
        return str(response.json()["error"])

    async def seen(self, openid: str, via: str = "") -> list[dict[str, Any]]:
        """What this person has received."""
        events = (await self.http.get("/sandbox/api/history", params={"openid": openid})).json()["events"]
        return [e for e in events if e["type"] == "message" and e["dir"] == "out" and via in ("", e["via"])]

    async def serve(self, content: str) -> int:
        """Send a customer-service text to alice: the errcode."""
        return await self.code(
            "message/custom/send", {"touser": "alice", "msgtype": "text", "text": {"content": content}}
        )


@contextlib.asynccontextmanager
async def bench(
    shop: Shop | None = None,
    state_path: Path | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    **settings: Any,
) -> AsyncIterator[Bench]:
    """A started platform whose callbacks reach `shop`; stopped (and saved) at the end."""
    shop = shop or Shop()
    reach = transport or httpx.ASGITransport(shop)
    sandbox = build_sandbox(replace(SETTINGS, **settings), shop, shop.tick, state_path, transport=reach)
    app = FastAPI()
    app.include_router(sandbox.router, prefix="/sandbox")
    await sandbox.start()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://platform.test") as http:
        try:
            yield Bench(shop, sandbox, http)
        finally:
            await sandbox.stop()


def reply_xml(body: str, *, to: str = "alice", sender: str = ORIGINAL) -> str:
    """A passive reply around the given fields."""
    head = f"<ToUserName><![CDATA[{to}]]></ToUserName><FromUserName><![CDATA[{sender}]]></FromUserName>"
    return f"<xml>{head}<CreateTime>1700000000</CreateTime>{body}</xml>"


def text_xml(text: str, **names: str) -> str:
    return reply_xml(f"<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{text}]]></Content>", **names)


def answering(*bodies: bytes | int | float) -> Answer:
    """Answers in turn, the last one forever: bytes = a 200, an int = a status, a float = so many seconds' silence."""
    left = list(bodies)

    async def answer(request: Request, body: bytes) -> Response:
        what = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(what, float):
            await asyncio.sleep(what)
            return Response(b"success")
        return Response(what) if isinstance(what, bytes) else Response(status_code=what)

    return answer
