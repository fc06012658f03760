"""What the recommender worked out last for each member and article: one row each, replaced every night.

A suggestion is [sku, probability, long-term, short-term, kind, words]; a cycle is [category, last day, mean gap, due
day, chance of return, purchase days, [chance that a reminder hits on the row's day, the next day, …]]; None instead
of cycles says that nothing was forecast. An upgrade is ["premium", usual sku, dearer sku, share of the usual one's
buyers, 分 more a piece] or ["companion", usual sku, sku of what goes with it, share of receipts, times chance]. A
companion is [sku, times chance, confidence]. Days are ISO dates. Who refused personal choices has no row.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from members.prepared import Prepared, among
from members.tables import Category, Member, MemberScore, Merge, Order, Product, ProductScore, table

CHUNK = 500
FRESH_DAYS = 7  # a row speaks for its day and the six after it
LEAST_ORDERS = 200  # below that, simple counts say as much
scores, products, members, articles = table(MemberScore), table(ProductScore), table(Member), table(Product)
orders, merges, groups = table(Order), table(Merge), table(Category)
_ORDERS = select(orders.c.id).where(orders.c.member_id.is_not(None), orders.c.state != "refunded").limit(LEAST_ORDERS)
_NEWEST = select(func.coalesce(func.max(orders.c.id), 0))


def _upsert(rows: Any, key: str) -> Any:
    """Replace a row, but never a newer one by an older: a night that was overtaken changes nothing."""
    statement = upsert(rows)
    changed = {column.name: statement.excluded[column.name] for column in rows.c if column.name != key}
    newer = statement.excluded.at >= rows.c.at if "at" in rows.c else statement.excluded.day >= rows.c.day
    return statement.on_conflict_do_update(index_elements=[rows.c[key]], set_=changed, where=newer)


_PUT, _PUT_PRODUCT = _upsert(scores, "member_id"), _upsert(products, "product_id")
_NAMES = select(articles.c.sku, articles.c.name).where(articles.c.sku.in_(bindparam("skus", expanding=True)))
_CATEGORIES = select(groups.c.code, groups.c.name).where(groups.c.code.in_(bindparam("codes", expanding=True)))
_COMPANIONS = select(articles.c.sku, products.c.companions).where(
    products.c.product_id == articles.c.id, articles.c.sku.in_(bindparam("skus", expanding=True))
)
_PARTED = (
    select(merges.c.id)
    .where((merges.c.source_id == members.c.id) | (merges.c.target_id == members.c.id))
    .where((merges.c.at >= bindparam("read_at")) | (merges.c.undone_at >= bindparam("read_at")))
    .correlate(members)
)
_PERSONAL = (
    select(members.c.id)
    .where(
        members.c.id.in_(bindparam("of", expanding=True)), members.c.state == "active", members.c.personalised,
        ~_PARTED.exists(),
    )
    .order_by(members.c.id)
    .with_for_update(of=members)
)  # fmt: skip
_STALE = delete(scores).where(scores.c.day < bindparam("before"))
_FORGET = delete(scores).where(scores.c.member_id.in_(bindparam("of", expanding=True)))
_STALE_PRODUCTS = delete(products).where(products.c.day < bindparam("before"))


@dataclass(frozen=True, slots=True)
class Score:
    """The row of one member; `day` is the day whose morning it knows. `rhythm` and `silence` are days.

    Its fields are the columns of MemberScore but `at` and `orders_read`, in their order; they are typed as the JSON
    within them. A row written before there were upgrades has None of them.
    """

    member: int
    day: date
    suggestions: Sequence[Sequence[Any]] = ()
    cycles: Sequence[Sequence[Any]] | None = None
    stage: str = ""
    rhythm: int = 0
    silence: int = 0
    value_decile: int | None = None
    rfm: str = ""
    rfm_version: str = ""
    loyalty: str = ""
    upgrades: Sequence[Sequence[Any]] | None = ()


_COLUMNS = [scores.c.member_id, *(scores.c[column.name] for column in fields(Score)[1:])]
_OF = Prepared(select(*_COLUMNS).where(among(scores.c.member_id, "of")))


def any_receipt(connection: Connection) -> bool:
    """Whether any member has a receipt that was not taken back whole."""
    return connection.execute(_ORDERS.limit(1)).first() is not None


def worth_scoring(connection: Connection) -> bool:
    """Tell whether members have bought often enough for models to say more than counts."""
    return len(connection.execute(_ORDERS).all()) == LEAST_ORDERS


def personal(connection: Connection, wanted: Sequence[int], read_at: datetime) -> list[int]:
    """Return those of whom something may be worked out, and hold them until the transaction ends.

    Not who is gone or wants nothing personal, nor who was merged or parted since the receipts were read: those were
    two persons', or one's, then.
    """
    return list(connection.scalars(_PERSONAL, {"of": list(wanted), "read_at": read_at}))


def newest_order(connection: Connection) -> int:
    """Return the id above which every order that is still to come will be."""
    return int(connection.execute(_NEWEST).scalar_one())


def put_many(connection: Connection, found: Sequence[Score], *, now: datetime, orders_read: int | None = None) -> int:
    """Replace the rows of these members by what was worked out of the receipts read at `now`; return how many.

    `orders_read`: no order with a greater id is known to have been read.
    """
    wanted = {one.member: one for one in found}
    allowed = personal(connection, list(wanted), now)
    rows = [_row(wanted[member]) | {"at": now, "orders_read": orders_read} for member in allowed]
    if rows:
        connection.execute(_PUT, rows)
    return len(rows)


def _row(score: Score) -> dict[str, Any]:
    row = {name.name: getattr(score, name.name) for name in fields(score)}
    cycles, upgrades = (None if some is None else list(some) for some in (score.cycles, score.upgrades))
    listed = {"suggestions": list(score.suggestions), "cycles": cycles, "upgrades": upgrades}
    return row | {"member_id": row.pop("member"), **listed}


def of_members(connection: Connection, wanted: Sequence[int]) -> dict[int, Score]:
    """Return the rows there are of these members."""
    found: dict[int, Score] = {}
    for start in range(0, len(wanted), CHUNK):
        for row in _OF.rows(connection, {"of": list(wanted[start : start + CHUNK])}):
            found[row[0]] = Score(*row)
    return found


def of_member(connection: Connection, member: int) -> Score | None:
    """Return one member's row, None when there is none."""
    return of_members(connection, [member]).get(member)


def drop(connection: Connection, wanted: Sequence[int]) -> int:
    """Forget what was worked out for these members."""
    return connection.execute(_FORGET, {"of": list(wanted)}).rowcount


def drop_before(connection: Connection, day: date) -> int:
    """Forget rows older than a day, of members and of articles; return how many members'."""
    connection.execute(_STALE_PRODUCTS, {"before": day})
    return connection.execute(_STALE, {"before": day}).rowcount


def put_companions(connection: Connection, day: date, found: Mapping[int, Sequence[Sequence[Any]]]) -> None:
    """Replace what goes with these articles (by product id)."""
    rows = [{"product_id": product, "day": day, "companions": list(some)} for product, some in found.items()]
    if rows:
        connection.execute(_PUT_PRODUCT, rows)


def companions(connection: Connection, skus: Sequence[str]) -> dict[str, Sequence[Sequence[Any]]]:
    """Return {sku: what goes with it}, the farthest beyond chance first."""
    if not skus:
        return {}
    return {row.sku: row.companions for row in connection.execute(_COMPANIONS, {"skus": list(skus)})}


def summary(connection: Connection) -> dict[str, Any]:
    """Return how many members have a row, the newest and oldest day, and how many are in each stage."""
    head = connection.execute(select(func.count(), func.min(scores.c.day), func.max(scores.c.day))).one()
    stages = connection.execute(select(scores.c.stage, func.count()).group_by(scores.c.stage)).all()
    return {"members": head[0], "oldest": head[1], "newest": head[2], "stages": {row[0]: row[1] for row in stages}}


def exported(connection: Connection, wanted: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Yield what is kept about these members, as they may take it along: articles and categories by their names."""
    for score in of_members(connection, wanted).values():
        row = asdict(score)
        del row["member"]
        upgrades = score.upgrades or ()
        skus = sorted({one[0] for one in score.suggestions} | {sku for one in upgrades for sku in one[1:3]})
        goods = dict(connection.execute(_NAMES, {"skus": skus}).all())
        named = dict(connection.execute(_CATEGORIES, {"codes": [one[0] for one in score.cycles or ()]}).all())
        row["suggestions"] = [
            {"product": goods.get(sku, sku), "chance": chance, "reason": words}
            for sku, chance, _, _, _, words in score.suggestions
        ]
        row["cycles"] = [
            {"category": named.get(code, code), "last": last, "gap_days": gap, "expected": due}
            for code, last, gap, due, *_ in score.cycles or ()
        ]
        row["upgrades"] = [
            {"usual": goods.get(usual, usual), "product": goods.get(sku, sku)} for _, usual, sku, *_ in upgrades
        ]
        yield row
