"""Signatures and encryption of the callback: plain, compatible and safe mode, current and previous key."""

import base64
import binascii
import hashlib
import hmac
import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from wechatpy.crypto import PrpCrypto
from wechatpy.exceptions import InvalidAppIdException

from bot.inbound import BadCallback, parse_xml
from bot.render import cdata

SALTS = 256  # a system call each would hand the interpreter to the writer
_ENVELOPE = (
    "<xml><Encrypt><![CDATA[{encrypt}]]></Encrypt><MsgSignature><![CDATA[{signature}]]></MsgSignature>"
    "<TimeStamp>{timestamp}</TimeStamp><Nonce><![CDATA[{nonce}]]></Nonce></xml>"
)


def _salts() -> Iterator[bytes]:
    while True:
        drawn = os.urandom(16 * SALTS)
        yield from (drawn[start : start + 16] for start in range(0, 16 * SALTS, 16))


class BadSignature(Exception):
    """Not from the platform: answered with 403."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A verified callback: its parsed body, and the key that opened it (None: plain)."""

    root: Mapping[str, Any]
    key: bytes | None
    nonce: str


def decode_aes_key(text: str) -> bytes:
    """Return the 32 bytes of an EncodingAESKey of 43 characters; ValueError when it is malformed."""
    if len(text) != 43:
        raise ValueError("EncodingAESKey has 43 characters")
    try:
        return base64.b64decode(text + "=", validate=True)
    except binascii.Error as error:
        raise ValueError("EncodingAESKey is not base64") from error


class _Crypto(PrpCrypto):  # type: ignore[misc]
    """wechatpy's cipher, kept per key; the 16 bytes before a message come from the system, many at a time."""

    def __init__(self, key: bytes) -> None:
        super().__init__(key)
        self._salts = _salts()

    def get_random_string(self) -> bytes:
        return next(self._salts)


class Envelope:
    """Opens what the platform sends and seals what we answer."""

    def __init__(self, *, app_id: str, token: str, keys: tuple[bytes, ...]) -> None:
        """Take the current key first, then the previous; ValueError on an empty token, which anyone could sign with."""
        if not token:
            raise ValueError("empty token")
        self._app_id, self._token = app_id, token
        self._ciphers = {key: _Crypto(key) for key in keys}

    def signature(self, *parts: str) -> str:
        """Return sha1 over the sorted token and parts, as the platform documents it."""
        return hashlib.sha1("".join(sorted((self._token, *parts))).encode(), usedforsecurity=False).hexdigest()

    def verify(self, given: str, *parts: str) -> None:
        """Compare in constant time (BadSignature)."""
        if not hmac.compare_digest(self.signature(*parts).encode(), given.encode()):
            raise BadSignature

    def open(self, query: Mapping[str, str], body: bytes) -> Opened:
        """Verify and open one POST; BadSignature or BadCallback."""
        timestamp, nonce = query.get("timestamp", ""), query.get("nonce", "")
        if query.get("encrypt_type", "raw") != "aes":
            self.verify(query.get("signature", ""), timestamp, nonce)
            return Opened(parse_xml(body), None, nonce)
        outer = parse_xml(body)
        encrypted = outer.get("Encrypt")
        if not isinstance(encrypted, str):
            raise BadCallback("Encrypt")
        self.verify(query.get("msg_signature", ""), timestamp, nonce, encrypted)
        text, key = self._decrypt(encrypted)
        return Opened(parse_xml(text), key, nonce)

    def _decrypt(self, encrypted: str) -> tuple[str, bytes]:
        for key, cipher in self._ciphers.items():
            try:
                return cipher.decrypt(encrypted, self._app_id), key
            except (InvalidAppIdException, ValueError, IndexError, struct.error, TypeError, binascii.Error):
                continue
        raise BadCallback("Encrypt does not open")

    def seal(self, xml: str, opened: Opened, timestamp: int) -> str:
        """Return the encrypted answer under the key that opened the question; `success` and '' stay as they are."""
        if opened.key is None or xml in ("", "success"):
            return xml
        encrypt = self._ciphers[opened.key].encrypt(xml, self._app_id).decode()
        signature = self.signature(str(timestamp), opened.nonce, encrypt)
        return _ENVELOPE.format(encrypt=encrypt, signature=signature, timestamp=timestamp, nonce=cdata(opened.nonce))
