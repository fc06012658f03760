"""Applying a plan: decisions, coupons and outbox rows, in short transactions that can be repeated after a crash."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from members import attention, consent, coupons, decisions, erasing, lapsing, limits, outbox
from members.db import Database
from members.errors import MemberError
from members.rules import CouponRule
from members.tables import Member, Outbox, table
from recommend.pack_offers import YUAN
from scheduler import campaigns, pack_giving, packs
from scheduler.audience import SEND
from scheduler.legality import refused
from scheduler.plan import Plan, audience, check_fresh, coupon_title, load_plan, mark_applied
from scheduler.rules import Bundle, Campaign, CouponPack, PushRules, Repurchase, TradeUp

CHUNK, PACKS_AT_ONCE, TRIES = 100, 10, 4
ACTOR = "campaign"
messages, members = table(Outbox), table(Member)


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
    done, pack = Applied(plan_id), isinstance(rules.campaigns[plan.campaign], CouponPack)
    unwilling: set[int] = set()
    for number, part in enumerate(_chunks(rows, PACKS_AT_ONCE if pack else CHUNK)):
        if not pack or number % (CHUNK // PACKS_AT_ONCE) == 0:
            with database.reading() as connection:
                unwilling = _unwilling(connection, plan, rules, now)
        outcomes = _committed(database, plan, part, rules, unwilling, now)
        done = replace(done, **{name: getattr(done, name) + many for name, many in outcomes.items()})
    with database.transaction() as connection:
        mark_applied(connection, plan_id, now)
    return done


def _committed(
    database: Database, plan: Plan, part: Sequence[Any], rules: PushRules, unwilling: set[int], now: datetime
) -> Counter[str]:
    """Write a chunk, return how it came out; a transaction that lost a deadlock is tried again."""
    for left in reversed(range(TRIES)):
        try:
            with database.transaction() as connection:
                shut = unwilling | _gone(connection, part)
                return Counter(
                    "no_longer" if row.member_id in shut else _one(connection, plan, row, rules, now) for row in part
                )
        except DBAPIError as error:
            if not left or not str(getattr(error.orig, "sqlstate", "") or "").startswith("40"):
                raise
    raise AssertionError("unreachable")


def _unwilling(connection: Connection, plan: Plan, rules: PushRules, now: datetime) -> set[int]:
    """Return who has refused this since the plan was made, is leaving, or has no room for another push."""
    about = consent.topics_of(campaigns.kind_of(rules.campaigns[plan.campaign]), plan.campaign)
    refusing = consent.refused_members(connection, about)
    return refusing | erasing.waiting_members(connection) | attention.spent(connection, now)


def _gone(connection: Connection, rows: Sequence[Any]) -> set[int]:
    """Return who of these is gone since the plan (merged, erased), or wants nothing personal and was given it."""
    everybody = {row.member_id for row in rows}
    for_all = {row.member_id for row in rows if row.trace.get("by") == campaigns.FOR_ALL}
    willing = select(members.c.id).where(
        members.c.id.in_(everybody), members.c.state == "active",
        members.c.personalised | members.c.id.in_(for_all),
    )  # fmt: skip
    return everybody - set(connection.execute(willing).scalars())


def _chunks(rows: Sequence[Any], many: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(rows), many):
        yield rows[start : start + many]


def _one(connection: Connection, plan: Plan, row: Any, rules: PushRules, now: datetime) -> str:
    key = f"{plan.campaign}:{plan.period}:{row.member_id}"
    if connection.execute(select(messages.c.id).where(messages.c.key == key)).scalar_one_or_none() is not None:
        return "already"
    campaign = rules.campaigns[plan.campaign]
    if _bought(connection, campaign, row, plan.made_at, now):
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


def _bought(connection: Connection, campaign: Campaign, row: Any, since: datetime, now: datetime) -> bool:
    """Tell whether the member has bought since the plan what this would remind of or lead on to, or it is gone."""
    match campaign:
        case Repurchase():
            category, last = row.trace.get("category", ""), row.trace.get("last")
            return lapsing.bought(connection, row.member_id, category, since=since, until=now, last=last)
        case TradeUp() | Bundle():
            sku, first = row.trace["product"], row.trace.get("not_since")
            gone = not lapsing.on_sale(connection, _articles(row))
            return gone or lapsing.took(connection, row.member_id, sku, since=since, until=now, first=first)
    return False


def _articles(row: Any) -> list[str]:
    """Return what must be on sale for an offer of single articles."""
    return list(row.trace.get("articles") or [row.trace["product"]])


def _write(
    connection: Connection, plan: Plan, row: Any, campaign: Campaign, rules: PushRules, key: str, now: datetime
) -> bool:
    common = {"plan": plan.id, "period": plan.period}
    expires, text, sms = now + campaign.expires.delta(), row.text, row.text
    if isinstance(campaign, CouponPack):
        _spend(connection, plan, row, campaign)
    if wanted := row.trace.get("coupons"):
        given = pack_giving.give(
            connection, row.member_id, wanted, rules.base.coupons, campaign=plan.campaign, key=key,
            common=common | {"segment": row.trace["segment"]}, by=f"{ACTOR}:{plan.campaign}",
            zone=rules.base.shop.zone, now=now,
        )  # fmt: skip
        decision = given.decision
        expires = min(expires, *(one.expires_at for one in given.issued))
        named = given.issued[: packs.NAMED_IN_SMS]
        sms = packs.sms_words(text, [coupon_words(one, rules) for one in named], len(given.issued))
        text = packs.words(text, [one.title for one in given.issued])
    else:
        decision = decisions.record(
            connection, row.member_id, campaign=plan.campaign, template=row.template, reason=row.reason,
            trace=row.trace | common, now=now,
        )  # fmt: skip
        if row.template:
            rule = rules.base.coupons[row.template]
            issued = _issue(connection, row, rule, decision, plan, rules, key, now)
            expires = min(expires, issued.expires_at)
            text = sms = text.replace("{coupon}", coupon_words(issued, rules))
    message = outbox.Message(
        key=key, kind=campaigns.kind_of(campaign), topic=row.trace.get("topic", ""), member=row.member_id,
        campaign=plan.campaign, decision=decision, reason=row.reason, not_before=now, expires_at=expires,
        channels=[channel for channel in campaign.channels if not refused(campaign, channel)],
        content=_content(row, campaign, text, sms),
    )  # fmt: skip
    return outbox.put(connection, message, now=now) is not None


def _spend(connection: Connection, plan: Plan, row: Any, campaign: CouponPack) -> None:
    """Count what a pack is expected to cost; MemberError when the period's budget is gone, whichever plan spent it."""
    cost = sum(one["cost"] for one in row.trace.get("coupons", ())) or row.trace.get("cost", 0)
    key, most = f"pack:{plan.campaign}:{plan.period}", campaign.pack.budget * YUAN
    limits.take(connection, key, limits.WHOLE, most, refusal="pack_budget", many=cost)


def _issue(
    connection: Connection, row: Any, rule: CouponRule, decision: int, plan: Plan, rules: PushRules, key: str,
    now: datetime,
) -> coupons.Issued:  # fmt: skip
    return coupons.issue(
        connection, row.template, rule, row.member_id, key=key, by=f"{ACTOR}:{plan.campaign}", reason=row.reason,
        zone=rules.base.shop.zone, now=now, decision=decision,
        title=coupon_title(rule, row.trace),
    )  # fmt: skip


def coupon_words(issued: coupons.Issued, rules: PushRules) -> str:
    """Return a coupon as a message names it: title, code, last day."""
    last = issued.expires_at.astimezone(rules.base.shop.zone)
    day = (last - last.resolution).date()
    return f"「{issued.title}」(券码 {coupons.spell(issued.code)},有效期至{day.month}月{day.day}日)"


def _content(row: Any, campaign: Campaign, text: str, sms: str) -> dict[str, Any]:
    content: dict[str, Any] = {"type": "text", "text": text + campaigns.FOOTER}
    content |= {"sms": sms, "personal": row.trace.get("by") != campaigns.FOR_ALL}
    if isinstance(campaign, Repurchase):
        content |= {"until_bought": row.trace.get("category"), "last": row.trace.get("last")}
    if isinstance(campaign, TradeUp | Bundle):
        content |= {"until_took": row.trace["product"], "first": row.trace.get("not_since"), "needs": _articles(row)}
    if row.trace.get("subscription"):
        content["subscription"] = row.trace["subscription"]
    return content
