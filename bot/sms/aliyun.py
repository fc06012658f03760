"""Alibaba Cloud SMS: dysmsapi SendSms 2017-05-25 with the V3 signature ACS3-HMAC-SHA256.

Signature: help.aliyun.com/document_detail/2593177.html (V3 request body and signature, with a worked example).
API: help.aliyun.com/document_detail/55284.html, which promises no idempotence. Codes: …/101346.html.
"""

import hashlib
import hmac
import json
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

import httpx

from bot.outgoing import TIMEOUT, open_client
from bot.sms.base import SmsMessage, SmsResult, VendorTemplate, call
from scheduler.channels import Outcome

ALGORITHM: Final = "ACS3-HMAC-SHA256"
ACTION, VERSION = "SendSms", "2017-05-25"
HOST: Final = "dysmsapi.aliyuncs.com"

TRY_LATER: Final = ("isp.SYSTEM_ERROR", "ServiceUnavailable", "Throttling")
LOST: Final = "InternalError"


def canonical_query(query: Mapping[str, str]) -> str:
    """Return the query sorted by name, RFC 3986-encoded (space is %20, * is %2A, ~ stays)."""
    return "&".join(f"{quote(name, safe='')}={quote(query[name], safe='')}" for name in sorted(query))


def sign(
    access_key_id: str,
    access_key_secret: str,
    *,
    host: str,
    action: str,
    version: str,
    query: Mapping[str, str],
    body: bytes = b"",
    date: datetime,
    nonce: str,
) -> dict[str, str]:
    """Return the headers of a signed RPC-style POST to `/`; `date` is UTC-aware and may be 15 minutes off at most."""
    headers = {
        "host": host,
        "x-acs-action": action,
        "x-acs-content-sha256": hashlib.sha256(body).hexdigest(),
        "x-acs-date": date.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": nonce,
        "x-acs-version": version,
    }
    canonical_headers = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    signed = ";".join(sorted(headers))
    canonical = "\n".join(
        ("POST", "/", canonical_query(query), canonical_headers, signed, headers["x-acs-content-sha256"])
    )
    to_sign = f"{ALGORITHM}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(access_key_secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    authorization = f"{ALGORITHM} Credential={access_key_id},SignedHeaders={signed},Signature={signature}"
    return {**headers, "Authorization": authorization}


def outcome_of(code: str) -> Outcome:
    """Map a vendor code: OK accepted, "call again" retry, internal error unknown, all others refused.

    isv.BUSINESS_LIMIT_CONTROL (per number 1/min, 5/h, 10/day) is refused: an early repeat meets it again.
    """
    if code == "OK":
        return Outcome.ACCEPTED
    if code.startswith(TRY_LATER):
        return Outcome.RETRY
    return Outcome.UNKNOWN if code.startswith(LOST) or not code else Outcome.REFUSED


class AliyunSms:
    """Sends through Alibaba Cloud; thread-safe."""

    def __init__(
        self,
        access_key_id: str,
        access_key_secret: str,
        sign_name: str,
        templates: Mapping[str, VendorTemplate],
        *,
        host: str = HOST,
        transport: httpx.BaseTransport | None = None,
        timeout: httpx.Timeout = TIMEOUT,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._key, self._secret, self._sign_name = access_key_id, access_key_secret, sign_name
        self._templates, self._host, self._now = templates, host, now
        self._client = open_client(f"https://{host}", transport=transport, timeout=timeout)

    def send(self, message: SmsMessage) -> SmsResult:
        """Send once; `message_id` is the BizId of the delivery receipt, `OutId` carries our id."""
        try:
            template = self._templates[message.template]
            params = template.values(message)
        except KeyError as missing:
            return SmsResult(Outcome.REFUSED, f"no_{missing.args[0]}")
        answer = call(self._client, self._request(message, template.id, params))
        if answer.failure is not None:
            return answer.failure
        code = str(answer.body.get("Code", ""))
        return SmsResult(outcome_of(code), code, str(answer.body.get("BizId", "")))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _request(self, message: SmsMessage, template_id: str, params: Mapping[str, str]) -> httpx.Request:
        query = {
            "PhoneNumbers": message.phone.removeprefix("+"),
            "SignName": self._sign_name,
            "TemplateCode": template_id,
            "TemplateParam": json.dumps(params, ensure_ascii=False),
            "OutId": message.id,
        }
        headers = sign(
            self._key,
            self._secret,
            host=self._host,
            action=ACTION,
            version=VERSION,
            query=query,
            date=self._now(),
            nonce=uuid.uuid4().hex,
        )
        return self._client.build_request("POST", f"/?{canonical_query(query)}", headers=headers)
