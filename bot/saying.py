"""One chat turn from the terminal, through the local platform and the real signed webhook."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from bot.app import build_app
from bot.render import text_of
from bot.service import Service
from bot.serving import Server, settings

PATIENCE_SECONDS = 2.0
QUIET_SECONDS = 0.4


@contextmanager
def in_process(service: Service, port: int) -> Iterator[str]:
    """Run the service on a loopback port in this process while the turn lasts."""
    address = f"http://127.0.0.1:{port}"
    server = Server(settings(build_app(service, address=address), "127.0.0.1", port))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    try:
        yield address
    finally:
        server.should_exit = True
        thread.join()


def say(address: str, openid: str, text: str) -> dict[str, Any]:
    """Say one thing as `openid`; return {"reply", "failed", "books", "messages"}, the last what else arrived.

    httpx.HTTPError when nothing answers; ValueError with a Chinese sentence when this person cannot write.
    """
    with httpx.Client(base_url=address, timeout=30, trust_env=False) as client:
        met = client.post("/sandbox/api/person", json={"openid": openid, "label": "终端"})
        if met.status_code == httpx.codes.BAD_REQUEST:
            raise ValueError(met.json()["error"])
        # refused when they follow already, which is just as well
        client.post("/sandbox/api/follow", json={"openid": openid, "wait": True})
        before = _last(client, openid)
        answer = client.post("/sandbox/api/say", json={"openid": openid, "text": text, "wait": True})
        if answer.status_code == httpx.codes.BAD_REQUEST:
            raise ValueError(answer.json()["error"])
        answer.raise_for_status()
        turn = answer.json()
        patience = PATIENCE_SECONDS if "验证码" in (turn["reply"] or "") else QUIET_SECONDS
        messages = _settle(client, openid, before, patience)
    said = (text_of(turn["reply_xml"]) if turn["reply_xml"] else "") or turn["reply"]
    return {"reply": said, "failed": turn["failed"], "books": turn["books"], "messages": messages}


def _events(client: httpx.Client, openid: str) -> list[dict[str, Any]]:
    answer = client.get("/sandbox/api/history", params={"openid": openid})
    return list(answer.json()["events"]) if answer.is_success else []


def _last(client: httpx.Client, openid: str) -> int:
    return max((event["id"] for event in _events(client, openid)), default=0)


def _settle(client: httpx.Client, openid: str, after: int, patience: float) -> list[dict[str, Any]]:
    """Return what arrived outside the passive reply, waiting at most `patience` seconds for the first of it."""
    until = time.monotonic() + patience
    while True:
        arrived = [
            event
            for event in _events(client, openid)
            if event["id"] > after
            and event["type"] == "message"
            and event["dir"] == "out"
            and event["via"] != "passive"
        ]
        if arrived or time.monotonic() >= until:
            return arrived
        time.sleep(0.05)
