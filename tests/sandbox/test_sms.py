"""The SMS inbox: recorded always, shown to whoever holds the phone."""

import pytest

from tests.sandbox.shop import Bench

pytestmark = pytest.mark.anyio


async def test_an_sms_is_shown_to_the_owner_of_the_phone_with_a_masked_number(b: Bench) -> None:
    sent = await b.http.post("/sandbox/sms/send", json={"phone": "13800000001", "text": "验证码 123456"})
    assert sent.json() == {"ok": True, "shown": 1}
    (event,) = await b.seen("alice", "sms")
    assert (event["text"], event["phone"]) == ("验证码 123456", "138****0001")


async def test_an_sms_goes_to_the_conversation_that_asked(b: Bench) -> None:
    body = {"phone": "13800000001", "text": "验证码 123456", "openid": "bob"}
    await b.http.post("/sandbox/sms/send", json=body)
    assert (len(await b.seen("alice")), len(await b.seen("bob"))) == (0, 1)


async def test_an_sms_to_an_unknown_phone_is_recorded_all_the_same(b: Bench) -> None:
    await b.http.post("/sandbox/sms/send", json={"phone": "13911112222", "text": "您好"})
    (message,) = (await b.http.get("/sandbox/api/sms")).json()["messages"]
    assert (message["phone"], message["text"], message["openids"]) == ("13911112222", "您好", [])
    assert (await b.http.post("/sandbox/sms/send", json={"phone": "", "text": "x"})).status_code == 400
