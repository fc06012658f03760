"""What the calendar does to members: tiers rise and end, birthdays come, points run out; told at a decent hour."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from members import expiring, gifts, notices, tiers
from members.db import Database
from members.notices import Say
from members.rules import Rules
from scheduler.policy import quiet_until
from scheduler.rules import PushRules


@dataclass(frozen=True, slots=True)
class Nightly:
    """The nightly jobs of one installation; each takes now, works in short transactions and returns a line."""

    database: Database
    rules: PushRules
    say: Say
    app: str

    @property
    def base(self) -> Rules:
        """Return what the books obey."""
        return self.rules.base

    def tiers(self, now: datetime) -> str:
        """Raise and lower tiers, and warn whose grace has begun."""
        changed = warned = after = 0
        while True:
            with self.database.transaction() as connection:
                page = tiers.review_all(connection, self.base, now, after=after)
                at = self._decent(now)
                for change in page.changes:
                    tiers.tell_change(connection, self.say, app=self.app, change=change, now=at)
                for warning in page.warnings:
                    warned += tiers.tell_grace(connection, self.say, app=self.app, warning=warning, now=at) > 0
            changed += len(page.changes)
            if page.last is None:
                return f"{changed} 位会员等级变动,{warned} 位提醒保级"
            after = page.last

    def birthdays(self, now: datetime) -> str:
        """Give birthday gifts and say so, a transaction for each member: nobody's order waits for the others."""
        given, after = 0, 0
        while True:
            with self.database.transaction() as connection:
                done, last = gifts.birthday(connection, self.base, now, after=after, limit=1)
                gifts.tell(
                    connection, self.say, done, app=self.app, rules=self.base, now=self._decent(now),
                    text="notice_birthday",
                )  # fmt: skip
            given += len(done)
            if last is None:
                return f"{given} 份生日礼"
            after = last

    def points_running_out(self, now: datetime) -> str:
        """Say whose points run out, `expiry.notice_days` before the first of a month do; once for each month."""
        told, after, zone = 0, 0, self.base.shop.zone
        until = now + timedelta(days=self.base.loyalty.expiry.notice_days)
        while True:
            with self.database.transaction() as connection:
                page = expiring.points_running_out(connection, now, until, zone=zone, after=after)
                for one in page:
                    facts = {"points": f"{one.points:,}", "last": tiers.day_words(one.last_day)}
                    told += notices.tell(
                        connection, self.say, app=self.app, member=one.member, text="notice_points_expiry",
                        key=f"{one.member}:{one.month}", facts=facts, now=self._decent(now),
                    ) > 0  # fmt: skip
            if not page:
                return f"提醒 {told} 位会员积分将到期"
            after = page[-1].member

    def _decent(self, now: datetime) -> datetime:
        """Return when people may be told: now, or the end of the quiet hours."""
        return quiet_until(self.rules.policy.quiet_hours, now, self.base.shop.zone) or now
