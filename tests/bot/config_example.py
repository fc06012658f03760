"""A small configuration with one of everything, for the tests of the loader."""

from collections.abc import Iterable, Mapping
from datetime import date, time
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from textwrap import dedent
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, HttpUrl, SecretStr, model_validator

from bot.config_file import problems

GOOD = "wechat: {token: abc}\n"


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Tier(StrEnum):
    plain = "普卡"
    gold = "金卡"


class Wechat(Strict):
    token: str = Field(min_length=3)
    app_id: str = "wx1"
    secret: SecretStr = SecretStr("")
    api_base: HttpUrl = HttpUrl("https://api.example.com")
    templates: dict[str, str] = {}


class Earn(Strict):
    points_per_yuan: int = Field(default=1, ge=0, le=100)


class Loyalty(Strict):
    earn: Earn = Earn()
    tiers: list[Tier] = []
    multiplier: Decimal | None = None


def days(text: Any) -> int:
    number, unit = text.split()
    if unit not in ("days", "weeks"):
        raise ValueError("单位应是 days 或 weeks")
    return int(number) * (7 if unit == "weeks" else 1)


class Coupon(Strict):
    title: str
    off: int = Field(default=1, gt=0)
    valid: Annotated[int, BeforeValidator(days)] = 7


class Repurchase(Strict):
    kind: Literal["repurchase"]
    days_ahead: int = 2
    confidence: float = 0.4


class Pack(Strict):
    kind: Literal["coupon_pack"]
    budget: int
    repurchase: int = 0


class Visits(Strict):
    at_least: int


class Tagged(Strict):
    tag: str
    confidence: float = 1


class Store(Strict):
    id: str
    name: str = ""
    opens: time = time(8)
    since: date = date(2020, 1, 1)


class Config(Strict):
    wechat: Wechat
    loyalty: Loyalty = Loyalty()
    coupons: dict[str, Coupon] = {}
    campaigns: dict[str, Annotated[Repurchase | Pack, Field(discriminator="kind")]] = {}
    segments: dict[str, Visits | Tagged | str] = {}
    stores: list[Store] = []
    enabled: bool = False
    mode: Literal["plain", "compatible", "aes"] = "plain"
    hold_out: int | Literal["none", "all"] = 5
    scores: list[float] = []
    long_name: int = Field(default=0, alias="long-name")
    reward: str | None = None

    @model_validator(mode="after")
    def _no_conflict(self) -> "Config":
        if self.mode == "aes" and not self.wechat.secret.get_secret_value():
            raise ValueError("aes 模式要有密钥")
        return self

    def cross_check(self) -> Iterable[tuple[tuple[str | int, ...], str, str | None]]:
        if self.reward is not None and self.reward not in self.coupons:
            yield ("reward",), f"没有名为 {self.reward} 的券", next(iter(self.coupons), None)


def write(text: str | bytes) -> Path:
    """config.yaml in the working directory."""
    path = Path("config.yaml")
    path.write_bytes(text if isinstance(text, bytes) else dedent(text).encode())
    return path


def said(path: Path, env: Mapping[str, str] | None = None, model: type[BaseModel] = Config) -> list[str]:
    return [str(problem) for problem in problems(path, model, env or {})]
