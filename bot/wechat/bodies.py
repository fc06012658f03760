"""What the platform's send calls want to read, made from our content."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from scheduler.channels import Content

CLIENT_ID_MAX: Final = 32  # 45067 clientmsgid too long (use ≤32 chars)


def client_id(ours: str) -> str:
    """Return an id the platform takes: ours when it is at most 32 ASCII characters, else 32 digits of its hash."""
    if len(ours) <= CLIENT_ID_MAX and ours.isascii():
        return ours
    return hashlib.sha256(ours.encode()).hexdigest()[:CLIENT_ID_MAX]


def service(openid: str, content: Content, client_msg_id: str) -> dict[str, Any]:
    """Return the body of message/custom/send; ValueError for a type it cannot carry, KeyError for a missing part."""
    match content["type"]:
        case "text":
            part: dict[str, Any] = {"content": content["text"]}
        case "image":
            part = {"media_id": content["media_id"]}
        case "news":
            part = {"articles": [_article(content)]}
        case "msgmenu":
            part = {"head_content": content["head"], "list": _choices(content), "tail_content": content["tail"]}
        case other:
            raise ValueError(other)
    kind = content["type"]
    return {"touser": openid, "msgtype": kind, kind: part, "clientmsgid": client_id(client_msg_id)}


def mass(openids: Sequence[str], content: Content, client_msg_id: str) -> dict[str, Any]:
    """Return the body of message/mass/send, which carries text and images; ValueError and KeyError as `service`."""
    head = {"touser": list(openids), "clientmsgid": client_id(client_msg_id)}
    match content["type"]:
        case "text":
            return {**head, "msgtype": "text", "text": {"content": content["text"]}}
        case "image":
            return {**head, "msgtype": "image", "images": {"media_ids": [content["media_id"]]}}
        case other:
            raise ValueError(other)


def fields(data: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return template data as the platform nests it."""
    return {name: {"value": value} for name, value in data.items()}


def _article(content: Content) -> dict[str, str]:
    return {name: str(content.get(name, "")) for name in ("title", "description", "url", "picurl")}


def _choices(content: Content) -> list[dict[str, str]]:
    return [{"id": str(item["id"]), "content": str(item["content"])} for item in content["items"]]
