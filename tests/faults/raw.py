"""One bare ASGI request: what an HTTP client would never send, sent."""

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from anyio.from_thread import BlockingPortal

from bot.app import Front


@dataclass
class Answer:
    """What came back; `status` is 0 when nothing did."""

    status: int = 0
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    read: int = 0


def call(
    portal: BlockingPortal, front: Front, method: str, query: bytes, chunks: Sequence[bytes | None] = (b"",)
) -> Answer:
    """Send chunks one by one (None: the client leaves); `read` counts the bytes that were taken."""
    return portal.call(send_raw, front, method, query, chunks)


async def send_raw(front: Front, method: str, query: bytes, chunks: Sequence[bytes | None]) -> Answer:
    """The same on the event loop."""
    answer, left = Answer(), list(chunks)

    async def receive() -> dict[str, Any]:
        chunk = left.pop(0) if left else None
        if chunk is None:
            return {"type": "http.disconnect"}
        answer.read += len(chunk)
        return {"type": "http.request", "body": chunk, "more_body": bool(left)}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answer.status = int(str(message["status"]))
            answer.headers = {k.decode(): v.decode() for k, v in message["headers"]}
        else:
            answer.body += bytes(message.get("body", b""))

    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": "/wechat", "raw_path": b"/wechat", "root_path": "", "query_string": query, "headers": [],
        "client": ("127.0.0.1", 1), "server": ("shop", 80),
    }  # fmt: skip
    await front(scope, receive, send)
    return answer
