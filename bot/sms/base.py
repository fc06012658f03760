"""What every SMS gateway takes and answers, and the HTTP that the real ones share."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import httpx

from bot.outgoing import failure_outcome, status_outcome
from scheduler.channels import Outcome

Template = Literal["verify", "marketing"]


@dataclass(frozen=True, slots=True)
class SmsMessage:
    """One message. `phone` is E.164, `text` the rendered words for gateways that send raw text, `id` ours."""

    phone: str
    template: Template
    params: Mapping[str, str]
    text: str
    openid: str | None
    id: str

    def __repr__(self) -> str:
        """Name the message without its phone, code or words, so that no log or trace carries them."""
        return f"SmsMessage({self.template} {self.id})"


@dataclass(frozen=True, slots=True)
class SmsResult:
    """The gateway's answer; `code` is its own code, or the failure's name when no answer came."""

    outcome: Outcome
    code: str = ""
    message_id: str = ""


class SmsGateway(Protocol):
    """Sends one message per call; never raises for a failed send, and promises no idempotence."""

    def send(self, message: SmsMessage) -> SmsResult:
        """Send one message and say what is known of it."""


@dataclass(frozen=True, slots=True)
class VendorTemplate:
    """A template approved by the vendor: its id there and the names of its parameters, in its order."""

    id: str
    params: tuple[str, ...]

    def values(self, message: SmsMessage) -> dict[str, str]:
        """Return this template's parameters in order; KeyError names one that the message lacks."""
        return {name: message.params[name] for name in self.params}


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON answer, or the result that a call without one amounts to."""

    status: int
    body: dict[str, Any]
    failure: SmsResult | None = None


def call(client: httpx.Client, request: httpx.Request) -> Answer:
    """Send once and read JSON: lost after leaving → unknown, never left → retry."""
    try:
        response = client.send(request)
    except httpx.RequestError as error:
        return Answer(0, {}, SmsResult(failure_outcome(error), type(error).__name__))
    status = response.status_code
    try:
        body = json.loads(response.content)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return Answer(status, {}, SmsResult(status_outcome(status), f"http_{status}"))
    return Answer(status, body)
