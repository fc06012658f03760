"""From the bytes of a callback to an Inbound; everything malformed is one exception: BadCallback."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from handlers.inbound import Inbound

BODY_LIMIT = 64 * 1024  # "no size or depth limit: cap the body at 64 KiB before parsing"
OPENID_LIMIT = 64
DEPTH_LIMIT = 8  # the deepest the platform sends is SendPicsInfo/PicList/item/PicMd5Sum
_START = re.compile(r"\ufeff?\s*(<\?xml[^>]*>\s*)?<xml[\s>]")
PLATFORM_EVENTS = frozenset({"user_info_modified", "user_authorization_revoke", "user_authorization_cancellation"})


class BadCallback(Exception):
    """A body that the platform would never send: answered with 400."""


def parse_xml(body: bytes | str) -> Mapping[str, Any]:
    """Return the fields of `<xml>`: texts, None for empty ones, mappings for nested and lists for repeated ones.

    The root begins the document, so there is no DOCTYPE and no entity of its own. Attributes below the root and deep
    nests are refused (BadCallback); a namespace does not count.
    """
    try:
        text = body if isinstance(body, str) else body.decode("utf-8")
        root = ElementTree.fromstring(text) if _START.match(text) else None
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise BadCallback("not readable") from error
    if root is None or not len(root):
        raise BadCallback("no <xml>")
    return _fields(root, DEPTH_LIMIT)


def _fields(element: Element, left: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for child in element:
        tag = child.tag.rpartition("}")[2]
        if child.attrib or left == 0:
            raise BadCallback(tag)
        value: Any = _fields(child, left - 1) if len(child) else (child.text or "").strip() or None
        if tag not in found:
            found[tag] = value
        elif isinstance(found[tag], list):
            found[tag].append(value)
        else:
            found[tag] = [found[tag], value]
    return found


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
    at = int(created)
    return Inbound(_key(at, parts), to, sender, kind, at, said, event, event_key, root)


def _key(created: int, parts: tuple[str, ...]) -> str:
    # "ToUserName|FromUserName|CreateTime|MsgType|Event|EventKey|MsgId or MsgID"; the time in front keeps new keys
    # together in their index, which halves the pages that a batch writes
    return f"{created:010x}{hashlib.blake2b('|'.join(parts).encode(), digest_size=11).hexdigest()}"


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
