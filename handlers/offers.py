"""Why this offer: from the stored trace, with what data it used, whose tags, and how to have less of it or none."""

import re
from collections.abc import Iterable, Sequence
from datetime import timedelta

from handlers import calling, choosing, naming
from handlers.choosing import Option
from handlers.context import Context, Reply
from handlers.inbound import Inbound
from handlers.reading import normalise
from handlers.understanding import Understood
from members import coupons as books
from members import decisions, tags
from members.decisions import Stored
from members.errors import MemberError
from members.segments import SegmentRule

RECENT, READ, LISTED = timedelta(days=60), 20, 4
STAGE = "life_stage:"
_CODE = re.compile(r"(?<![0-9a-z])[0-9a-z]{4}[\s-]?[0-9a-z]{4}[\s-]?[0-9a-z]{4}(?![0-9a-z])")


def why(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Answer from the stored reason of the offer that was named, else of the newest, and list the others."""
    found = _offers(ctx)
    if "offer" in said.slots:
        found = [one for one in found if _key(one) == said.slots["offer"]]
    elif inbound.text:
        named, sure = _named(found, inbound.text)
        found, asked = (named or found), bool(named) and not sure
        if asked:
            return Reply(ctx.copy.text("why_nearly", lines=choosing.offer(ctx, _options(ctx, found))))
    if not found:
        return Reply(ctx.copy.text("why_none"))
    others = _options(ctx, found[1:])
    listed = bool(others) and calling.listed(ctx, others)
    lines = "\n".join(f"{number}. {other.title}" for number, other in enumerate(others, 1))
    return Reply(_answer(ctx, found[0]) + ("\n" + ctx.copy.text("why_others", lines=lines) if listed else ""))


def _offers(ctx: Context) -> list[Stored]:
    """Return the recent offers, the newest of each first; coupons that came without a decision are among them."""
    since, member = ctx.now - RECENT, ctx.member.id
    decided = [one for one in decisions.latest(ctx.connection, member, many=READ) if one.at > since]
    bare = decisions.bare_coupons(ctx.connection, member, since, many=READ)
    newest: dict[tuple[str, str], Stored] = {}
    for one in sorted([*decided, *bare], key=lambda one: one.at, reverse=True):
        newest.setdefault((one.campaign, one.title), one)
    return list(newest.values())


def _key(one: Stored) -> str:
    return f"{'decision' if one.campaign else 'coupon'}:{one.id}"


def _named(found: Sequence[Stored], text: str) -> tuple[list[Stored], bool]:
    """Return (the offers a line names by code, title or campaign, whether for sure)."""
    for code in _CODE.findall(normalise(text)):
        try:
            plain = books.normalise_code(code)
        except MemberError:
            continue
        if coded := [one for one in found if one.coupon == plain]:
            return coded, True
    which = naming.named([[name for name in (one.title, one.campaign) if name] for one in found], text)
    return [found[place] for place in which.sure or which.nearly], bool(which.sure)


def _options(ctx: Context, found: Sequence[Stored]) -> list[Option]:
    return [
        Option(
            ctx.copy.text(
                "why_option", offer=one.title or one.campaign, date=ctx.copy.short_day(one.at), code=one.coupon[-4:]
            ).rstrip(),
            "why",
            {"offer": _key(one)},
        )
        for one in found[:LISTED]
    ]


def _answer(ctx: Context, one: Stored) -> str:
    offer, reason = one.title or one.campaign, one.reason.rstrip("。")
    if not one.campaign:
        facts = {"offer": offer, "reason": reason or ctx.copy.text("why_unknown"), "date": ctx.copy.day(one.at)}
        return ctx.copy.text("why_bare", **facts)
    said = ctx.copy.text("why", offer=offer, reason=reason, date=ctx.copy.day(one.at), campaign=one.campaign)
    parts = [said, _data(ctx, one), *_tags(ctx, one)]
    return "\n".join([*parts, ctx.copy.text("why_off" if ctx.member.personalised else "why_less")])


def _data(ctx: Context, one: Stored) -> str:
    """Say what was read for this offer: of the member, or of everybody where the reason is about them."""
    trace, by = one.trace, one.trace.get("by", "")
    if by == "everybody":
        return ctx.copy.text("why_no_data")
    if by in ("popular", "shop_baskets"):
        return ctx.copy.text("why_data_shop")
    if by == "suggest":
        return ctx.copy.text("why_data_suggest")
    if by in ("premium", "companion", "bundle"):
        return ctx.copy.text("why_data_both", days=ctx.recommend.look_back_days)
    category = trace.get("category_name") or trace.get("category")
    if by in ("frequency", "repurchase", "timing") and category:
        return ctx.copy.text("why_data", category=category, days=ctx.recommend.look_back_days)
    return ctx.copy.text("why_data_all", days=ctx.recommend.look_back_days)


def _tags(ctx: Context, one: Stored) -> list[str]:
    """Say which of the member's tags the segment of the offer asks for, and who put them on."""
    rule = ctx.segments.get(str(one.trace.get("segment", "")))
    asked = set() if rule is None else set(_asked(rule))
    mine = [tag for tag in tags.of_member(ctx.connection, ctx.member.id) if tag.tag in asked]
    if not mine:
        return []
    words = [
        ctx.copy.text("why_tag", tag=tag.tag.removeprefix(STAGE), source=ctx.copy.text(f"why_by_{tag.source}"))
        for tag in mine
    ]
    return [ctx.copy.text("why_tags", tags=ctx.copy.text("and_list").join(words))]


def _asked(rule: SegmentRule) -> Iterable[str]:
    """Return the tags a segment looks at, also those it leaves out."""
    if rule.tag is not None:
        yield from rule.tag.words()
    for part in (*(rule.all or ()), *(rule.any or ()), *(rule.none or ())):
        yield from _asked(part)
