"""A day that somebody tells of themselves or a child: 1990-05-03, 5月3号, 去年三月, 两岁半, 怀孕20周; never a guess.

What is heard: patterns and words of people. A line is taken after `reading.normalise`.
"""

import re
from dataclasses import dataclass
from datetime import date, timedelta

from members.clock import add_months

_NUMERALS = ("零〇", "一幺", "二两", "三", "四", "五", "六", "七", "八", "九")
_DIGITS = {word: number for number, words in enumerate(_NUMERALS) for word in words}
_HAN = "".join(_DIGITS) + "十"
_N = rf"(?:\d{{1,4}}|[{_HAN}]{{1,4}})"
_TWO = rf"\d{{1,2}}|[{_HAN}]{{1,3}}"
_YEAR = rf"(?P<year>\d{{4}}|\d{{2}}|[{_HAN}]{{4}}|[{_HAN}]{{2}}|今|去|前|大前|明|后)年\s*的?\s*"
_APART = r"[-/. ]+"
_FULL = re.compile(
    rf"(?<!\d)(?P<year>(?:19|20)\d\d)"
    rf"(?:{_APART}(?P<month>\d{{1,2}})(?:{_APART}(?P<day>\d{{1,2}}))?|(?P<run>\d{{4}}))(?!\d)"
)
_WORDS = re.compile(rf"(?:{_YEAR})?(?P<month>{_TWO})\s*月份?\s*(?:(?P<day>{_TWO})\s*[日号]?)?")
_SHORT = re.compile(r"(?<![\d.])(?P<month>\d{1,2})\s*[-/.]\s*(?P<day>\d{1,2})(?![\d.])")
_LUNAR = re.compile(r"农历|阴历|旧历|腊月|正月|冬月|初[一二三四五六七八九十]|廿")
_AGE = re.compile(rf"(?:(?P<years>{_N})\s*周?岁(?P<half>半)?)?(?:零?\s*(?P<months>{_N})\s*个(?P<more>半)?月)?")
_WEEKS = re.compile(rf"(?P<weeks>{_N})\s*(?:多)?[周]")
_SHIFT = {"今": 0, "去": -1, "前": -2, "大前": -3, "明": 1, "后": 2}
PREGNANCY_WEEKS = 40


@dataclass(frozen=True, slots=True)
class Told:
    """What was told of a day: the year and the day may be missing; `lunar` is no day of our calendar."""

    year: int | None = None
    month: int = 0
    day: int | None = None
    lunar: bool = False

    def on(self, year: int) -> date | None:
        """Return the day in a year (the first of the month where no day was told), None when there is no such day."""
        try:
            return date(self.year or year, self.month, self.day or 1)
        except ValueError:
            return None


def number(text: str) -> int:
    """Return a number in digits or in Chinese numerals below 10000: 12, 十二, 二十五, 一九九零."""
    if text.isdecimal():
        return int(text)
    if "十" not in text:
        return int("".join(str(_DIGITS[word]) for word in text))
    tens, _, ones = text.partition("十")
    return (number(tens) if tens else 1) * 10 + (number(ones) if ones else 0)


def day_in(plain: str, today: date) -> Told | None:
    """Return the first day that a line tells of, None when it tells of none."""
    if _LUNAR.search(plain):
        return Told(lunar=True)
    if (found := _FULL.search(plain)) is not None:
        run = found["run"]
        month, day = (run[:2], run[2:]) if run else (found["month"], found["day"])
        return _checked(Told(int(found["year"]), int(month), int(day) if day else None))
    if (found := _WORDS.search(plain)) is not None:
        year = _year(found["year"], today) if found["year"] else None
        return _checked(Told(year, number(found["month"]), number(found["day"]) if found["day"] else None))
    if (found := _SHORT.search(plain)) is not None:
        return _checked(Told(None, int(found["month"]), int(found["day"])))
    return None


def _checked(told: Told) -> Told | None:
    return told if told.on(2000) is not None else None


def _year(word: str, today: date) -> int:
    word = word.removesuffix("年")
    if word in _SHIFT:
        return today.year + _SHIFT[word]
    told = number(word)
    if told >= 100:
        return told
    return told + (2000 if told <= today.year % 100 + 1 else 1900)


def age_in(plain: str, today: date) -> date | None:
    """Return the month (its first day) in which somebody of this age was born: 8个月, 两岁半; None without an age."""
    for found in _AGE.finditer(plain):
        if found["years"] or found["months"]:
            months = number(found["years"] or "0") * 12 + number(found["months"] or "0") + 6 * bool(found["half"])
            return None if months > 20 * 12 else add_months(today, -months).replace(day=1)
    return None


def due_in_weeks(plain: str, today: date) -> date | None:
    """Return the due date of who tells how many weeks gone they are: 怀孕20周; 40 weeks in all, as it is reckoned."""
    found = _WEEKS.search(plain)
    if found is None or not 1 <= number(found["weeks"]) <= PREGNANCY_WEEKS:
        return None
    return today + timedelta(weeks=PREGNANCY_WEEKS - number(found["weeks"]))
