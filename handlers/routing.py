"""From one message to the function that answers it."""

import re
from dataclasses import dataclass

from handlers import choosing, events
from handlers.context import Context, Reply
from handlers.flows import OF_STAFF, Flow
from handlers.grammar import SURE
from handlers.inbound import Inbound
from handlers.reading import normalise
from handlers.routes import EVENTS, ROUTES, Route
from handlers.staff import following
from handlers.understanding import Understood, understand
from members.conversations import Stand
from members.errors import MemberError
from members.people import Person

NUMBERISH = re.compile(r"\+?[\d\s().-]{7,20}")


@dataclass(frozen=True, slots=True)
class Plan:
    """What will answer: a route with what was understood, or (None) an event; `takes_up` a flow of staff."""

    route: Route | None
    said: Understood
    takes_up: bool = False

    @property
    def writes(self) -> bool:
        """Tell whether a savepoint is needed."""
        return self.route is None or self.route.writes


def plan(inbound: Inbound, person: Person, stand: Stand | None) -> Plan:
    """Choose the route of a message from its words, its menu key or its event; touches no database."""
    if inbound.is_event:
        if inbound.event.lower() != "click":
            return Plan(None, Understood("event"))
        said = _clicked(inbound.event_key, person, stand)
    elif inbound.kind == "text":
        said = _understood(inbound.text, person, stand)
    elif inbound.kind == "voice":
        said = _understood(inbound.text, person, stand) if inbound.text.strip() else Understood("voice_unclear")
    else:
        said = Understood("not_text")
    return Plan(ROUTES[said.intent], said, stand is not None and stand.state in OF_STAFF)


def _clicked(key: str, person: Person, stand: Stand | None) -> Understood:
    """Return what a menu entry means: its key is the name of an intent, or a phrase that might have been typed."""
    route = ROUTES.get(key)
    if route is not None and route.clickable and (person.staff is not None or not key.startswith("staff_")):
        return Understood(key)
    return _understood(key, person, stand)


def _understood(text: str, person: Person, stand: Stand | None) -> Understood:
    flow = stand.state if stand is not None else None
    if person.staff is not None and (followed := following.understood(text, person, stand)) is not None:
        return followed
    if (chosen := choosing.understood(text, stand)) is not None:
        return chosen
    asking = flow in (Flow.ASK_PHONE, Flow.ASK_NEW_PHONE)
    said = understand(
        text, staff=person.staff is not None, expecting_code=flow == Flow.ASK_CODE, expecting_phone=asking
    )
    expected = asking or flow == Flow.ASK_CODE or person.member is None
    if said.intent == "unknown" and expected and NUMBERISH.fullmatch(normalise(text)):
        return Understood("bad_phone", SURE)
    if said.intent == "unknown" and (word := following.invite_word(text)):
        return Understood("invite_word", slots={"word": word})
    return said


def answer(inbound: Inbound, ctx: Context, chosen: Plan) -> Reply:
    """Run what was chosen; a refusal raises MemberError, the caller rolls back and says it."""
    route, said = chosen.route, chosen.said
    if route is None:
        return EVENTS.get(inbound.event.lower(), events.silent)(inbound, ctx)
    if route.members_only and ctx.person.member is None:
        return Reply(ctx.copy.text("need_bind"))
    if route.exact and said.confidence < SURE:
        return Reply(ctx.copy.text(f"ask_{route.intent}"))
    return route.handler(inbound, ctx, said)


def refusal(ctx: Context, error: MemberError) -> Reply:
    """Say a refusal in the member's words."""
    return Reply(ctx.copy.text(error.code, **error.facts))
