"""config.yaml as one model: each room owns the shape of its own section, here they are put together."""

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator
from rapidfuzz import process
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from bot import config_file
from bot.envelope import decode_aes_key
from handlers.copy import problems as copy_problems
from handlers.nlu.own import UnderstandingRules, twice
from handlers.routes import ROUTES
from members.rules import (
    VOUCHER,
    BindingRules,
    Code,
    CouponRule,
    LoyaltyRules,
    PrivacyPromises,
    PrivacyRules,
    Rules,
    Section,
    ShopRules,
    StaffRules,
    named_coupons,
    named_stores,
)
from members.segments import EVERYBODY, SegmentRule
from recommend.rules import RecommendRules
from scheduler.legality import illegal_channels
from scheduler.rules import CampaignRule, PolicyRules, PushRules, ScheduleRules, SubscriptionRule

REAL_API = "https://api.weixin.qq.com"
Problem = tuple[tuple[str | int, ...], str, str | None]


def _aes_key(text: str) -> str:
    if text:
        try:
            decode_aes_key(text)
        except ValueError as error:
            raise ValueError("EncodingAESKey 必须是公众平台给的43位字符") from error
    return text


def _url(text: str) -> str:
    if text and not text.startswith(("http://", "https://")):
        raise ValueError("要以 http:// 或 https:// 开头")
    return text.rstrip("/")


AesKey = Annotated[str, AfterValidator(_aes_key)]
Url = Annotated[str, AfterValidator(_url)]


class NoticeTemplate(Section):
    """A template message as registered at the platform."""

    template_id: Code
    title: str = ""
    fields: dict[Code, str] = {}


class WeChatSection(Section):
    """The service account."""

    app_id: str = Field(min_length=1)
    app_secret: str = Field(min_length=1)
    token: str = Field(min_length=1, description="空的 token 会让签名可以伪造,因此不允许")
    encoding_aes_key: AesKey = ""
    previous_aes_key: AesKey = ""
    original_id: str = "gh_sandbox"
    api_base: Url = REAL_API
    public_url: Url = ""
    templates: dict[Code, NoticeTemplate] = {}
    subscriptions: dict[Code, SubscriptionRule] = {}
    menu: list[dict[str, Any]] = []


class DatabaseSection(Section):
    """Where the books are."""

    url: str = "sqlite:///data/memberbot.db"
    synchronous: Literal["FULL", "NORMAL"] = "FULL"

    @field_validator("url")
    @classmethod
    def _known(cls, url: str) -> str:
        try:
            backend = make_url(url).drivername
        except ArgumentError as error:
            raise ValueError("不是数据库地址,例如 sqlite:///data/memberbot.db") from error
        if backend not in ("sqlite", "postgresql+psycopg"):
            raise ValueError("只支持 sqlite:///… 和 postgresql+psycopg://…")
        return url


class SmsSection(Section):
    """How the code reaches the phone, and how often at most."""

    provider: Literal["console", "sandbox", "aliyun", "tencent"] = "console"
    access_key: str = ""
    access_secret: str = ""
    sign_name: str = ""
    app_id: str = ""
    region: str = "ap-guangzhou"
    templates: dict[Literal["verify", "marketing"], str] = {}
    limits: BindingRules = BindingRules()


class SandboxSection(Section):
    """The local WeChat platform."""

    enabled: bool = False
    mode: Literal["plain", "compatible", "aes"] = "aes"


class Config(Section):
    """The whole file."""

    wechat: WeChatSection
    database: DatabaseSection = DatabaseSection()
    sms: SmsSection = SmsSection()
    shop: ShopRules
    loyalty: LoyaltyRules = LoyaltyRules()
    coupons: dict[Code, CouponRule] = {}
    segments: dict[str, SegmentRule] = {}
    campaigns: dict[str, CampaignRule] = {}
    policy: PolicyRules = PolicyRules()
    staff: StaffRules = StaffRules()
    recommend: RecommendRules = RecommendRules()
    schedule: ScheduleRules = ScheduleRules()
    copy_: dict[str, str] = Field(default={}, alias="copy")
    understanding: UnderstandingRules = UnderstandingRules()
    sandbox: SandboxSection = SandboxSection()
    privacy: PrivacyRules

    @property
    def rules(self) -> Rules:
        """Return what the books and the conversation need."""
        promised = PrivacyPromises(**self.privacy.model_dump(include=set(PrivacyPromises.model_fields)))
        return Rules(self.shop, self.loyalty, self.coupons, self.sms.limits, self.staff, promised)

    @property
    def push_rules(self) -> PushRules:
        """Return what planning, delivering and scheduling need."""
        return PushRules(
            base=self.rules,
            app_id=self.wechat.app_id,
            campaigns=self.campaigns,
            segments=self.segments,
            policy=self.policy,
            schedule=self.schedule,
            recommend=self.recommend,
            subscriptions=self.wechat.subscriptions,
        )

    def cross_check(self) -> Iterable[Problem]:
        """Yield what only shows when sections are seen together."""
        for check in self.checks():
            yield from check()

    def checks(self) -> Iterable[Callable[[], Iterable[Problem]]]:
        """Return the cross-checks; each stands on its own."""
        return (
            self._safety,
            self._gateway,
            self._master_keys,
            self._rewards,
            self._loyalty_names,
            self._campaigns,
            self._copy,
            self._phrases,
        )

    def _rewards(self) -> Iterable[Problem]:
        """Coupons that the loyalty rules give away must exist."""
        for path, code in named_coupons(self.loyalty):
            if code not in self.coupons:
                yield ("loyalty", *path), f"没有叫「{code}」的券模板", near(code, self.coupons)

    def _loyalty_names(self) -> Iterable[Problem]:
        """Tiers and stores that are named must exist; stores only where config.yaml lists any."""
        tiers, stores = [tier.name for tier in self.loyalty.tiers], [store.id for store in self.shop.stores]
        for place, bonus in enumerate(self.loyalty.earn.bonuses):
            for name in bonus.tiers:
                if name not in tiers:
                    yield ("loyalty", "earn", "bonuses", place, "tiers"), f"没有叫「{name}」的等级", near(name, tiers)
        for path, store in named_stores(self.loyalty, self.coupons):
            if stores and store not in stores:
                yield path, f"没有编号「{store}」的门店", near(store, stores)
        plans = [plan.name for plan in self.loyalty.paid]
        for place, name in enumerate(plans):
            if name in tiers or plans.index(name) != place:
                yield ("loyalty", "paid", place, "name"), f"「{name}」已经是另一个等级或付费会员的名字", None
        if self.loyalty.points_to_voucher is not None and VOUCHER in self.coupons:
            yield ("coupons", VOUCHER), f"「{VOUCHER}」是积分换券自己用的名字,请换一个", None

    def _campaigns(self) -> Iterable[Problem]:
        subscriptions = self.wechat.subscriptions
        names = [*self.segments, *self.coupons, *subscriptions, EVERYBODY]
        for path, message, unknown in illegal_channels(
            self.campaigns, segments=self.segments, templates=self.coupons, subscriptions=subscriptions
        ):
            yield ("campaigns", *path), message, near(unknown, names) if unknown else None

    def _copy(self) -> Iterable[Problem]:
        for key, message in copy_problems(self.copy_):
            yield ("copy", key), message, None

    def _phrases(self) -> Iterable[Problem]:
        """Phrases are of intents that exist, and each means one thing."""
        phrases, known = self.understanding.phrases, [name for name, route in ROUTES.items() if route.clickable]
        for intent in phrases:
            if intent not in known:
                yield ("understanding", "phrases", intent), f"没有叫「{intent}」的意图", near(intent, known)
        for intent, text, other in twice(phrases):
            yield ("understanding", "phrases", intent), f"「{text}」已经是 {other} 的说法", None

    def _safety(self) -> Iterable[Problem]:
        if self.sandbox.enabled and self.wechat.api_base == REAL_API:
            yield ("sandbox", "enabled"), "沙箱不能和真实的微信接口(wechat.api_base)一起用", None
        if self.sms.provider == "sandbox" and not self.sandbox.enabled:
            yield ("sms", "provider"), "sandbox 短信只能和沙箱一起用", None

    def _gateway(self) -> Iterable[Problem]:
        if self.sms.provider in ("aliyun", "tencent"):
            for field in ("access_key", "access_secret", "sign_name"):
                if not getattr(self.sms, field):
                    yield ("sms", "provider"), f"用 {self.sms.provider} 还要写 sms.{field}", None

    def _master_keys(self) -> Iterable[Problem]:
        for key_id, key in self.privacy.keys.items():
            if not _is_master_key(key):
                yield ("privacy", "keys", key_id), "主密钥必须是32字节的 base64(可用 memberbot key 生成)", None


def _is_master_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == 32
    except binascii.Error:
        return False


def near(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most like this one, None when nothing is."""
    found = process.extractOne(name, list(known), score_cutoff=50)
    return None if found is None else str(found[0])


def load(path: Path, env: Mapping[str, str]) -> Config:
    """Return the configuration, paths in it made absolute from where the file is; raises ConfigErrors."""
    config = config_file.load(path, Config, env)
    url = make_url(config.database.url)
    if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).is_absolute():
        absolute = url.set(database=str((path.parent / url.database).resolve()))
        database = config.database.model_copy(update={"url": absolute.render_as_string(hide_password=False)})
        config = config.model_copy(update={"database": database})
    return config


def data_folder(config: Config, path: Path) -> Path:
    """Return where files beside the books go: next to an SQLite file, else `data` next to config.yaml."""
    url = make_url(config.database.url)
    if url.get_backend_name() == "sqlite" and url.database:
        return Path(url.database).parent
    return path.parent.resolve() / "data"
