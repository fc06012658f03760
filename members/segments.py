"""Segments: a rule a marketer writes, compiled to one select of member ids over the books."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, ConfigDict, Field, model_validator
from sqlalchemy import ColumnElement, Connection, Select, and_, false, func, not_, or_, select, true

from members.clock import business_date
from members.errors import MemberError
from members.life_stage import tags_named
from members.products import KEPT
from members.rules import Code, Section, Span, SpanText
from members.rules.base import Listed
from members.scores import FRESH_DAYS
from members.tables import Category, Member, MemberScore, MemberTag, Order, OrderLine, Product, table
from members.tags import LONGEST, clean

EVERYBODY = "全部会员"
members, orders, lines = table(Member), table(Order), table(OrderLine)
products, categories, tags = table(Product), table(Category), table(MemberTag)
scores = table(MemberScore)


class Amount(Section):
    """A number of visits or 元 within a time up to today; without `within`, ever."""

    at_least: int | None = Field(default=None, ge=1)
    at_most: int | None = Field(default=None, ge=0)
    within: SpanText | None = None

    @model_validator(mode="after")
    def _bounded(self) -> "Amount":
        if self.at_least is None and self.at_most is None:
            raise ValueError("要写 at_least 或 at_most")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError("at_least 比 at_most 大,没有会员会符合")
        return self


class LastPurchase(Section):
    """When the member bought last: within a time up to today, or longer ago than that."""

    within: SpanText | None = None
    before: SpanText | None = None

    @model_validator(mode="after")
    def _bounded(self) -> "LastPurchase":
        if self.within is None and self.before is None:
            raise ValueError("要写 within 或 before")
        return self


class Bought(Section):
    """The member bought of a category, named as members read it or by its code."""

    category: Code
    within: SpanText | None = None


class Tagged(Section):
    """The member carries one of these tags, at least this surely.

    `life_stage: 6-12m` (or 宝宝6-12月) is a stage of members/life_stage.py; any word is also the tag `life_stage:word`.
    """

    name: Listed[str] = []
    life_stage: Listed[str] = []
    confidence: float = Field(default=0, ge=0, le=1)
    source: Literal["staff", "member", "inferred"] | None = None

    @model_validator(mode="after")
    def _named(self) -> "Tagged":
        try:
            found = self.words()
        except MemberError as error:
            raise ValueError(f"标签要有 1 到 {LONGEST} 个字") from error
        if not found:
            raise ValueError("要写 name(标签)或 life_stage")
        return self

    def words(self) -> list[str]:
        """Return the tags as the books write them."""
        staged = [clean(f"life_stage:{stage}") for stage in self.life_stage]
        known = [tag for stage in self.life_stage for tag in tags_named(stage)]
        return [clean(word) for word in self.name] + staged + known


def _tagged(value: Any) -> Any:
    return {"name": value} if isinstance(value, str | list) else value


TagText = Annotated[Tagged, BeforeValidator(_tagged, json_schema_input_type=str | list[str] | Tagged)]


class Decile(Section):
    """The member's value decile: 1 spends most, 10 least."""

    at_most: int = Field(default=10, ge=1, le=10)
    at_least: int = Field(default=1, ge=1, le=10)

    @model_validator(mode="after")
    def _bounded(self) -> "Decile":
        if self.at_least > self.at_most:
            raise ValueError("at_least 比 at_most 大,没有会员会符合")
        return self


State = Literal["new", "active", "slowing", "dormant", "lost"]
Group = Literal[
    "重要价值客户", "重要发展客户", "重要保持客户", "重要挽留客户",
    "一般价值客户", "一般发展客户", "一般保持客户", "一般挽留客户",
]  # fmt: skip


class SegmentRule(Section):
    """Members who meet every condition written here; `any` needs one of its list, `not` none of its list."""

    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True)

    all: list["SegmentRule"] | None = Field(default=None, min_length=1)
    any: list["SegmentRule"] | None = Field(default=None, min_length=1)
    none: list["SegmentRule"] | None = Field(default=None, alias="not", min_length=1)
    tier: str | list[str] | None = None
    tag: TagText | None = None
    visits: Amount | None = None
    spend: Amount | None = Field(default=None, description="元")
    last_purchase: LastPurchase | None = None
    bought: Bought | None = None
    state: Listed[State] | None = Field(default=None, description="按本人节奏:新、活跃、放缓、沉睡、流失(每晚算)")
    value_decile: Decile | None = Field(default=None, description="消费十分位,1 是花得最多的一成(每晚算)")
    rfm: Listed[Group] | None = Field(default=None, description="RFM 客户分类(每晚算)")

    @model_validator(mode="after")
    def _not_empty(self) -> "SegmentRule":
        if not self.model_fields_set:
            raise ValueError(f"人群没有条件;要选所有人请写 {EVERYBODY}")
        return self

    def parts(self) -> Iterator["SegmentRule"]:
        """Yield this rule and every rule inside it."""
        yield self
        for part in [*(self.all or ()), *(self.any or ()), *(self.none or ())]:
            yield from part.parts()


def compile_segment(rule: SegmentRule | None, now: datetime, zone: ZoneInfo) -> Select[int]:
    """Return the select of the ids of active members who meet the rule on the business day of `now`; None is everybody.

    A span of n days is today and the n−1 days before it.
    """
    condition = true() if rule is None else _condition(rule, business_date(now, zone), now)
    return select(members.c.id).where(members.c.state == "active", condition).order_by(members.c.id)


def members_of(connection: Connection, rule: SegmentRule | None, now: datetime, zone: ZoneInfo) -> list[int]:
    """Return the ids of the segment's members, ascending."""
    return list(connection.execute(compile_segment(rule, now, zone)).scalars())


def count(connection: Connection, rule: SegmentRule | None, now: datetime, zone: ZoneInfo) -> int:
    """Return the segment's head-count."""
    inner = compile_segment(rule, now, zone).order_by(None).subquery()
    return int(connection.execute(select(func.count()).select_from(inner)).scalar_one())


def _condition(rule: SegmentRule, today: date, now: datetime) -> ColumnElement[bool]:
    found = list(_own(rule, today, now))
    if rule.all:
        found.append(and_(*(_condition(part, today, now) for part in rule.all)))
    if rule.any:
        found.append(or_(*(_condition(part, today, now) for part in rule.any)))
    if rule.none:
        found.append(not_(or_(*(_condition(part, today, now) for part in rule.none))))
    return and_(*found) if found else false()


def _own(rule: SegmentRule, today: date, now: datetime) -> Iterable[ColumnElement[bool]]:
    if rule.tier is not None:
        yield members.c.tier.in_([rule.tier] if isinstance(rule.tier, str) else rule.tier)
    if rule.tag is not None:
        yield members.c.id.in_(_tagged_members(rule.tag))
    if rule.visits is not None:
        yield _amount(rule.visits, func.count(), 1, today, now)
    if rule.spend is not None:
        yield _amount(rule.spend, func.sum(orders.c.total - orders.c.refunded), 100, today, now)
    if rule.last_purchase is not None:
        if rule.last_purchase.within is not None:
            yield members.c.id.in_(_buyers(rule.last_purchase.within, today, now))
        if rule.last_purchase.before is not None:
            yield members.c.id.in_(_buyers(None, today, now))
            yield members.c.id.not_in(_buyers(rule.last_purchase.before, today, now))
    if rule.bought is not None:
        yield members.c.id.in_(_buyers_of(rule.bought, today, now))
    if rule.state is not None:
        yield members.c.id.in_(_scored(scores.c.stage.in_(rule.state), today))
    if rule.value_decile is not None:
        wanted = scores.c.value_decile.between(rule.value_decile.at_least, rule.value_decile.at_most)
        yield members.c.id.in_(_scored(wanted, today))
    if rule.rfm is not None:
        yield members.c.id.in_(_scored(scores.c.rfm.in_(rule.rfm), today))


def _scored(wanted: ColumnElement[bool], today: date) -> Select[Any]:
    """Return the members whose row of the night is wanted; a row older than a week says nothing any more."""
    fresh = scores.c.day.between(today - timedelta(days=FRESH_DAYS - 1), today)
    return select(scores.c.member_id).where(wanted, fresh)


def _tagged_members(rule: Tagged) -> Select[Any]:
    found = select(tags.c.member_id).where(
        tags.c.tag.in_(rule.words()), tags.c.ended_at.is_(None), tags.c.confidence >= rule.confidence
    )
    return found if rule.source is None else found.where(tags.c.source == rule.source)


def _buyers(within: Span | None, today: date, now: datetime) -> Select[Any]:
    bought = select(orders.c.member_id).where(
        orders.c.member_id.is_not(None), orders.c.at <= now, orders.c.state != "refunded"
    )
    if within is None:
        return bought
    return bought.where(orders.c.day > today - timedelta(days=max(within.delta().days, 1)))


def _buyers_of(rule: Bought, today: date, now: datetime) -> Select[Any]:
    joined = _buyers(rule.within, today, now).select_from(
        orders.join(lines, lines.c.order_id == orders.c.id).join(products).join(categories)
    )
    return joined.where(KEPT, (categories.c.name == rule.category) | (categories.c.code == rule.category))


def _amount(rule: Amount, figure: Any, unit: int, today: date, now: datetime) -> ColumnElement[bool]:
    grouped = _buyers(rule.within, today, now).group_by(orders.c.member_id)
    found: list[ColumnElement[bool]] = []
    if rule.at_least is not None:
        found.append(members.c.id.in_(grouped.having(figure >= rule.at_least * unit)))
    if rule.at_most is not None:
        found.append(members.c.id.not_in(grouped.having(figure > rule.at_most * unit)))
    return and_(*found)
