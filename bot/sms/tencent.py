"""Tencent Cloud SMS: SendSms 2021-01-11 with TC3-HMAC-SHA256.

Signature: cloud.tencent.com/document/api/213/30654 (signature v3, with a worked example).
API: cloud.tencent.com/document/api/382/55981. Codes: cloud.tencent.com/document/api/382/59177 and 382/52075.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import httpx

from bot.outgoing import TIMEOUT, open_client
from bot.sms.base import SmsMessage, SmsResult, VendorTemplate, call
from scheduler.channels import Outcome

ALGORITHM: Final = "TC3-HMAC-SHA256"
SERVICE, ACTION, VERSION = "sms", "SendSms", "2021-01-11"
HOST: Final = "sms.tencentcloudapi.com"
CONTENT_TYPE: Final = "application/json; charset=utf-8"
SIGNED_HEADERS: Final = "content-type;host;x-tc-action"

TRY_LATER: Final = ("RequestLimitExceeded", "ServiceUnavailable", "ResourceUnavailable")
LOST: Final = "InternalError"


def sign(
    secret_id: str,
    secret_key: str,
    *,
    service: str,
    host: str,
    action: str,
    version: str,
    region: str,
    payload: bytes,
    timestamp: int,
) -> dict[str, str]:
    """Return the headers of a signed POST to `/`; `timestamp` in Unix seconds, 5 minutes off at most."""
    date = datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d")
    canonical_headers = f"content-type:{CONTENT_TYPE}\nhost:{host}\nx-tc-action:{action.lower()}\n"
    canonical = "\n".join(("POST", "/", "", canonical_headers, SIGNED_HEADERS, hashlib.sha256(payload).hexdigest()))
    scope = f"{date}/{service}/tc3_request"
    to_sign = "\n".join((ALGORITHM, str(timestamp), scope, hashlib.sha256(canonical.encode()).hexdigest()))
    key = f"TC3{secret_key}".encode()
    for part in (date, service, "tc3_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    credential = f"Credential={secret_id}/{scope}"
    return {
        "Host": host,
        "Content-Type": CONTENT_TYPE,
        "X-TC-Action": action,
        "X-TC-Version": version,
        "X-TC-Timestamp": str(timestamp),
        "X-TC-Region": region,
        "Authorization": f"{ALGORITHM} {credential}, SignedHeaders={SIGNED_HEADERS}, Signature={signature}",
    }


def outcome_of(code: str) -> Outcome:
    """Map a vendor code: Ok accepted, throttled retry, internal error unknown, all others refused."""
    if code == "Ok":
        return Outcome.ACCEPTED
    if code.startswith(TRY_LATER):
        return Outcome.RETRY
    return Outcome.UNKNOWN if code.startswith(LOST) or not code else Outcome.REFUSED


def read(response: Mapping[str, Any]) -> SmsResult:
    """Read the answer to a message to one phone: every entry must be Ok, and the first that is not decides.

    HTTP and the call itself may succeed while an entry failed; an answer without entries says nothing.
    """
    if isinstance(error := response.get("Error"), dict):
        return _read_entry(error)
    entries: Sequence[Mapping[str, Any]] = response.get("SendStatusSet") or []
    results = [_read_entry(entry) for entry in entries]
    failed = [result for result in results if result.outcome is not Outcome.ACCEPTED]
    return next(iter(failed or results), SmsResult(Outcome.UNKNOWN, "no_status"))


def _read_entry(entry: Mapping[str, Any]) -> SmsResult:
    code = str(entry.get("Code", ""))
    return SmsResult(outcome_of(code), code, str(entry.get("SerialNo", "")))


class TencentSms:
    """Sends through Tencent Cloud; thread-safe."""

    def __init__(
        self,
        secret_id: str,
        secret_key: str,
        sdk_app_id: str,
        sign_name: str,
        templates: Mapping[str, VendorTemplate],
        *,
        region: str = "ap-guangzhou",
        host: str = HOST,
        transport: httpx.BaseTransport | None = None,
        timeout: httpx.Timeout = TIMEOUT,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._id, self._secret, self._app_id, self._sign_name = secret_id, secret_key, sdk_app_id, sign_name
        self._templates, self._region, self._host, self._now = templates, region, host, now
        self._client = open_client(f"https://{host}", transport=transport, timeout=timeout)

    def send(self, message: SmsMessage) -> SmsResult:
        """Send once; `message_id` is the SerialNo of the status report, `SessionContext` carries our id."""
        try:
            template = self._templates[message.template]
            params = template.values(message)
        except KeyError as missing:
            return SmsResult(Outcome.REFUSED, f"no_{missing.args[0]}")
        answer = call(self._client, self._request(message, template.id, list(params.values())))
        if answer.failure is not None:
            return answer.failure
        response = answer.body.get("Response")
        return read(response if isinstance(response, dict) else {})

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _request(self, message: SmsMessage, template_id: str, params: Sequence[str]) -> httpx.Request:
        body = {
            "PhoneNumberSet": [message.phone],
            "SmsSdkAppId": self._app_id,
            "SignName": self._sign_name,
            "TemplateId": template_id,
            "TemplateParamSet": params,
            "SessionContext": message.id,
        }
        payload = json.dumps(body, ensure_ascii=False).encode()
        headers = sign(
            self._id,
            self._secret,
            service=SERVICE,
            host=self._host,
            action=ACTION,
            version=VERSION,
            region=self._region,
            payload=payload,
            timestamp=int(self._now().timestamp()),
        )
        return self._client.build_request("POST", "/", content=payload, headers=headers)
