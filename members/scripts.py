"""Which Chinese somebody writes, and how ours is written to them: typed traditional is answered in traditional.

To traditional by OpenCC's s2tw: characters only (裡, 麵, 群), which Taiwan and Hong Kong both read, and none of the
words of either; what is said stays what the shop calls it.
"""

from functools import lru_cache

from opencc import OpenCC

TRADITIONAL = "hant"
# simplified by the table, and ordinary characters of traditional writing as well
_BOTH = frozenset("后里台云几余范征干丑斗郁于准仆复么着占采游朴杰伙别岳")


@lru_cache(maxsize=2)
def _converter(name: str) -> OpenCC:
    return OpenCC(name)


def written(text: str, before: str = TRADITIONAL) -> str | None:
    """Return 'hant' for a text with traditional characters, '' for one with simplified ones only, None for neither.

    Who wrote simplified `before` is only looked at for traditional ones: that is a single conversion.
    """
    if text.isascii():
        return None
    if _converter("t2s").convert(text) != text:
        return TRADITIONAL
    if before != TRADITIONAL:
        return None
    to = _converter("s2tw")
    return "" if any(to.convert(c) != c for c in set(text) - _BOTH if not c.isascii()) else None


def spoken(text: str, script: str) -> str:
    """Return our text in the script of whom it is for; codes, figures and addresses are ASCII and stay."""
    if script != TRADITIONAL or text.isascii():
        return text
    # OpenCC stops at a NUL, which XML does not know anyway; and takes 回复 for 回復, which with us always is 回覆
    converted: str = _converter("s2tw").convert(text.replace("\0", ""))
    return converted.replace("回復", "回覆")
