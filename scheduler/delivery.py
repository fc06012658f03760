"""The outbox is emptied here: claim in a transaction, send outside any, write down what the platform answered.

Before each send the attempt is in the books as `sending`; what a dead worker left so may have arrived, and is repeated
only on a channel that knows our client id.
"""

import logging
import threading
import traceback
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Connection

from members import lapsing, outbox
from members.db import Database
from members.vault import Vault
from scheduler import shots
from scheduler.channels import ACCOUNT_FAULTS, RULES, Channel, Meaning, Outcome, SendResult, Wire
from scheduler.rules import PushRules
from scheduler.shots import LOOK_AGAIN, Shot, Shut

log = logging.getLogger("memberbot.delivery")
LEASE: Final = timedelta(minutes=5)
MOST_BACKOFF: Final = timedelta(minutes=10)
PAUSES: Final[Mapping[Meaning, timedelta]] = MappingProxyType(
    {Meaning.DAILY_QUOTA: timedelta(hours=1), Meaning.IP_NOT_ALLOWED: timedelta(minutes=10)}
)
PAUSE: Final = timedelta(minutes=1)
PASSING_REFUSALS: Final = ACCOUNT_FAULTS | {
    Meaning.WINDOW_CLOSED, Meaning.WINDOW_USED_UP, Meaning.NO_CONSENT, Meaning.TOO_OFTEN, Meaning.NOT_FOLLOWING,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class DeliveryRound:
    """What one round did: how many messages it claimed and what became of them, by state."""

    claimed: int = 0
    states: Mapping[str, int] = field(default_factory=dict)

    def __getitem__(self, state: str) -> int:
        return self.states.get(state, 0)


class Deliverer:
    """Sends what is due. Any number of processes may run one; within a process the rounds follow one another."""

    def __init__(self, database: Database, vault: Vault, wire: Wire, rules: PushRules) -> None:
        self._database, self._vault, self._wire, self._rules = database, vault, wire, rules
        self._paused: dict[Channel, datetime] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End the round under way after its present message; the others go back to the outbox."""
        self._stopping.set()

    def deliver_due(self, now: datetime) -> DeliveryRound:
        """Send one batch of what is due at `now`; a batch that comes back full has probably left some."""
        with self._lock:
            with self._database.transaction() as connection:
                rows = outbox.claim_due(connection, now, many=self._rules.schedule.batch, lease=LEASE)
            states: Counter[str] = Counter()
            for row in rows:
                if self._stopping.is_set():
                    states["given_back"] += self._give_back(row, now)
                    continue
                try:
                    states[self._deliver(row, now + LEASE, now)] += 1
                except Exception as error:  # one message must not stop the others
                    states["error"] += self._stumble(row, error, now)
            return DeliveryRound(len(rows), states)

    def _stumble(self, row: Any, error: Exception, now: datetime) -> int:
        # the message of an exception may carry what is personal, its trace does not
        trace = "".join(traceback.format_tb(error.__traceback__))
        log.error("delivery of outbox row %s: %s\n%s", row.id, type(error).__name__, trace)
        with self._database.transaction() as connection:
            outbox.defer(connection, row.id, now + PAUSE, f"出错:{type(error).__name__}")
        return 1

    def _give_back(self, row: Any, now: datetime) -> int:
        with self._database.transaction() as connection:
            outbox.defer(connection, row.id, now, "停机,放回")
        return 1

    def deliver_all(self, now: datetime, *, rounds: int = 1000) -> DeliveryRound:
        """Run rounds until nothing is due."""
        total, claimed = Counter[str](), 0
        for _ in range(rounds):
            done = self.deliver_due(now)
            total.update(done.states)
            claimed += done.claimed
            if not done.claimed:
                break
        return DeliveryRound(claimed, total)

    def _deliver(self, row: Any, until: datetime, now: datetime) -> str:
        tried: dict[Channel, Shut] = {}
        while True:
            with self._database.transaction() as connection:
                held = outbox.hold(connection, row.id, until)
                found = self._next(connection, row, tried, now) if held else "lost"
            if isinstance(found, str):
                return found
            result = shots.fire(self._wire, row, found)
            with self._database.transaction() as connection:
                state = self._settle(connection, row, found, result, now)
            if isinstance(state, str):
                return state
            tried[found.channel] = state

    def _next(self, connection: Connection, row: Any, tried: dict[Channel, Shut], now: datetime) -> Shot | str:
        if not tried and (closed := self._close(connection, row, now)):
            return closed
        refused = outbox.refused_by(connection, row.id) if row.attempts else {}
        for channel in map(Channel, row.channels):
            if channel in tried:
                continue
            found = self._aim(connection, row, channel, refused.get(channel), now)
            if isinstance(found, Shot):
                return replace(found, attempt=outbox.begin(connection, row.id, channel, now))
            tried[channel] = found
        return self._park(connection, row, tried, now)

    def _aim(
        self, connection: Connection, row: Any, channel: Channel, refused: str | None, now: datetime
    ) -> Shot | Shut:
        if refused is not None and SendResult(Outcome.REFUSED, refused).meaning not in PASSING_REFUSALS:
            return Shut(f"{channel} 已拒绝:{refused}")
        if (until := self._paused.get(channel)) is not None and until > now:
            return Shut(f"{channel} 暂停", until)
        return shots.aim(connection, self._vault, self._rules, row, channel, now)

    def _close(self, connection: Connection, row: Any, now: datetime) -> str:
        left = outbox.begun(connection, row.id) if row.attempts else None
        if left is not None:
            outbox.settle(connection, left.id, "unknown", errcode="worker_lost")
            if not RULES[Channel(left.channel)].repeatable(now - left.at):
                outbox.finish(connection, row.id, "unknown", channel=left.channel, note="发送途中进程中断")
                return "unknown"
        if row.expires_at <= now:
            outbox.finish(connection, row.id, "expired", note="过期未发")
            return "expired"
        if note := lapsing.lapsed(connection, row, now):
            outbox.finish(connection, row.id, "cancelled", note=note)
            return "cancelled"
        return ""

    def _settle(self, connection: Connection, row: Any, shot: Shot, result: SendResult, now: datetime) -> str | Shut:
        outbox.settle(
            connection, shot.attempt, result.outcome, errcode=result.errcode, message_id=result.message_id
        )  # fmt: skip
        if result.outcome is Outcome.ACCEPTED:
            outbox.finish(connection, row.id, "sent", channel=shot.channel)
            return "sent"
        if result.outcome is Outcome.UNKNOWN:
            return self._unknown(connection, row, shot, now)
        meaning = result.meaning
        shots.learn(connection, shot, meaning, now)
        if meaning in ACCOUNT_FAULTS:
            self._paused[shot.channel] = until = now + PAUSES.get(meaning, PAUSE)
            log.warning("channel %s pauses until %s: %s", shot.channel, until.isoformat(), meaning)
            return Shut(f"{shot.channel} 暂停:{meaning}", until)
        if result.outcome is Outcome.RETRY:
            outbox.defer(connection, row.id, now + _backoff(connection, row), f"{shot.channel} 繁忙:{result.errcode}")
            return "deferred"
        later = now + LOOK_AGAIN if meaning in PASSING_REFUSALS else None
        return Shut(f"{shot.channel} 拒绝:{result.errcode}", later)

    def _unknown(self, connection: Connection, row: Any, shot: Shot, now: datetime) -> str:
        first = outbox.first_attempt(connection, row.id, shot.channel) or now
        if RULES[shot.channel].repeatable(now - first):
            outbox.defer(connection, row.id, now + _backoff(connection, row), f"{shot.channel} 没有回音")
            return "deferred"
        outbox.finish(connection, row.id, "unknown", channel=shot.channel, note="没有回音,可能已送达")
        return "unknown"

    def _park(self, connection: Connection, row: Any, tried: Mapping[Channel, Shut], now: datetime) -> str:
        note = ";".join(shut.why for shut in tried.values())
        chances = [shut.until for shut in tried.values() if shut.until is not None]
        if not chances:
            outbox.finish(connection, row.id, "failed", note=note)
            return "failed"
        outbox.defer(connection, row.id, min(*chances, row.expires_at, now + LOOK_AGAIN), note)
        return "waiting"


def _backoff(connection: Connection, row: Any) -> timedelta:
    base = 1 if row.kind in outbox.URGENT else 5
    attempts: int = outbox.attempts(connection, row.id)
    return min(timedelta(seconds=base * 2 ** min(attempts, 12)), MOST_BACKOFF)
