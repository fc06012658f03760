"""What happens without words: follow, unfollow, scan, consents given, the fate of what was sent."""

from collections.abc import Iterator, Mapping
from typing import Any

from handlers.context import SILENT, Context, Reply
from handlers.inbound import Inbound
from handlers.stores import point_of
from members import arrivals, consent, coupons, leaving, people, places
from members.arrivals import Found

FATES = frozenset(("templatesendjobfinish", "masssendjobfinish", "subscribe_msg_sent_event"))
"""Events that only say what became of a send: 73,000 of them came in five minutes once, so they are written in bulk."""
LIGHT = frozenset(("view", "location"))
"""Events that come often and change little: they get no savepoint of their own."""


def subscribe(inbound: Inbound, ctx: Context) -> Reply:
    """Welcome a follower by what they came by, and keep that for ever."""
    return _arrived(inbound, ctx, "subscribe", inbound.event_key.removeprefix("qrscene_"))


def scan(inbound: Inbound, ctx: Context) -> Reply:
    """Greet a follower who scanned a code: in a store a member gets the coupons counted and the code named."""
    return _arrived(inbound, ctx, "scan", inbound.event_key)


def _arrived(inbound: Inbound, ctx: Context, event: str, key: str) -> Reply:
    scene, member = arrivals.read(key), ctx.person.member
    found = arrivals.find(ctx.connection, scene)
    arrivals.note(ctx.connection, ctx.openid, member.id if member else None, event, found.scene, ctx.now)
    if scene.text:
        people.came_by(ctx.connection, ctx.openid, scene.text)
    if found.store is not None and member is not None:
        arrivals.at_home(ctx.connection, member.id, found.store)
    return Reply(_greeting(ctx, event, found))


def _greeting(ctx: Context, event: str, found: Found) -> str:
    kind, name, text = found.scene.kind, found.name, ctx.copy.text
    if ctx.person.member is not None:
        if kind != "store":
            return text("welcome_back")
        usable = coupons.count_usable(ctx.connection, ctx.member.id, ctx.now)
        return text("in_store_member", store=name, coupons=usable)
    if event == "subscribe" and leaving.has_left_before(ctx.connection, ctx.openid, ctx.app):
        return text("welcome_returned")
    if kind == "store":
        return text("welcome_store" if event == "subscribe" else "in_store_stranger", store=name)
    if kind == "staff" and name:
        return text("welcome_staff", name=name)
    if kind == "campaign":
        return text("welcome_campaign", campaign=found.scene.ref)
    return text("welcome_referral" if kind == "referral" else "welcome")


def leave(inbound: Inbound, ctx: Context) -> Reply:
    """Delete what we know of somebody from WeChat; what they own stays under the phone.

    Unfollowing and `user_authorization_cancellation` (whose person is `OpenID`) ask for the same.
    """
    member = ctx.person.member.id if ctx.person.member else None
    note = ctx.copy.text("reason_left")
    leaving.leave(ctx.connection, ctx.openid, member, app=ctx.app, by=ctx.by, note=note, now=ctx.now)
    return SILENT


def taken_back(inbound: Inbound, ctx: Context) -> Reply:
    """Delete the facts whose authorisation was taken back; of what the platform names we only ever hold the place."""
    people.forget_facts(ctx.connection, ctx.openid)
    return SILENT


def located(inbound: Inbound, ctx: Context) -> Reply:
    """Remember near which store somebody is, when that has changed or is old; coordinates are not kept."""
    point = point_of(inbound, "Latitude", "Longitude")
    ranked = places.nearest(ctx.places.of(ctx.connection, ctx.now), point) if point is not None else []
    if ranked:
        store, person = ranked[0][0].id, ctx.person
        if person.near_store != store or person.near_at is None or ctx.now - person.near_at >= places.NEAR_AGAIN:
            places.came_near(ctx.connection, ctx.openid, store, ctx.now)
    return SILENT


def fates(inbound: Inbound) -> Iterator[tuple[str, str]]:
    """Yield (platform's message id, what became of it) of a finish event."""
    if inbound.event.lower() != "subscribe_msg_sent_event":
        yield str(inbound.raw.get("MsgID") or inbound.raw.get("MsgId") or ""), str(inbound.raw.get("Status") or "")
        return
    for item in _items(inbound.raw):
        code, words = str(item.get("ErrorCode") or "0"), str(item.get("ErrorStatus") or "")
        status = "success" if code == "0" else f"failed:{code} {words}".strip()
        yield str(item.get("MsgID") or item.get("MsgId") or ""), status


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
