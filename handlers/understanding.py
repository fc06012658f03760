"""From words to an intent: literal phrases first, then certain key words; anything else is `unknown`, never a guess.

Money-moving, erasing and unsubscribing intents are only understood from the exact words.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from opencc import OpenCC

MAX_TEXT = 500
_NOISE = re.compile(r"[\s,。!?!?,.、~…·:;:;'\"“”‘’()()\[\]【】<>《》|/\\*_+=#@$%^&`-]+")
_FILLERS = re.compile(
    r"^(请问一?下?|麻烦(您|你)?|帮我|给我|我想要?|我要|想要?|你好|您好|那个|嗯+|呃+|亲|能不能|可以|可不可以|怎么|如何|请)+"
    r"|(一?下|吧|呢|吗|呀|啊|哦|噢|哈|了|谢谢|多谢|可以吗|行吗|好吗|么|嘛|哒|的)+$"
)
PHONE = re.compile(r"(?<!\d)(?:\+?86[\s-]?)?(1[3-9]\d[\s-]?\d{4}[\s-]?\d{4})(?!\d)")
SIX_DIGITS = re.compile(r"(?<!\d)(\d{6})(?!\d)")

# key words that leave no doubt when the rest of the sentence is short; in order, first match wins
KEYWORDS: tuple[tuple[str, str], ...] = (
    (r"(积分).{0,3}(明细|记录|流水|变动|历史)", "points_history"),
    (r"(余额|储值|充值).{0,3}(明细|记录|流水|变动|历史)", "balance_history"),
    (r"(不要|关闭|取消|别).{0,2}个性化", "depersonalise"),
    (r"为(什么|啥|何).{0,8}(券|优惠|推荐|给我|发)", "why"),
    (r"上(一)?(次|回|单).{0,4}(买|消费|点|吃|订单|菜单)|(最近|上一?)(一)?(次|单|笔).{0,4}(买|消费|订单)", "last_order"),
    (r"(我|会员|卡|还有|还剩|剩|查|看|多少|账户|账号).{0,6}余额|余额.{0,4}(多少|几|查|剩|有)", "balance"),
    (r"(我|卡里|会员卡|账户).{0,4}(还有|还剩|剩|有)(多少|几块)钱", "balance"),
    (r"(我|会员|还有|还剩|剩|查|看|多少|几).{0,6}积分|积分.{0,4}(多少|几|查|剩|到期|过期|还有|够)", "points"),
    (r"(我|有|查|看|用|哪些|什么|几张|多少).{0,6}(优惠券|优惠卷|优惠劵|代金券|抵用券|折扣券|券)|优惠券.{0,4}(有|查|几|多少|在哪)", "coupons"),
    (r"会员码|会员二维码|会员卡号", "member_code"),
    (r"(我|会员|什么|几).{0,4}(等级|级别)|(等级|级别).{0,3}(多少|什么|权益)", "tier"),
    (r"(绑定|绑).{0,4}(手机|会员|号)|注册.{0,2}会员|(办|开).{0,3}会员", "bind"),
    (r"(有|附近|最近|哪).{0,6}(门店|分店|店铺)|(门店|店).{0,4}(在哪|地址|营业)|营业时间|几点(开门|关门)", "stores"),
    (r"转?人工(客服)?|找客服|投诉", "human"),
)  # fmt: skip
NEGATED = re.compile(r"不(查|看|要|用)|别|不是|没有.{0,4}(问|说)")
FOREIGN = re.compile(
    r"支付宝|微信(余额|钱包|零钱|红包)|银行|话费|花呗|信用卡|公交|医保|入户|驾照|驾驶|落户|学分|股票|基金|手机(余额|费)|电费|流量|先生|女士|小姐"
)

STAFF: tuple[tuple[str, str], ...] = (
    (r"^(发券|发卷|送券|补券|发优惠券)", "staff_issue"),
    (r"^(核销|销券|用券|验券|核券)", "staff_redeem"),
    (r"^(查会员|查询会员|会员查询|查一下会员|查(?=1[3-9]\d{9}))", "staff_lookup"),
    (r"^(今日|今天|今日小结|今日汇总)$", "staff_today"),
    (r"^(店员帮助|员工帮助|指令|帮助|help)$", "staff_help"),
)


@dataclass(frozen=True, slots=True)
class Understood:
    """An intent of CONTRACT.md, how sure we are (0…1), and what was found in the words."""

    intent: str
    confidence: float = 1.0
    slots: Mapping[str, str] = field(default_factory=dict)


@lru_cache(maxsize=1)
def _simplifier() -> OpenCC:
    return OpenCC("t2s")


@lru_cache(maxsize=1)
def _phrases() -> dict[str, str]:
    lines = Path(__file__).with_name("phrases.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split(":", 1) for line in lines if line and not line.startswith("#"))
    return {squeeze(phrase): intent for intent, phrases in pairs for phrase in phrases.split()}


@lru_cache(maxsize=1)
def _rules() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(pattern), intent) for pattern, intent in KEYWORDS)


def normalise(text: str) -> str:
    """Return text with full-width folded (NFKC), symbols and emoji removed, traditional made simplified, lower case."""
    plain = unicodedata.normalize("NFKC", text[:MAX_TEXT])
    kept = "".join(c for c in plain if unicodedata.category(c) not in ("So", "Cn", "Co", "Cs", "Sk", "Mn", "Cf", "Cc"))
    if not kept.isascii():
        kept = _simplifier().convert(kept)
    return kept.strip().lower()


def squeeze(text: str) -> str:
    """Return normalised text without any punctuation or space."""
    return _NOISE.sub("", normalise(text)) or text.strip()


def strip_fillers(squeezed: str) -> str:
    """Return squeezed text without polite words around it."""
    return _FILLERS.sub("", squeezed)


def understand(
    text: str, *, staff: bool = False, expecting_code: bool = False, expecting_phone: bool = False
) -> Understood:
    """Return the intent of a typed line; `staff` opens the staff commands, `expecting_…` what a flow waits for."""
    plain = normalise(text)
    squeezed = squeeze(text)
    if expecting_code and (found := SIX_DIGITS.search(plain)) and len(squeezed) <= 16 and not PHONE.search(plain):
        return Understood("verify_code", slots={"code": found[1]})
    phone = PHONE.search(plain)
    slots = {"phone": re.sub(r"\D", "", phone[1])} if phone else {}
    if staff:
        for pattern, command in STAFF:
            if re.search(pattern, squeezed):
                return Understood(command, slots={**slots, "rest": _rest(plain, pattern)})
    intent = _phrases().get(squeezed) or _phrases().get(strip_fillers(squeezed))
    if intent is not None:
        return Understood(intent, slots=slots)
    if phone:
        return _with_phone(plain, squeezed, slots, expecting_phone)
    if len(squeezed) <= 24 and not FOREIGN.search(squeezed) and not NEGATED.search(squeezed):
        for rule, name in _rules():
            if rule.search(squeezed):
                return Understood(name, 0.9, slots)
    return Understood("unknown", 0.0, slots)


def _with_phone(plain: str, squeezed: str, slots: dict[str, str], expecting: bool) -> Understood:
    rest = squeeze(PHONE.sub("", plain))
    intent = _phrases().get(rest) or _phrases().get(strip_fillers(rest))
    if intent in ("bind", "change_phone"):
        return Understood(intent, slots=slots)
    if not rest or expecting or re.fullmatch(r"(我的|我|手机号?码?|电话号?码?|号码|是|绑定?|会员)+", rest):
        return Understood("bind", slots=slots)
    return Understood("unknown", 0.0, slots)


def _rest(plain: str, pattern: str) -> str:
    return re.sub(pattern, "", plain.lstrip()).strip()
