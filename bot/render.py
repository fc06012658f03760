"""From a Reply to the XML the platform takes: safe against injection, cut by bytes."""

import re
from dataclasses import replace
from xml.sax.saxutils import escape

from bot.inbound import parse_xml
from handlers.context import Reply
from members import scripts

TEXT_BYTES = 2000  # "cut at 2000 UTF-8 bytes on a character boundary (2048 bytes is the measured limit)"
ARTICLES = 8
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TEXT = (
    "<xml><ToUserName><![CDATA[{to}]]></ToUserName><FromUserName><![CDATA[{sender}]]></FromUserName>"
    "<CreateTime>{created}</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{text}]]></Content></xml>"
)
_TRANSFER = (
    "<xml><ToUserName><![CDATA[{to}]]></ToUserName><FromUserName><![CDATA[{sender}]]></FromUserName>"
    "<CreateTime>{created}</CreateTime><MsgType><![CDATA[transfer_customer_service]]></MsgType></xml>"
)
_NEWS = (
    "<xml><ToUserName><![CDATA[{to}]]></ToUserName><FromUserName><![CDATA[{sender}]]></FromUserName>"
    "<CreateTime>{created}</CreateTime><MsgType><![CDATA[news]]></MsgType><ArticleCount>{count}</ArticleCount>"
    "<Articles>{items}</Articles></xml>"
)


def reply_xml(reply: Reply, *, to: str, sender: str, created: int) -> str:
    """Return the reply's XML, or '' for no answer. wechatpy's own CDATA lets `]]>` break out, so ours splits it."""
    if reply.transfer:
        return _TRANSFER.format(to=cdata(to), sender=cdata(sender), created=created)
    if reply.articles:
        items = "".join(
            f"<item><Title>{_safe(a.title)}</Title><Description>{_safe(a.description)}</Description>"
            f"<PicUrl>{_safe(a.picurl)}</PicUrl><Url>{_safe(a.url)}</Url></item>"
            for a in reply.articles[:ARTICLES]
        )
        count = len(reply.articles[:ARTICLES])
        return _NEWS.format(to=cdata(to), sender=cdata(sender), created=created, count=count, items=items)
    text = cdata(cut(clean(reply.text)))
    if not text:
        return ""
    return _TEXT.format(to=cdata(to), sender=cdata(sender), created=created, text=text)


def _safe(text: str) -> str:
    return escape(cut(clean(text)))


def clean(text: str) -> str:
    """Return text without the characters XML 1.0 forbids, its line ends as every XML parser reads them (\\n)."""
    return _ILLEGAL.sub("", text).replace("\r\n", "\n").replace("\r", "\n")


def cut(text: str, most: int = TEXT_BYTES) -> str:
    """Return text of at most `most` UTF-8 bytes, cut on a character boundary and ending in … when cut."""
    encoded = text.encode()
    if len(encoded) <= most:
        return text
    return encoded[: most - len("…".encode())].decode(errors="ignore") + "…"


def cdata(text: str) -> str:
    """Return text safe inside one CDATA section: `]]>` continues in a second section."""
    return text.replace("]]>", "]]]]><![CDATA[>")


def size(text: str) -> int:
    """Return the UTF-8 bytes of a text."""
    return len(text.encode())


def in_script(reply: Reply, script: str) -> Reply:
    """Return a reply in the script its reader writes; the addresses behind it stay."""
    if script != scripts.TRADITIONAL:
        return reply
    articles = [
        replace(a, title=scripts.spoken(a.title, script), description=scripts.spoken(a.description, script))
        for a in reply.articles
    ]
    return replace(reply, text=scripts.spoken(reply.text, script), articles=articles)


def text_of(xml: str) -> str:
    """Return the text of a stored reply (its graphic entries as lines)."""
    root = parse_xml(xml.encode())
    if root.get("MsgType") != "news":
        return str(root.get("Content") or "")
    item = root["Articles"]["item"]
    entries = item if isinstance(item, list) else [item]
    return "\n".join(f"{e.get('Title')}\n{e.get('Description')}\n{e.get('Url')}" for e in entries)
