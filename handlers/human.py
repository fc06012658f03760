"""A person instead of the bot: the platform's customer service, or somebody of the member's own store.

The passive answer to 人工 is the transfer itself and holds no words, so what has to be said goes out as a message of
customer service. Of what is said to the person nothing is kept.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from handlers import hearing
from handlers.context import Context, Reply
from handlers.inbound import Inbound
from handlers.staff import finding
from handlers.understanding import Understood
from members import handoffs, outbox, shops, tasks
from members.handoffs import SOURCE, Helpers
from members.notices import tell_openid
from members.staffing import managers_of

TOLD_MINUTES = 10
SOON, LATER = timedelta(hours=2), timedelta(hours=24)
TRANSFER = Reply(transfer=True)
BACK_CHOICES = ("human_choice_points", "human_choice_coupons", "human_choice_human")


def human(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Hand over to customer service in its hours, else leave word with the store; 顾问 and 店长 mean the store."""
    words = "" if inbound.is_event else inbound.text
    urgent = hearing.complains(words)
    if hearing.wants_adviser(words) and (told := _ask_store(ctx, urgent)):
        return Reply(told)
    rules = ctx.rules.shop.service
    if rules.transfer and rules.hours.holds(ctx.now.astimezone(ctx.rules.shop.zone).time()):
        if urgent:
            _ask_store(ctx, urgent)
        return _transfer(inbound, ctx)
    left = _ask_store(ctx, urgent)
    hours = f"{rules.hours.first:%H:%M}-{rules.hours.last:%H:%M}"
    head = ctx.copy.text("human_closed", hours=hours) if rules.transfer else ctx.copy.text("human")
    return Reply("\n".join([head, left] if left else [head]))


def _transfer(inbound: Inbound, ctx: Context) -> Reply:
    minutes = ctx.rules.shop.service.pause_minutes
    member = ctx.person.member.id if ctx.person.member else None
    until = ctx.now + timedelta(minutes=minutes)
    made = handoffs.start(ctx.connection, ctx.openid, member, kind="service", staff=None, until=until, now=ctx.now)
    # "only messages sent by users will be forwarded, any other events should not": after a tap their next words are
    if inbound.is_event:
        return Reply(ctx.copy.text("human_ready", minutes=minutes))
    content = {"text": ctx.copy.text("human_moved", minutes=minutes)}
    _service(ctx, f"handoff:{made}", "reason_human_moved", content)
    return TRANSFER


def _service(ctx: Context, key: str, reason: str, content: Mapping[str, object]) -> None:
    """Say something by customer-service message now; later it would only be odd."""
    message = outbox.Message(
        key=key, kind="notice", topic="human", openid=ctx.openid, channels=("service",), content=content,
        reason=ctx.copy.text(reason), not_before=ctx.now, expires_at=ctx.now + timedelta(minutes=TOLD_MINUTES),
    )  # fmt: skip
    if outbox.put(ctx.connection, message, now=ctx.now) is not None:
        ctx.wake.append("notice")


def _ask_store(ctx: Context, urgent: bool) -> str:
    """Put the wish on the list of whoever can help this member; return what the member is told, '' for nobody."""
    if ctx.person.member is None:
        return ""
    member = ctx.member.id
    helpers = handoffs.helpers_of(ctx.connection, member)
    if not helpers.told:
        return ""
    _task(ctx, member, helpers, ctx.copy.text("task_complaint" if urgent else "task_contact"), urgent)
    adviser = helpers.adviser
    if adviser is not None:
        handoffs.start(ctx.connection, ctx.openid, member, kind="adviser", staff=adviser.id, until=ctx.now, now=ctx.now)
        return ctx.copy.text("human_adviser", name=adviser.name)
    store = shops.name_of(ctx.connection, helpers.store) or ctx.copy.text("some_store")
    return ctx.copy.text("human_store", store=store)


def _task(ctx: Context, member: int, helpers: Helpers, text: str, urgent: bool) -> None:
    if handoffs.asked_already(ctx.connection, member, text):
        return
    number = tasks.add(
        ctx.connection, key=f"human:{ctx.message_key}", store=helpers.store,
        staff=helpers.adviser.id if helpers.adviser else None, member=member, text=text, source=SOURCE, by=ctx.by,
        now=ctx.now, due_at=ctx.now + (SOON if urgent else LATER),
    )  # fmt: skip
    if number is None:
        return
    managers = managers_of(ctx.connection, helpers.store) if urgent else []
    facts = {"number": number, "text": text, "phone": ctx.copy.text("task_phone", phone=finding.phone(ctx, member))}
    for openid in {one.openid for one in (*helpers.told, *managers)} - {None, ctx.openid}:
        tell_openid(
            ctx.connection, ctx.copy.text, openid=str(openid), text="notice_task", key=str(number), facts=facts,
            now=ctx.now,
        )  # fmt: skip
        ctx.wake.append("notice")


def pauses(until: datetime | None, now: datetime) -> bool:
    """Tell whether a person is answering and the bot is not."""
    return until is not None and now < until


def forward(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """Pass a message on to customer service unread."""
    return TRANSFER


def call_back(inbound: Inbound, ctx: Context, said: Understood) -> Reply:
    """End the talk with a person at the member's word."""
    ended = handoffs.end(ctx.connection, ctx.openid, by="member", now=ctx.now)
    outbox.withdraw(ctx.connection, f"handoff:{ended}", note=ctx.copy.text("reason_human_called_back"))
    return Reply(ctx.copy.text("human_over"))


def session_begun(inbound: Inbound, ctx: Context) -> Reply:
    """Keep silent for as long again from the moment somebody at customer service has taken the talk."""
    until = ctx.now + timedelta(minutes=ctx.rules.shop.service.pause_minutes)
    handoffs.extend(ctx.connection, ctx.openid, until)
    return Reply()


def session_closed(inbound: Inbound, ctx: Context) -> Reply:
    """Come back when customer service has closed the talk, with three things to tap."""
    if handoffs.end(ctx.connection, ctx.openid, by="staff", now=ctx.now) is not None:
        items = [{"id": str(n), "content": ctx.copy.text(key)} for n, key in enumerate(BACK_CHOICES, 1)]
        menu = {"type": "msgmenu", "head": ctx.copy.text("human_back"), "items": items, "tail": ""}
        shown = "\n".join([str(menu["head"]), *(item["content"] for item in items)])
        _service(ctx, f"handoff_over:{ctx.message_key}", "reason_human_back", {**menu, "text": shown})
    return Reply()
