"""What a typed line literally holds: plain text, digits, a phone, a code. Any Unicode goes in, nothing raises."""

import re
import unicodedata
from functools import lru_cache

from opencc import OpenCC

MAX_TEXT = 500
DROPPED = frozenset(("So", "Cn", "Co", "Cs", "Sk", "Mn", "Me", "Cf"))
NUMERALS = str.maketrans("零〇一幺二两三四五六七八九", "0011223456789")
_SPOKEN = re.compile(r"[零〇一幺二两三四五六七八九]{6,}")
_NOISE = re.compile(r"[\W_]+")
_GAP = r"[\s.\-_–—·()]{0,3}"
PHONE = re.compile(rf"(?<![\d+])(?:\(?(?:\+|00)?86\)?{_GAP})?(1{_GAP}[3-9](?:{_GAP}\d){{9}})(?!\d)")
MASKED_PHONE = re.compile(r"(?<!\d)1[3-9]\d[*x×•·.…_-]{2,8}\d{2,4}(?!\d)")
NUMBER = re.compile(rf"(?<!\d)\+?\d(?:{_GAP}\d){{4,18}}(?!\d)")
CODE = re.compile(r"(?<!\d)\d{6}(?!\d)")
SPREAD_CODE = re.compile(r"(?<!\d)\d(?:[\s-]?\d){5}(?!\d)")
NEARLY_CODE = re.compile(r"\d{4,8}")
CODE_WORDS = re.compile(
    r"(?:短信|手机|验证码?|校验码|动态码|码|code|我|的|收到|是|为|了|您|你好?|好|输入|回复|谢谢|请?查收|就是|这个|显示|刚|来了|填)*"
)


@lru_cache(maxsize=1)
def _simplifier() -> OpenCC:
    return OpenCC("t2s")


def normalise(text: str) -> str:
    """Return text in lower case, full-width folded (NFKC), simplified, numerals made digits, without emoji."""
    plain = unicodedata.normalize("NFKC", text[:MAX_TEXT])
    kept = "".join(_kept(c) for c in plain)
    if not kept.isascii():
        kept = _simplifier().convert(kept)
        kept = _SPOKEN.sub(lambda run: run[0].translate(NUMERALS), kept)
    return kept.strip().lower()


def _kept(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cc":
        return " "
    if category == "Nd":
        return str(unicodedata.decimal(character))
    return "" if category in DROPPED else character


def squeeze(text: str) -> str:
    """Return normalised text without any punctuation or space; of nothing but signs, the signs themselves."""
    return _NOISE.sub("", normalise(text)) or signs(text)


def signs(text: str) -> str:
    """Return a text of emoji or punctuation without variation selectors, joiners and spaces."""
    plain = unicodedata.normalize("NFKC", text[:MAX_TEXT])
    return "".join(c for c in plain if unicodedata.category(c) not in ("Mn", "Cf", "Cc", "Cs", "Zs", "Sk"))


def phone_in(plain: str) -> str | None:
    """Return the first eleven digits that look like a mainland mobile number, as digits; None when there are none."""
    found = PHONE.search(plain)
    return None if found is None else re.sub(r"\D", "", found[1])


def code_in(plain: str, *, expecting: bool) -> str | None:
    """Return the SMS code that a line is about, None when it is about something else.

    While a code is expected any short sentence with one six-digit number will do, also the whole SMS pasted; four to
    eight digits alone are a code mistyped. Otherwise only a code with words such as 验证码 around it.
    """
    codes = CODE.findall(plain) or [re.sub(r"\D", "", spread) for spread in SPREAD_CODE.findall(plain)]
    packed = _NOISE.sub("", plain)
    if re.fullmatch(r"\d{6}", packed):
        return packed
    if PHONE.search(plain):
        return None
    if expecting and NEARLY_CODE.fullmatch(packed):
        return packed
    if len(codes) != 1:
        return None
    if expecting and (len(packed) <= 20 or "验证码" in packed):
        return str(codes[0])
    around = packed.replace(codes[0], "", 1)
    return str(codes[0]) if "码" in around and CODE_WORDS.fullmatch(around) else None


def writes_traditional(text: str) -> bool:
    """Tell whether a text holds a character that only the traditional script has: simplifying it changes it."""
    plain = unicodedata.normalize("NFKC", text[:MAX_TEXT])
    han = "".join(character for character in plain if "\u3400" <= character <= "\u9fff")
    return bool(han) and _simplifier().convert(han) != han
