"""The channels: what each may carry, what the platform's answers mean, and the wire that delivery sends through.

Every number and rule is from the platform facts sheet (docs: "The WeChat platform, as facts").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, Protocol

Content = Mapping[str, Any]
"""`type` is text (text), image (media_id), news (title, description, url, picurl) or msgmenu (head, items, tail)."""


class Outcome(StrEnum):
    """What is known after one attempt; `unknown` may have arrived, `retry` and `refused` certainly did not."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    RETRY = "retry"


class Channel(StrEnum):
    """A way to reach a member; the value is the word used in config.yaml and in the outbox."""

    REPLY = "next_reply"
    SERVICE = "service"
    SUBSCRIPTION = "subscription"
    TEMPLATE = "template"
    MASS = "mass"
    SMS = "sms"
    STAFF_TASK = "staff_task"


class Meaning(StrEnum):
    """Why the platform answered as it did, in words that policy and reports use."""

    OK = "ok"
    WINDOW_CLOSED = "window_closed"
    WINDOW_USED_UP = "window_used_up"
    TOO_LONG = "too_long"
    NOT_FOLLOWING = "not_following"
    BAD_TEMPLATE = "bad_template"
    BAD_FIELD = "bad_field"
    NO_CONSENT = "no_consent"
    TOO_OFTEN = "too_often"
    DAILY_QUOTA = "daily_quota"
    MINUTE_QUOTA = "minute_quota"
    NO_MASS_QUOTA = "no_mass_quota"
    ALREADY_SENT = "already_sent"
    RESENT_TOO_SOON = "resent_too_soon"
    CLIENT_ID_TOO_LONG = "client_id_too_long"
    TYPING_STATE = "typing_state"
    BUSY = "busy"
    TOKEN = "token"
    IP_NOT_ALLOWED = "ip_not_allowed"
    UNKNOWN_ERROR = "unknown_error"


MEANINGS: Final[Mapping[int, Meaning]] = MappingProxyType(
    {
        -1: Meaning.BUSY,
        0: Meaning.OK,
        40001: Meaning.TOKEN,
        40003: Meaning.NOT_FOLLOWING,
        40013: Meaning.TOKEN,
        40014: Meaning.TOKEN,
        40037: Meaning.BAD_TEMPLATE,
        40125: Meaning.TOKEN,
        40164: Meaning.IP_NOT_ALLOWED,
        41001: Meaning.TOKEN,
        42001: Meaning.TOKEN,
        43004: Meaning.NOT_FOLLOWING,
        43101: Meaning.NO_CONSENT,
        43117: Meaning.TOO_OFTEN,
        45002: Meaning.TOO_LONG,
        45009: Meaning.DAILY_QUOTA,
        45011: Meaning.MINUTE_QUOTA,
        45015: Meaning.WINDOW_CLOSED,
        45028: Meaning.NO_MASS_QUOTA,
        45047: Meaning.WINDOW_USED_UP,
        45065: Meaning.ALREADY_SENT,
        45066: Meaning.RESENT_TOO_SOON,
        45067: Meaning.CLIENT_ID_TOO_LONG,
        45072: Meaning.TYPING_STATE,
        45080: Meaning.TYPING_STATE,
        45081: Meaning.TYPING_STATE,
        47003: Meaning.BAD_FIELD,
    }
)

ARRIVED: Final = frozenset({Meaning.OK, Meaning.ALREADY_SENT})
PASSING: Final = frozenset({Meaning.BUSY, Meaning.MINUTE_QUOTA, Meaning.DAILY_QUOTA, Meaning.RESENT_TOO_SOON})
ACCOUNT_FAULTS: Final = frozenset(
    {Meaning.TOKEN, Meaning.IP_NOT_ALLOWED, Meaning.DAILY_QUOTA, Meaning.MINUTE_QUOTA, Meaning.NO_MASS_QUOTA}
)
"""Not this message's fault: every other message meets the same answer, so the channel should pause."""


def meaning_of(errcode: int) -> Meaning:
    """Return the meaning of any errcode; one that is not listed is `unknown_error`."""
    return MEANINGS.get(errcode, Meaning.UNKNOWN_ERROR)


def outcome_of(errcode: int) -> Outcome:
    """Return the outcome of any errcode. 45065 (same clientmsgid within 24 h) was already sent: accepted."""
    meaning = meaning_of(errcode)
    if meaning in ARRIVED:
        return Outcome.ACCEPTED
    return Outcome.RETRY if meaning in PASSING else Outcome.REFUSED


@dataclass(frozen=True, slots=True)
class SendResult:
    """One attempt's end. `errcode` is the platform's or gateway's code, or the failure's name when no answer came.

    `accepted` is not delivered: delivery comes by the finish event, which carries `message_id`.
    """

    outcome: Outcome
    errcode: str = ""
    message_id: str = ""

    @classmethod
    def of(cls, errcode: int, message_id: str = "") -> "SendResult":
        """Build the result of a WeChat answer."""
        return cls(outcome_of(errcode), str(errcode), message_id)

    @property
    def meaning(self) -> Meaning:
        """The meaning of a WeChat errcode; anything else is `unknown_error`."""
        try:
            return meaning_of(int(self.errcode))
        except ValueError:
            return Meaning.UNKNOWN_ERROR


@dataclass(frozen=True, slots=True)
class Rules:
    """What one channel may carry.

    offers: marketing and coupons; notices: of something the member did; reminders: repurchase and expiry.
    repeat_within: how long after the first attempt an `unknown` may be repeated, None for never.
    """

    channel: Channel
    offers: bool
    notices: bool
    reminders: bool
    repeat_within: timedelta | None

    def repeatable(self, since_first_attempt: timedelta) -> bool:
        """Whether a send whose answer was lost may be repeated now without reaching anybody twice."""
        return self.repeat_within is not None and since_first_attempt <= self.repeat_within


RULES: Final[Mapping[Channel, Rules]] = MappingProxyType(
    {
        rules.channel: rules
        for rules in (
            # The member who just wrote; one, within 5 s; anything the member asked for, and a pending offer.
            Rules(Channel.REPLY, offers=True, notices=True, reminders=True, repeat_within=timedelta.max),
            # User message: 48 h; menu click, follow, QR scan: 1 min; offers allowed. No documented client id.
            Rules(Channel.SERVICE, offers=True, notices=True, reminders=True, repeat_within=None),
            # Who accepted that template in the pop-up; one send per consent; reminders, expiry notices.
            Rules(Channel.SUBSCRIPTION, offers=False, notices=True, reminders=True, repeat_within=None),
            # Only a notice of something the user did; marketing, coupons, frequent expiry reminders are forbidden.
            # `client_msg_id`: same openid + id sends once, about 10 minutes.
            Rules(Channel.TEMPLATE, offers=False, notices=True, reminders=False, repeat_within=timedelta(minutes=9)),
            # 2–10000 openids; 4 per user per calendar month; offers allowed. Same clientmsgid within 24 h is refused.
            Rules(Channel.MASS, offers=True, notices=False, reminders=False, repeat_within=timedelta(hours=23)),
            # A bound phone with marketing consent; money; opt-out text required; offers allowed.
            Rules(Channel.SMS, offers=True, notices=True, reminders=True, repeat_within=None),
            # A member with an adviser or home store; anything a person may say.
            Rules(Channel.STAFF_TASK, offers=True, notices=True, reminders=True, repeat_within=timedelta.max),
        )
    }
)


@dataclass(frozen=True, slots=True)
class Window:
    """A span in which customer-service messages may be sent, and how many."""

    length: timedelta
    messages: int


WINDOW_AFTER_MESSAGE: Final = Window(timedelta(hours=48), 5)  # 5 per 48 h window
WINDOW_AFTER_ACTION: Final = Window(timedelta(minutes=1), 3)  # menu click, follow, QR scan: 3 per 1-min window
MASS_PER_MONTH: Final = 4  # per user per calendar month, console sends included
MASS_RECIPIENTS: Final = range(2, 10_001)  # 2–10000 openids
MASS_CALLS_PER_MINUTE: Final = 60
TEMPLATES_PER_DAY: Final = 100_000


class Wire(Protocol):
    """What delivery needs from the edge. Every method answers with a result; none raises for a failed send."""

    def send_service(self, openid: str, content: Content, client_msg_id: str) -> SendResult:
        """Send a customer-service message."""

    def send_template(
        self, openid: str, template_id: str, data: Mapping[str, str], url: str, client_msg_id: str
    ) -> SendResult:
        """Send a template message; `data` is field → text, `url` may be empty."""

    def send_subscription(self, openid: str, template_id: str, data: Mapping[str, str], page: str) -> SendResult:
        """Send a subscription notice, which uses up one consent; `page` may be empty."""

    def send_mass(self, openids: Sequence[str], content: Content, client_msg_id: str) -> SendResult:
        """Send one text or image to 2–10000 followers."""

    def send_sms(
        self, phone: str, template: str, params: Mapping[str, str], text: str, *, openid: str | None, message_id: str
    ) -> SendResult:
        """Send an SMS to an E.164 phone; `template` is verify or marketing, `text` the same words rendered."""
