"""The code with which a member brings friends, and what somebody who is no member yet has typed of one.

A code is 45 random bits and a check symbol in the alphabet of coupon codes. Ten symbols, so that nobody takes it for a
coupon (twelve), an invite word of staff (eight) or a phone (eleven digits).
"""

import secrets
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects.postgresql import insert as upsert

from members import arrivals, granting
from members.arrivals import Scene
from members.coupons import ALPHABET, check_symbol
from members.tables import Arrival, Invitation, Member, table

RANDOM_SYMBOLS, GROUP = 9, 5
REMEMBERED = timedelta(days=30)
KIND = "referral"
_TYPED = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})
_invitations, _arrivals, _members = table(Invitation), table(Arrival), table(Member)
_CODE = select(_invitations.c.code).where(_invitations.c.member_id == bindparam("whose"))
_PUT = upsert(_invitations).on_conflict_do_nothing()
_OWNER = select(_invitations.c.member_id).where(_invitations.c.code == bindparam("typed"))
_STATE = select(_members.c.state).where(_members.c.id == bindparam("whose"))
_TYPED_LAST = (
    select(_arrivals.c.ref)
    .where(_arrivals.c.openid == bindparam("who"), _arrivals.c.kind == KIND, _arrivals.c.at > bindparam("since"))
    .order_by(_arrivals.c.at.desc(), _arrivals.c.id.desc())
    .limit(1)
)


def code_of(connection: Connection, member: int, *, now: datetime) -> str:
    """Return the member's code; it is made once and stays."""
    while (known := connection.execute(_CODE, {"whose": member}).scalar_one_or_none()) is None:
        connection.execute(_PUT, {"member_id": member, "code": new_code(), "created_at": now})
    return str(known)


def new_code() -> str:
    """Return a new code; one of figures or letters alone could be any number or word and is thrown away."""
    while True:
        body = "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_SYMBOLS))
        if _mixed(body):
            return body + check_symbol(body)


def _mixed(body: str) -> bool:
    return not body.isdigit() and not body.isalpha()


def exact(text: str) -> str | None:
    """Return a typed code without dashes, spaces and look-alikes; None when it can't be one or was mistyped."""
    plain = text.upper().translate(_TYPED)
    if len(plain) != RANDOM_SYMBOLS + 1 or any(symbol not in ALPHABET for symbol in plain):
        return None
    return plain if check_symbol(plain[:-1]) == plain[-1] and _mixed(plain[:-1]) else None


def spell(code: str) -> str:
    """Return a code as people read it: K7QF2-MDX9T."""
    return f"{code[:GROUP]}-{code[GROUP:]}"


def inviter_of(connection: Connection, text: str) -> int | None:
    """Return the active member who invites with a typed code, or whoever they were merged into; None for nobody."""
    code = exact(text)
    owner = None if code is None else connection.execute(_OWNER, {"typed": code}).scalar_one_or_none()
    if owner is None:
        return None
    member = granting.survivor(connection, int(owner))
    return member if connection.execute(_STATE, {"whose": member}).scalar_one() == "active" else None


def remember(connection: Connection, openid: str, code: str, *, now: datetime) -> None:
    """Keep a code that was typed before binding; it goes with the openid when its owner unfollows."""
    arrivals.note(connection, openid, None, "typed", Scene(KIND, exact(code) or code), now)


def remembered(connection: Connection, openid: str, now: datetime) -> str | None:
    """Return the code somebody came by or typed last, if it was in the last 30 days."""
    bound = {"who": openid, "since": now - REMEMBERED}
    found: str | None = connection.execute(_TYPED_LAST, bound).scalar_one_or_none()
    return found
