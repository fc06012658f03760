"""Tiers and plans that are bought: what they ask for, what they bring, and how long they last."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from members.rules.base import DaysText, Multiplier, Section, Span


class PerkRule(Section):
    """Something a tier brings; `per_month` how often at most."""

    name: str = Field(min_length=1)
    per_month: int | None = Field(default=None, ge=1)


def _perk(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


Perk = Annotated[PerkRule, BeforeValidator(_perk, json_schema_input_type=str | PerkRule)]


class TierRule(Section):
    """One tier; the first has no condition. Every threshold written must be reached within the rolling time."""

    name: str = Field(min_length=1)
    spend_12_months: int = Field(default=0, ge=0, description="元")
    spend: int = Field(default=0, ge=0, description="元, within `within`")
    orders: int = Field(default=0, ge=0, description="within `within`")
    within: DaysText = Span(12, "month")
    earn_multiplier: Multiplier | None = None
    perks: list[Perk] = []

    @property
    def free(self) -> bool:
        """Tell whether the tier asks for nothing."""
        return not (self.spend_12_months or self.spend or self.orders)


class TierPolicy(Section):
    """How tiers end: kept for `keep`, then checked; who no longer reaches it is lowered `grace_days` later."""

    keep: DaysText = Span(12, "month")
    grace_days: int = Field(default=30, ge=0, le=365)
    downgrade: bool = True


class PaidPlan(Section):
    """A membership that is bought."""

    name: str = Field(min_length=1)
    price: int = Field(ge=0, description="元")
    valid: DaysText = Span(12, "month")
    earn_multiplier: Multiplier | None = None
    perks: list[Perk] = []
