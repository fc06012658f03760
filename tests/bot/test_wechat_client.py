"""Tokens, repeats, lost answers: the API client against a platform that refuses, stalls and hangs up."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from bot.wechat import MemoryTokens, WeChatClient
from scheduler.channels import Meaning, Outcome, SendResult
from tests.bot.wechat_platform import TEXT, Platform, holding


def test_a_token_is_fetched_once_and_shared_between_clients() -> None:
    platform, store = Platform(), MemoryTokens()
    for _ in range(3):
        assert platform.client(store).send_service("o1", TEXT, "m1") == SendResult(Outcome.ACCEPTED, "0")
    assert platform.token_calls == 1
    held = store.get()
    assert held is not None
    assert held[0] == "T1"
    assert timedelta(0) < datetime.now(UTC) + timedelta(seconds=7200) - held[1] < timedelta(minutes=5)


def test_an_expired_token_is_not_used() -> None:
    platform = Platform()
    platform.client(holding("T0", timedelta(seconds=-1))).send_service("o1", TEXT, "m1")
    assert [call.url.params["access_token"] for call in platform.calls] == ["T1"]


@pytest.mark.parametrize("errcode", [40001, 40014, 42001])
def test_a_refused_token_is_renewed_and_the_call_repeated_once(errcode: int) -> None:
    platform = Platform({"errcode": errcode, "errmsg": "x"})
    assert platform.client(holding("T1")).send_subscription("o1", "t1", {}, "").outcome is Outcome.ACCEPTED
    assert (len(platform.calls), platform.token_calls) == (2, 1)


def test_a_token_refused_again_fails_without_end_of_recursion() -> None:
    platform = Platform()
    platform.stuck = True
    result = platform.client(holding("T1")).send_mass(["o1", "o2"], TEXT, "m1")
    assert (result.outcome, result.errcode, result.meaning) == (Outcome.REFUSED, "40001", Meaning.TOKEN)
    assert (len(platform.calls), platform.token_calls) == (2, 1)


@pytest.mark.parametrize("held", ["T0", "T1"])
def test_a_storm_of_refused_tokens_makes_one_refresh(held: str) -> None:
    """Eight threads have their token refused together; holding T1, the platform hands out that very token again."""
    platform = Platform()
    platform.storm_of = 8
    client = platform.client(holding(held))
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda n: client.send_service(f"o{n}", TEXT, f"m{n}"), range(8)))
    assert {result.outcome for result in results} == {Outcome.ACCEPTED}
    assert (platform.token_calls, len(platform.calls)) == (1, 8)


def test_eight_threads_without_a_token_fetch_one() -> None:
    platform = Platform()
    client = platform.client()
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda n: client.send_service(f"o{n}", TEXT, f"m{n}"), range(8)))
    assert {result.outcome for result in results} == {Outcome.ACCEPTED}
    assert platform.token_calls == 1


def test_another_process_has_renewed_already() -> None:
    platform, store = Platform(), holding("T0")

    def renewed_meanwhile(request: httpx.Request) -> httpx.Response:
        store.put("T1", datetime.now(UTC) + timedelta(hours=1))
        return platform(request)

    transport = httpx.MockTransport(renewed_meanwhile)
    client = WeChatClient("wx1", "s", "https://api.weixin.example", token_store=store, transport=transport)
    assert client.send_service("o1", TEXT, "m1").outcome is Outcome.ACCEPTED
    assert (platform.token_calls, len(platform.calls)) == (0, 2)


def test_an_address_that_is_not_allowed_is_never_repeated() -> None:
    platform = Platform()
    platform.token_script = [{"errcode": 40164, "errmsg": "invalid ip 1.2.3.4, not in whitelist"}]
    result = platform.client().send_template("o1", "t1", {}, "", "m1")
    assert (result.outcome, result.meaning) == (Outcome.REFUSED, Meaning.IP_NOT_ALLOWED)
    assert (platform.token_calls, platform.calls, platform.slept) == (1, [], [])


@pytest.mark.parametrize("step", [httpx.ReadTimeout, httpx.ConnectError, {"errcode": -1}, httpx.Response(502)])
def test_without_a_token_nothing_has_left(step: Any) -> None:
    platform = Platform()
    platform.token_script = [step] * 3
    result = platform.client().send_template("o1", "t1", {}, "", "m1")
    assert result.outcome is Outcome.RETRY
    assert (platform.token_calls, platform.calls, len(platform.slept)) == (3, [], 2)


@pytest.mark.parametrize("answer", [{}, {"access_token": "T1"}, {"access_token": "T1", "expires_in": "soon"}])
def test_a_token_answer_that_makes_no_sense(answer: dict[str, Any]) -> None:
    platform = Platform()
    platform.token_script = [answer]
    assert platform.client().send_service("o1", TEXT, "m1").outcome is Outcome.RETRY


Send = Callable[[WeChatClient], SendResult]


def service(client: WeChatClient) -> SendResult:
    return client.send_service("o1", TEXT, "m1")


def template(client: WeChatClient) -> SendResult:
    return client.send_template("o1", "t1", {"thing1": "牛奶"}, "", "m1")


def subscription(client: WeChatClient) -> SendResult:
    return client.send_subscription("o1", "t1", {"thing1": "牛奶"}, "")


def mass(client: WeChatClient) -> SendResult:
    return client.send_mass(["o1", "o2"], TEXT, "m1")


@pytest.mark.parametrize(("send", "calls"), [(service, 1), (subscription, 1), (template, 3), (mass, 3)])
def test_busy_is_repeated_at_once_only_under_a_client_id(send: Send, calls: int) -> None:
    platform = Platform(*[{"errcode": -1, "errmsg": "system error"}] * 9)
    result = send(platform.client())
    assert (result.outcome, result.meaning, len(platform.calls)) == (Outcome.RETRY, Meaning.BUSY, calls)
    assert len(platform.slept) == calls - 1
    assert sorted(platform.slept) == platform.slept


def test_busy_and_then_not() -> None:
    platform = Platform({"errcode": -1}, {"errcode": 0, "msgid": 9007199254740993})
    assert template(platform.client()) == SendResult(Outcome.ACCEPTED, "0", "9007199254740993")


@pytest.mark.parametrize("send", [service, subscription, template, mass])
@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (httpx.ReadTimeout, Outcome.UNKNOWN),
        (httpx.RemoteProtocolError, Outcome.UNKNOWN),
        (httpx.WriteTimeout, Outcome.UNKNOWN),
        (httpx.ConnectError, Outcome.RETRY),
        (httpx.ConnectTimeout, Outcome.RETRY),
    ],
)
def test_a_lost_answer_is_left_to_delivery(send: Send, error: type[httpx.TransportError], outcome: Outcome) -> None:
    platform = Platform(error)
    result = send(platform.client())
    assert (result.outcome, result.errcode, len(platform.calls)) == (outcome, error.__name__, 1)


@pytest.mark.parametrize(
    ("step", "outcome", "code"),
    [
        (httpx.Response(502, text="<html>"), Outcome.UNKNOWN, "http_502"),
        (httpx.Response(200, text="<html>"), Outcome.UNKNOWN, "http_200"),
        (httpx.Response(200, text="[]"), Outcome.UNKNOWN, "http_200"),
        (httpx.Response(404, text="no"), Outcome.REFUSED, "http_404"),
        (httpx.Response(200, text="{}"), Outcome.UNKNOWN, "no_errcode"),
        ({"errcode": 45015, "errmsg": "out of time"}, Outcome.REFUSED, "45015"),
        ({"errcode": 45009, "errmsg": "quota"}, Outcome.RETRY, "45009"),
        ({"errcode": 99999, "errmsg": "new"}, Outcome.REFUSED, "99999"),
    ],
)
def test_answers(step: Any, outcome: Outcome, code: str) -> None:
    result = service(Platform(step).client())
    assert (result.outcome, result.errcode) == (outcome, code)


def test_already_sent_is_accepted_with_the_first_id() -> None:
    platform = Platform({"errcode": 45065, "errmsg": "clientmsgid exist", "msg_id": 3147494441})
    assert mass(platform.client()) == SendResult(Outcome.ACCEPTED, "45065", "3147494441")
