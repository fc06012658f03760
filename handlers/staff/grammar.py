"""What staff type at the counter, the parts in any order: 发券, 核销, 查会员, 上次, 消费, 退款, 充值, 积分, 标签, 撤销.

Apart from names of coupons, tags and reasons a command holds known words only: one foreign word and it is none, for
staff talk like anybody else too.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from handlers.staff.reading import (
    MARK,
    NUMERAL,
    WHO,
    bare_tail_in,
    count_in,
    mistyped_phone_in,
    money_in,
    numeral,
    points_in,
    sign_said,
    who_in,
)

_ISSUE = re.compile(r"(?:发放?|送|补发?|赠送?)\s*(?:优惠)?[券卷劵]")
_GIVE = re.compile(rf"^(?:请|帮)?\s*给?\s*(?:会员|顾客|客人)?\s*{MARK}\s*(?:这位会员)?\s*(?:发放?|送|补发?|赠送?)")
_HANDED = re.compile(rf"(?<=\S\S)\s*(?:发放?|送|补发?|赠送?)\s*给\s*(?:会员|顾客|客人)?\s*{MARK}\s*$")
_GIVE_TO = re.compile(rf"^(?:发放?|送|补发?|赠送?)(?=.+给\s*(?:会员|顾客|客人)?\s*{MARK})")
_TO = re.compile(rf"(?:给|向)?\s*(?:会员|顾客|客人|手机号?|电话)?\s*{MARK}")
_EDGES = re.compile(r"^(?:[\s,，:：。的]|一个|给|会员|顾客)+|(?:[\s,，:：。]|一个|谢谢|给)+$")
_REDEEM = re.compile(r"^(?:核销|销券|用券|验券|核券|核)\s*(?:优惠)?(?:券码?)?|(?:核销|验券|核券|销券)$")
_GIVING = (_GIVE, _GIVE_TO, _HANDED)
_COUPON_CODE = re.compile(r"[0-9a-z]{4}([\s-]?)[0-9a-z]{4}\1[0-9a-z]{4}")
_CODE_FILLER = re.compile(r"谢谢|一下|这张|这个|请|帮")
_CODEISH = re.compile(r"[0-9a-z\s–—-]*")
ANY_COUPON = re.compile(r"(优惠|代金|折扣|抵用)?[券卷劵]")
COUPON_AFTER = re.compile(r"的?(优惠)?[券卷劵]$")

_FILLER = re.compile(
    rf"(?:请|帮|麻烦|给|为|替|向|跟|的|会员|顾客|客人|用户|这位|这个|手机号?码?|电话|号码?|了|吧|一下|一笔|一共|谢谢|金额|共|是|[,:;、。!~]|\s|{MARK})*"
)
_SALE = re.compile(r"消费|买单|收款|收银|结账|结帐|入账|记账|付款|(?=(?:余额|储值卡?)(?:支付|付|扣))")
_BALANCE = re.compile(r"(?:用|刷|扣|从)?(?:他的|会员)?(?:余额|储值卡?|会员卡)(?:支付|付款|付|扣款|扣|里扣|买单|结账)?")
_REFUND = re.compile(r"退款|退钱|退货|退单")
_ALL = re.compile(r"全部|全额|全退|整单|所有|全都")
_ORDER_NO = re.compile(
    r"(?:单号|订单号?|小票号?)\s*:?\s*([0-9a-z][0-9a-z-]{2,63})|(?<![0-9a-z-])(c\d{6}-[0-9a-f]{6})(?![0-9a-z-])"
)
_CASH_OUT = re.compile(
    r"退(?:储值卡?|余额|本金|卡里?的?钱|充值)(?:款|的钱)?|(?:储值卡?|余额|充值|本金)(?:里?的?钱)?(?:退款|退现|退钱|提现|退)|提现"
)
_TOPUP = re.compile(r"充值|充钱|续充|存钱|储值|充|存")
_MONEY = (("staff_cash_out", _CASH_OUT), ("staff_refund", _REFUND), ("staff_sale", _SALE), ("staff_topup", _TOPUP))
_POINTS = re.compile(
    rf"(?P<plus>奖励?|增加|加|补|送|赠)|(?P<minus>扣除|扣减|扣掉|扣|减去|减掉|减少|减)|(?P<sign>(?<=积分)\s*[+-]|{MARK}\s*[+-])"
)
_POINTS_WORD = re.compile(r"积分")
_POINTS_UNIT = re.compile(r"(?<=[\d十百千万一二两三四五六七八九])\s*个?分(?!钱)")
_QUESTION = re.compile(r"吗|么|呢|怎|多少|几|什么|啥|为何|是不是|可以|能不能|[?？]|规则|活动|记录|明细|查询|到账")
_LOOKUP = re.compile(
    rf"^(?:查询?|查一?下|查看|看一?下|看看)\s*(?:会员|顾客|客人)?(?=\s*{MARK})|会员查询|查询?会员|查一?下会员|查顾客|查客人"
)
_ABOUT = re.compile(
    r"是谁|哪位|什么会员|什么等级|有(?:多少|什么|哪些|几张)|多少|资料|信息|情况|会员查询|查询|查一?下|查看|看看|查"
    r"|积分|余额|等级|优惠券|券|标签|会员"
)
_LAST = re.compile(
    r"(?:查询?|看看?)?\s*(?:会员|顾客|客人)?\s*(?:上次|上回|上一次|上一单|最近一单|老样子|菜单|常点|常买)"
    r"(?:的?(?:菜单|订单|消费|小票))?|(?:买|点|吃|喝)(?:过|了|的)?(?:是|些)?(?:什么|啥)"
)
_LAST_ALONE = re.compile(
    r"(?:查询?|看看?)?\s*(?:会员|顾客|客人)(?:的)?(?:上次|上回|上一单|菜单)|查(?:上次|上一单|菜单)"
)
_TAG = re.compile(r"(?P<off>去掉?|删除?掉?|移除|撕掉?|取消|摘掉?)?(?:打上?|贴上?|添?加上?|新增|补)?(?:会员)?标签")
_OFF = re.compile(r"^(?:删除?|去掉|移除|取消|撕掉)\s+")
_PERK = re.compile(rf"(?:(?P<use>使用|用掉?)\s*(?:{MARK}\s*的?)?)?\s*(?:会员)?权益")
_PLAN = re.compile(r"开通|续费")
_ONCE = re.compile(r"\s*[一1]次$")
_KINDS = {
    "发券": "issue", "送券": "issue", "补券": "issue", "核销": "redeem", "验券": "redeem", "消费": "sale",
    "退款": "refund", "退储值": "cash_out", "充值": "topup",
    "加积分": "points", "扣积分": "points", "积分": "points", "用权益": "perk",
    "权益": "perk", "开通": "plan", "续费": "plan",
}  # fmt: skip
_UNDO = re.compile(
    r"^(?:请|帮我)?\s*(?:撤销|撤回|撤消)\s*(?:上一?[笔次]|上个|刚才?(?:那?一?[笔次])?|最后一?笔|[这那]一?笔|操作)?\s*的?\s*"
    rf"(?:(?P<kind>{'|'.join(_KINDS)})(?:操作)?|操作)?\s*(?P<no>.*)$"
)
_WORDS_MOST, _REASON_MOST = 60, 40


@dataclass(frozen=True, slots=True)
class Command:
    """A staff intent with its slots, all text: one of WHO names a member, `amount` is in 分, `problem` a text's key."""

    intent: str
    slots: Mapping[str, str]
    sure: bool = True


def counter_command(plain: str) -> Command | None:
    """Return the counter command of a normalised line, None when it is none."""
    found = _undo(plain) or _redeem(plain)
    if found is not None:
        return found
    marked, slots = who_in(plain)
    found = _privilege(marked, slots) or _money(marked, slots) or _points(marked, slots) or _tag(marked, slots)
    if found is None:
        found = _issue(*((marked, slots) if slots else mistyped_phone_in(plain)))
    if found is not None or slots:
        return found or _last(marked, slots) or _lookup(marked, slots)
    marked, slots = bare_tail_in(plain)
    looked = _lookup(marked, slots) if _LOOKUP.search(marked) else None
    return _last(marked, slots) or looked or _lookup(*mistyped_phone_in(plain))


def _redeem(plain: str) -> Command | None:
    said = _REDEEM.search(plain)
    if said is None:
        bare = _COUPON_CODE.fullmatch(plain) is not None and not plain.isdigit() and not plain.isalpha()
        return Command("staff_redeem", {"code": plain}, sure=False) if bare else None
    code = _CODE_FILLER.sub("", plain[: said.start()] + plain[said.end() :]).strip(" ,:。")
    if not _CODEISH.fullmatch(code):
        return None
    return Command("staff_redeem", {"code": code} if code else {})


def _undo(plain: str) -> Command | None:
    said = _UNDO.match(plain)
    if said is None:
        return None
    slots = {"kind": _KINDS[said["kind"]]} if said["kind"] else {}
    if not said["no"]:
        return Command("staff_undo", slots)
    number = NUMERAL.fullmatch(said["no"])
    found = None if number is None else numeral(number[1])
    return None if found is None else Command("staff_undo", {**slots, "number": str(found)})


def _issue(marked: str, slots: Mapping[str, str]) -> Command | None:
    many = count_in(marked)
    if many is not None:
        marked = f"{marked[: many.start]} {marked[many.end :]}"
    marked = re.sub(r"\s+", " ", re.sub(r"(?:一|1)?张(?=\s|的|$)|(?<=[发送补赠])张", " ", marked)).strip()
    said = _ISSUE.search(marked)
    if said is not None and said.start() > 0 and not slots:
        said = None
    if said is None and (said := next((m for p in _GIVING if (m := p.search(marked))), None)) is None:
        return None
    rest = marked[: said.start()] + (MARK if MARK in said[0] else " ") + marked[said.end() :]
    name = _edged(_TO.sub(" ", rest))
    found = dict(slots) | ({"name": name} if name else {}) | ({"count": str(many.value)} if many else {})
    return Command("staff_issue", found)


def _edged(text: str) -> str:
    before = None
    while text != before:
        before, text = text, _EDGES.sub("", text)
    return text


def _money(marked: str, slots: Mapping[str, str]) -> Command | None:
    """Read 消费, 退款 and 充值: a verb, a member, an amount, and fillers."""
    for intent, verb in _MONEY:
        said = verb.search(marked)
        if said is None:
            continue
        found = dict(slots)
        rest = _options(intent, f"{marked[: said.start()]}{' ' if said[0] else ''}{marked[said.end() :]}", found)
        command = _with_amount(Command(intent, found), rest)
        bare = len(said[0]) > 1 and said[0] not in ("储值", "存钱")
        if command is not None and (bare or command.slots):
            return command
    return None


def _options(intent: str, rest: str, found: dict[str, str]) -> str:
    if intent == "staff_sale" and (said := _BALANCE.search(rest)):
        found["pay"] = "balance"
        return f"{rest[: said.start()]} {rest[said.end() :]}"
    if intent == "staff_refund" and (said := _ORDER_NO.search(rest)):
        found["order_no"] = said[1] or said[2]
        rest = f"{rest[: said.start()]} {rest[said.end() :]}"
    if intent in ("staff_refund", "staff_cash_out") and (said := _ALL.search(rest)):
        found["amount"] = "all"
        rest = f"{rest[: said.start()]} {rest[said.end() :]}"
    return rest


def _with_amount(command: Command, rest: str) -> Command | None:
    """Return the command with the amount that stands in the rest of its line; None when a foreign word does too."""
    rest, slots = _member_or_amount(rest, command.slots)
    money = None if "amount" in slots else money_in(rest)
    if money is not None:
        rest = f"{rest[: money.start]} {rest[money.end :]}"
        slots = slots | ({"problem": money.problem} if money.problem else {"amount": str(money.value)})
    other = money_in(rest) if money is not None else None
    if other is not None:
        rest = f"{rest[: other.start]} {rest[other.end :]}"
        slots = slots | {"problem": "amount_two"}
    return replace(command, slots=slots) if _FILLER.fullmatch(rest) else None


def _member_or_amount(rest: str, slots: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Take four bare digits before another number for the end of a phone, and a long number for a mistyped one."""
    if any(name in slots for name in (*WHO, "problem", "order_no")):
        return rest, dict(slots)
    marked, found = bare_tail_in(rest)
    if found and money_in(marked) is not None:
        return marked, {**slots, **found}
    marked, found = mistyped_phone_in(rest)
    return marked, {**slots, **found}


def _points(marked: str, slots: Mapping[str, str]) -> Command | None:
    said = _POINTS.search(marked)
    if said is None or not (_POINTS_WORD.search(marked) or _POINTS_UNIT.search(marked)):
        return None
    rest = f"{marked[: said.start()]} {marked[said.end() :]}"
    if MARK in said[0]:
        rest = MARK + rest
    rest, found = _member_or_amount(_POINTS_WORD.sub(" ", rest, count=1), slots)
    amount, minus = points_in(rest), said["minus"] is not None or "-" in (said["sign"] or "")
    if amount is not None:
        start, sign = sign_said(rest, amount)
        rest = f"{rest[:start]} {rest[amount.end :]}"
        if amount.problem:
            found["problem"] = amount.problem
        elif sign not in ("", "-" if minus else "+"):
            found["problem"] = "points_both"
        elif amount.value < 0:
            found["problem"] = "points_negative"
        else:
            found["points"] = str(-amount.value if minus else amount.value)
    found |= {"sign": "-" if minus else "+"}
    return _reasoned(Command("staff_points", found), rest, full=amount is not None)


def _reasoned(command: Command, rest: str, *, full: bool) -> Command | None:
    """Return the command with what is left of its line as its reason: only where nothing else is missing."""
    if _FILLER.fullmatch(rest):
        return command
    reason = re.sub(rf"[\s{MARK}]+", " ", rest).strip(" ,:;、。的给")
    reason = re.sub(r"^(?:原因|因为|理由|备注|由于)[\s,:是]*", "", reason)
    known = any(name in command.slots for name in WHO)
    if not (full and known) or not reason or len(reason) > _REASON_MOST or re.search(r"\d", reason):
        return None
    return None if _QUESTION.search(reason) else replace(command, slots={**command.slots, "reason": reason})


def _privilege(marked: str, slots: Mapping[str, str]) -> Command | None:
    """Read 权益, 用权益 and 开通: the perks of a member, one of them used, a plan sold."""
    if not slots:
        marked, slots = mistyped_phone_in(marked)
    if not slots:
        marked, slots = bare_tail_in(marked)
    perk = _PERK.search(marked)
    said = perk or _PLAN.search(marked)
    if said is None:
        return None
    before, after = marked[: said.start()], marked[said.end() :]
    if perk is not None and perk["use"] is None:
        listed = bool(slots) and _FILLER.fullmatch(_ABOUT.sub(" ", f"{before} {after}"))
        return Command("staff_perks", slots) if listed else None
    if not (_FILLER.fullmatch(before) or (before.endswith(" ") and _FILLER.fullmatch(after))):
        return None
    name = _ONCE.sub("", _edged(_TO.sub(" ", f"{before} {after}")))
    if name and (not slots or len(name) > _WORDS_MOST or _QUESTION.search(name)):
        return None
    intent = "staff_plan" if perk is None else "staff_perk"
    return Command(intent, {**slots, "name": name} if name else slots)


def _tag(marked: str, slots: Mapping[str, str]) -> Command | None:
    said = _TAG.search(marked)
    if said is None:
        return None
    rest = _TO.sub(" ", f"{marked[: said.start()]} {marked[said.end() :]}")
    words = re.sub(r"^[\s,:;、。]+|[\s,:;、。]+$", "", re.sub(r"[\s,:;、]+", " ", rest)).strip()
    off = "off" if said["off"] or _OFF.match(words) else "on"
    words = _OFF.sub("", words)
    if not words or words in ("给", "的", "请给"):
        return Command("staff_tag", {**slots, "way": off})
    if len(words) > _WORDS_MOST or re.search(r"\d{7}", words) or _QUESTION.search(words) or not slots:
        return None
    return Command("staff_tag", {**slots, "way": off, "tags": words})


def _last(marked: str, slots: Mapping[str, str]) -> Command | None:
    if not slots:
        return Command("staff_last", {}) if _LAST_ALONE.fullmatch(marked) else None
    rest, hits = _LAST.subn(" ", marked)
    return Command("staff_last", slots) if hits and _FILLER.fullmatch(rest) else None


def _lookup(marked: str, slots: Mapping[str, str]) -> Command | None:
    if _LOOKUP.search(marked):
        rest = _ABOUT.sub(" ", _LOOKUP.sub(" ", marked))
        return Command("staff_lookup", slots) if _FILLER.fullmatch(rest) else None
    rest, hits = _ABOUT.subn(" ", marked)
    alone = bool(slots) and "phone" not in slots and "problem" not in slots
    return Command("staff_lookup", slots) if slots and (hits or alone) and _FILLER.fullmatch(rest) else None
