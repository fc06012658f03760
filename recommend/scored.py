"""What the night worked out for a member, as it stands now: what was bought since is taken into account.

A row speaks for the day it was made for and the six after it; older than that it is as if there were none. Bought
since is also what was sold up to a week before but came into the books later: a day's file, a till that was offline.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, bindparam, select

from members import scores
from members.products import KEPT
from members.scores import FRESH_DAYS, Score
from members.tables import MemberScore, Order, OrderLine, Product, table
from recommend import wording

LATE_DAYS = 7
orders, lines, products, rows = table(Order), table(OrderLine), table(Product), table(MemberScore)
_SINCE = (
    select(orders.c.member_id, products.c.sku, products.c.category)
    .select_from(
        rows.join(orders, orders.c.member_id == rows.c.member_id)
        .join(lines, lines.c.order_id == orders.c.id)
        .join(products, products.c.id == lines.c.product_id)
    )
    .where(
        rows.c.member_id.in_(bindparam("of", expanding=True)), orders.c.at <= bindparam("moment"),
        (orders.c.day >= rows.c.day) | (orders.c.at > rows.c.at) | (orders.c.id > rows.c.orders_read),
        orders.c.at >= bindparam("since"),
        orders.c.state != "refunded", KEPT,
    )
    .order_by(orders.c.at.desc(), orders.c.id.desc(), lines.c.line_no)
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scored:
    """One member's row, and what they bought since its morning: skus, the newest first, and categories."""

    score: Score
    age: int
    skus: Sequence[str] = ()
    categories: frozenset[str] = field(default_factory=frozenset)

    def cycles(self) -> "list[Cycle]":
        """Return the cycles that no purchase has ended since, the surest reminder of today first."""
        open_ones = [one for one in self.score.cycles or () if one[0] not in self.categories]
        found = [Cycle.of(one, self.age) for one in open_ones]
        return sorted(found, key=lambda one: (-one.chance, one.due, one.category))

    def upgrades(self) -> "list[Upgrade]":
        """Return what the member could be led on to and has not bought since, in the night's order."""
        found = [Upgrade(*one) for one in self.score.upgrades or ()]
        return [one for one in found if one.sku not in self.skus]


@dataclass(frozen=True, slots=True)
class Upgrade:
    """An article to lead a member on to from their usual one.

    Of a premium, `share` of the usual one's buyers took it up later, and `beyond` is what it has cost more a piece, in
    分. Of a companion, `share` of the receipts with the usual one have it too, `beyond` times as many as chance gives.
    """

    by: Literal["premium", "companion"]
    usual: str
    sku: str
    share: float
    beyond: float

    def explain(self, usual: str, name: str, *, dearer: int | None = None) -> str:
        """Return the sentence a member reads, from the names of both articles; `dearer` by so many 分 today."""
        if self.by == "premium":
            return wording.premium(usual, name, self.share, dearer)
        return wording.companion(usual, name, self.share, self.beyond)


@dataclass(frozen=True, slots=True)
class Cycle:
    """One category of one member: `chance` that a reminder today hits (a purchase in the 1 … 7 days after it).

    `best`: whether no later day of the row's week is better. `gap` is the mean in days, `days` how many purchase days.
    """

    category: str
    last: date
    gap: int
    due: date
    returns: float
    days: int
    chance: float
    best: bool

    @classmethod
    def of(cls, row: Sequence[Any], age: int) -> "Cycle":
        """Return the cycle of a row so many days old."""
        category, last, gap, due, returns, days, chances = row
        ahead = chances[age:] or [0.0]
        return cls(
            category, date.fromisoformat(last), gap, date.fromisoformat(due), returns, days, ahead[0],
            ahead[0] >= max(ahead),
        )  # fmt: skip

    def explain(self) -> str:
        """Return the sentence a member reads."""
        return wording.cycle(self.last, self.gap)

    def is_due(self, today: date, days_ahead: int, gap: int) -> bool:
        """Whether today is the day to remind: the best of the days to come, or within `days_ahead` of the due day.

        What is bought more often than every `gap` days needs no reminder, nor what lasts for another half of its mean.
        """
        soon = self.best or self.due - timedelta(days=days_ahead) <= today
        return self.gap >= gap and soon and 2 * (today - self.last).days >= self.gap


def read(connection: Connection, members: Sequence[int], today: date, now: datetime) -> dict[int, Scored]:
    """Return the fresh rows of these members, with what was bought since the rows were made."""
    found = {
        member: score
        for member, score in scores.of_members(connection, members).items()
        if 0 <= (today - score.day).days < FRESH_DAYS
    }
    if not found:
        return {}
    bought = _since(connection, found, now)
    return {
        member: Scored(
            score, (today - score.day).days, [sku for sku, _ in bought[member]],
            frozenset(category for _, category in bought[member] if category),
        )
        for member, score in found.items()
    }  # fmt: skip


def _since(connection: Connection, found: Mapping[int, Score], now: datetime) -> dict[int, list[tuple[str, str]]]:
    bought: dict[int, list[tuple[str, str]]] = defaultdict(list)
    members, since = list(found), now - timedelta(days=FRESH_DAYS + 1 + LATE_DAYS)
    for start in range(0, len(members), scores.CHUNK):
        bound = {"of": members[start : start + scores.CHUNK], "moment": now, "since": since}
        for member, sku, category in connection.execute(_SINCE, bound):
            bought[member].append((sku, category))
    return bought
