"""The counter's evening: the receipt for managers; and tails of phones that came without one."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from members import daily, tails
from members.db import Database
from members.notices import Say
from members.rules import Rules
from members.vault import Vault

TAILS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class CounterJobs:
    """The jobs of the counter; `wake` is called when there is something to send."""

    database: Database
    vault: Vault
    rules: Rules
    say: Say
    wake: Callable[[], None]

    def receipts(self, now: datetime) -> str:
        """Tell each store's managers what was done in the 24 hours before `staff.receipt_at`."""
        with self.database.transaction() as connection:
            stores, told = daily.send_receipts(connection, self.say, self.rules, now)
        if told:
            self.wake()
        return f"{stores} 家门店日结,通知 {told} 位店长"

    def tails(self, now: datetime) -> str:
        """Remember the last digits of phones that were stored without them, in short transactions."""
        done = 0
        while True:
            with self.database.transaction() as connection:
                added = tails.backfill(connection, self.vault, now=now, limit=TAILS_AT_ONCE)
            done += added
            if added < TAILS_AT_ONCE:
                return f"{done} 个手机尾号"
