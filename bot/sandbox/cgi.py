"""The HTTP API with the real paths; every refusal is HTTP 200 with errcode and errmsg."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from email import message_from_bytes
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bot.sandbox.errors import ApiError
from bot.sandbox.platform import Platform

Handler = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]
Endpoint = Callable[[Request], Awaitable[Response]]
OK: Final[dict[str, Any]] = {"errcode": 0, "errmsg": "ok"}


class Cgi:
    """Puts faults, token check, quota and JSON reading in front of every call."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def routes(self) -> list[tuple[str, str, Endpoint]]:
        """(method, path, endpoint) of all calls."""
        sending, directory = self._platform.sending, self._platform.directory
        acknowledged: dict[str, Handler] = {
            "message/custom/send": sending.service,
            "message/custom/typing": sending.typing,
            "message/template/send": sending.template,
            "message/subscribe/bizsend": sending.subscription,
            "message/mass/send": sending.mass,
            "message/mass/sendall": sending.mass_by_tag,
            "menu/create": directory.create_menu,
            "tags/members/batchtagging": directory.tag_members,
            "clear_quota": self._clear_quota,
        }
        bare: dict[tuple[str, str], Handler] = {
            ("POST", "menu/addconditional"): directory.add_conditional_menu,
            ("POST", "qrcode/create"): directory.create_qr,
            ("POST", "user/info/batchget"): directory.user_infos,
            ("POST", "tags/create"): directory.create_tag,
            ("GET", "menu/get"): directory.get_menu,
            ("GET", "user/info"): directory.user_info,
            ("GET", "user/get"): directory.users,
            ("GET", "tags/get"): directory.get_tags,
            ("GET", "getcallbackip"): self._callback_ips,
        }
        table = [
            ("POST", f"/cgi-bin/{path}", self._call(f"/cgi-bin/{path}", run, OK)) for path, run in acknowledged.items()
        ]
        table += [
            (verb, f"/cgi-bin/{path}", self._call(f"/cgi-bin/{path}", run, {})) for (verb, path), run in bare.items()
        ]
        return [
            *table,
            ("POST", "/cgi-bin/stable_token", self._issue("/cgi-bin/stable_token")),
            ("GET", "/cgi-bin/token", self._issue("/cgi-bin/token")),
            ("POST", "/cgi-bin/media/upload", self._guard("/cgi-bin/media/upload", self._upload)),
        ]

    async def _clear_quota(self, body: Mapping[str, Any]) -> dict[str, Any]:
        self._platform.quotas.clear(body.get("appid"))
        return {}

    async def _callback_ips(self, query: Mapping[str, Any]) -> dict[str, Any]:
        return {"ip_list": ["127.0.0.1"]}

    def _call(self, path: str, run: Handler, head: Mapping[str, Any]) -> Endpoint:
        async def answer(request: Request) -> dict[str, Any]:
            self._admit(path, request)
            given = request.query_params if request.method == "GET" else await _json(request)
            return {**head, **await run(given)}

        return self._guard(path, answer)

    def _issue(self, path: str) -> Endpoint:
        async def answer(request: Request) -> dict[str, Any]:
            self._platform.quotas.count(path)
            if request.method == "GET":
                return self._platform.tokens.plain(request.query_params)
            return self._platform.tokens.stable(await _json(request))

        return self._guard(path, answer)

    async def _upload(self, request: Request) -> dict[str, Any]:
        self._admit("/cgi-bin/media/upload", request)
        content_type, content = _file(request.headers.get("content-type", ""), await request.body())
        return self._platform.directory.upload(request.query_params.get("type"), content_type, content)

    def _admit(self, path: str, request: Request) -> None:
        token = request.query_params.get("access_token")
        self._platform.tokens.check(token)
        if self._platform.faults.take(path, "expired_token"):
            self._note(path, "令牌过期")
            self._platform.tokens.expire(token)
            raise ApiError(42001)
        self._platform.quotas.count(path)

    def _guard(self, path: str, run: Callable[[Request], Awaitable[dict[str, Any]]]) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            fault = self._platform.faults.take(path, "busy", "errcode", "hang", "drop")
            if fault is not None and fault.kind in ("busy", "errcode"):
                errcode = -1 if fault.kind == "busy" else fault.errcode
                self._note(path, f"返回 {errcode}")
                return JSONResponse(ApiError(errcode).answer())
            if fault is not None and fault.kind == "hang":
                self._note(path, f"停顿 {fault.seconds:g} 秒")
                await asyncio.sleep(fault.seconds)
            try:
                answer = await run(request)
            except ApiError as refused:
                answer = refused.answer()
            if fault is not None and fault.kind == "drop":
                self._note(path, "已执行,但没有回答")
                return Response(status_code=500)
            return JSONResponse(answer)

        return endpoint

    def _note(self, path: str, what: str) -> None:
        self._platform.world.hub.publish("fault", text=f"故障:{path} {what}")


async def _json(request: Request) -> Mapping[str, Any]:
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise ApiError(47001) from error
    if not isinstance(body, dict):
        raise ApiError(47001)
    return body


def _file(content_type: str, body: bytes) -> tuple[str, bytes]:
    """Content type and bytes of the part named `media`; 41005 when there is none."""
    message = message_from_bytes(b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n" + body)
    parts = message.get_payload() if message.is_multipart() else []
    for part in parts if isinstance(parts, list) else []:
        if not isinstance(part, str) and part.get_param("name", header="content-disposition") == "media":
            payload = part.get_payload(decode=True)
            return part.get_content_type(), payload if isinstance(payload, bytes) else b""
    raise ApiError(41005)
