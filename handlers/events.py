"""What happens without words: follow, unfollow, scan, consents given, the fate of what was sent."""

from collections.abc import Mapping
from typing import Any

from handlers.context import SILENT, Context, Reply
from handlers.inbound import Inbound
from members import consent, conversations, outbox, people


def subscribe(inbound: Inbound, ctx: Context) -> Reply:
    """Welcome a follower and keep the scene they came by."""
    scene = inbound.event_key.removeprefix("qrscene_")
    if scene:
        people.came_by(ctx.connection, ctx.openid, scene)
    return Reply(ctx.copy.text("welcome_back" if ctx.person.member else "welcome"))


def unsubscribe(inbound: Inbound, ctx: Context) -> Reply:
    """Close the windows and forget the flow; what is owned stays under the phone."""
    people.unfollow(ctx.connection, ctx.openid, ctx.now)
    conversations.end(ctx.connection, ctx.openid)
    return SILENT


def scan(inbound: Inbound, ctx: Context) -> Reply:
    """Greet a follower who scanned a code in the store."""
    people.came_by(ctx.connection, ctx.openid, inbound.event_key)
    return Reply(ctx.copy.text("welcome_back" if ctx.person.member else "welcome"))


def finished(inbound: Inbound, ctx: Context) -> Reply:
    """Write the platform's finish event to the attempt it belongs to."""
    message = str(inbound.raw.get("MsgID") or inbound.raw.get("MsgId") or "")
    outbox.confirm(ctx.connection, message, str(inbound.raw.get("Status", "")))
    return SILENT


def subscription_answered(inbound: Inbound, ctx: Context) -> Reply:
    """Count each accepted pop-up template as one consent, write each refusal."""
    for item in _items(inbound.raw):
        template, answer = str(item.get("TemplateId", "")), str(item.get("SubscribeStatusString", ""))
        if answer == "accept" and inbound.event == "subscribe_msg_popup_event":
            consent.add_one(ctx.connection, ctx.openid, template, source=inbound.event, now=ctx.now)
        elif answer == "reject":
            topic = consent.subscription(template)
            subject = consent.of_openid(ctx.openid)
            consent.answer(ctx.connection, subject, topic, False, source=inbound.event, now=ctx.now)
    return SILENT


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
