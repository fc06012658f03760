"""The last order once more: shown as it can be had today, said once more, given to a store, taken back."""

from collections.abc import Mapping, Sequence

from handlers import binding, choosing, flows
from handlers.choosing import Option
from handlers.context import Context, Reply
from handlers.flows import FLOW_MINUTES, Flow
from handlers.grammar import SURE
from handlers.inbound import Inbound
from handlers.understanding import Understood
from members import conversations, identity, notices, reorders, shops
from members.errors import MemberError
from members.reorders import Last, Line
from members.staffing import Server
from members.vault import mask_phone

SHOWN = 8
NAME_CHARS = 16


def reorder(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Show what of the last order can be had today and wait for 确认; ask which store where two come into question."""
    if "off" in said.slots:
        return _withdraw(ctx)
    if (open_now := reorders.waiting(ctx.connection, ctx.member.id, ctx.now)) is not None:
        lines = choosing.offer(ctx, [Option(ctx.copy.text("reorder_off"), "reorder", {"off": "1"})])
        facts = {"store": _name(ctx, open_now.store), "at": open_now.since, "lines": lines}
        return Reply(ctx.copy.text("reorder_waits", **facts))
    found = reorders.last(ctx.connection, ctx.member.id)
    if found is None:
        return Reply(ctx.copy.text("last_order_none"))
    if not found.lines:
        return Reply(ctx.copy.text("reorder_no_lines"))
    if not found.today:
        return Reply(ctx.copy.text("reorder_gone"))
    return _for_store(ctx, found, said.slots.get("store"))


def _for_store(ctx: Context, found: Last, chosen: str | None) -> Reply:
    known = reorders.stores(ctx.connection, ctx.member.id, found)
    if chosen in known:
        known = {str(chosen): known[str(chosen)]}
    if len(known) > 1:
        options = [Option(name, "reorder", {"store": store}) for store, name in list(known.items())[:SHOWN]]
        return Reply(ctx.copy.text("reorder_where", lines=choosing.offer(ctx, options)))
    store = next(iter(known), None)
    if not reorders.servers(ctx.connection, store):
        return Reply(ctx.copy.text("reorder_nobody", store=_name(ctx, store)))
    data = {
        "store": store, "key": ctx.message_key, "lines": [[one.product, one.name, one.quantity] for one in found.today]
    }  # fmt: skip
    flows.wait_with(ctx, Flow.REORDER, data, minutes=FLOW_MINUTES)
    facts = {"date": ctx.copy.short_day(found.at), "store": _name(ctx, store), "lines": _lines(ctx, found.lines)}
    return Reply(ctx.copy.text("reorder_echo", **facts))


def _lines(ctx: Context, lines: Sequence[Line]) -> str:
    shown = [_line(ctx, line) for line in lines[:SHOWN]]
    more = [ctx.copy.text("order_more", count=len(lines))] if len(lines) > SHOWN else []
    return "\n".join([*shown, *more])


def _line(ctx: Context, line: Line) -> str:
    name = line.name if len(line.name) <= NAME_CHARS else f"{line.name[: NAME_CHARS - 1]}…"
    times = f" ×{line.quantity}" if line.quantity > 1 else ""
    return ctx.copy.text("reorder_line" if line.active else "reorder_line_gone", name=name, times=times)


def _name(ctx: Context, store: str | None) -> str:
    return shops.name_of(ctx.connection, store) or ctx.copy.text("some_store")


def confirm(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Give the store what was said once more, if this message is the first to confirm it."""
    stand = ctx.stand
    sure = stand is not None and said.confidence >= SURE and ctx.person.member is not None
    if stand is None or not sure or not conversations.take(ctx.connection, ctx.openid, stand):
        return binding.confirm(inbound, ctx, said)
    store, rows = stand.data["store"], stand.data["lines"]
    wanted = [Line(product, name, many, active=True) for product, name, many in rows]
    text = ctx.copy.text("reorder_task", lines=ctx.copy.text("and_list").join(_item(line) for line in wanted))
    try:
        number = reorders.place(
            ctx.connection, ctx.rules, ctx.member.id, wanted, store=store, text=text, key=str(stand.data["key"]),
            by=ctx.by, now=ctx.now,
        )  # fmt: skip
    except MemberError as refused:
        # said here, not by the router: its rollback would bring back what waited for this 确认
        return Reply(ctx.copy.text(refused.code, **refused.facts))
    _tell_store(ctx, store, "notice_task", number, {"text": text})
    return Reply(ctx.copy.text("reorder_placed", store=_name(ctx, store), many=len(wanted)))


def _item(line: Line) -> str:
    return f"{line.name}×{line.quantity}" if line.quantity > 1 else line.name


def _withdraw(ctx: Context) -> Reply:
    taken = reorders.withdraw(ctx.connection, ctx.member.id, by=ctx.by, now=ctx.now)
    if taken is None:
        return Reply(ctx.copy.text("reorder_none_open"))
    _tell_store(ctx, taken.store, "notice_reorder_off", taken.task, {})
    return Reply(ctx.copy.text("reorder_withdrawn", store=_name(ctx, taken.store)))


def _tell_store(ctx: Context, store: str | None, text: str, number: int, facts: Mapping[str, object]) -> None:
    phone = mask_phone(identity.phone_of(ctx.connection, ctx.vault, ctx.member.id) or "")
    shown = {"number": number, "phone": ctx.copy.text("task_phone", phone=phone), **facts}
    for one in reorders.servers(ctx.connection, store):
        _tell(ctx, one, text, number, shown)


def _tell(ctx: Context, one: Server, text: str, number: int, facts: Mapping[str, object]) -> None:
    told = notices.tell_openid(
        ctx.connection, ctx.copy.text, openid=str(one.openid), text=text, key=str(number), facts=facts, now=ctx.now
    )
    if told:
        ctx.wake.append("notice")
