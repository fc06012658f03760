"""What happens without words: follow, unfollow, scan, consents given, the fate of what was sent."""

from collections.abc import Mapping
from typing import Any

from handlers.context import SILENT, Context, Reply
from handlers.inbound import Inbound
from members import consent, conversations, outbox, people, verification

SCENE_CHARS = 64  # "string scene ≤64"


def subscribe(inbound: Inbound, ctx: Context) -> Reply:
    """Welcome a follower and keep the scene they came by."""
    scene = inbound.event_key.removeprefix("qrscene_")[:SCENE_CHARS]
    if scene:
        people.came_by(ctx.connection, ctx.openid, scene)
    return Reply(ctx.copy.text("welcome_back" if ctx.person.member else "welcome"))


def unsubscribe(inbound: Inbound, ctx: Context) -> Reply:
    """Close the windows, forget the flow, its code and the scene; what is owned stays under the phone."""
    people.unfollow(ctx.connection, ctx.openid, ctx.now)
    verification.cancel(ctx.connection, ctx.openid)
    conversations.end(ctx.connection, ctx.openid)
    return SILENT


def scan(inbound: Inbound, ctx: Context) -> Reply:
    """Greet a follower who scanned a code in the store."""
    people.came_by(ctx.connection, ctx.openid, inbound.event_key[:SCENE_CHARS])
    return Reply(ctx.copy.text("welcome_back" if ctx.person.member else "welcome"))


def finished(inbound: Inbound, ctx: Context) -> Reply:
    """Write the platform's finish event to the attempt it belongs to."""
    message = str(inbound.raw.get("MsgID") or inbound.raw.get("MsgId") or "")
    outbox.confirm(ctx.connection, message, str(inbound.raw.get("Status", "")))
    return SILENT


def subscription_answered(inbound: Inbound, ctx: Context) -> Reply:
    """Count each accepted pop-up template as one consent, write each refusal.

    Refusing one pop-up does not take back the sends that earlier ones allowed; refusing in the settings does.
    """
    for item in _items(inbound.raw):
        template, answer = str(item.get("TemplateId", "")), str(item.get("SubscribeStatusString", ""))
        if not template:
            continue
        popup = inbound.event.lower() == "subscribe_msg_popup_event"
        if answer == "accept" and popup:
            consent.add_one(ctx.connection, ctx.openid, template, source=inbound.event, now=ctx.now)
        elif answer == "reject" and not (popup and _left(ctx, template)):
            topic, subject = consent.subscription(template), consent.of_openid(ctx.openid)
            consent.answer(ctx.connection, subject, topic, False, source=inbound.event, now=ctx.now)
    return SILENT


def _left(ctx: Context, template: str) -> int:
    granted, remaining = consent.topics(ctx.connection, consent.of_openid(ctx.openid)).get(
        consent.subscription(template), (False, 0)
    )
    return (remaining or 0) if granted else 0


def _items(raw: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the entries of a subscribe_msg event: one parses to a dict, several to a list."""
    found: list[Mapping[str, Any]] = []
    for name in ("SubscribeMsgPopupEvent", "SubscribeMsgChangeEvent", "SubscribeMsgSentEvent"):
        part = raw.get(name)
        entries = part.get("List") if isinstance(part, Mapping) else None
        entries = entries if isinstance(entries, list) else [entries]
        found += [entry for entry in entries if isinstance(entry, Mapping)]
    return found


def silent(inbound: Inbound, ctx: Context) -> Reply:
    """Take note of nothing."""
    return SILENT
