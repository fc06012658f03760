"""Who is talking: follower, member, staff and conversation of many openids in one query, and their open windows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from members.conversations import Stand
from members.prepared import Prepared, among
from members.tables import Conversation, Follower, Identity, Member, Staff, table

followers, identities, members = table(Follower), table(Identity), table(Member)
staff, conversations = table(Staff), table(Conversation)

_LOAD = Prepared(
    select(
        followers.c.openid, members.c.id, members.c.tier, members.c.personalised,
        staff.c.id.label("staff_id"), staff.c.role, staff.c.store_id, staff.c.name,
        conversations.c.state.label("talk"), conversations.c.data, conversations.c.sealed, conversations.c.expires_at,
        followers.c.paused_until, followers.c.near_store, followers.c.near_at, followers.c.script,
    )
    .select_from(
        followers.outerjoin(
            identities,
            and_(
                identities.c.kind == "openid", identities.c.scope == bindparam("app"),
                identities.c.value == followers.c.openid, identities.c.ended_at.is_(None),
            ),
        )
        .outerjoin(members, and_(members.c.id == identities.c.member_id, members.c.state == "active"))
        .outerjoin(staff, and_(staff.c.openid == followers.c.openid, staff.c.active))
        .outerjoin(conversations, conversations.c.openid == followers.c.openid)
    )
    .where(among(followers.c.openid, "openids"))
)  # fmt: skip


def _touch(window: str) -> Prepared:
    other = {"message": "action", "action": "message"}[window]
    statement = upsert(followers).values(
        openid=bindparam("who"),
        followed=True,
        followed_at=bindparam("moment"),
        scene="",
        mass_month="",
        mass_used=0,
        script="",
        **{f"{window}_at": bindparam("moment"), f"{window}_used": 0, f"{other}_at": None, f"{other}_used": 0},
    )
    changed = {f"{window}_at": statement.excluded[f"{window}_at"], f"{window}_used": 0, "followed": True}
    return Prepared(statement.on_conflict_do_update(index_elements=[followers.c.openid], set_=changed))


_TOUCH = {window: _touch(window) for window in ("message", "action")}
_VIEW = select(members.c.id, members.c.tier, members.c.personalised).where(members.c.id == bindparam("which"))
_FOLLOW = upsert(followers).on_conflict_do_nothing()
_UNFOLLOW = delete(followers).where(followers.c.openid == bindparam("who"))
_FORGET = update(followers).where(followers.c.openid == bindparam("who")).values(near_store=None, near_at=None)
_WRITES = update(followers).where(followers.c.openid == bindparam("who")).values(script=bindparam("of_now"))
_SCENE = update(followers).where(followers.c.openid == bindparam("who")).values(scene=bindparam("from_scene"))


@dataclass(frozen=True, slots=True)
class MemberView:
    """What a conversation needs to know of the member who talks."""

    id: int
    tier: str
    personalised: bool


@dataclass(frozen=True, slots=True)
class StaffView:
    """A person of staff who talks."""

    id: int
    name: str
    role: str
    store: str | None


@dataclass(frozen=True, slots=True)
class Person:
    """One openid and everything it stands for at the start of a message.

    `paused_until`: a person answers instead of the bot; `script`: hant for who writes traditional characters.
    """

    openid: str
    member: MemberView | None = None
    staff: StaffView | None = None
    stand: Stand | None = None
    paused_until: datetime | None = None
    near_store: str | None = None
    near_at: datetime | None = None
    script: str = ""


def load(connection: Connection, openids: Sequence[str], app: str) -> dict[str, Person]:
    """Return the persons behind these openids; a person never seen is missing."""
    found = {}
    for openid, *row in _LOAD.rows(connection, {"openids": openids, "app": app}):
        number, tier, personalised, staff_id, role, store, name, talk, data, sealed, expires_at, *more = row
        member = None if number is None else MemberView(number, tier, personalised)
        helper = None if staff_id is None else StaffView(staff_id, name, role, store)
        stand = None if talk is None else Stand(talk, data or {}, sealed, expires_at)
        found[openid] = Person(openid, member, helper, stand, *more)
    return found


def view(connection: Connection, member: int) -> MemberView:
    """Return a member by id; LookupError when there is none."""
    row = connection.execute(_VIEW, {"which": member}).one_or_none()
    if row is None:
        raise LookupError(member)
    return MemberView(*row)


def touch(connection: Connection, openids: Iterable[str], window: str, now: datetime) -> None:
    """Open the 48-hour window ('message') or the 1-minute window ('action') anew, with its count at zero."""
    rows = [{"who": openid, "moment": now} for openid in sorted(set(openids))]
    if rows:
        _TOUCH[window].many(connection, rows)


def follow(connection: Connection, openid: str, now: datetime) -> None:
    """Note a follower who has not done anything yet: no window is open."""
    row = {"openid": openid, "followed": True, "followed_at": now, "scene": "", "mass_month": "", "script": ""}
    connection.execute(_FOLLOW, row | {"message_used": 0, "action_used": 0, "mass_used": 0})


def unfollow(connection: Connection, openid: str) -> None:
    """Forget a follower: no window is open and nothing is known of them."""
    connection.execute(_UNFOLLOW, {"who": openid})


def forget_facts(connection: Connection, openid: str) -> None:
    """Forget near which store somebody was."""
    connection.execute(_FORGET, {"who": openid})


def writes_in(connection: Connection, openid: str, script: str) -> None:
    """Remember which Chinese somebody writes: 'hant' or ''."""
    connection.execute(_WRITES, {"who": openid, "of_now": script})


def came_by(connection: Connection, openid: str, scene: str) -> None:
    """Remember by which QR scene the follower came."""
    connection.execute(_SCENE, {"who": openid, "from_scene": scene})
