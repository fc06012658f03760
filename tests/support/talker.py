"""A signed client written from the platform's documentation alone: it shares no code with the product."""

import base64
import hashlib
import os
import struct
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

import httpx
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

Post = Callable[[bytes, Mapping[str, str]], httpx.Response]


@dataclass(frozen=True)
class Keys:
    """The account's callback settings."""

    app_id: str
    token: str
    aes: str

    @property
    def key(self) -> bytes:
        """The AES key: base64 of 43 characters and `=`."""
        return base64.b64decode(self.aes + "=")


def sign(*parts: str) -> str:
    """sha1 over the sorted parts."""
    return hashlib.sha1("".join(sorted(parts)).encode()).hexdigest()


def encrypt(keys: Keys, text: str) -> str:
    """16 random bytes, length, message and app id, padded to 32, AES-256-CBC with IV = key[:16]."""
    message = text.encode()
    plain = os.urandom(16) + struct.pack(">I", len(message)) + message + keys.app_id.encode()
    padding = 32 - len(plain) % 32
    plain += bytes([padding]) * padding
    encryptor = Cipher(algorithms.AES(keys.key), modes.CBC(keys.key[:16])).encryptor()
    return base64.b64encode(encryptor.update(plain) + encryptor.finalize()).decode()


def decrypt(keys: Keys, text: str) -> str:
    """Undo `encrypt`, checking the app id."""
    decryptor = Cipher(algorithms.AES(keys.key), modes.CBC(keys.key[:16])).decryptor()
    plain = decryptor.update(base64.b64decode(text)) + decryptor.finalize()
    plain = plain[: -plain[-1]]
    length = struct.unpack(">I", plain[16:20])[0]
    assert plain[20 + length :].decode() == keys.app_id
    return plain[20 : 20 + length].decode()


def fields(xml: str) -> dict[str, str]:
    """The direct children of <xml> as text."""
    return {child.tag: child.text or "" for child in ElementTree.fromstring(xml)}


@dataclass
class Talker:
    """One follower with a phone in hand."""

    openid: str
    keys: Keys
    mode: str
    post: Post
    now: Callable[[], int]
    to: str = "gh_test"
    ids: Iterator[int] = field(default_factory=lambda: count(1))

    def say(self, text: str) -> str:
        """Say something; return the text (or the title and description) of the reply, '' for none."""
        return shown(self.send(self.text_xml(text)))

    def click(self, key: str) -> str:
        """Tap a menu entry."""
        return self.event("CLICK", EventKey=key)

    def event(self, event: str, **more: str) -> str:
        """Cause an event."""
        extra = "".join(f"<{name}><![CDATA[{value}]]></{name}>" for name, value in more.items())
        return shown(self.send(self.xml("event", f"<Event><![CDATA[{event}]]></Event>{extra}")))

    def text_xml(self, text: str) -> str:
        """The XML of a text message."""
        number = abs(hash(self.openid)) % 10**6 * 10**6 + next(self.ids)
        safe = text.replace("]]>", "]]]]><![CDATA[>")
        return self.xml("text", f"<Content><![CDATA[{safe}]]></Content><MsgId>{number}</MsgId>")

    def xml(self, kind: str, inner: str) -> str:
        """The XML of any message."""
        return (
            f"<xml><ToUserName><![CDATA[{self.to}]]></ToUserName><FromUserName><![CDATA[{self.openid}]]></FromUserName>"
            f"<CreateTime>{self.now()}</CreateTime><MsgType><![CDATA[{kind}]]></MsgType>{inner}</xml>"
        )

    def request(self, xml: str) -> tuple[bytes, dict[str, str]]:
        """Body and query of a delivery."""
        timestamp, nonce = str(self.now()), str(next(self.ids))
        query = {
            "timestamp": timestamp,
            "nonce": nonce,
            "signature": sign(self.keys.token, timestamp, nonce),
            "openid": self.openid,
        }
        if self.mode == "plain":
            return xml.encode(), query
        encrypted = encrypt(self.keys, xml)
        query |= {"encrypt_type": "aes", "msg_signature": sign(self.keys.token, timestamp, nonce, encrypted)}
        inner = (
            xml[len("<xml>") : -len("</xml>")] if self.mode == "compatible" else f"<ToUserName>{self.to}</ToUserName>"
        )
        return f"<xml>{inner}<Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>".encode(), query

    def send(self, xml: str) -> str:
        """Deliver; return the reply's plain XML, '' for none."""
        body, query = self.request(xml)
        return self.open(self.post(body, query), query["nonce"])

    def open(self, answer: httpx.Response, nonce: str) -> str:
        """Check and open an answer."""
        assert answer.status_code == 200, (answer.status_code, answer.text)
        if answer.text in ("", "success"):
            return ""
        if self.mode == "plain":
            return answer.text
        sealed = fields(answer.text)
        assert sealed["Nonce"] == nonce
        assert sealed["MsgSignature"] == sign(self.keys.token, sealed["TimeStamp"], nonce, sealed["Encrypt"])
        return decrypt(self.keys, sealed["Encrypt"])


def shown(xml: str) -> str:
    """What a person reads of a reply."""
    if not xml:
        return ""
    root = ElementTree.fromstring(xml)
    if root.findtext("MsgType") == "text":
        return root.findtext("Content") or ""
    return "\n".join(f"{item.findtext('Title')}\n{item.findtext('Description')}" for item in root.iter("item"))
