"""What a line holds beside its intent: phone, amount, count, day, names that are passed in; typed, never a guess."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from handlers import profile_dates
from handlers.reading import PHONE, normalise, phone_in, squeeze
from handlers.staff import reading as counter

_AGO = re.compile(r"(?P<many>\d{1,3}|[一二两三四五六七八九十]{1,3})(?P<unit>天|个?星期|周|个?月|年)(?:之?前|以前)")
_DAYS: Mapping[str, int] = {"大前天": -3, "前天": -2, "昨": -1, "今": 0, "明": 1, "大后天": 3, "后天": 2}
_DAY = re.compile("|".join(f"{word}(?:天|日|晚|儿)" if len(word) == 1 else word for word in _DAYS))
_FIGURE = r"[\d.,零〇一二两三四五六七八九十百千万]+"
_MONEY = re.compile(rf"(?:¥|rmb)\s*{_FIGURE}|{_FIGURE}\s*(?:元|块|圆|毛|rmb)[\d一二三四五六七八九半]?钱?")
_MANY = re.compile(
    r"(?:x\s*(?P<times>\d{1,3})|(?P<many>\d{1,3}|[一二两三四五六七八九十]{1,3})\s*(?:张|份|件|瓶|盒|袋|包|箱|斤|杯|罐|条|支))(?!\d)"
)
_MONTH = re.compile(r"(?P<which>上上个?|上个?|这个?|本|当|下个?)月")
_MONTHS: Mapping[str, int] = {"上上": -2, "上": -1, "这": 0, "本": 0, "当": 0, "下": 1}
_FEASTS: Mapping[str, tuple[int, int]] = {
    "元旦": (1, 1), "情人节": (2, 14), "三八": (3, 8), "妇女节": (3, 8), "五一": (5, 1), "劳动节": (5, 1), "六一": (6, 1),
    "儿童节": (6, 1), "教师节": (9, 10), "十一": (10, 1), "国庆": (10, 1), "双十一": (11, 11), "双11": (11, 11),
    "双十二": (12, 12), "圣诞": (12, 25),
}  # fmt: skip
_FEAST = re.compile(
    rf"(?P<year>去年|今年|明年|前年)?的?(?P<feast>{'|'.join(sorted(_FEASTS, key=len, reverse=True))})(?![\d月])"
)
_YEARS: Mapping[str, int] = {"前年": -2, "去年": -1, "今年": 0, "明年": 1}


def amount_in(plain: str) -> int | None:
    """Return the first amount of money in 分 (¥12.5, 五十块, 一百二); None without one or when it can't be one."""
    said = _MONEY.search(PHONE.sub(" ", plain))
    found = None if said is None else counter.money_in(said[0])
    return None if found is None or found.problem else found.value


def count_in(plain: str) -> int | None:
    """Return how many copies or pieces a line asks for (2张, 两份, x3); None without."""
    found = _MANY.search(PHONE.sub(" ", plain))
    return None if found is None else profile_dates.number(found["times"] or found["many"])


def date_in(plain: str, today: date) -> date | None:
    """Return the day a line speaks of, of a month its first; without a year the latest that is not after today."""
    if (said := _AGO.search(plain)) is not None:
        return _before(today, profile_dates.number(said["many"]), said["unit"])
    if (said := _DAY.search(plain)) is not None:
        word = said[0] if said[0] in _DAYS else said[0][0]
        return today + timedelta(days=_DAYS[word])
    if (said := _MONTH.search(plain)) is not None:
        return _months(today.replace(day=1), _MONTHS[said["which"].rstrip("个")])
    if (said := _FEAST.search(plain)) is not None:
        year = _YEARS.get(said["year"] or "")
        return (
            _latest(*_FEASTS[said["feast"]], today)
            if year is None
            else date(today.year + year, *_FEASTS[said["feast"]])
        )
    told = profile_dates.day_in(_MONEY.sub(" ", PHONE.sub(" ", plain)), today)
    if told is None or told.lunar:
        return None
    return told.on(today.year) if told.year is not None else _latest(told.month, told.day or 1, today)


def birthday_in(plain: str, today: date) -> profile_dates.Told | None:
    """Return the birthday a line tells; `lunar` when it is of the lunar calendar, which we do not reckon with."""
    return profile_dates.day_in(PHONE.sub(" ", plain), today)


def _latest(month: int, day: int, today: date) -> date | None:
    years = (today.year - back for back in range(8))
    found = (profile_dates.Told(year, month, day).on(year) for year in years)
    return next((one for one in found if one is not None and one <= today), None)


def _before(today: date, many: int, unit: str) -> date:
    if unit.endswith(("天", "星期", "周")):
        return today - timedelta(days=many * (1 if unit == "天" else 7))
    return _months(today, -many * (12 if unit == "年" else 1))


def _months(day: date, many: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + many, 12)
    while True:
        try:
            return date(max(1, year), month + 1, day.day)
        except ValueError:
            day = day - timedelta(days=1)


def name_in(plain: str, names: Sequence[str]) -> str | None:
    """Return the longest of these names (coupons, stores, categories) that a line holds; None when it holds none."""
    packed = squeeze(plain)
    held = [name for name in names if squeeze(name) and squeeze(name) in packed]
    return max(held, key=len, default=None)


def found_in(text: str, today: date) -> Mapping[str, str]:
    """Return every slot of a text, written out: phone, amount (分), count, date (ISO)."""
    plain = normalise(text)
    day = date_in(plain, today)
    found = {"phone": phone_in(plain), "amount": amount_in(plain), "count": count_in(plain), "date": day}
    return {name: str(value) for name, value in found.items() if value is not None}
