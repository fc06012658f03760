"""What a member shows at the till: short-lived codes of digits, for a person and for one coupon.

A code is an id and a keyed check of id and minute, good for this minute and the next. Twelve digits name a member
(more where ids have more than seven digits), fifteen a coupon. They are guessed once in 100,000 (a coupon: a million)
tries, and wrong ones are counted by whoever asks.
"""

import hmac
from datetime import datetime

from members.vault import Vault

ROTATES = 60
MEMBER_DIGITS, MEMBER_PROOF = 12, 5
COUPON_DIGITS, COUPON_PROOF = 15, 6
_MEMBER, _COUPON = "member code", "coupon token"


def make(vault: Vault, member: int, now: datetime) -> str:
    """Return the digits that name the member for this and the next minute."""
    return f"{member:0{MEMBER_DIGITS - MEMBER_PROOF}d}{_proof(vault, _MEMBER, member, _minute(now), MEMBER_PROOF)}"


def names(vault: Vault, text: str, now: datetime) -> int | None:
    """Return the member a code names, None when it is wrong or older than two minutes."""
    if len(text) >= COUPON_DIGITS or len(text) < MEMBER_DIGITS:
        return None
    return _named(vault, _MEMBER, text, MEMBER_PROOF, now)


def coupon_token(vault: Vault, coupon: int, now: datetime) -> str:
    """Return the fifteen digits that name a coupon for this and the next minute; ValueError past a thousand million."""
    body = f"{coupon:0{COUPON_DIGITS - COUPON_PROOF}d}"
    if len(body) != COUPON_DIGITS - COUPON_PROOF:
        raise ValueError("this coupon's number is too long for a token")
    return body + _proof(vault, _COUPON, coupon, _minute(now), COUPON_PROOF)


def coupon_named(vault: Vault, text: str, now: datetime) -> int | None:
    """Return the coupon id a token names, None when it is no token, wrong, or older than two minutes."""
    return _named(vault, _COUPON, text, COUPON_PROOF, now) if len(text) == COUPON_DIGITS else None


def _minute(now: datetime) -> int:
    return int(now.timestamp()) // ROTATES


def _proof(vault: Vault, kind: str, which: int, minute: int, digits: int) -> str:
    return f"{int(vault.blind_index(kind, f'{which}:{minute}')[:12], 16) % 10**digits:0{digits}d}"


def _named(vault: Vault, kind: str, text: str, digits: int, now: datetime) -> int | None:
    if not (text.isascii() and text.isdecimal()):
        return None
    which, minute = int(text[:-digits]), _minute(now)
    for made in (minute, minute - 1):
        if hmac.compare_digest(_proof(vault, kind, which, made, digits), text[-digits:]):
            return which
    return None
