"""SMS codes: six random digits, stored as a keyed hash, valid once, for minutes, for five tries.

The answer to a request never depends on whether the phone is known: no look-up happens before the code was right.
"""

import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from members import limits, outbox
from members.errors import BooksBroken, MemberError
from members.rules import BindingRules
from members.tables import Verification, table
from members.vault import Vault

_codes = table(Verification)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
REASONS = {
    "bind": "绑定验证码",
    "prove": "换号前验证",
    "change": "换号验证码",
    "staff": "店员验证码",
    "erase": "注销验证码",
}
DIGITS = 6
_LATEST = (
    select(_codes)
    .where(_codes.c.openid == bindparam("who"), _codes.c.state == "open")
    .order_by(_codes.c.id.desc())
    .limit(1)
)
_TRY = (
    update(_codes)
    .where(_codes.c.id == bindparam("code"), _codes.c.state == "open", _codes.c.tries < bindparam("most"))
    .values(tries=_codes.c.tries + 1)
    .returning(_codes.c.tries)
)
# a closed code forgets what it was and whom it went to
_EMPTY: dict[str, Any] = {"sealed": b"", "salt": b"", "code_hash": b""}
_CLOSE = (
    update(_codes)
    .where(_codes.c.id == bindparam("code"), _codes.c.state == "open")
    .values(state=bindparam("closed"), **_EMPTY)
)
_CLOSE_ALL = (
    update(_codes)
    .where(_codes.c.openid == bindparam("who"), _codes.c.state == "open")
    .values(state="replaced", **_EMPTY)
)

Verdict = Literal["right", "wrong", "locked", "expired", "none"]


@dataclass(frozen=True, slots=True)
class Checked:
    """The verdict on a typed code; `phone`, `purpose` when right, `left` tries when wrong, `minutes` when locked."""

    verdict: Verdict
    phone: str = ""
    purpose: str = ""
    left: int = 0
    minutes: int = 0


def start(
    connection: Connection, vault: Vault, rules: BindingRules, *, openid: str, phone: str, purpose: str, zone: ZoneInfo,
    now: datetime,
) -> None:  # fmt: skip
    """Send a code to a phone, within every limit (MemberError: code_wait, code_limit, code_busy, code_locked).

    It replaces the openid's earlier code. It leaves through the outbox, sealed: no HTTP inside the transaction.
    """
    index = vault.blind_index("phone", phone)
    _respect_limits(connection, rules, openid, index, zone, now)
    cancel(connection, openid)
    code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
    salt = secrets.token_bytes(16)
    row = {
        "openid": openid, "purpose": purpose, "phone_index": index, "sealed": vault.seal_system("phone", phone),
        "salt": salt, "code_hash": _hash(vault, salt, code), "created_at": now, "tries": 0, "state": "open",
        "expires_at": now + timedelta(minutes=rules.code_minutes),
    }  # fmt: skip
    connection.execute(insert(_codes), row)
    # not by the row's id: SQLite gives ids again once old codes are forgotten, and the outbox knows the old one
    put = outbox.put(
        connection,
        outbox.Message(
            key=f"code:{salt.hex()}", kind="code", topic="verify", openid=openid, channels=("sms",),
            content={"template": "verify", "minutes": rules.code_minutes}, reason=REASONS.get(purpose, "验证码"),
            sealed=vault.seal_system("code", json.dumps({"phone": phone, "code": code})),
            not_before=now, expires_at=now + timedelta(minutes=rules.code_minutes),
        ),
        now=now,
    )  # fmt: skip
    if put is None:
        raise BooksBroken("a code was not put in the outbox")


def _respect_limits(
    connection: Connection, rules: BindingRules, openid: str, index: str, zone: ZoneInfo, now: datetime
) -> None:
    locked = limits.blocked(connection, *_locks(openid, index), now=now)
    if locked:
        raise MemberError("code_locked", minutes=-(-locked // 60))
    wait = rules.cool_down_seconds
    limits.cool_down(connection, _cooling(openid), wait, now=now, refusal="code_wait")
    limits.cool_down(connection, f"code:phone:{index}", wait, now=now, refusal="code_wait")
    minute, hour, day = limits.every(MINUTE, now), limits.every(HOUR, now), limits.business_day(now, zone)
    for key, period, most, refusal in (
        (f"code:openid:{openid}", day, rules.per_openid_day, "code_limit"),
        (f"code:phone:h:{index}", hour, rules.per_phone_hour, "code_limit"),
        (f"code:phone:d:{index}", day, rules.per_phone_day, "code_limit"),
        ("code:all:m", minute, rules.all_per_minute, "code_busy"),
        ("code:all:d", day, rules.all_per_day, "code_busy"),
    ):
        limits.take(connection, key, period, most, refusal=refusal)


def _cooling(openid: str) -> str:
    return f"code:openid:{openid}"


def _locks(openid: str, index: str) -> tuple[str, str]:
    return f"code:openid:{openid}", f"code:phone:{index}"


def check(
    connection: Connection, vault: Vault, rules: BindingRules, *, openid: str, code: str, now: datetime
) -> Checked:
    """Try a code: counts the try before comparing (constant time), closes it when right or tried out.

    Tried out, the openid and the phone get no new code for `lock_minutes`; codes already on their way to other openids
    keep their own tries, so that a stranger's guessing does not interrupt the owner.
    """
    row = connection.execute(_LATEST, {"who": openid}).one_or_none()
    if row is None:
        locked = limits.blocked(connection, f"code:openid:{openid}", now=now)
        return Checked("locked", minutes=-(-locked // 60)) if locked else Checked("none")
    if now >= row.expires_at:
        return Checked("expired")
    tries = connection.execute(_TRY, {"code": row.id, "most": rules.wrong_tries}).scalar_one_or_none()
    right = hmac.compare_digest(_hash(vault, row.salt, code), row.code_hash)
    if tries is None:  # the same person was faster in another process
        return Checked("none")
    if right and _close(connection, row.id, "used"):
        limits.warm_up(connection, _cooling(openid))
        return Checked("right", vault.unseal_system("phone", row.sealed), row.purpose)
    if tries >= rules.wrong_tries:
        _close(connection, row.id, "locked")
        for key in _locks(openid, row.phone_index):
            limits.block(connection, key, now + timedelta(minutes=rules.lock_minutes))
        return Checked("locked", minutes=rules.lock_minutes)
    return Checked("wrong", left=rules.wrong_tries - tries)


def _close(connection: Connection, code: int, state: str) -> bool:
    return connection.execute(_CLOSE, {"code": code, "closed": state}).rowcount == 1


def cancel(connection: Connection, openid: str) -> bool:
    """End the openid's open codes: they have been left or replaced; False when there was none."""
    return connection.execute(_CLOSE_ALL, {"who": openid}).rowcount > 0


def forget_before(connection: Connection, moment: datetime) -> int:
    """Delete codes that expired before `moment` (locks and limits are counted elsewhere); return how many."""
    return connection.execute(delete(_codes).where(_codes.c.expires_at < moment)).rowcount


def _hash(vault: Vault, salt: bytes, code: str) -> bytes:
    return bytes.fromhex(vault.blind_index("code", salt.hex() + code))
