"""How somebody becomes staff: the invite word, then the code sent to the phone that was registered.

A word that is wrong, used or has run out gets the answer any unknown words get, and so does a right one of somebody who
has guessed too often.
"""

from datetime import timedelta

from handlers import flows, menu
from handlers.context import Context, Reply
from handlers.flows import Flow, Purpose
from handlers.inbound import Inbound
from handlers.understanding import Understood
from members import limits, staffing, verification
from members.errors import MemberError
from members.vault import mask_phone

GUESSES, WINDOW, LOCK_MINUTES = 5, timedelta(hours=1), 60


def word(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Answer eight symbols that may be an invite word."""
    key = f"invite:{ctx.openid}"
    if limits.blocked(ctx.connection, key, now=ctx.now):
        return menu.unknown(inbound, ctx, Understood("unknown", 0.0, near=said.near))
    found = staffing.invited(ctx.connection, ctx.vault, said.slots["word"], now=ctx.now)
    if found is None:
        try:
            limits.take(ctx.connection, key, limits.every(WINDOW, ctx.now), GUESSES, refusal="busy")
        except MemberError:
            limits.block(ctx.connection, key, ctx.now + timedelta(minutes=LOCK_MINUTES))
        return menu.unknown(inbound, ctx, Understood("unknown", 0.0, near=said.near))
    return _send_code(ctx, *found)


def _send_code(ctx: Context, staff: int, phone: str) -> Reply:
    rules = ctx.rules.binding
    verification.start(
        ctx.connection, ctx.vault, rules, openid=ctx.openid, phone=phone, purpose=Purpose.STAFF,
        zone=ctx.rules.shop.zone, now=ctx.now,
    )  # fmt: skip
    ctx.wake.append("code")
    minutes, sealed = rules.code_minutes, ctx.vault.seal_system("flow", phone)
    flows.wait_for(ctx, Flow.ASK_CODE, minutes=minutes + flows.FLOW_MINUTES, sealed=sealed, purpose=Purpose.STAFF)
    name = staffing.name_of(ctx.connection, staff)
    return Reply(ctx.copy.text("word_right", name=name, phone=mask_phone(phone), minutes=minutes))


def proved(ctx: Context, phone: str) -> Reply:
    """Bind who has shown the code to the person of staff who was invited at this phone."""
    try:
        bound = staffing.bind(ctx.connection, ctx.vault, openid=ctx.openid, phone=phone, by=ctx.by, now=ctx.now)
    except MemberError as refused:
        # said here, not by the router: its rollback would leave the used code open
        return Reply(ctx.copy.text(refused.code))
    if bound is None:
        return Reply(ctx.copy.text("staff_invite_gone"))
    return Reply(ctx.copy.text("staff_joined", name=bound.name))
