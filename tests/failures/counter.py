"""What the tests of known failures do at the counter again and again."""

from datetime import datetime
from typing import Any

import httpx
from sqlalchemy import Connection, select, update

from members import coupons, ledger
from members.tables import Coupon, Member, table
from tests.failures.conftest import PHONE
from tests.support.acting import issue
from tests.support.shop import Shop
from tests.support.till import Till

ANNA = 1
copies, members = table(Coupon), table(Member)


def owned(shop: Shop, member: int = ANNA) -> dict[str, int]:
    """What the member owns, where it is not zero."""
    with shop.service.database.reading() as connection:
        return {kind: many for kind, many in ledger.balances(connection, member).items() if many}


def states(shop: Shop, template: str) -> list[str]:
    """The states of all copies of a template."""
    wanted = select(copies.c.state).where(copies.c.template == template).order_by(copies.c.id)
    with shop.service.database.reading() as connection:
        return list(connection.scalars(wanted))


def buy(till: Till, number: str, total: object, **more: Any) -> httpx.Response:
    """The member buys something in the first store."""
    body = {"order_no": number, "store": "s1", "buyer": {"kind": "phone", "value": PHONE}, "total": total}
    return till.post("/orders", body | more)


def refund(till: Till, number: str, refund_no: str, amount: int | None = None) -> httpx.Response:
    """Money goes back on a sale: so much, or all that is left."""
    body: dict[str, Any] = {"refund_no": refund_no, "store": "s1"}
    return till.post(f"/orders/{number}/refund", body if amount is None else body | {"amount": amount})


def new_coupon(shop: Shop, template: str = "off-20-over-100", key: str = "coupon") -> coupons.Issued:
    """The member gets a coupon."""
    return issue(shop, ANNA, template, key=key)


def exchange(shop: Shop) -> str:
    """The member exchanges points for the soup, up to the last question; return it."""
    said = shop.talker("o-anna").say("兑换")
    return said if "要用" in said else shop.talker("o-anna").say("1")


def night(shop: Shop) -> None:
    """The night's jobs run."""
    with shop.service.database.transaction() as connection:
        ledger.expire_points(connection, shop.clock.now())
        coupons.expire_due(connection, shop.clock.now())


def to_day(shop: Shop, text: str) -> None:
    """Move the clock to an instant."""
    shop.clock.move_to(datetime.fromisoformat(text))


def born(connection: Connection, day: Any) -> None:
    """The member's birthday."""
    connection.execute(update(members).where(members.c.id == ANNA).values(birthday=day))
