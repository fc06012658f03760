"""The section of config.yaml that recommending obeys."""

from itertools import pairwise
from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from members.rules import Section

if TYPE_CHECKING:
    from recommend.rfm import RfmScheme


class RfmRules(Section):
    """Edges of recency (days, best first), frequency (days with a purchase) and monetary (元) within the window."""

    recency: list[int] = Field(min_length=1, max_length=9, description="最近一次购买:几天以内算一档,从小到大")
    frequency: list[int] = Field(min_length=1, max_length=9, description="来过几天算高一档,从小到大")
    monetary: list[int] = Field(min_length=1, max_length=9, description="花了多少元算高一档,从小到大")
    window_days: int = Field(default=365, ge=7, le=3650, description="看多久以内的购买")

    @model_validator(mode="after")
    def _rising(self) -> "RfmRules":
        if any(low >= high for edges in (self.recency, self.frequency, self.monetary) for low, high in pairwise(edges)):
            raise ValueError("每一档都要从小到大,不能相等")
        if min(self.recency[0], self.frequency[0], self.monetary[0]) < 0:
            raise ValueError("每一档都不能是负数")
        return self

    def scheme(self) -> "RfmScheme":
        """Return the edges, money in 分."""
        from recommend.rfm import RfmScheme  # brings numpy, which reading a configuration does without

        money = tuple(100 * yuan for yuan in self.monetary)
        return RfmScheme(tuple(self.recency), tuple(self.frequency), money, self.window_days)


class RecommendRules(Section):
    """How habits are read from receipts. Days are business days on which something was bought."""

    half_life_days: int = Field(default=60, ge=1, le=3650, description="一次购买过多少天只算一半")
    min_purchases: int = Field(default=3, ge=1, le=100, description="买过几天才算习惯")
    look_back_days: int = Field(default=365, ge=7, le=3650, description="看多久以前的购买")
    rest_days: int = Field(default=28, ge=0, le=365, description="同一品类(升级搭配、套餐:同一样)的优惠几天内不重复")
    min_gap_days: int = Field(default=7, ge=1, le=365, description="间隔短于几天的品类不提醒补货")
    refit_days: int = Field(default=7, ge=1, le=365, description="隔几天重新学习一次模型;每晚都会打分")
    rfm: RfmRules | None = Field(default=None, description="RFM 分档;不写就按五等分自动划")
    infer_tags: bool = Field(default=True, description="从购买推断生活习惯和家庭标签(带把握和来源)")
    exclude: list[str] = Field(default=[], description="不推荐的品类,写名称或代码")
