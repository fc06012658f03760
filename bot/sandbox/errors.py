"""Refusals of the platform: by errcode to the service, in Chinese to the person at the page."""

from typing import Final

MESSAGES: Final[dict[int, str]] = {
    -1: "system error",
    40001: "invalid credential, access_token is invalid or not latest",
    40002: "invalid grant_type",
    40003: "invalid openid",
    40004: "invalid media type",
    40007: "invalid media_id",
    40008: "invalid message type",
    40013: "invalid appid",
    40016: "invalid button size",
    40023: "invalid sub button size",
    40032: "invalid openid list size",
    40037: "invalid template_id",
    40052: "invalid action name",
    40053: "invalid action info",
    40125: "invalid appsecret",
    40130: "invalid openid list size, at least two openid",
    41005: "media data missing",
    42001: "access_token expired",
    43004: "require subscribe",
    43101: "user refuse to accept the msg",
    43117: "send too frequently to this user",
    44004: "empty content",
    45001: "media size out of limit",
    45002: "content size out of limit",
    45008: "article size out of limit",
    45009: "reach max api daily quota limit",
    45011: "api minute-quota reach limit, must slower, retry next minute",
    45015: "response out of time limit or subscription is canceled",
    45028: "has no masssend quota",
    45029: "qrcode count out of limit",
    45047: "out of response count limit",
    45056: "tag count out of limit",
    45059: "user has too many tags",
    45065: "clientmsgid exist",
    45067: "clientmsgid size out of limit",
    45072: "invalid command",
    45080: "there is no message from the user in the last 30 seconds",
    45081: "already in typing state",
    45157: "tag name repeated",
    45158: "tag name too long",
    45159: "invalid tag id",
    46003: "menu no exist",
    47001: "data format error",
    47003: "argument invalid",
    48006: "forbid to clear quota because of reaching the limit",
    65303: "there is no selfmenu, please create selfmenu first",
}


class ApiError(Exception):
    """A refused API call: `errcode` as in PLATFORM.md, `detail` ends the message, `extra` is added to the answer."""

    def __init__(self, errcode: int, detail: str = "", **extra: object) -> None:
        self.errcode = errcode
        self.errmsg = " ".join(part for part in (MESSAGES.get(errcode, "error"), detail) if part)
        self.extra = extra
        super().__init__(f"{errcode} {self.errmsg}")

    def answer(self) -> dict[str, object]:
        """The JSON the real platform sends, always with HTTP 200."""
        return {"errcode": self.errcode, "errmsg": self.errmsg, **self.extra}


class UserError(Exception):
    """What the person at the page may not do, as a Chinese sentence."""


class MalformedReply(Exception):
    """A passive reply that the platform cannot show."""
