"""Plain, compatible and aes mode, checked with an implementation of its own: hashlib and AES-CBC, no wechatpy."""

import base64
import hashlib
import os
import struct
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from starlette.requests import Request
from starlette.responses import Response

from bot.sandbox import TemplateSpec
from bot.sandbox.limits import UNAVAILABLE
from tests.sandbox.shop import AES_KEY, APP_ID, SETTINGS, TOKEN, Answer, Bench, answering, bench, text_xml

pytestmark = pytest.mark.anyio
KEY = base64.b64decode(AES_KEY + "=")


def sha1(*parts: str) -> str:
    return hashlib.sha1("".join(sorted(parts)).encode()).hexdigest()


def decrypt(encrypted: str) -> tuple[str, str]:
    """Message and app id: 16 random bytes, big-endian length, message, app id, PKCS#7 with block 32."""
    decryptor = Cipher(algorithms.AES(KEY), modes.CBC(KEY[:16])).decryptor()
    plain = decryptor.update(base64.b64decode(encrypted)) + decryptor.finalize()
    assert 1 <= plain[-1] <= 32 and len(plain) % 32 == 0
    plain = plain[: -plain[-1]]
    (length,) = struct.unpack(">I", plain[16:20])
    return plain[20 : 20 + length].decode(), plain[20 + length :].decode()


def encrypt(message: str, app_id: str = APP_ID) -> str:
    content = os.urandom(16) + struct.pack(">I", len(message.encode())) + message.encode() + app_id.encode()
    padding = 32 - len(content) % 32
    encryptor = Cipher(algorithms.AES(KEY), modes.CBC(KEY[:16])).encryptor()
    return base64.b64encode(encryptor.update(content + bytes([padding]) * padding) + encryptor.finalize()).decode()


def sealed(message: str, nonce: str, *, app_id: str = APP_ID, signature: str | None = None) -> bytes:
    encrypted = encrypt(message, app_id)
    signature = signature or sha1(TOKEN, "1700000001", nonce, encrypted)
    rest = f"<MsgSignature>{signature}</MsgSignature><TimeStamp>1700000001</TimeStamp><Nonce>{nonce}</Nonce>"
    return f"<xml><Encrypt>{encrypted}</Encrypt>{rest}</xml>".encode()


def encrypted_answer(text: str, **spoilt: str) -> Answer:
    async def answer(request: Request, body: bytes) -> Response:
        return Response(sealed(text_xml(text), spoilt.pop("nonce", request.query_params["nonce"]), **spoilt))

    return answer


async def test_plain_mode_has_neither_encrypt_nor_msg_signature(b: Bench) -> None:
    await b.act("say", openid="alice", text="积分")
    (callback,) = b.shop.callbacks
    assert set(callback.query) == {"signature", "timestamp", "nonce", "openid"}
    assert ET.fromstring(callback.xml).findtext("Encrypt") is None


@pytest.mark.parametrize("mode", ["compatible", "aes"])
async def test_encrypted_callbacks_verify_and_decrypt(mode: str) -> None:
    async with bench() as b:
        await b.act("mode", mode=mode)
        await b.act("say", openid="alice", text="积分]]>&<余额")
        (callback,) = b.shop.callbacks
        root, query = ET.fromstring(callback.xml), callback.query
        encrypted = root.findtext("Encrypt") or ""
        assert query["encrypt_type"] == "aes"
        assert query["msg_signature"] == sha1(TOKEN, query["timestamp"], query["nonce"], encrypted)
        assert query["signature"] == sha1(TOKEN, query["timestamp"], query["nonce"])
        message, app_id = decrypt(encrypted)
        assert app_id == APP_ID
        assert ET.fromstring(message).findtext("Content") == "积分]]>&<余额"
        in_clear = [child.tag for child in root]
        if mode == "aes":
            assert in_clear == ["ToUserName", "Encrypt"]
        else:
            assert root.findtext("Content") == "积分]]>&<余额" and in_clear[-1] == "Encrypt"


@pytest.mark.parametrize("mode", ["compatible", "aes"])
async def test_an_encrypted_reply_is_read_in_both_encrypted_modes(mode: str) -> None:
    async with bench() as b:
        b.platform.set_mode(mode)
        b.shop.answer = encrypted_answer("您有 5 分")
        turn = await b.platform.turn("alice", "积分")
        assert turn.text == "您有 5 分" and "<Content>" in turn.reply_xml


@pytest.mark.parametrize(("mode", "shown"), [("plain", "好"), ("compatible", "好"), ("aes", UNAVAILABLE)])
async def test_a_plain_reply_is_refused_in_aes_mode_only(mode: str, shown: str) -> None:
    async with bench() as b:
        b.platform.set_mode(mode)
        b.shop.answer = answering(text_xml("好").encode())
        assert (await b.platform.turn("alice", "积分")).text == shown


@pytest.mark.parametrize("mode", ["plain", "compatible", "aes"])
async def test_success_needs_no_encryption(mode: str) -> None:
    async with bench() as b:
        b.platform.set_mode(mode)
        b.shop.answer = answering(b"success")
        assert (await b.platform.turn("alice", "积分")).failed == ""


async def test_an_encrypted_reply_in_plain_mode_is_malformed(b: Bench) -> None:
    b.shop.answer = encrypted_answer("好")
    assert (await b.platform.turn("alice", "积分")).text == UNAVAILABLE


@pytest.mark.parametrize("spoilt", [{"app_id": "wx_of_another"}, {"signature": "0" * 40}, {"nonce": "1"}])
async def test_a_reply_for_another_account_or_badly_signed_is_malformed(spoilt: dict[str, str]) -> None:
    async with bench(mode="aes") as b:
        b.shop.answer = encrypted_answer("好", **spoilt)
        assert (await b.platform.turn("alice", "积分")).text == UNAVAILABLE


async def test_the_page_shows_what_went_over_the_wire() -> None:
    async with bench(mode="aes") as b:
        b.shop.answer = encrypted_answer("好")
        await b.act("say", openid="alice", text="积分")
        turn = next(event for event in b.platform.world.hub.history("alice") if event["type"] == "turn")
        assert turn["encrypted_xml"] == b.shop.callbacks[0].xml and turn["mode"] == "aes"
        assert "积分" in turn["request_xml"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"token": ""}, "token must not be empty"),
        ({"encoding_aes_key": "short"}, "43 characters"),
        ({"mode": "raw"}, "mode 'raw'"),
        ({"templates": tuple(TemplateSpec(str(n), "t", {}) for n in range(26))}, "at most 25 templates"),
    ],
)
def test_an_account_that_could_not_exist_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(SETTINGS, **wrong)
