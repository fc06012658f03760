"""Commands with a code or a number, in exact words only: 优惠券 2, 转赠 2, 领取 K7QF-…, 预约 2 3, 邀请码 K7QF2-…."""

import re
from collections.abc import Mapping

from handlers.reading import phone_in
from members import invitations

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
_MONEY = r"[\d.零一二两三四五六七八九十百千]{1,8}"
_DISCOUNT = (
    rf"(?:满{_MONEY}(?:元|块钱?)?(?:减|送|打|立减){_MONEY}(?:元|块钱?|折)?|{_MONEY}折|"
    rf"{_MONEY}(?:元|块钱?)(?:无门槛|优惠|代金|抵用|现金)?券)"
)
_ASKED = (
    r"(?:(?:怎么|咋|如何)(?:使用|用)|(?:什么时候|哪天|几号|多久|何时)(?:到期|过期|能用|可以用)|到期|过期|有效期(?:到哪天|多久)?|"
    r"(?:还)?能不能用|(?:还)?(?:能|可以)用|在?哪里?(?:能|可以)?用|的?(?:二维码|券码)|有什么(?:限制|条件)|看看|详情|说明|用一下)"
)
_NAMED = re.compile(
    rf"(?:我要|我想|我的?|请|帮我|看看|看|查一?下?|打开|出示|使用|用|那张|这张|那个|这个|那|这|有张|有)*\s*"
    rf"(?P<name>{_DISCOUNT}(?:的?(?:优惠|代金|抵用)?[券卷劵])?)\s*"
    rf"(?:的?[那这](?:[一]?[张个])?(?:[券卷劵])?|的)?\s*(?:{_ASKED})*(?:吗|呢|啊|呀|了|的|嘛|么|吧)*[?。.!]*"
)
_TO_GIVE = re.compile(
    rf"(?P<off>取消|收回|撤回)?(?:转赠|转送)[\s:,「]*(?P<name>{_DISCOUNT}(?:的?(?:优惠|代金|抵用)?[券卷劵])?)[」\s。.!]*"
)
_WHY = re.compile(
    rf"(?:请问)?(?:为什么|为啥|为何|凭什么|怎么会?)(?:要|会|又)?(?:发|送)?给?我(?:发|送)?了?(?:一?张|这张|那张|这个)?\s*"
    rf"(?P<name>{_DISCOUNT}\w{{0,6}}|{_CODE})[?。.!]*"
)
_REORDER_OFF = re.compile(
    r"(?:取消|撤回|撤销|不要)(?:了|掉)?(?:再来一单|再来一份|这一单|那一单|备货|刚才的?那?一?单)(?:了|吧)?[。.!]?"
)
_FRIEND = re.compile(r"(?<![0-9a-z])([0-9a-z]{5}[\s\-–—]?[0-9a-z]{5})(?![0-9a-z])")
_OWN = re.compile(r"(?:我的|看看|查看?)*邀请码[。.!]?")
_INVITED = re.compile(
    r"[我有的是为填写输入使用朋好友给发来请\s:,「」。.!]*(?:邀请|推荐)码?[我有的是为填写输入使用朋好友给发来\s:,「」。.!]*"
)
_BOOK = re.compile(rf"(?P<off>取消)?预约[\s:,]*(?:{_WHICH}(?:[\s:,第]+(?P<slot>{_NO})\s*(?:个|号)?)?)?")


def coupon_command(plain: str) -> tuple[str, Mapping[str, str]] | None:
    """Return (intent, slots) of a normalised line, None when it is none: `no` or `code`, `off` undoes, `slot`."""
    if (invited := _invited(plain)) is not None:
        return invited
    if _REORDER_OFF.fullmatch(plain):
        return "reorder", {"off": "1"}
    if (found := _SHOW.fullmatch(plain)) is not None:
        return "coupons", _slots(found)
    if (found := _TRANSFER.fullmatch(plain)) is not None:
        return "transfer_coupon", _slots(found)
    if (found := _WHY.fullmatch(plain)) is not None:
        return "why", {"name": found["name"]}
    if (found := _TO_GIVE.fullmatch(plain)) is not None:
        return "transfer_coupon", {"name": found["name"]} | ({"off": found["off"]} if found["off"] else {})
    if (found := _NAMED.fullmatch(plain)) is not None:
        return "coupons", {"name": found["name"]}
    if (found := _CLAIM.search(plain)) is not None:
        return "claim_coupon", _slots(found)
    if plain == "领取":
        return "claim_coupon", {}
    if (found := _BOOK.fullmatch(plain)) is not None:
        return "book_coupon", _slots(found)
    return None


def _invited(plain: str) -> tuple[str, Mapping[str, str]] | None:
    """Return what a line with a friend's code means: the code, perhaps beside a phone; a bare code must be exact."""
    if _OWN.fullmatch(plain):
        return "invite_code", {}
    for found in _FRIEND.finditer(plain):
        code = re.sub(r"[\s\-–—]", "", found[1])
        exact, rest = invitations.exact(code) is not None, plain[: found.start()] + " " + plain[found.end() :]
        if (phone := phone_in(rest)) is not None and (exact or "邀请码" in rest):
            return "bind", {"phone": phone, "invite": code}
        if _INVITED.fullmatch(rest) or (exact and (not rest.strip(" 。.!") or "邀请" in rest)):
            return "invite_code", {"code": code}
    return None


def _slots(found: re.Match[str]) -> dict[str, str]:
    given = {name: value for name, value in found.groupdict().items() if value}
    slots: dict[str, str] = {name: given[name] for name in ("code", "off", "slot") if name in given}
    number = given.get("no") or given.get("bare") or given.get("nth")
    slots |= {"no": number} if number else {}
    return {name: _COUNTED.get(value, value) for name, value in slots.items()}
