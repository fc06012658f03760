"""What the calendar does to coupons: they end, their end is announced, appointments open, offers to friends run out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from sqlalchemy import Connection

from members import coupons, outbox, slots
from members.coupons import Ending
from members.db import Database
from members.notices import SECURITY, Say
from scheduler.policy import quiet_until
from scheduler.rules import PushRules

AT_ONCE = 500
LINES = 5


@dataclass(frozen=True, slots=True)
class CouponJobs:
    """The coupon jobs of one installation; each takes now, works in short transactions and returns a line."""

    database: Database
    rules: PushRules
    say: Say

    def expire(self, now: datetime) -> str:
        """Mark what ran out, coupons and offers to friends, a bounded batch in each transaction."""
        ended = offers = 0
        while True:
            with self.database.transaction() as connection:
                done = coupons.expire_due(connection, now, limit=AT_ONCE)
                back = coupons.expire_transfers(connection, now, limit=AT_ONCE)
            ended, offers = ended + done, offers + back
            if not done and not back:
                return f"{ended} 张券到期,{offers} 个转赠无人领取"

    def announce(self, now: datetime) -> str:
        """Tell members what ends within `notice_days`, once per coupon, those of one day together."""
        told = 0
        while True:
            with self.database.transaction() as connection:
                ending = coupons.due_to_announce(connection, now, limit=AT_ONCE)
                for _, together in groupby(ending, key=lambda one: (one.member, one.expires_at)):
                    told += self._tell(connection, list(together), now)
            if not ending:
                return f"提醒 {told} 位会员券将到期"

    def appointments(self, now: datetime) -> str:
        """Open the coming appointments of experience coupons."""
        zone = self.rules.base.shop.zone
        with self.database.transaction() as connection:
            return f"{slots.sync(connection, self.rules.base.coupons, zone=zone, now=now)} 个可约时段"

    def _tell(self, connection: Connection, ending: Sequence[Ending], now: datetime) -> bool:
        first, zone = ending[0], self.rules.base.shop.zone
        last = (first.expires_at - timedelta(seconds=1)).astimezone(zone)
        lines = [
            self.say("coupon_ending_line", title=one.title, code=coupons.spell(one.code)) for one in ending[:LINES]
        ]
        facts = {"count": len(ending), "until": f"{last.month}月{last.day}日", "lines": "\n".join(lines)}
        message = outbox.Message(
            key=f"coupon ending:{first.id}:{first.member}", kind="reminder", topic="coupon_ending", member=first.member,
            channels=SECURITY, reason=self.say("reason_notice_coupon_ending"), expires_at=first.expires_at,
            content={"text": self.say("notice_coupon_ending", **facts), "until_used": [one.id for one in ending]},
            not_before=quiet_until(self.rules.policy.quiet_hours, now, zone) or now,
        )  # fmt: skip
        return outbox.put(connection, message, now=now) is not None
