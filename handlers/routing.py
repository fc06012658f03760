"""From one message to the function that answers it."""

import re
from dataclasses import dataclass
from datetime import datetime

from handlers import calling, choosing, events, hearing, human, wishes
from handlers.context import Context, Reply
from handlers.flows import OF_STAFF, Flow
from handlers.grammar import SURE
from handlers.inbound import Inbound
from handlers.nlu.own import Own
from handlers.reading import normalise
from handlers.routes import EVENTS, ROUTES, Route
from handlers.staff import following
from handlers.understanding import Understood, certain, understand
from members.conversations import Stand
from members.errors import MemberError
from members.people import Person

KINDS = frozenset(("image", "video", "shortvideo", "link", "location"))
NUMBERISH = re.compile(r"\+?[\d\s().-]{7,20}")
FEW_DIGITS = re.compile(r"\d{1,5}")


@dataclass(frozen=True, slots=True)
class Plan:
    """What will answer: a route with what was understood, or (None) an event.

    `takes_up` goes on with a flow of staff; `chosen` was an option of a list (handlers/choosing.py); `light` is an
    event that comes often and needs no savepoint.
    """

    route: Route | None
    said: Understood
    takes_up: bool = False
    chosen: bool = False
    light: bool = False

    @property
    def writes(self) -> bool:
        """Tell whether a savepoint is needed."""
        return not self.light if self.route is None else self.route.writes


def plan(
    inbound: Inbound, person: Person, stand: Stand | None, now: datetime, own: Own | None = None
) -> Plan:  # fmt: skip
    """Choose the route of a message from its words, its menu key or its event; touches no database."""
    if inbound.is_event:
        event = inbound.event.lower()
        if event != "click":
            return Plan(None, Understood("event"), light=event in events.LIGHT or event not in EVENTS)
        said = _clicked(inbound.event_key, person, stand)
    elif human.pauses(person.paused_until, now):
        called = inbound.kind in ("text", "voice") and hearing.ends_talk(inbound.text)
        said = Understood("human_over" if called else "human_forward")
        return Plan(ROUTES[said.intent], said)
    elif inbound.kind not in ("text", "voice"):
        said = Understood(inbound.kind if inbound.kind in KINDS else "not_text")
    elif inbound.kind == "text" and hearing.is_sticker(inbound.text):
        said = Understood("sticker")
    elif inbound.kind == "voice" and not inbound.text.strip():
        said = Understood("voice_unclear")
    else:
        option = choosing.understood(inbound.text, stand)
        if option is not None and option.intent in ROUTES:
            return Plan(ROUTES[option.intent], option, chosen=stand is not None and stand.state == Flow.CHOOSE)
        said = _understood(inbound.text, person, stand, own)
        if choosing.doubtful(said):
            free = stand is None or stand.state == Flow.CHOOSE
            return Plan(ROUTES["which" if free else "unknown"], said)
    return Plan(ROUTES[said.intent], said, stand is not None and stand.state in OF_STAFF)


def _clicked(key: str, person: Person, stand: Stand | None) -> Understood:
    """Return what a menu entry means: its key is the name of an intent, or a phrase that might have been typed."""
    route = ROUTES.get(key)
    if route is not None and route.clickable and (person.staff is not None or not key.startswith("staff_")):
        return Understood(key)
    return _understood(key, person, stand)


def _understood(text: str, person: Person, stand: Stand | None, own: Own | None = None) -> Understood:
    flow = stand.state if stand is not None else None
    if person.staff is not None and (followed := following.understood(text, person, stand)) is not None:
        return followed
    if (wished := wishes.understood(text, stand)) is not None:
        return wished
    asking = flow in (Flow.ASK_PHONE, Flow.ASK_NEW_PHONE)
    said = understand(
        text, staff=person.staff is not None, expecting_code=flow == Flow.ASK_CODE, expecting_phone=asking, own=own
    )
    expected = asking or flow == Flow.ASK_CODE or person.member is None
    if said.intent == "unknown" and expected and NUMBERISH.fullmatch(normalise(text)):
        return Understood("bad_phone", SURE)
    if said.intent == "unknown" and flow == Flow.ASK_CODE and FEW_DIGITS.fullmatch(normalise(text)):
        return Understood("verify_code", SURE, {"code": normalise(text)})
    word = following.invite_word(text)
    if word and certain(text, expecting_code=flow == Flow.ASK_CODE).intent == "unknown":
        return Understood("invite_word", slots={"word": word}, near=said.near if said.intent == "unknown" else ())
    if said.intent == "unknown" and hearing.wants_staff(text):
        return Understood("human")
    return said


def answer(inbound: Inbound, ctx: Context, chosen: Plan) -> Reply:
    """Run what was chosen; a refusal raises MemberError, the caller rolls back and says it."""
    route, said = chosen.route, chosen.said
    if (
        route is not None
        and route.intent in ("unknown", "which")
        and (named := calling.rescued(ctx, inbound.text)) is not None
    ):
        route, said = ROUTES[named.intent], named
    if route is None:
        return EVENTS.get(inbound.event.lower(), events.silent)(inbound, ctx)
    if route.members_only and ctx.person.member is None:
        return Reply(ctx.copy.text("need_bind"))
    if route.exact and said.confidence < SURE:
        return Reply(ctx.copy.text(f"ask_{route.intent}"))
    if chosen.chosen and route.writes and not choosing.take(ctx):
        return Reply(ctx.copy.text("choice_gone"))
    return route.handler(inbound, ctx, said)


def refusal(ctx: Context, error: MemberError) -> Reply:
    """Say a refusal in the member's words."""
    return Reply(ctx.copy.text(error.code, **error.facts))
