"""What the member bought."""

from handlers.context import Context, Reply
from handlers.copy import yuan
from handlers.inbound import Inbound
from handlers.understanding import Understood
from members import orders

SHOWN = 12
NAME_CHARS = 24


def last_order(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Tell the newest order: when, where, what and how much."""
    receipt = orders.last(ctx.connection, ctx.member.id)
    if receipt is None:
        return Reply(ctx.copy.text("last_order_none"))
    store = ctx.copy.text("last_order_store", store=receipt.store) if receipt.store else ""
    return Reply("\n".join([ctx.copy.text("last_order", date=receipt.at, store=store), *lines_of(ctx, receipt)]))


def lines_of(ctx: Context, receipt: orders.Receipt) -> list[str]:
    """Return a receipt line by line, with its total."""
    parts = []
    for name, quantity, amount in receipt.lines[:SHOWN]:
        times = f" ×{quantity}" if quantity > 1 else ""
        parts.append(ctx.copy.text("order_line", name=_short(name), times=times, amount=yuan(amount)))
    if len(receipt.lines) > SHOWN:
        parts.append(ctx.copy.text("order_more", count=len(receipt.lines)))
    saved = ctx.copy.text("order_saved", amount=yuan(receipt.discount)) if receipt.discount else ""
    return [*parts, ctx.copy.text("order_total", total=yuan(receipt.total), saved=saved)]


def _short(name: str) -> str:
    return name if len(name) <= NAME_CHARS else f"{name[: NAME_CHARS - 1]}…"
