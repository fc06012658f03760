"""The composition root: from a configuration to the parts of one running installation. Nothing is created at import."""

import sys
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from bot.config import Config, data_folder
from bot.dispatch import Dispatcher, Setup
from bot.envelope import Envelope, decode_aes_key
from bot.sms import AliyunSms, ConsoleSms, SandboxSms, SmsGateway, TencentSms, VendorTemplate
from bot.spool import Spool
from bot.tokens import StoredTokens
from bot.webhook import Webhook
from bot.wechat import WeChatClient
from bot.wire import LiveWire
from bot.writer import Writer
from handlers.copy import Copy
from handlers.nlu.own import Own
from members import coupons, schema, settings, shops, slots, tails
from members.clock import Clock
from members.db import Database
from members.vault import Vault

CLOCK = "sandbox:clock"
TAILS_AT_START = 2000  # of a large shop the nightly job does the rest


@dataclass(frozen=True, slots=True)
class Service:
    """The parts of one installation, wired; the app starts and stops them."""

    config: Config
    folder: Path
    database: Database
    vault: Vault
    clock: Clock
    copy: Copy
    dispatcher: Dispatcher
    writer: Writer
    spool: Spool
    webhook: Webhook
    wechat: WeChatClient
    wire: LiveWire

    def prepare(self) -> None:
        """Bring the schema, the coupon templates and the stores up to date."""
        schema.upgrade(self.database)
        with self.database.transaction() as connection:
            shops.sync_stores(connection, self.config.shop.stores)
            voucher, zone = self.config.loyalty.points_to_voucher, self.config.shop.zone
            coupons.sync_templates(connection, self.config.coupons, voucher, zone=zone)
        if self.config.sandbox.enabled:
            self.clock.offset = self._stored_offset()
        with self.database.transaction() as connection:
            slots.sync(connection, self.config.coupons, zone=zone, now=self.clock.now())
            tails.backfill(connection, self.vault, now=self.clock.now(), limit=TAILS_AT_START)

    def _stored_offset(self) -> timedelta:
        with self.database.reading() as connection:
            stored = settings.get(connection, CLOCK) or {}
        return timedelta(seconds=float(stored.get("offset_seconds", 0)))

    def remember_clock(self) -> None:
        """Keep how far the sandbox's clock was moved, for the next start."""
        with self.database.transaction() as connection:
            settings.put(connection, CLOCK, {"offset_seconds": self.clock.offset.total_seconds()})

    @property
    def models(self) -> Path:
        """Return the folder of the recommender's model files."""
        return self.folder / "models"

    def close(self) -> None:
        """Give back connections."""
        self.wechat.close()
        self.database.dispose()


def build(config: Config, path: Path, *, clock: Clock | None = None) -> Service:
    """Wire one installation; touches neither network nor schema yet. Without a clock, the system's is used."""
    folder = data_folder(config, path)
    database = Database(config.database.url, synchronous=config.database.synchronous)
    vault, clock, rules, section = Vault(config.privacy.keys), clock or Clock(), config.rules, config.wechat
    copy = Copy(config.copy_, shop=config.shop.name, zone=config.shop.zone, service_phone=config.shop.service_phone)
    setup = Setup(
        database, vault, rules, config.recommend, copy, clock, section.app_id,
        partial(_link, section.public_url), config.segments, _own(config),
    )  # fmt: skip
    dispatcher = Dispatcher(setup)
    spool = Spool(folder / "spool", vault)
    writer = Writer(dispatcher, spool)
    keys = tuple(decode_aes_key(key) for key in (section.encoding_aes_key, section.previous_aes_key) if key)
    envelope = Envelope(app_id=section.app_id, token=section.token, keys=keys)
    wechat = WeChatClient(
        section.app_id, section.app_secret, section.api_base, token_store=StoredTokens(database, vault, section.app_id)
    )
    return Service(
        config, folder, database, vault, clock, copy, dispatcher, writer, spool, Webhook(envelope, writer, spool),
        wechat, LiveWire(wechat, _sms(config)),
    )  # fmt: skip


def _own(config: Config) -> Own | None:
    phrases = config.understanding.phrases
    return Own(phrases) if phrases else None


def _link(public_url: str, path: str, subject: str) -> str:
    return f"{public_url}/{path}/{subject}" if public_url else ""


def _sms(config: Config) -> SmsGateway:
    sms = config.sms
    if sms.provider == "sandbox":
        return SandboxSms(config.wechat.api_base)
    if sms.provider == "console":
        return ConsoleSms(sys.stderr)
    fields = {"verify": ("code",), "marketing": ("text",)}
    templates: dict[str, VendorTemplate] = {k: VendorTemplate(code, fields[k]) for k, code in sms.templates.items()}
    if sms.provider == "aliyun":
        return AliyunSms(sms.access_key, sms.access_secret, sms.sign_name, templates)
    return TencentSms(sms.access_key, sms.access_secret, sms.app_id, sms.sign_name, templates, region=sms.region)
