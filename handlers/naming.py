"""Coupons and rewards called by their names: whole, in part, by their category, or nearly.

What is nearly a name is never taken for it: it is asked about. Figures are never near: 满100减20 is not 满200减20.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from rapidfuzz import fuzz

from handlers.reading import normalise, squeeze
from handlers.staff.reading import in_figures

NEAR = 66.0
PART_CHARS, NEAR_CHARS, LONGEST = 2, 3, 60
DEEDS = ((re.compile(r"转赠|转送"), "transfer_coupon"), (re.compile(r"预约"), "book_coupon"))
UNDOES = re.compile(
    r"(?:取消|收回|撤回|撤销|不要?|别|不想)\w{0,3}(?:转赠|转送|预约)|(?:转赠|转送|预约)\w{0,12}(?:取消|收回|撤回|撤销)"
)
EXCHANGE = re.compile(r"兑|换")
ABOUT_COUPONS = re.compile(r"券|卷|优惠|折|减|用|到期|过期")
_FIGURES = re.compile(r"\d+(?:\.\d+)?")
_KIND = re.compile(r"(?:优惠|代金|抵用|体验)?券$")
_BEFORE = re.compile(
    r"^(?:请问?|麻烦|帮我?|我想要?|我要|想要?|我|的|看看|查一?下?|查看|打开|出示|使用|用一?下?|显示|为什么|为啥|为何|怎么|发给我|给我|送我|发我|会|要|"
    r"转赠|转送|赠送|送给|兑换|兑|换|预约|约|取消|收回|撤回|一?[张份个次]|那|这|给|发|有|还|积分|拿)+"
)
_AFTER = re.compile(
    r"(?:那|这|的|一?[张份个]|怎么|如何|咋|使用|用|什么时候|哪天|几号|几时|多久|何时|到期|过期|有效期?|还能|能|可以|可|在哪里?|哪里|吗|嘛|么|呢|吧|啊|呀|了|"
    r"二维码|券码|码|看看|打开|出示|规则|条件|有什么|限制|说明|给我|送我|发我|我|送|给|朋友|一下|谢谢|优惠券|券|是|剩|几张|多少|时间)+$"
)


class Named(NamedTuple):
    """Which names a line means, by their places: `sure` by a whole name or part of one, or only `nearly`."""

    sure: Sequence[int] = ()
    nearly: Sequence[int] = ()


def comparable(words: str) -> str:
    """Return words as names are compared: simplified, numbers in figures, without signs and spaces."""
    return squeeze(in_figures(normalise(words)))


def core(text: str) -> str:
    """Return a line without what people say around a name; '' when nothing else is said."""
    plain = comparable(text[:LONGEST])
    return _AFTER.sub("", _BEFORE.sub("", plain))


def named(names: Sequence[Sequence[str]], text: str) -> Named:
    """Return which of these things a line names; each has several names, and the longest that is said counts."""
    plain, wanted = comparable(text[:LONGEST]), core(text)
    said = [max((len(name) for name in _spoken(many) if _holds(plain, name)), default=0) for many in names]
    if longest := max(said, default=0):
        return Named([place for place, length in enumerate(said) if length == longest])
    if len(wanted) < PART_CHARS:
        return Named()
    partly = [place for place, many in enumerate(names) if any(_holds(name, wanted) for name in _spoken(many))]
    if partly:
        return Named(partly)
    return Named((), [place for place, many in enumerate(names) if any(_near(name, wanted) for name in _spoken(many))])


def _spoken(names: Sequence[str]) -> list[str]:
    """Return the forms in which a thing is named: as it is called, and without the word that only says coupon."""
    whole = [comparable(name) for name in names]
    short = [_KIND.sub("", name) for name in whole]
    return [name for name in dict.fromkeys([*whole, *short]) if len(name) >= PART_CHARS]


def _holds(whole: str, part: str) -> bool:
    """Tell whether a part stands in a whole without cutting through a number: 5元券 is no part of 25元券."""
    head, tail = r"(?<![\d.])" if part[:1].isdigit() else "", r"(?![\d.])" if part[-1:].isdigit() else ""
    return re.search(f"{head}{re.escape(part)}{tail}", whole) is not None


def _near(name: str, wanted: str) -> bool:
    return (
        min(len(name), len(wanted)) >= NEAR_CHARS
        and _FIGURES.findall(name) == _FIGURES.findall(wanted)
        and fuzz.ratio(name, wanted) >= NEAR
    )
