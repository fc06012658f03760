"""SMS codes: six random digits, stored as a keyed hash, valid once, for minutes, for five tries.

The answer to a request never depends on whether the phone is known: no look-up happens before the code was right.
"""

import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, bindparam, insert, select, update

from members import limits, outbox
from members.rules import BindingRules
from members.tables import Verification, table
from members.vault import Vault

_codes = table(Verification)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
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
_CLOSE = (
    update(_codes).where(_codes.c.id == bindparam("code"), _codes.c.state == "open").values(state=bindparam("closed"))
)

Verdict = Literal["right", "wrong", "locked", "expired", "none"]


@dataclass(frozen=True, slots=True)
class Checked:
    """The verdict on a typed code; `phone` and `purpose` only when it was right, `left` tries when wrong."""

    verdict: Verdict
    phone: str = ""
    purpose: str = ""
    left: int = 0


def start(
    connection: Connection, vault: Vault, rules: BindingRules, *, openid: str, phone: str, purpose: str, now: datetime
) -> None:
    """Send a code to a phone, within every limit (MemberError: code_wait, code_limit, code_busy, code_locked).

    The code leaves through the outbox, sealed, so that no HTTP happens inside the transaction.
    """
    index = vault.blind_index("phone", phone)
    _respect_limits(connection, rules, openid, index, now)
    replaced = (_codes.c.openid == openid) & (_codes.c.state == "open")
    connection.execute(update(_codes).where(replaced).values(state="replaced"))
    code = f"{secrets.randbelow(1_000_000):06d}"
    salt = secrets.token_bytes(16)
    row = {
        "openid": openid, "purpose": purpose, "phone_index": index, "sealed": vault.seal_system("phone", phone),
        "salt": salt, "code_hash": _hash(vault, salt, code), "created_at": now, "tries": 0, "state": "open",
        "expires_at": now + timedelta(minutes=rules.code_minutes),
    }  # fmt: skip
    verification = connection.execute(insert(_codes).returning(_codes.c.id), row).scalar_one()
    outbox.put(
        connection,
        outbox.Message(
            key=f"code:{verification}", kind="code", topic="verify", openid=openid, channels=("sms",),
            content={"template": "verify", "minutes": rules.code_minutes}, reason="绑定验证码",
            sealed=vault.seal_system("code", json.dumps({"phone": phone, "code": code})),
            not_before=now, expires_at=now + timedelta(minutes=rules.code_minutes),
        ),
        now=now,
    )  # fmt: skip


def _respect_limits(connection: Connection, rules: BindingRules, openid: str, index: str, now: datetime) -> None:
    locked = (_codes.c.openid == openid) | (_codes.c.phone_index == index)
    since = now - timedelta(minutes=rules.lock_minutes)
    recent = select(_codes.c.id).where(locked, _codes.c.state == "locked", _codes.c.created_at > since).limit(1)
    if connection.execute(recent).scalar_one_or_none() is not None:
        limits.take(connection, f"locked:{openid}", MINUTE, 0, now=now, refusal="code_locked")
    wait = rules.cool_down_seconds
    limits.cool_down(connection, f"code:openid:{openid}", wait, now=now, refusal="code_wait")
    limits.cool_down(connection, f"code:phone:{index}", wait, now=now, refusal="code_wait")
    limits.take(connection, f"code:openid:{openid}", DAY, rules.per_openid_day, now=now, refusal="code_limit")
    limits.take(connection, f"code:phone:h:{index}", HOUR, rules.per_phone_hour, now=now, refusal="code_limit")
    limits.take(connection, f"code:phone:d:{index}", DAY, rules.per_phone_day, now=now, refusal="code_limit")
    limits.take(connection, "code:all:m", MINUTE, rules.all_per_minute, now=now, refusal="code_busy")
    limits.take(connection, "code:all:d", DAY, rules.all_per_day, now=now, refusal="code_busy")


def check(
    connection: Connection, vault: Vault, rules: BindingRules, *, openid: str, code: str, now: datetime
) -> Checked:
    """Try a code: counts the try before comparing (constant time), closes it when right or tried out."""
    row = connection.execute(_LATEST, {"who": openid}).one_or_none()
    if row is None:
        return Checked("none")
    if now >= row.expires_at:
        return Checked("expired")
    tries = connection.execute(_TRY, {"code": row.id, "most": rules.wrong_tries}).scalar_one_or_none()
    right = hmac.compare_digest(_hash(vault, row.salt, code), row.code_hash)
    if tries is None:
        return Checked("locked")
    if right and connection.execute(_CLOSE, {"code": row.id, "closed": "used"}).rowcount == 1:
        return Checked("right", vault.unseal_system("phone", row.sealed), row.purpose)
    if tries >= rules.wrong_tries:
        connection.execute(_CLOSE, {"code": row.id, "closed": "locked"})
        return Checked("locked")
    return Checked("wrong", left=rules.wrong_tries - tries)


def _hash(vault: Vault, salt: bytes, code: str) -> bytes:
    return bytes.fromhex(vault.blind_index("code", salt.hex() + code))
