"""The wire that delivery sends through: the platform's API and an SMS gateway as one."""

from collections.abc import Mapping, Sequence

from bot.metrics import SENT
from bot.sms import SmsGateway, SmsMessage, Template
from bot.wechat import WeChatClient
from scheduler.channels import Channel, Content, Outcome, SendResult


class LiveWire:
    """Implements scheduler.channels.Wire; thread-safe when its parts are."""

    def __init__(self, wechat: WeChatClient, sms: SmsGateway) -> None:
        self._wechat, self._sms = wechat, sms

    def send_service(self, openid: str, content: Content, client_msg_id: str) -> SendResult:
        """Send a customer-service message."""
        return _counted(Channel.SERVICE, self._wechat.send_service(openid, content, client_msg_id))

    def send_template(
        self, openid: str, template_id: str, data: Mapping[str, str], url: str, client_msg_id: str
    ) -> SendResult:
        """Send a template message."""
        sent = self._wechat.send_template(openid, template_id, data, url, client_msg_id)
        return _counted(Channel.TEMPLATE, sent)

    def send_subscription(self, openid: str, template_id: str, data: Mapping[str, str], page: str) -> SendResult:
        """Send a subscription notice."""
        return _counted(Channel.SUBSCRIPTION, self._wechat.send_subscription(openid, template_id, data, page))

    def send_mass(self, openids: Sequence[str], content: Content, client_msg_id: str) -> SendResult:
        """Send one text or image to many."""
        return _counted(Channel.MASS, self._wechat.send_mass(openids, content, client_msg_id))

    def send_sms(
        self, phone: str, template: str, params: Mapping[str, str], text: str, *, openid: str | None, message_id: str
    ) -> SendResult:
        """Send an SMS; a template other than verify or marketing is refused."""
        if template not in ("verify", "marketing"):
            return SendResult(Outcome.REFUSED, "no_template")
        kind: Template = "verify" if template == "verify" else "marketing"
        result = self._sms.send(SmsMessage(phone, kind, params, text, openid, message_id))
        return _counted(Channel.SMS, SendResult(result.outcome, result.code, result.message_id))


def _counted(channel: Channel, result: SendResult) -> SendResult:
    SENT.labels(channel, result.outcome).inc()
    return result
