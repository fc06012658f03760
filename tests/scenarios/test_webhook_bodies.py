"""Bodies the platform would never send are a 400, those past the cap a 413, and odd but legal ones are answered."""

import base64
import contextlib
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from sqlalchemy import func, select

from members.tables import Inbox, table
from tests.faults.bodies import BROKEN, HEAD, ODD, SILENT, TEXT, message
from tests.faults.raw import Answer, call
from tests.support.shop import KEYS, Shop, open_shop
from tests.support.talker import fields, sign

CAP = 64 * 1024
inbox = table(Inbox)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One shop for all of these: none may leave a trace in it."""
    folder: Path = tmp_path_factory.mktemp("bodies")
    with open_shop(folder, f"sqlite:///{folder / 'test.db'}") as running:
        yield running


def query(ciphertext: str | None = None) -> bytes:
    """A signed query; with a ciphertext, of an encrypted delivery."""
    base = f"timestamp=1&nonce=2&signature={sign(KEYS.token, '1', '2')}"
    if ciphertext is not None:
        base += f"&encrypt_type=aes&msg_signature={sign(KEYS.token, '1', '2', ciphertext)}"
    return base.encode()


def deliver(shop: Shop, body: str | bytes, mode: str = "plain") -> Answer:
    """Deliver a body, itself or encrypted, correctly signed."""
    raw = body.encode() if isinstance(body, str) else body
    if mode == "plain":
        return call(shop.portal, shop.front, "POST", query(), [raw])
    ciphertext = sealed(raw)
    outer = f"<xml><Encrypt>{ciphertext}</Encrypt></xml>".encode()
    return call(shop.portal, shop.front, "POST", query(ciphertext), [outer])


def sealed(raw: bytes) -> str:
    """Encrypt bytes that need not be text."""
    plain = os.urandom(16) + struct.pack(">I", len(raw)) + raw + KEYS.app_id.encode()
    plain += bytes([32 - len(plain) % 32]) * (32 - len(plain) % 32)
    encryptor = Cipher(algorithms.AES(KEYS.key), modes.CBC(KEYS.key[:16])).encryptor()
    return base64.b64encode(encryptor.update(plain) + encryptor.finalize()).decode()


def booked(shop: Shop) -> int:
    """How many callbacks are in the inbox."""
    with shop.service.database.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(inbox)).scalar_one())


SEALABLE = [name for name in sorted(BROKEN) if len(BROKEN[name]) < 40_000]  # the others would be past the cap
CASES = [*((name, "plain") for name in sorted(BROKEN)), *((name, "aes") for name in SEALABLE)]


@pytest.mark.parametrize(("name", "mode"), CASES)
def test_a_malformed_body_is_a_400(shop: Shop, name: str, mode: str) -> None:
    before = booked(shop)
    answer = deliver(shop, BROKEN[name], mode)
    assert (answer.status, answer.body) == (400, b"malformed callback")
    assert booked(shop) == before


def test_the_same_body_unbroken_is_answered(shop: Shop) -> None:
    for mode in ("plain", "aes"):
        answer = deliver(shop, message(), mode)
        assert answer.status == 200 and answer.body.startswith(b"<xml>")


@pytest.mark.parametrize("name", sorted(ODD))
def test_an_odd_message_is_answered_with_words(shop: Shop, name: str) -> None:
    answer = deliver(shop, ODD[name])
    assert answer.status == 200, answer.body
    said = fields(answer.body.decode())
    assert said["MsgType"] == "text" and said["Content"]
    assert "编号" not in said["Content"], "that is an incident"


def test_a_kind_nobody_knows_is_told_so(shop: Shop) -> None:
    said = fields(deliver(shop, message("<MsgType>hologram</MsgType><MsgId>80</MsgId>")).body.decode())
    assert said["Content"] == shop.service.copy.text("not_text")


@pytest.mark.parametrize("name", sorted(SILENT))
def test_an_odd_event_is_acknowledged(shop: Shop, name: str) -> None:
    before = booked(shop)
    head = HEAD.replace("1700000000", str(1_700_000_001 + sorted(SILENT).index(name)))
    answer = deliver(shop, message(f"<MsgType>event</MsgType>{SILENT[name]}", head))
    assert (answer.status, answer.body) == (200, b"success")
    assert booked(shop) == before + 1


@pytest.mark.parametrize("key", ["", "no-such-key", "]]>", "x" * 9000, "staff_issue", "积分"])
def test_a_menu_key_nobody_knows_is_answered(shop: Shop, key: str) -> None:
    assert shop.talker(f"o-{len(key)}").click(key.replace("]]>", "]]]]><![CDATA[>"))


@pytest.mark.parametrize("depth", [9, 1000, (CAP - 400) // 7])
def test_a_nest_is_malformed(shop: Shop, depth: int) -> None:
    nest = "<a>" * depth + "</a>" * depth
    assert len(message(TEXT + nest)) < CAP
    assert deliver(shop, message(TEXT + nest)).status == 400
    assert deliver(shop, message(TEXT.replace("帮助", nest))).status == 400
    assert deliver(shop, message(TEXT + nest.replace("</a>", ""))).status == 400
    assert deliver(shop, nest).status == 400


@pytest.mark.parametrize("mode", ["plain", "aes"])
def test_the_cap_is_64_kib_exactly(shop: Shop, mode: str) -> None:
    whole = f"<xml>{HEAD}<MsgType>text</MsgType><MsgId>{CAP}{mode}</MsgId><Content>积分</Content></xml>".encode()
    ciphertext = sealed(whole)
    body, signed = whole, query()
    if mode == "aes":
        body, signed = f"<xml><Encrypt>{ciphertext}</Encrypt></xml>".encode(), query(ciphertext)
    fits = body.replace(b"</xml>", b" " * (CAP - len(body)) + b"</xml>")
    assert len(fits) == CAP
    assert call(shop.portal, shop.front, "POST", signed, [fits]).status == 200
    over = fits.replace(b"</xml>", b" </xml>")
    assert call(shop.portal, shop.front, "POST", signed, [over]).status == 413


def test_an_endless_body_is_not_read_to_its_end(shop: Shop) -> None:
    chunks = [b"x" * 1000] * 1000
    answer = call(shop.portal, shop.front, "POST", query(), chunks)
    assert answer.status == 413
    assert answer.read <= CAP + 1000


def test_a_body_in_crumbs_is_one_body(shop: Shop) -> None:
    body = message(TEXT.replace(">1<", ">99<")).encode()
    answer = call(shop.portal, shop.front, "POST", query(), [body[i : i + 1] for i in range(len(body))])
    assert answer.status == 200 and answer.body.startswith(b"<xml>")


def test_a_client_that_leaves_leaves_nothing(shop: Shop) -> None:
    before = booked(shop)
    body = message(TEXT.replace(">1<", ">98<")).encode()
    assert call(shop.portal, shop.front, "POST", query(), [body[:100], None]).status in (0, 400)
    assert call(shop.portal, shop.front, "POST", query(), [None]).status in (0, 400)
    assert booked(shop) == before
    assert shop.service.webhook.in_flight == 0


@pytest.mark.parametrize("field", ["<Encrypt/>", "<Encrypt></Encrypt>", "<Encrypt><a/></Encrypt>", "<X>1</X>", ""])
def test_an_encrypted_body_without_its_content_is_malformed(shop: Shop, field: str) -> None:
    for ciphertext in ("", "x"):
        body = f"<xml>{field}</xml>".encode()
        assert call(shop.portal, shop.front, "POST", query(ciphertext), [body]).status in (400, 403)
    doubled = b"<xml><Encrypt>x</Encrypt><Encrypt>x</Encrypt></xml>"
    assert call(shop.portal, shop.front, "POST", query("x"), [doubled]).status == 400


def test_nothing_of_it_was_an_incident(shop: Shop) -> None:
    """Last in this file: whatever was answered above was answered by rule, not by luck."""
    with shop.service.database.reading() as connection, contextlib.closing(connection.execute(select(inbox))) as rows:
        assert [row.key for row in rows if row.incident] == []
