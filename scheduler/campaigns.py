"""What each kind of campaign has to say to a member, and in which words."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, bindparam, select

from members import decisions
from members.clock import business_date
from members.tables import Outbox, table
from recommend import features, frequency, repurchase, scored
from recommend.scored import Scored
from scheduler.rules import Campaign, CouponPack, PushRules, Repurchase, SubscriptionRule

AT_ONCE = 2_000
FOOTER = "\n回复「为什么」看原因,回复「退订」不再收到"
PLAIN = "{member}您好,送您{coupon},欢迎到店使用。"
FOR_ALL = "everybody"
FIELD_LENGTHS = {"phrase": 5, "thing": 20}
outbox = table(Outbox)
_REMINDED = select(outbox.c.member_id, outbox.c.topic).where(
    outbox.c.campaign == bindparam("which"), outbox.c.kind == "reminder", outbox.c.created_at > bindparam("since")
)


class PlanError(Exception):
    """A plan that cannot be made or applied; the message is Chinese and says what to do."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a campaign would offer one member, and why; without a category it is the offer for everybody.

    `coupons`: those of a pack, the best first, each as it will stand in its decision. `product` is the name of the
    article that is offered, `usual` of the one that led to it.
    """

    member: int
    reason: str
    category: str = ""
    category_name: str = ""
    last: date | None = None
    days: int = 0
    topic: str = ""
    product: str = ""
    usual: str = ""
    trace: dict[str, Any] = field(default_factory=dict)
    coupons: Sequence[Mapping[str, Any]] = ()


def kind_of(campaign: Campaign) -> str:
    """Return the outbox kind of a campaign's messages."""
    return "reminder" if isinstance(campaign, Repurchase) else "marketing"


def period_of(campaign: Campaign, now: datetime, zone: ZoneInfo) -> str:
    """Return the period that `now` lies in (2026-W47, 2026-11/2M or a day); in one period nobody gets it twice."""
    return campaign.schedule.period(now.astimezone(zone).date())


def config_hash(rules: PushRules, name: str) -> str:
    """Return the hash of everything in config.yaml that a plan of this campaign rests on."""
    campaign = rules.campaigns[name]
    templates = [] if campaign.offer is None else sorted({code for _, code in campaign.offer.codes()})
    parts = [
        campaign, rules.policy, rules.recommend, rules.segments.get(campaign.to),
        rules.subscriptions.get(campaign.subscription or ""),
        *(rules.base.coupons.get(code) for code in templates),
    ]  # fmt: skip
    dumped = [None if part is None else part.model_dump(mode="json") for part in parts]
    return hashlib.sha256(json.dumps(dumped, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]


def candidates(
    connection: Connection, name: str, rules: PushRules, members: Sequence[int], now: datetime
) -> Iterator[Candidate]:
    """Yield what the campaign has for each of these members; who gets nothing is missing."""
    campaign = rules.campaigns[name]
    names = features.category_names(connection)
    without = features.excluded_codes(rules.recommend, names)
    zone = rules.base.shop.zone
    bought = features.read(connection, members, now=now, zone=zone, rules=rules.recommend, without=without)
    today = business_date(now, zone)
    if isinstance(campaign, Repurchase):
        since = now - timedelta(days=rules.recommend.look_back_days)
        reminded = {tuple(row) for row in connection.execute(_REMINDED, {"which": name, "since": since})}
        for start in range(0, len(members), AT_ONCE):
            some = members[start : start + AT_ONCE]
            known = {
                member: row
                for member, row in scored.read(connection, some, today, now).items()
                if row.score.cycles is not None
            }
            for member, row in known.items():
                found = _foreseen(member, row, campaign, rules, today, names, without, reminded)
                if found is not None:
                    yield found
            unknown = [member for member in some if member not in known]
            bought = features.read(connection, unknown, now=now, zone=zone, rules=rules.recommend, without=without)
            for member, items in bought:
                found = _reminder(member, items, campaign, rules, today, names, reminded)
                if found is not None:
                    yield found
        return
    rested = decisions.categories_offered(connection, name, now - timedelta(days=rules.recommend.rest_days))
    for member, items in bought:
        resting = rested.get(member, set())
        found = _offer(member, items, rules, today, names, resting)
        if found is not None:
            yield found


def _offer(
    member: int, items: features.Bought, rules: PushRules, today: date, names: dict[str, str], resting: set[str]
) -> Candidate | None:
    ranked = frequency.rank(items, today, rules.recommend)
    best = next((habit for habit in ranked if habit.item not in resting), None)
    if best is None:
        return None
    name = names.get(best.item, best.item)
    trace = {
        "by": "frequency", "category": best.item, "category_name": name, "score": round(best.score, 4),
        "days": best.days, "recent_days": best.recent, "last": best.last.isoformat(), "rank": ranked.index(best) + 1,
        "half_life_days": rules.recommend.half_life_days, "rested": sorted(resting),
    }  # fmt: skip
    reason = f"您{best.explain()}{name}"
    return Candidate(member, reason, best.item, name, best.last, (today - best.last).days, trace=trace)


def _reminder(
    member: int, items: features.Bought, campaign: Repurchase, rules: PushRules, today: date, names: dict[str, str],
    reminded: set[Any],
) -> Candidate | None:  # fmt: skip
    remind = campaign.remind
    due = repurchase.due_cycles(
        items, today, rules.recommend, days_ahead=remind.days_ahead, confidence=remind.confidence
    )
    best = next((one for one in due if (member, _topic(one.item, one.last)) not in reminded), None)
    if best is None:
        return None
    name = names.get(best.item, best.item)
    trace = {
        "by": "repurchase", "category": best.item, "category_name": name, "gap": best.gap, "days": best.days,
        "last": best.last.isoformat(), "due": best.due.isoformat(), "confidence": round(best.confidence, 4),
        "floor": remind.confidence,
    }  # fmt: skip
    reason = f"您常买的{name}:{best.explain()}"
    return Candidate(member, reason, best.item, name, best.last, best.gap, _topic(best.item, best.last), trace=trace)


def _foreseen(
    member: int, row: Scored, campaign: Repurchase, rules: PushRules, today: date, names: dict[str, str],
    without: Sequence[str], reminded: set[Any],
) -> Candidate | None:  # fmt: skip
    """Return the reminder that is likeliest to hit, by the forecast of the night; none below the floor."""
    remind, gap = campaign.remind, rules.recommend.min_gap_days
    due = (
        one
        for one in row.cycles()
        if one.chance >= remind.confidence
        and one.category not in without
        and one.is_due(today, remind.days_ahead, gap)
        and (member, _topic(one.category, one.last)) not in reminded
    )
    best = next(due, None)
    if best is None:
        return None
    name = names.get(best.category, best.category)
    trace = {
        "by": "timing", "category": best.category, "category_name": name, "gap": best.gap, "days": best.days,
        "last": best.last.isoformat(), "due": best.due.isoformat(), "confidence": round(best.chance, 4),
        "floor": remind.confidence, "scored": row.score.day.isoformat(),
    }  # fmt: skip
    reason = f"您常买的{name}:{best.explain()}"
    topic = _topic(best.category, best.last)
    return Candidate(member, reason, best.category, name, best.last, best.gap, topic, trace=trace)


def _topic(category: str, last: date) -> str:
    return f"repurchase:{category}:{last.isoformat()}"


def plain(member: int, name: str) -> Candidate:
    """Return the offer for a member who wants nothing personal: the same for everybody."""
    return Candidate(member, f"「{name}」送给所有会员,没有参考您的购买记录", trace={"by": FOR_ALL})


def template_of(campaign: Campaign, candidate: Candidate) -> str:
    """Return the one coupon template a candidate gets, or nothing for a bare reminder or a pack."""
    if campaign.offer is None:
        return ""
    if candidate.trace.get("by") == FOR_ALL:
        return campaign.offer.plain or ""
    return "" if isinstance(campaign, CouponPack) else campaign.offer.template


def wording(campaign: Campaign, candidate: Candidate, tier: str) -> str:
    """Return the message, `{coupon}` left open until a coupon with its code is there."""
    text = campaign.say_plain or PLAIN if candidate.trace.get("by") == FOR_ALL else campaign.say
    if (candidate.coupons or template_of(campaign, candidate)) and "{coupon}" not in text:
        text += "{coupon}"
    return fill(text, candidate, tier, coupon="{coupon}")


def fill(text: str, candidate: Candidate, tier: str, *, coupon: str, year: bool = False) -> str:
    """Return a text with its placeholders filled in; `year` writes the date with its year."""
    day = candidate.last
    last = "" if day is None else f"{f'{day.year}年' if year else ''}{day.month}月{day.day}日"
    return text.format(
        member=f"{tier}会员" if tier else "会员", category=candidate.category_name, last=last, days=candidate.days,
        coupon=coupon, product=candidate.product, usual=candidate.usual,
    )  # fmt: skip


def notice(rule: SubscriptionRule, candidate: Candidate, tier: str, title: str) -> dict[str, Any]:
    """Return the subscription notice, each value as its field takes it (thing ≤20 chars, phrase ≤5, full dates)."""
    data = {}
    for name, text in rule.fields.items():
        kind = name.rstrip("0123456789")
        value = fill(text, candidate, tier, coupon=title, year=kind in ("date", "time"))
        data[name] = value[: FIELD_LENGTHS.get(kind, 32)]
    return {"template_id": rule.template_id, "data": data}
