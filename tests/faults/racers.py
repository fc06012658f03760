"""What each hand of a race does, once a turn; `turn` tells the turns of all hands apart."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from members import balance, coupons, orders, points, refunds
from members.db import Database
from members.errors import MemberError
from members.orders import Buyer, NewOrder
from members.refunds import NewRefund
from members.rules import Rules
from members.vault import Vault
from tests.properties import world

Turn = Callable[[str], str]
HANDS = 4
RULES: Rules = world.rules(
    extra={
        "last": {"title": "最后一张", "off": 1, "stock": 1},
        "budget": {"title": "预算一张", "off": 7, "budget": 10},
        "single": {"title": "每人一张", "off": 1, "per_member": 1},
    }
)


def redeem(connection: Connection, facts: dict[str, Any], turn: str) -> object:
    """Redeem the coupon everybody has the code of."""
    return coupons.redeem(connection, facts["code"], by=f"till:{turn}", store=None, now=moment(facts))


def issue(connection: Connection, facts: dict[str, Any], turn: str) -> object:
    """Issue a copy of the template to one of the members, each turn under a key of its own."""
    members = facts["members"]
    member = members[sum(map(int, turn.split("."))) % len(members)]
    return coupons.issue(
        connection, facts["template"], RULES.coupons[facts["template"]], member, key=f"race:{turn}", by="race",
        reason="race", zone=world.ZONE, now=moment(facts),
    )  # fmt: skip


def pay(connection: Connection, facts: dict[str, Any], turn: str) -> object:
    """Pay all of the balance."""
    (member,) = facts["members"]
    return balance.pay(connection, RULES, member, facts["fen"], key=f"pay:{turn}", by=world.TILL, now=moment(facts))


def buy(connection: Connection, facts: dict[str, Any], turn: str) -> object:
    """Take a sale that is paid with all of the balance."""
    (member,), fen, now = facts["members"], facts["fen"], moment(facts)
    order = NewOrder(turn, "s1", "s1", Buyer("member", str(member)), now, (), fen, 0, fen)
    return orders.take(connection, Vault({"k1": facts["master"]}), RULES, order, app=world.APP, by=world.TILL, now=now)


def refund(connection: Connection, facts: dict[str, Any], turn: str) -> object:
    """Give all of the sale back, each turn under a number of its own."""
    now = moment(facts)
    wanted = NewRefund("s1", "sale", turn, facts["fen"], (), now)
    return refunds.refund(connection, Vault({"k1": facts["master"]}), RULES, wanted, by=world.TILL, now=now)


def spend(connection: Connection, facts: dict[str, Any], turn: str) -> object:
    """Spend all points."""
    (member,) = facts["members"]
    return points.spend(
        connection, member, facts["points"], key=f"spend:{turn}", by=world.TILL, reason="race", now=moment(facts)
    )


def moment(facts: dict[str, Any]) -> datetime:
    """When the race is run."""
    return datetime.fromisoformat(facts["now"])


BOOKS = {"redeem": redeem, "issue": issue, "pay": pay, "buy": buy, "refund": refund, "spend": spend}


@contextmanager
def in_the_books(url: str, deed: str, facts: dict[str, Any]) -> Iterator[Turn]:
    """Each turn is one transaction of the books."""
    database = Database(url, pool_size=HANDS)

    def turn(number: str) -> str:
        try:
            with database.transaction() as connection:
                BOOKS[deed](connection, facts, number)
        except MemberError as refusal:
            return refusal.code
        return "won"

    yield turn
    database.dispose()


def ready(url: str, deed: str, facts: dict[str, Any]) -> AbstractContextManager[Turn]:
    """What runs the turns of a deed."""
    if deed in BOOKS:
        return in_the_books(url, deed, facts)
    from tests.faults.racers_doors import at_the_front_door  # the whole app: most races do without

    return at_the_front_door(url, deed, facts)
