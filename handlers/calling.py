"""What of the member's own is called by its name: which coupon, which reward; several or nearly so, and a list asks."""

from collections.abc import Mapping, Sequence
from typing import Any

from handlers import choosing, naming
from handlers.choosing import Option
from handlers.context import Context, Reply
from handlers.flows import Flow
from handlers.grammar import SURE
from handlers.understanding import Understood
from handlers.value import last_day
from members import coupons as books

MOST = 50
LISTED = 8
PLACEHOLDER = "{"


def coupons_meant(ctx: Context, text: str) -> tuple[Sequence[Any], bool]:
    """Return (the member's usable coupons that a line names, whether it names them for sure)."""
    found = books.usable(ctx.connection, ctx.member.id, ctx.now, many=MOST)
    which = naming.named([_names(coupon) for coupon in found], text)
    places = which.sure or which.nearly
    return [found[place] for place in places], bool(which.sure)


def _names(coupon: Any) -> list[str]:
    scope = (coupon.rule or {}).get("scope") or {}
    said = [coupon.title, str(scope.get("category") or "")]
    return [name for name in said if name and PLACEHOLDER not in name]


def which(
    ctx: Context, found: Sequence[Any], intent: str, *, sure: bool, more: Mapping[str, str] | None = None
) -> Reply:
    """Ask which of several coupons is meant, or whether the only one that nearly fits is."""
    options = [
        Option(told_apart(ctx, coupon, found), intent, {"code": coupon.code, **(more or {})})
        for coupon in found[:LISTED]
    ]
    lines = choosing.offer(ctx, options)
    return Reply(ctx.copy.text("coupon_which" if sure else "coupon_nearly", lines=lines))


def told_apart(ctx: Context, coupon: Any, found: Sequence[Any]) -> str:
    """Return a coupon's title, and where others are called the same, its last day or the end of its code too."""
    same = [one for one in found if one.title == coupon.title]
    if len(same) == 1:
        return str(coupon.title)
    title = ctx.copy.text("coupon_until", title=coupon.title, until=last_day(ctx, coupon.expires_at))
    alike = [one for one in same if last_day(ctx, one.expires_at) == last_day(ctx, coupon.expires_at)]
    return title if len(alike) == 1 else ctx.copy.text("coupon_coded", title=title, code=coupon.code[-4:])


def gone(ctx: Context, text: str) -> str | None:
    """Return the title of a coupon of this shop that a line names by its whole title, and the member has none of."""
    titles = [rule.title for rule in ctx.rules.coupons.values() if PLACEHOLDER not in rule.title]
    found = naming.named([[title] for title in titles], text).sure
    return titles[found[0]] if len(found) == 1 else None


def listed(ctx: Context, options: Sequence[Option]) -> bool:
    """Offer a list in passing: nothing that waits for the member is given up for it; return whether it stands."""
    if ctx.stand is not None and ctx.stand.state != Flow.CHOOSE:
        return False
    choosing.offer(ctx, options)
    return True


def rescued(ctx: Context, text: str) -> Understood | None:
    """Return what a line means that nothing else was understood by, if it calls something of the member's by name."""
    if not text.strip():
        return None
    if (store := _store(ctx, naming.core(text))) is not None:
        return Understood("stores", SURE, {"store": store})
    if ctx.person.member is None:
        return None
    plain = naming.comparable(text)
    if naming.EXCHANGE.search(plain) and naming.named([[title] for title in rewards(ctx)], text).sure:
        return Understood("redeem_points", SURE, {"name": text})
    found, sure = coupons_meant(ctx, text)
    deed = verb_in(text) or ("coupons" if naming.ABOUT_COUPONS.search(plain) else None)
    if found and deed is not None:
        return Understood(deed, SURE, {"name": text})
    whole = [coupon for coupon in found if naming.comparable(coupon.title) == naming.core(text)]
    return Understood("coupons", SURE, {"name": text}) if sure and whole else None


def _store(ctx: Context, wanted: str) -> str | None:
    """Return the name of a store, or the district of some, that is all a line says."""
    spoken = [name for place in ctx.places.of(ctx.connection, ctx.now) for name in place.spoken]
    return next((name for name in spoken if naming.comparable(name) == wanted), None)


def verb_in(text: str) -> str | None:
    """Return what is to be done with a coupon that is called by name: given away, booked; None for being shown."""
    plain = naming.comparable(text)
    return next((intent for verb, intent in naming.DEEDS if verb.search(plain)), None)


def taken_back(text: str) -> bool:
    """Tell whether a line undoes a gift or a booking instead of making one."""
    return naming.UNDOES.search(naming.comparable(text)) is not None


def rewards(ctx: Context) -> list[str]:
    """Return what points are exchanged for, by name."""
    loyalty = ctx.rules.loyalty
    mine = [ctx.rules.coupons[rule.coupon].title for rule in loyalty.reward if rule.coupon in ctx.rules.coupons]
    return [*mine, *(rule.title for rule in loyalty.partners.values())]
