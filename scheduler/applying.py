"""Applying a plan: decisions, coupons and outbox rows, in short transactions that can be repeated after a crash."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.exc import IntegrityError

from members import attention, consent, coupons, decisions, erasing, lapsing, outbox
from members.db import Database
from members.errors import MemberError
from members.rules import CouponRule
from members.tables import Outbox, table
from scheduler import campaigns
from scheduler.audience import SEND
from scheduler.plan import Plan, audience, check_fresh, coupon_title, load_plan, mark_applied
from scheduler.rules import PersonalOffer, PushRules, Repurchase, refused

CHUNK = 100
ACTOR = "campaign"
messages = table(Outbox)


@dataclass(frozen=True, slots=True)
class Applied:
    """What applying a plan wrote: messages put in the outbox, there already, and not put because of a limit."""

    plan: str
    put: int = 0
    already: int = 0
    no_coupon: int = 0
    no_longer: int = 0

    def line(self) -> str:
        """Return the result as one line."""
        return f"写入 {self.put} 条,已有 {self.already},券不足 {self.no_coupon},不再需要 {self.no_longer}"


def apply_plan(database: Database, plan_id: str, rules: PushRules, now: datetime) -> Applied:
    """Write a fresh plan to the books and the outbox; PlanError when it is stale. Each member's part happens once."""
    with database.reading() as connection:
        plan = load_plan(connection, plan_id)
        check_fresh(connection, plan, rules, now)
        chosen = select(audience).where(audience.c.plan_id == plan_id, audience.c.arm == SEND)
        rows = connection.execute(chosen.order_by(audience.c.member_id)).all()
    done = Applied(plan_id)
    for part in _chunks(rows):
        with database.transaction() as connection:
            unwilling = _unwilling(connection, plan, rules, now)
            for row in part:
                outcome = "no_longer" if row.member_id in unwilling else _one(connection, plan, row, rules, now)
                done = replace(done, **{outcome: getattr(done, outcome) + 1})
    with database.transaction() as connection:
        mark_applied(connection, plan_id, now)
    return done


def _unwilling(connection: Connection, plan: Plan, rules: PushRules, now: datetime) -> set[int]:
    """Return who has refused this since the plan was made, is leaving, or has no room for another push."""
    about = consent.topics_of(campaigns.kind_of(rules.campaigns[plan.campaign]), plan.campaign)
    refusing = consent.refused_members(connection, about)
    return refusing | erasing.waiting_members(connection) | attention.spent(connection, now)


def _chunks(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(rows), CHUNK):
        yield rows[start : start + CHUNK]


def _one(connection: Connection, plan: Plan, row: Any, rules: PushRules, now: datetime) -> str:
    key = f"{plan.campaign}:{plan.period}:{row.member_id}"
    if connection.execute(select(messages.c.id).where(messages.c.key == key)).scalar_one_or_none() is not None:
        return "already"
    campaign = rules.campaigns[plan.campaign]
    category = row.trace.get("category", "")
    reminder = isinstance(campaign, Repurchase)
    if reminder and lapsing.bought(connection, row.member_id, category, since=plan.made_at, until=now):
        return "no_longer"
    savepoint = connection.begin_nested()
    try:
        created = _write(connection, plan, row, campaign, rules, key, now)
    except MemberError:
        savepoint.rollback()
        limit = (audience.c.plan_id == plan.id) & (audience.c.member_id == row.member_id)
        connection.execute(update(audience).where(limit).values(arm="no_coupon"))
        return "no_coupon"
    except IntegrityError:
        # another process applies the same plan and was faster with this member
        savepoint.rollback()
        return "already"
    savepoint.commit() if created else savepoint.rollback()
    return "put" if created else "already"


def _write(
    connection: Connection, plan: Plan, row: Any, campaign: PersonalOffer | Repurchase, rules: PushRules, key: str,
    now: datetime,
) -> bool:  # fmt: skip
    decision = decisions.record(
        connection, row.member_id, campaign=plan.campaign, template=row.template, reason=row.reason,
        trace=row.trace | {"plan": plan.id, "period": plan.period}, now=now,
    )  # fmt: skip
    expires = now + campaign.expires.delta()
    text = row.text
    if row.template:
        rule = rules.base.coupons[row.template]
        issued = _issue(connection, row, rule, decision, plan, rules, key, now)
        expires = min(expires, issued.expires_at)
        text = text.replace("{coupon}", coupon_words(issued, rule, rules))
    message = outbox.Message(
        key=key, kind=campaigns.kind_of(campaign), topic=row.trace.get("topic", ""), member=row.member_id,
        campaign=plan.campaign, decision=decision, reason=row.reason, not_before=now, expires_at=expires,
        channels=[channel for channel in campaign.channels if not refused(campaign, channel)],
        content=_content(row, campaign, text),
    )  # fmt: skip
    return outbox.put(connection, message, now=now) is not None


def _issue(
    connection: Connection, row: Any, rule: CouponRule, decision: int, plan: Plan, rules: PushRules, key: str,
    now: datetime,
) -> coupons.Issued:  # fmt: skip
    return coupons.issue(
        connection, row.template, rule, row.member_id, key=key, by=f"{ACTOR}:{plan.campaign}", reason=row.reason,
        zone=rules.base.shop.zone, now=now, decision=decision,
        title=coupon_title(rule, row.trace.get("category_name", "")),
    )  # fmt: skip


def coupon_words(issued: coupons.Issued, rule: CouponRule, rules: PushRules) -> str:
    """Return a coupon as a message names it: title, code, last day."""
    last = issued.expires_at.astimezone(rules.base.shop.zone)
    day = (last - last.resolution).date()
    return f"「{issued.title}」(券码 {coupons.spell(issued.code)},有效期至{day.month}月{day.day}日)"


def _content(row: Any, campaign: PersonalOffer | Repurchase, text: str) -> dict[str, Any]:
    content: dict[str, Any] = {"type": "text", "text": text + campaigns.FOOTER}
    content |= {"sms": text, "personal": bool(row.trace.get("category"))}
    if isinstance(campaign, Repurchase):
        content["until_bought"] = row.trace.get("category")
    if row.trace.get("subscription"):
        content["subscription"] = row.trace["subscription"]
    return content
