"""Random messages and events of a fixed crowd: what people, keyboards and the platform could send, and far more.

A `Sent` is due an answer when its sender waits for one, and legal when nothing in its body is malformed.
"""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from urllib.parse import urlencode

import httpx

from tests.support.shop import KEYS
from tests.support.talker import Talker, sign

ROOT = Path(__file__).resolve().parents[2]
LEGAL = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")
PLANES = (
    (0x20, 0x7E), (0xA0, 0x2FF), (0x590, 0x10FF), (0x3040, 0x30FF), (0x3400, 0x9FFF), (0xAC00, 0xD7A3),
    (0xE000, 0xFFFD), (0x10000, 0x1FFFD), (0x20000, 0x2FFFD), (0x30000, 0xDFFFF), (0xE0000, 0x10FFFF),
)  # fmt: skip
JOINERS = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u180e\ufe0f"
INVISIBLE = JOINERS + "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c"
EMOJI = ("😀", "👨‍👩‍👧‍👦", "🧑🏿‍🦽", "🇨🇳🇨", "1️⃣", "❤️‍🔥", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🉐", "㊗️", "¹②⑶⒋㈤", "🫠" * 40)
HOSTILE = (
    "]]>", "]]]]><![CDATA[>", "<xml>", "</Content><MsgType>news</MsgType>", "&amp;&lt;&#x4e00;", "<![CDATA[", "<!--",
    "{shop}", "{0.__class__}", "%s%n", "${jndi:ldap://x}", "'; DROP TABLE member;--", "\\u0000", "../../etc/passwd",
    "\r\n\r\n", "\t", "　" * 30, "NaN", "-0", "1e999", "٣٤٥", "十亿零一", "负五", "零", "〇〇〇", "壹佰万",
)  # fmt: skip
DIGITS = (
    "0123456789", "０１２３４５６７８９", "٠١٢٣٤٥٦٧٨٩", "一二三四五六七八九零", "①②③④⑤⑥⑦⑧⑨⓪", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗",
    "²³¹⁴⁵⁶⁷⁸⁹⁰",
)  # fmt: skip
PARTS: dict[str, tuple[str, ...]] = {
    "text": ("Content",), "voice": ("Recognition",), "location": ("Location_X", "Location_Y"), "link": ("Title", "Url"),
}  # fmt: skip
KINDS = ("text",) * 12 + ("voice", "image", "video", "shortvideo", "location", "link", "hologram")
EVENTS = (
    "subscribe", "unsubscribe", "SCAN", "CLICK", "VIEW", "LOCATION", "TEMPLATESENDJOBFINISH", "MASSSENDJOBFINISH",
    "subscribe_msg_popup_event", "subscribe_msg_change_event", "subscribe_msg_sent_event", "user_info_modified",
    "user_authorization_revoke", "user_authorization_cancellation", "kf_create_session", "kf_close_session",
    "kf_switch_session", "scancode_push", "scancode_waitmsg", "pic_sysphoto", "pic_weixin", "location_select",
    "view_miniprogram", "poi_check_notify", "guide_qrcode_scan_event", "hologram_shown",
)  # fmt: skip
ANSWERED = ("subscribe", "scan", "click")
FIELDS = (
    "EventKey", "Ticket", "Latitude", "Longitude", "Precision", "MsgID", "Status", "SubscribeMsgPopupEvent", "List",
    "SubscribeMsgChangeEvent", "SubscribeMsgSentEvent", "OpenID", "KfAccount", "ScanCodeInfo", "SendPicsInfo",
    "SendLocationInfo", "Content", "TemplateId", "SubscribeStatusString", "MenuId", "RevokeInfo", "Location_X",
    "Recognition",
)  # fmt: skip
SCENES = ("store:s1", "staff:1", "campaign:夏日", "invite:AAAAA-AAAAA", "s1", "0", "", "qrscene_", "points", "人工")


@dataclass(frozen=True, slots=True)
class Sent:
    """One delivery: its query, its body, and what may be asked of the answer."""

    openid: str
    query: bytes
    body: bytes
    due: bool
    legal: bool


def known_phrases() -> list[str]:
    """Return what people say and the product learns from, and what it is told not to take for its own."""
    files = [*sorted((ROOT / "handlers/nlu/phrases").glob("*.txt")), *sorted((ROOT / "tests/handlers").glob("*.txt"))]
    return [line for path in files for line in _lines(path)] or ["积分"]


def _lines(path: Path) -> list[str]:
    lines = map(str.strip, path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


class Fuzzer:
    """The same sequence for the same seed."""

    def __init__(self, seed: int, openids: Sequence[str]) -> None:
        self.random, self.openids, self.phrases = random.Random(seed), openids, known_phrases()
        self.with_slots = _lines(Path(__file__).with_suffix(".txt"))
        self.ids, self.now = count(1), 1_772_000_000
        self.makers: tuple[Callable[[], str], ...] = (
            self.any_plane, self.mutated, self.mutated, self.said, self.said, self.emoji, self.digits, self.hostile,
            self.veiled, self.long, lambda: self.pick(self.phrases),
        )  # fmt: skip

    def pick(self, of: Sequence[str]) -> str:
        """Return one of them."""
        return of[self.random.randrange(len(of))]

    def text(self) -> str:
        """Return something somebody might type, or a machine."""
        return self.makers[self.random.randrange(len(self.makers))]()

    def any_plane(self) -> str:
        """Return characters of any plane, legal in XML or not, at times a lone surrogate."""
        low, high = PLANES[self.random.randrange(len(PLANES))]
        chars = [chr(self.random.randint(low, high)) for _ in range(1 + int(self.random.expovariate(0.08)))]
        if self.random.random() < 0.05:
            chars.append(chr(self.random.choice((0, 1, 0x0B, 0x1F, 0x7F, 0xFFFE, 0xFFFF, 0xD800, 0xDFFF))))
        return "".join(chars)

    def mutated(self) -> str:
        """Return a known phrase with a few characters dropped, doubled, swapped or put in."""
        chars = list(self.pick(self.phrases))
        for _ in range(self.random.randint(1, 3)):
            place = self.random.randrange(len(chars) + 1)
            what = self.random.randrange(4)
            if what == 0 and chars:
                chars.pop(place % len(chars))
            elif what == 1 and chars:
                chars.insert(place, chars[place % len(chars)])
            elif what == 2 and chars:
                other = self.random.randrange(len(chars))
                chars[place % len(chars)], chars[other] = chars[other], chars[place % len(chars)]
            else:
                chars.insert(place, self.pick(("的", "吗", "券", "元", " ", "。", "0", "１", self.any_plane()[:1])))
        return "".join(chars)

    def said(self) -> str:
        """Return a line with slots, filled with what fits and what does not."""
        pattern = self.pick(self.with_slots)
        for hole, fill in (("{d}", self.digit), ("{n}", self.number), ("{w}", self.word)):
            while hole in pattern:
                pattern = pattern.replace(hole, fill(), 1)
        return pattern

    def digit(self) -> str:
        """Return one digit."""
        return self.pick("0123456789")

    def number(self) -> str:
        """Return a number, most often a small one."""
        many = self.random.choice((1, 1, 1, 1, 2, 2, 3, 6, 9, 12, 20, 400))
        return self.pick(("", "", "", "", "-", "+", "0")) + "".join(self.pick("0123456789") for _ in range(many))

    def word(self) -> str:
        """Return a word of the shape of a code."""
        return "-".join("".join(self.pick("0123456789ABCDEFGHJKMNPQRSTVWXYZ") for _ in range(4)) for _ in range(3))

    def emoji(self) -> str:
        """Return a few emoji, at times around words."""
        drawn = "".join(self.pick(EMOJI) for _ in range(self.random.randint(1, 6)))
        return self.pick((drawn, drawn + self.pick(self.phrases), self.pick(self.phrases) + drawn))

    def digits(self) -> str:
        """Return digits of many writings, very many of them at times."""
        many, kind = self.random.choice((1, 2, 4, 6, 11, 11, 18, 100, 3000)), self.pick(DIGITS)
        digits = "".join(self.pick(kind) for _ in range(many))
        return self.pick(("", "", "-", "¥", "尾号", "第")) + digits + self.pick(("", "", ".5", "元", "e9"))

    def hostile(self) -> str:
        """Return what breaks a careless program, alone or inside a sentence."""
        return self.pick(("", *self.phrases[:50])) + self.pick(HOSTILE) + self.pick(("", "积分", "]]>"))

    def veiled(self) -> str:
        """Return a known phrase with invisible characters in it."""
        chars = self.pick(self.phrases)
        return "".join(char + (self.pick(INVISIBLE) if self.random.random() < 0.4 else "") for char in chars)

    def long(self) -> str:
        """Return far too much of something."""
        return (self.text_of(self.makers[:4]) or "长") * self.random.randint(2, 60)

    def text_of(self, makers: Sequence[Callable[[], str]]) -> str:
        """Return what one of these makes."""
        return makers[self.random.randrange(len(makers))]()

    def next(self) -> Sent:
        """Return the next delivery."""
        openid = self.pick(self.openids)
        self.now += self.random.randrange(2)
        mode = self.pick(("plain", "plain", "aes", "compatible"))
        talker = Talker(openid, KEYS, mode, no_post, lambda: self.now)
        talker.ids = self.ids
        inner, kind, event = self._event() if self.random.random() < 0.25 else self._message()
        xml = talker.xml(kind, inner)
        odd = self.random.random() < 0.06
        if odd:
            xml = self._odd(xml)
        legal = not odd and LEGAL.fullmatch(xml) is not None
        body, query = talker.request(xml) if legal else _raw(talker, xml)
        due = kind != "event" or event.lower() in ANSWERED
        return Sent(openid, urlencode(query).encode(), body, due, legal and len(body) <= 64 * 1024)

    def _message(self) -> tuple[str, str, str]:
        kind, words = self.pick(KINDS), self.text()
        names = PARTS.get(kind, ("PicUrl",))
        inner = "".join(_tag(name, self._coordinate() if kind == "location" else words) for name in names)
        return f"{inner}<MsgId>{next(self.ids) + 10**12}</MsgId>", kind, ""

    def _coordinate(self) -> str:
        some = str(self.random.uniform(-200, 200))
        return self.pick(("31.23", "121.45", "-91", "1e999", "NaN", "inf", "", "0", "abc", some, some))

    def _event(self) -> tuple[str, str, str]:
        event = self.pick(EVENTS)
        inner = _tag("Event", event if self.random.random() < 0.9 else event.upper())
        for name in sorted({self.pick(FIELDS) for _ in range(self.random.randint(0, 4))}):
            inner += self._field(name)
        if "<EventKey>" not in inner and self.random.random() < 0.8:
            inner += _tag("EventKey", self.pick(SCENES) if self.random.random() < 0.7 else self.text()[:200])
        if event.startswith("user_") and "<OpenID>" not in inner:
            inner += _tag("OpenID", self.pick(self.openids))
        return inner, "event", event

    def _field(self, name: str) -> str:
        if name in ("Latitude", "Longitude", "Precision", "Location_X"):
            return _tag(name, self._coordinate())
        if name in ("SubscribeMsgPopupEvent", "SubscribeMsgChangeEvent", "SubscribeMsgSentEvent"):
            entry = _tag("TemplateId", self.pick(("t", "sub-restock", "")))
            entry += _tag("SubscribeStatusString", self.pick(("accept", "reject", "x")))
            return f"<{name}>{f'<List>{entry}</List>' * self.random.randint(0, 3)}</{name}>"
        if name in ("List", "ScanCodeInfo", "SendPicsInfo", "SendLocationInfo"):
            return f"<{name}><a>{self.random.randrange(9)}</a></{name}>"
        if name in ("OpenID", "EventKey"):
            return _tag(name, self.pick(self.openids) if name == "OpenID" else self.pick(SCENES))
        return _tag(name, self.text()[:300])

    def _odd(self, xml: str) -> str:
        """Return the body with a field doubled, nested, missing or emptied: refused, or answered, but no failure."""
        names = re.findall(r"<([A-Za-z_]+)><!\[CDATA", xml) or ["MsgType"]
        name = self.pick(names)
        whole = re.search(rf"<{name}>.*?</{name}>", xml, re.S)
        if whole is None:
            return xml.replace("<CreateTime>", "<CreateTime>-", 1)
        there = whole[0]
        instead = self.pick(("", there * 2, f"<{name}/>", f"<{name}><a>{there}</a></{name}>", there[:-1]))
        return xml.replace(there, instead, 1)


def _tag(name: str, value: str) -> str:
    safe = value.replace("]]>", "]]]]><![CDATA[>")
    return f"<{name}><![CDATA[{safe}]]></{name}>"


def _raw(talker: Talker, xml: str) -> tuple[bytes, dict[str, str]]:
    """Sign a body that is no XML; lone surrogates go out as CESU-8 would write them."""
    timestamp, nonce = str(talker.now()), str(next(talker.ids))
    query = {"timestamp": timestamp, "nonce": nonce, "signature": sign(KEYS.token, timestamp, nonce)}
    return xml.encode("utf-8", "surrogatepass"), query


def no_post(body: bytes, query: object) -> httpx.Response:
    """Stand in for the wire of somebody who only writes letters and reads them."""
    raise AssertionError("nothing is sent from here")
