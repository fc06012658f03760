"""Whom and what staff mean: a member by any name of theirs, a coupon template, a coupon, an order."""

import re
from collections.abc import Mapping, Sequence

from handlers.context import Context
from handlers.copy import yuan
from handlers.reading import normalise, squeeze
from handlers.staff.grammar import ANY_COUPON, COUPON_AFTER
from handlers.staff.reading import in_figures
from members import coupons, identity, member_code, orders, receipts, tails, tiers
from members.errors import MemberError
from members.receipts import Sold
from members.rules import CouponRule
from members.serving import Desk
from members.vault import mask_phone, normalise_phone

SHOWN = 9
CANDIDATES = 200
NAME_CHARS = 20
PART_CHARS = 2
MOBILE = re.compile(r"1[3-9]")


def members_named(ctx: Context, kind: str, value: str) -> list[int]:
    """Return the members a slot of WHO names; MemberError staff_no_member, staff_code_stale, staff_too_many."""
    if kind in ("tail", "masked"):
        return _by_tail(ctx, value[-tails.DIGITS :], value[:3] if kind == "masked" else "")
    if kind == "phone":
        found = identity.find_by_phone(ctx.connection, ctx.vault, normalise_phone(value))
    elif kind == "card":
        found = identity.find(ctx.connection, "card", value)
    else:
        found = member_code.names(ctx.vault, value, ctx.now)
        if found is None or identity.existing(ctx.connection, found) is None:
            raise MemberError("bad_phone" if MOBILE.match(value) else "staff_code_stale")
    if found is None:
        raise MemberError("staff_no_member")
    return [found]


def _by_tail(ctx: Context, tail: str, head: str) -> list[int]:
    found = tails.members_of(ctx.connection, ctx.vault, tail, many=CANDIDATES + 1)
    if len(found) <= CANDIDATES:  # more than these are not opened: the whole number is asked for
        found = [member for member in found if phone(ctx, member).startswith(head) and phone(ctx, member)[-4:] == tail]
    if not found:
        raise MemberError("staff_no_member")
    if len(found) > SHOWN:
        raise MemberError("staff_too_many", tail=tail)
    return found


def phone(ctx: Context, member: int) -> str:
    """Return a member's phone as staff may see it: 138****8000."""
    return mask_phone(identity.phone_of(ctx.connection, ctx.vault, member) or "")


def member_choices(ctx: Context, found: Sequence[int]) -> str:
    """Return the numbered lines that tell members of one tail apart: masked phone, tier, last visit."""
    lines = []
    for number, member in enumerate(found, 1):
        receipt = orders.last(ctx.connection, member)
        last = ctx.copy.day(receipt.at) if receipt else ctx.copy.text("staff_never")
        tier = tiers.of_member(ctx.connection, member)
        lines.append(ctx.copy.text("choice_member", no=number, phone=phone(ctx, member), tier=tier, last=last))
    return "\n".join(lines)


def templates_named(templates: Mapping[str, CouponRule], name: str) -> list[str]:
    """Return the codes of the templates meant by a code, a title, part of one title, or words with one title in them.

    Of words that only say coupon, all; MemberError('template_unknown') for what no template is called.
    """
    rules = issuable(templates)
    if ANY_COUPON.fullmatch(squeeze(name)):
        return list(rules)
    titles = {code: _comparable(rule.title) for code, rule in rules.items()}
    for wanted in dict.fromkeys((_comparable(name), COUPON_AFTER.sub("", _comparable(name)))):
        exact = [code for code, title in titles.items() if wanted in (title, squeeze(code)) or normalise(name) == code]
        partly = [code for code, title in titles.items() if len(wanted) >= PART_CHARS and _holds(title, wanted)]
        within = [code for code, title in titles.items() if _holds(wanted, title)]
        for found in (exact, partly, within):
            if len(found) == 1:
                return found
        if partly:
            return partly
    choices = "\n".join(f"· {rule.title}" for rule in rules.values())
    raise MemberError("template_unknown", name=name[:NAME_CHARS], choices=choices)


def _comparable(words: str) -> str:
    return squeeze(in_figures(normalise(words)))


def _holds(whole: str, part: str) -> bool:
    """Tell whether a part stands in a whole without cutting through a number: 5元券 is no part of 25元券."""
    head, tail = r"(?<!\d)" if part[:1].isdigit() else "", r"(?!\d)" if part[-1:].isdigit() else ""
    return re.search(f"{head}{re.escape(part)}{tail}", whole) is not None


def one_of(names: Sequence[str], typed: str) -> str | None:
    """Return the name that is typed, or the only one that is part of it or it of; None when that is none or several."""
    wanted = squeeze(typed)
    part = wanted if len(wanted) >= PART_CHARS else None
    exact = [name for name in names if squeeze(name) == wanted]
    found = exact or [name for name in names if squeeze(name) in wanted or (part and part in squeeze(name))]
    return found[0] if len(found) == 1 else None


def issuable(templates: Mapping[str, CouponRule]) -> dict[str, CouponRule]:
    """Return the templates staff may issue: those whose title is complete."""
    return {code: rule for code, rule in templates.items() if "{" not in rule.title}


def numbered(titles: Sequence[str]) -> str:
    """Return lines to choose from by number."""
    return "\n".join(f"{number}. {title}" for number, title in enumerate(titles, 1))


def coupon_coded(ctx: Context, code: str) -> coupons.Copy:
    """Return the coupon of a typed code or token, counting wrong ones (MemberError, codes_locked among them).

    The count is taken by `count_wrong`, which the caller lets happen outside what the refusal rolls back.
    """
    coupons.guarded(ctx.connection, guesser(ctx), ctx.rules.staff, ctx.now)
    return coupons.find(ctx.connection, code, now=ctx.now, vault=ctx.vault)


def guesser(ctx: Context) -> str:
    """Return under which name wrong codes of this person are counted."""
    return f"staff:{ctx.staff.id}"


def orders_meant(desk: Desk, member: int | None, number: str, amount: int | None) -> list[Sold]:
    """Return the orders a refund may mean, newest first: of that number, or the member's, with that much left."""
    if number:
        found = receipts.numbered(desk.connection, number, desk.staff.store, everywhere=desk.everywhere)
        found = [one for one in found if one.member is not None and member in (None, one.member)]
    elif member is not None:
        found = receipts.of_member(
            desk.connection, member, desk.staff.store, everywhere=desk.everywhere, many=SHOWN
        )  # fmt: skip
    else:
        found = []
    enough = [one for one in found if amount is None or one.left >= amount]
    return enough or found


def order_choices(ctx: Context, found: Sequence[Sold]) -> str:
    """Return the numbered lines that tell orders apart."""
    return "\n".join(
        ctx.copy.text("choice_order", no=number, time=one.at, total=yuan(one.total), left=yuan(one.left))
        for number, one in enumerate(found, 1)
    )
