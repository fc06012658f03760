"""Access tokens, quotas and scripted faults (PLATFORM.md, "Tokens", errcodes, and the issue's list of faults)."""

from typing import Any

import pytest

from tests.sandbox.shop import APP_ID, SECRET, Bench, bench

pytestmark = pytest.mark.anyio
ASK = {"grant_type": "client_credential", "appid": APP_ID, "secret": SECRET}


async def use(b: Bench, token: str | None) -> int:
    query = {} if token is None else {"access_token": token}
    response = await b.http.get("/sandbox/cgi-bin/tags/get", params=query)
    assert response.status_code == 200
    return int(response.json().get("errcode", 0))


async def plain(b: Bench, **changed: str) -> dict[str, Any]:
    answer: dict[str, Any] = (await b.http.get("/sandbox/cgi-bin/token", params={**ASK, **changed})).json()
    return answer


async def test_the_stable_token_is_the_same_on_repeated_calls(b: Bench) -> None:
    first = await b.fetch_token()
    assert first["expires_in"] == 7200 and "errcode" not in first
    b.shop.pass_time(seconds=7199)
    assert await b.fetch_token() == {"access_token": first["access_token"], "expires_in": 1}
    assert await use(b, first["access_token"]) == 0


async def test_a_token_past_its_time_is_42001_and_a_new_one_is_issued(b: Bench) -> None:
    old = (await b.fetch_token())["access_token"]
    b.shop.pass_time(seconds=7200)
    assert await use(b, old) == 42001
    new = await b.fetch_token()
    assert new["access_token"] != old and new["expires_in"] == 7200
    assert await use(b, new["access_token"]) == 0


async def test_a_missing_or_invented_token_is_40001(b: Bench) -> None:
    assert [await use(b, token) for token in (None, "", "invented")] == [40001, 40001, 40001]


@pytest.mark.parametrize(
    ("wrong", "code"), [({"secret": "no"}, 40125), ({"appid": "wx_no"}, 40013), ({"grant_type": "password"}, 40002)]
)
async def test_a_wrong_account_gets_no_token(b: Bench, wrong: dict[str, str], code: int) -> None:
    assert (await b.fetch_token(**wrong))["errcode"] == code
    assert (await plain(b, **wrong))["errcode"] == code


async def test_a_forced_refresh_revokes_the_token_before_and_is_allowed_20_times_a_day(b: Bench) -> None:
    old = (await b.fetch_token())["access_token"]
    assert await use(b, old) == 0
    newer = (await b.fetch_token(force_refresh=True))["access_token"]
    assert [await use(b, old), await use(b, newer)] == [40001, 0]
    fresh = [await b.fetch_token(force_refresh=True) for _ in range(20)]
    assert [answer.get("errcode", 0) for answer in fresh] == [0] * 19 + [45009]
    last = fresh[18]["access_token"]
    assert await use(b, last) == 0 and (await b.fetch_token())["access_token"] == last
    b.shop.pass_time(days=1)
    assert "access_token" in await b.fetch_token(force_refresh=True)


async def test_the_ordinary_token_changes_with_each_call_and_leaves_the_stable_one_alone(b: Bench) -> None:
    stable = (await b.fetch_token())["access_token"]
    first, second = (await plain(b))["access_token"], (await plain(b))["access_token"]
    assert first != second
    assert [await use(b, token) for token in (stable, first, second)] == [0, 0, 0]
    for _ in range(20):
        await plain(b)
    assert await use(b, stable) == 0
    second = (await plain(b))["access_token"]
    b.shop.pass_time(minutes=5)
    assert [await use(b, token) for token in (stable, first, second)] == [0, 42001, 0]


async def test_the_daily_quota_is_45009_until_cleared_and_can_be_cleared_ten_times_a_month() -> None:
    async with bench(daily_quotas={"/cgi-bin/tags/get": 1}) as b:
        for _ in range(10):
            assert [await b.code("tags/get") for _ in range(2)] == [0, 45009]
            assert await b.code("clear_quota", {"appid": APP_ID}) == 0
        assert await b.code("clear_quota", {"appid": "wx_no"}) == 40013
        assert await b.code("clear_quota", {"appid": APP_ID}) == 48006
        b.shop.pass_time(days=31)
        assert await b.code("clear_quota", {"appid": APP_ID}) == 0


async def test_the_minute_quota_is_45011_until_the_next_minute() -> None:
    async with bench(minute_quotas={"/cgi-bin/tags/get": 2}) as b:
        assert [await b.code("tags/get") for _ in range(3)] == [0, 0, 45011]
        b.shop.pass_time(minutes=1)
        assert await b.code("tags/get") == 0


# --- faults


async def test_busy_answers_minus_one_and_does_nothing_as_often_as_scripted(b: Bench) -> None:
    await b.act("say", openid="alice", text="积分")
    await b.act("faults", kind="busy", path="/cgi-bin/message/custom/send", count=2)
    assert [await b.serve(str(n)) for n in range(3)] == [-1, -1, 0]
    assert [e["text"] for e in await b.seen("alice")] == ["2"]


async def test_any_errcode_can_be_scripted(b: Bench) -> None:
    await b.act("faults", kind="errcode", path="*", count=1, errcode=43117)
    assert (await b.fetch_token())["errcode"] == 43117
    await b.act("faults", kind="errcode", path="/cgi-bin/tags/get", count=1, errcode=40164)
    assert [await b.code("tags/get"), await b.code("tags/get")] == [40164, 0]


async def test_drop_performs_the_send_and_loses_the_answer(b: Bench) -> None:
    await b.act("say", openid="alice", text="积分")
    await b.act("faults", kind="drop", path="/cgi-bin/message/custom/send", count=1)
    body = {"touser": "alice", "msgtype": "text", "text": {"content": "到了"}}
    lost = await b.raw("message/custom/send", body)
    assert (lost.status_code, lost.content) == (500, b"")
    assert [e["text"] for e in await b.seen("alice")] == ["到了"]


async def test_a_lost_mass_send_is_told_apart_by_its_clientmsgid(b: Bench) -> None:
    await b.act("faults", kind="drop", path="/cgi-bin/message/mass/send", count=1)
    body = {"touser": ["alice", "bob"], "msgtype": "text", "text": {"content": "特惠"}, "clientmsgid": "once"}
    assert (await b.raw("message/mass/send", body)).status_code == 500
    assert await b.code("message/mass/send", body) == 45065
    assert len(await b.seen("alice")) == 1


async def test_hang_waits_and_then_performs(b: Bench) -> None:
    await b.act("say", openid="alice", text="积分")
    await b.act("faults", kind="hang", path="*", count=1, seconds=0.01)
    assert await b.serve("来了") == 0
    assert len(await b.seen("alice")) == 1


async def test_expired_token_answers_42001_until_a_new_token_is_fetched(b: Bench) -> None:
    await b.act("say", openid="alice", text="积分")
    await b.act("faults", kind="expired_token", path="/cgi-bin/message/custom/send", count=1)
    assert [await b.serve("一"), await b.serve("二")] == [42001, 42001]
    old = b.token
    b.token = (await b.fetch_token())["access_token"]
    assert b.token != old and await b.serve("三") == 0
    assert [e["text"] for e in await b.seen("alice")] == ["三"]


async def test_faults_are_listed_announced_and_cleared(b: Bench) -> None:
    await b.act("faults", kind="busy", path="/cgi-bin/tags/get", count=3)
    assert await b.code("tags/get") == -1
    (fault,) = (await b.http.get("/sandbox/api/state")).json()["faults"]
    assert (fault["kind"], fault["path"], fault["count"]) == ("busy", "/cgi-bin/tags/get", 2)
    announced = [event for event in b.platform.world.hub.since(0) if event["type"] == "fault"]
    assert [event["text"] for event in announced] == ["故障:/cgi-bin/tags/get 返回 -1"]
    assert (await b.http.delete("/sandbox/api/faults")).json() == {"ok": True}
    assert (await b.http.get("/sandbox/api/state")).json()["faults"] == []


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "flood", "path": "*", "count": 1},
        {"kind": "busy", "path": "cgi-bin", "count": 1},
        {"kind": "busy", "path": "*", "count": 0},
        {"kind": "busy", "path": "*", "count": True},
        {"kind": "hang", "path": "*", "count": 1, "seconds": -1},
    ],
)
async def test_faults_that_make_no_sense_are_refused(b: Bench, fault: dict[str, Any]) -> None:
    assert await b.refused("faults", **fault)
