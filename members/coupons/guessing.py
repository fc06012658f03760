"""Guessing codes costs time: so many wrong ones within ten minutes, and whoever typed them waits."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from members import limits
from members.errors import MemberError
from members.rules import StaffRules

WINDOW = timedelta(minutes=10)
WRONG = frozenset(("coupon_unknown", "coupon_mistyped", "transfer_unknown"))
"""The refusals that mean a guess."""


def guarded(connection: Connection, who: str, rules: StaffRules, now: datetime) -> None:
    """Let through who has not guessed too often; MemberError('codes_locked', minutes=) while they wait."""
    seconds = limits.blocked(connection, _key(who), now=now)
    if seconds:
        raise MemberError("codes_locked", minutes=-(-seconds // 60))


def wrong_code(connection: Connection, who: str, rules: StaffRules, now: datetime) -> None:
    """Count a wrong code; with the `wrong_codes`-th of ten minutes a wait of `lock_minutes` begins.

    Not inside a savepoint that the refusal rolls back: catch it, count, and answer.
    """
    period = limits.every(WINDOW, now)
    try:
        limits.take(connection, _key(who), period, rules.wrong_codes - 1, refusal="busy")
    except MemberError:
        limits.block(connection, _key(who), now + timedelta(minutes=rules.lock_minutes))


def _key(who: str) -> str:
    return f"codes:{who}"
