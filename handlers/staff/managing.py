"""What managers do in chat: approve and refuse, invite and end, give tasks; and what staff answer to tasks."""

from collections.abc import Callable, Mapping
from typing import Any

from handlers import notices
from handlers.context import Context, Reply
from handlers.inbound import Inbound
from handlers.staff import counter, errands, finding, wording
from handlers.staff.reading import WHO
from handlers.understanding import Understood
from members import approvals, audit, outbox, reorders, shops, staffing, tasks
from members.approvals import Request
from members.errors import MemberError
from members.notices import tell_openid
from members.serving import Desk
from members.staffing import Server
from members.vault import mask_phone, normalise_phone

SHOWN = 10
BELOW: Mapping[str, frozenset[str]] = {
    "manager": frozenset(("cashier", "adviser")),
    "head_office": frozenset(("cashier", "adviser", "manager", "head_office")),
}


def _managing(ctx: Context) -> Desk:
    desk = counter.desk_of(ctx)
    if not desk.staff.manages:
        raise MemberError("managers_only")
    return desk


def waiting(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """List what waits for this manager's word."""
    found = approvals.waiting(ctx.connection, _managing(ctx).staff, now=ctx.now)
    if not found:
        return Reply(ctx.copy.text("approval_none"))
    lines = [
        ctx.copy.text(
            "approval_line", number=one.id, name=staffing.name_of(ctx.connection, one.staff), what=_what(ctx, one),
            until=one.expires_at,
        )
        for one in found[:SHOWN]
    ]  # fmt: skip
    return Reply(ctx.copy.text("approval_list", lines="\n".join(lines)))


def _what(ctx: Context, request: Request) -> str:
    coupons = request.kind == "issue"
    amount, count = (0, request.amount) if coupons else (request.amount, 1)
    return wording.what(ctx, request.kind, amount, count, request.member, request.params)


def approve(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Say yes to a numbered request: it is done at once, as the one who asked; both are told, and the member."""
    desk = _managing(ctx)
    request = approvals.decide(
        ctx.connection, int(said.slots["number"]), "approved", manager=desk.staff, by=desk.by, now=ctx.now
    )
    asker = staffing.on_duty(ctx.connection, request.staff)
    approved = Desk(
        ctx.connection, ctx.vault, ctx.rules, ctx.app, asker, ctx.now, desk.origin, approved_by=desk.by.name
    )
    served = approvals.carry_out(approved, request)
    errands.tell_member(ctx, served)
    done = wording.done(ctx, served)
    facts = {"name": desk.staff.name, "number": request.id, "done": done}
    _tell_asker(ctx, asker, request, "notice_approved", facts)
    return Reply(ctx.copy.text("approval_approved", number=request.id, name=asker.name, what=done))


def refuse(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Say no to a numbered request, perhaps with a reason; the one who asked is told."""
    desk = _managing(ctx)
    request = approvals.decide(
        ctx.connection, int(said.slots["number"]), "refused", manager=desk.staff, by=desk.by, now=ctx.now
    )
    facts = {
        "name": desk.staff.name, "number": request.id, "what": _what(ctx, request), "why": said.slots.get("reason", ""),
    }  # fmt: skip
    asker = next((one for one in staffing.active(ctx.connection) if one.id == request.staff), None)
    _tell_asker(ctx, asker, request, "notice_refused", facts)
    return Reply(ctx.copy.text("approval_refused", number=request.id))


def _tell_asker(
    ctx: Context, asker: Server | None, request: Request, text: str, facts: Mapping[str, object]
) -> None:  # fmt: skip
    outbox.withdraw(ctx.connection, errands.lapsing_key(request.id), note=ctx.copy.text(f"reason_{text}"))
    if asker is not None and asker.openid is not None:
        _tell(ctx, asker.openid, text, str(request.id), facts)


def _tell(ctx: Context, openid: str, text: str, key: str, facts: Mapping[str, object]) -> None:
    tell_openid(ctx.connection, ctx.copy.text, openid=openid, text=text, key=key, facts=facts, now=ctx.now)
    ctx.wake.append("notice")


def people(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """List whom this manager manages."""
    desk = _managing(ctx)
    lines = [_line(ctx, one) for one in _managed(ctx, desk)]
    return Reply(ctx.copy.text("staff_people", lines="\n".join(lines)))


def _managed(ctx: Context, desk: Desk) -> list[Server]:
    return [one for one in staffing.active(ctx.connection) if staffing.may_manage(desk.staff, one.store)]


def _line(ctx: Context, one: Server) -> str:
    bound = "" if one.openid is not None else ctx.copy.text("staff_unbound")
    role = ctx.copy.text(f"role_{one.role}")
    return ctx.copy.text("staff_line", id=one.id, name=one.name, role=role, bound=bound)


def invite(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Echo an invitation and wait for 确认; the phone is sealed meanwhile."""
    desk = _managing(ctx)
    name, typed, role = said.slots.get("name"), said.slots.get("phone"), said.slots["role"]
    if name is None or typed is None:
        return Reply(ctx.copy.text("staff_invite_how"))
    if role not in BELOW[desk.staff.role]:
        raise MemberError("staff_invite_role")
    store, number = _store(ctx, desk, said.slots.get("store")), normalise_phone(typed)
    shown = wording.store(ctx, store) if store is not None else ctx.copy.text("staff_all_stores")
    title = ctx.copy.text(f"role_{role}")
    echo = ctx.copy.text("echo_invite", name=name, phone=mask_phone(number), role=title, store=shown)
    data = {"do": "invite", "name": name, "role": role, "store": store}
    return counter.confirm(ctx, echo, data, sealed=ctx.vault.seal_system("flow", number))


def _store(ctx: Context, desk: Desk, named: str | None) -> str | None:
    """Return the store a new person serves: the manager's own; head office may name another."""
    if named is None or not desk.everywhere:
        return desk.staff.store
    found = next((rule.id for rule in ctx.rules.shop.stores if named in (rule.id.lower(), rule.name.lower())), None)
    if found is None:
        raise MemberError("no_store", store=named)
    return found


def enrol(ctx: Context, data: Mapping[str, Any]) -> Reply:
    """Add the person who was confirmed and say the word that binds them."""
    desk, sealed = _managing(ctx), ctx.flow.sealed if ctx.flow is not None else None
    if data["role"] not in BELOW[desk.staff.role] or not staffing.may_manage(desk.staff, data["store"]):
        raise MemberError("staff_invite_role")
    made = staffing.hire(
        ctx.connection, ctx.vault, name=str(data["name"]), role=str(data["role"]), store=data["store"],
        phone=ctx.vault.unseal_system("flow", sealed or b""), hours=ctx.rules.staff.invite_hours, by=desk.by,
        now=ctx.now,
    )  # fmt: skip
    return Reply(ctx.copy.text("invited", name=data["name"], id=made.id, word=made.word, until=made.until))


def revoke(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """End what somebody may do, at once, without a 确认: a lost phone does not wait."""
    desk = _managing(ctx)
    below = [one for one in _managed(ctx, desk) if one.role in BELOW[desk.staff.role] and one.id != desk.staff.id]
    found = staffing.named(below, said.slots["ref"])
    if not found:
        raise MemberError("staff_who")
    if len(found) > 1:
        return Reply(ctx.copy.text("staff_which", lines="\n".join(_line(ctx, one) for one in found)))
    shops.revoke_staff(ctx.connection, found[0].id, now=ctx.now)
    audit.write(ctx.connection, desk.by, "staff.revoke", None, {"staff": found[0].id}, now=ctx.now)
    return Reply(ctx.copy.text("staff_revoked", name=found[0].name, id=found[0].id))


def todo(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """List the open tasks of who asks, what is due first on top."""
    found = tasks.open_for(ctx.connection, counter.desk_of(ctx).staff, many=SHOWN)
    if not found:
        return Reply(ctx.copy.text("tasks_none"))
    lines = [ctx.copy.text("task_line", number=one.id, text=one.text, phone=_of(ctx, one.member)) for one in found]
    return Reply(ctx.copy.text("tasks", lines="\n".join(lines)))


def _of(ctx: Context, member: int | None) -> str:
    return "" if member is None else ctx.copy.text("task_phone", phone=finding.phone(ctx, member))


def finish(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Write down what came of a task and tell whoever gave it."""
    desk, result = counter.desk_of(ctx), said.slots.get("reason", "")
    task = tasks.finish(ctx.connection, int(said.slots["number"]), desk.staff, result, by=desk.by, now=ctx.now)
    giver = next((one for one in staffing.active(ctx.connection) if f"staff:{one.id}" == task.source), None)
    if giver is not None and giver.openid not in (None, ctx.openid):
        told = result or ctx.copy.text("task_no_result")
        facts = {"name": desk.staff.name, "number": task.id, "text": task.text, "result": told}
        _tell(ctx, str(giver.openid), "notice_task_done", str(task.id), facts)
    if task.source == reorders.SOURCE and task.member is not None:
        store = shops.name_of(ctx.connection, task.store) or ctx.copy.text("some_store")
        facts = {"store": store, "result": result or ctx.copy.text("reorder_ready")}
        notices.tell(ctx, task.member, "notice_reorder_done", facts)
    return Reply(ctx.copy.text("task_finished", number=task.id))


def assign(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Give a task to a person of the store, or to whoever of it gets there first; perhaps about a member."""
    desk = _managing(ctx)
    if problem := said.slots.get("problem"):
        raise MemberError(problem)
    first, _, rest = said.slots.get("text", "").partition(" ")
    wanted = staffing.named(_managed(ctx, desk), first) if first else []
    whom, text = (wanted[0], rest.strip()) if len(wanted) == 1 else (None, said.slots.get("text", ""))
    if not text:
        return Reply(ctx.copy.text("task_how"))
    member = _one_member(ctx, said.slots)
    number = tasks.add(
        ctx.connection, key=f"chat:{ctx.message_key}", store=whom.store if whom else desk.staff.store,
        staff=whom.id if whom else None, member=member, text=text, source=desk.by.name, by=desk.by, now=ctx.now,
    )  # fmt: skip
    facts = {"number": number, "text": text, "phone": _of(ctx, member)}
    for one in [whom] if whom else [one for one in _managed(ctx, desk) if one.store == desk.staff.store]:
        if one.openid not in (None, ctx.openid):
            _tell(ctx, str(one.openid), "notice_task", str(number), facts)
    name = whom.name if whom else ctx.copy.text("task_anybody")
    return Reply(ctx.copy.text("task_added", number=number, name=name))


def _one_member(ctx: Context, slots: Mapping[str, str]) -> int | None:
    kind = next((name for name in WHO if name in slots), None)
    if kind is None:
        return None
    found = finding.members_named(ctx, kind, slots[kind])
    if len(found) > 1:
        raise MemberError("staff_too_many", tail=slots[kind][-4:])
    return found[0]


DO: Mapping[str, Callable[[Context, Mapping[str, Any]], Reply]] = {
    "errand": errands.carry_out, "undo": errands.take_back, "invite": enrol,
}  # fmt: skip
