"""The gateways of a developer's machine: the console, and the local WeChat platform's phone."""

from typing import TextIO

import httpx

from bot.outgoing import TIMEOUT, open_client, status_outcome
from bot.sms.base import SmsMessage, SmsResult, call
from scheduler.channels import Outcome


class ConsoleSms:
    """Writes the words to a stream; only for sandbox and development, as they carry the code."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def send(self, message: SmsMessage) -> SmsResult:
        """Write one line and accept; the phone is masked."""
        print(f"[短信 {message.phone[:6]}****{message.phone[-2:]}] {message.text}", file=self._stream, flush=True)
        return SmsResult(Outcome.ACCEPTED, "0", message.id)


class SandboxSms:
    """Posts to the local platform, which shows the SMS on the chat page; POST {api_base}/sms/send."""

    def __init__(
        self, api_base: str, *, transport: httpx.BaseTransport | None = None, timeout: httpx.Timeout = TIMEOUT
    ) -> None:
        self._client = open_client(api_base, transport=transport, timeout=timeout)

    def send(self, message: SmsMessage) -> SmsResult:
        """Send once; accepted when the status is 2xx and errcode, if any, is 0."""
        body = {"phone": message.phone, "text": message.text, "openid": message.openid}
        request = self._client.build_request("POST", "sms/send", json=body)
        answer = call(self._client, request)
        if answer.failure is not None:
            return answer.failure
        if not httpx.codes.is_success(answer.status):
            return SmsResult(status_outcome(answer.status), f"http_{answer.status}")
        code = str(answer.body.get("errcode", 0))
        message_id = str(answer.body.get("msgid", ""))
        return SmsResult(Outcome.ACCEPTED if code == "0" else Outcome.REFUSED, code, message_id)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
