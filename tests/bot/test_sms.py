"""What the gateways make of the vendors' answers, of silence, and of a line that breaks."""

import io
import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from bot.outgoing import open_client
from bot.sms import AliyunSms, ConsoleSms, SandboxSms, SmsGateway, SmsMessage, TencentSms, VendorTemplate
from scheduler.channels import Outcome

MESSAGE = SmsMessage("+8613800138000", "verify", {"code": "482913"}, "验证码482913", "oA1", "bind:1")
TEMPLATES = {"verify": VendorTemplate("T1", ("code",))}
Answer = Callable[[httpx.Request], httpx.Response]


def aliyun(answer: Answer) -> SmsGateway:
    return AliyunSms("id", "secret", "邻家", TEMPLATES, transport=httpx.MockTransport(answer))


def tencent(answer: Answer) -> SmsGateway:
    return TencentSms("id", "secret", "14", "邻家", TEMPLATES, transport=httpx.MockTransport(answer))


def sandbox(answer: Answer) -> SmsGateway:
    return SandboxSms("http://127.0.0.1:1/sandbox", transport=httpx.MockTransport(answer))


def says(body: object, status: int = 200) -> Answer:
    return lambda request: httpx.Response(status, json=body)


def breaks(error: type[httpx.TransportError]) -> Answer:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error("line", request=request)

    return answer


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [
        (200, "OK", Outcome.ACCEPTED),
        (200, "isv.BUSINESS_LIMIT_CONTROL", Outcome.REFUSED),
        (200, "isv.MOBILE_NUMBER_ILLEGAL", Outcome.REFUSED),
        (403, "InvalidAccessKeyId.NotFound", Outcome.REFUSED),
        (200, "isp.SYSTEM_ERROR", Outcome.RETRY),
        (400, "Throttling.User", Outcome.RETRY),
        (503, "ServiceUnavailable", Outcome.RETRY),
        (500, "InternalError", Outcome.UNKNOWN),
        (200, "", Outcome.UNKNOWN),
    ],
)
def test_aliyun_codes(status: int, code: str, outcome: Outcome) -> None:
    result = aliyun(says({"Code": code, "RequestId": "r"}, status)).send(MESSAGE)
    assert (result.outcome, result.code) == (outcome, code)


def entry(code: str, serial: str = "s") -> dict[str, object]:
    return {"SerialNo": serial, "PhoneNumber": "+8613800138000", "Code": code}


@pytest.mark.parametrize(
    ("response", "outcome", "code"),
    [
        ({"SendStatusSet": [entry("Ok")]}, Outcome.ACCEPTED, "Ok"),
        ({"SendStatusSet": [entry("LimitExceeded.PhoneNumberThirtySecondLimit", "")]}, Outcome.REFUSED, None),
        ({"SendStatusSet": [entry("Ok"), entry("FailedOperation.PhoneNumberInBlacklist")]}, Outcome.REFUSED, None),
        ({"SendStatusSet": [entry("InternalError.Timeout")]}, Outcome.UNKNOWN, None),
        ({"SendStatusSet": []}, Outcome.UNKNOWN, "no_status"),
        ({}, Outcome.UNKNOWN, "no_status"),
        ({"Error": {"Code": "AuthFailure.SignatureExpire"}}, Outcome.REFUSED, "AuthFailure.SignatureExpire"),
        ({"Error": {"Code": "RequestLimitExceeded.IPLimitExceeded"}}, Outcome.RETRY, None),
        ({"Error": {"Code": "InternalError"}}, Outcome.UNKNOWN, None),
    ],
)
def test_tencent_reads_every_entry(response: dict[str, object], outcome: Outcome, code: str | None) -> None:
    result = tencent(says({"Response": response})).send(MESSAGE)
    assert result.outcome is outcome
    assert code is None or result.code == code


@pytest.mark.parametrize("gateway", [aliyun, tencent, sandbox])
@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (httpx.ConnectError, Outcome.RETRY),
        (httpx.ConnectTimeout, Outcome.RETRY),
        (httpx.PoolTimeout, Outcome.RETRY),
        (httpx.ReadTimeout, Outcome.UNKNOWN),
        (httpx.WriteTimeout, Outcome.UNKNOWN),
        (httpx.ReadError, Outcome.UNKNOWN),
        (httpx.RemoteProtocolError, Outcome.UNKNOWN),
    ],
)
def test_a_broken_line(
    gateway: Callable[[Answer], SmsGateway], error: type[httpx.TransportError], outcome: Outcome
) -> None:
    result = gateway(breaks(error)).send(MESSAGE)
    assert (result.outcome, result.code) == (outcome, error.__name__)


@pytest.mark.parametrize("gateway", [aliyun, tencent, sandbox])
@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, Outcome.UNKNOWN), (502, Outcome.UNKNOWN), (404, Outcome.REFUSED), (429, Outcome.RETRY)],
)
def test_an_answer_that_is_not_json(gateway: Callable[[Answer], SmsGateway], status: int, outcome: Outcome) -> None:
    result = gateway(lambda request: httpx.Response(status, text="<html>gateway</html>")).send(MESSAGE)
    assert (result.outcome, result.code) == (outcome, f"http_{status}")


@pytest.mark.parametrize("gateway", [aliyun, tencent])
def test_what_no_approved_template_can_say_is_refused_unsent(gateway: Callable[[Answer], SmsGateway]) -> None:
    def never(request: httpx.Request) -> httpx.Response:
        raise AssertionError("sent")

    assert gateway(never).send(SmsMessage("+8613800138000", "marketing", {}, "", None, "m")).code == "no_marketing"
    assert gateway(never).send(SmsMessage("+8613800138000", "verify", {}, "", None, "m")).code == "no_code"


def test_sandbox_posts_the_words() -> None:
    seen: list[tuple[str, object]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.url.path, json.loads(request.content)))
        return httpx.Response(200, json={"errcode": 0, "msgid": 7})

    result = sandbox(answer).send(MESSAGE)
    assert (result.outcome, result.message_id) == (Outcome.ACCEPTED, "7")
    assert seen == [("/sandbox/sms/send", {"phone": "+8613800138000", "text": "验证码482913", "openid": "oA1"})]
    assert sandbox(says({"errcode": 40003})).send(MESSAGE).outcome is Outcome.REFUSED
    assert sandbox(says({"error": "没有这个号码"}, 404)).send(MESSAGE).outcome is Outcome.REFUSED


def test_console_writes_the_words_and_masks_the_phone() -> None:
    stream = io.StringIO()
    assert ConsoleSms(stream).send(MESSAGE).outcome is Outcome.ACCEPTED
    assert stream.getvalue() == "[短信 +86138****00] 验证码482913\n"


@pytest.mark.parametrize("gateway", [aliyun, tencent, sandbox])
def test_no_log_holds_phone_or_code(gateway: Callable[[Answer], SmsGateway], caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("httpx").setLevel(logging.DEBUG)
    caplog.set_level(logging.DEBUG)
    for answer in (says({"Code": "OK"}), breaks(httpx.ReadTimeout), says({}, 500)):
        gateway(answer).send(MESSAGE)
    assert "13800138000" not in caplog.text
    assert "482913" not in caplog.text
    assert "138" not in repr(MESSAGE)
    assert "482913" not in repr(MESSAGE)


@contextmanager
def rude_server() -> Iterator[int]:
    """Listen, read a request, hang up without a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def test_real_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed port is `retry`, a hang-up after the request is `unknown`; no proxy setting touches loopback."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with rude_server() as port:
        assert SandboxSms(f"http://127.0.0.1:{port}/sandbox").send(MESSAGE).outcome is Outcome.UNKNOWN
    assert SandboxSms(f"http://127.0.0.1:{port}/sandbox").send(MESSAGE).outcome is Outcome.RETRY


def test_silence_after_the_request_is_unknown() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        gateway = SandboxSms(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=httpx.Timeout(0.3))
        result = gateway.send(MESSAGE)
    assert (result.outcome, result.code) == (Outcome.UNKNOWN, "ReadTimeout")


def test_only_other_machines_are_reached_through_a_proxy() -> None:
    assert open_client("http://localhost:8000").trust_env is False
    assert open_client("http://[::1]:8000").trust_env is False
    assert open_client("https://dysmsapi.aliyuncs.com").trust_env is True
