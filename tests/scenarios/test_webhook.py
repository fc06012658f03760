"""The callback's front door: verification, the three modes, signatures, keys and methods."""

import shutil
import string
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.faults.raw import call
from tests.support.shop import KEYS, Shop, open_shop
from tests.support.talker import Keys, Talker, encrypt, fields, shown, sign

OLD = Keys(KEYS.app_id, KEYS.token, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefg")
UNKNOWN = Keys(KEYS.app_id, KEYS.token, "zyxwvutsrqponmlkjihgfedcba9876543210ZYXWVUT")
OTHER_APP = Keys("wx99999999else", KEYS.token, KEYS.aes)


@pytest.fixture
def shop(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Shop]:
    """A shop that has just changed its AES key; SQLite, since nothing here reaches the books in a way of its own."""
    url = f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'test.db')}"
    with open_shop(tmp_path, url, {"wechat": {"previous_aes_key": OLD.aes}}) as running:
        yield running


def verification(**changes: str) -> dict[str, str]:
    """The query of the platform's GET."""
    query = {"timestamp": "1700000000", "nonce": "123", "echostr": "7181231"}
    return query | {"signature": sign(KEYS.token, "1700000000", "123")} | changes


def get(shop: Shop, query: dict[str, str], method: str = "GET") -> httpx.Response:
    """Ask as the platform does when the address is entered."""
    return shop.request(method, "/wechat", params=query)


def talker(shop: Shop, keys: Keys, mode: str, openid: str = "o-anna") -> Talker:
    """Somebody whose messages the platform signs with other keys."""
    return Talker(openid, keys, mode, shop.post, lambda: int(shop.clock.now().timestamp()))


@pytest.mark.parametrize(
    "echo",
    ["7181231", "", " +%&=?#/\\", "积分😀", "<script>alert(1)</script>", "a\r\nSet-Cookie: x=1", string.printable],
)
def test_the_address_is_verified_by_the_echo(shop: Shop, echo: str) -> None:
    answer = get(shop, verification(echostr=echo))
    assert (answer.status_code, answer.text) == (200, echo)
    assert answer.headers["content-type"].startswith("text/plain"), "an echo must never become a page"
    assert set(answer.headers) == {"content-type", "content-length"}


@pytest.mark.parametrize("name", ["signature", "timestamp", "nonce"])
@pytest.mark.parametrize("wrong", ["", "0", "é", "积分", "a" * 40])
def test_a_wrong_signature_is_not_echoed(shop: Shop, name: str, wrong: str) -> None:
    answer = get(shop, verification(**{name: wrong}))
    assert answer.status_code == 403
    assert "7181231" not in answer.text


@pytest.mark.parametrize("missing", ["signature", "timestamp", "nonce"])
def test_a_missing_parameter_is_not_echoed(shop: Shop, missing: str) -> None:
    query = verification()
    del query[missing]
    assert get(shop, query).status_code == 403


def test_a_signature_without_the_token_is_refused(shop: Shop) -> None:
    assert get(shop, verification(signature=sign("", "1700000000", "123"))).status_code == 403
    assert get(shop, {}).status_code == 403


def test_an_upper_case_signature_is_refused(shop: Shop) -> None:
    assert get(shop, verification(signature=verification()["signature"].upper())).status_code == 403


@pytest.mark.parametrize(
    "query", ["", "?", "&&&", "=", "signature", "%", "%zz=%", "signature=%ff&timestamp=%00", "a" * 9000]
)
def test_any_query_is_answered(shop: Shop, query: str) -> None:
    for method in ("GET", "POST"):
        answer = shop.request(method, f"/wechat?{query}", content=b"<xml/>")
        assert answer.status_code == 403


@pytest.mark.parametrize("query", ["signature=é".encode(), b"\xff\xfe", b"\0=\0", b"nonce=" + b"1" * 60_000])
def test_any_bytes_of_a_query_are_answered(shop: Shop, query: bytes) -> None:
    for method in ("GET", "POST"):
        assert call(shop.portal, shop.front, method, query, [b"<xml/>"]).status == 403


def test_a_doubled_parameter_does_not_get_an_unsigned_one_through(shop: Shop) -> None:
    right = verification()
    for name in ("timestamp", "nonce", "signature"):
        doubled = [*right.items(), (name, "0")]
        swapped = [(name, "0"), *right.items()]
        answers = [shop.request("GET", "/wechat", params=params) for params in (doubled, swapped)]
        for answer in answers:
            assert answer.status_code in (200, 403)
        assert sum(answer.status_code == 200 for answer in answers) == 1, "one of the two counts, always the same"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])
def test_other_methods_are_refused(shop: Shop, method: str) -> None:
    body, query = shop.talker("o-anna").request(shop.talker("o-anna").text_xml("积分"))
    assert shop.request(method, "/wechat", content=body, params=query).status_code == 405


def test_head_is_a_get_without_words(shop: Shop) -> None:
    assert get(shop, verification(), "HEAD").status_code == 200
    assert get(shop, verification(nonce="1"), "HEAD").status_code == 403


def test_only_the_exact_path_is_the_callback(shop: Shop) -> None:
    for path in ("/wechat/", "/wechat/x", "/WECHAT", "//wechat"):
        assert shop.request("GET", path, params=verification()).status_code in (307, 404)


@pytest.mark.parametrize("mode", ["plain", "compatible", "aes"])
@pytest.mark.parametrize("text", ["帮助", "你好😀", "]]>", "&lt;b&gt;", "  帮助  "])
def test_every_mode_answers_in_its_own(shop: Shop, mode: str, text: str) -> None:
    answer = shop.talker("o-anna", mode).send(shop.talker("o-anna", mode).text_xml(text))
    said = fields(answer)
    assert list(said) == ["ToUserName", "FromUserName", "CreateTime", "MsgType", "Content"]
    assert (said["ToUserName"], said["FromUserName"], said["MsgType"]) == ("o-anna", "gh_test", "text")
    assert said["CreateTime"] == str(int(shop.clock.now().timestamp()))
    assert said["Content"]


@pytest.mark.parametrize("mode", ["compatible", "aes"])
def test_the_previous_key_is_taken_and_answered_with(shop: Shop, mode: str) -> None:
    old = talker(shop, OLD, mode)
    assert "绑定" in old.say("帮助"), "Talker opens the answer with its own key"
    with pytest.raises(AssertionError, match="400"):
        talker(shop, UNKNOWN, mode).say("帮助")


def test_another_app_is_refused(shop: Shop) -> None:
    with pytest.raises(AssertionError, match="400"):
        talker(shop, OTHER_APP, "aes").say("帮助")


def test_raw_is_plain(shop: Shop) -> None:
    anna = shop.talker("o-anna")
    body, query = anna.request(anna.text_xml("帮助"))
    assert "绑定" in shown(shop.post(body, query | {"encrypt_type": "raw"}).text)


def test_compatible_mode_believes_what_was_encrypted(shop: Shop) -> None:
    """The plain half of a compatible body is covered by no signature."""
    anna = talker(shop, KEYS, "compatible")
    body, query = anna.request(anna.text_xml("帮助"))
    forged = body.replace(b"o-anna", b"o-eve")
    assert forged != body
    assert fields(anna.open(shop.post(forged, query), query["nonce"]))["ToUserName"] == "o-anna"


def test_the_plain_signature_does_not_open_a_sealed_body(shop: Shop) -> None:
    anna = talker(shop, KEYS, "aes")
    body, query = anna.request(anna.text_xml("帮助"))
    for wrong in (query["signature"], "", "é", query["msg_signature"].upper()):
        assert shop.post(body, query | {"msg_signature": wrong}).status_code == 403
    without = {name: value for name, value in query.items() if name != "msg_signature"}
    assert shop.post(body, without).status_code == 403
    assert shop.post(body, query | {"signature": "wrong"}).status_code == 200, "only msg_signature counts here"


def test_a_msg_signature_does_not_open_a_plain_body(shop: Shop) -> None:
    anna = talker(shop, KEYS, "plain")
    body, query = anna.request(anna.text_xml("帮助"))
    signature = query.pop("signature")
    assert shop.post(body, query | {"msg_signature": signature}).status_code == 403
    assert shop.post(body, query).status_code == 403


def test_a_signature_covers_one_ciphertext(shop: Shop) -> None:
    anna = talker(shop, KEYS, "aes")
    _, query = anna.request(anna.text_xml("帮助"))
    other = f"<xml><Encrypt>{encrypt(KEYS, anna.text_xml('积分'))}</Encrypt></xml>".encode()
    assert shop.post(other, query).status_code == 403


def test_an_old_timestamp_is_a_retry_and_no_attack(shop: Shop) -> None:
    """Retries carry the identical signature, timestamp and nonce; the platform documents no freshness."""
    anna = shop.talker("o-anna")
    xml = anna.text_xml("帮助")
    body, query = anna.request(xml)
    assert shop.post(body, query).text == shop.post(body, query).text != "success"
