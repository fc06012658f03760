"""The JSON API and the event stream behind the chat page."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles

from bot.sandbox.errors import ApiError, UserError
from bot.sandbox.platform import Platform
from bot.sandbox.turns import Turn
from bot.sandbox.world import PLATFORM_ZONE

Body = dict[str, Any]
Endpoint = Callable[[Request], Awaitable[Response]]
STATIC: Final = Path(__file__).parent / "static"
LOG_ROWS: Final = 200
OPENID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
SHOWN_MEDIA: Final = ("image/png", "image/jpeg", "image/gif", "image/webp", "audio/amr", "audio/mpeg", "video/mp4")


class Page:
    """POSTs answer as soon as the callback is under way; refusals are 4xx {"error": Chinese sentence}."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._static = StaticFiles(directory=STATIC, check_dir=False)

    def routes(self) -> list[tuple[str, str, Endpoint]]:
        """(method, path, endpoint) of everything below /sandbox that is not the platform's own API."""
        people = self._platform.people
        acts: dict[str, Callable[[Body], Awaitable[Any]]] = {
            "say": self._say,
            "menu": self._menu,
            "scan": lambda body: people.scan(body.get("openid"), body.get("scene")),
            "follow": lambda body: people.follow(body.get("openid")),
            "unfollow": lambda body: people.unfollow(body.get("openid")),
            "location": self._location,
            "image": lambda body: people.send_image(body.get("openid")),
            "voice": lambda body: people.send_voice(body.get("openid"), body.get("text")),
            "consent": self._consent,
            "person": self._person,
            "clock": self._clock,
            "mode": self._mode,
            "faults": self._faults,
        }
        return [
            ("GET", "/", self._index),
            ("GET", "/static/{path:path}", self._file),
            ("GET", "/media/{media_id}", self._media),
            ("GET", "/api/state", self._state),
            ("GET", "/api/history", self._history),
            ("GET", "/api/stream", self._stream),
            ("GET", "/api/log", self._log),
            ("GET", "/api/sms", self._sms),
            ("DELETE", "/api/faults", self._clear_faults),
            ("POST", "/sms/send", self._act(self._receive_sms)),
            *(("POST", f"/api/{name}", self._act(run)) for name, run in acts.items()),
        ]

    def _act(self, run: Callable[[Body], Awaitable[Any]]) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            try:
                body = json.loads(await request.body() or b"{}")
                if not isinstance(body, dict):
                    raise UserError("请求格式不对")
                result = await run(body)
                if isinstance(result, asyncio.Task) and body.get("wait") is True:
                    await asyncio.shield(result)
            except ValueError:
                return JSONResponse({"error": "请求格式不对"}, 400)
            except UserError as refused:
                return JSONResponse({"error": str(refused)}, 400)
            return JSONResponse({"ok": True, **(result if isinstance(result, dict) else {})})

        return endpoint

    async def _say(self, body: Body) -> Body | None:
        """With `wait`: answer when the turn is over, with what was replied."""
        task = await self._platform.people.say(body.get("openid"), body.get("text"), body.get("menu_id"))
        if body.get("wait") is not True:
            return None
        turn = await asyncio.shield(task)
        xml = {"request_xml": turn.request_xml, "reply_xml": turn.reply_xml}
        return {"turn": turn.turn, "reply": turn.text, "failed": turn.failed, "books": turn.books, **xml}

    async def _menu(self, body: Body) -> "asyncio.Task[Turn]":
        people = self._platform.people
        if "url" in body:
            return await people.view(body.get("openid"), body["url"])
        return await people.click(body.get("openid"), body.get("key"))

    async def _location(self, body: Body) -> "asyncio.Task[Turn]":
        people = self._platform.people
        act = people.report_position if body.get("report") is True else people.send_location
        return await act(body.get("openid"), body.get("latitude"), body.get("longitude"))

    async def _consent(self, body: Body) -> "asyncio.Task[Turn]":
        people, openid, template_id = self._platform.people, body.get("openid"), body.get("template_id")
        if body.get("manage") is True:
            return await people.refuse_subscription(openid, template_id)
        return await people.answer_popup(openid, template_id, body.get("accept"))

    async def _person(self, body: Body) -> Body:
        label = body.get("label") or "陌生人"
        if not isinstance(label, str) or len(label) > 20:
            raise UserError("名字最多 20 个字")
        openid = body.get("openid") or ""
        if not isinstance(openid, str) or (openid and not OPENID.fullmatch(openid)):
            raise UserError("openid 只能用字母、数字、下划线和连字符,最多 64 个")
        follower = self._platform.world.invent(label, openid)
        self._platform.world.hub.publish("state")
        return {"openid": follower.openid}

    async def _clock(self, body: Body) -> Body:
        world = self._platform.world
        if "to" in body:
            to = datetime.fromisoformat(str(body["to"]))
            to = to if to.tzinfo else to.replace(tzinfo=PLATFORM_ZONE)
        else:
            seconds = body.get("advance_seconds")
            if not isinstance(seconds, int | float) or not 0 <= seconds <= 3650 * 86400:
                raise UserError("请写出要拨快多少秒")
            to = world.now() + timedelta(seconds=seconds)
        await self._platform.move_clock(to)
        return {"now": world.at()}

    async def _mode(self, body: Body) -> None:
        self._platform.set_mode(body.get("mode"))

    async def _faults(self, body: Body) -> None:
        self._platform.faults.add(
            body.get("kind"), body.get("path"), body.get("count", 1), body.get("seconds", 0), body.get("errcode", -1)
        )
        self._platform.world.hub.publish("state")

    async def _receive_sms(self, body: Body) -> Body:
        phone, text, openid = body.get("phone"), body.get("text"), body.get("openid")
        if not isinstance(phone, str) or not isinstance(text, str) or not phone or not text:
            raise UserError("短信要有号码和内容")
        owners = await self._platform.sending.text_message(phone, text, openid if isinstance(openid, str) else None)
        return {"shown": len(owners)}

    async def _clear_faults(self, request: Request) -> Response:
        self._platform.faults.clear()
        self._platform.world.hub.publish("state")
        return JSONResponse({"ok": True})

    async def _state(self, request: Request) -> Response:
        world, directory = self._platform.world, self._platform.directory
        await world.meet_people()
        hooks = world.hooks
        common = directory.menu_for(None)
        rows = []
        for follower in world.state.followers.values():
            person, menu = world.shown(follower), directory.menu_for(follower)
            row = {name: getattr(person, name) for name in ("openid", "label", "group", "note", "phone", "followed")}
            rows.append(row if menu == common else row | {"menu": menu})
        subscriptions = [
            {"template_id": spec.template_id, "title": spec.title} for spec in (await world.subscriptions()).values()
        ]
        return JSONResponse(
            {
                "shop": await world.ask(hooks.shop_name),
                "now": world.at(),
                "mode": world.mode,
                "people": rows,
                "menu": common,
                "qr": await world.ask(hooks.qr_scenes),
                "subscriptions": subscriptions,
                "faults": self._platform.faults.listed(),
            }
        )

    async def _history(self, request: Request) -> Response:
        openid = request.query_params.get("openid", "")
        return JSONResponse({"events": self._platform.world.hub.history(openid)})

    async def _log(self, request: Request) -> Response:
        world = self._platform.world
        return JSONResponse({"rows": await world.ask(world.hooks.log, LOG_ROWS)})

    async def _sms(self, request: Request) -> Response:
        return JSONResponse({"messages": list(self._platform.sending.sms)})

    async def _stream(self, request: Request) -> Response:
        last = request.headers.get("last-event-id") or request.query_params.get("after") or ""
        return EventSourceResponse(self._events(int(last) if last.isdecimal() and len(last) < 19 else None), ping=15)

    async def _events(self, after: int | None) -> AsyncIterator[ServerSentEvent]:
        async for event in self._platform.world.hub.listen(after):
            yield ServerSentEvent(data=json.dumps(event, ensure_ascii=False), id=str(event["id"]))

    async def _media(self, request: Request) -> Response:
        try:
            media, content = self._platform.directory.media(request.path_params["media_id"])
        except ApiError as refused:
            return JSONResponse(refused.answer(), 404)
        shown = media.content_type if media.content_type in SHOWN_MEDIA else "application/octet-stream"
        return Response(content, media_type=shown, headers={"X-Content-Type-Options": "nosniff"})

    async def _index(self, request: Request) -> Response:
        index = STATIC / "index.html"
        if not index.is_file():
            return JSONResponse({"error": "聊天页面还没有安装"}, 404)
        return FileResponse(index, headers={"Cache-Control": "no-cache"})

    async def _file(self, request: Request) -> Response:
        try:
            return await self._static.get_response(request.path_params["path"], request.scope)
        except HTTPException as missing:
            return JSONResponse({"error": "没有这个文件"}, missing.status_code)
