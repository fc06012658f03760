"""From one message to the function that answers it."""

import re
from dataclasses import dataclass

from handlers import events
from handlers.context import Context, Reply
from handlers.inbound import Inbound
from handlers.membership import Flow
from handlers.routes import EVENTS, ROUTES, Route
from handlers.understanding import Understood, squeeze, understand
from members.errors import MemberError
from members.people import Person

NUMBERISH = re.compile(r"^\+?\d{7,15}$")


@dataclass(frozen=True, slots=True)
class Plan:
    """What will answer: a route with what was understood, or (None) an event."""

    route: Route | None
    said: Understood

    @property
    def writes(self) -> bool:
        """Tell whether a savepoint is needed."""
        return self.route is None or self.route.writes


def plan(inbound: Inbound, person: Person, flow: str | None) -> Plan:
    """Choose the route of a message from its words, its menu key or its event; touches no database."""
    if inbound.is_event:
        if inbound.event.lower() != "click":
            return Plan(None, Understood("event"))
        key = inbound.event_key
        said = Understood(key) if key in ROUTES and not key.startswith("staff_") else _understood(key, person, flow)
        return Plan(ROUTES[said.intent], said)
    text = inbound.text if inbound.kind in ("text", "voice") else ""
    if not text.strip():
        return Plan(ROUTES["not_text" if inbound.kind != "text" else "unknown"], Understood("unknown", 0.0))
    said = _understood(text, person, flow)
    return Plan(ROUTES[said.intent], said)


def _understood(text: str, person: Person, flow: str | None) -> Understood:
    asking = flow in (Flow.ASK_PHONE, Flow.ASK_NEW_PHONE)
    said = understand(
        text, staff=person.staff is not None, expecting_code=flow == Flow.ASK_CODE, expecting_phone=asking
    )
    expected = asking or (person.member is None and len(squeeze(text)) == 11)
    if said.intent == "unknown" and expected and NUMBERISH.match(squeeze(text)):
        return Understood("bad_phone")
    if said.intent == "unknown" and re.fullmatch(r"\d{4,8}", squeeze(text)) and (flow == Flow.ASK_CODE):
        return Understood("verify_code", slots={"code": squeeze(text)})
    return said


def answer(inbound: Inbound, ctx: Context, chosen: Plan) -> Reply:
    """Run what was chosen; a refusal raises MemberError, the caller rolls back and says it."""
    if chosen.route is None:
        return EVENTS.get(inbound.event.lower(), events.silent)(inbound, ctx)
    if chosen.route.members_only and ctx.person.member is None:
        return Reply(ctx.copy.text("need_bind"))
    return chosen.route.handler(inbound, ctx, chosen.said)


def refusal(ctx: Context, error: MemberError) -> Reply:
    """Say a refusal in the member's words."""
    facts = {"minutes": ctx.rules.binding.lock_minutes} | error.facts
    return Reply(ctx.copy.text(error.code, **facts))
