"""A platform that speaks as the real one does, for the tests of the API client: that is the outside, not our code."""

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from bot.wechat import MemoryTokens, WeChatClient

TEXT = {"type": "text", "text": "你好,您的积分是 120 分🎁"}
OK: dict[str, Any] = {"errcode": 0, "errmsg": "ok"}
Script = list[dict[str, Any] | type[httpx.TransportError] | httpx.Response]


class Platform:
    """Issues tokens, knows which one is valid, and answers calls from a script (then always with success)."""

    def __init__(self, *script: dict[str, Any] | type[httpx.TransportError] | httpx.Response) -> None:
        self.script: Script = list(script)
        self.token_script: Script = []
        self.valid = "T1"
        self.stuck = False
        self.token_calls = 0
        self.calls: list[httpx.Request] = []
        self.slept: list[float] = []
        self.storm_of = 0
        self.storm = threading.Barrier(8)
        self._seen: set[str] = set()
        self._lock = threading.Lock()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/stable_token"):
            return self._token(request)
        if self._first_of(request):
            self.storm.wait()
            return httpx.Response(200, json={"errcode": 42001, "errmsg": "access_token expired"})
        with self._lock:
            self.calls.append(request)
            if request.url.params["access_token"] != self.valid or self.stuck:
                return httpx.Response(200, json={"errcode": 40001, "errmsg": "invalid credential"})
            return self._play(self.script, request, OK)

    def _first_of(self, request: httpx.Request) -> bool:
        """Whether this member is heard of for the first time, in a storm where everybody's first call is refused."""
        with self._lock:
            if not self.storm_of or len(self._seen) == self.storm_of:
                return False
            before = len(self._seen)
            self._seen.add(json.loads(request.content)["touser"])
            return len(self._seen) > before

    def _token(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            self.token_calls += 1
            body = json.loads(request.content)
            assert body["grant_type"] == "client_credential"
            assert body["force_refresh"] is False
            return self._play(self.token_script, request, {"access_token": self.valid, "expires_in": 7200})

    @staticmethod
    def _play(script: Script, request: httpx.Request, otherwise: dict[str, Any]) -> httpx.Response:
        step = script.pop(0) if script else otherwise
        if isinstance(step, httpx.Response):
            return step
        if isinstance(step, dict):
            return httpx.Response(200, content=json.dumps(step), headers={"Content-Type": "text/plain"})
        raise step("line", request=request)

    def client(self, store: MemoryTokens | None = None) -> WeChatClient:
        return WeChatClient(
            "wx1",
            "s3cret",
            "https://api.weixin.example",
            token_store=store or MemoryTokens(),
            transport=httpx.MockTransport(self),
            sleep=self.slept.append,
        )

    def body(self, index: int = -1) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.calls[index].content)
        return body


def holding(token: str, lifetime: timedelta = timedelta(hours=1)) -> MemoryTokens:
    store = MemoryTokens()
    store.put(token, datetime.now(UTC) + lifetime)
    return store
