"""What a person with a phone can do; each act opens its window, shows itself and calls the service back."""

import asyncio
import struct
import zlib
from collections.abc import Mapping
from typing import Any

from bot.sandbox import callbacks, limits, rules
from bot.sandbox.directory import Directory
from bot.sandbox.errors import UserError
from bot.sandbox.state import Follower
from bot.sandbox.turns import Turn, Turns
from bot.sandbox.world import World


class People:
    """Acts return at once with the running turn; UserError for what a phone would not let you do."""

    def __init__(self, world: World, turns: Turns, directory: Directory) -> None:
        self._world, self._turns, self._directory = world, turns, directory

    async def say(self, openid: object, text: object, menu_item: str | None = None) -> "asyncio.Task[Turn]":
        """Send a text. `menu_item` marks a click in a msgmenu, which counts as a menu click (docs), not as writing."""
        follower = await self._following(openid)
        if not isinstance(text, str) or not text.strip():
            raise UserError("请输入内容")
        if len(text) > limits.USER_TEXT_CHARS:
            raise UserError("内容太长")
        rules.open_window(follower, "message" if menu_item is None else "menu", self._world.seconds())
        fields = callbacks.text(text, self._world.message_id(), menu_item)
        return self._act(follower, fields, "text", text)

    async def send_image(self, openid: object) -> "asyncio.Task[Turn]":
        """Send a small built-in picture."""
        follower = await self._following(openid)
        media_id = self._directory.keep_media("image", "image/png", _picture())
        rules.open_window(follower, "message", self._world.seconds())
        fields = callbacks.image(self._directory.media_url(media_id), media_id, self._world.message_id())
        return self._act(follower, fields, "image", "[图片]", picurl=f"/sandbox/media/{media_id}")

    async def send_voice(self, openid: object, recognition: object) -> "asyncio.Task[Turn]":
        """Send a voice message whose recognised words are given."""
        follower = await self._following(openid)
        if not isinstance(recognition, str):
            raise UserError("请写出说了什么")
        media_id = self._directory.keep_media("voice", "audio/amr", b"#!AMR\n")
        rules.open_window(follower, "message", self._world.seconds())
        fields = callbacks.voice(media_id, recognition, self._world.message_id())
        return self._act(follower, fields, "text", f"[语音] {recognition}")

    async def send_location(self, openid: object, latitude: object, longitude: object) -> "asyncio.Task[Turn]":
        """Send a place as a message."""
        follower = await self._following(openid)
        north, east = _coordinate(latitude, 90), _coordinate(longitude, 180)
        rules.open_window(follower, "message", self._world.seconds())
        fields = callbacks.location(north, east, "", self._world.message_id())
        return self._act(follower, fields, "text", f"[位置] {north:.4f}, {east:.4f}")

    async def report_position(self, openid: object, latitude: object, longitude: object) -> "asyncio.Task[Turn]":
        """The phone reports where it is (a LOCATION event); opens no window."""
        follower = await self._following(openid)
        fields = callbacks.position(_coordinate(latitude, 90), _coordinate(longitude, 180), 65.0)
        return self._act(follower, fields, "event", "上报了地理位置")

    async def click(self, openid: object, key: object) -> "asyncio.Task[Turn]":
        """Tap a menu entry that sends its key."""
        follower = await self._following(openid)
        button = self._button(follower, "key", key)
        rules.open_window(follower, "menu", self._world.seconds())
        fields = callbacks.event("CLICK", EventKey=str(key))
        return self._act(follower, fields, "event", f"点击了菜单:{button['name']}")

    async def view(self, openid: object, url: object) -> "asyncio.Task[Turn]":
        """Tap a menu entry that opens a page; opens no window (docs)."""
        follower = await self._following(openid)
        button = self._button(follower, "url", url)
        fields = callbacks.event("VIEW", EventKey=str(url), MenuId="0")
        return self._act(follower, fields, "event", f"打开了菜单网页:{button['name']}", shown=False)

    async def follow(self, openid: object, scene: str | None = None) -> "asyncio.Task[Turn]":
        """Follow the account, by search or by the code of `scene`."""
        follower = await self._world.person(openid)
        if follower.followed:
            raise UserError("已经关注了")
        ticket = None if scene is None else self._directory.ticket(scene)
        now = self._world.seconds()
        follower.followed, follower.subscribed_at, follower.qr_scene = True, now, scene or ""
        follower.subscribe_scene = "ADD_SCENE_SEARCH" if scene is None else "ADD_SCENE_QR_CODE"
        rules.open_window(follower, "follow", now)
        self._world.hub.publish("state")
        return self._act(
            follower,
            callbacks.subscribe(scene, ticket),
            "event",
            "关注了公众号" if scene is None else "扫码关注了公众号",
        )

    async def unfollow(self, openid: object) -> "asyncio.Task[Turn]":
        """Stop following: every window closes, the platform forgets the tags."""
        follower = await self._following(openid)
        follower.followed, follower.windows, follower.tags = False, {}, []
        self._world.hub.publish("state")
        fields = callbacks.event("unsubscribe", EventKey="")
        return self._act(follower, fields, "event", "取消了关注", shown=False)

    async def scan(self, openid: object, scene: object) -> "asyncio.Task[Turn]":
        """Scan a code: follows when not yet following, else a SCAN event."""
        follower = await self._world.person(openid)
        if not isinstance(scene, str | int) or not 1 <= len(str(scene)) <= limits.QR_SCENE_CHARS:
            raise UserError(f"二维码场景值要有 1 到 {limits.QR_SCENE_CHARS} 个字")
        if not follower.followed:
            return await self.follow(openid, str(scene))
        ticket = self._directory.ticket(str(scene))
        rules.open_window(follower, "scan", self._world.seconds())
        return self._act(follower, callbacks.scan(str(scene), ticket), "event", f"扫描了二维码:{scene}")

    async def answer_popup(self, openid: object, template_id: object, accept: object) -> "asyncio.Task[Turn]":
        """Answer the subscription pop-up; accepting gives the right to one send."""
        follower, title = await self._subscription(openid, template_id)
        if accept is True:
            follower.consents[str(template_id)] = follower.consents.get(str(template_id), 0) + 1
        fields = callbacks.popup_answered([(str(template_id), accept is True)])
        words = "同意接收一次" if accept is True else "拒绝接收"
        return self._act(follower, fields, "event", f"{words}:{title}", shown=False)

    async def refuse_subscription(self, openid: object, template_id: object) -> "asyncio.Task[Turn]":
        """Refuse a template in the notice settings: unused consents are gone."""
        follower, title = await self._subscription(openid, template_id)
        follower.consents.pop(str(template_id), None)
        fields = callbacks.subscription_refused([str(template_id)])
        return self._act(follower, fields, "event", f"在设置中拒收:{title}", shown=False)

    async def _following(self, openid: object) -> Follower:
        follower = await self._world.person(openid)
        if not follower.followed:
            raise UserError("还没有关注公众号,请先关注")
        return follower

    async def _subscription(self, openid: object, template_id: object) -> tuple[Follower, str]:
        follower = await self._world.person(openid)
        spec = (await self._world.subscriptions()).get(str(template_id))
        if spec is None:
            raise UserError("没有这个订阅通知")
        return follower, spec.title

    def _button(self, follower: Follower, name: str, value: object) -> Mapping[str, Any]:
        for button in self._directory.menu_for(follower):
            for choice in (button, *button.get("sub_button", ())):
                if choice.get(name) == value and value:
                    return dict(choice)
        raise UserError("菜单里没有这一项")

    def _act(
        self, follower: Follower, fields: Mapping[str, object], kind: str, text: str, *, shown: bool = True, **more: Any
    ) -> "asyncio.Task[Turn]":
        turn = self._turns.number()
        self._world.show(follower.openid, "in", "user", kind, text, turn=turn, **more)
        return self._turns.start(follower.openid, turn, fields, shown=shown)


def _coordinate(value: object, most: float) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not -most <= value <= most:
        raise UserError("经纬度不对")
    return float(value)


def _picture() -> bytes:
    """A 64 by 48 PNG in one green."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = (b"\0" + b"\x57\xbe\x6a" * 64) * 48
    header = struct.pack(">IIBBBBB", 64, 48, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
