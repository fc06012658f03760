"""The vendors' own worked examples, digit by digit, and the same rules applied to what we really send."""

import hashlib
import hmac
import json
import re
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote

import httpx
import pytest

from bot.sms import AliyunSms, SmsMessage, TencentSms, VendorTemplate, aliyun, tencent
from scheduler.channels import Outcome

MESSAGE = SmsMessage("+8613800138000", "verify", {"code": "482913", "minutes": "5"}, "验证码482913", "oA1", "bind:1")
ALIYUN_TEMPLATES = {"verify": VendorTemplate("SMS_15305", ("code",))}
TENCENT_TEMPLATES = {"verify": VendorTemplate("1110", ("minutes", "code"))}


def test_aliyun_published_example() -> None:
    """RunInstances of help.aliyun.com/document_detail/2593177.html; the key and secret are literally these words."""
    headers = aliyun.sign(
        "YourAccessKeyId",
        "YourAccessKeySecret",
        host="ecs.cn-shanghai.aliyuncs.com",
        action="RunInstances",
        version="2014-05-26",
        query={"RegionId": "cn-shanghai", "ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"},
        date=datetime(2023, 10, 26, 10, 22, 32, tzinfo=UTC),
        nonce="3156853299f313e23d1673dc12e1703d",
    )
    assert headers["x-acs-content-sha256"] == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert headers["Authorization"] == (
        "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,"
        "SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,"
        "Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    )


def test_tencent_published_example() -> None:
    """DescribeInstances of cloud.tencent.com/document/api/213/30654; its key is literally 32 asterisks."""
    headers = tencent.sign(
        "AKID" + "*" * 32,
        "*" * 32,
        service="cvm",
        host="cvm.tencentcloudapi.com",
        action="DescribeInstances",
        version="2017-03-12",
        region="ap-guangzhou",
        payload=rb'{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}',
        timestamp=1551113065,
    )
    assert headers["Authorization"] == (
        "TC3-HMAC-SHA256 Credential=AKID********************************/2019-02-25/cvm/tc3_request, "
        "SignedHeaders=content-type;host;x-tc-action, "
        "Signature=10b1a37a7301a02ca19a647ad722d5e43b4b3cff309d421d85b46093f6ab6c4f"
    )


@pytest.mark.parametrize(
    ("value", "encoded"), [(" ", "%20"), ("*", "%2A"), ("~", "~"), ("+", "%2B"), ("/", "%2F"), ("邻", "%E9%82%BB")]
)
def test_aliyun_encoding_is_rfc_3986(value: str, encoded: str) -> None:
    assert aliyun.canonical_query({"b": value, "a": "1"}) == f"a=1&b={encoded}"


def aliyun_gate(secret: str, seen: list[dict[str, str]]) -> httpx.MockTransport:
    """Answer as the vendor's gate: recompute the signature from the raw request, refuse a mismatch."""

    def answer(request: httpx.Request) -> httpx.Response:
        raw_path, _, raw_query = request.url.raw_path.decode().partition("?")
        given = re.fullmatch(
            r"ACS3-HMAC-SHA256 Credential=(\w+),SignedHeaders=([\w;-]+),Signature=(\w+)",
            request.headers["authorization"],
        )
        assert given is not None
        names = given[2].split(";")
        must = {"host"} | {name for name in request.headers if name.startswith("x-acs-") or name == "content-type"}
        pairs = sorted(parse_qsl(raw_query, strict_parsing=True))
        canonical = "&".join(f"{quote(k, safe='~')}={quote(v, safe='~')}" for k, v in pairs)
        lines = "".join(f"{name}:{request.headers[name].strip()}\n" for name in names)
        body_hash = hashlib.sha256(request.content).hexdigest()
        text = f"{request.method}\n{raw_path}\n{canonical}\n{lines}\n{given[2]}\n{body_hash}"
        to_sign = "ACS3-HMAC-SHA256\n" + hashlib.sha256(text.encode()).hexdigest()
        right = hmac.new(secret.encode(), to_sign.encode(), "sha256").hexdigest()
        if right != given[3] or set(names) != must or raw_query != canonical:
            return httpx.Response(403, json={"Code": "SignatureDoesNotMatch", "RequestId": "r"})
        seen.append(dict(pairs) | {name: request.headers[name] for name in names})
        return httpx.Response(200, json={"Code": "OK", "Message": "OK", "BizId": "900619746936498440^0"})

    return httpx.MockTransport(answer)


def test_aliyun_send_is_signed_as_it_travels() -> None:
    seen: list[dict[str, str]] = []
    gateway = AliyunSms("id1", "s3cret", "邻家 生鲜*", ALIYUN_TEMPLATES, transport=aliyun_gate("s3cret", seen))
    result = gateway.send(MESSAGE)
    assert (result.outcome, result.message_id) == (Outcome.ACCEPTED, "900619746936498440^0")
    sent = seen[0]
    assert (sent["x-acs-action"], sent["x-acs-version"]) == ("SendSms", "2017-05-25")
    assert sent["host"] == "dysmsapi.aliyuncs.com"
    assert (sent["PhoneNumbers"], sent["SignName"], sent["TemplateCode"], sent["OutId"]) == (
        "8613800138000",
        "邻家 生鲜*",
        "SMS_15305",
        "bind:1",
    )
    assert json.loads(sent["TemplateParam"]) == {"code": "482913"}


def test_aliyun_nonce_differs_each_time_and_a_wrong_secret_is_refused() -> None:
    seen: list[dict[str, str]] = []
    gateway = AliyunSms("id1", "s3cret", "邻家", ALIYUN_TEMPLATES, transport=aliyun_gate("s3cret", seen))
    gateway.send(MESSAGE)
    gateway.send(MESSAGE)
    assert seen[0]["x-acs-signature-nonce"] != seen[1]["x-acs-signature-nonce"]
    wrong = AliyunSms("id1", "other", "邻家", ALIYUN_TEMPLATES, transport=aliyun_gate("s3cret", seen))
    refused = wrong.send(MESSAGE)
    assert (refused.outcome, refused.code) == (Outcome.REFUSED, "SignatureDoesNotMatch")


def tencent_gate(secret: str, seen: list[dict[str, object]]) -> httpx.MockTransport:
    """Answer as the vendor's gate: recompute the signature from the raw request, refuse a mismatch."""

    def answer(request: httpx.Request) -> httpx.Response:
        given = re.fullmatch(
            r"TC3-HMAC-SHA256 Credential=(\w+)/([\d-]+)/(\w+)/tc3_request, SignedHeaders=([\w;-]+), Signature=(\w+)",
            request.headers["authorization"],
        )
        assert given is not None
        lines = "".join(f"{name}:{request.headers[name].lower()}\n" for name in given[4].split(";"))
        text = f"POST\n/\n\n{lines}\n{given[4]}\n{hashlib.sha256(request.content).hexdigest()}"
        stamp = request.headers["x-tc-timestamp"]
        scope = f"{given[2]}/{given[3]}/tc3_request"
        to_sign = f"TC3-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(text.encode()).hexdigest()}"
        key = hmac.new(b"TC3" + secret.encode(), given[2].encode(), "sha256").digest()
        key = hmac.new(key, given[3].encode(), "sha256").digest()
        key = hmac.new(key, b"tc3_request", "sha256").digest()
        if hmac.new(key, to_sign.encode(), "sha256").hexdigest() != given[5]:
            return httpx.Response(200, json={"Response": {"Error": {"Code": "AuthFailure.SignatureFailure"}}})
        seen.append({**json.loads(request.content), **request.headers})
        entry = {"SerialNo": "5000:104571", "PhoneNumber": "+8613800138000", "Fee": 1, "Code": "Ok"}
        return httpx.Response(200, json={"Response": {"SendStatusSet": [entry], "RequestId": "r"}})

    return httpx.MockTransport(answer)


def test_tencent_send_is_signed_as_it_travels() -> None:
    seen: list[dict[str, object]] = []
    gateway = TencentSms(
        "id1", "s3cret", "1400006666", "邻家", TENCENT_TEMPLATES, transport=tencent_gate("s3cret", seen)
    )
    result = gateway.send(MESSAGE)
    assert (result.outcome, result.message_id) == (Outcome.ACCEPTED, "5000:104571")
    sent = seen[0]
    assert (sent["x-tc-action"], sent["x-tc-version"], sent["x-tc-region"]) == ("SendSms", "2021-01-11", "ap-guangzhou")
    assert sent["host"] == "sms.tencentcloudapi.com"
    assert sent["PhoneNumberSet"] == ["+8613800138000"]
    assert sent["TemplateParamSet"] == ["5", "482913"]
    assert (sent["SignName"], sent["TemplateId"], sent["SessionContext"]) == ("邻家", "1110", "bind:1")
    wrong = TencentSms("id1", "other", "1400006666", "邻家", TENCENT_TEMPLATES, transport=tencent_gate("s3cret", seen))
    refused = wrong.send(MESSAGE)
    assert (refused.outcome, refused.code) == (Outcome.REFUSED, "AuthFailure.SignatureFailure")
