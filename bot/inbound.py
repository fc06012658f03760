"""From the bytes of a callback to an Inbound; everything malformed is one exception: BadCallback."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any
from xml.parsers.expat import ExpatError

import xmltodict

from handlers.inbound import Inbound

BODY_LIMIT = 64 * 1024  # "no size or depth limit: cap the body at 64 KiB before parsing"
OPENID_LIMIT = 64
DEPTH_LIMIT = 8  # the deepest the platform sends is SendPicsInfo/PicList/item/PicMd5Sum
_START = re.compile(r"\ufeff?\s*(<\?xml[^>]*>\s*)?<xml[\s>]")
PLATFORM_EVENTS = frozenset({"user_info_modified", "user_authorization_revoke", "user_authorization_cancellation"})


class BadCallback(Exception):
    """A body that the platform would never send: answered with 400."""


def parse_xml(body: bytes) -> Mapping[str, Any]:
    """Return the parsed `<xml>`; entities, DOCTYPEs and deep nests are refused (BadCallback)."""
    try:
        text = body.decode("utf-8")
        document = xmltodict.parse(text, disable_entities=True) if _START.match(text) else None
    except (ExpatError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise BadCallback("not readable") from error
    root = document.get("xml") if isinstance(document, Mapping) else None
    if not isinstance(root, Mapping) or not _shallow(root, DEPTH_LIMIT):
        raise BadCallback("no <xml>")
    return root


def _shallow(value: Any, left: int) -> bool:
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return left > 0 and all(isinstance(one, str) or one is None or _shallow(one, left - 1) for one in inner)


def inbound_of(root: Mapping[str, Any]) -> Inbound:
    """Return the message; BadCallback when a field is missing, doubled or of the wrong shape."""
    to, sender = _text(root, "ToUserName"), _text(root, "FromUserName")
    kind, created = _text(root, "MsgType").lower(), _text(root, "CreateTime")
    if not created.isdecimal() or not created.isascii() or len(created) > 12:
        raise BadCallback("CreateTime")
    event = _text(root, "Event") if kind == "event" else ""
    event_key = _optional(root, "EventKey")
    if event.lower() in PLATFORM_EVENTS:
        sender = _text(root, "OpenID")
    message_id = _optional(root, "MsgId") or _optional(root, "MsgID")
    parts = (to, sender, created, kind, event, event_key, message_id)
    said = _optional(root, "Recognition") if kind == "voice" else _optional(root, "Content")
    return Inbound(_key(parts), to, sender, kind, int(created), said, event, event_key, root)


def _key(parts: tuple[str, ...]) -> str:
    # "ToUserName|FromUserName|CreateTime|MsgType|Event|EventKey|MsgId or MsgID"
    return hashlib.blake2b("|".join(parts).encode(), digest_size=16).hexdigest()


def _text(root: Mapping[str, Any], name: str) -> str:
    value = root.get(name)
    if not isinstance(value, str) or not value or (name in ("FromUserName", "OpenID") and len(value) > OPENID_LIMIT):
        raise BadCallback(name)
    return value


def _optional(root: Mapping[str, Any], name: str) -> str:
    value = root.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadCallback(name)
    return value
