"""What is said where a line could mean two things or nothing we know: a short list of the likeliest, to choose from."""

from collections.abc import Sequence

from handlers import choosing
from handlers.choosing import Option
from handlers.context import Context, Reply
from handlers.copy import TEXTS
from handlers.flows import Flow
from handlers.inbound import Inbound
from handlers.understanding import Understood

SHOWN = 3
OF_MEMBERS, OF_STRANGERS = ("points", "coupons", "balance"), ("bind", "coupons", "help")
TWO = 2


def unknown(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Own up, and show the three likeliest; in the middle of a flow only own up, for the flow goes on."""
    if ctx.stand is not None and ctx.stand.state != Flow.CHOOSE:
        return Reply(ctx.copy.text("unknown_in_flow"))
    usual = OF_MEMBERS if ctx.person.member else OF_STRANGERS
    likely = [intent for intent, _ in said.near] + list(usual)
    return Reply(ctx.copy.text("unknown_menu", options=_offered(ctx, likely, SHOWN, {})))


def which(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Ask which of the two likeliest was meant, or whether the only one was."""
    near = [intent for intent, _ in said.near]
    if not _choices([said.intent, *near]):
        return unknown(inbound, ctx, said)
    lines = _offered(ctx, [said.intent, *near], TWO, dict(said.slots))
    return Reply(ctx.copy.text("which" if near else "which_one", options=lines))


def _choices(intents: Sequence[str]) -> list[str]:
    """Return those that can be offered, each once."""
    return list(dict.fromkeys(intent for intent in intents if f"option_{intent}" in TEXTS))


def _offered(ctx: Context, intents: Sequence[str], most: int, slots: dict[str, str]) -> str:
    options = [
        Option(ctx.copy.text(f"option_{intent}"), intent, slots if intent == intents[0] else {})
        for intent in _choices(intents)[:most]
    ]
    return choosing.offer(ctx, options)
