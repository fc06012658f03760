"""The channels of PLATFORM.md: customer-service, template, subscription and mass messages; and where an SMS arrives."""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from bot.sandbox import callbacks, limits, rules
from bot.sandbox.directory import Directory
from bot.sandbox.errors import ApiError
from bot.sandbox.faults import Faults
from bot.sandbox.settings import TemplateSpec
from bot.sandbox.state import Follower
from bot.sandbox.turns import Turns
from bot.sandbox.world import World

Answer = dict[str, Any]
Content = dict[str, Any]


class Sending:
    """Every method checks first and performs afterwards: a refused call has changed nothing."""

    def __init__(self, world: World, turns: Turns, directory: Directory, faults: Faults) -> None:
        self._world, self._turns, self._directory, self._faults = world, turns, directory, faults
        self._templates = {spec.template_id: spec for spec in world.settings.templates}
        self.sms: deque[dict[str, Any]] = deque(maxlen=limits.SMS_KEPT)

    async def service(self, body: Mapping[str, Any]) -> Answer:
        """message/custom/send: text, image, news (one article) or msgmenu inside an open window."""
        follower = await self._world.follower(body.get("touser"))
        content = self._service_content(body)
        rules.take_from_window(follower, self._world.seconds())
        follower.typing_until = 0.0
        self._world.show(follower.openid, "out", "service", **content)
        self._done()
        return {}

    async def typing(self, body: Mapping[str, Any]) -> Answer:
        """message/custom/typing: 45072 unknown command, 45080 nothing heard for 30 s, 45081 already typing."""
        follower = await self._world.follower(body.get("touser"))
        now, command = self._world.seconds(), body.get("command")
        if command not in ("Typing", "CancelTyping"):
            raise ApiError(45072)
        if not follower.followed or now - follower.wrote_at >= limits.TYPING_AFTER_MESSAGE_SECONDS:
            raise ApiError(45080)
        if command == "Typing" and now < follower.typing_until:
            raise ApiError(45081)
        follower.typing_until = now + limits.TYPING_SECONDS if command == "Typing" else 0.0
        self._world.touch()
        return {}

    async def template(self, body: Mapping[str, Any]) -> Answer:
        """message/template/send: any follower; the same openid and client_msg_id send once within 10 minutes."""
        follower = await self._world.follower(body.get("touser"))
        spec = self._templates.get(str(body.get("template_id")))
        if spec is None:
            raise ApiError(40037)
        values = rules.check_fields(spec, body.get("data"))
        id_ = rules.client_id(body.get("client_msg_id"))
        if not follower.followed:
            raise ApiError(43004)
        key, now = f"template|{follower.openid}|{id_}", self._world.seconds()
        before = rules.sent_before(self._world.state, key, now, limits.TEMPLATE_CLIENT_ID_SECONDS) if id_ else None
        if before is not None:
            return {"msgid": before.msg_id}
        msg_id = self._world.message_id()
        if id_:
            rules.remember(self._world.state, key, now, msg_id)
        blocked = self._faults.take("/cgi-bin/message/template/send", "blocked") is not None
        if not blocked:
            self._card(follower, "template", spec, values, body)
        status = "failed:user block" if blocked else "success"
        self._turns.finish(follower.openid, callbacks.template_finished(msg_id, status))
        self._done()
        return {"msgid": msg_id}

    async def subscription(self, body: Mapping[str, Any]) -> Answer:
        """message/subscribe/bizsend: "one send per consent"."""
        follower = await self._world.follower(body.get("touser"))
        template_id = str(body.get("template_id"))
        spec = (await self._world.subscriptions()).get(template_id)
        if spec is None:
            raise ApiError(40037)
        values = rules.check_fields(spec, body.get("data"))
        rules.use_consent(follower, template_id)
        self._card(follower, "subscription", spec, values, body)
        finished = callbacks.subscription_sent(template_id, self._world.message_id(), 0, "success")
        self._turns.finish(follower.openid, finished)
        self._done()
        return {}

    async def mass(self, body: Mapping[str, Any]) -> Answer:
        """message/mass/send to 2–10000 openids; those who had their four this month are left out."""
        openids = body.get("touser")
        if not isinstance(openids, list):
            raise ApiError(40130)
        chosen = list(dict.fromkeys(openids))
        if not limits.MASS_OPENIDS_MIN <= len(chosen) <= limits.MASS_OPENIDS_MAX:
            raise ApiError(40130)
        return self._mass(body, [await self._world.follower(openid) for openid in chosen])

    async def mass_by_tag(self, body: Mapping[str, Any]) -> Answer:
        """message/mass/sendall to a tag, or to all."""
        chosen = body.get("filter")
        if not isinstance(chosen, Mapping):
            raise ApiError(47001, "filter")
        await self._world.meet_people()
        everybody = [follower for follower in self._world.state.followers.values() if follower.followed]
        if chosen.get("is_to_all") is True:
            return self._mass(body, everybody)
        tag_id = chosen.get("tag_id")
        if tag_id not in self._world.state.tags:
            raise ApiError(45159)
        return self._mass(body, [follower for follower in everybody if tag_id in follower.tags])

    async def text_message(self, phone: str, text: str, openid: str | None) -> list[str]:
        """An SMS arrives: recorded always, and shown to whoever holds the phone."""
        owners = [openid] if openid else await self._world.ask(self._world.hooks.owner_of, phone)
        masked = phone[:-8] + "****" + phone[-4:] if len(phone) >= 8 else "****"
        self.sms.append({"at": self._world.at(), "phone": phone, "text": text, "openids": owners})
        for owner in owners:
            self._world.show(owner, "out", "sms", "text", text, phone=masked)
        return owners

    def _mass(self, body: Mapping[str, Any], chosen: Iterable[Follower]) -> Answer:
        content, now, total = self._mass_content(body), self._world.seconds(), list(chosen)
        id_ = rules.client_id(body.get("clientmsgid"))
        key = f"mass|{id_}"
        before = rules.sent_before(self._world.state, key, now, limits.CLIENT_ID_SECONDS) if id_ else None
        if before is not None:
            raise ApiError(45065, msg_id=before.msg_id, msg_data_id=before.msg_id + 1)
        month = rules.month(self._world.local())
        followers = [follower for follower in total if follower.followed]
        reached = [f for f in followers if rules.mass_left(f, month, self._world.settings.mass_quota) > 0]
        if followers and not reached:
            raise ApiError(45028)
        msg_id = self._world.message_id()
        if id_:
            rules.remember(self._world.state, key, now, msg_id)
        for follower in reached:
            rules.count_mass(follower, month)
            self._world.show(follower.openid, "out", "mass", **content)
        finished = callbacks.mass_finished(msg_id, len(total), len(reached), len(reached), 0)
        self._turns.finish(callbacks.MASS_SENDER, finished)
        self._done()
        return {"errmsg": "send job submission success", "msg_id": msg_id, "msg_data_id": msg_id + 1}

    def _service_content(self, body: Mapping[str, Any]) -> Content:
        match body.get("msgtype"):
            case "text":
                return {"kind": "text", "text": rules.check_text(_part(body, "text").get("content"))}
            case "image":
                return self._image(body)
            case "news":
                articles = _part(body, "news").get("articles")
                if not isinstance(articles, list) or not articles or not isinstance(articles[0], Mapping):
                    raise ApiError(44004)
                if len(articles) > limits.NEWS_TO_MESSAGE:
                    raise ApiError(45008)
                item = {name: str(articles[0].get(name) or "") for name in ("title", "description", "url", "picurl")}
                return {"kind": "news", "text": item["title"], "items": [item]}
            case "msgmenu":
                return _menu(_part(body, "msgmenu"))
        raise ApiError(40008)

    def _mass_content(self, body: Mapping[str, Any]) -> Content:
        match body.get("msgtype"):
            case "text":
                return {"kind": "text", "text": rules.check_text(_part(body, "text").get("content"))}
            case "image":
                return self._image(body)
        raise ApiError(40008)

    def _image(self, body: Mapping[str, Any]) -> Content:
        media_id = _part(body, "image").get("media_id")
        self._directory.media(media_id)
        return {"kind": "image", "text": "[图片]", "picurl": f"/sandbox/media/{media_id}"}

    def _card(
        self, follower: Follower, via: str, spec: TemplateSpec, values: Mapping[str, str], body: Mapping[str, Any]
    ) -> None:
        rows = [{"name": spec.labels.get(key, key), "value": value} for key, value in values.items()]
        url = str(body.get("url") or body.get("page") or "")
        self._world.show(follower.openid, "out", via, "card", spec.title, title=spec.title, fields=rows, url=url)

    def _done(self) -> None:
        self._world.touch()
        self._world.hub.publish("log")


def _part(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = body.get(name)
    if not isinstance(part, Mapping):
        raise ApiError(44004, name)
    return part


def _menu(menu: Mapping[str, Any]) -> Content:
    rows = menu.get("list")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, Mapping) for row in rows):
        raise ApiError(44004, "msgmenu.list")
    items = [{"id": str(row.get("id", "")), "content": str(row.get("content", ""))} for row in rows]
    head, tail = str(menu.get("head_content") or ""), str(menu.get("tail_content") or "")
    rules.check_text("\n".join([head, *(item["content"] for item in items), tail]))
    return {"kind": "msgmenu", "text": head, "menu": {"head": head, "items": items, "tail": tail}}
