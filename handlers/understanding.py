"""From words to an intent: literal phrases first, then sentences of known words, then the fitted model (handlers/nlu).

What changes something (unsubscribing, erasing, redeeming …) is only sure when the words are exact; a question about it or a
roundabout wish comes out UNSURE, and the route asks. What is not about this membership is `unknown`, never a guess.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from handlers import grammar
from handlers.commands import coupon_command
from handlers.grammar import SURE, UNSURE
from handlers.nlu import counter, others
from handlers.nlu.deciding import decide
from handlers.nlu.own import Own
from handlers.reading import CODE, NUMBER, PHONE, code_in, normalise, phone_in, signs, squeeze
from handlers.staff.understanding import command_in

ACTIONS = frozenset(
    (
        "unbind", "confirm_unbind", "unsubscribe", "resubscribe", "depersonalise", "personalise", "redeem_points",
        "reorder", "checkin", "erase", "confirm_erase", "withdraw_erase", "export_data",
    )
)  # fmt: skip
CONTEXTUAL = frozenset(("confirm", "cancel", "resend"))
# what has a name of its own here and belongs to a wider intent of CONTRACT.md
CONTRACT: Mapping[str, str] = {
    "change_phone": "bind", "bad_phone": "bind", "resend": "verify_code", "confirm_unbind": "unbind",
    "personalise": "resubscribe", "transfer_coupon": "coupons", "claim_coupon": "coupons", "book_coupon": "coupons",
    "staff_approvals": "staff_tasks", "staff_approve": "staff_tasks", "staff_refuse": "staff_tasks",
    "staff_assign": "staff_tasks", "staff_done": "staff_tasks", "staff_cash_out": "staff_refund",
    "staff_last": "staff_lookup", "invite_code": "invite", "staff_people": "staff_help", "staff_invite": "staff_help",
    "staff_revoke": "staff_help", "staff_perk": "staff_redeem", "staff_perks": "staff_lookup", "staff_plan": "staff_sale",
    "remove_child": "profile", "attention": "unsubscribe", "confirm_erase": "erase", "withdraw_erase": "cancel",
}  # fmt: skip
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
    """An intent, how sure we are (0…1), what was found in the words, and, in doubt, other intents, likeliest first."""

    intent: str
    confidence: float = 1.0
    slots: Mapping[str, str] = field(default_factory=dict)
    near: tuple[tuple[str, float], ...] = ()

    @property
    def contract(self) -> str:
        """Return the intent by its name in CONTRACT.md."""
        return CONTRACT.get(self.intent, self.intent)


@lru_cache(maxsize=1)
def _phrases() -> Mapping[str, str]:
    lines = Path(__file__).with_name("phrases.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split(":", 1) for line in lines if line and not line.startswith("#"))
    return {squeeze(phrase): intent for intent, phrases in pairs for phrase in phrases.split()}


def warm() -> None:
    """Load the model, so that nobody waits for it."""
    decide("")


def understand(
    text: str, *, staff: bool = False, expecting_code: bool = False, expecting_phone: bool = False,
    own: Own | None = None,
) -> Understood:  # fmt: skip
    """Return the intent of a typed line; `staff` opens the staff commands, `expecting_…` what a flow waits for.

    `own` are the phrases of this shop (config.yaml, understanding.phrases).
    """
    if not staff and own is None and (typed := _phrases().get(text)) is not None:
        return Understood(typed)
    if own is not None and (meant := own.exact(squeeze(text))) is not None:
        return Understood(meant)
    said = certain(text, staff=staff, expecting_code=expecting_code, expecting_phone=expecting_phone)
    if said.intent != "unknown":
        return said
    if own is not None and (meant := own.nearly(squeeze(text))) is not None:
        return Understood(meant, UNSURE if meant in ACTIONS | CONTEXTUAL else SURE)
    return _likely(normalise(text), said.slots, staff)


def _likely(plain: str, slots: Mapping[str, str], staff: bool) -> Understood:
    """Return what the model makes of a line no rule is certain about."""
    squeezed = squeeze(plain)
    apart = re.search(r"[,;。、]", plain) is not None
    if len(squeezed) < 2 and squeezed.isascii():
        return Understood("unknown", 0.0, slots)
    if (not apart and others.is_other(squeezed)) or (not staff and others.is_reference(squeezed)):
        return Understood("unknown", 0.0, slots)
    guess = decide(plain, staff=staff)
    of_another = not staff and "phone" in slots and "我" not in plain and guess.intent in counter.ABOUT_MEMBER
    doubted = guess.intent == "confirm" and plain.endswith("?")
    if of_another or doubted or others.contradicts(guess.intent, squeezed):
        return Understood("unknown", 0.0, slots)
    if guess.intent == "verify_code":
        codes = CODE.findall(plain)
        return Understood("verify_code", UNSURE, {"code": codes[0]}) if len(codes) == 1 else Understood("unknown", 0.0)
    if staff and (asked := counter.about_a_member(guess.intent, plain)) is not None:
        sure = guess.confidence if asked[0] != "staff_topup" else UNSURE
        return Understood(asked[0], sure, asked[1])
    if guess.intent.startswith("staff_"):
        return Understood(guess.intent, guess.confidence, counter.slots_of(guess.intent, plain), guess.near)
    return Understood(guess.intent, guess.confidence, slots, guess.near)


def certain(
    text: str, *, staff: bool = False, expecting_code: bool = False, expecting_phone: bool = False
) -> Understood:
    """Return what the rules make of a line, `unknown` where none is certain."""
    plain = normalise(text)
    return _certain(plain, squeeze(text), signs(text), staff, expecting_code, expecting_phone)


def _certain(
    plain: str, squeezed: str, signs_only: str, staff: bool, expecting_code: bool, expecting_phone: bool
) -> Understood:
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
    return _number(plain, expecting_phone) or _sentence(squeezed, signs_only)


def _sentence(squeezed: str, signs_only: str) -> Understood:
    known = _phrases()
    exact = known.get(squeezed) or known.get(signs_only)
    if exact is not None:
        return _exactly(exact, asked="?" in signs_only)
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


def _exactly(intent: str, *, asked: bool) -> Understood:
    """Return the intent of exact words; with a question mark they confirm nothing, and an action is asked for."""
    if asked and intent == "confirm":
        return Understood("unknown", 0.0)
    return Understood(intent, UNSURE if asked and intent in ACTIONS else 1.0)


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
