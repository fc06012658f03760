"""Whom a command means by what was typed."""

from typing import Any

from bot.opening import refuse
from bot.service import Service
from members import identity, merging
from members.errors import MemberError
from members.vault import normalise_phone


def find(service: Service, connection: Any, ref: str, *, merged: bool = False) -> int:
    """Return the member meant by an id, a phone, a card number or an openid; exits with 2 when there is none.

    The id of a member who was merged means whom they are part of now, unless `merged` asks for themselves.
    """
    found = identity.find(connection, "openid", ref, service.config.wechat.app_id)
    if found is None:
        found = identity.find(connection, "card", ref)
    if found is None and ref.isdigit() and len(ref) < 11:
        found = identity.existing(connection, int(ref))
    if found is None:
        try:
            found = identity.find_by_phone(connection, service.vault, normalise_phone(ref))
        except MemberError:
            found = None
    if found is None:
        refuse(f"没有找到会员「{ref}」(可以用会员编号、手机号或 openid)")
    return found if merged else merging.present(connection, found)
