"""What the calendar does to personal data: children grow, those who leave are forgotten, links end."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from members import children, erasing, export_links, forgetting, notices
from members.audit import Actor
from members.clock import business_date
from members.db import Database
from members.errors import MemberError
from members.notices import Say
from members.rules import Rules
from members.vault import Vault

JOB = Actor("system", origin="job")
AT_ONCE = 100
WAITS = ("erase_principal", "erase_lock", "erase_approval")


@dataclass(frozen=True, slots=True)
class PrivacyJobs:
    """The jobs; each takes now, works in short transactions and returns a line. `wake`: there is something to send."""

    database: Database
    vault: Vault
    rules: Rules
    say: Say
    app: str
    wake: Callable[[], None]

    def children(self, now: datetime) -> str:
        """Move children to the next stage of life; at 14 their date is destroyed."""
        today = business_date(now, self.rules.shop.zone, self.rules.shop.day_start)
        moved, after = 0, 0
        while True:
            with self.database.transaction() as connection:
                done, last = children.move_along(
                    connection, self.vault, today, after=after, limit=AT_ONCE, now=now
                )  # fmt: skip
            moved += done
            if last is None:
                return f"{moved} 个孩子进入下一阶段"
            after = last

    def erase(self, now: datetime) -> str:
        """Forget whoever's cool-down is over, a transaction for each; who has to wait still is told why, once."""
        gone = waits = after = 0
        while True:
            with self.database.reading() as connection:
                page = erasing.due(connection, now, after=after, many=AT_ONCE)
            for erasure, member in page:
                after = erasure
                done = self._forget(erasure, member, now)
                gone, waits = gone + done, waits + (not done)
            if len(page) < AT_ONCE:
                break
        if waits:
            self.wake()
        return f"注销 {gone} 位会员,{waits} 位还要等待"

    def _forget(self, erasure: int, member: int, now: datetime) -> bool:
        try:
            with self.database.transaction() as connection:
                return forgetting.forget(connection, erasure, member, by=JOB, now=now) is not None
        except MemberError as waits:
            if waits.code not in WAITS:  # busy with another deed of theirs: tomorrow again
                return False
            with self.database.transaction() as connection:
                notices.tell(
                    connection, self.say, app=self.app, member=member, text="erase_waits_notice",
                    key=f"{erasure}:{waits.code}", facts={"why": self.say(waits.code)}, now=now,
                    channels=notices.SECURITY,
                )  # fmt: skip
            return False

    def links(self, now: datetime) -> str:
        """Forget links to exports that have ended."""
        with self.database.transaction() as connection:
            return f"{export_links.forget_links(connection, now)} 个导出链接到期"
