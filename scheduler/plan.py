"""Plan first, then apply: a plan is a frozen audience with its funnel, its texts and its cost; applying writes it out.

Coupons are issued when a plan is applied, so that the code stands in the message; a member who was issued one keeps it
(it shows under 优惠券), whether or not the message is ever delivered.
"""

import secrets
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import Connection, insert, select, update

from members.coupons import CATEGORY, PRODUCT
from members.db import Database
from members.rules import CouponRule
from members.tables import Audience, CampaignPlan, table
from scheduler import audience as audiences
from scheduler import campaigns, packs
from scheduler.audience import SEND, Chosen, Step
from scheduler.campaigns import PlanError
from scheduler.packs import Packed
from scheduler.rules import Campaign, PushRules

MAX_AGE = timedelta(hours=24)
SAMPLES = 5
CHUNK = 500
KEPT = ("steps", "arms", "channels", "offers", "cost", "samples", "templates")
plans, audience = table(CampaignPlan), table(Audience)


@dataclass(frozen=True, slots=True)
class Sample:
    """One message as a member will read it, the coupon's code not yet drawn."""

    member: int
    channel: str
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Cost:
    """The most the coupons can cost, in 分, and how many of them have no upper bound (percent without cap, gifts).

    Of a pack also what they are `expected` to cost, its `budget`, and `gap`: the share of the best possible value that
    the assignment may have missed at most.
    """

    coupons: int
    at_most: int
    unbounded: int
    expected: int | None = None
    budget: int | None = None
    gap: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What `campaign plan` prints: whom, what, why, by which channel, at what cost."""

    id: str
    campaign: str
    period: str
    config_hash: str
    made_at: datetime
    steps: Sequence[Step]
    arms: Mapping[str, int]
    channels: Mapping[str, int]
    offers: Mapping[str, int]
    cost: Cost
    samples: Sequence[Sample]
    applied_at: datetime | None = None
    templates: Mapping[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as JSON-able data."""
        found = asdict(self)
        applied = None if self.applied_at is None else self.applied_at.isoformat()
        return found | {"made_at": self.made_at.isoformat(), "applied_at": applied}


def make_plan(database: Database, name: str, rules: PushRules, now: datetime) -> Plan:
    """Choose the audience as of `now` and store it; PlanError for an unknown campaign or one that is switched off.

    Reading happens outside the writing transaction, which webhooks wait for.
    """
    campaign = rules.campaigns.get(name)
    if campaign is None:
        raise PlanError(f"没有叫「{name}」的活动")
    if not campaign.on:
        raise PlanError(f"活动「{name}」已停用(on: false)")
    with database.reading() as connection:
        found = audiences.choose(connection, name, rules, now)
    sent = [one for one in found.chosen if one.arm == SEND]
    shown = [_row(one, name, rules, found.packed) for one in sent[:: max(len(sent) // SAMPLES, 1)][:SAMPLES]]
    plan = Plan(
        id=secrets.token_hex(4), campaign=name, period=campaigns.period_of(campaign, now, rules.base.shop.zone),
        config_hash=campaigns.config_hash(rules, name), made_at=now, steps=found.steps,
        arms=dict(Counter(one.arm for one in found.chosen)),
        channels=dict(Counter(str(one.channel) or "等待窗口" for one in sent)),
        offers=_offers(sent, found.packed), samples=[_sample(row, rules.base.coupons) for row in shown],
        **_costs(sent, campaign, found.packed, rules.base.coupons),
    )  # fmt: skip
    _store(database, plan, (_row(one, name, rules, found.packed) for one in found.chosen))
    return plan


def _row(one: Chosen, name: str, rules: PushRules, packed: Packed | None) -> dict[str, Any]:
    campaign, candidate = rules.campaigns[name], one.candidate
    if packed is not None and one.arm == SEND and candidate.member in packed.places:
        candidate = packed.candidate(candidate.member)
    trace = candidate.trace | {"topic": candidate.topic, "segment": campaign.to}
    rule = rules.subscriptions.get(campaign.subscription or "")
    template = campaigns.template_of(campaign, candidate)
    title = coupon_title(rules.base.coupons.get(template), candidate.trace)
    if rule is not None and candidate.category:
        trace["subscription"] = campaigns.notice(rule, candidate, one.tier, title)
    return {
        "member_id": candidate.member, "arm": one.arm, "channel": one.channel, "template": template,
        "text": campaigns.wording(campaign, candidate, one.tier), "reason": candidate.reason, "trace": trace,
    }  # fmt: skip


def _offers(sent: Sequence[Chosen], packed: Packed | None) -> dict[str, int]:
    if packed is not None:
        return dict(packed.offers())
    return dict(Counter(one.candidate.product or one.candidate.category_name or "通用" for one in sent))


def _costs(
    sent: Sequence[Chosen], campaign: Campaign, packed: Packed | None, rules: Mapping[str, CouponRule]
) -> dict[str, Any]:
    """Return the parts of a plan that say what its coupons are and cost."""
    if packed is None:
        given = Counter(campaigns.template_of(campaign, one.candidate) for one in sent)
        issued = {code: count for code, count in given.items() if code}
        return {"templates": issued, "cost": _cost(issued, rules)}
    issued = dict(packed.templates())
    cost = replace(_cost(issued, rules), expected=packed.expected, budget=packed.budget, gap=round(packed.gap, 6))
    return {"templates": issued, "cost": cost}


def coupon_title(rule: CouponRule | None, trace: Mapping[str, Any]) -> str:
    """Return the title of a template's copy on the category or the article that a trace names."""
    if rule is None:
        return ""
    category, product = (str(trace.get(f"{what}_name", "")) for what in ("category", "product"))
    return rule.title.replace(CATEGORY, category).replace(PRODUCT, product)


def _cost(issued: Mapping[str, int], rules: Mapping[str, CouponRule]) -> Cost:
    bounded = {code: _bound(rules[code]) for code in issued}
    at_most = sum(count * (bounded[code] or 0) for code, count in issued.items())
    return Cost(sum(issued.values()), at_most, sum(count for code, count in issued.items() if bounded[code] is None))


def _bound(rule: CouponRule) -> int | None:
    """Return what one copy costs at most, in 分; None where nobody wrote what the thing costs."""
    return rule.worst_case() or None


def _sample(row: Mapping[str, Any], coupons: Mapping[str, CouponRule]) -> Sample:
    return Sample(row["member_id"], row["channel"] or "等待窗口", _shown(row, coupons), row["reason"])


def _shown(row: Mapping[str, Any], coupons: Mapping[str, CouponRule]) -> str:
    if pack := row["trace"].get("coupons"):
        return packs.words(row["text"], [one["title"] for one in pack])
    title = coupon_title(coupons.get(row["template"]), row["trace"])
    return str(row["text"]).replace("{coupon}", f"「{title}」(券码发出时生成)")


def _store(database: Database, plan: Plan, rows: Iterable[Mapping[str, Any]]) -> None:
    data, waiting = plan.as_dict(), iter(rows)
    with database.transaction() as connection:
        row = {
            "id": plan.id, "campaign": plan.campaign, "period": plan.period, "config_hash": plan.config_hash,
            "made_at": plan.made_at, "applied_at": None, "funnel": {name: data[name] for name in KEPT},
        }  # fmt: skip
        connection.execute(insert(plans), row)
    while part := [{"plan_id": plan.id, **row} for row in islice(waiting, CHUNK)]:
        with database.transaction() as connection:
            connection.execute(insert(audience), part)


def load_plan(connection: Connection, plan_id: str) -> Plan:
    """Return a stored plan; PlanError when there is none of that id."""
    row = connection.execute(select(plans).where(plans.c.id == plan_id)).one_or_none()
    if row is None:
        raise PlanError(f"没有编号为 {plan_id} 的方案")
    kept = row.funnel
    return Plan(
        row.id, row.campaign, row.period, row.config_hash, row.made_at, [Step(**one) for one in kept["steps"]],
        kept["arms"], kept["channels"], kept["offers"], Cost(**kept["cost"]),
        [Sample(**one) for one in kept["samples"]], row.applied_at, kept.get("templates", {}),
    )  # fmt: skip


def check_fresh(connection: Connection, plan: Plan, rules: PushRules, now: datetime) -> None:
    """Refuse a plan that no longer says what would happen (PlanError): applied, overtaken, too old, or other rules."""
    campaign = rules.campaigns.get(plan.campaign)
    if campaign is None or not campaign.on:
        raise PlanError(f"活动「{plan.campaign}」已经停用或删除")
    if plan.applied_at is not None:
        raise PlanError("这份方案已经执行过")
    if campaigns.config_hash(rules, plan.campaign) != plan.config_hash:
        raise PlanError("配置在做方案之后改过,请重新生成方案")
    if now - plan.made_at > MAX_AGE:
        raise PlanError("方案超过24小时,请重新生成")
    if campaigns.period_of(campaign, now, rules.base.shop.zone) != plan.period:
        raise PlanError("已经到了新的一期,请重新生成方案")
    same = (plans.c.campaign == plan.campaign) & (plans.c.id != plan.id)
    others = connection.execute(select(plans.c.period, plans.c.made_at, plans.c.applied_at).where(same)).all()
    if any(other.applied_at is not None and other.period == plan.period for other in others):
        raise PlanError(f"「{plan.campaign}」{plan.period} 这一期已经发过")
    if any(other.made_at > plan.made_at for other in others):
        raise PlanError("之后又做过新的方案,请执行最新的一份")


def mark_applied(connection: Connection, plan_id: str, now: datetime) -> bool:
    """Close a plan as applied; False when somebody did before."""
    mine = (plans.c.id == plan_id) & plans.c.applied_at.is_(None)
    return connection.execute(update(plans).where(mine).values(applied_at=now)).rowcount == 1
