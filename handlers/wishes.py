"""What a member wishes for themselves, in exact words: their data, what they may be sent and how often.

What is heard: patterns and words of people. Roundabout words are left to `understanding`, whose routes ask.
"""

import re
from datetime import date

from handlers.flows import Flow
from handlers.grammar import SURE
from handlers.profile_dates import age_in, day_in, due_in_weeks, number
from handlers.reading import normalise, squeeze
from handlers.understanding import Understood, understand
from members.conversations import Stand

_ANY_DAY = date(2000, 1, 1)
_CHILD = re.compile(r"宝宝|宝贝|baby|孩子|小孩|小朋友|娃|儿子|女儿|闺女|囡|预产期|怀孕|怀了|孕")
_EXPECTING = re.compile(r"预产期|怀孕|怀了|孕")
_BIRTHDAY = re.compile(r"生日|出生|生辰|(?<=[日号])生")
_REMOVE = re.compile(
    r"(?:删除|删掉|删了|清除|移除|去掉|不要)(?:我的?)?(?:宝宝|宝贝|孩子|小孩|娃)(?:的)?(?:全部|所有)?(?:资料|信息|生日|数据|记录)"
)
_DATE = r"[\d零〇一幺二两三四五六七八九十今去前大明后初廿农阴历年月日号份正腊]{2,16}"
_OWN = r"(?:我|我的|本人|本人的|把|帮我|请|请把|会员|登记|设置|修改|改|填|记|写|一下|为|成)*"
_IS = r"(?:是|为|在|改成|改为|改到|设为|设成|填|写|登记为|登记成|更正为|记为|记成)?"
_TOLD = re.compile(
    rf"{_OWN}(?:生日|出生日期|出生年月日?){_IS}(?:阳历|公历|新历)?{_DATE}(?:生的?|出生的?|生日|吧|了)?"
    rf"|(?:我|本人)(?:是|生于|出生于|在)?(?:阳历|公历|新历)?{_DATE}(?:的)?(?:生日|出生的?|生的)"
)
_BORN = re.compile(
    rf"(?:我|我家|我们家|家里|我的|咱家|有)*(?:个|一个)?(?:大|小|老大|老二|老三)?"
    rf"(?:宝宝|宝贝|孩子|小孩|小朋友|娃娃?|儿子|女儿|闺女|囡囡?|男宝|女宝)(?:的)?(?:生日|出生日期|出生)?"
    rf"(?:是|在|于|今年|现在|已经|刚|快|满|有|生于|出生于)*(?:{_DATE}|[\d一二两三四五六七八九十半零岁个月周]{{2,9}})"
    r"(?:的)?(?:出生的?|生的?|生日|大|了|啦|的)*"
)
_DUE = re.compile(
    rf"(?:我|我家|老婆|太太|媳妇|的)*(?:预产期|怀孕|怀了?宝宝|怀了|孕)(?:是|在|大概|大约|到|了|已经|有)*"
    rf"(?:{_DATE}|[\d一二三四五六七八九十]{{1,4}}多?周)(?:了|左右|吧|底|初|中旬?|上旬|下旬)*"
)
_REMINDER = r"(?:(?:补货|复购|回购|续购|购买|该买|囤货)(?:的)?(?:提醒|通知|消息)?)"
_OFFER = r"(?:优惠券?|优惠卷|促销|折扣|特价|券)(?:的)?(?:活动|消息|信息|推送|通知|推荐)*"
_STOP = r"(?:退订|取消订阅|停止|停掉|停收|关闭|关掉|取消|不要|不收|不再收|别发|不要发|不要再发|别再发|拒收)(?:接收|掉)?"
_QUIT = r"(?:退订|取消订阅|停收|不再收|拒收)"
_START = r"(?:恢复|重新订阅|重新接收|订阅|打开|开启|接收)"
_POLITE = r"(?:请|麻烦|帮我|给我|我要|我想|你们|了|吧|谢谢|一下|啊|哦)*"
_WISHES = (
    ("unsubscribe", {"topic": "reminder"}, rf"{_STOP}(?:给我)?{_REMINDER}"),
    ("unsubscribe", {"topic": "marketing"}, rf"{_QUIT}{_OFFER}"),
    ("resubscribe", {"topic": "reminder"}, rf"{_START}{_REMINDER}"),
    ("resubscribe", {"topic": "marketing"}, rf"{_START}{_OFFER}"),
    ("unsubscribe", {"only": "marketing"}, rf"只(?:要|收|留|接收){_OFFER}(?:{_STOP}(?:{_REMINDER}|提醒))?"),
    ("unsubscribe", {"only": "reminder"}, rf"只(?:要|收|留|接收)(?:{_REMINDER}|提醒)(?:{_STOP}{_OFFER})?"),
    ("attention", {"most": ""}, r"(?:不限(?:制)?(?:消息|推送)?(?:的)?条数|条数不限(?:制)?|取消(?:消息)?条数限制)"),
)
_EXACT = tuple((intent, slots, re.compile(f"{_POLITE}{said}{_POLITE}")) for intent, slots, said in _WISHES)
_A_MONTH = r"(?:每个?月|一个?月|30天|三十天)(?:内|里)?"
_AT_MOST = r"(?:最多|至多|顶多|不超过|不要超过|别超过|只|就|只能|只要|只想)*"
_FEW = re.compile(
    rf"{_POLITE}{_A_MONTH}{_AT_MOST}(?:给我|让我|我)?(?:发|收|推|接收|推送)?(?:我)?{_AT_MOST}"
    r"(?P<most>\d{1,3}|[零一二两三四五六七八九十]{1,3})(?:条|次|个|封)"
    rf"(?:营销|推送|优惠|的)*(?:消息|短信|推送|信息|券)?(?:就行|就好|就够|够|即可|以内|可以)*{_POLITE}"
)
_CAMPAIGN = re.compile(
    r"(?P<off>退订|取消订阅|恢复|重新订阅)(?:活动)?[\s「『“\"':,]+(?P<name>[^\s」』”\"']{2,30})[\s」』”\"'。.!]*"
)
_AGE = r"[\d一二两三四五六七八九十半零岁个月周]{2,9}"
_BARE_DATE = re.compile(
    rf"(?:我|是|为|嗯|公历|阳历|大概|应该|在|就|的|出生|生日|怀孕|孕)*(?:{_DATE}|{_AGE})(?:出生|生|吧|的|大|了|左右)*"
)
_IN_FLOW = frozenset((Flow.BIRTHDAY_ASK, Flow.BIRTHDAY_CONFIRM, Flow.CHILD_ASK, Flow.CHILD_CONFIRM))


def understood(text: str, stand: Stand | None) -> Understood | None:
    """Return what a line wishes, None when it is a line like any other; a bare date answers a flow that asks."""
    plain, words = normalise(text), squeeze(text)
    if _REMOVE.fullmatch(words):
        return Understood("remove_child", SURE)
    if _is_child(words):
        return Understood("profile", SURE, {"about": "child"})
    if _TOLD.fullmatch(words):
        return Understood("profile", SURE, {"about": "birthday"})
    for intent, slots, said in _EXACT:
        if said.fullmatch(words):
            return Understood(intent, SURE, slots)
    if (few := _FEW.fullmatch(words)) is not None:
        return Understood("attention", SURE, {"most": str(number(few["most"]))})
    if stand is not None and stand.state in _IN_FLOW and _is_date(plain, words):
        return Understood("profile", SURE, {"about": "birthday" if stand.state.startswith("birthday") else "child"})
    return _campaign(text, plain)


def _is_child(words: str) -> bool:
    return (_BORN.fullmatch(words) or _DUE.fullmatch(words)) is not None


def _is_date(plain: str, words: str) -> bool:
    told = day_in(plain, _ANY_DAY) or age_in(plain, _ANY_DAY) or due_in_weeks(plain, _ANY_DAY)
    return told is not None and _BARE_DATE.fullmatch(words) is not None


def _campaign(text: str, plain: str) -> Understood | None:
    """Return a refusal of what is named after it; 退订 谢谢 names nothing, it is 退订 and polite."""
    found = _CAMPAIGN.fullmatch(plain)
    if found is None or understand(text).confidence >= SURE:
        return None
    intent = "unsubscribe" if found["off"] in ("退订", "取消订阅") else "resubscribe"
    return Understood(intent, SURE, {"campaign": found["name"]})


def about(text: str) -> str:
    """Return what of the profile a line is about: child | birthday, or nothing in particular."""
    words = squeeze(text)
    if _CHILD.search(words):
        return "child"
    return "birthday" if _BIRTHDAY.search(words) else ""


def removes_child(text: str) -> bool:
    """Tell whether a line asks to forget a child."""
    return _REMOVE.search(squeeze(text)) is not None


def expects(text: str) -> bool:
    """Tell whether a line tells of a child not born yet."""
    return _EXPECTING.search(squeeze(text)) is not None


def topic_in(text: str) -> str:
    """Return the kind of push a line names: reminder | marketing, or nothing."""
    words = squeeze(text)
    if re.search(f"{_REMINDER}|提醒", words):
        return "reminder"
    return "marketing" if re.search(r"优惠|促销|折扣|券", words) else ""
