"""Signing, encrypting and posting a callback, and reading the answer as the platform would."""

import base64
import binascii
import secrets
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from xml.parsers.expat import ExpatError

import xmltodict
from wechatpy.crypto import PrpCrypto
from wechatpy.exceptions import InvalidAppIdException
from wechatpy.utils import WeChatSigner

from bot.sandbox import limits
from bot.sandbox.errors import MalformedReply
from bot.sandbox.settings import SandboxSettings

ACKNOWLEDGED: Final = ("", "success")


def sign(*parts: str) -> str:
    """ "sha1("".join(sorted(parts)))" of PLATFORM.md, in hex."""
    signer = WeChatSigner()
    signer.add_data(*parts)
    return str(signer.signature)


@dataclass(frozen=True)
class Envelope:
    """One callback ready to be posted; every delivery of it uses these very bytes and parameters."""

    xml: str
    body: bytes
    query: Mapping[str, str]
    mode: str

    @property
    def nonce(self) -> str:
        return self.query["nonce"]


@dataclass(frozen=True)
class PassiveReply:
    """A reply as shown: kind is text, image or news; `items` are articles {title, description, url, picurl}."""

    kind: str
    text: str = ""
    media_id: str = ""
    items: list[dict[str, str]] = field(default_factory=list)


class Wire:
    """Speaks for one account: its token, its AES key, its two names."""

    def __init__(self, settings: SandboxSettings) -> None:
        self._settings = settings
        self._crypto = PrpCrypto(base64.b64decode(settings.encoding_aes_key + "="))

    def seal(self, xml: str, fields: Mapping[str, object], mode: str, created: int) -> Envelope:
        """Plain: the XML. Compatible: the XML with <Encrypt> added. Aes: only ToUserName and <Encrypt>."""
        token, timestamp, nonce = self._settings.token, str(created), str(secrets.randbelow(10**10))
        query = {"signature": sign(token, timestamp, nonce), "timestamp": timestamp, "nonce": nonce}
        query["openid"] = str(fields["FromUserName"])
        if mode == "plain":
            return Envelope(xml, xml.encode(), query, mode)
        encrypted = self._crypto.encrypt(xml, self._settings.app_id).decode()
        query |= {"encrypt_type": "aes", "msg_signature": sign(token, timestamp, nonce, encrypted)}
        element = f"<Encrypt><![CDATA[{encrypted}]]></Encrypt>"
        if mode == "compatible":
            body = xml.removesuffix("</xml>") + element + "</xml>"
        else:
            body = f"<xml><ToUserName><![CDATA[{fields['ToUserName']}]]></ToUserName>{element}</xml>"
        return Envelope(xml, body.encode(), query, mode)

    def verification(self, echo: str, created: int) -> dict[str, str]:
        """The query of the GET that checks the server."""
        timestamp, nonce = str(created), str(secrets.randbelow(10**10))
        signature = sign(self._settings.token, timestamp, nonce)
        return {"signature": signature, "timestamp": timestamp, "nonce": nonce, "echostr": echo}

    def open(self, envelope: Envelope, body: bytes) -> str:
        """The answer as plain XML, or "" when it only acknowledges; MalformedReply when it cannot be read."""
        try:
            text = body.decode()
        except UnicodeDecodeError as error:
            raise MalformedReply("the reply is not UTF-8") from error
        if text.strip() in ACKNOWLEDGED:
            return ""
        fields = parse(text)
        if "Encrypt" in fields:
            if envelope.mode == "plain":
                raise MalformedReply("an encrypted reply in plain mode")
            return self._decrypt(envelope, fields)
        if envelope.mode == "aes":
            raise MalformedReply("in aes mode a reply must be encrypted")
        return text

    def _decrypt(self, envelope: Envelope, fields: Mapping[str, Any]) -> str:
        encrypted, timestamp, nonce = (str(fields.get(name)) for name in ("Encrypt", "TimeStamp", "Nonce"))
        if nonce != envelope.nonce:
            raise MalformedReply("the Nonce of the reply is not the one of the request")
        if fields.get("MsgSignature") != sign(self._settings.token, timestamp, nonce, encrypted):
            raise MalformedReply("the MsgSignature of the reply is wrong")
        try:
            return str(self._crypto.decrypt(encrypted, self._settings.app_id))
        except (InvalidAppIdException, binascii.Error, struct.error, ValueError, IndexError) as error:
            raise MalformedReply("the reply cannot be decrypted") from error


def parse(text: str) -> dict[str, Any]:
    """The fields of an <xml> document without entities; MalformedReply when there are none."""
    try:
        document = xmltodict.parse(text, disable_entities=True)
    except (ExpatError, ValueError, TypeError, AttributeError) as error:
        raise MalformedReply("the reply is not XML") from error
    fields = document.get("xml") if isinstance(document, dict) else None
    if not isinstance(fields, dict):
        raise MalformedReply("the reply has no fields")
    return fields


def read(xml: str, *, openid: str, original_id: str, to_message: bool) -> PassiveReply:
    """What the person sees of a passive reply; MalformedReply when the platform would not show it."""
    fields = parse(xml)
    if fields.get("ToUserName") != openid or fields.get("FromUserName") != original_id:
        raise MalformedReply("ToUserName or FromUserName of the reply is wrong")
    if not str(fields.get("CreateTime", "")).isdigit():
        raise MalformedReply("CreateTime of the reply is not a number")
    match fields.get("MsgType"):
        case "text":
            return PassiveReply("text", _text(fields.get("Content")))
        case "image":
            image = fields.get("Image")
            if not isinstance(image, dict) or not isinstance(image.get("MediaId"), str):
                raise MalformedReply("an image reply without MediaId")
            return PassiveReply("image", media_id=image["MediaId"])
        case "news":
            most = limits.NEWS_TO_MESSAGE if to_message else limits.NEWS_TO_EVENT
            return PassiveReply("news", items=_articles(fields.get("Articles"))[:most])
        case "transfer_customer_service":
            _transfer(fields, to_message)
            return PassiveReply("event", "已转接人工客服")
        case other:
            raise MalformedReply(f"MsgType {other!r} of the reply cannot be shown")


def _transfer(fields: Mapping[str, Any], to_message: bool) -> None:
    """Refuse what can't be passed on: docs, "only messages sent by users", and TransInfo names one KfAccount."""
    if not to_message:
        raise MalformedReply("an event cannot be transferred to customer service")
    if "TransInfo" not in fields:
        return
    info = fields["TransInfo"]
    account = info.get("KfAccount") if isinstance(info, dict) else None
    if not isinstance(account, str) or "@" not in account:
        raise MalformedReply("TransInfo without a KfAccount such as test1@test")


def _text(content: object) -> str:
    if not isinstance(content, str) or not content.strip():
        raise MalformedReply("Content of the reply is empty")
    if len(content.encode()) > limits.PASSIVE_TEXT_BYTES:
        raise MalformedReply(f"Content of the reply is longer than {limits.PASSIVE_TEXT_BYTES} bytes")
    return content


def _articles(articles: object) -> list[dict[str, str]]:
    found = articles.get("item") if isinstance(articles, dict) else None
    rows = [row for row in (found if isinstance(found, list) else [found]) if isinstance(row, dict)]
    if not rows:
        raise MalformedReply("a news reply without articles")
    names = {"title": "Title", "description": "Description", "url": "Url", "picurl": "PicUrl"}
    return [{name: str(row.get(tag) or "") for name, tag in names.items()} for row in rows]
