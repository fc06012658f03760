"""What runs while the service is up: writer, spool replay, scheduler with delivery, and locally the sandbox."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

import structlog

from bot.sandbox import Sandbox, SandboxSettings, TemplateSpec, build_sandbox
from bot.sandbox_hooks import ShopHooks
from bot.service import Service
from bot.wechat import WeChatError
from handlers import understanding
from scheduler.delivery import Deliverer
from scheduler.jobs import build_jobs
from scheduler.models import Night
from scheduler.schedule import Schedule
from scheduler.work import Worker

MENU_TRIES, MENU_SECONDS = 60, 0.25
log = structlog.get_logger("memberbot")


class Running:
    """Starts and stops the living parts of one process, in order."""

    def __init__(self, service: Service, *, scheduler: bool, address: str) -> None:
        self._service = service
        self._deliverer = Deliverer(service.database, service.vault, service.wire, service.config.push_rules)
        self._night = night_of(service)
        self._schedule = schedule_of(service, night=self._night, wake=lambda: self._wake())
        self._worker: Worker | None = None
        if scheduler:
            self._worker = Worker(
                service.database, self._schedule, self._deliverer, service.clock, service.config.schedule
            )
        self.sandbox: Sandbox | None = _sandbox(service, self, address) if service.config.sandbox.enabled else None

    @asynccontextmanager
    async def started(self) -> AsyncIterator[None]:
        """Run everything inside; on leaving, messages in flight are answered first."""
        service = self._service
        await asyncio.to_thread(service.prepare)
        service.dispatcher.wake = self._wake
        service.writer.start(asyncio.get_running_loop())
        ears = asyncio.create_task(asyncio.to_thread(understanding.warm))
        for inbound in service.spool.pending():
            service.writer.submit(inbound, late=True)
        menu: asyncio.Task[None] | None = None
        if self.sandbox is not None:
            await self.sandbox.start()
            menu = asyncio.create_task(self._push_menu()) if service.config.wechat.menu else None
        if self._worker is not None:
            self._worker.start()
        log.info("started", books=service.database.url.get_backend_name(), sandbox=self.sandbox is not None)
        try:
            yield
        finally:
            ears.cancel()
            if menu is not None:
                menu.cancel()
            if self._worker is not None:
                await asyncio.to_thread(self._worker.stop)
            await asyncio.to_thread(self._night.stop)
            if self.sandbox is not None:
                await self.sandbox.stop()
            await asyncio.to_thread(service.writer.stop)
            service.close()
            log.info("stopped")

    def end_streams(self) -> None:
        """Let the pages' event streams end, so that a stop need not wait for them."""
        if self.sandbox is not None:
            self.sandbox.platform.world.hub.close()

    async def move_clock(self, to: datetime) -> None:
        """Move the sandbox's clock forward, running what falls due on the way."""
        service = self._service

        def step() -> None:
            self._schedule.advance(to, service.clock, each=self._deliver_all)
            service.remember_clock()

        await asyncio.to_thread(step)

    async def _push_menu(self) -> None:
        """Give the local platform the menu of config.yaml, once this process answers requests."""
        service = self._service
        for _ in range(MENU_TRIES):
            await asyncio.sleep(MENU_SECONDS)
            try:
                await asyncio.to_thread(service.wechat.menu_create, {"button": service.config.wechat.menu})
            except WeChatError as error:
                log.debug("menu not pushed yet", kind=type(error).__name__)
            else:
                return

    def _deliver_all(self, now: datetime) -> None:
        while self._deliverer.deliver_due(now).claimed:
            pass

    def _wake(self) -> None:
        if self._worker is not None:
            self._worker.wake()


def night_of(service: Service) -> Night:
    """Return the recommender's night of one installation."""
    shop = service.config.shop
    return Night(service.database, service.config.recommend, service.models, shop.zone, shop.day_start)


def schedule_of(service: Service, *, night: Night | None = None, wake: Callable[[], None] = lambda: None) -> Schedule:
    """Return the jobs of one installation; `wake` is called when one has put messages in the outbox."""
    config = service.config
    keep = config.privacy.keep_inbox.delta()
    jobs = build_jobs(
        service.database, service.vault, config.push_rules, say=service.copy.text, app=config.wechat.app_id,
        keep_inbox=keep, night=night, wake=wake,
    )  # fmt: skip
    return Schedule(service.database, jobs)


def worker_of(service: Service, night: Night | None = None) -> Worker:
    """Return scheduler and delivery for a process of their own."""
    deliverer = Deliverer(service.database, service.vault, service.wire, service.config.push_rules)
    schedule = schedule_of(service, night=night)
    return Worker(service.database, schedule, deliverer, service.clock, service.config.schedule)


def _sandbox(service: Service, running: Running, address: str) -> Sandbox:
    section = service.config.wechat
    settings = SandboxSettings(
        app_id=section.app_id,
        app_secret=section.app_secret,
        token=section.token,
        encoding_aes_key=section.encoding_aes_key,
        callback_url=f"{address}/wechat",
        mode=service.config.sandbox.mode,
        original_id=section.original_id,
        templates=tuple(
            TemplateSpec(t.template_id, t.title or name, {key: key for key in t.fields})
            for name, t in section.templates.items()
        ),
        subscription_templates=tuple(
            TemplateSpec(t.template_id, t.title, {key: key for key in t.fields}) for t in section.subscriptions.values()
        ),
    )
    return build_sandbox(
        settings, ShopHooks(service, running.move_clock), service.clock.now, service.folder / "sandbox.json"
    )
