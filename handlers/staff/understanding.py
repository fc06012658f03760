"""The whole of what staff can say: fixed words, what managers say about people and approvals, the counter's grammar;
and, while the bot waits for one slot of a command, what a line says about that slot.
"""

import re
from collections.abc import Mapping
from typing import Any

from handlers.reading import PHONE, squeeze
from handlers.staff.grammar import Command, counter_command
from handlers.staff.reading import MARK, WHO, member_said, money_in, number_in, points_in, sign_said, who_in

TODAY = frozenset(
    (
        "今日", "今天", "今日小结", "今日汇总", "今天小结", "今日数据", "今天数据", "小结", "日结", "今天发了多少",
        "今天核销了多少", "我的今日", "今日流水", "今天流水",
    )
)  # fmt: skip
STORE_TODAY = frozenset(
    (
        "本店今日",
        "门店今日",
        "全店今日",
        "今日全店",
        "今日门店",
        "门店小结",
        "店里今天",
        "本店今天",
        "本店小结",
        "门店日结",
    )
)
HELP = frozenset(("店员帮助", "员工帮助", "指令", "帮助", "help", "店员指令", "店员菜单", "怎么用", "?"))
_FIXED: Mapping[str, Command] = {
    **dict.fromkeys(TODAY, Command("staff_today", {})),
    **dict.fromkeys(STORE_TODAY, Command("staff_today", {"of": "store"})),
    **dict.fromkeys(HELP, Command("staff_help", {})),
    **dict.fromkeys(
        ("任务", "我的任务", "待办", "任务列表", "今天的任务", "今日任务", "查任务", "有什么任务"),
        Command("staff_tasks", {}),
    ),
    **dict.fromkeys(
        ("待审批", "待批", "审批", "待批准", "审批列表", "批准", "拒绝", "驳回"), Command("staff_approvals", {})
    ),
    **dict.fromkeys(("店员", "店员名单", "员工名单", "店员列表", "员工列表", "查店员"), Command("staff_people", {})),
    **dict.fromkeys(("人群", "人群列表", "客群", "有哪些人群"), Command("staff_segment", {})),
}
_NO = r"(?:编号|第|任务|申请|no\.?|#)*\s*(\d{1,9})\s*[号个笔条]?(?!\d)"
_APPROVE = re.compile(rf"^(?:批准|同意|通过|准许)\s*{_NO}\s*(?:任务|申请)?$")
_REFUSE = re.compile(rf"^(?:拒绝|驳回|不批准?|不同意|不通过)\s*{_NO}[\s,:]*(?P<why>.*)$")
_DONE = re.compile(rf"^(?:完成了?|做完了?|搞定了?|办完了?|完工)\s*{_NO}(?:任务)?[\s,:]*(?P<why>.*)$")
_ASSIGN = re.compile(r"^(?:派|分配|安排|布置|新建|加)(?:一?个)?任务\s*[:,]?\s*(?:给)?\s*")
_INVITE = re.compile(
    r"^(?:邀请|添加|新增|登记|新)(?:一?[个名位])?\s*(?P<role>店员|员工|同事|收银员|收银|导购|顾问|店长|总部)\s*[:,]?\s*"
)
_REVOKE = re.compile(r"^(?:停用|禁用|注销|停掉|删除|移除)\s*(?:店员|员工|同事|收银员|导购)\s*[:,]?\s*(?P<ref>.{1,20})$")
_SEGMENT = re.compile(r"^(?:人群|客群)[\s:,]+(?P<name>\S.{0,38})$")
_ROLES = {
    "收银员": "cashier", "收银": "cashier", "店员": "cashier", "员工": "cashier", "同事": "cashier", "导购": "adviser",
    "顾问": "adviser", "店长": "manager", "总部": "head_office",
}  # fmt: skip
_ROLE = re.compile(rf"(?<!\S)(?:{'|'.join(_ROLES)})(?!\S)")
_ALL = frozenset(("全部", "全额", "全退", "整单", "全部退", "所有", "都退"))
_CODE = re.compile(r"[0-9a-z]{4}[\s-]?[0-9a-z]{4}[\s-]?[0-9a-z]{4}|\d{15}|(?:\d{5}\s?){3}")
_SLIPS: Mapping[str, str] = {
    "充值": r"[冲充][直植殖]|冲值|\bchong ?zhi\b", "核销": r"核消|合[销消]|和销|\bhe ?xiao\b",
    "退款": r"推款|退宽|\btui ?kuan\b", "发券": r"法券|\bfa ?quan\b", "撤销": r"彻[销消]|撒销|\bche ?xiao\b",
    "消费": r"肖费|消废|\bxiao ?fei\b", "今日": r"\bjin ?ri\b", "查会员": r"\bcha ?hui ?yuan\b",
    "上次": r"\bshang ?ci\b", "标签": r"\bbiao ?qian\b", "任务": r"\bren ?wu\b", "帮助": r"\bbang ?zhu\b",
    "加积分": r"加[积机]份|\bjia ?ji ?fen\b", "扣积分": r"扣[积机]份|\bkou ?ji ?fen\b",
}  # fmt: skip
_SLIP = {word: re.compile(slip) for word, slip in _SLIPS.items()}
MOST_TEXT = 120
LEAST_NAME = 10


def command_in(plain: str) -> Command | None:
    """Return the command of a normalised line, None when it is none: staff talk like anybody else too."""
    for word, slip in _SLIP.items():
        plain = slip.sub(word, plain, count=1)
    fixed = _FIXED.get(squeeze(plain))
    return fixed or _numbered(plain) or _people(plain) or counter_command(plain)


def _numbered(plain: str) -> Command | None:
    if said := _APPROVE.fullmatch(plain):
        return Command("staff_approve", {"number": said[1]})
    for intent, pattern in (("staff_refuse", _REFUSE), ("staff_done", _DONE)):
        if said := pattern.fullmatch(plain):
            why = PHONE.sub("*", said["why"]).strip()[:MOST_TEXT]
            return Command(intent, {"number": said[1]} | ({"reason": why} if why else {}))
    return None


def _people(plain: str) -> Command | None:
    if said := _ASSIGN.match(plain):
        return _assign(plain[said.end() :])
    if said := _INVITE.match(plain):
        return _invite(said["role"], plain[said.end() :])
    if said := _REVOKE.fullmatch(plain):
        return Command("staff_revoke", {"ref": said["ref"].strip(" 号")})
    if said := _SEGMENT.fullmatch(plain):
        return Command("staff_segment", {"name": said["name"].strip()})
    return None


def _assign(rest: str) -> Command:
    marked, slots = who_in(rest)
    words = re.sub(r"\s+", " ", marked.replace(MARK, " ")).strip(" ,:。")
    found = {name: value for name, value in slots.items() if name in (*WHO, "problem")}
    return Command("staff_assign", found | ({"text": words[:MOST_TEXT]} if words else {}))


def _invite(role: str, rest: str) -> Command:
    marked, slots = who_in(rest)
    if "phone" not in slots:
        return Command("staff_invite", {"role": _ROLES[role]})
    marked = marked.replace(MARK, " ")
    named = _ROLE.search(marked)
    if named is not None:
        role, marked = named[0], f"{marked[: named.start()]} {marked[named.end() :]}"
    store = re.search(r"门店\s*[:,]?\s*(\S+)", marked)
    if store is not None:
        marked = f"{marked[: store.start()]} {marked[store.end() :]}"
    name = re.sub(r"[\s,:;、。]+|手机号?|电话|角色|姓名|叫", " ", marked).split()
    found = {"role": _ROLES[role], "phone": slots["phone"]} | ({"name": name[0][:20]} if name else {})
    return Command("staff_invite", found | ({"store": store[1]} if store else {}))


def answer_in(plain: str, asked: str, data: Mapping[str, Any]) -> Mapping[str, str] | None:
    """Return the slots a line fills while the bot waits for `asked`, None when it speaks of something else.

    A list that was shown (`data["options"]`) is answered by a number, also by one that is not on it, unless that says
    something else: four digits name a member, two a part of a title. Names and tags may also be typed.
    """
    options = data.get("options") or []
    number = number_in(plain) if options else None
    if number is None:
        return _slot_in(plain, asked, data)
    listed = 1 <= number <= len(options) or (asked == "name" and number < LEAST_NAME)
    found = None if listed else _slot_in(plain, asked, data)
    return {"choice": str(number)} if found is None else found


def _slot_in(plain: str, asked: str, data: Mapping[str, Any]) -> Mapping[str, str] | None:
    if asked == "member":
        return member_said(plain) or None
    if asked == "amount":
        return _money_said(plain)
    if asked == "points":
        return _points_said(plain, str(data.get("slots", {}).get("sign", "+")))
    if asked == "code":
        return {"code": plain} if _CODE.fullmatch(plain) else None
    return {asked: plain} if asked in ("name", "tags") and 0 < len(plain) <= MOST_TEXT else None


def _money_said(plain: str) -> Mapping[str, str] | None:
    if squeeze(plain) in _ALL:
        return {"amount": "all"}
    found = money_in(plain)
    if found is None or plain[: found.start].strip(" ,是一共") or plain[found.end :].strip(" ,。吧"):
        return None
    return {"problem": found.problem} if found.problem else {"amount": str(found.value)}


def _points_said(plain: str, sign: str) -> Mapping[str, str] | None:
    found = points_in(plain)
    if found is None:
        return None
    start, said = sign_said(plain, found)
    if plain[:start].strip() or (said != "-" and plain[found.end :].strip(" ,。吧")):
        return None
    if said not in ("", sign):
        return {"problem": "points_both"}
    if found.problem or found.value < 0:
        return {"problem": found.problem or "amount_negative"}
    return {"points": f"{'-' if sign == '-' else ''}{found.value}"}
