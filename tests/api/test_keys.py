"""Keys: who may ask, for what, and until when."""

import pytest
from sqlalchemy import select

from members import api_keys
from members.errors import MemberError
from members.tables import ApiKey, table
from tests.support.shop import Shop
from tests.support.till import NOBODY, Till, refusal


def test_key_is_43_signs_of_256_bits_and_only_its_hash_is_kept(shop: Shop, till: Till) -> None:
    assert till.key.startswith("mb_") and len(till.key) == 46 and till.key[3:].isalnum()
    assert len({api_keys.base62(bytes([n] * 32)) for n in range(256)}) == 256
    with shop.service.database.reading() as connection:
        row = connection.execute(select(table(ApiKey))).one()
    assert till.key not in str(row)
    assert row.hash == api_keys.digest(till.key) and row.prefix == till.key[:9]


def test_no_key_and_wrong_key_are_401(shop: Shop, till: Till) -> None:
    plain = shop.request("GET", "/api/v1/members/13800138000")
    assert refusal(plain) == (401, "api_key_missing")
    assert plain.headers["www-authenticate"] == "Bearer"
    for wrong in ("mb_x", till.key[:-1], till.key + "0", "键", "x" * 5000):
        headers = {"Authorization": f"Bearer {wrong}".encode()}
        answer = shop.request("GET", "/api/v1/members/13800138000", headers=headers)
        assert refusal(answer) == (401, "api_key_unknown"), wrong
    basic = shop.request("GET", "/api/v1/members/1", headers={"Authorization": "Basic " + till.key})
    assert refusal(basic) == (401, "api_key_missing")


def test_scope_is_needed(shop: Shop) -> None:
    reader = Till(shop, ["members:read"])
    answer = reader.post("/products", {"products": [{"sku": "A", "name": "甲"}]})
    assert refusal(answer) == (403, "api_scope")
    assert "products:write" in answer.json()["detail"]
    shop.member("+8613800138000")
    assert reader.get("/members/13800138000").status_code == 200


def test_revoked_key_ends_at_once(shop: Shop, till: Till) -> None:
    shop.member("+8613800138000")
    assert till.get("/members/13800138000").status_code == 200
    with shop.service.database.transaction() as connection:
        assert api_keys.revoke(connection, till.id, by=NOBODY, now=shop.clock.now())
        assert not api_keys.revoke(connection, till.id, by=NOBODY, now=shop.clock.now())
    assert refusal(till.get("/members/13800138000")) == (401, "api_key_unknown")


def test_key_needs_a_known_scope_and_store(shop: Shop) -> None:
    with shop.service.database.transaction() as connection:
        for scopes, store, code in (([], None, "api_scope_unknown"), (["orders"], None, "api_scope_unknown")):
            with pytest.raises(MemberError) as refused:
                api_keys.make(connection, name="x", scopes=scopes, store=store, by=NOBODY, now=shop.clock.now())
            assert refused.value.code == code
        with pytest.raises(MemberError) as refused:
            api_keys.make(connection, name="x", scopes=["orders:write"], store="s9", by=NOBODY, now=shop.clock.now())
        assert refused.value.code == "store_unknown"


def test_requests_past_the_rate_are_429(shop: Shop, till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    from limits import RateLimitItemPerMinute

    from bot.api import gate

    monkeypatch.setattr(gate, "RATE", RateLimitItemPerMinute(3))
    answers = [till.get("/orders/A1").status_code for _ in range(8)]
    # the minute may turn while we ask
    assert answers[0] == 404 and 429 in answers
    last = till.get("/orders/A1")
    if last.status_code == 429:
        assert refusal(last) == (429, "api_rate") and int(last.headers["retry-after"]) > 0
