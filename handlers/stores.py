"""The stores: the list with the nearest first, one by the name people say, and what is near a place on the map."""

from collections.abc import Sequence
from datetime import time
from math import isfinite

from handlers.context import Article, Context, Reply
from handlers.inbound import Inbound
from handlers.reading import normalise
from handlers.understanding import Understood
from members import places
from members.places import Place, Point
from members.rules.base import HOURS, Hours

SHOWN = 5
OTHERS = 2
METRES_EXACT = 1000


def show(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Tell about the store that was named, else list the stores, the one the person was near lately first."""
    known = ctx.places.of(ctx.connection, ctx.now)
    if not known:
        return Reply(ctx.copy.text("stores_none"))
    words = said.slots.get("store", "") + ("" if inbound.is_event else normalise(inbound.text))
    found = places.named(known, words)
    if len(found) == 1:
        return _one(ctx, found[0], found[0].name, [])
    if found:
        return _listed(ctx, "stores_named", found)
    near, at = ctx.person.near_store, ctx.person.near_at
    if near is not None and at is not None and ctx.now - at < places.NEAR_FRESH:
        return _listed(ctx, "stores_near", places.from_store(known, near))
    return _listed(ctx, "stores", known)


def _listed(ctx: Context, head: str, found: Sequence[Place]) -> Reply:
    lines = [
        ctx.copy.text("store_line", name=one.name, address=one.address, hours=one.hours, phone=one.phone).strip()
        for one in found[:SHOWN]
    ]
    more = [ctx.copy.text("stores_more", count=len(found))] if len(found) > SHOWN else []
    return Reply("\n".join([ctx.copy.text(head), *lines, *more]))


def near(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Answer a place sent from the map with the nearest store, how far it is, and the way there."""
    point = point_of(inbound, "Location_X", "Location_Y")
    known = ctx.places.of(ctx.connection, ctx.now)
    ranked = places.nearest(known, point) if point is not None else []
    if not ranked:
        return show(inbound, ctx, said)
    (first, far), others = ranked[0], ranked[1 : 1 + OTHERS]
    places.came_near(ctx.connection, ctx.openid, first.id, ctx.now)
    lines = [ctx.copy.text("store_other", name=one.name, far=distance(ctx, metres)) for one, metres in others]
    title = ctx.copy.text("store_nearest", name=first.name, far=distance(ctx, far))
    return _one(ctx, first, title, [ctx.copy.text("stores_others"), *lines] if lines else [])


def _one(ctx: Context, place: Place, title: str, more: Sequence[str]) -> Reply:
    """Show one store as a card that opens the map, as words where its place is unknown."""
    lines = [ctx.copy.text("store_hours", hours=place.hours, now=_open_now(ctx, place))] if place.hours else []
    lines += [ctx.copy.text("store_address", address=place.address)] if place.address else []
    lines += [ctx.copy.text("store_phone", phone=place.phone)] if place.phone else []
    if place.map_url:
        return Reply(articles=(Article(title, "\n".join([*lines, *more, ctx.copy.text("store_map")]), place.map_url),))
    lines = lines or [ctx.copy.text("store_bare")]
    return Reply("\n".join([title, *lines, *more]))


def _open_now(ctx: Context, place: Place) -> str:
    found = HOURS.match(place.hours.strip())
    if found is None:
        return ""
    first, last = (time(int(found[n]), int(found[n + 1])) for n in (1, 3))
    open_now = Hours(first, last).holds(ctx.now.astimezone(ctx.rules.shop.zone).time())
    return ctx.copy.text("store_open" if open_now else "store_shut")


def distance(ctx: Context, metres: float) -> str:
    """Say a distance: to ten metres below a kilometre, to a hundred above."""
    if metres < METRES_EXACT - 5:
        return ctx.copy.text("far_metres", metres=max(10, round(metres / 10) * 10))
    return ctx.copy.text("far_kilometres", kilometres=f"{metres / 1000:.1f}")


def point_of(inbound: Inbound, north: str, east: str) -> Point | None:
    """Return the place in these fields of a callback, None when they hold none."""
    try:
        lat, lon = float(str(inbound.raw.get(north))), float(str(inbound.raw.get(east)))
    except ValueError:
        return None
    return Point(lat, lon) if isfinite(lat) and isfinite(lon) and abs(lat) <= 90 and abs(lon) <= 180 else None
