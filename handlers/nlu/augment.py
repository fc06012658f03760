"""Variations of a phrase as hasty people type it; drawn from its own text, so that every build makes the same."""

import random
from collections.abc import Iterator, Mapping, Sequence

from pypinyin import lazy_pinyin

from handlers.nlu import lexicon
from handlers.nlu.sounds import sound_of

BEFORE = (
    "请问", "请问一下", "麻烦", "那个", "嗯", "你好", "您好", "亲", "帮我", "帮忙", "老板", "哎", "我想问下", "在吗", "喂",
    "不好意思", "打扰一下", "客服", "我想", "那个啥", "话说", "麻烦帮我看下", "能不能", "呃", "hi", "小编",
)  # fmt: skip
AFTER = (
    "谢谢", "吧", "啊", "呀", "呢", "哈", "了", "谢谢啦", "呗", "嘛", "可以吗", "行吗", "急", "快点", "哦", "咯", "麻烦了",
    "谢谢亲", "在线等", "多谢", "拜托", "呐",
)  # fmt: skip
DENIED = ("不是要", "我没说要", "我不想", "没让你", "不是让你", "没有要", "谁要", "我还不想", "没打算")
DENIABLE = frozenset(
    ("checkin", "erase", "unbind", "reorder", "export_data", "redeem_points", "human", "invite", "unsubscribe")
)
HALF, MOST_DENIED = 0.5, 12
ABOUT = frozenset(
    (
        "points", "points_history", "balance", "balance_history", "coupons", "member_code", "tier", "unsubscribe",
        "resubscribe", "statement", "invite", "checkin", "export_data", "unbind", "bind", "change_phone", "erase", "why",
        "depersonalise", "personalise", "profile", "redeem_points", "stores", "help", "human", "reorder", "last_order",
    )
)  # fmt: skip
FRAME = frozenset(
    (
        "ASK", "MINE", "YOU", "NOT", "WHEN", "WHERE", "WHY", "USE", "ENOUGH", "OWN", "RECENT", "LESS", "LACK", "CHANGE",
        "LAST", "ONCE", "AGAIN", "GREETING", "THANKS", "CONFIRM", "SHOP", "FRIEND", "TODAY", "HOWTO", "FOREIGN", "ELSEWHERE", "SHOW",
        "GOODS", "DONE", "KIN",
    )
)  # fmt: skip
NAMEABLE = frozenset(("券", "代金券", "优惠", "门店", "消费", "买", "推荐", "订单"))
BEFORE_OURS, MOST_WORDS = 0.4, 12
TOLD_BEFORE = (
    "我年纪大了手机不太会用", "我是你们的老顾客了", "我昨天刚去你们店里逛了一圈", "我老婆让我问问", "刚刚收银员跟我说",
    "孩子在旁边哭我长话短说", "我这会儿在排队", "上个月我搬家了", "我明天要出差", "听邻居说的", "前两天下雨没出门",
    "我眼睛不好打字慢", "我妈让我来问", "今天刚发工资", "我在外地", "我也不太懂这些", "我找了半天没找到", "我点来点去都不对",
    "上回你们那个小姑娘教过我我忘了", "我家小孩刚睡着", "我马上就到了", "我都等半天了", "你们那个页面太难找了",
    "有件事想麻烦你", "不知道问谁好", "我刚下班", "周末准备过来", "我用了好几年了", "哎呀急死我了", "咱俩说个事", "小姑娘你好啊",
)  # fmt: skip
TOLD_AFTER = (
    "我急用", "一直没搞明白", "你帮我弄一下嘛", "我不会操作", "我记性不好忘了", "我等着呢", "告诉我就行", "我好安排一下",
    "省得我跑一趟", "麻烦快一点", "等你回复", "找半天没找着", "晚上要用", "我闺女说可以这样", "谢谢小姑娘",
)  # fmt: skip
BESIDE = (
    "?积分", "积分?", "?的积分", "我的?积分", "?积分怎么查", "?余额", "余额?", "我的?余额", "?余额多少", "?里还有多少钱", "?优惠券",
    "优惠券?", "?的券", "?券", "?红包", "?订单", "订单?", "我的?订单", "?等级", "?的等级", "我的?等级", "?会员码", "?二维码", "二维码?",
    "?明细", "?记录", "?账单", "账单?", "?地址", "?的地址", "?营业时间", "?在哪里", "?怎么走", "?电话", "门店?", "绑定?", "?绑定",
    "登录?", "?登录", "注册?", "?注册", "解绑?", "?解绑", "注销?", "?注销", "把?注销了", "恢复?", "?恢复", "怎么恢复?", "导出?",
    "把?导出来", "导出?里的?", "删除?", "把?删了", "取消?", "?取消了", "退订?", "?退订", "签到?", "?签到", "?打卡", "兑换?", "?兑换",
    "换?", "换个?", "?换?", "怎么换?", "升级?", "?升级", "再来一?", "再来一首?", "再来一局?", "再来一杯?", "不要?", "不要放?", "别?",
    "别?了", "别给我?", "不想?", "不想?了", "停止?", "关闭?", "打开?", "为什么?", "为什么?会?", "?为什么?", "为什么我的?不?",
    "为什么?和?", "上次?", "上次的?", "上次?的?", "上次那个?", "最近?", "最近?怎么样", "最近有什么?", "?会员", "?会员卡", "我的?",
    "?的说明书", "帮助?", "?功能", "?的功能", "?菜单", "人工?", "?人工", "?客服电话", "?客服", "投诉?", "我要投诉?", "邀请?参加?",
    "邀请函?", "分享?", "?的资料", "?生日", "?的生日", "修改?", "改?", "?过期了", "?到期", "?清零", "谢谢?", "确认?", "确认?吗",
    "怎么?", "?怎么?", "什么是?", "?多少钱", "?和?哪个好", "?是什么意思", "帮我?", "帮我查?", "查?", "看看?", "我想?", "我要?", "有?吗",
    "?能?吗", "推荐?的?", "推荐一部?", "推荐一首?", "推荐一本?", "?推荐?",
)  # fmt: skip
BESIDE_EACH = 24
WEIGHTS: Mapping[str, float] = {
    "as": 1.0, "wrapped": 0.4, "sound": 0.4, "slip": 0.3, "pinyin": 0.4, "denied": 0.5, "told": 0.3, "other": 0.2, "beside": 0.3,
}  # fmt: skip


class Varied:
    """Makes variations; `homophones` are the common characters of each folded syllable."""

    def __init__(self, homophones: Mapping[str, Sequence[str]]) -> None:
        self._homophones = homophones

    def of(self, plain: str) -> Iterator[tuple[str, str]]:
        """Yield (kind, variation) of a normalised line, itself first."""
        chance = random.Random(plain)
        yield "as", plain
        before, after = chance.choice(BEFORE), chance.choice(AFTER)
        shape = chance.randrange(3)
        yield "wrapped", (before if shape < 2 else "") + plain + (after if shape > 0 else "")
        if len(plain) >= 3 and chance.random() < HALF:
            yield "told", _told(plain, chance)
        han = [place for place, character in enumerate(plain) if "\u4e00" <= character <= "\u9fff"]
        if len(han) >= 2:
            yield "sound", self._misheard(plain, chance, chance.choice(han))
            yield "pinyin", _spelt(plain, chance)
        if len(plain) >= 5 and chance.random() < HALF:
            yield "slip", _slipped(plain, chance)

    def _misheard(self, plain: str, chance: random.Random, place: int) -> str:
        alike = [other for other in self._homophones.get(sound_of(plain[place]), ()) if other != plain[place]]
        return plain[:place] + chance.choice(alike) + plain[place + 1 :] if alike else plain


def _told(plain: str, chance: random.Random) -> str:
    """Return the line as a part of a story."""
    before, after = chance.choice(TOLD_BEFORE), chance.choice(TOLD_AFTER)
    gap, shape = chance.choice((",", ",", " ", "", "。")), chance.randrange(3)
    return (before + gap if shape < 2 else "") + plain + (gap + after if shape else "")


def denied(plain: str, intent: str) -> str | None:
    """Return a line that says a deed is not wanted, None of what can't be denied by a word before it."""
    fits = (
        intent in DENIABLE and 2 <= len(plain) <= MOST_DENIED and plain[0] not in "不别没我你请取" and plain.isalpha()
    )
    return random.Random(plain).choice(DENIED) + plain if fits and not plain.isascii() else None


def elsewhere(words: Sequence[str], intent: str, nouns: Sequence[str]) -> str | None:
    """Return the same sentence about something else: our word replaced by a noun, or a noun put before it."""
    meant = (set(lexicon.words().get(word, ())) - FRAME if len(word) >= 2 else set() for word in words)
    ours = [at for at, concepts in enumerate(meant) if concepts]
    if intent not in ABOUT or not ours or len(words) > MOST_WORDS:
        return None
    chance = random.Random("".join(words))
    noun = chance.choice(nouns)
    if chance.random() < BEFORE_OURS and words[ours[0]] not in NAMEABLE:
        place = ours[0] + chance.randrange(2)
        return "".join((*words[:place], noun, *words[place:]))
    return "".join(noun if at == ours[0] else "" if at in ours else word for at, word in enumerate(words))


def beside(nouns: Sequence[str]) -> Iterator[str]:
    """Yield short lines of one of our words and a noun that nobody says to a shop."""
    chance = random.Random(len(nouns))
    for shape in BESIDE:
        for _ in range(BESIDE_EACH):
            first, second = chance.sample(nouns, 2)
            yield shape.replace("?", first, 1).replace("?", second)


def _spelt(plain: str, chance: random.Random) -> str:
    """Return the line in Latin letters: apart, in one, or only a half of it."""
    style = chance.randrange(4)
    if style == 3 and len(plain) >= 4:
        cut = len(plain) // 2
        halves = (plain[:cut], "".join(lazy_pinyin(plain[cut:])))
        return "".join(halves)
    return ("" if style == 0 else " ").join(lazy_pinyin(plain))


def _slipped(plain: str, chance: random.Random) -> str:
    """Return the line with one character lost, doubled or in the wrong place."""
    place, kind = chance.randrange(len(plain) - 1), chance.randrange(3)
    if kind == 0:
        return plain[:place] + plain[place + 1 :]
    if kind == 1:
        return plain[:place] + plain[place] + plain[place:]
    return plain[:place] + plain[place + 1] + plain[place] + plain[place + 2 :]
