"""What staff may see: a member, masked; their own day."""

from handlers.context import Context, Reply
from handlers.copy import yuan
from handlers.inbound import Inbound
from handlers.staff.coupons import find_member, refuse_problem
from handlers.understanding import Understood
from members import audit, coupons, ledger, orders, tiers
from members.clock import business_date
from members.vault import mask_phone, normalise_phone


def lookup(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Show a member to staff: 查会员 手机号. Every look is in the audit trail."""
    refuse_problem(said)
    if "phone" not in said.slots:
        return Reply(ctx.copy.text("staff_lookup_how"))
    member = find_member(ctx, said.slots["phone"])
    audit.write(ctx.connection, ctx.by, "member.lookup", member, {}, now=ctx.now)
    owned = ledger.balances(ctx.connection, member)
    receipt = orders.last(ctx.connection, member)
    last = f"{ctx.copy.day(receipt.at)} {yuan(receipt.total)}" if receipt else ctx.copy.text("staff_never")
    return Reply(
        ctx.copy.text(
            "staff_lookup",
            phone=mask_phone(normalise_phone(said.slots["phone"])),
            tier=tiers.of_member(ctx.connection, member),
            points=f"{ledger.good_points(ctx.connection, member, ctx.now)[0]:,}",
            balance=yuan(owned["principal"] + owned["gift"]),
            coupons=coupons.count_usable(ctx.connection, member, ctx.now),
            last=last,
        )
    )


def today(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Sum up what this person of staff did since the business day began."""
    shop = ctx.rules.shop
    done = audit.counts_on(
        ctx.connection, ctx.actor, business_date(ctx.now, shop.zone, shop.day_start), shop.zone, shop.day_start
    )
    return Reply(
        ctx.copy.text("staff_today", issued=done.get("coupon.issue", 0), redeemed=done.get("coupon.redeem", 0))
    )
