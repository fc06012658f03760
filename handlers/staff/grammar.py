"""What staff type at the counter, the parts in any order: 发券, 核销, 查会员, 今日, 帮助."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from handlers.reading import MASKED_PHONE, NUMBER, PHONE, phone_in, squeeze

MARK = "☎"
_ISSUE = re.compile(r"(?:发放?|送|补发?|赠送?)\s*(?:一?张|1张)?\s*(?:优惠)?[券卷劵]")
_GIVE = re.compile(rf"^(?:请|帮)?\s*给?\s*(?:会员|顾客|客人)?\s*{MARK}\s*(?:这位会员)?\s*(?:发放?|送|补发?|赠送?)")
_GIVE_TO = re.compile(rf"^(?:发放?|送|补发?|赠送?)(?=.+给\s*(?:会员|顾客|客人)?\s*{MARK})")
_TO = re.compile(rf"(?:给|向)?\s*(?:会员|顾客|客人|手机号?|电话)?\s*{MARK}")
_EDGES = re.compile(r"^(?:[\s,，:：。的]|一张|1张|一个|给|会员|顾客)+|(?:[\s,，:：。]|一张|1张|一个|谢谢|给)+$")
_MANY = re.compile(r"^(?:[2-9]|[1-9]\d|[两二三四五六七八九十])张|(?:[2-9]|[1-9]\d|[两二三四五六七八九十])张$")
_REDEEM = re.compile(r"^(?:核销|销券|用券|验券|核券|核)\s*(?:优惠)?(?:券码?)?|(?:核销|验券|核券|销券)$")
_LOOKUP = re.compile(rf"^(?:查询?|查一?下|查看)\s*(?:会员|顾客)?(?=\s*(?:{MARK}|$))|会员查询|查询?会员|查一?下会员")
_COUPON_CODE = re.compile(r"[0-9a-z]{4}([\s-]?)[0-9a-z]{4}\1[0-9a-z]{4}")
ANY_COUPON = re.compile(r"(优惠|代金|折扣|抵用)?[券卷劵]")
COUPON_AFTER = re.compile(r"的?(优惠)?[券卷劵]$")
TODAY = frozenset(
    (
        "今日", "今天", "今日小结", "今日汇总", "今天小结", "今日数据", "今天数据", "小结", "日结", "今天发了多少",
        "今天核销了多少",
    )
)  # fmt: skip
HELP = frozenset(("店员帮助", "员工帮助", "指令", "帮助", "help", "店员指令", "店员菜单", "怎么用", "?"))


@dataclass(frozen=True, slots=True)
class Command:
    """A staff intent with its slots: `phone` as digits, `name` of a template, `code` of a coupon; or `problem`."""

    intent: str
    slots: Mapping[str, str]
    sure: bool = True


def command_in(plain: str) -> Command | None:
    """Return the command of a normalised line, None when it is none: staff talk like anybody else too."""
    squeezed = squeeze(plain)
    if squeezed in TODAY:
        return Command("staff_today", {})
    if squeezed in HELP:
        return Command("staff_help", {})
    phone = phone_in(plain)
    if phone is not None:
        marked, slots = PHONE.sub(MARK, plain, count=1), {"phone": phone}
    else:
        marked, slots = _marked(plain)
    return _redeem(plain) or _issue(marked.strip(), slots) or _lookup(marked.strip(), slots)


def _marked(plain: str) -> tuple[str, dict[str, str]]:
    """Return a line without a phone, marking what was meant as one, and what is wrong with it."""
    if MASKED_PHONE.search(plain):
        return MASKED_PHONE.sub(MARK, plain, count=1), {"problem": "staff_masked_phone"}
    for found in NUMBER.finditer(plain):
        if 7 <= len(re.sub(r"\D", "", found[0])) <= 15:
            return plain[: found.start()] + MARK + plain[found.end() :], {"problem": "bad_phone"}
    return plain, {}


def _redeem(plain: str) -> Command | None:
    said = _REDEEM.search(plain)
    if said is None:
        bare = _COUPON_CODE.fullmatch(plain) is not None and not plain.isdigit() and not plain.isalpha()
        return Command("staff_redeem", {"code": plain}, sure=False) if bare else None
    return Command("staff_redeem", {"code": (plain[: said.start()] + plain[said.end() :]).strip()})


def _issue(marked: str, slots: Mapping[str, str]) -> Command | None:
    said = _ISSUE.search(marked)
    if said is not None and said.start() > 0 and not slots:
        said = None
    if said is None and (said := _GIVE.search(marked) or _GIVE_TO.search(marked)) is None:
        return None
    rest = marked[: said.start()] + (MARK if MARK in said[0] else " ") + marked[said.end() :]
    name = _edged(_TO.sub(" ", rest))
    if _MANY.search(name):
        return Command("staff_issue", {**slots, "problem": "staff_one_each"})
    return Command("staff_issue", {**slots, "name": name} if name else slots)


def _edged(text: str) -> str:
    before = None
    while text != before:
        before, text = text, _EDGES.sub("", text)
    return text


def _lookup(marked: str, slots: Mapping[str, str]) -> Command | None:
    return None if _LOOKUP.search(marked) is None else Command("staff_lookup", slots)
