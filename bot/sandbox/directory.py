"""What the account keeps at the platform: menu, tags, codes, followers' records, media."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from bot.sandbox import limits
from bot.sandbox.errors import ApiError, UserError
from bot.sandbox.state import Follower, Media, QrCode
from bot.sandbox.world import World

Answer = dict[str, Any]


class Directory:
    """Answers as the real API does; ApiError otherwise."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._bytes: dict[str, bytes] = {}

    async def create_menu(self, body: Mapping[str, Any]) -> Answer:
        self._world.state.menu = {"button": _buttons(body)}
        self._changed()
        return {}

    async def add_conditional_menu(self, body: Mapping[str, Any]) -> Answer:
        """ "conditional menus match tags only" """
        if self._world.state.menu is None:
            raise ApiError(65303)
        rule = body.get("matchrule")
        if not isinstance(rule, Mapping) or not str(rule.get("tag_id", "")).isdigit():
            raise ApiError(47001, "matchrule needs tag_id")
        menus = self._world.state.conditional_menus
        id_ = str(430_000_000 + len(menus) + 1)
        menus.append({"button": _buttons(body), "matchrule": {"tag_id": str(rule["tag_id"])}, "menuid": id_})
        self._changed()
        return {"menuid": id_}

    async def get_menu(self, body: Mapping[str, Any]) -> Answer:
        state = self._world.state
        if state.menu is None:
            raise ApiError(46003)
        conditional = {"conditionalmenu": state.conditional_menus} if state.conditional_menus else {}
        return {"menu": state.menu, **conditional}

    def menu_for(self, follower: Follower | None) -> list[dict[str, Any]]:
        """The buttons somebody sees: the newest conditional menu of one of their tags, else the common one."""
        state = self._world.state
        for menu in reversed(state.conditional_menus):
            if follower is not None and int(menu["matchrule"]["tag_id"]) in follower.tags:
                return list(menu["button"])
        return list(state.menu["button"]) if state.menu else []

    async def create_qr(self, body: Mapping[str, Any]) -> Answer:
        """ "temporary ≤30 days, permanent ≤100,000, string scene ≤64" """
        action = body.get("action_name")
        if action not in ("QR_SCENE", "QR_STR_SCENE", "QR_LIMIT_SCENE", "QR_LIMIT_STR_SCENE"):
            raise ApiError(40052)
        scene = _scene(body, "scene_str" if action.endswith("STR_SCENE") else "scene_id")
        codes, permanent = self._world.state.qr_codes, "LIMIT" in action
        if permanent and sum(code.expires_at is None for code in codes.values()) >= limits.QR_PERMANENT:
            raise ApiError(45029)
        seconds = body.get("expire_seconds", 30)
        if not permanent and (not isinstance(seconds, int) or not 1 <= seconds <= limits.QR_TEMPORARY_SECONDS):
            raise ApiError(40053, "expire_seconds")
        ticket = "gQ" + secrets.token_urlsafe(60)
        codes[scene] = QrCode(ticket, None if permanent else self._world.seconds() + seconds)
        self._world.touch()
        expiry = {} if permanent else {"expire_seconds": seconds}
        return {"ticket": ticket, **expiry, "url": f"http://weixin.qq.com/q/{quote(ticket[:24], safe='')}"}

    def ticket(self, scene: str) -> str:
        """The ticket of a code; UserError when it has expired. Codes printed elsewhere get a fixed made-up one."""
        code = self._world.state.qr_codes.get(scene)
        if code is None:
            return "gQ" + hashlib.sha256(scene.encode()).hexdigest()
        if code.expires_at is not None and self._world.seconds() >= code.expires_at:
            raise UserError("二维码已过期")
        return code.ticket

    async def user_info(self, query: Mapping[str, Any]) -> Answer:
        """ "Cannot: read nickname, avatar, sex or region": none of these is here."""
        follower = await self._world.follower(query.get("openid"))
        if not follower.followed:
            return {"subscribe": 0, "openid": follower.openid, "tagid_list": []}
        return {
            "subscribe": 1,
            "openid": follower.openid,
            "language": "zh_CN",
            "subscribe_time": int(follower.subscribed_at),
            "remark": "",
            "groupid": follower.tags[0] if follower.tags else 0,
            "tagid_list": follower.tags,
            "subscribe_scene": follower.subscribe_scene,
            "qr_scene": int(follower.qr_scene) if follower.qr_scene.isdigit() else 0,
            "qr_scene_str": "" if follower.qr_scene.isdigit() else follower.qr_scene,
        }

    async def user_infos(self, body: Mapping[str, Any]) -> Answer:
        """ "user info 100 a batch" """
        users = body.get("user_list")
        if not isinstance(users, list) or not all(isinstance(user, Mapping) for user in users):
            raise ApiError(47001, "user_list")
        if not 1 <= len(users) <= limits.USER_INFO_BATCH:
            raise ApiError(40032)
        return {"user_info_list": [await self.user_info(user) for user in users]}

    async def users(self, query: Mapping[str, Any]) -> Answer:
        """ "user list 10,000 a page": the openids after `next_openid` in a fixed order."""
        await self._world.meet_people()
        everybody = sorted(f.openid for f in self._world.state.followers.values() if f.followed)
        after = str(query.get("next_openid") or "")
        page = [openid for openid in everybody if openid > after][: limits.USER_PAGE]
        answer: Answer = {"total": len(everybody), "count": len(page), "next_openid": page[-1] if page else ""}
        return answer | ({"data": {"openid": page}} if page else {})

    async def create_tag(self, body: Mapping[str, Any]) -> Answer:
        """ "100 tags an account" (docs: names of 1 to 30 characters, no two alike)."""
        tag, tags = body.get("tag"), self._world.state.tags
        name = tag.get("name") if isinstance(tag, Mapping) else None
        if not isinstance(name, str) or not name:
            raise ApiError(47001, "tag.name")
        if len(name) > 30:
            raise ApiError(45158)
        if name in tags.values():
            raise ApiError(45157)
        if len(tags) >= limits.TAGS_PER_ACCOUNT:
            raise ApiError(45056)
        id_ = max(tags, default=99) + 1
        tags[id_] = name
        self._world.touch()
        return {"tag": {"id": id_, "name": name}}

    async def get_tags(self, body: Mapping[str, Any]) -> Answer:
        followers = [follower for follower in self._world.state.followers.values() if follower.followed]
        rows = [
            {"id": id_, "name": name, "count": sum(id_ in follower.tags for follower in followers)}
            for id_, name in self._world.state.tags.items()
        ]
        return {"tags": rows}

    async def tag_members(self, body: Mapping[str, Any]) -> Answer:
        """ "batchtagging ≤50 openids, ≤20 tags a user": all of them or none."""
        openids, tag_id = body.get("openid_list"), body.get("tagid")
        if tag_id not in self._world.state.tags:
            raise ApiError(45159)
        if not isinstance(openids, list) or not 1 <= len(openids) <= limits.TAGGING_OPENIDS:
            raise ApiError(40032)
        found = [await self._world.follower(openid) for openid in openids]
        fresh = [follower for follower in found if tag_id not in follower.tags]
        if any(len(follower.tags) >= limits.TAGS_PER_USER for follower in fresh):
            raise ApiError(45059)
        for follower in fresh:
            follower.tags.append(int(tag_id))
        self._changed()
        return {}

    def upload(self, kind: object, content_type: str, content: bytes) -> Answer:
        """ "temporary media 3 days, images ≤2 MB" """
        if kind not in ("image", "voice", "video", "thumb"):
            raise ApiError(40004)
        if not content:
            raise ApiError(41005)
        if kind == "image" and len(content) > limits.IMAGE_BYTES:
            raise ApiError(45001)
        media_id = self.keep_media(str(kind), content_type, content)
        return {"type": kind, "media_id": media_id, "created_at": int(self._world.seconds())}

    def keep_media(self, kind: str, content_type: str, content: bytes) -> str:
        self._forget_old_media()
        media_id = secrets.token_urlsafe(48)
        self._world.state.media[media_id] = Media(kind, content_type, self._world.seconds())
        folder = self._world.media_folder()
        if folder is None:
            self._bytes[media_id] = content
        else:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / media_id).write_bytes(content)
        self._world.touch()
        return media_id

    def media(self, media_id: object) -> tuple[Media, bytes]:
        """Kept bytes; 40007 when unknown or older than three days."""
        found = self._world.state.media.get(media_id) if isinstance(media_id, str) else None
        if found is None or self._too_old(found):
            raise ApiError(40007)
        folder = self._world.media_folder()
        path = None if folder is None else folder / str(media_id)
        if path is not None and not path.exists():
            raise ApiError(40007)
        return found, self._bytes[str(media_id)] if path is None else path.read_bytes()

    def _forget_old_media(self) -> None:
        kept, folder = self._world.state.media, self._world.media_folder()
        for media_id in [id_ for id_, media in kept.items() if self._too_old(media)]:
            del kept[media_id]
            self._bytes.pop(media_id, None)
            if folder is not None:
                (folder / media_id).unlink(missing_ok=True)

    def _too_old(self, media: Media) -> bool:
        return self._world.seconds() - media.created_at >= limits.MEDIA_SECONDS

    def media_url(self, media_id: str) -> str:
        """Where the service can fetch a picture that a person sent."""
        origin = urlsplit(self._world.settings.callback_url)
        return f"{origin.scheme}://{origin.netloc}/sandbox/media/{media_id}"

    def _changed(self) -> None:
        self._world.touch()
        self._world.hub.publish("state")


def _buttons(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    buttons = body.get("button")
    if not isinstance(buttons, list) or not 1 <= len(buttons) <= limits.MENU_BUTTONS:
        raise ApiError(40016)
    for button in buttons:
        if not isinstance(button, dict) or not button.get("name"):
            raise ApiError(40016)
        subs: Sequence[object] = button.get("sub_button") or []
        if len(subs) > limits.MENU_SUB_BUTTONS or not all(isinstance(sub, dict) and sub.get("name") for sub in subs):
            raise ApiError(40023)
    return buttons


def _scene(body: Mapping[str, Any], name: str) -> str:
    info = body.get("action_info")
    scene = info.get("scene") if isinstance(info, Mapping) else None
    value = scene.get(name) if isinstance(scene, Mapping) else None
    if name == "scene_id" and isinstance(value, int) and value > 0:
        return str(value)
    if name == "scene_str" and isinstance(value, str) and 1 <= len(value) <= limits.QR_SCENE_CHARS:
        return value
    raise ApiError(40053)
