"""A shop in which a conversation is played: who is who, what was caught, and the books to go back to."""

import re
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from tests.conversations.books import File, masked
from tests.conversations.talk import Expect, Turn
from tests.support.shop import KEYS, HandClock, Shop, open_shop
from tests.support.talker import Talker, shown

TRANSFER, HANDED_OVER = "<![CDATA[transfer_customer_service]]>", "[转给人工客服]"
BACK_AGAIN = re.compile(r"^\(人工会话已结束[^\n]*\n")
STICKER = "<PicUrl><![CDATA[http://x/y]]></PicUrl><MediaId><![CDATA[m]]></MediaId>"


class Hand(HandClock):
    """A clock that also goes back, for books that go back."""

    def back_to(self, instant: datetime) -> None:
        """Stand at an instant again."""
        self._at = instant


@dataclass(frozen=True, slots=True)
class Saved:
    """A moment of a conversation: books, clock, and what was caught so far."""

    books: sqlite3.Connection
    at: datetime
    known: Mapping[str, str]


@dataclass(slots=True)
class Said:
    """A delivery and its answer: `text` is what a person reads."""

    talker: Talker
    body: bytes
    query: dict[str, str]
    xml: str
    text: str


@dataclass(repr=False)
class Stage:
    """One conversation's shop; `known` holds what was caught by name, `openids` who is who, `members` their numbers."""

    folder: Path
    url: str
    settings: Mapping[str, Any]
    clock: Hand = field(default_factory=Hand)
    known: dict[str, str] = field(default_factory=dict)
    members: dict[str, int] = field(default_factory=dict)
    talkers: dict[str, Talker] = field(default_factory=dict)
    last: Said | None = None
    _open: ExitStack = field(default_factory=ExitStack)
    _shop: Shop | None = None

    @property
    def shop(self) -> Shop:
        """Return the running shop, opened on first use."""
        if self._shop is None:
            self._shop = self._open.enter_context(open_shop(self.folder, self.url, self.settings, clock=self.clock))
        return self._shop

    @property
    def file(self) -> File:
        """Return the books as a file; only on SQLite."""
        return File(Path(str(make_url(self.url).database)))

    def close(self) -> None:
        """Stop the service; the next use of the shop starts another on the same books."""
        self._shop = None
        self._open.close()
        self._open = ExitStack()

    def openid(self, who: str) -> str:
        """Return the openid of a person of the conversation."""
        return self.talker(who).openid

    def talker(self, who: str) -> Talker:
        """Return the person; message ids go on over restarts, as the platform's do."""
        if who not in self.talkers:
            openid = f"oTalk{len(self.talkers):04d}"
            self.talkers[who] = Talker(openid, KEYS, "plain", self._post, lambda: int(self.clock.now().timestamp()))
        return self.talkers[who]

    def _post(self, body: bytes, query: Mapping[str, str]) -> Any:
        return self.shop.post(body, query)

    def filled(self, words: str) -> str:
        """Return words with {name} replaced by what was caught under it."""
        return re.sub(r"\{(\w+)\}", lambda hole: self.known.get(hole[1], hole[0]), words)

    def say(self, turn: Turn, who: str = "") -> Said:
        """Deliver a turn a second later; `who` says it in another's place."""
        self.clock.forward(seconds=1)
        talker = self.talker(who or turn.who)
        xml = _XML[turn.kind](talker, self.filled(turn.words))
        return self.deliver(talker, *talker.request(xml))

    def text(self, who: str, words: str) -> Said:
        """Deliver a text of one's own."""
        return self.say(Turn(who, "text", words, 0))

    def deliver(self, talker: Talker, body: bytes, query: dict[str, str]) -> Said:
        """Deliver a signed callback and read the answer."""
        xml = talker.open(self.shop.post(body, query), query["nonce"])
        self.last = Said(talker, body, query, xml, HANDED_OVER if TRANSFER in xml else shown(xml))
        return self.last

    def check(self, turn: Turn, said: str) -> str:
        """Return what is wrong with a reply, '' when it is as expected; catches what the expectations name."""
        if turn.silent:
            return "" if not said else f"line {turn.line}: silence was expected, the bot says: {said}"
        for expect in turn.expects:
            if not self._holds(expect, said):
                wanted = {"is": "says", "like": "says something like", "not": "does not say"}[expect.kind]
                return f"line {expect.line}: the bot {wanted}: {expect.text}\nit says: {said}"
        return ""

    def _holds(self, expect: Expect, said: str) -> bool:
        pattern = expect.pattern(self.known)
        found = pattern.fullmatch(said) if expect.kind == "is" else pattern.search(said)
        if found is not None and expect.kind == "is":
            self.known |= found.groupdict()
        return (found is None) == (expect.kind == "not")

    def seen(self, said: str) -> str:
        """Return a reply without what differs from one run to the next, and without messages handed over with it."""
        said = BACK_AGAIN.sub("", said.partition("\n\n")[0])
        for name, value in sorted(self.known.items(), key=lambda pair: -len(pair[1])):
            said = said.replace(value, f"{{{name}}}") if len(value) >= 4 else said
        return masked(said)

    def save(self) -> Saved:
        """Keep this moment."""
        return Saved(self.file.keep(), self.clock.now(), dict(self.known))

    def back_to(self, moment: Saved) -> None:
        """Go back to a moment."""
        self.file.bring_back(moment.books)
        self.clock.back_to(moment.at)
        self.known = dict(moment.known)


def _tag(name: str, value: str) -> str:
    return f"<{name}><![CDATA[{value}]]></{name}>"


def _message(kind: str, inner: str) -> Callable[[Talker, str], str]:
    def xml(talker: Talker, words: str) -> str:
        number = talker.text_xml("").partition("<MsgId>")[2].partition("<")[0]
        return talker.xml(kind, f"{inner.format(words=words)}<MsgId>{number}</MsgId>")

    return xml


def _event(name: str, key: str = "{words}") -> Callable[[Talker, str], str]:
    def xml(talker: Talker, words: str) -> str:
        return talker.xml("event", _tag("Event", name) + _tag("EventKey", key.format(words=words)))

    return xml


def _any_event(talker: Talker, words: str) -> str:
    name, *pairs = words.split(" ")
    more = "".join(_tag(*pair.split("=", 1)) for pair in pairs)
    return talker.xml("event", _tag("Event", name) + more)


def _location(talker: Talker, words: str) -> str:
    x, y = words.split()
    return _message("location", f"{_tag('Location_X', x)}{_tag('Location_Y', y)}<Scale>16</Scale>")(talker, "")


def _voice(talker: Talker, words: str) -> str:
    return _message("voice", _tag("MediaId", "m") + _tag("Recognition", "{words}"))(talker, words)


_XML: Mapping[str, Callable[[Talker, str], str]] = {
    "text": lambda talker, words: talker.text_xml(words),
    "voice": _voice, "image": _message("image", STICKER), "location": _location,
    "subscribe": lambda talker, words: _event("subscribe", f"qrscene_{words}" if words else "")(talker, words),
    "unsubscribe": _event("unsubscribe", ""), "scan": _event("SCAN"), "click": _event("CLICK"), "event": _any_event,
}  # fmt: skip
