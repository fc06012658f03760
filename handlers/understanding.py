"""From words to an intent: literal phrases first, then sentences of known words; anything else is `unknown`, never a guess.

What changes something (unsubscribing, erasing, redeeming …) is only sure when the words are exact; a question about it or a
roundabout wish comes out UNSURE, and the route asks for the exact words.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from handlers import grammar
from handlers.commands import coupon_command
from handlers.grammar import SURE, UNSURE
from handlers.reading import NUMBER, PHONE, code_in, normalise, phone_in, signs, squeeze
from handlers.staff.understanding import command_in

ACTIONS = frozenset(
    (
        "unbind", "confirm_unbind", "unsubscribe", "resubscribe", "depersonalise", "personalise", "redeem_points",
        "reorder", "checkin", "erase", "export_data",
    )
)  # fmt: skip
CONTEXTUAL = frozenset(("confirm", "cancel", "resend"))
_POLITE = re.compile(
    r"^(请|麻烦(您|你)?|帮我|给我|我想要?|我要|想要?|您好|你好|亲|嗯+|那个)+|(一?下|吧|啊|哦|噢|哈|呀|啦|谢谢(您|你)?|多谢|拜托)+$"
)
_ASKING = re.compile(
    r"^(请问一?下?|能不能|能|可以|可不可以|怎么|怎样|如何|要|去哪|在哪|哪里)+|(了|呢|吗|么|嘛|的|可以吗|行吗|好吗|怎么弄|怎么办|在哪|是什么意思)+$"
)
_BINDING_REST = re.compile(
    r"(我的|我|这是|手机号?码?|电话号?码?|号码|新|是|为|绑定?|会员|换成|换|改成|改|到|请|帮|用|的|码|吧|谢谢|您好|你好)*"
)
_NOT_A_PHONE = re.compile(r"(绑定?|手机|号码?|电话|注册|登录|换|会员|我的?|新|是|为|的|成|到|改)*")


@dataclass(frozen=True, slots=True)
class Understood:
    """An intent of CONTRACT.md, how sure we are (0…1), and what was found in the words."""

    intent: str
    confidence: float = 1.0
    slots: Mapping[str, str] = field(default_factory=dict)


@lru_cache(maxsize=1)
def _phrases() -> Mapping[str, str]:
    lines = Path(__file__).with_name("phrases.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split(":", 1) for line in lines if line and not line.startswith("#"))
    return {squeeze(phrase): intent for intent, phrases in pairs for phrase in phrases.split()}


def understand(
    text: str, *, staff: bool = False, expecting_code: bool = False, expecting_phone: bool = False
) -> Understood:
    """Return the intent of a typed line; `staff` opens the staff commands, `expecting_…` what a flow waits for."""
    if not staff and (typed := _phrases().get(text)) is not None:
        return Understood(typed)
    plain = normalise(text)
    if (of_coupon := coupon_command(plain)) is not None:
        return Understood(of_coupon[0], slots=of_coupon[1])
    code = code_in(plain, expecting=expecting_code)
    if code is not None and not (expecting_phone and not expecting_code):
        return Understood("verify_code", slots={"code": code})
    if staff and (command := command_in(plain)) is not None:
        return Understood(command.intent, 1.0 if command.sure else UNSURE, command.slots)
    phone = phone_in(plain)
    if phone is not None:
        return _with_phone(plain, phone, expecting_phone)
    return _number(plain, expecting_phone) or _sentence(squeeze(text), signs(text))


def _sentence(squeezed: str, signs_only: str) -> Understood:
    known = _phrases()
    exact = known.get(squeezed) or known.get(signs_only)
    if exact is not None:
        return Understood(exact)
    polite = _peeled(squeezed, _POLITE)
    if polite in known:
        return Understood("thanks" if known[polite] == "confirm" and "谢" in squeezed else known[polite])
    found = grammar.intent_of(squeezed, actions=ACTIONS)
    if found is not None:
        return Understood(*found)
    asked = known.get(_peeled(squeezed, _POLITE, _ASKING))
    if asked is None or asked in CONTEXTUAL:
        return Understood("unknown", 0.0)
    return Understood(asked, UNSURE if asked in ACTIONS else SURE)


def _peeled(squeezed: str, *layers: re.Pattern[str]) -> str:
    before = None
    while squeezed != before:
        before = squeezed
        for layer in layers:
            squeezed = layer.sub("", squeezed)
    return squeezed


def _with_phone(plain: str, phone: str, expecting: bool) -> Understood:
    rest, slots = squeeze_rest(PHONE.sub(" ", plain, count=1)), {"phone": phone}
    said = _sentence(rest, rest) if rest else Understood("bind")
    if said.intent in ("bind", "change_phone", "unbind"):
        return Understood(said.intent, slots=slots)
    if _BINDING_REST.fullmatch(rest):
        return Understood("change_phone" if re.search("[换改]", rest) else "bind", slots=slots)
    if expecting and len(rest) <= 12 and not re.search(r"\d", rest) and said.intent == "unknown":
        return Understood("bind", slots=slots)
    return Understood("unknown", 0.0, slots)


def squeeze_rest(plain: str) -> str:
    """Return the words around a phone, squeezed; '' when there are none."""
    return squeeze(plain) if re.search(r"\w", plain) else ""


def _number(plain: str, expecting: bool) -> Understood | None:
    """Return bad_phone for a number given as a phone that can't be one, None when no number was given as one."""
    found = NUMBER.search(plain)
    if found is None:
        return None
    rest = re.sub(r"[\W_]+", "", plain[: found.start()] + plain[found.end() :])
    if not _NOT_A_PHONE.fullmatch(rest) or (not rest and not expecting):
        return None
    return Understood("bad_phone", SURE)
