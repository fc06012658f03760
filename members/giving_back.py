"""Giving money back: the order, its lines, the balance, the points, and at the end coupons and gifts, all at once."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, bindparam, case, func, insert, or_, select, update

from members import audit, balance, buyers, coupons, gifts, points, referrals, returns, tiers
from members.audit import Actor
from members.errors import MemberError
from members.money import yuan
from members.prepared import Prepared
from members.returns import NewRefund, Parts, Piece, Refunded, parts
from members.rules import Rules
from members.tables import Account, Coupon, Entry, Movement, Order, OrderLine, Product, Refund, table
from members.vault import Vault

orders, lines, products, refunds = table(Order), table(OrderLine), table(Product), table(Refund)
movements, entries, accounts, copies = table(Movement), table(Entry), table(Account), table(Coupon)
VOID = "void"
TRIES = 3

_FIND = Prepared(
    select(orders.c.id).where(orders.c.scope == bindparam("whose"), orders.c.order_no == bindparam("order_number"))
)
_MEMBER = Prepared(select(orders.c.member_id).where(orders.c.id == bindparam("which")))
_HOLD = Prepared(
    select(
        orders.c.order_no, orders.c.member_id, orders.c.total, orders.c.refunded, orders.c.paid_principal,
        orders.c.paid_gift, orders.c.state,
    )
    .where(orders.c.id == bindparam("which"))
    .with_for_update()
)  # fmt: skip
_GIVE = (
    update(orders)
    .where(orders.c.id == bindparam("which"), orders.c.refunded + bindparam("back") <= orders.c.total)
    .values(
        refunded=orders.c.refunded + bindparam("back"),
        state=case(
            (orders.c.refunded + bindparam("back") == orders.c.total, "refunded"),
            (orders.c.refunded + bindparam("back") > 0, "part_refunded"),
            else_=orders.c.state,
        ),
    )
)
_CLOSE = (
    update(orders)
    .where(orders.c.id == bindparam("which"), orders.c.total == 0, orders.c.state == "paid")
    .values(state="refunded")
)
_EARNED = Prepared(
    select(func.coalesce(-func.sum(entries.c.amount), 0))
    .select_from(movements.join(entries, entries.c.movement_id == movements.c.id).join(accounts))
    .where(
        movements.c.order_id == bindparam("which"), or_(movements.c.kind == "earn", movements.c.kind == "reverse_earn"),
        accounts.c.kind == "issuer",
    )
)  # fmt: skip
_BEFORE = select(refunds).where(refunds.c.order_id == bindparam("which"), refunds.c.refund_no == bindparam("number"))
_LINES_OF = (
    select(
        lines.c.line_no, lines.c.quantity, lines.c.amount, lines.c.refunded_quantity, lines.c.refunded_amount,
        products.c.sku,
    )
    .select_from(lines.join(products))
    .where(lines.c.order_id == bindparam("which"))
    .order_by(lines.c.line_no)
)  # fmt: skip
_GIVE_LINE = (
    update(lines)
    .where(
        lines.c.order_id == bindparam("which"), lines.c.line_no == bindparam("place"),
        lines.c.refunded_quantity + bindparam("pieces") <= lines.c.quantity,
        lines.c.refunded_amount + bindparam("back") <= lines.c.amount,
    )
    .values(
        refunded_quantity=lines.c.refunded_quantity + bindparam("pieces"),
        refunded_amount=lines.c.refunded_amount + bindparam("back"),
    )
)  # fmt: skip
_GIVE_ALL_LINES = (
    update(lines)
    .where(lines.c.order_id == bindparam("which"))
    .values(refunded_quantity=lines.c.quantity, refunded_amount=lines.c.amount)
)
_REDEEMED_ON = (
    select(copies.c.id, copies.c.title)
    .where(copies.c.order_id == bindparam("which"), copies.c.state == "redeemed")
    .order_by(copies.c.template, copies.c.id)
)


def earned(connection: Connection, order: int) -> int:
    """Return the points a purchase has brought; gifts do not count."""
    return int(_EARNED.rows(connection, {"which": order})[0][0])


def refund(
    connection: Connection, vault: Vault, rules: Rules, wanted: NewRefund, *, by: Actor, now: datetime
) -> Refunded:
    """Give money back once per order and refund number, never more than was paid; gifts for a friend go with it.

    MemberError: order_unknown, order_no, order_future, amount_range, refund_too_much (left=), refund_conflict,
    refund_sum, refund_line (sku=).
    """
    return friends_back(connection, rules, goods_back(connection, rules, wanted, by=by, now=now), by=by, now=now)


def goods_back(connection: Connection, rules: Rules, wanted: NewRefund, *, by: Actor, now: datetime) -> Refunded:
    """Give money back like `refund`, but leave the gifts for a friend: other goods may take the place of these."""
    returns.check(wanted, now)
    for (order,) in _FIND.rows(connection, {"whose": wanted.scope, "order_number": wanted.order_no}):
        return _Return(connection, rules, order, wanted, by, now).make()
    raise MemberError("order_unknown")


def friends_back(connection: Connection, rules: Rules, done: Refunded, *, by: Actor, now: datetime) -> Refunded:
    """Take back the gifts for a friend where what the friend has kept is too little now."""
    if not done.created or done.member is None:
        return done
    taken = referrals.take_back(connection, rules, done.member, by=by, now=now)
    return replace(done, friends_taken=tuple((one.member, one.points, one.coupon_title) for one in taken))


def void(
    connection: Connection, vault: Vault, rules: Rules, order: int, *, by: Actor, now: datetime, reason: str
) -> Refunded:
    """Give everything of an order back, its points by whatever policy: down to zero at least."""
    found = connection.execute(select(orders.c.scope, orders.c.order_no).where(orders.c.id == order)).one_or_none()
    if found is None:
        raise MemberError("order_unknown")
    if rules.loyalty.earn.refunds == "only_pending":
        earn = rules.loyalty.earn.model_copy(update={"refunds": "down_to_zero"})
        rules = replace(rules, loyalty=rules.loyalty.model_copy(update={"earn": earn}))
    wanted = NewRefund(found.scope, found.order_no, VOID, None, (), now, reason)
    return refund(connection, vault, rules, wanted, by=by, now=now)


class _Order(NamedTuple):
    order_no: str
    member: int | None
    total: int
    refunded: int
    principal: int
    gift: int
    state: str


class _Return:
    """One refund on its way: the member and then the order are held, so that what is read stays true."""

    def __init__(
        self, connection: Connection, rules: Rules, order: int, wanted: NewRefund, by: Actor, now: datetime
    ) -> None:
        self.connection, self.rules, self.order, self.wanted = connection, rules, order, wanted
        self.by, self.now = by, now
        self.member, self.row = self._hold()

    def _hold(self) -> tuple[int | None, _Order]:
        """Lock member, then order; again if the order changed hands meanwhile (adopted, merged).

        Whoever holds an order waits for no member: an order that was nobody's until now is let go again.
        """
        for _ in range(TRIES):
            ((whose,),) = _MEMBER.rows(self.connection, {"which": self.order})
            referrals.hold(self.connection, self.rules, whose)
            held = buyers.hold(self.connection, whose)
            letting_go = self.connection.begin_nested() if whose is None else None
            row = _Order(*_HOLD.rows(self.connection, {"which": self.order})[0])
            found = row.member == whose and (held is None or held.id == whose)
            if letting_go is not None:
                (letting_go.commit if found else letting_go.rollback)()
            if found:
                return None if held is None else held.id, row
        raise MemberError("busy")

    def make(self) -> Refunded:
        """Return what was given back before under this number, or give it back now."""
        wanted, digest = self.wanted, returns.words(self.wanted)
        bound = {"which": self.order, "number": wanted.refund_no}
        before = self.connection.execute(_BEFORE, bound).one_or_none()
        if before is not None:
            if before.digest != digest:
                raise MemberError("refund_conflict", no=wanted.refund_no)
            return self._stored(before)
        receipt: Any = self.connection.execute(_LINES_OF, {"which": self.order}).all() if wanted.lines else ()
        returned = returns.pieces(receipt, wanted)
        amount = returns.amount_of(wanted, returned, self.row.total, self.row.refunded)
        if self.row.total == 0:
            return self._close()
        self._move(amount, returned)
        return self._book(amount, digest, returned)

    def _move(self, amount: int, returned: Sequence[Piece]) -> None:
        """Count the money as given back, on the order and on its lines: the updates decide, not what was read."""
        if self.connection.execute(_GIVE, {"which": self.order, "back": amount}).rowcount != 1:
            raise MemberError("refund_too_much", left=self.row.total - self.row.refunded)
        if self.row.refunded + amount == self.row.total:
            self.connection.execute(_GIVE_ALL_LINES, {"which": self.order})
            return
        for line in returned:
            bound = {"which": self.order, "place": line.line_no, "pieces": line.pieces, "back": line.amount}
            if self.connection.execute(_GIVE_LINE, bound).rowcount != 1:
                raise MemberError("refund_line", sku=line.sku)

    def _book(self, amount: int, digest: str, returned: Sequence[Piece]) -> Refunded:
        due = self._due(amount)
        key = f"refund:{self.order}:{self.wanted.refund_no}"
        reason = f"退款 {yuan(amount)}"
        if due.principal + due.gift and self.member is not None:
            balance.give_back(
                self.connection, self.member, due.principal, due.gift, key=f"{key}:balance", by=self.by, now=self.now,
                order=self.order, reason=reason,
            )  # fmt: skip
        taken = 0
        if due.points and self.member is not None:
            taken = points.take_back(
                self.connection, self.rules, self.member, due.points, order=self.order, key=f"{key}:points",
                by=self.by, reason=reason, now=self.now,
            )  # fmt: skip
        left = self.row.total - self.row.refunded - amount
        done = Refunded(
            0, True, self.order, self.row.order_no, self.member, amount, due.cash, due.principal, due.gift, due.points,
            taken, self._coupons_back() if left == 0 else (), self._gifts_back(), left,
        )  # fmt: skip
        return self._told(self._written(done, digest, returned))

    def _due(self, amount: int) -> Parts:
        row, known = self.row, self.member is not None
        principal, gift = (row.principal, row.gift) if known else (0, 0)
        whole = earned(self.connection, self.order) if known else 0
        before = parts(row.total, principal, gift, whole, row.refunded)
        after = parts(row.total, principal, gift, whole, row.refunded + amount)
        return Parts(*(now - then for now, then in zip(after, before, strict=True)))

    def _coupons_back(self) -> Sequence[tuple[str, str]]:
        """Bring back the coupons that were used on the order; those of a member who was erased are nobody's: void."""
        used = self.connection.execute(_REDEEMED_ON, {"which": self.order}).all()
        back = [(row.title, coupons.reverse(self.connection, row.id, by=self.by, now=self.now).state) for row in used]
        if self.row.member is None or self.member is not None:
            return back
        for row in used:
            coupons.void(self.connection, row.id, by=self.by.name, now=self.now, give_back=False)
        return []

    def _gifts_back(self) -> Sequence[str]:
        taken = gifts.take_back(self.connection, self.rules, self.order, by=self.by, now=self.now)
        return [gift.title for gift in taken]

    def _written(self, done: Refunded, digest: str, returned: Sequence[Piece]) -> Refunded:
        detail = {
            "coupons": [list(pair) for pair in done.coupons_back], "gifts": list(done.gifts_taken),
            "lines": [list(line) for line in returned], "left": done.left, "reason": self.wanted.reason,
        }  # fmt: skip
        row = {
            "order_id": self.order, "refund_no": self.wanted.refund_no, "at": self.wanted.at, "amount": done.amount,
            "cash_back": done.cash_back, "principal_back": done.principal_back, "gift_back": done.gift_back,
            "points_due": done.points_due, "points_taken": done.points_taken, "by": self.by.name,
            "store_id": self.by.store, "digest": digest, "detail": detail,
        }  # fmt: skip
        number = int(self.connection.execute(insert(refunds).returning(refunds.c.id), row).scalar_one())
        return replace(done, refund=number)

    def _told(self, done: Refunded) -> Refunded:
        """Look at the tier, and tell the audit trail."""
        if self.member is not None:
            change = tiers.review(self.connection, self.rules, self.member, by=self.by, now=self.now)
            done = replace(done, tier=change)
        detail = {
            "order": self.order, "no": done.order_no, "refund": done.refund, "refund_no": self.wanted.refund_no,
            "amount": done.amount, "points": done.points_taken, "balance": done.principal_back + done.gift_back,
        }  # fmt: skip
        audit.write(
            self.connection, self.by, "order.refund", self.member, detail, now=self.now,
            before={"refunded": self.row.refunded}, after={"refunded": self.row.refunded + done.amount},
        )  # fmt: skip
        return done

    def _close(self) -> Refunded:
        """End a sale that cost nothing: no money goes back, but its coupons and gifts do."""
        done = Refunded(0, False, self.order, self.row.order_no, self.member, 0)
        if self.connection.execute(_CLOSE, {"which": self.order}).rowcount != 1:
            return done
        self.connection.execute(_GIVE_ALL_LINES, {"which": self.order})
        back, taken = self._coupons_back(), self._gifts_back()
        return self._told(replace(done, created=True, coupons_back=back, gifts_taken=taken))

    def _stored(self, row: Row[Any]) -> Refunded:
        detail = row.detail
        back = [(title, state) for title, state in detail["coupons"]]
        return Refunded(
            row.id, False, self.order, self.row.order_no, self.member, row.amount, row.cash_back, row.principal_back,
            row.gift_back, row.points_due, row.points_taken, back, detail["gifts"], detail["left"],
        )  # fmt: skip
