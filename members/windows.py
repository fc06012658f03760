"""The budgets of the channels towards one openid, each spent by one conditional update and learnt from refusals.

The platform takes a customer-service message from the open window that closes first; the caller spends in that order.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, bindparam, case, or_, select, update

from members.consent import of_openid, subscription
from members.tables import Consent, Follower, table

Window = Literal["message", "action"]
followers, consents = table(Follower), table(Consent)
_REACH = select(
    followers.c.openid, followers.c.followed, followers.c.message_at, followers.c.message_used,
    followers.c.action_at, followers.c.action_used, followers.c.script,
).where(followers.c.openid.in_(bindparam("openids", expanding=True)))  # fmt: skip
_ME = followers.c.openid == bindparam("who")


def _spend(window: Window, change: int) -> Any:
    used, opened = followers.c[f"{window}_used"], followers.c[f"{window}_at"]
    guard: ColumnElement[bool] = used < bindparam("most") if change > 0 else used > 0
    open_now = (followers.c.followed) & (opened > bindparam("since")) & guard
    return update(followers).where(_ME, open_now).values({f"{window}_used": used + change})


_TAKE: dict[Window, Any] = {"message": _spend("message", 1), "action": _spend("action", 1)}
_GIVE: dict[Window, Any] = {"message": _spend("message", -1), "action": _spend("action", -1)}
_CLOSE = (
    update(followers)
    .where(_ME, or_(followers.c.message_at <= bindparam("seen"), followers.c.message_at.is_(None)))
    .values(message_at=None, action_at=None)
)
_USE_UP = update(followers).where(_ME).values(message_used=bindparam("full"), action_used=bindparam("full"))
_LEFT = update(followers).where(_ME).values(followed=False, message_at=None, action_at=None)
_TAKE_MASS = (
    update(followers)
    .where(
        _ME,
        followers.c.followed,
        or_(followers.c.mass_month != bindparam("this_month"), followers.c.mass_used < bindparam("most")),
    )
    .values(
        mass_used=case((followers.c.mass_month == bindparam("this_month"), followers.c.mass_used + 1), else_=1),
        mass_month=bindparam("this_month"),
    )
)
_CONSENT_GONE = (
    update(consents)
    .where(consents.c.subject == bindparam("who"), consents.c.topic == bindparam("what"))
    .values(remaining=0)
)
_CONSENT_BACK = (
    update(consents)
    .where(consents.c.subject == bindparam("who"), consents.c.topic == bindparam("what"))
    .values(remaining=consents.c.remaining + 1)
)


def of_openids(connection: Connection, openids: Sequence[str]) -> list[Any]:
    """Return the followers (openid, followed, message_at/used, action_at/used), the one who wrote last first."""
    found = connection.execute(_REACH, {"openids": list(openids)}).all()
    return sorted(found, key=lambda row: (row.followed, _last(row)), reverse=True)


def _last(row: Any) -> float:
    return max((at.timestamp() for at in (row.message_at, row.action_at) if at is not None), default=0.0)


def take(connection: Connection, openid: str, window: Window, *, length: timedelta, most: int, now: datetime) -> bool:
    """Spend one send of a window opened within `length` and used fewer than `most` times; False when it is shut."""
    bound = {"who": openid, "since": now - length, "most": most}
    return bool(connection.execute(_TAKE[window], bound).rowcount == 1)


def give_back(connection: Connection, openid: str, window: Window, *, length: timedelta, now: datetime) -> None:
    """Undo a `take` whose message certainly did not leave."""
    connection.execute(_GIVE[window], {"who": openid, "since": now - length})


def close(connection: Connection, openid: str, *, seen: datetime) -> None:
    """Learn from 45015 that no window is open, unless the openid has written since `seen`, when the send began."""
    connection.execute(_CLOSE, {"who": openid, "seen": seen})


def use_up(connection: Connection, openid: str, full: int) -> None:
    """Learn from 45047 that the open windows are used up."""
    connection.execute(_USE_UP, {"who": openid, "full": full})


def left(connection: Connection, openid: str) -> None:
    """Learn from 43004 that the openid does not follow any more."""
    connection.execute(_LEFT, {"who": openid})


def take_mass(connection: Connection, openid: str, month: str, most: int) -> bool:
    """Spend one of the `most` mass sends of a calendar month (`2026-11`); False when none is left."""
    return connection.execute(_TAKE_MASS, {"who": openid, "this_month": month, "most": most}).rowcount == 1


def no_consent(connection: Connection, openid: str, template_id: str) -> None:
    """Learn from 43101 that no consent to this subscription template is left."""
    connection.execute(_CONSENT_GONE, {"who": of_openid(openid), "what": subscription(template_id)})


def give_consent_back(connection: Connection, openid: str, template_id: str) -> None:
    """Undo a used consent whose notice certainly did not leave."""
    connection.execute(_CONSENT_BACK, {"who": of_openid(openid), "what": subscription(template_id)})
