"""The platform's API as methods: sends answer with a result, everything else returns or raises WeChatError."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from bot.wechat import bodies
from bot.wechat.calls import Again, Calls, WeChatError, message_id_of
from scheduler.channels import Content, Outcome, SendResult

QR_SECONDS_MAX: Final = 30 * 24 * 3600  # temporary ≤30 days
QR_SCENE_MAX: Final = 64  # string scene ≤64
TAGGING_BATCH: Final = 50  # batchtagging ≤50 openids
USER_INFO_BATCH: Final = 100  # user info 100 a batch
IMAGE_MAX: Final = 2 * 1024 * 1024  # images ≤2 MB
NO_MENU: Final = 46003


@dataclass(frozen=True, slots=True)
class QrCode:
    """A QR code: `ticket` fetches its picture, `url` is what it encodes."""

    ticket: str
    url: str


class WeChatClient(Calls):
    """A service account's API; thread-safe, synchronous, for worker threads."""

    def send_service(self, openid: str, content: Content, client_msg_id: str) -> SendResult:
        """Send a customer-service message. No client id is documented here: nothing is repeated at once."""
        return self._deliver("custom/send", Again.NEVER, lambda: bodies.service(openid, content, client_msg_id))

    def send_template(
        self, openid: str, template_id: str, data: Mapping[str, str], url: str, client_msg_id: str
    ) -> SendResult:
        """Send a template message; same openid and client id sends once, for about 10 minutes."""
        body = {
            "touser": openid,
            "template_id": template_id,
            "data": bodies.fields(data),
            "client_msg_id": bodies.client_id(client_msg_id),
        }
        return self._deliver("template/send", Again.BUSY, lambda: {**body, "url": url} if url else body)

    def send_subscription(self, openid: str, template_id: str, data: Mapping[str, str], page: str) -> SendResult:
        """Send a subscription notice; it has no client id and is never repeated at once."""
        body = {"touser": openid, "template_id": template_id, "data": bodies.fields(data)}
        return self._deliver("subscribe/bizsend", Again.NEVER, lambda: {**body, "page": page} if page else body)

    def send_mass(self, openids: Sequence[str], content: Content, client_msg_id: str) -> SendResult:
        """Send one text or image to 2–10000 followers; the same client id within 24 h counts as sent."""
        return self._deliver("mass/send", Again.BUSY, lambda: bodies.mass(openids, content, client_msg_id))

    def typing(self, openid: str, *, on: bool = True) -> SendResult:
        """Show or end "typing"; 45080 without a recent message from the user, 45081 when shown already."""
        body = {"touser": openid, "command": "Typing" if on else "CancelTyping"}
        return self._deliver("custom/typing", Again.NEVER, lambda: body)

    def menu_create(self, menu: Mapping[str, Any]) -> None:
        """Replace the menu with `{"button": […]}`."""
        self.post("cgi-bin/menu/create", menu, again=Again.ANY)

    def menu_get(self) -> dict[str, Any] | None:
        """Return the menu as the platform holds it, None when there is none."""
        try:
            return self.get("cgi-bin/menu/get")
        except WeChatError as error:
            if error.errcode == NO_MENU:
                return None
            raise

    def qr_create(self, scene: str, seconds: int | None) -> QrCode:
        """Create a QR code: temporary for at most 30 days, or permanent (≤100,000 of them) when `seconds` is None."""
        if not 1 <= len(scene) <= QR_SCENE_MAX:
            raise ValueError("a scene has 1 to 64 characters")
        body: dict[str, Any] = {"action_info": {"scene": {"scene_str": scene}}, "action_name": "QR_LIMIT_STR_SCENE"}
        if seconds is not None:
            if not 1 <= seconds <= QR_SECONDS_MAX:
                raise ValueError("a temporary code lives 1 second to 30 days")
            body |= {"action_name": "QR_STR_SCENE", "expire_seconds": seconds}
        answer = self.post("cgi-bin/qrcode/create", body, again=Again.ANY)
        return QrCode(str(answer["ticket"]), str(answer.get("url", "")))

    def user_info_batch(self, openids: Sequence[str]) -> list[dict[str, Any]]:
        """Return what the platform tells of followers (subscribe, subscribe_time, tagid_list, …), in any number."""
        found: list[dict[str, Any]] = []
        for batch in _batches(openids, USER_INFO_BATCH):
            body = {"user_list": [{"openid": openid, "lang": "zh_CN"} for openid in batch]}
            found += self.post("cgi-bin/user/info/batchget", body, again=Again.ANY)["user_info_list"]
        return found

    def tags_get(self) -> list[dict[str, Any]]:
        """Return the account's tags: id, name, count."""
        return list(self.get("cgi-bin/tags/get")["tags"])

    def tags_create(self, name: str) -> int:
        """Create a tag and return its id; 100 an account."""
        return int(self.post("cgi-bin/tags/create", {"tag": {"name": name}}, again=Again.BUSY)["tag"]["id"])

    def tags_delete(self, tag_id: int) -> None:
        """Delete a tag from the account and everybody who has it."""
        self.post("cgi-bin/tags/delete", {"tag": {"id": tag_id}}, again=Again.BUSY)

    def tags_add(self, tag_id: int, openids: Sequence[str]) -> None:
        """Give a tag to any number of followers; ≤20 tags a user."""
        self._tag("batchtagging", tag_id, openids)

    def tags_remove(self, tag_id: int, openids: Sequence[str]) -> None:
        """Take a tag from any number of followers."""
        self._tag("batchuntagging", tag_id, openids)

    def upload_image(self, image: bytes, filename: str, media_type: str) -> str:
        """Upload a temporary image, kept 3 days, and return its media id; ValueError above 2 MB."""
        if len(image) > IMAGE_MAX:
            raise ValueError("an image has at most 2 MB")
        answer = self.upload("cgi-bin/media/upload", {"type": "image"}, (filename, image, media_type))
        return str(answer["media_id"])

    def _tag(self, action: str, tag_id: int, openids: Sequence[str]) -> None:
        for batch in _batches(openids, TAGGING_BATCH):
            self.post(f"cgi-bin/tags/members/{action}", {"openid_list": batch, "tagid": tag_id}, again=Again.ANY)

    def _deliver(self, action: str, again: Again, body: Callable[[], Mapping[str, Any]]) -> SendResult:
        try:
            ready = body()
        except (KeyError, ValueError):
            return SendResult(Outcome.REFUSED, "bad_content")
        try:
            answer = self.post(f"cgi-bin/message/{action}", ready, again=again)
        except WeChatError as error:
            return error.result()
        if "errcode" not in answer:
            return SendResult(Outcome.UNKNOWN, "no_errcode", message_id_of(answer))
        return SendResult.of(0, message_id_of(answer))


def _batches(items: Sequence[str], size: int) -> Iterator[list[str]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
