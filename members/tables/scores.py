"""What the recommender worked out: which models there are, and what each member and article scored last."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Date, Index, text
from sqlmodel import Field, SQLModel

from members.tables.base import json_column, key, ref, when


class ModelVersion(SQLModel, table=True):
    """One fitted model: its file, checksum, the day whose morning it knows, and how it did on the days after it.

    `measures`: figures on the time split beside those of the model that was current then.
    """

    __tablename__ = "model_version"
    id: int | None = key()
    kind: str = Field(description="next_basket | timing", index=True)
    fitted_at: datetime = when()
    cut: date
    file: str
    checksum: str
    state: str = Field(description="current | former | refused | rolled_back")
    measures: dict[str, Any] = json_column()

    __table_args__ = (
        Index(
            "ux_model_current",
            "kind",
            unique=True,
            sqlite_where=text("state = 'current'"),
            postgresql_where=text("state = 'current'"),
        ),
    )


class MemberScore(SQLModel, table=True):
    """What one member may want and when, as of the morning of `day`; made anew every night, never history.

    `suggestions`, `cycles` and `upgrades` are lists as members/scores.py describes. `rhythm` and `silence` are days;
    orders with an id above `orders_read` came into the books after they were read.
    """

    __tablename__ = "member_score"
    member_id: int = ref("member.id", null=False, primary=True)
    day: date = Field(sa_column=Column(Date, nullable=False, index=True))
    at: datetime = when()
    suggestions: list[Any] = json_column()
    cycles: list[Any] = json_column()
    stage: str = Field(default="", description="new | active | slowing | dormant | lost")
    rhythm: int = 0
    silence: int = 0
    value_decile: int | None = None
    rfm: str = ""
    rfm_version: str = ""
    loyalty: str = ""
    upgrades: list[Any] = json_column()
    orders_read: int | None = Field(default=None, sa_column=Column(BigInteger))

    __table_args__ = (Index("ix_member_score_stage", "stage"), Index("ix_member_score_decile", "value_decile"))


class ProductScore(SQLModel, table=True):
    """What goes with an article beyond chance: `companions` as members/scores.py describes."""

    __tablename__ = "product_score"
    product_id: int = ref("product.id", null=False, primary=True)
    day: date
    companions: list[Any] = json_column()
