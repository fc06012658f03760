"""Every word the bot says, in one place; config.yaml's `copy` may replace any of them."""

import string
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo

from handlers.events_copy import EVENTS_TEXTS
from handlers.member_copy import MEMBER_TEXTS
from handlers.offers_copy import OFFERS_TEXTS
from handlers.privacy_copy import PRIVACY_TEXTS
from handlers.staff.copy import STAFF_TEXTS
from handlers.till.copy import TILL_TEXTS
from handlers.understanding_copy import UNDERSTANDING_TEXTS
from handlers.value_copy import VALUE_TEXTS
from members.money import yuan as yuan

TEXTS: Mapping[str, str] = MappingProxyType(
    {
        **MEMBER_TEXTS,
        **EVENTS_TEXTS,
        **OFFERS_TEXTS,
        **PRIVACY_TEXTS,
        **VALUE_TEXTS,
        **STAFF_TEXTS,
        **TILL_TEXTS,
        **UNDERSTANDING_TEXTS,
    }
)


class Copy:
    """The texts of one shop: ours, with config.yaml's replacements, the shop's name and its time zone."""

    def __init__(self, overrides: Mapping[str, str], *, shop: str, zone: ZoneInfo, service_phone: str = "") -> None:
        self._texts = {**TEXTS, **overrides}
        self._zone, self._always = zone, {"shop": shop, "service": service_phone}

    def text(self, key: str, **facts: object) -> str:
        """Return one text with its facts filled in; instants become local dates and times."""
        for name, value in facts.items():
            if isinstance(value, datetime):
                facts[name] = self.moment(value)
        return self._texts[key].format_map(self._always | facts)

    def moment(self, instant: datetime) -> str:
        """Return an instant as people write it: 2026年3月2日 14:05."""
        local = instant.astimezone(self._zone)
        return f"{local.year}年{local.month}月{local.day}日 {local:%H:%M}"

    def day(self, instant: datetime) -> str:
        """Return the local date of an instant: 2026年3月2日."""
        local = instant.astimezone(self._zone)
        return f"{local.year}年{local.month}月{local.day}日"

    def short_day(self, instant: datetime) -> str:
        """Return the local month and day: 3月2日."""
        local = instant.astimezone(self._zone)
        return f"{local.month}月{local.day}日"


def fields_of(text: str) -> set[str]:
    """Return the placeholders of a text; ValueError when its braces are broken."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def problems(overrides: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return (key, what is wrong in Chinese) for every replacement that could not be said."""
    found = []
    for key, text in overrides.items():
        if key not in TEXTS:
            found.append((key, "没有这一句话"))
            continue
        try:
            strange = fields_of(text) - fields_of(TEXTS[key]) - {"shop", "service"}
        except ValueError:
            found.append((key, "花括号不成对"))
            continue
        if strange:
            found.append((key, f"这一句里没有 {'、'.join(sorted(strange))} 可用"))
    return found
