"""What a line means to a list that was shown or a number that was asked for: its place, its name, the number."""

import re

from handlers.flows import Flow
from handlers.grammar import SURE
from handlers.reading import NUMERALS, normalise
from handlers.understanding import Understood
from members.conversations import Stand

_NUMBER = re.compile(r"(?:第|选|要|换|兑换|兑)?\s*(\d{1,11})\s*(?:个|号|项|种|积分|分)?\s*[.。!]?")
_VERB = re.compile(r"^我?要?(?:兑换|换|兑|选)?")


def understood(text: str, stand: Stand | None) -> Understood | None:
    """Return what a line means to a list or a question of an exchange; None when it is a line like any other."""
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
