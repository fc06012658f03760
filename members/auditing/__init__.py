"""Every invariant of the books, checked from the rows alone."""

from datetime import datetime

from sqlalchemy import Connection

from members.auditing import counters, money, trade
from members.auditing.breach import Breach

__all__ = ["Breach", "breaches"]

CHECKS = (*money.CHECKS, *counters.CHECKS, *trade.CHECKS)


def breaches(connection: Connection, *, now: datetime) -> list[Breach]:
    """Return every breach; empty when all is well."""
    return [breach for check in CHECKS for breach in check(connection)]
