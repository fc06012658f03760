"""What a line means to a list that was shown or a number that was asked for: its place, its name, the number.

Any handler may show a numbered list of things to say (`offer`); a number or a title as answer is that thing said.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from handlers import flows
from handlers.context import Context, Reply
from handlers.flows import FLOW_MINUTES, Flow
from handlers.grammar import SURE
from handlers.inbound import Inbound
from handlers.reading import NUMERALS, normalise, squeeze
from handlers.understanding import Understood
from members import conversations
from members.conversations import Stand

# what would be done at once, without a question of its own
ASKED_FIRST = frozenset(("checkin", "export_data"))
# what `near` says nothing against: it is only shown
PLAIN = frozenset(("unknown", "invite_word"))
_NUMBER = re.compile(r"(?:第|选|要|换|兑换|兑)?\s*(\d{1,11})\s*(?:个|号|项|种|积分|分)?\s*[.。!]?")
_PLACE = re.compile(
    r"(?:那|就|我|要|选择?|回复|点|看|来|是|的)*(?:第|选|no)?(?P<place>\d{1,2}|十)(?:个|号|项|种|条|张|份|款|家|只)?(?:的|吧|谢谢|啊|呀|好了)*"
)
_VERB = re.compile(r"^我?要?(?:兑换|换|兑|选)?")


@dataclass(frozen=True, slots=True)
class Option:
    """One line of a list: what is read, and what choosing it says (an intent of ROUTES with its slots)."""

    title: str
    intent: str
    slots: Mapping[str, str] = field(default_factory=dict)


def offer(ctx: Context, options: Sequence[Option], *, minutes: int = FLOW_MINUTES) -> str:
    """Remember a list for the next message and return its numbered lines; the caller's route must write."""
    listed = [asdict(option) | {"slots": dict(option.slots)} for option in options]
    flows.wait_with(ctx, Flow.CHOOSE, {"options": listed}, minutes=minutes)
    return "\n".join(f"{number}. {option.title}" for number, option in enumerate(options, 1))


def understood(text: str, stand: Stand | None) -> Understood | None:
    """Return what a line means to a list or a question of an exchange; None when it is a line like any other."""
    if stand is not None and stand.state == Flow.CHOOSE:
        return _chosen(text, stand)
    if stand is None or stand.state not in (Flow.EXCHANGE_CHOOSE, Flow.EXCHANGE_AMOUNT):
        return None
    plain = normalise(text).strip()
    found = _NUMBER.fullmatch(plain.translate(NUMERALS))
    if found is not None:
        return Understood("exchange_answer", SURE, {"number": found[1]})
    title = _VERB.sub("", plain)
    titles = [normalise(str(option["title"])) for option in stand.data.get("options", [])]
    if stand.state == Flow.EXCHANGE_CHOOSE and titles.count(title) == 1:
        return Understood("exchange_answer", SURE, {"number": str(titles.index(title) + 1)})
    return None


def place_in(text: str) -> int | None:
    """Return the place on a list that a line names (1, ①, 第一个, 选2, 一号吧), None when it names none."""
    found = _PLACE.fullmatch(squeeze(text).translate(NUMERALS))
    return None if found is None else 10 if found["place"] == "十" else int(found["place"])


def _chosen(text: str, stand: Stand) -> Understood | None:
    options = stand.data.get("options", [])
    place, words = place_in(text), squeeze(text)
    titled = [option for option in options if squeeze(str(option["title"])) == words]
    if place is not None and not titled:
        titled = options[place - 1 : place] if place else []
    if len(titled) == 1:
        said = titled[0]
        return Understood(str(said["intent"]), SURE, dict(said["slots"]))
    return Understood("choose_again", SURE) if place is not None else None


def doubtful(said: Understood) -> bool:
    """Tell whether a line is likely but not certain to mean this, so that a question comes before the answer."""
    return said.intent not in PLAIN and (bool(said.near) or (said.confidence < SURE and said.intent in ASKED_FIRST))


def take(ctx: Context) -> bool:
    """End the list that a line was chosen from; False when another message of this person was faster."""
    stand = ctx.stand
    return stand is not None and conversations.take(ctx.connection, ctx.openid, stand)


def again(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Show the list once more to who named a place it does not have."""
    options = ctx.stand.data.get("options", []) if ctx.stand is not None else []
    lines = "\n".join(f"{number}. {option['title']}" for number, option in enumerate(options, 1))
    return Reply(ctx.copy.text("choose_again", most=len(options), options=lines))
