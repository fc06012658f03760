"""The section of config.yaml that recommending obeys."""

from pydantic import Field

from members.rules import Section


class RecommendRules(Section):
    """How habits are read from receipts. Days are business days on which something was bought."""

    half_life_days: int = Field(default=60, ge=1, le=3650, description="一次购买过多少天只算一半")
    min_purchases: int = Field(default=3, ge=1, le=100, description="买过几天才算习惯")
    look_back_days: int = Field(default=365, ge=7, le=3650, description="看多久以前的购买")
    rest_days: int = Field(default=28, ge=0, le=365, description="同一品类的优惠多少天内不重复")
    min_gap_days: int = Field(default=7, ge=1, le=365, description="间隔短于几天的品类不提醒补货")
    exclude: list[str] = Field(default=[], description="不推荐的品类,写名称或代码")
