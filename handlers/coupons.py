"""One coupon of the member who asks: shown with its short-lived token, given to a friend, claimed, booked."""

from datetime import datetime, time
from typing import Any

from handlers import calling, notices, value
from handlers.choosing import Option
from handlers.context import Article, Context, Reply
from handlers.grammar import SURE
from handlers.inbound import Inbound
from handlers.understanding import Understood
from members import audit, member_code, slots
from members import coupons as books
from members.errors import MemberError
from members.rules import CouponRule

MOST = 50
TIMES = 9
LISTED = 8


def show(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """List what is usable now; of one that was asked for, show code, token and, with a public address, a QR picture."""
    if "no" in said.slots or "code" in said.slots:
        return _one(ctx, *_chosen(ctx, said))
    text = said.slots.get("name") or inbound.text
    found, sure = calling.coupons_meant(ctx, text)
    if found and (verb := calling.verb_in(text)) is not None:
        return {"transfer_coupon": transfer, "book_coupon": book}[verb](inbound, ctx, said)
    if len(found) == 1 and sure:
        return _one(ctx, *_chosen(ctx, _coded(found[0])))
    if found:
        return calling.which(ctx, found, "coupons", sure=sure)
    return _listed(inbound, ctx, said, calling.gone(ctx, text))


def _listed(inbound: Inbound, ctx: Context, said: Understood, gone: str | None) -> Reply:
    """List the coupons; a number shows one of them, unless something else waits for the member."""
    reply = value.coupons(inbound, ctx, said)
    found = books.usable(ctx.connection, ctx.member.id, ctx.now, many=value.LISTED)
    parts = [ctx.copy.text("coupon_have_none", title=gone)] if gone else []
    options = [Option(calling.told_apart(ctx, coupon, found), "coupons", {"code": coupon.code}) for coupon in found]
    if options and calling.listed(ctx, options):
        return Reply("\n".join([*parts, reply.text, ctx.copy.text("coupons_number")]))
    picture = [ctx.copy.text("coupons_one")] if options and ctx.link("qr", "0") else []
    return Reply("\n".join([*parts, reply.text, *picture]))


def _coded(coupon: Any) -> Understood:
    return Understood("coupons", SURE, {"code": coupon.code})


def _one(ctx: Context, number: int, coupon: Any) -> Reply:
    rule = books.rule_of(coupon.rule or {})
    token = member_code.coupon_token(ctx.vault, coupon.id, ctx.now)
    facts = {
        "code": books.spell(coupon.code), "until": value.last_day(ctx, coupon.expires_at),
        "how": rule.how.rstrip("。."),
        "token": " ".join(token[place : place + 5] for place in range(0, 15, 5)),
    }  # fmt: skip
    parts = [ctx.copy.text("coupon_one", **facts), *_more(ctx, number, coupon, rule)]
    picture = ctx.link("qr", token)
    if not picture:
        return Reply("\n".join([coupon.title, *parts]))
    return Reply(articles=(Article(coupon.title, "\n".join(parts), picture, f"{picture}.png"),))


def _more(ctx: Context, number: int, coupon: Any, rule: CouponRule) -> list[str]:
    said = []
    zone = ctx.rules.shop.zone
    if rule.since is not None and rule.since > ctx.now.astimezone(zone).date():
        said.append(ctx.copy.text("coupon_since", day=ctx.copy.day(datetime.combine(rule.since, time(), zone))))
    if coupon.slot_id is not None and (booked := slots.of_coupon(ctx.connection, coupon.id)) is not None:
        said.append(ctx.copy.text("coupon_booked", at=booked.starts_at))
    elif rule.slots is not None:
        said.append(ctx.copy.text("coupon_book_how", no=number))
    if rule.transferable:
        said.append(ctx.copy.text("coupon_transfer_how", no=number))
    return said


def transfer(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Offer a coupon to a friend: 转赠 2; the word is sent back to be passed on. 取消转赠 2 takes the offer back."""
    if "no" not in said.slots and "code" not in said.slots:
        named = _by_name(inbound, ctx, said, "transfer_coupon")
        if isinstance(named, Reply):
            return named
        said = named
    if "no" not in said.slots and "code" not in said.slots:
        return Reply(_transferable(ctx))
    _, coupon = _chosen(ctx, said)
    if "off" in said.slots:
        done = books.cancel_transfer(ctx.connection, ctx.vault, ctx.member.id, coupon.code, now=ctx.now)
        if done:
            _write(ctx, coupon.id, "withdrawn")
        return Reply(ctx.copy.text("transfer_withdrawn" if done else "transfer_none", title=coupon.title))
    word = books.offer_transfer(ctx.connection, ctx.vault, ctx.member.id, coupon.code, now=ctx.now)
    _write(ctx, coupon.id, "offered")
    return Reply(ctx.copy.text("transfer_offered", title=coupon.title, word=books.spell(word), hours=books.HOURS))


def _by_name(inbound: Inbound, ctx: Context, said: Understood, intent: str) -> Understood | Reply:
    """Return the line with the coupon it names, or as it was when it names none, or a question which is meant."""
    text = said.slots.get("name") or inbound.text
    found, sure = calling.coupons_meant(ctx, text)
    more = {name: said.slots[name] for name in ("off", "slot") if name in said.slots}
    more |= {"off": "1"} if calling.taken_back(text) else {}
    if not found:
        return said
    if len(found) == 1 and sure:
        return Understood(intent, said.confidence, {"code": found[0].code, **more})
    return calling.which(ctx, found, intent, sure=sure, more=more)


def _transferable(ctx: Context) -> str:
    """List what can be given away, by its number in the member's list."""
    found = books.usable(ctx.connection, ctx.member.id, ctx.now, many=MOST)
    lines = [
        ctx.copy.text("transfer_line", no=number, title=coupon.title)
        for number, coupon in enumerate(found, 1)
        if (coupon.rule or {}).get("transferable")
    ]
    if not lines:
        return ctx.copy.text("transfer_nothing")
    return "\n".join([ctx.copy.text("transfer_how"), *lines[:LISTED]])


def claim(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Take what a friend gives: 领取 WORD. Wrong words are counted, and too many of them end in a wait."""
    if "code" not in said.slots:
        return Reply(ctx.copy.text("claim_how"))
    who, me = f"member:{ctx.member.id}", ctx.member.id
    books.guarded(ctx.connection, who, ctx.rules.staff, ctx.now)
    try:
        claimed = books.claim_transfer(ctx.connection, ctx.vault, me, said.slots["code"], now=ctx.now)
    except MemberError as refusal:
        if refusal.code not in books.WRONG:
            raise
        books.wrong_code(ctx.connection, who, ctx.rules.staff, ctx.now)
        return Reply(ctx.copy.text("transfer_unknown"))
    _write(ctx, claimed.id, "claimed", giver=claimed.giver)
    notices.tell(ctx, claimed.giver, "notice_transfer_claimed", {"title": claimed.title})
    until = value.last_day(ctx, claimed.expires_at)
    return Reply(ctx.copy.text("claimed", title=claimed.title, code=books.spell(claimed.code), until=until))


def book(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Book the appointment of an experience coupon: 预约 2 lists the times, 预约 2 3 takes one, 取消预约 2 gives up."""
    if "no" not in said.slots and "code" not in said.slots:
        named = _by_name(inbound, ctx, said, "book_coupon")
        if isinstance(named, Reply):
            return named
        said = named
    number, coupon = _bookable(ctx, said)
    if "off" in said.slots:
        done = slots.cancel(ctx.connection, coupon.id, now=ctx.now)
        return Reply(ctx.copy.text("booking_cancelled" if done else "booking_none", title=coupon.title))
    times = slots.free(ctx.connection, coupon.template, now=ctx.now, until=coupon.expires_at, many=TIMES)
    if not times:
        return Reply(ctx.copy.text("slots_none", title=coupon.title))
    wanted = int(said.slots.get("slot", 0))
    if not 1 <= wanted <= len(times):
        lines = [
            ctx.copy.text("slot_line", no=place, at=one.starts_at, left=one.left) for place, one in enumerate(times, 1)
        ]
        return Reply("\n".join([ctx.copy.text("slots", title=coupon.title, no=number), *lines]))
    booked = slots.book(ctx.connection, coupon.id, times[wanted - 1].id, now=ctx.now)
    audit.write(
        ctx.connection, ctx.by, "coupon.book", ctx.member.id, {"coupon": coupon.id, "slot": booked.id}, now=ctx.now
    )
    return Reply(ctx.copy.text("booked", title=coupon.title, at=booked.starts_at, no=number))


def _bookable(ctx: Context, said: Understood) -> tuple[int, Any]:
    """Return the coupon meant; without a number the only one that has appointments. MemberError('book_which')."""
    if "no" in said.slots or "code" in said.slots:
        number, coupon = _chosen(ctx, said)
        found = [(number, coupon)]
    else:
        found = [*enumerate(books.usable(ctx.connection, ctx.member.id, ctx.now, many=MOST), 1)]
    wanted = [(number, coupon) for number, coupon in found if (coupon.rule or {}).get("slots")]
    if len(wanted) != 1:
        raise MemberError("book_which" if wanted else "book_nothing")
    return wanted[0]


def _chosen(ctx: Context, said: Understood) -> tuple[int, Any]:
    """Return (number in the list, row) of the member's own coupon that was named; MemberError('coupon_not_yours')."""
    code = said.slots.get("code", "")
    if len(code) == member_code.COUPON_DIGITS:
        code = books.by_id(ctx.connection, member_code.coupon_named(ctx.vault, code, ctx.now) or 0).code
    elif code:
        code = books.normalise_code(code)
    for number, coupon in enumerate(books.usable(ctx.connection, ctx.member.id, ctx.now, many=MOST), 1):
        if coupon.code == code or str(number) == said.slots.get("no"):
            return number, coupon
    raise MemberError("coupon_not_yours")


def _write(ctx: Context, coupon: int, step: str, **more: object) -> None:
    detail = {"coupon": coupon, "step": step, **more}
    audit.write(ctx.connection, ctx.by, "coupon.transfer", ctx.member.id, detail, now=ctx.now)
