"""The jobs of an installation: each campaign at its time, and the housekeeping of the books."""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

from members import idempotency, inbox, ledger, limits, verification
from members.db import Database
from members.notices import Say
from members.vault import Vault
from scheduler.applying import apply_plan
from scheduler.campaigns import PlanError
from scheduler.counter import CounterJobs
from scheduler.coupons import CouponJobs
from scheduler.loyalty import Nightly
from scheduler.models import Night
from scheduler.plan import make_plan
from scheduler.privacy import PrivacyJobs
from scheduler.rules import PushRules
from scheduler.schedule import Job
from scheduler.value import PointJobs
from scheduler.when import When

COUNTERS_KEPT = timedelta(days=2)
ANSWERS_KEPT = timedelta(days=30)
MEMBERS_AT_ONCE = 200


def build_jobs(
    database: Database, vault: Vault, rules: PushRules, *, say: Say, app: str,
    keep_inbox: timedelta = timedelta(days=7), night: Night | None = None, wake: Callable[[], None] = lambda: None,
) -> list[Job]:  # fmt: skip
    """Return every job; `say` puts into words what members of the official account `app` are told.

    `night` is the recommender's run. `wake` is called after a job has put messages in the outbox.
    """
    zone = rules.base.shop.zone
    found = [
        Job(f"campaign:{name}", _trigger(campaign.schedule, zone), partial(run_campaign, database, name, rules, wake))
        for name, campaign in rules.campaigns.items()
        if campaign.on
    ]
    nightly, of_points = Nightly(database, rules, say, app), PointJobs(database, rules, say, app)
    of_coupons = CouponJobs(database, rules, say)
    of_counter = CounterJobs(database, vault, rules.base, say, wake)
    of_privacy = PrivacyJobs(database, vault, rules.base, say, app, wake)
    daily, early = _daily(rules.schedule.expire_at, zone), _daily(rules.schedule.prune_at, zone)
    scoring = [] if night is None else [Job("scores", _daily(rules.schedule.score_at, zone), night.run)]
    return [
        *scoring,
        Job("mature_points", daily, of_points.mature),
        Job("expire_points", daily, partial(expire_points, database)),
        Job("vouchers", daily, of_points.vouchers),
        Job("expire_coupons", daily, of_coupons.expire),
        Job("coupon_slots", daily, of_coupons.appointments),
        Job("announce_coupons", daily, of_coupons.announce),
        Job("tiers", daily, nightly.tiers),
        Job("birthdays", daily, nightly.birthdays),
        Job("points_running_out", daily, nightly.points_running_out),
        Job("receipts", _daily(rules.base.staff.receipt_at, zone), of_counter.receipts),
        Job("tails", early, of_counter.tails),
        Job("children", early, of_privacy.children),
        Job("erase", early, of_privacy.erase),
        Job("export_links", early, of_privacy.links),
        Job("prune", early, partial(prune, database, keep_inbox)),
        *found,
    ]


def _trigger(when: When, zone: ZoneInfo) -> CronTrigger:
    week = when.day[:3] if isinstance(when.day, str) else None
    date = when.day if isinstance(when.day, int) else None
    months = ",".join(map(str, when.months)) or None
    return CronTrigger(
        month=months, day=date, day_of_week=week, hour=when.at.hour, minute=when.at.minute, second=0, timezone=zone
    )


def _daily(at: time, zone: ZoneInfo) -> CronTrigger:
    return CronTrigger(hour=at.hour, minute=at.minute, second=0, timezone=zone)


def run_campaign(database: Database, name: str, rules: PushRules, wake: Callable[[], None], now: datetime) -> str:
    """Plan and apply a campaign; the same period never twice, whoever applied it first."""
    try:
        applied = apply_plan(database, make_plan(database, name, rules, now).id, rules, now)
    except PlanError as refused:
        return str(refused)
    wake()
    return applied.line()


def expire_points(database: Database, now: datetime) -> str:
    """Expire due point lots, a short transaction for every few members."""
    members = points = 0
    while True:
        with database.transaction() as connection:
            done = ledger.expire_points(connection, now, limit=MEMBERS_AT_ONCE)
        members, points = members + len(done), points + sum(expired for _, expired in done)
        if not done:
            return f"{members} 位会员的 {points} 分到期"


def prune(database: Database, keep_inbox: timedelta, now: datetime) -> str:
    """Forget callbacks long past any retry, counters of periods gone by, old codes, and answers tills got long ago."""
    with database.transaction() as connection:
        callbacks = inbox.forget_before(connection, now - keep_inbox)
        counters = limits.forget_before(connection, now - COUNTERS_KEPT)
        verification.forget_before(connection, now - COUNTERS_KEPT)
        idempotency.forget_before(connection, now - ANSWERS_KEPT)
    return f"清理 {callbacks} 条回调记录,{counters} 个计数"
