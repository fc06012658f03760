"""What a line of staff literally holds: numbers in any script, money to the 分, the ways a member is named.

Everything takes normalised text (handlers.reading.normalise). Money is read with Decimal, never a float; what can't be
an amount is named as a problem, which is the key of a text.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from handlers.reading import MASKED_PHONE, NUMBER, NUMERALS, PHONE

MARK = "☎"
WHO = ("phone", "masked", "tail", "card", "member_code")
MOST_FEN = 10**10
MOST_POINTS = 10**9
LONGEST_RUN = 24
_DIGITS = {
    **{c: i for i, c in enumerate("零一二三四五六七八九")}, **{c: i for i, c in enumerate("〇壹贰叁肆伍陆柒捌玖")},
    "两": 2, "俩": 2, "参": 3,
}  # fmt: skip
_UNITS = {"十": 10, "拾": 10, "百": 100, "佰": 100, "千": 1000, "仟": 1000}
_BIG = {"万": 10**4, "亿": 10**8}
_SCALE = "".join(_UNITS)
_CHINESE = "".join((*_DIGITS, *_UNITS, *_BIG))
_RUN = rf"[\d{_CHINESE}](?:[\d{_CHINESE}]|[.,点](?=[\d{_CHINESE}]))*"
_PLAIN = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?")
_PART = re.compile(rf"(\d+|[{''.join(_DIGITS)}])?([{''.join(_UNITS)}])|(\d+|[{''.join(_DIGITS)}])")
_SMALL = rf"(?:\d|[{''.join(_DIGITS)}])"
MONEY = re.compile(
    rf"(?P<minus>[-−–—‐‑‒―]|负)?\s*(?:¥|rmb|人民币)?\s*(?P<minus2>[-−–—‐‑‒―])?\s*(?:"
    rf"(?<!\d)(?P<only>{_SMALL})\s*[毛角](?:钱)?|"
    rf"(?P<whole>{_RUN})\s*(?:(?:元|块钱?|圆|rmb|人民币)\s*(?P<zero>零)?(?:"
    rf"(?P<jiao>{_SMALL})\s*(?:[毛角]\s*(?P<fen>{_SMALL})?分?|(?!\d|\s*分))|(?P<cents>\d{{2}}(?!\d)|{_SMALL}(?=\s*分))\s*分?)?"
    rf"\s*[整正]?)?)"
)
POINTS = re.compile(rf"(?P<minus>[-−–—‐‑‒―]|负)?\s*\+?\s*(?P<whole>{_RUN})\s*个?(?:积分|分|点)?")
_SIGN_BEFORE = re.compile(r"(?:(?P<minus>减[去掉少]?|扣[除减掉]?|收回|minus)|(?P<plus>增?加上?|plus|\+))[\s:]*$")
_SIGN_AFTER = re.compile(r"\s*(?:减|扣|minus|-)\W*$")
COUNT = re.compile(
    rf"(?<![\d.{_CHINESE}第])(?P<many>\d{{1,9}}|(?:[{_CHINESE}](?<![{_SCALE}][两俩])){{1,6}})\s*张"
    rf"|(?<=[\d{_SCALE}])(?P<pair>[两俩])\s*张|(?<=\s)[x×*]\s*(?P<times>\d{{1,9}})\s*$"
)
NUMERAL = re.compile(rf"(?:第|编号|序号|no\.?|#)?\s*(\d{{1,9}}|[{_CHINESE}]{{1,3}})\s*[号个位张笔.、)]?")
_CARD = re.compile(r"(?<!\d)8\d{3}([ -]?)\d{4}\1\d{4}\1\d{4}(?!\d)")
_MEMBER_CODE = re.compile(r"(?<!\d)(?!0086)\d{4}([ -]?)\d{4}\1\d{4}(?!\d)")
_NUMBERS = (("card", _CARD), ("member_code", _MEMBER_CODE), ("phone", PHONE))
_IDIOM = re.compile(r"一(?:共|下|笔|起|次|些)")
_TAIL_WORD = r"(?:手机)?(?:尾号|末?尾数?|[后末]四位|[后末]4位)\s*(?:数|号码?)?\s*[是为:]?\s*"
_TAIL = re.compile(
    rf"{_TAIL_WORD}(?P<tail>\d+|[{''.join(_DIGITS)}]{{2,6}})(?![\d*])|(?<![\d.*])(?P<end>\d{{4}})(?=\s*(?:结尾|尾号|这位|的?(?:会员|顾客|客人)))(?:\s*(?:结尾|尾号))?"
)
_BARE_TAIL = re.compile(r"(?<![\d.,¥-])\d{4}(?![\d.,]|\s*[元块毛角分张])")


@dataclass(frozen=True, slots=True)
class Found:
    """A number in a line: where, and what; or what is wrong with it (`problem`, the key of a text)."""

    start: int
    end: int
    value: int = 0
    problem: str = ""


def numeral(text: str) -> int | None:
    """Return the whole number that digits, Chinese numerals or both spell (一百五 is 150, 1万2 is 12000)."""
    total, rest = 0, text
    for sign, size in sorted(_BIG.items(), key=lambda pair: -pair[1]):
        head, found, tail = rest.partition(sign)
        if found:
            part = _below_ten_thousand(head)
            if part is None or not head:
                return None
            total, rest = total + part * size, tail
            if len(rest) == 1 and rest in _DIGITS and rest not in "零〇":
                return total + _DIGITS[rest] * size // 10
            if rest.isdecimal() and len(rest) == 1:
                return total + int(rest) * size // 10
    if not rest:
        return total if text else None
    last = _below_ten_thousand(rest)
    return None if last is None else total + last


def _below_ten_thousand(text: str) -> int | None:
    if text.isdecimal():
        return int(text) if len(text) <= LONGEST_RUN else None
    if len(text) > 1 and all(c in _DIGITS for c in text):
        return int("".join(str(_DIGITS[c]) for c in text))
    total, unit, place, zero = 0, 0, 0, False
    while place < len(text):
        if text[place] in "零〇":
            zero, place = True, place + 1
            continue
        found = _PART.match(text, place)
        if found is None:
            return None
        place = found.end()
        digit = found[1] or found[3]
        value = 1 if digit is None else int(digit) if digit.isdecimal() else _DIGITS[digit]
        smaller = _UNITS.get(found[2] or "", 0)
        if unit and smaller >= unit:
            return None
        if smaller:
            total, unit, zero = total + value * smaller, smaller, False
        else:
            colloquial = unit >= 100 and not zero and value < 10
            return total + value * (unit // 10 if colloquial else 1) if place == len(text) else None
    return total


def _decimal(run: str) -> Decimal | None:
    if _PLAIN.fullmatch(run):
        return Decimal(run.replace(",", ""))
    times = _BIG.get(run[-1:], _UNITS.get(run[-1:], 1))
    if times > 1 and "." in run and _PLAIN.fullmatch(run[:-1]):
        return Decimal(run[:-1].replace(",", "")) * times
    whole, point, part = run.partition("点")
    if point:
        digits = "".join(str(_DIGITS[c]) if c in _DIGITS else c for c in part)
        head = numeral(whole)
        return Decimal(f"{head}.{digits}") if head is not None and digits.isdecimal() else None
    found = numeral(run)
    return None if found is None else Decimal(found)


def money_in(text: str) -> Found | None:
    """Return the first amount of money, in 分; None when there is none. The one of 一共 or 一下 is no amount."""
    said = next((one for one in MONEY.finditer(text) if not _IDIOM.match(text, one.start())), None)
    if said is None:
        return None
    yuan = Decimal(0) if said["only"] else _decimal(said["whole"])
    if yuan is None:
        return Found(said.start(), said.end(), problem="amount_shape")
    small = _digit(said["jiao"] or said["only"]) * 10 + _digit(said["fen"])
    if said["cents"]:
        small = int(said["cents"]) if said["cents"].isdecimal() else _digit(said["cents"])
    elif said["zero"] and said["jiao"] and said["fen"] is None and not said[0].endswith(("毛", "角")):
        small //= 10
    fen = yuan * 100 + small
    problem = ""
    if said["minus"] or said["minus2"]:
        problem = "amount_negative"
    elif fen != fen.to_integral_value():
        problem = "amount_precision"
    elif fen == 0:
        problem = "amount_zero"
    elif fen > MOST_FEN:
        problem = "amount_range"
    return Found(said.start(), said.end(), 0 if problem else int(fen), problem)


def in_figures(plain: str) -> str:
    """Return a line with its numbers in figures, and 元 after them for 块: 满一百二减二十 is 满120减20."""
    return re.sub(r"(?<=\d)(?:块钱?|圆)", "元", re.sub(_RUN, _figures, plain))


def _figures(said: re.Match[str]) -> str:
    found = None if _PLAIN.fullmatch(said[0]) else _decimal(said[0])
    return said[0] if found is None else f"{found.normalize():f}"


def _digit(text: str | None) -> int:
    return 0 if not text else _DIGITS.get(text, 0) if not text.isdecimal() else int(text)


def points_in(text: str) -> Found | None:
    """Return the first number of points; a minus is kept."""
    said = POINTS.search(text)
    if said is None:
        return None
    points = _decimal(said["whole"])
    problem = ""
    if points is None:
        problem = "amount_shape"
    elif points != points.to_integral_value():
        problem = "points_whole"
    elif points == 0:
        problem = "points_zero"
    elif points > MOST_POINTS:
        problem = "points_range"
    value = 0 if problem or points is None else int(points) * (-1 if said["minus"] else 1)
    return Found(said.start(), said.end(), value, problem)


def sign_said(text: str, found: Found) -> tuple[int, str]:
    """Return where a number with the word for its sign begins, and that sign: "+", "-", or "" without one."""
    said = _SIGN_BEFORE.search(text[: found.start])
    if said is not None:
        return said.start(), "-" if said["minus"] else "+"
    if _SIGN_AFTER.match(text, found.end):
        return found.start, "-"
    return found.start, "+" if text[found.start : found.end].lstrip().startswith("+") else ""


def count_in(text: str) -> Found | None:
    """Return how many copies: 2张, 两张, x2; of 二十两张 the 两, for 22 is never said so."""
    said = COUNT.search(text)
    if said is None:
        return None
    many = numeral(said["many"] or said["pair"] or said["times"])
    return None if many is None else Found(said.start(), said.end(), many)


def number_in(text: str) -> int | None:
    """Return the number that is all a line says: 2, 二, 第2个, 编号 12."""
    said = NUMERAL.fullmatch(text.strip())
    return None if said is None else numeral(said[1])


def who_in(text: str) -> tuple[str, Mapping[str, str]]:
    """Return the line with MARK where a member is named, and one slot of WHO with the name, or `problem`."""
    tried = ((slot, pattern.search(text)) for slot, pattern in _NUMBERS)
    named = [(slot, said) for slot, said in tried if said is not None]
    if named:
        # a phone in groups may look like a code from its second group on: what begins first is meant
        slot, said = min(named, key=lambda pair: pair[1].start())
        value = re.sub(r"\D", "", said[1] if slot == "phone" else said[0])
        return _marked(text, said), {slot: value}
    masked = MASKED_PHONE.search(text)
    if masked is not None:
        return _marked(text, masked), _masked(masked[0])
    ended = _TAIL.search(text)
    if ended is not None:
        tail = (ended["tail"] or ended["end"]).translate(NUMERALS)
        return _marked(text, ended), {"tail": tail} if len(tail) == 4 else {"problem": "staff_tail_shape"}
    return text, {}


def _masked(said: str) -> Mapping[str, str]:
    head, tail = said[:3], re.findall(r"\d+$", said)[0]
    return {"masked": f"{head}****{tail}"} if len(tail) == 4 else {"problem": "staff_tail_shape"}


def _marked(text: str, said: re.Match[str]) -> str:
    return text[: said.start()] + MARK + text[said.end() :]


def bare_tail_in(text: str) -> tuple[str, Mapping[str, str]]:
    """Return the line with MARK in place of its first bare four digits: 8000 128.5 names a member and an amount."""
    said = _BARE_TAIL.search(text)
    return (text, {}) if said is None else (_marked(text, said), {"tail": said[0]})


def mistyped_phone_in(text: str) -> tuple[str, Mapping[str, str]]:
    """Return the line with MARK in place of a number given as a phone that can't be one."""
    for said in NUMBER.finditer(text):
        if 7 <= len(re.sub(r"\D", "", said[0])) <= 15:
            return _marked(text, said), {"problem": "bad_phone"}
    return text, {}


def member_said(text: str) -> Mapping[str, str]:
    """Return the slots of a line that answers which member: any way of naming one, also four bare digits."""
    marked, slots = who_in(text)
    if not slots:
        digits = re.sub(r"[\s,.。]", "", text).translate(NUMERALS)
        if re.fullmatch(r"\d{4}", digits):
            return {"tail": digits}
        marked, slots = mistyped_phone_in(text)
    return slots if re.fullmatch(rf"[\s,.。:是的会员顾客手机号码]*{MARK}[\s,.。的会员顾客位]*", marked) else {}
