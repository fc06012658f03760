"""What the local platform is told about the account."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from bot.sandbox import limits

Mode = Literal["plain", "compatible", "aes"]
MODES: tuple[str, ...] = get_args(Mode)


@dataclass(frozen=True)
class TemplateSpec:
    """A template: field key → kind (thing, phrase, number …); `labels` gives the words shown before each value."""

    template_id: str
    title: str
    fields: Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)


def _daily() -> dict[str, int]:
    return {
        "/cgi-bin/message/template/send": limits.TEMPLATE_SENDS_PER_DAY,
        "/cgi-bin/stable_token": limits.STABLE_TOKEN_CALLS_PER_DAY,
        "/cgi-bin/token": limits.PLAIN_TOKEN_CALLS_PER_DAY,
        "/cgi-bin/user/get": limits.USER_LIST_CALLS_PER_DAY,
    }


def _minute() -> dict[str, int]:
    return {
        "/cgi-bin/message/mass/send": limits.MASS_CALLS_PER_MINUTE,
        "/cgi-bin/message/mass/sendall": limits.MASS_CALLS_PER_MINUTE,
    }


@dataclass(frozen=True)
class SandboxSettings:
    """The account as registered at the platform; ValueError when it could not exist there."""

    app_id: str
    app_secret: str
    token: str
    encoding_aes_key: str
    callback_url: str
    mode: Mode = "plain"
    templates: tuple[TemplateSpec, ...] = ()
    subscription_templates: tuple[TemplateSpec, ...] = ()
    original_id: str = "gh_5a2d0b0c0001"
    mass_quota: int = limits.MASS_PER_MONTH
    daily_quotas: Mapping[str, int] = field(default_factory=_daily)
    minute_quotas: Mapping[str, int] = field(default_factory=_minute)
    deadline_seconds: float = limits.CALLBACK_DEADLINE_SECONDS
    spacing_seconds: float = limits.CALLBACK_SPACING_SECONDS
    finish_delay_seconds: float = 0.2

    def __post_init__(self) -> None:
        if not self.token:
            raise ValueError("sandbox: the token must not be empty")
        if self.mode not in MODES:
            raise ValueError(f"sandbox: mode {self.mode!r} is none of {', '.join(MODES)}")
        if len(self.encoding_aes_key) != 43:
            raise ValueError("sandbox: encoding_aes_key must have 43 characters")
        if len(self.templates) > limits.TEMPLATES_PER_ACCOUNT:
            raise ValueError(f"sandbox: an account has at most {limits.TEMPLATES_PER_ACCOUNT} templates")
