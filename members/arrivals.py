"""Where people came from: one row per follow and per scan, tied to the member at binding and kept for ever.

A scene is the text behind a QR code (at most 64 characters). Ours are `s_ID` for a store, `u_ID` for a person of staff,
`c_NAME` for a campaign, `r_CODE` for a member's invitation; `store:ID`, `staff:ID`, `campaign:NAME` and `ref:CODE` are
read as the same. Anything else is `other`, no scene at all is `search`.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, insert, select, update

from members.tables import Arrival, Identity, Member, Staff, Store, table

SCENE_CHARS = 64  # "string scene ≤64"
_SHORT = {"store": "s_", "staff": "u_", "campaign": "c_", "referral": "r_"}
_LONG = {"store": "store:", "staff": "staff:", "campaign": "campaign:", "referral": "ref:"}
_arrivals, _identities, _members = table(Arrival), table(Identity), table(Member)
_staff, _stores = table(Staff), table(Store)
_BELONG = (
    update(_arrivals)
    .where(_arrivals.c.openid == bindparam("who"), _arrivals.c.member_id.is_(None))
    .values(member_id=bindparam("member"))
)
_OF_MEMBER = (
    select(_arrivals.c.at, _arrivals.c.event, _arrivals.c.kind, _arrivals.c.ref, _arrivals.c.scene)
    .where(_arrivals.c.member_id == bindparam("member"))
    .order_by(_arrivals.c.at, _arrivals.c.id)
)
_BOUND_AT = select(func.min(_identities.c.created_at)).where(
    _identities.c.member_id == bindparam("member"), _identities.c.kind == "openid"
)
_SERVES = select(_staff.c.id, _staff.c.name, _staff.c.store_id, _staff.c.active).where(_staff.c.id == bindparam("who"))
_STORE = select(_stores.c.id, _stores.c.name).where(_stores.c.id == bindparam("which"))
_HOME = (
    update(_members)
    .where(_members.c.id == bindparam("whose"), _members.c.home_store.is_(None))
    .values(home_store=bindparam("store"))
)


@dataclass(frozen=True, slots=True)
class Scene:
    """What a QR code stands for: kind (store, staff, campaign, referral, other, search) and whom or what it names."""

    kind: str
    ref: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A scene as the books know it: the store it leads to, and the name of the store or person of staff."""

    scene: Scene
    store: str | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Touch:
    """One arrival of a member."""

    at: datetime
    event: str
    kind: str
    ref: str
    scene: str


def read(text: str) -> Scene:
    """Return what a scene says by its grammar alone."""
    text = text[:SCENE_CHARS]
    for forms in (_SHORT, _LONG):
        for kind, prefix in forms.items():
            if text.startswith(prefix) and text != prefix:
                return Scene(kind, text.removeprefix(prefix), text)
    return Scene("other" if text else "search", "", text)


def scene_of(kind: str, ref: str) -> str:
    """Return the scene of a store, staff, campaign or referral; ValueError when it does not fit in 64 characters."""
    text = _SHORT[kind] + ref
    if not ref or len(text) > SCENE_CHARS:
        raise ValueError(text)
    return text


def find(connection: Connection, scene: Scene) -> Found:
    """Look up the store or person a scene names; one that is not in the books makes it `other`."""
    if scene.kind == "store":
        row = connection.execute(_STORE, {"which": scene.ref}).one_or_none()
        return Found(_unknown(scene)) if row is None else Found(scene, row.id, row.name)
    if scene.kind == "staff":
        number = int(scene.ref) if scene.ref.isascii() and scene.ref.isdecimal() and len(scene.ref) < 16 else -1
        one = connection.execute(_SERVES, {"who": number}).one_or_none()
        return Found(_unknown(scene)) if one is None else Found(scene, one.store_id, one.name if one.active else "")
    return Found(scene)


def _unknown(scene: Scene) -> Scene:
    return Scene("other", "", scene.text)


def note(connection: Connection, openid: str, member: int | None, event: str, scene: Scene, now: datetime) -> None:
    """Write down a follow (`subscribe`) or a `scan`, for the member if they are one already."""
    row = {
        "openid": openid, "member_id": member, "at": now, "event": event, "kind": scene.kind, "ref": scene.ref,
        "scene": scene.text,
    }  # fmt: skip
    connection.execute(insert(_arrivals), row)


def belong(connection: Connection, openid: str, member: int) -> None:
    """Tie what an openid came by to the member it has become; a member without a home store gets the last one."""
    connection.execute(_BELONG, {"who": openid, "member": member})
    for touch in reversed(of_member(connection, member)):
        store = find(connection, Scene(touch.kind, touch.ref)).store
        if store is not None:
            at_home(connection, member, store)
            return


def at_home(connection: Connection, member: int, store: str) -> bool:
    """Make a store the home of a member who has none; return whether it became so."""
    return connection.execute(_HOME, {"whose": member, "store": store}).rowcount == 1


def of_member(connection: Connection, member: int) -> list[Touch]:
    """Return all arrivals of a member, the first one first."""
    return [Touch(*row) for row in connection.execute(_OF_MEMBER, {"member": member})]


def owed_to(connection: Connection, member: int) -> tuple[Touch, Touch] | None:
    """Return (first touch, last touch before binding) of a member, None when nothing is known of how they came."""
    touches = of_member(connection, member)
    if not touches:
        return None
    bound = connection.execute(_BOUND_AT, {"member": member}).scalar_one()
    before = [touch for touch in touches if bound is None or touch.at <= bound]
    return touches[0], before[-1] if before else touches[0]
