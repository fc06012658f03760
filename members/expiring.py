"""Whose points run out soon, so that they hear of it in time: once for each month in which some of them do."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, bindparam, literal_column, select

from members.clock import add_months, end_of_day
from members.tables import Member, PointLot, table

_lots, _members = table(PointLot), table(Member)
_OPEN = (
    (_lots.c.account == "points")
    & (_lots.c.remaining > literal_column("0"))
    & (_lots.c.expires_at > bindparam("since"))
    & (_lots.c.expires_at <= bindparam("until"))
)
_WHO = (
    select(_lots.c.member_id)
    .select_from(_lots.join(_members, _lots.c.member_id == _members.c.id))
    .where(_OPEN, _lots.c.member_id > bindparam("after"), _members.c.state == "active")
    .group_by(_lots.c.member_id)
    .order_by(_lots.c.member_id)
    .limit(bindparam("many"))
)
_LOTS = (
    select(_lots.c.member_id, _lots.c.expires_at, _lots.c.remaining)
    .where(_OPEN, _lots.c.member_id.in_(bindparam("whose", expanding=True)))
    .order_by(_lots.c.member_id, _lots.c.expires_at)
)


@dataclass(frozen=True, slots=True)
class RunningOut:
    """How many points of a member run out in one month of the shop, and the last day of the first of them."""

    member: int
    points: int
    last_day: date

    @property
    def month(self) -> str:
        """Return the month, 2026-03."""
        return f"{self.last_day:%Y-%m}"


def points_running_out(
    connection: Connection, now: datetime, until: datetime, *, zone: ZoneInfo, after: int = 0, limit: int = 500
) -> list[RunningOut]:
    """Return, for the next `limit` active members, each month whose first points run out after `now` up to `until`."""
    bound = {"since": now, "until": until, "after": after, "many": limit}
    whose = connection.scalars(_WHO, bound).all()
    day = until.astimezone(zone).date()
    month_end = end_of_day(add_months(day.replace(day=1), 1) - timedelta(days=1), zone)
    lots = connection.execute(_LOTS, {"since": now, "until": month_end, "whose": whose}) if whose else ()
    return [found for found, first in _months(lots, zone) if first <= until]


def _months(lots: Any, zone: ZoneInfo) -> Iterator[tuple[RunningOut, datetime]]:
    dated = ((lot, (lot.expires_at - timedelta(seconds=1)).astimezone(zone).date()) for lot in lots)
    for _, group in groupby(dated, lambda pair: (pair[0].member_id, pair[1].year, pair[1].month)):
        together = list(group)
        (first, day), total = together[0], sum(lot.remaining for lot, _ in together)
        yield RunningOut(first.member_id, total, day), first.expires_at
