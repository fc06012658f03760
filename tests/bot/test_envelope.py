"""Signatures and encryption against a second implementation, and the parser against anything at all."""

import base64
import contextlib
import os
import re
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.envelope import BadSignature, Envelope, Opened, decode_aes_key
from bot.inbound import BadCallback, inbound_of, parse_xml
from tests.support.talker import Keys, decrypt, encrypt, fields, sign

NEW = Keys("wx00000000test", "test-token", "0123456789abcdefghijABCDEFGHIJklmnopqrstuvw")
OLD = Keys("wx00000000test", "test-token", "ABCDEFGHIJklmnopqrstuvw0123456789abcdefghij")
OTHER_APP = Keys("wx11111111else", NEW.token, NEW.aes)
ENVELOPE = Envelope(app_id=NEW.app_id, token=NEW.token, keys=(NEW.key, OLD.key))
MESSAGE = (
    "<xml><ToUserName>gh</ToUserName><FromUserName>o</FromUserName><CreateTime>1</CreateTime>"
    "<MsgType>text</MsgType><Content>积分</Content><MsgId>7</MsgId></xml>"
)
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
XML_TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=200)


def sealed(ciphertext: str, **changes: str) -> tuple[dict[str, str], bytes]:
    """Query and body of an encrypted delivery."""
    query = {"timestamp": "1", "nonce": "2", "encrypt_type": "aes", "signature": sign(NEW.token, "1", "2")}
    query["msg_signature"] = sign(NEW.token, "1", "2", ciphertext)
    return query | changes, f"<xml><Encrypt><![CDATA[{ciphertext}]]></Encrypt></xml>".encode()


def aes(key: bytes, plain: bytes) -> str:
    """AES-256-CBC without any padding or framing."""
    encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    return base64.b64encode(encryptor.update(plain) + encryptor.finalize()).decode()


@PATIENT
@given(XML_TEXT)
@example("x" * 65)
def test_what_we_seal_opens_with_another_implementation(text: str) -> None:
    opened = Opened({}, OLD.key, "nonce")
    answer = fields(ENVELOPE.seal(f"<xml>{text}</xml>", opened, 1234))
    assert answer["TimeStamp"] == "1234" and answer["Nonce"] == "nonce"
    assert answer["MsgSignature"] == sign(NEW.token, "1234", "nonce", answer["Encrypt"])
    assert decrypt(OLD, answer["Encrypt"]) == f"<xml>{text}</xml>"
    assert len(base64.b64decode(answer["Encrypt"])) % 32 == 0, "PKCS#7 with block 32"


@PATIENT
@given(XML_TEXT, st.sampled_from([NEW, OLD]))
def test_what_another_implementation_seals_we_open(text: str, keys: Keys) -> None:
    spoken = re.sub("[&<>\ufffe\uffff]", "", text)
    query, body = sealed(encrypt(keys, MESSAGE.replace("积分", f"·{spoken}·")))
    opened = ENVELOPE.open(query, body)
    assert opened.key == keys.key, "the answer goes out under the key that opened the question"
    assert opened.root["Content"] == f"·{spoken}·"


@pytest.mark.parametrize("word", ["", "success"])
def test_words_of_the_protocol_are_not_sealed(word: str) -> None:
    assert ENVELOPE.seal(word, Opened({}, NEW.key, "n"), 1) == word


def test_a_plain_question_gets_a_plain_answer() -> None:
    assert ENVELOPE.seal("<xml/>", Opened({}, None, "n"), 1) == "<xml/>"


@pytest.mark.parametrize("nonce", ["]]>", "<a>&", "]]><Encrypt>x</Encrypt><Nonce><![CDATA["])
def test_the_nonce_cannot_break_out(nonce: str) -> None:
    answer = fields(ENVELOPE.seal("<xml/>", Opened({}, NEW.key, nonce), 1))
    assert list(answer) == ["Encrypt", "MsgSignature", "TimeStamp", "Nonce"]
    assert answer["Nonce"] == nonce


def test_another_app_is_refused() -> None:
    query, body = sealed(encrypt(OTHER_APP, MESSAGE))
    with pytest.raises(BadCallback):
        ENVELOPE.open(query, body)


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ("msg_signature", sign(NEW.token, "1", "2")),
        ("msg_signature", ""),
        ("msg_signature", "é"),
        ("nonce", "3"),
        ("timestamp", "2"),
    ],
)
def test_only_msg_signature_opens_a_sealed_body(change: str, wrong: str) -> None:
    query, body = sealed(encrypt(NEW, MESSAGE))
    with pytest.raises(BadSignature):
        ENVELOPE.open(query | {change: wrong}, body)


def test_the_plain_signature_is_not_needed_beside_msg_signature() -> None:
    query, body = sealed(encrypt(NEW, MESSAGE), signature="wrong")
    assert ENVELOPE.open(query, body).root["MsgId"] == "7"


@PATIENT
@given(st.one_of(st.binary(max_size=200).map(lambda b: base64.b64encode(b).decode()), XML_TEXT))
@example("")
@example("A")
@example("====")
def test_signed_rubbish_is_malformed_and_nothing_else(ciphertext: str) -> None:
    query, body = sealed(ciphertext.replace("]]>", "").strip())
    with pytest.raises((BadCallback, BadSignature)):
        ENVELOPE.open(query, body)


@pytest.mark.parametrize("length", [b"\xff\xff\xff\xff", b"\x80\x00\x00\x00", b"\x00\x00\x00\x00", b"\x7f\xff\xff\xff"])
@pytest.mark.parametrize("padding", [b"\x00", b"\x01", b"\x20", b"\xff"])
def test_a_lying_frame_is_malformed(length: bytes, padding: bytes) -> None:
    text = MESSAGE.encode()
    plain = os.urandom(16) + length + text + NEW.app_id.encode()
    plain += padding * (32 - len(plain) % 32)
    query, body = sealed(aes(NEW.key, plain))
    with pytest.raises(BadCallback):
        ENVELOPE.open(query, body)


@PATIENT
@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_flipped_byte_never_becomes_another_error(place: int, flip: int) -> None:
    cipher = bytearray(base64.b64decode(encrypt(NEW, MESSAGE)))
    cipher[place % len(cipher)] ^= flip
    query, body = sealed(base64.b64encode(cipher).decode())
    try:
        opened = ENVELOPE.open(query, body)
    except BadCallback:
        return
    assert isinstance(opened.root, Mapping)


def test_an_empty_token_is_refused() -> None:
    with pytest.raises(ValueError, match="token"):
        Envelope(app_id="wx", token="", keys=())


@pytest.mark.parametrize("text", ["", "a" * 42, "a" * 44, "!" * 43, "积" * 43, NEW.aes[:-1] + " "])
def test_a_malformed_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        decode_aes_key(text)


def test_a_key_has_32_bytes() -> None:
    assert len(decode_aes_key(NEW.aes)) == 32


SHAPES = st.recursive(
    st.one_of(st.none(), st.text(max_size=8), st.sampled_from(["event", "text", "1", "١", "²", "1e9", "-1", "9" * 13])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=6,
)
NAMES = ["ToUserName", "FromUserName", "CreateTime", "MsgType", "Event", "EventKey", "MsgId", "MsgID", "Content"]
VALID = {"ToUserName": "gh", "FromUserName": "o", "CreateTime": "1", "MsgType": "text", "Content": "x", "MsgId": "1"}


@PATIENT
@given(st.dictionaries(st.sampled_from([*NAMES, "OpenID", "Recognition", "ScanCodeInfo"]), SHAPES, max_size=4))
def test_a_body_of_any_shape_is_a_message_or_malformed(changes: dict[str, Any]) -> None:
    with contextlib.suppress(BadCallback):
        found = inbound_of(VALID | changes)
        words = (found.to, found.openid, found.kind, found.text, found.event, found.event_key)
        assert all(isinstance(word, str) for word in words)
        assert found.to and found.openid and found.kind and 0 <= found.created < 10**12


@PATIENT
@given(st.one_of(st.binary(max_size=300), st.text(max_size=100).map(lambda t: f"<xml>{t}</xml>".encode())))
def test_any_bytes_are_a_mapping_or_malformed(body: bytes) -> None:
    with contextlib.suppress(BadCallback):
        assert isinstance(parse_xml(body), Mapping)


def test_every_part_of_the_key_counts() -> None:
    def key(**changes: str) -> str:
        return inbound_of(VALID | {"MsgType": "event", "Event": "CLICK", "EventKey": "k"} | changes).key

    different = {"ToUserName": "gh2", "FromUserName": "o2", "CreateTime": "2", "Event": "VIEW", "EventKey": "k2"}
    keys = [key(), *(key(**{name: value}) for name, value in different.items()), key(MsgId="2")]
    assert len(set(keys)) == len(keys)
    assert key() == keys[0]


def test_msgid_in_either_spelling_counts() -> None:
    event = VALID | {"MsgType": "event", "Event": "TEMPLATESENDJOBFINISH"}
    del event["MsgId"]
    found = {inbound_of(one).key for one in (event, event | {"MsgID": "1"}, event | {"MsgID": "2"})}
    assert len(found) == 3
