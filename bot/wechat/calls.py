"""One call to the platform: token, JSON, error codes, and the few repeats that are safe."""

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Final

import httpx
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential, wait_random

from bot.outgoing import TIMEOUT, failure_outcome, open_client, status_outcome
from bot.wechat.tokens import Tokens, TokenStore
from scheduler.channels import Meaning, Outcome, SendResult, meaning_of, outcome_of

JSON_HEADERS: Final = {"Content-Type": "application/json; charset=utf-8"}
STALE_TOKEN: Final = frozenset({40001, 40014, 42001})
ATTEMPTS: Final = 3


class WeChatError(Exception):
    """A call that did not succeed; `errcode` is None when the platform gave no readable answer."""

    def __init__(self, path: str, outcome: Outcome, errcode: int | None, detail: str, message_id: str = "") -> None:
        super().__init__(f"{path}: {detail if errcode is None else errcode}")
        self.path, self.outcome, self.errcode, self.detail, self.message_id = path, outcome, errcode, detail, message_id

    @property
    def meaning(self) -> Meaning:
        """What the errcode means."""
        return Meaning.UNKNOWN_ERROR if self.errcode is None else meaning_of(self.errcode)

    def result(self) -> SendResult:
        """Return the same as the result of a send."""
        return SendResult(self.outcome, self.detail if self.errcode is None else str(self.errcode), self.message_id)


class TokenUnavailable(WeChatError):
    """No token could be had: nothing has left, and the call that wanted it is not repeated at once."""


class Again(Enum):
    """When a call may be repeated at once: `BUSY` on -1, `ANY` also when no answer came, `NEVER`."""

    NEVER = "never"
    BUSY = "busy"
    ANY = "any"

    def allows(self, error: BaseException) -> bool:
        """Whether this error may be followed by the same call."""
        if self is Again.NEVER or not isinstance(error, WeChatError) or isinstance(error, TokenUnavailable):
            return False
        return error.meaning is Meaning.BUSY or (self is Again.ANY and error.errcode is None)


class Calls:
    """Calls with the shared token; thread-safe.

    A refused token is renewed and the call repeated once; then it fails.
    """

    def __init__(
        self,
        app_id: str,
        app_secret: str,
        api_base: str,
        *,
        token_store: TokenStore,
        transport: httpx.BaseTransport | None = None,
        timeout: httpx.Timeout = TIMEOUT,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._app_id, self._app_secret, self._sleep = app_id, app_secret, sleep
        self._client = open_client(api_base, transport=transport, timeout=timeout)
        self._tokens = Tokens(token_store, self._fetch_token, now)

    def post(self, path: str, body: Mapping[str, Any], *, again: Again) -> dict[str, Any]:
        """Post JSON and return the answer; WeChatError unless errcode is 0 or absent."""
        content = to_json(body)
        return self._authorised(again, lambda token: self._post(path, token, content=content, headers=JSON_HEADERS))

    def get(self, path: str) -> dict[str, Any]:
        """Get and return the answer; WeChatError unless errcode is 0 or absent."""
        return self._authorised(
            Again.ANY, lambda token: self._send(path, self._client.build_request("GET", path, params=_auth(token)))
        )

    def upload(self, path: str, params: Mapping[str, str], file: tuple[str, bytes, str]) -> dict[str, Any]:
        """Post one file (name, bytes, media type) as the form field `media` and return the answer."""
        return self._authorised(Again.ANY, lambda token: self._post(path, token, extra=params, files={"media": file}))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _authorised(self, again: Again, send: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
        def once_or_twice() -> dict[str, Any]:
            lease = self._tokens.current()
            try:
                return send(lease.token)
            except WeChatError as error:
                if error.errcode not in STALE_TOKEN:
                    raise
            return send(self._tokens.renew(lease).token)

        return self._repeated(again, once_or_twice)

    def _repeated(self, again: Again, call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        retrying = Retrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_exponential(multiplier=0.5, max=4.0) + wait_random(0.0, 0.5),
            retry=retry_if_exception(again.allows),
            sleep=self._sleep,
            reraise=True,
        )
        return retrying(call)

    def _fetch_token(self) -> tuple[str, timedelta]:
        """Ask for the stable token, the same on repeat calls; `force_refresh` is for a leak only (20 a day).

        Whatever was to be sent has not left: a lost answer here means `retry`, never `unknown`.
        """
        path = "cgi-bin/stable_token"
        body = {"grant_type": "client_credential", "appid": self._app_id, "secret": self._app_secret}
        content = to_json({**body, "force_refresh": False})
        request = self._client.build_request("POST", path, content=content, headers=JSON_HEADERS)
        try:
            answer = self._repeated(Again.ANY, lambda: self._send(path, request))
            return str(answer["access_token"]), timedelta(seconds=int(answer["expires_in"]))
        except (KeyError, TypeError, ValueError) as error:
            raise TokenUnavailable(path, Outcome.RETRY, None, "no_token") from error
        except WeChatError as error:
            outcome = Outcome.RETRY if error.outcome is Outcome.UNKNOWN else error.outcome
            raise TokenUnavailable(path, outcome, error.errcode, error.detail) from error

    def _post(self, path: str, token: str, *, extra: Mapping[str, str] | None = None, **parts: Any) -> dict[str, Any]:
        return self._send(path, self._client.build_request("POST", path, params=_auth(token, extra), **parts))

    def _send(self, path: str, request: httpx.Request) -> dict[str, Any]:
        try:
            response = self._client.send(request)
        except httpx.RequestError as error:
            raise WeChatError(path, failure_outcome(error), None, type(error).__name__) from error
        return read(path, response)


def to_json(body: Mapping[str, Any]) -> bytes:
    r"""Return UTF-8 with Chinese as it is: the platform shows \u escapes literally."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def read(path: str, response: httpx.Response) -> dict[str, Any]:
    """Return the answer of a success; WeChatError for an errcode, a bad status or what is not JSON."""
    try:
        answer = json.loads(response.content.decode("utf-8", "replace"), strict=False)
    except ValueError:
        answer = None
    errcode = answer.get("errcode") if isinstance(answer, dict) else None
    if isinstance(errcode, int) and errcode != 0:
        detail = str(answer.get("errmsg", ""))[:200]
        raise WeChatError(path, outcome_of(errcode), errcode, detail, message_id_of(answer))
    if not isinstance(answer, dict) or response.is_error:
        raise WeChatError(path, status_outcome(response.status_code), None, f"http_{response.status_code}")
    return answer


def message_id_of(answer: Mapping[str, Any]) -> str:
    """Return the id that a finish event will carry: `msgid` of a template message, `msg_id` of a mass send."""
    return str(answer.get("msgid", answer.get("msg_id", "")))


def _auth(token: str, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    return {"access_token": token, **(extra or {})}
