"""Personal data at rest: AES-256-GCM under a per-member key wrapped by a master key, and keyed blind indexes.

Destroying a member's wrapped key (member_key row) destroys every field sealed under it: PIPL erasure without
touching the books. Source of the scheme: NIST SP 800-38D (GCM), HMAC-SHA-256 for the index (RFC 2104).
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping

import phonenumbers
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, bindparam, insert, select

from members.errors import BooksBroken, MemberError
from members.tables import MemberKey, table

KEY_BYTES = 32
NONCE_BYTES = 12
_keys = table(MemberKey)
_KEY_OF = select(_keys.c.key_id, _keys.c.wrapped).where(_keys.c.member_id == bindparam("member"))


def _aead(key: bytes, aad: str, value: bytes) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, value, aad.encode())


def _open(key: bytes, aad: str, sealed: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], aad.encode())
    except InvalidTag as error:
        raise BooksBroken(f"sealed field does not open: {aad}") from error


class Vault:
    """Master keys by id (the current one first); everything personal passes through here."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        """Take {key id: base64 of 32 bytes}; ValueError when none is given or one is malformed."""
        if not keys:
            raise ValueError("no master key")
        self._masters = {key_id: _decode(key_id, text) for key_id, text in keys.items()}
        self.current = next(iter(self._masters))
        oldest = list(self._masters.values())[-1]
        # the index key must outlive key rotation, or nobody is found again: it derives from the oldest key
        self._index = hmac.digest(oldest, b"memberbot blind index", "sha256")
        self._system = {k: hmac.digest(m, b"memberbot system data", "sha256") for k, m in self._masters.items()}

    def new_member_key(self, member_id: int) -> tuple[dict[str, object], bytes]:
        """Return the member_key row of a fresh data key, and the key itself."""
        key = secrets.token_bytes(KEY_BYTES)
        wrapped = _aead(self._masters[self.current], f"member:{member_id}", key)
        return {"member_id": member_id, "key_id": self.current, "wrapped": wrapped}, key

    def create_member_keys(self, connection: Connection, members: Iterable[int]) -> dict[int, bytes]:
        """Store fresh data keys for new members."""
        made = {member: self.new_member_key(member) for member in members}
        if made:
            connection.execute(insert(_keys), [row for row, _ in made.values()])
        return {member: key for member, (_, key) in made.items()}

    def member_key(self, connection: Connection, member_id: int) -> bytes:
        """Return a member's data key; BooksBroken when it was destroyed."""
        row = connection.execute(_KEY_OF, {"member": member_id}).one_or_none()
        if row is None:
            raise BooksBroken(f"member {member_id} has no key")
        return _open(self._masters[row.key_id], f"member:{member_id}", row.wrapped)

    def seal(self, key: bytes, field: str, text: str) -> bytes:
        """Seal a member's text under the member's key; `field` is authenticated with it."""
        return _aead(key, field, text.encode())

    def unseal(self, key: bytes, field: str, sealed: bytes) -> str:
        """Open what `seal` made; BooksBroken when it was tampered with."""
        return _open(key, field, sealed).decode()

    def seal_system(self, field: str, text: str) -> bytes:
        """Seal a text that belongs to no member yet (a code on its way, an unproven phone)."""
        return self.current.encode() + b"\0" + _aead(self._system[self.current], field, text.encode())

    def unseal_system(self, field: str, sealed: bytes) -> str:
        """Open what `seal_system` made, also under an older key."""
        key_id, _, body = sealed.partition(b"\0")
        return _open(self._system[key_id.decode()], field, body).decode()

    def blind_index(self, kind: str, value: str) -> str:
        """Return the keyed index (hex HMAC-SHA-256) by which a sealed value is found again."""
        return hmac.new(self._index, f"{kind}:{value}".encode(), hashlib.sha256).hexdigest()


def _decode(key_id: str, text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"master key {key_id} is not base64") from error
    if len(key) != KEY_BYTES or not key_id or "\0" in key_id:
        raise ValueError(f"master key {key_id} must be base64 of {KEY_BYTES} bytes")
    return key


def generate_key() -> str:
    """Return a new master key as base64."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def normalise_phone(text: str, region: str = "CN") -> str:
    """Return the E.164 form of a mobile number; MemberError('bad_phone') for anything else."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException as error:
        raise MemberError("bad_phone") from error
    kind = phonenumbers.number_type(number)
    mobile = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE)
    if not phonenumbers.is_valid_number(number) or kind not in mobile:
        raise MemberError("bad_phone")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def national(phone: str) -> str:
    """Return an E.164 phone as people at home write it (+8613800138000 → 13800138000)."""
    return phone.removeprefix("+86")


def mask_phone(phone: str) -> str:
    """Return a phone as staff may see it: 138****8000."""
    plain = national(phone)
    return f"{plain[:3]}****{plain[-4:]}" if len(plain) >= 9 else "****"
