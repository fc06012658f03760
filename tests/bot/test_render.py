"""The answer's XML: whatever the words are, it parses back to exactly them, and it fits."""

import xml.etree.ElementTree as ElementTree

import pytest
import xmltodict
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.render import TEXT_BYTES, clean, cut, reply_xml
from handlers.context import Article, Reply

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
ANYTHING = st.text(st.characters())
PIECES = ("]]>", "]", ">", "<![CDATA[", "</Content>", "<MsgType>news</MsgType>", "&amp;", "&#0;", "{", "}", "%s", "\\")
LINES = ("\r", "\r\n", "\n", "\x85", "\u2028")
ILLEGAL = ("\0", "\x0b", "\ud83d", "\ufffe")
WIDE = ("👨‍👩‍👧‍👦", "积分", "𠮷", "e\u0301", "\ufeff")
HOSTILE = st.lists(st.sampled_from((*PIECES, *LINES, *ILLEGAL, *WIDE)), max_size=80).map("".join)
LONG = st.tuples(st.sampled_from(["a", "é", "积", "😀", "]]>", "a😀"]), st.integers(1900, 2100)).map(
    lambda pair: pair[0] * pair[1]
)


def render(text: str) -> str:
    return reply_xml(Reply(text), to="o-anna", sender="gh_test", created=1_700_000_000)


def parsed(xml: str) -> dict[str, str]:
    root = ElementTree.fromstring(xml)
    assert len({child.tag for child in root}) == len(root), "a field was injected"
    return {child.tag: child.text or "" for child in root}


def xml_text(text: str) -> str:
    """The text as XML 1.0 can hold it (production 2, Char; section 2.11, line ends)."""
    kept = "".join(
        c
        for c in text
        if c in "\t\n\r" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or "\U00010000" <= c <= "\U0010ffff"
    )
    return kept.replace("\r\n", "\n").replace("\r", "\n")


@PATIENT
@given(st.one_of(ANYTHING, HOSTILE, LONG))
@example("]]>")
@example("]]]]>>")
@example("a]]><MsgType><![CDATA[news]]></MsgType><Content><![CDATA[b")
@example("\r\n\r")
def test_the_text_parses_back_to_what_was_said(text: str) -> None:
    wanted, xml = xml_text(text), render(text)
    if not wanted:
        assert xml == ""
        return
    fields = parsed(xml)
    assert list(fields) == ["ToUserName", "FromUserName", "CreateTime", "MsgType", "Content"]
    assert fields["MsgType"] == "text"
    shown = fields["Content"]
    assert len(shown.encode()) <= 2000
    if len(wanted.encode()) <= 2000:
        assert shown == wanted
    else:
        assert shown.endswith("…") and wanted.startswith(shown[:-1])
        assert len(shown.encode()) > 2000 - 4, "cut shorter than it had to be"


@PATIENT
@given(st.one_of(ANYTHING, HOSTILE))
def test_two_parsers_read_the_same(text: str) -> None:
    xml = render("·" + text + "·")
    assert xmltodict.parse(xml, strip_whitespace=False)["xml"]["Content"] == parsed(xml)["Content"]


@pytest.mark.parametrize("filler", ["a", "é", "积", "😀"])
@pytest.mark.parametrize("shift", range(4))
def test_it_is_cut_between_characters(filler: str, shift: int) -> None:
    text = "x" * shift + filler * (TEXT_BYTES + 1)
    kept = cut(text)
    assert text.startswith(kept[:-1]) and kept[-1] == "…"
    assert TEXT_BYTES - len(filler.encode()) < len(kept.encode()) <= TEXT_BYTES
    fitting = "x" * (TEXT_BYTES % len(filler.encode())) + filler * (TEXT_BYTES // len(filler.encode()))
    assert len(fitting.encode()) == TEXT_BYTES and cut(fitting) == fitting
    assert cut(fitting + "x").endswith("…")


def test_what_xml_cannot_hold_is_gone() -> None:
    assert clean("a\0b\x0bc\x1bd\ufffee\uffff") == "abcde"
    assert clean("积分\t\n😀") == "积分\t\n😀"


@pytest.mark.parametrize("name", ["]]>", "<a>&", "]]>]]>"])
def test_names_cannot_break_out_either(name: str) -> None:
    fields = parsed(reply_xml(Reply("hi"), to=name, sender=name, created=1))
    assert fields["ToUserName"] == fields["FromUserName"] == name
    assert fields["MsgType"] == "text"


@PATIENT
@given(HOSTILE, HOSTILE)
def test_articles_parse_back(title: str, description: str) -> None:
    article = Article("t" + title, "d" + description, "https://example.org/?a=1&b=<2>", "https://example.org/'\".png")
    root = ElementTree.fromstring(reply_xml(Reply(articles=(article,) * 9), to="o", sender="g", created=1))
    items = root.findall("Articles/item")
    assert root.findtext("MsgType") == "news"
    assert root.findtext("ArticleCount") == "8" and len(items) == 8, "the platform takes eight"
    for item in items:
        assert [child.tag for child in item] == ["Title", "Description", "PicUrl", "Url"]
        assert item.findtext("Title") == cut(xml_text(article.title))
        assert item.findtext("Description") == cut(xml_text(article.description))
        assert item.findtext("Url") == article.url and item.findtext("PicUrl") == article.picurl


@pytest.mark.parametrize("reply", [Reply(), Reply(""), Reply("\0\x0b\ud800")])
def test_nothing_to_say_is_no_answer(reply: Reply) -> None:
    assert reply_xml(reply, to="o", sender="g", created=1) == ""
