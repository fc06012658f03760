"""The platform's API over httpx; wechatpy only parses, encrypts and builds replies."""

from bot.wechat.calls import WeChatError
from bot.wechat.client import QrCode, WeChatClient
from bot.wechat.tokens import MemoryTokens, TokenStore

__all__ = ["MemoryTokens", "QrCode", "TokenStore", "WeChatClient", "WeChatError"]
