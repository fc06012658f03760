"""Commands about one coupon, in exact words only: 优惠券 2, 转赠 2, 领取 K7QF-…, 预约 2 3."""

import re
from collections.abc import Mapping

_CODE = r"[0-9a-z]{4}[\s-]?[0-9a-z]{4}[\s-]?[0-9a-z]{4}|\d{15}"
_COUNTED = {word: str(place) for place, word in enumerate("一二三四五六七八九十", 1)}
_NO = rf"\d{{1,2}}|[{''.join(_COUNTED)}]"
_WHICH = rf"(?:(?P<code>{_CODE})|第?\s*(?P<no>{_NO})\s*(?:张|号)?\s*(?:券)?)"
_SHOW = re.compile(
    rf"(?:优惠券|优惠卷|券码?)[\s:,.]*(?:(?P<code>{_CODE})|第\s*(?P<no>{_NO})\s*张|(?P<bare>{_NO}))"
    rf"|第\s*(?P<nth>{_NO})\s*张(?:优惠)?券"
)
_TRANSFER = re.compile(rf"(?P<off>取消|收回|撤回)?转赠(?:优惠券|券)?[\s:,]*{_WHICH}?")
_CLAIM = re.compile(rf"领取[\s:,「]*(?P<code>{_CODE})[\s」。.!]*$")
_BOOK = re.compile(rf"(?P<off>取消)?预约[\s:,]*(?:{_WHICH}(?:[\s:,第]+(?P<slot>{_NO})\s*(?:个|号)?)?)?")


def coupon_command(plain: str) -> tuple[str, Mapping[str, str]] | None:
    """Return (intent, slots) of a normalised line, None when it is none: `no` or `code`, `off` undoes, `slot`."""
    if (found := _SHOW.fullmatch(plain)) is not None:
        return "coupons", _slots(found)
    if (found := _TRANSFER.fullmatch(plain)) is not None:
        return "transfer_coupon", _slots(found)
    if (found := _CLAIM.search(plain)) is not None:
        return "claim_coupon", _slots(found)
    if plain == "领取":
        return "claim_coupon", {}
    if (found := _BOOK.fullmatch(plain)) is not None:
        return "book_coupon", _slots(found)
    return None


def _slots(found: re.Match[str]) -> dict[str, str]:
    given = {name: value for name, value in found.groupdict().items() if value}
    slots: dict[str, str] = {name: given[name] for name in ("code", "off", "slot") if name in given}
    number = given.get("no") or given.get("bare") or given.get("nth")
    slots |= {"no": number} if number else {}
    return {name: _COUNTED.get(value, value) for name, value in slots.items()}
