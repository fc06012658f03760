"""What the calendar does to points: pending ones mature, and every period they become vouchers."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from members import coupons, exchange, notices, points, settings
from members.clock import business_date
from members.db import Database
from members.exchange import Voucher
from members.money import yuan
from members.notices import Say
from members.tiers import day_words
from scheduler.policy import quiet_until
from scheduler.rules import PushRules

AT_ONCE = 200
PERIOD = "jobs:vouchers"


@dataclass(frozen=True, slots=True)
class PointJobs:
    """The nightly jobs of points; each takes now, works in short transactions and returns a line."""

    database: Database
    rules: PushRules
    say: Say
    app: str

    def mature(self, now: datetime) -> str:
        """Make due pending points usable; runs before what has run out expires."""
        members = total = 0
        while True:
            with self.database.transaction() as connection:
                done = points.mature(connection, self.rules.base, now, limit=AT_ONCE)
            members, total = members + len(done), total + sum(many for _, many in done)
            if not done:
                return f"{members} 位会员的 {total} 分可用"

    def vouchers(self, now: datetime) -> str:
        """Turn points into vouchers on the first day of a period, or when it was missed then; and say so."""
        period = self._new_period(now)
        if period is None:
            return "没有到换券的时候"
        members = fen = 0
        while True:
            with self.database.transaction() as connection:
                done = exchange.vouchers(connection, self.rules.base, period, now, limit=AT_ONCE)
                for voucher in done:
                    self._tell(connection, voucher, period, now)
                if not done:
                    settings.put(connection, PERIOD, {"period": period})
            members, fen = members + len(done), fen + sum(voucher.fen for voucher in done)
            if not done:
                return f"{members} 位会员的积分换成 {yuan(fen)} 的券"

    def _new_period(self, now: datetime) -> str | None:
        """Return the period that has begun; None when it was done, or nobody knows yet when the first one began."""
        base = self.rules.base
        rule = base.loyalty.points_to_voucher
        if rule is None:
            return None
        today = business_date(now, base.shop.zone, base.shop.day_start)
        period = exchange.period_of(rule.every, today).isoformat()
        with self.database.transaction() as connection:
            known = settings.get(connection, PERIOD)
            if known is None:
                settings.put(connection, PERIOD, {"period": period})
        return None if known is None or known["period"] == period else period

    def _tell(self, connection: Connection, voucher: Voucher, period: str, now: datetime) -> None:
        zone, coupon = self.rules.base.shop.zone, voucher.coupon
        last = (coupon.expires_at - timedelta(seconds=1)).astimezone(zone).date()
        at = quiet_until(self.rules.policy.quiet_hours, now, zone) or now
        facts = {
            "points": f"{voucher.points:,}", "title": coupon.title, "code": coupons.spell(coupon.code),
            "until": day_words(last),
        }  # fmt: skip
        notices.tell(
            connection, self.say, app=self.app, member=voucher.member, text="notice_voucher",
            key=f"{voucher.member}:{period}", facts=facts, now=at,
        )  # fmt: skip
