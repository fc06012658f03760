"""What we know of a member, on one screen, and how it is set right: birthday, children, both said once more first."""

import json
from datetime import date, timedelta

from handlers import binding, choosing, flows, privacy, wishes
from handlers.choosing import Option
from handlers.context import Context, Reply
from handlers.flows import Flow
from handlers.grammar import SURE
from handlers.inbound import Inbound
from handlers.profile_dates import Told, age_in, day_in, due_in_weeks
from handlers.reading import normalise
from handlers.understanding import Understood
from members import attention, birthdays, children, consent, conversations, erasing, identity, shops, tiers
from members.birthdays import UNKNOWN_YEAR
from members.children import Known
from members.clock import add_months, business_date
from members.errors import MemberError
from members.life_stage import stage_on
from members.vault import mask_phone

CHILD_TOPIC = "child"


def profile(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Show the profile, or take up what a line tells of the birthday or of a child."""
    text = inbound.text
    if wishes.removes_child(text):
        return remove_child(inbound, ctx, said)
    about = said.slots.get("about") or wishes.about(text)
    told = day_in(normalise(text), _today(ctx))
    if about == "child":
        return _child(ctx, text, told)
    if about == "birthday":
        return _birthday(ctx, told)
    return _screen(ctx)


def _today(ctx: Context) -> date:
    return business_date(ctx.now, ctx.rules.shop.zone, ctx.rules.shop.day_start)


def _screen(ctx: Context) -> Reply:
    """Tell everything on one screen: what is not known yet is named, so that it can be added."""
    member, text = ctx.member.id, ctx.copy.text
    phone = mask_phone(identity.phone_of(ctx.connection, ctx.vault, member) or "")
    born = birthdays.of_member(ctx.connection, member)
    stages = [children.tag_of(child) for child in children.of_member(ctx.connection, ctx.vault, member)]
    parts = [
        text("profile", phone=phone, tier=tiers.of_member(ctx.connection, member)),
        text("profile_birthday", birthday=day_words(ctx, born) if born else text("profile_unknown")),
        text("profile_children", children=text("and_list").join(stages) or text("profile_unknown")),
    ]
    store = shops.name_of(ctx.connection, shops.home_of(ctx.connection, member))
    parts += [text("profile_store", store=store)] if store else []
    parts += [_pushes(ctx), text("profile_personal" if ctx.member.personalised else "profile_plain")]
    wish = erasing.waiting(ctx.connection, member)
    parts += [text("profile_leaving", date=ctx.copy.day(wish.due_at))] if wish is not None else []
    return Reply("\n".join([*parts, text("profile_how")]))


def _pushes(ctx: Context) -> str:
    """Return which messages the member takes, and how many."""
    text, refused = ctx.copy.text, privacy.refused_names(ctx)
    if not consent.may_market(ctx.connection, ctx.member.id):
        return text("profile_no_pushes")
    most = attention.of_member(ctx.connection, ctx.member.id)
    said = text("profile_pushes" if most is None else "profile_pushes_most", most=most)
    return said + (text("profile_but", topics=text("and_list").join(refused)) if refused else "")


def day_words(ctx: Context, born: date) -> str:
    """Return a birthday as people say it, without a year that is not known."""
    key = "date_short" if born.year == UNKNOWN_YEAR else "date_full"
    return ctx.copy.text(key, year=born.year, month=born.month, day=born.day)


def _birthday(ctx: Context, told: Told | None) -> Reply:
    """Say a birthday once more and wait for 确认; ask for it where none was told."""
    if told is not None and told.lunar:
        return _ask(ctx, Flow.BIRTHDAY_ASK, "birthday_lunar")
    born = told.on(UNKNOWN_YEAR) if told is not None and told.day is not None else None
    if born is None:
        known = birthdays.of_member(ctx.connection, ctx.member.id)
        if known is None or told is not None:
            return _ask(ctx, Flow.BIRTHDAY_ASK, "birthday_ask")
        flows.wait_for(ctx, Flow.BIRTHDAY_ASK)
        return Reply(ctx.copy.text("birthday_known", birthday=day_words(ctx, known)))
    birthdays.check(ctx.connection, ctx.member.id, born, today=_today(ctx), now=ctx.now)
    _wait(ctx, Flow.BIRTHDAY_CONFIRM, {"born": born.isoformat()})
    return Reply(ctx.copy.text("birthday_echo", birthday=day_words(ctx, born)))


def _ask(ctx: Context, flow: Flow, key: str) -> Reply:
    flows.wait_for(ctx, flow)
    return Reply(ctx.copy.text(key))


def _wait(ctx: Context, flow: Flow, told: dict[str, object]) -> None:
    """Wait for 确认 to what is personal: it is sealed."""
    flows.wait_for(ctx, flow, sealed=ctx.vault.seal_system("flow", json.dumps(told)))


def confirm_birthday(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Set the birthday that was said once more, if this message is the first to confirm it."""
    told = _confirmed(ctx, said)
    if told is None:
        return binding.confirm(inbound, ctx, said)
    born = date.fromisoformat(str(told["born"]))
    try:
        birthdays.put(ctx.connection, ctx.member.id, born, by=ctx.by, today=_today(ctx), now=ctx.now)
    except MemberError as refused:
        # said here, not by the router: its rollback would bring back what waited for this 确认
        return Reply(ctx.copy.text(refused.code, **refused.facts))
    return Reply(ctx.copy.text("birthday_set", birthday=day_words(ctx, born)))


def _confirmed(ctx: Context, said: Understood) -> dict[str, object] | None:
    """Return what waited for this 确认, sealed, and end the wait; None when this is no 确认 to it."""
    stand = ctx.stand
    if stand is None or stand.sealed is None or ctx.person.member is None or said.confidence < SURE:
        return None
    if not conversations.take(ctx.connection, ctx.openid, stand):
        return None
    found: dict[str, object] = json.loads(ctx.vault.unseal_system("flow", stand.sealed))
    return found


def _child(ctx: Context, text: str, told: Told | None) -> Reply:
    """Say a child's date once more, with what it is for, and wait for consent; ask for it where none was told."""
    today, plain = _today(ctx), normalise(text)
    if told is not None and told.lunar:
        return _ask(ctx, Flow.CHILD_ASK, "child_lunar")
    due = wishes.expects(text)
    born, month_only = _date_of_child(plain, told, due, today)
    if born is None:
        return _ask(ctx, Flow.CHILD_ASK, "child_ask_due" if due else "child_ask")
    due = born > today
    found = stage_on(born, today)
    if found is None:
        raise MemberError("child_age")
    _wait(ctx, Flow.CHILD_CONFIRM, {"born": born.isoformat(), "due": due, "month_only": month_only})
    day = _child_day(ctx, born, month_only)
    return Reply(ctx.copy.text("child_echo_due" if due else "child_echo", date=day, stage=found[0].tag))


def _date_of_child(plain: str, told: Told | None, due: bool, today: date) -> tuple[date | None, bool]:
    """Return (the birth or due date, whether only its month was told); without a year the nearest that fits."""
    if told is None:
        born = (due_in_weeks(plain, today) if due else None) or age_in(plain, today)
        return born, born is not None
    found, month_only = told.on(today.year), told.day is None
    if found is None or (told.year is None and not due):
        return None, False  # a birth without its year says nothing of the age
    if told.year is None and found < today.replace(day=1):
        found = told.on(today.year + 1)
    if due and month_only and found is not None:
        found = add_months(found, 1) - timedelta(days=1)
    return found, month_only


def _child_day(ctx: Context, born: date, month_only: bool) -> str:
    key = "date_month" if month_only else "date_full"
    return ctx.copy.text(key, year=born.year, month=born.month, day=born.day)


def confirm_child(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Keep the child whose guardian has consented, if this message is the first to say so."""
    told = _confirmed(ctx, said)
    if told is None:
        return binding.confirm(inbound, ctx, said)
    born, member = date.fromisoformat(str(told["born"])), ctx.member.id
    try:
        stage = children.add(
            ctx.connection, ctx.vault, member, born, due=bool(told["due"]), month_only=bool(told["month_only"]),
            by=ctx.by, today=_today(ctx), now=ctx.now,
        )  # fmt: skip
    except MemberError as refused:
        return Reply(ctx.copy.text(refused.code, **refused.facts))
    consent.answer(ctx.connection, consent.of_member(member), CHILD_TOPIC, True, source="chat", now=ctx.now)
    return Reply(ctx.copy.text("child_set", stage=stage))


def remove_child(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Forget a child: the only one at these exact words, of several the one that is chosen, or all."""
    if flows.standing(ctx, Flow.CHILD_ASK) or flows.standing(ctx, Flow.CHILD_CONFIRM):
        flows.leave(ctx)
    known = children.of_member(ctx.connection, ctx.vault, ctx.member.id)
    if not known:
        return Reply(ctx.copy.text("child_none"))
    chosen = said.slots.get("child")
    if chosen is None and (len(known) > 1 or said.confidence < SURE):
        return Reply(ctx.copy.text("child_which", lines=choosing.offer(ctx, _to_choose(ctx, known))))
    which = None if chosen == "all" else int(chosen or known[0].id)
    gone = children.remove(ctx.connection, ctx.member.id, which, by=ctx.by, now=ctx.now)
    if gone == len(known):
        subject = consent.of_member(ctx.member.id)
        consent.answer(ctx.connection, subject, CHILD_TOPIC, False, source="chat", now=ctx.now)
    return Reply(ctx.copy.text("child_removed" if gone else "child_none"))


def _to_choose(ctx: Context, known: list[Known]) -> list[Option]:
    """Return a line for each child, by its stage: a list that is shown is kept unsealed, so it holds no date."""
    shown = [
        (ctx.copy.text("child_option", no=place, stage=children.tag_of(child)), str(child.id))
        for place, child in enumerate(known, 1)
    ]
    shown += [(ctx.copy.text("child_option_all"), "all")] if len(known) > 1 else []
    return [Option(title, "remove_child", {"child": which}) for title, which in shown]
