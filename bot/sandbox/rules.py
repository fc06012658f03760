"""The rules of sending as plain functions over one follower, so that each can be read beside PLATFORM.md."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, Literal

from bot.sandbox import limits
from bot.sandbox.errors import ApiError
from bot.sandbox.settings import TemplateSpec
from bot.sandbox.state import Follower, Sent, State, Window

Action = Literal["message", "menu", "follow", "scan"]
CLOCK: Final = r"\d{1,2}:\d{2}(:\d{2})?"
DAY: Final = r"\d{4}(年\d{1,2}月\d{1,2}日|[-/.]\d{1,2}[-/.]\d{1,2})"
RANGE: Final = r"({0})( ?[~至] ?({0}))?"


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda value: compiled.fullmatch(value) is not None


def _chars(most: int) -> Callable[[str], bool]:
    return lambda value: len(value) <= most


FIELD_KINDS: Final[dict[str, Callable[[str], bool]]] = {
    "thing": _chars(limits.THING_CHARS),
    "phrase": _matches(rf"[\u4e00-\u9fff]{{1,{limits.PHRASE_CHARS}}}"),
    "number": _matches(r"-?(?=[\d.]{1,32}$)\d+(\.\d+)?"),
    "amount": _matches(r"[¥¥$€£]?-?\d{1,10}(\.\d+)?元?"),
    "date": _matches(RANGE.format(rf"{DAY}( {CLOCK})?")),
    "time": _matches(RANGE.format(rf"({DAY} )?{CLOCK}|{DAY}")),
    "letter": _matches(r"[A-Za-z]{1,32}"),
    "symbol": _chars(5),
    "character_string": _matches(r"[\x20-\x7e]{1,32}"),
    "phone_number": _matches(r"[\d*+\-() ]{1,17}"),
    "car_number": _chars(8),
    "name": _matches(r"[\u4e00-\u9fff·]{1,10}|[A-Za-z0-9 .*\-]{1,20}|[\u4e00-\u9fff*]{1,10}"),
    "const": _chars(20),
}


def field_kind(kind: str) -> Callable[[str], bool]:
    """The check of a kind such as `thing` or `thing2`; KeyError for a kind the platform does not have."""
    return FIELD_KINDS[kind.rstrip("0123456789")]


def check_fields(spec: TemplateSpec, data: object) -> dict[str, str]:
    """The values by field key; 47003 when one is missing, empty, unknown, or not of its kind."""
    if not isinstance(data, Mapping):
        raise ApiError(47003, "data is missing")
    unknown = set(data) - set(spec.fields)
    if unknown:
        raise ApiError(47003, f"data.{sorted(unknown)[0]} does not belong to the template")
    return {key: _field(key, kind, data.get(key)) for key, kind in spec.fields.items()}


def _field(key: str, kind: str, given: Any) -> str:
    value = given.get("value") if isinstance(given, Mapping) else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise ApiError(47003, f"data.{key}.value is empty")
    if not field_kind(kind)(value):
        raise ApiError(47003, f"data.{key}.value invalid")
    return value


def check_text(text: object) -> str:
    """A text that may be sent; 44004 when empty, 45002 when longer than SENT_TEXT_BYTES."""
    if not isinstance(text, str) or not text.strip():
        raise ApiError(44004)
    if len(text.encode()) > limits.SENT_TEXT_BYTES:
        raise ApiError(45002)
    return text


def open_window(follower: Follower, action: Action, now: float) -> None:
    """Open, or renew in full, the window of this kind of action; windows of other kinds stay as they are."""
    if action == "message":
        window = Window(now + limits.MESSAGE_WINDOW_SECONDS, limits.MESSAGE_WINDOW_SENDS)
        follower.wrote_at = now
    else:
        window = Window(now + limits.ACTION_WINDOW_SECONDS, limits.ACTION_WINDOW_SENDS)
    follower.windows[action] = window


def take_from_window(follower: Follower, now: float) -> None:
    """Use one send of the open window that closes first; 45015 when none is open, 45047 when all are used up."""
    follower.windows = {action: window for action, window in follower.windows.items() if now < window.closes_at}
    if not follower.followed or not follower.windows:
        raise ApiError(45015)
    usable = [window for window in follower.windows.values() if window.left > 0]
    if not usable:
        raise ApiError(45047)
    min(usable, key=lambda window: window.closes_at).left -= 1


def use_consent(follower: Follower, template_id: str) -> None:
    """Use up one consent; 43101 when there is none."""
    left = follower.consents.get(template_id, 0)
    if left < 1:
        raise ApiError(43101)
    follower.consents[template_id] = left - limits.SENDS_PER_CONSENT


def month(local: datetime) -> str:
    """The calendar month as the platform counts it; `local` is Asia/Shanghai."""
    return local.strftime("%Y-%m")


def mass_left(follower: Follower, month_: str, quota: int) -> int:
    """How many mass messages this user may still get in the month."""
    return quota - follower.mass_sends.get(month_, 0)


def count_mass(follower: Follower, month_: str) -> None:
    """Book one mass message; earlier months are forgotten."""
    follower.mass_sends = {month_: follower.mass_sends.get(month_, 0) + 1}


def sent_before(state: State, key: str, now: float, seconds: float) -> Sent | None:
    """The use of a client id less than `seconds` ago, if any."""
    sent = state.client_ids.get(key)
    return sent if sent is not None and now - sent.at < seconds else None


def remember(state: State, key: str, now: float, msg_id: int) -> None:
    """Keep a used client id; those no rule can ask for any more are dropped."""
    if len(state.client_ids) >= 10_000:
        kept = {k: sent for k, sent in state.client_ids.items() if now - sent.at < limits.CLIENT_ID_SECONDS}
        state.client_ids = kept
    state.client_ids[key] = Sent(now, msg_id)


def client_id(value: object) -> str:
    """A client id as given, empty when absent; 45067 when longer than CLIENT_ID_CHARS."""
    if value is None or value == "":
        return ""
    if not isinstance(value, str):
        raise ApiError(47001, "client id must be a string")
    if len(value) > limits.CLIENT_ID_CHARS:
        raise ApiError(45067)
    return value
