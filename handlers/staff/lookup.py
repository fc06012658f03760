"""What staff may see: a member, masked; what they bought last; the day; segments by head-count."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from handlers import orders as receipts
from handlers.context import Context, Reply
from handlers.copy import yuan
from handlers.inbound import Inbound
from handlers.membership import perk_line
from handlers.reading import squeeze
from handlers.staff import counter, wording
from handlers.staff.counter import Draft, Finish
from handlers.staff.finding import phone
from handlers.understanding import Understood
from handlers.value import last_day
from members import audit, coupons, daily, deeds, ledger, limits, orders, perks, plans, segments, tags, tiers
from members import receipts as books
from members.errors import MemberError

NEWEST, FAVOURITES, FAVOURITES_OF = 3, 5, timedelta(days=365)


def show(ctx: Context, draft: Draft) -> Reply:
    """Show a member to staff; every look is in the audit trail."""
    member = draft.member
    audit.write(ctx.connection, ctx.by, "member.lookup", member, {}, now=ctx.now)
    owned = ledger.balances(ctx.connection, member)
    receipt = orders.last(ctx.connection, member)
    last = f"{ctx.copy.day(receipt.at)} {yuan(receipt.total)}" if receipt else ctx.copy.text("staff_never")
    text = ctx.copy.text(
        "staff_lookup",
        phone=phone(ctx, member),
        tier=tiers.of_member(ctx.connection, member),
        points=f"{ledger.good_points(ctx.connection, member, ctx.now)[0]:,}",
        balance=yuan(owned["principal"] + owned["gift"]),
        coupons=coupons.count_usable(ctx.connection, member, ctx.now),
        last=last,
    )
    known = [tag.tag for tag in tags.of_member(ctx.connection, member)]
    more = [ctx.copy.text("staff_tags", tags=ctx.copy.text("and_list").join(known))] if known else []
    return Reply("\n".join([text, *more]))


def last(ctx: Context, draft: Draft) -> Reply:
    """Show what a member bought last; this look too is in the audit trail."""
    member = draft.member
    audit.write(ctx.connection, ctx.by, "member.lookup", member, {"of": "last"}, now=ctx.now)
    receipt, shown = orders.last(ctx.connection, member), phone(ctx, member)
    if receipt is None:
        return Reply(ctx.copy.text("staff_last_none", phone=shown))
    store = ctx.copy.text("last_order_store", store=receipt.store) if receipt.store else ""
    facts = {"phone": shown, "date": receipt.at, "store": store}
    if receipt.lines:
        parts = [ctx.copy.text("staff_last", **facts), *receipts.lines_of(ctx, receipt)]
    else:
        parts = [ctx.copy.text("staff_last_total", **facts, total=yuan(receipt.total))]
    return Reply("\n".join([*parts, *_favourites(ctx, member)]))


def _favourites(ctx: Context, member: int) -> list[str]:
    """Return a line of what the member buys again and again, nothing when there is nothing such."""
    since = ctx.now - FAVOURITES_OF
    found = books.favourites(ctx.connection, member, since=since, many=FAVOURITES)
    names = [ctx.copy.text("staff_favourite", name=name, times=times) for name, times in found]
    return [ctx.copy.text("staff_favourites", names=ctx.copy.text("and_list").join(names))] if names else []


def perks_of(ctx: Context, draft: Draft) -> Reply:
    """Show what a member's tier and plan bring and what is left this month; this look too is in the audit trail."""
    member = draft.member
    audit.write(ctx.connection, ctx.by, "member.lookup", member, {"of": "perks"}, now=ctx.now)
    found = perks.of(ctx.connection, ctx.rules, member, ctx.now)
    if not found:
        raise MemberError("perks_nothing", phone=phone(ctx, member))
    held, tier = plans.plan_of(ctx.connection, member, ctx.now), tiers.of_member(ctx.connection, member)
    until = last_day(ctx, held.until) if held else ""
    plan = ctx.copy.text("staff_perks_plan", plan=held.name, until=until) if held else ""
    lines = "\n".join(perk_line(ctx, perk) for perk in found)
    return Reply(ctx.copy.text("staff_perks", phone=phone(ctx, member), tier=tier, plan=plan, lines=lines))


def tag(ctx: Context, draft: Draft) -> Reply:
    """Put tags on a member, or take them off."""
    words, on = [tags.clean(word) for word in draft.slots["tags"].split()], draft.slots.get("way") != "off"
    shown = {"phone": phone(ctx, draft.member), "tags": ctx.copy.text("and_list").join(words)}
    if on:
        for word in words:
            tags.put(ctx.connection, draft.member, word, source="staff", by=ctx.by, now=ctx.now)
        return Reply(ctx.copy.text("staff_tagged", **shown))
    taken = [tags.take_off(ctx.connection, draft.member, word, by=ctx.by, now=ctx.now) for word in words]
    if not all(taken):
        raise MemberError("staff_tag_missing")
    return Reply(ctx.copy.text("staff_untagged", **shown))


def today(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Sum up what this person of staff did since the business day began; for managers also their store."""
    shop = ctx.rules.shop
    day = limits.business_day(ctx.now, shop.zone, shop.day_start)
    if said.slots.get("of") == "store":
        return _store_today(ctx, day)
    mine = {one.kind: one for one in deeds.sums(ctx.connection, day.since, day.until) if one.staff == ctx.staff.id}
    issued, redeemed = (mine[kind].count if kind in mine else 0 for kind in ("issue", "redeem"))
    parts = [ctx.copy.text("staff_today", issued=issued, redeemed=redeemed)]
    told = [replace(one, times=0) if kind in ("issue", "redeem") else one for kind, one in mine.items()]
    rest = daily.person(ctx.copy.text, told)
    parts += [rest] if rest else []
    return Reply("\n".join([*parts, *_undoable(ctx)]))


def _undoable(ctx: Context) -> list[str]:
    """Return a line that names the newest deeds that can still be undone, by their numbers."""
    newest = deeds.newest(ctx.connection, ctx.staff.id, many=NEWEST)
    shown = [
        ctx.copy.text(
            "staff_today_deed", number=deed.id,
            what=wording.what(ctx, deed.kind, deed.amount, deed.count, deed.member, deed.detail),
        )
        for deed in newest
        if deed.kind != "refund" and deed.undo_until is not None and deed.undo_until > ctx.now
    ]  # fmt: skip
    return [ctx.copy.text("staff_today_newest", deeds=ctx.copy.text("and_list").join(shown))] if shown else []


def _store_today(ctx: Context, day: limits.Period) -> Reply:
    desk = counter.desk_of(ctx)
    if not desk.staff.manages:
        raise MemberError("managers_only")
    found = daily.by_store(ctx.connection, ctx.copy.text, day.since, day.until)
    wanted = list(found) if desk.everywhere else [store for store in found if store == desk.staff.store]
    if not wanted:
        return Reply(ctx.copy.text("store_today_none", store=wording.store(ctx, desk.staff.store)))
    parts = [
        ctx.copy.text("store_today", store=wording.store(ctx, store), lines="\n".join(found[store])) for store in wanted
    ]
    return Reply("\n".join(parts))


def segment(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Tell a manager how many members a segment has."""
    if not counter.desk_of(ctx).staff.manages:
        raise MemberError("managers_only")
    known = [segments.EVERYBODY, *ctx.segments]
    names = ctx.copy.text("and_list").join(known)
    name = said.slots.get("name")
    if name is None:
        return Reply(ctx.copy.text("segment_names", names=names))
    meant = next((one for one in known if squeeze(one) == squeeze(name)), None)
    if meant is None:
        return Reply(ctx.copy.text("segment_unknown", name=name, names=names))
    count = segments.count(ctx.connection, ctx.segments.get(meant), ctx.now, ctx.rules.shop.zone)
    return Reply(ctx.copy.text("segment_count", name=meant, count=f"{count:,}"))


def helped(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Name the commands; managers read theirs too."""
    more = [ctx.copy.text("staff_help_manager")] if ctx.staff.role in ("manager", "head_office") else []
    return Reply("\n".join([ctx.copy.text("staff_help"), *more]))


COMMANDS: Mapping[str, tuple[tuple[str, ...], Finish]] = {
    "staff_lookup": (("member",), show),
    "staff_last": (("member",), last),
    "staff_tag": (("member", "tags"), tag),
    "staff_perks": (("perks_on", "member"), perks_of),
}
