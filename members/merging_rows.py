"""What changes owner when two members become one: rows that name a member, and counters; noted for the way back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    String,
    Table,
    bindparam,
    cast,
    delete,
    func,
    insert,
    literal,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from members.audit import Actor
from members.tables import (
    Approval,
    Arrival,
    Coupon,
    CouponGrant,
    CouponTransfer,
    Decision,
    GiftGrant,
    MergeItem,
    Order,
    Outbox,
    PaidMembership,
    PerkUse,
    StaffTask,
    table,
)

PUSHED = ("marketing", "reminder")
USABLE = ("issued", "locked")
UNSENT = ("pending", "claimed")
items, coupons, grants, transfers = table(MergeItem), table(Coupon), table(CouponGrant), table(CouponTransfer)
orders, decisions, gifts, plans = table(Order), table(Decision), table(GiftGrant), table(PaidMembership)
perks, outbox, tasks, approvals = table(PerkUse), table(Outbox), table(StaffTask), table(Approval)
arrivals = table(Arrival)

_NOTE = insert(items)
_GRANTS = select(grants.c.template, grants.c.count).where(grants.c.member_id == bindparam("whose"), grants.c.count > 0)
_ADD_GRANT = upsert(grants)
_ADD_GRANT = _ADD_GRANT.on_conflict_do_update(
    index_elements=[grants.c.template, grants.c.member_id], set_={"count": grants.c.count + _ADD_GRANT.excluded.count}
)
_LESS_GRANT = (
    update(grants)
    .where(grants.c.template == bindparam("which"), grants.c.member_id == bindparam("whose"))
    .values(count=grants.c.count - bindparam("many"))
)
_TAKE_OCCASION = upsert(gifts).on_conflict_do_nothing(index_elements=[gifts.c.key])
_PERKS = select(perks.c.perk, perks.c.month, perks.c.used).where(perks.c.member_id == bindparam("whose"))
_ADD_PERK = upsert(perks)
_ADD_PERK = _ADD_PERK.on_conflict_do_update(
    index_elements=[perks.c.member_id, perks.c.perk, perks.c.month],
    set_={"used": perks.c.used + _ADD_PERK.excluded.used},
)
_LESS_PERK = (
    update(perks)
    .where(
        perks.c.member_id == bindparam("whose"), perks.c.perk == bindparam("which"), perks.c.month == bindparam("of"),
        perks.c.used >= bindparam("many"),
    )
    .values(used=perks.c.used - bindparam("many"))
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pair:
    """One merge, under way or being undone: `source` became part of `target`."""

    id: int
    source: int
    target: int
    by: Actor
    now: datetime

    @property
    def mark(self) -> str:
        """Return what rows say that this merge made or ended."""
        return f"merge:{self.id}"


@dataclass(frozen=True, slots=True)
class Kind:
    """Rows that name their owner: those that are `taken` go along, those that are still `given` come back."""

    name: str
    rows: Table
    owner: str = "member_id"
    key: str = "id"
    taken: ColumnElement[bool] = field(default_factory=true)
    given: ColumnElement[bool] = field(default_factory=true)

    @property
    def numbered(self) -> bool:
        """Tell whether the key is a number."""
        return isinstance(self.rows.c[self.key].type, BigInteger)


KINDS = (
    Kind("coupon", coupons, taken=coupons.c.state.in_(USABLE), given=coupons.c.state != "redeemed"),
    Kind("past_coupon", coupons),
    Kind("granted", coupons, owner="granted_to"),
    Kind("order", orders),
    Kind("decision", decisions),
    Kind("gift", gifts, key="key"),
    Kind("plan", plans),
    Kind("transfer", transfers, "from_member", taken=transfers.c.state == "open", given=transfers.c.state == "open"),
    Kind("task", tasks, taken=tasks.c.state == "open", given=tasks.c.state == "open"),
    Kind("approval", approvals, taken=approvals.c.state == "asked", given=approvals.c.state == "asked"),
    Kind("arrival", arrivals),
    Kind("message", outbox, taken=outbox.c.state.in_(UNSENT), given=outbox.c.state.in_(UNSENT)),
)


def note(connection: Connection, merge: int, kind: str, ref: str, detail: Mapping[str, Any] | None = None) -> None:
    """Note one thing a merge carried over; `detail` is what its way back needs."""
    connection.execute(_NOTE, {"merge_id": merge, "kind": kind, "ref": ref, "detail": detail and dict(detail)})


def noted(connection: Connection, merge: int, kind: str) -> dict[str, Any]:
    """Return {ref: detail} of one kind."""
    mine = (items.c.merge_id == merge) & (items.c.kind == kind)
    return {row.ref: row.detail for row in connection.execute(select(items.c.ref, items.c.detail).where(mine))}


def carry(connection: Connection, pair: Pair) -> dict[str, int]:
    """Hand everything of the source to the target; return {kind: how many rows}."""
    _drop_doubled_pushes(connection, pair)
    _take_occasions(connection, pair)
    done = {kind.name: _carry(connection, pair, kind) for kind in KINDS}
    _carry_grants(connection, pair)
    _carry_perks(connection, pair)
    return done


def bring_back(connection: Connection, pair: Pair) -> tuple[dict[str, int], dict[str, int]]:
    """Hand back what is still there; return ({kind: rows back}, {kind: rows not back})."""
    back = {kind.name: _bring_back(connection, pair, kind) for kind in KINDS}
    _return_grants(connection, pair)
    _return_perks(connection, pair)
    connection.execute(delete(gifts).where(gifts.c.member_id == pair.target, gifts.c.rule == pair.mark))
    many = select(items.c.kind, func.count()).where(items.c.merge_id == pair.id).group_by(items.c.kind)
    carried: dict[str, int] = dict(connection.execute(many).all())
    return back, {kind: carried.get(kind, 0) - number for kind, number in back.items()}


def _carry(connection: Connection, pair: Pair, kind: Kind) -> int:
    rows, key = kind.rows, kind.rows.c[kind.key]
    theirs = (rows.c[kind.owner] == pair.source) & kind.taken
    found = select(literal(pair.id), literal(kind.name), cast(key, String)).where(theirs)
    connection.execute(insert(items).from_select(["merge_id", "kind", "ref"], found))
    mine = (rows.c[kind.owner] == pair.source) & key.in_(_refs(pair, kind))
    return connection.execute(update(rows).where(mine).values({kind.owner: pair.target})).rowcount


def _bring_back(connection: Connection, pair: Pair, kind: Kind) -> int:
    rows, key = kind.rows, kind.rows.c[kind.key]
    still = (rows.c[kind.owner] == pair.target) & key.in_(_refs(pair, kind)) & kind.given
    return connection.execute(update(rows).where(still).values({kind.owner: pair.source})).rowcount


def _refs(pair: Pair, kind: Kind) -> Any:
    ref = cast(items.c.ref, BigInteger) if kind.numbered else items.c.ref
    return select(ref).where(items.c.merge_id == pair.id, items.c.kind == kind.name)


def _drop_doubled_pushes(connection: Connection, pair: Pair) -> None:
    """Cancel what a campaign would now say twice to one person."""
    again = select(outbox.c.campaign).where(
        outbox.c.member_id == pair.target, outbox.c.state.in_(UNSENT), outbox.c.kind.in_(PUSHED)
    )
    doubled = (
        (outbox.c.member_id == pair.source) & (outbox.c.state == "pending") & outbox.c.kind.in_(PUSHED)
        & outbox.c.campaign.in_(again)
    )  # fmt: skip
    connection.execute(update(outbox).where(doubled).values(state="cancelled", note="会员已合并"))


def _take_occasions(connection: Connection, pair: Pair) -> None:
    """Take every occasion the source got a gift for, so that the target gets none for it again."""
    for row in connection.execute(select(gifts.c.key, gifts.c.at).where(gifts.c.member_id == pair.source)).all():
        rule, member, occasion = row.key.rsplit(":", 2)
        if member == str(pair.source):
            taken = {"key": f"{rule}:{pair.target}:{occasion}", "rule": pair.mark, "member_id": pair.target}
            connection.execute(_TAKE_OCCASION, taken | {"at": row.at, "points": 0, "taken_back": 0})


def _carry_grants(connection: Connection, pair: Pair) -> None:
    for template, many in connection.execute(_GRANTS.order_by(grants.c.template), {"whose": pair.source}).all():
        _shift_grant(connection, template, many, pair.source, pair.target)


def _return_grants(connection: Connection, pair: Pair) -> None:
    """Count the copies that were handed back for the source again, as far as they still count."""
    granted = next(kind for kind in KINDS if kind.name == "granted")
    counting = (coupons.c.granted_to == pair.source) & ~coupons.c.returned & coupons.c.id.in_(_refs(pair, granted))
    many = select(coupons.c.template, func.count()).where(counting).group_by(coupons.c.template)
    for template, number in connection.execute(many.order_by(coupons.c.template)).all():
        _shift_grant(connection, template, number, pair.target, pair.source)


def _shift_grant(connection: Connection, template: str, many: int, giver: int, taker: int) -> None:
    connection.execute(_LESS_GRANT, {"which": template, "whose": giver, "many": many})
    connection.execute(_ADD_GRANT, {"template": template, "member_id": taker, "count": many})


def _carry_perks(connection: Connection, pair: Pair) -> None:
    for perk, month, used in connection.execute(_PERKS, {"whose": pair.source}).all():
        note(connection, pair.id, "perk", f"{month.isoformat()} {perk}", {"used": used})
        connection.execute(_ADD_PERK, {"member_id": pair.target, "perk": perk, "month": month, "used": used})
    connection.execute(delete(perks).where(perks.c.member_id == pair.source))


def _return_perks(connection: Connection, pair: Pair) -> None:
    for ref, detail in sorted(noted(connection, pair.id, "perk").items()):
        month, _, perk = ref.partition(" ")
        day, used = date.fromisoformat(month), int(detail["used"])
        bound = {"whose": pair.target, "which": perk, "of": day, "many": used}
        connection.execute(_LESS_PERK, bound)
        connection.execute(_ADD_PERK, {"member_id": pair.source, "perk": perk, "month": day, "used": used})
    spent = (perks.c.member_id == pair.target) & (perks.c.used == 0)
    connection.execute(delete(perks).where(spent))
