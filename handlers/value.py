"""Points, balance and coupons of the member who asks: read-only."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from handlers.context import Context, Reply
from handlers.copy import yuan
from handlers.inbound import Inbound
from handlers.understanding import Understood
from members import coupons as books
from members import ledger

SHOWN = 5
LINES = 8


def points(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Tell the points, what expires next, and the gap to the next reward."""
    loyalty = ctx.rules.loyalty
    owned = ledger.balances(ctx.connection, ctx.member.id)["points"]
    parts = [ctx.copy.text("points", points=f"{owned:,}")]
    expiring = ledger.next_expiry(ctx.connection, ctx.member.id, ctx.now)
    if expiring is not None:
        parts.append(ctx.copy.text("points_expiry", amount=f"{expiring[1]:,}", date=last_day(ctx, expiring[0])))
    if loyalty.reward is not None:
        title = ctx.rules.coupons[loyalty.reward.coupon].title
        gap = loyalty.reward.points - owned
        parts.append(
            ctx.copy.text("points_gap", gap=f"{gap:,}", reward=title)
            if gap > 0
            else ctx.copy.text("points_reward_ready", reward=title, cost=f"{loyalty.reward.points:,}")
        )
    return Reply("\n".join(parts))


def last_day(ctx: Context, instant: datetime) -> str:
    """Return the last day on which something that ends at `instant` (a midnight) is still good."""
    return ctx.copy.day(instant - timedelta(seconds=1))


def points_history(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """List the newest movements of points."""
    return _history(ctx, ("points",), "history_points", lambda amount: f"{amount:,}")


def balance(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Tell principal and gift balance apart."""
    owned = ledger.balances(ctx.connection, ctx.member.id)
    total = owned["principal"] + owned["gift"]
    if not total:
        return Reply(ctx.copy.text("balance_none"))
    shown = {"total": yuan(total), "principal": yuan(owned["principal"]), "gift": yuan(owned["gift"])}
    return Reply(ctx.copy.text("balance", **shown))


def balance_history(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """List the newest movements of principal and gift balance."""
    return _history(ctx, ("principal", "gift"), "history_balance", yuan)


def coupons(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """List what is usable now, expiring first, with code and how to use it."""
    found = books.usable(ctx.connection, ctx.member.id, ctx.now)
    if not found:
        return Reply(ctx.copy.text("coupons_none"))
    parts = [ctx.copy.text("coupons", count=len(found))]
    for number, coupon in enumerate(found[:SHOWN], 1):
        days = (coupon.expires_at - ctx.now).days
        left = ctx.copy.text("coupon_today") if days == 0 else ctx.copy.text("coupon_left", days=days)
        parts.append(
            ctx.copy.text(
                "coupon_line", no=number, title=coupon.title, code=books.spell(coupon.code),
                until=last_day(ctx, coupon.expires_at), left=left if days <= 7 else "",
            )
        )  # fmt: skip
    if len(found) > SHOWN:
        parts.append(ctx.copy.text("coupons_more", count=len(found) - SHOWN))
    parts.append(ctx.copy.text("coupons_how", how=found[0].rule.get("how") or "结账时出示券码"))
    return Reply("\n".join(parts))


def _history(ctx: Context, kinds: Sequence[str], head: str, show: Callable[[int], str]) -> Reply:
    lines = ledger.history(ctx.connection, ctx.member.id, kinds, LINES)
    if not lines:
        return Reply(ctx.copy.text("history_none"))
    parts = [ctx.copy.text(head)]
    for at, _, reason, amount, after in lines:
        facts = {"date": ctx.copy.short_day(at), "sign": "+" if amount > 0 else "-", "amount": show(abs(amount))}
        parts.append(ctx.copy.text("history_line", reason=reason, after=show(after), **facts))
    return Reply("\n".join(parts))
