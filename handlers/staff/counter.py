"""From a command to a deed: what is missing is asked for, what is ambiguous chosen, what moves value echoed for 确认.

A draft is an intent with what is known so far. Each slot is resolved in turn; the first that can't be asks a question,
and the next message goes on from there. Drafts hold ids, figures and words, never a phone.
"""

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from handlers import flows
from handlers.context import Context, Reply
from handlers.copy import yuan
from handlers.flows import Flow
from handlers.inbound import Inbound
from handlers.staff import finding
from handlers.staff.reading import WHO
from handlers.understanding import Understood
from members import coupons, perks, receipts, staffing, tags
from members.errors import MemberError
from members.serving import Desk

ASK_MINUTES = 10
# what is asked again after a bad answer; any other refusal ends the command
AGAIN = frozenset(
    (
        "staff_no_member", "staff_code_stale", "staff_too_many", "staff_tail_shape", "bad_phone", "amount_negative",
        "amount_precision", "amount_zero", "amount_range", "amount_shape", "points_whole", "points_zero",
        "points_range", "template_unknown", "bad_tag", "coupon_unknown", "coupon_mistyped", "topup_range",
        "points_both", "perk_none", "plan_unknown",
    )
)  # fmt: skip


@dataclass(slots=True)
class Draft:
    """A command on its way: `slots` as they were typed or chosen."""

    intent: str
    slots: dict[str, str] = field(default_factory=dict)

    def number(self, name: str) -> int | None:
        """Return a slot that holds a number."""
        return int(self.slots[name]) if name in self.slots else None

    @property
    def member(self) -> int:
        """Return whom it is about, once that is resolved."""
        return int(self.slots["member"])


Finish = Callable[[Context, Draft], Reply]


def desk_of(ctx: Context, *, approved_by: str = "") -> Desk:
    """Return the desk of who is talking; MemberError('staff_gone') when they were revoked this very moment."""
    staff = staffing.on_duty(ctx.connection, ctx.staff.id)
    return Desk(ctx.connection, ctx.vault, ctx.rules, ctx.app, staff, ctx.now, ctx.by.origin, approved_by)


def command(needs: Sequence[str], finish: Finish) -> Callable[[Inbound, Context, Understood], Reply]:
    """Return the handler of a command that needs these slots and then does what `finish` says."""

    def handler(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
        return proceed(ctx, Draft(said.intent, dict(said.slots)), needs, finish)

    return handler


def proceed(ctx: Context, draft: Draft, needs: Sequence[str], finish: Finish) -> Reply:
    """Resolve slot after slot, then finish; a wrong code is counted here, where no rollback takes it back."""
    if problem := draft.slots.pop("problem", None):
        raise MemberError(problem)
    try:
        for slot in needs:
            question = _RESOLVE[slot](ctx, draft)
            if question is not None:
                return question
        return finish(ctx, draft)
    except MemberError as refused:
        if refused.code not in coupons.WRONG:
            raise
        coupons.wrong_code(ctx.connection, finding.guesser(ctx), ctx.rules.staff, ctx.now)
        return Reply(ctx.copy.text(refused.code, **refused.facts))


def go_on(ctx: Context, said: Understood, table: Mapping[str, tuple[Sequence[str], Finish]]) -> Reply:
    """Put what was answered into the draft that waits for it and proceed; a bad answer is asked for again."""
    stand = ctx.flow
    if stand is None:
        return Reply(ctx.copy.text("staff_nothing_waits"))
    choice = int(said.slots.get("choice", "1"))
    if "choice" in said.slots and not 1 <= choice <= len(stand.data["options"]):
        return _again(ctx, stand.data)
    draft = Draft(str(stand.data["intent"]), dict(stand.data["slots"]))
    for name, value in said.slots.items():
        if name == "choice":
            draft.slots[str(stand.data["choose"])] = str(stand.data["options"][choice - 1])
        else:
            draft.slots[name] = value
    needs, finish = table[draft.intent]
    try:
        return proceed(ctx, draft, needs, finish)
    except MemberError as refused:
        if refused.code not in AGAIN:
            raise
        flows.wait_with(ctx, Flow.STAFF_ASK, stand.data, minutes=ASK_MINUTES)
        return Reply(ctx.copy.text(refused.code, **refused.facts))


def _again(ctx: Context, data: Mapping[str, Any]) -> Reply:
    """Show the list once more that was answered with a number that is not on it."""
    flows.wait_with(ctx, Flow.STAFF_ASK, data, minutes=ASK_MINUTES)
    question = _WHICH[str(data["choose"])](ctx, data["options"])
    return Reply(ctx.copy.text("choice_again", question=question))


def ask(
    ctx: Context, draft: Draft, slot: str, words: str, *, choose: str = "", options: Sequence[object] = ()
) -> Reply:  # fmt: skip
    """Ask for a slot and wait; `options` may be answered by number, and fill the slot `choose`."""
    data: dict[str, Any] = {"intent": draft.intent, "slots": dict(draft.slots), "ask": slot}
    if options:
        data |= {"choose": choose, "options": [str(option) for option in options]}
    flows.wait_with(ctx, Flow.STAFF_ASK, data, minutes=ASK_MINUTES)
    return Reply(words)


def confirm(ctx: Context, echo: str, data: Mapping[str, Any], *, sealed: bytes | None = None, after: str = "") -> Reply:
    """Echo what is about to be done and wait for 确认; `key` makes it happen once."""
    minutes = ctx.rules.staff.confirm_minutes
    kept = {**data, "key": f"staff:{secrets.token_hex(8)}"}
    flows.wait_with(ctx, Flow.STAFF_CONFIRM, kept, minutes=minutes, sealed=sealed)
    parts = [echo, after, ctx.copy.text("staff_confirm", minutes=minutes)]
    return Reply("\n".join(part for part in parts if part))


def _member(ctx: Context, draft: Draft) -> Reply | None:
    if "member" in draft.slots:
        return None
    kind = next((name for name in WHO if name in draft.slots), None)
    if kind is None:
        return ask(ctx, draft, "member", ctx.copy.text("ask_member"))
    found = finding.members_named(ctx, kind, draft.slots.pop(kind))
    if len(found) > 1:
        options = [str(one) for one in found]
        return ask(ctx, draft, "member", _which_member(ctx, options), choose="member", options=options)
    draft.slots["member"] = str(found[0])
    return None


def _template(ctx: Context, draft: Draft) -> Reply | None:
    if "template" in draft.slots:
        return None
    named = draft.slots.pop("name", "")
    codes = finding.templates_named(ctx.rules.coupons, named) if named else list(finding.issuable(ctx.rules.coupons))
    if named and len(codes) == 1:
        draft.slots["template"] = codes[0]
        return None
    codes = codes[: finding.SHOWN]
    words = _which_template(ctx, codes, "choose_template" if named else "ask_template")
    return ask(ctx, draft, "name", words, choose="template", options=codes)


def _coupon(ctx: Context, draft: Draft) -> Reply | None:
    if "coupon" in draft.slots:
        return None
    if "code" not in draft.slots:
        return ask(ctx, draft, "code", ctx.copy.text("ask_code"))
    copy = finding.coupon_coded(ctx, re.sub(r"[\W_]", "", draft.slots.pop("code")))
    draft.slots |= {"coupon": str(copy.id), "member": str(copy.member)}
    return None


def _order(ctx: Context, draft: Draft) -> Reply | None:
    if "order" in draft.slots:
        return None
    amount = draft.number("amount") if draft.slots.get("amount") != "all" else None
    desk, number = desk_of(ctx), draft.slots.get("order_no", "")
    found = finding.orders_meant(desk, draft.number("member"), number, amount)
    if not found:
        raise MemberError("refund_no_order")
    if len(found) > 1:
        words = ctx.copy.text("choose_order", choices=finding.order_choices(ctx, found))
        return ask(ctx, draft, "order", words, choose="order", options=[one.id for one in found])
    draft.slots |= {"order": str(found[0].id), "member": str(found[0].member)}
    return None


def _buyer(ctx: Context, draft: Draft) -> Reply | None:
    return None if "order_no" in draft.slots else _member(ctx, draft)


def _perks_on(ctx: Context, draft: Draft) -> Reply | None:
    if not perks.configured(ctx.rules):
        raise MemberError("perks_off")
    return None


def _perk(ctx: Context, draft: Draft) -> Reply | None:
    if "perk" in draft.slots:
        return None
    names = [perk.name for perk in perks.of(ctx.connection, ctx.rules, draft.member, ctx.now)]
    if not names:
        raise MemberError("perks_nothing", phone=finding.phone(ctx, draft.member))
    return _named(ctx, draft, "perk", names, "perk_none")


def _plans_on(ctx: Context, draft: Draft) -> Reply | None:
    if not ctx.rules.loyalty.paid:
        raise MemberError("plans_off")
    return None


def _plan(ctx: Context, draft: Draft) -> Reply | None:
    if "plan" in draft.slots:
        return None
    sold = ctx.rules.loyalty.paid
    return _named(ctx, draft, "plan", [plan.name for plan in sold], "plan_unknown")


def _named(ctx: Context, draft: Draft, slot: str, names: Sequence[str], refusal: str) -> Reply | None:
    """Fill a slot by its name, or by the only one there is; ask by number for one that was not named."""
    typed = draft.slots.pop("name", "")
    found = finding.one_of(names, typed) if typed else names[0] if len(names) == 1 else None
    if found is not None:
        draft.slots[slot] = found
        return None
    if typed:
        raise MemberError(refusal, **{slot: typed[: finding.NAME_CHARS]})
    return ask(ctx, draft, "name", _WHICH[slot](ctx, names), choose=slot, options=names)


def _which_member(ctx: Context, options: Sequence[str]) -> str:
    choices = finding.member_choices(ctx, [int(option) for option in options])
    return ctx.copy.text("choose_member", count=len(options), choices=choices)


def _which_template(ctx: Context, options: Sequence[str], key: str = "choose_template") -> str:
    rules = ctx.rules.coupons
    titles = [rules[code].title if code in rules else code for code in options]
    return ctx.copy.text(key, choices=finding.numbered(titles))


def _which_order(ctx: Context, options: Sequence[str]) -> str:
    found = [receipts.find(ctx.connection, int(option)) for option in options]
    return ctx.copy.text("choose_order", choices=finding.order_choices(ctx, [one for one in found if one]))


def _which_perk(ctx: Context, options: Sequence[str]) -> str:
    return ctx.copy.text("ask_perk", choices=finding.numbered(options[: finding.SHOWN]))


def _which_plan(ctx: Context, options: Sequence[str]) -> str:
    sold = [plan for plan in map(ctx.rules.loyalty.plan, options[: finding.SHOWN]) if plan]
    lines = [ctx.copy.text("plan_line", plan=plan.name, price=yuan(plan.price * 100)) for plan in sold]
    return ctx.copy.text("ask_plan", choices=finding.numbered(lines))


_WHICH: Mapping[str, Callable[[Context, Sequence[str]], str]] = {
    "member": _which_member, "template": _which_template, "order": _which_order, "perk": _which_perk,
    "plan": _which_plan,
}  # fmt: skip


def _asked(slot: str, key: str) -> Callable[[Context, Draft], Reply | None]:
    def resolve(ctx: Context, draft: Draft) -> Reply | None:
        return None if slot in draft.slots else ask(ctx, draft, slot, ctx.copy.text(key))

    return resolve


def _tags(ctx: Context, draft: Draft) -> Reply | None:
    if "tags" in draft.slots:
        return None
    known = ctx.copy.text("and_list").join(tag.tag for tag in tags.of_member(ctx.connection, draft.member))
    shown = known or ctx.copy.text("staff_never")
    key = "ask_tags_off" if draft.slots.get("way") == "off" else "ask_tags"
    return ask(ctx, draft, "tags", ctx.copy.text(key, tags=shown, phone=finding.phone(ctx, draft.member)))


_RESOLVE: Mapping[str, Callable[[Context, Draft], Reply | None]] = {
    "member": _member, "template": _template, "coupon": _coupon, "order": _order, "buyer": _buyer, "tags": _tags,
    "perks_on": _perks_on, "perk": _perk, "plans_on": _plans_on, "plan": _plan,
    "amount": _asked("amount", "ask_amount"), "points": _asked("points", "ask_points"),
}  # fmt: skip
