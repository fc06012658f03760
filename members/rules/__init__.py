"""The sections of config.yaml that the books obey."""

from dataclasses import dataclass, field

from members.rules.base import (
    WEEKDAYS,
    ClockTime,
    Code,
    Hours,
    Multiplier,
    Section,
    Share,
    Span,
    SpanText,
    Weekday,
    ZoneName,
)
from members.rules.coupons import BundleRule, CouponRule, FreeItemRule, ScopeRule, SlotRule
from members.rules.gifts import (
    BirthdayGift,
    CheckinRule,
    Gift,
    GiftRules,
    PresentGift,
    PurchaseGift,
    ReferralRule,
    TotalGift,
)
from members.rules.loyalty import (
    VOUCHER,
    BalanceRules,
    EarnBonus,
    EarnRule,
    ExpiryRule,
    LoyaltyRules,
    PartnerRule,
    RewardRule,
    TopUpGift,
    VoucherRule,
    named_coupons,
    named_stores,
)
from members.rules.shop import (
    BindingRules,
    PrivacyPromises,
    PrivacyRules,
    Role,
    ShopRules,
    StaffLimits,
    StaffRules,
    StoreLimits,
    StoreRule,
)
from members.rules.tiers import PaidPlan, PerkRule, TierPolicy, TierRule


@dataclass(frozen=True, slots=True)
class Rules:
    """What the books and the conversation need of config.yaml."""

    shop: ShopRules
    loyalty: LoyaltyRules
    coupons: dict[str, CouponRule]
    binding: BindingRules
    staff: StaffRules
    privacy: PrivacyPromises = field(default_factory=PrivacyPromises)


__all__ = [
    "VOUCHER",
    "WEEKDAYS",
    "BalanceRules",
    "BindingRules",
    "BirthdayGift",
    "BundleRule",
    "CheckinRule",
    "ClockTime",
    "Code",
    "CouponRule",
    "EarnBonus",
    "EarnRule",
    "ExpiryRule",
    "FreeItemRule",
    "Gift",
    "GiftRules",
    "Hours",
    "LoyaltyRules",
    "Multiplier",
    "PaidPlan",
    "PartnerRule",
    "PerkRule",
    "PresentGift",
    "PrivacyPromises",
    "PrivacyRules",
    "PurchaseGift",
    "ReferralRule",
    "RewardRule",
    "Role",
    "Rules",
    "ScopeRule",
    "Section",
    "Share",
    "ShopRules",
    "SlotRule",
    "Span",
    "SpanText",
    "StaffLimits",
    "StaffRules",
    "StoreLimits",
    "StoreRule",
    "TierPolicy",
    "TierRule",
    "TopUpGift",
    "TotalGift",
    "VoucherRule",
    "Weekday",
    "ZoneName",
    "named_coupons",
    "named_stores",
]
