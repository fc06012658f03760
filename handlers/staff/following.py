"""What a message of staff means where the bot waits for something: 确认, or a slot that was asked for."""

import re
from collections.abc import Mapping

from handlers.flows import OF_STAFF, Flow
from handlers.grammar import SURE
from handlers.reading import normalise
from handlers.staff.understanding import answer_in, command_in
from handlers.understanding import Understood, certain
from members.conversations import Stand
from members.people import Person

_WORD = re.compile(r"[0-9a-z]{4}[\s\-–—]?[0-9a-z]{4}")
FREE = ("name", "tags")


def understood(text: str, person: Person, stand: Stand | None) -> Understood | None:
    """Return what a line of staff means to the flow it finds; None when it is a line like any other."""
    if stand is not None and stand.state == Flow.STAFF_ASK and (found := _answer(text, stand)) is not None:
        return Understood("staff_answer", slots=found)
    if stand is not None and stand.state not in OF_STAFF:
        return None
    said = certain(text, staff=True)
    if said.intent == "confirm" and said.confidence >= SURE:
        return Understood("staff_confirm")
    return Understood("staff_last") if said.intent == "last_order" and person.member is None else None


def _answer(text: str, stand: Stand) -> Mapping[str, str] | None:
    plain, asked = normalise(text), str(stand.data.get("ask", ""))
    command = command_in(plain)
    if command is not None and command.sure and command.intent != "staff_lookup":
        return None
    found = answer_in(plain, asked, stand.data)
    free = found is not None and asked in FREE and "choice" not in found
    return None if free and certain(text, staff=True).intent != "unknown" else found


def invite_word(text: str) -> str | None:
    """Return a text that has the shape of an invite word: eight symbols, a letter and a digit among them."""
    plain = normalise(text).strip(" .,。")
    packed = re.sub(r"[\s\-–—]", "", plain)
    return packed if _WORD.fullmatch(plain) and not packed.isdigit() and not packed.isalpha() else None
