"""SMS gateways behind one small interface; the vendors' signatures are checked against their published examples."""

from bot.sms.aliyun import AliyunSms
from bot.sms.base import SmsGateway, SmsMessage, SmsResult, Template, VendorTemplate
from bot.sms.local import ConsoleSms, SandboxSms
from bot.sms.tencent import TencentSms

__all__ = [
    "AliyunSms",
    "ConsoleSms",
    "SandboxSms",
    "SmsGateway",
    "SmsMessage",
    "SmsResult",
    "Template",
    "TencentSms",
    "VendorTemplate",
]
