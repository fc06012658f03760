"""Points, balance and coupons of the member who asks: read-only."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from handlers.context import Context, Reply
from handlers.copy import yuan
from handlers.inbound import Inbound
from handlers.understanding import Understood
from members import coupons as books
from members import ledger
from members import points as points_books
from members.clock import business_date

SHOWN, FEW, LISTED = 5, 3, 13  # more than SHOWN coupons are a FEW with their codes, then a line each
LIST_BYTES = 1_700  # of UTF-8; an answer is cut at 2,000, and how to use them and what to reply come after the list
LINES = 8
URGENT_DAYS = 7
REASON_CHARS = 16


def points(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Tell the points, what expires next, the gap to the next reward, and how points are earned."""
    loyalty = ctx.rules.loyalty
    owned, expiring = ledger.good_points(ctx.connection, ctx.member.id, ctx.now)
    parts = [ctx.copy.text("points", points=f"{owned:,}")]
    if expiring is not None:
        parts.append(ctx.copy.text("points_expiry", amount=f"{expiring[1]:,}", date=last_day(ctx, expiring[0])))
    balances = ledger.balances(ctx.connection, ctx.member.id)
    parts += [*_waiting(ctx, balances), *_rewards(ctx, owned, -balances["owed"])]
    rate = loyalty.earn.per_100_yuan
    if rate and loyalty.earn.back is not None:
        parts.append(ctx.copy.text("points_rule_back", back=yuan(rate)))
    elif rate:
        parts.append(ctx.copy.text("points_rule", rate=loyalty.earn.points_per_yuan))
    return Reply("\n".join(parts))


def _waiting(ctx: Context, owned: Mapping[str, int]) -> list[str]:
    """Say what is still to mature and what is owed, where there is any."""
    said: list[str] = []
    if owned["pending"]:
        first = points_books.next_maturing(ctx.connection, ctx.member.id) or ctx.now
        said.append(ctx.copy.text("points_pending", amount=f"{owned['pending']:,}", date=ctx.copy.day(first)))
    if owned["owed"]:
        said.append(ctx.copy.text("points_owed", amount=f"{-owned['owed']:,}"))
    return said


def _rewards(ctx: Context, owned: int, debt: int) -> list[str]:
    """Say which rewards the points reach, and how far the next one still is: a debt is repaid first."""
    said: list[str] = []
    for reward in sorted(ctx.rules.loyalty.reward, key=lambda one: one.points):
        title = ctx.rules.coupons[reward.coupon].title
        if owned < reward.points:
            return [*said, ctx.copy.text("points_gap", gap=f"{reward.points + debt - owned:,}", reward=title)]
        said.append(ctx.copy.text("points_reward_ready", reward=title, cost=f"{reward.points:,}"))
    return said


def last_day(ctx: Context, instant: datetime) -> str:
    """Return the last day on which something that ends at `instant` (a midnight) is still good."""
    return ctx.copy.day(instant - timedelta(seconds=1))


def points_history(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """List the newest movements of points."""
    lines = ledger.history(ctx.connection, ctx.member.id, ("points",), LINES)
    shown = [_line(ctx, line, "", f"{abs(line.amount):,}", f"{line.balance_after:,}") for line in lines]
    return _history(ctx, "history_points", shown)


def balance(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Tell principal and gift balance apart."""
    owned = ledger.balances(ctx.connection, ctx.member.id)
    total = owned["principal"] + owned["gift"]
    if not total:
        return Reply(ctx.copy.text("balance_none"))
    shown = {"total": yuan(total), "principal": yuan(owned["principal"]), "gift": yuan(owned["gift"])}
    return Reply(ctx.copy.text("balance", **shown))


def balance_history(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """List the newest movements of principal and gift balance, each named, with its own balance after."""
    found: list[tuple[Any, str]] = []
    for kind in ("principal", "gift"):
        lines = ledger.history(ctx.connection, ctx.member.id, (kind,), LINES)
        found += [(line, ctx.copy.text(f"account_{kind}")) for line in lines]
    found.sort(key=lambda pair: pair[0].at, reverse=True)
    shown = [_line(ctx, line, name, yuan(abs(line.amount)), yuan(line.balance_after)) for line, name in found[:LINES]]
    return _history(ctx, "history_balance", shown)


def _line(ctx: Context, line: Any, account: str, amount: str, after: str) -> str:
    facts = {"date": ctx.copy.short_day(line.at), "sign": "+" if line.amount > 0 else "-", "after": after}
    return ctx.copy.text("history_line", account=account, amount=amount, reason=line.reason[:REASON_CHARS], **facts)


def _history(ctx: Context, head: str, lines: list[str]) -> Reply:
    return Reply("\n".join([ctx.copy.text(head), *lines]) if lines else ctx.copy.text("history_none"))


def coupons(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """List what is usable now, expiring first, with code and how to use it; the later ones on a short line each."""
    found = books.usable(ctx.connection, ctx.member.id, ctx.now, many=LISTED)
    if not found:
        return Reply(ctx.copy.text("coupons_none"))
    count = len(found) if len(found) <= SHOWN else books.count_usable(ctx.connection, ctx.member.id, ctx.now)
    whole = found if len(found) <= SHOWN else found[:FEW]
    ways = [_way(ctx, coupon) for coupon in whole]
    same = len(set(ways)) == 1
    parts = [ctx.copy.text("coupons", count=f"{count:,}")]
    for number, (coupon, way) in enumerate(zip(whole, ways, strict=True), 1):
        parts.append(
            ctx.copy.text(
                "coupon_line", no=number, title=coupon.title, code=books.spell(coupon.code),
                until=last_day(ctx, coupon.expires_at), left=_left(ctx, coupon.expires_at),
            )
        )  # fmt: skip
        parts += [] if same else [ctx.copy.text("coupon_how", how=way)]
    short = _short(ctx, found[len(whole) :], len(whole) + 1, "\n".join(parts))
    parts += short
    if left := count - len(whole) - len(short):
        parts.append(ctx.copy.text("coupons_more", count=f"{left:,}"))
    parts += [ctx.copy.text("coupons_how", how=ways[0])] if same else []
    return Reply("\n".join(parts))


def _short(ctx: Context, found: Sequence[Any], first: int, before: str) -> list[str]:
    """Return a line of each coupon, numbered from `first`, as many as fit in one answer with what stands before."""
    said: list[str] = []
    for number, coupon in enumerate(found, first):
        until, left = last_day(ctx, coupon.expires_at), _left(ctx, coupon.expires_at)
        line = ctx.copy.text("coupon_short", no=number, title=coupon.title, until=until, left=left)
        if len("\n".join([before, *said, line]).encode()) > LIST_BYTES:
            break
        said.append(line)
    return said


def _way(ctx: Context, coupon: Any) -> str:
    return (coupon.rule.get("how") or ctx.copy.text("how_to_use")).rstrip("。.")


def _left(ctx: Context, expires_at: datetime) -> str:
    zone = ctx.rules.shop.zone
    days = (business_date(expires_at - timedelta(seconds=1), zone) - business_date(ctx.now, zone)).days
    if days > URGENT_DAYS:
        return ""
    return ctx.copy.text("coupon_left", days=days) if days > 0 else ctx.copy.text("coupon_today")
