"""One thing, a thousand hands in two processes: exactly one gets it, every other gets one clear answer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from members import auditing, balance, coupons, ledger, points, replay
from members.db import Database
from members.tables import Coupon, table
from members.vault import generate_key
from tests.faults.racers import HANDS, RULES, buy, pay
from tests.faults.racing import race
from tests.properties.world import START, TILL, ZONE, World, add_member, open_world
from tests.support.acting import hire
from tests.support.shop import open_shop

MANY, DOORS = 1000, 80
FEN, POINTS = 100_00, 77
MASTER = generate_key()
COUPONS = table(Coupon)
pytestmark = pytest.mark.slow


@pytest.fixture
def books(books_url: str) -> Iterator[World]:
    """Books with the templates of a race; sound afterwards."""
    database = Database(books_url)
    yield open_world(database, RULES, MASTER)
    with database.reading() as connection:
        assert auditing.breaches(connection, now=START) == []
        assert replay.rebuild(connection) == replay.stored(connection)
    database.dispose()


def facts(world: World, members: int = 1, **more: Any) -> dict[str, Any]:
    """What each process is told."""
    ids = [add_member(world, number, START) for number in range(members)]
    return {"members": ids, "now": START.isoformat(), "fen": FEN, "points": POINTS, "master": MASTER, **more}


def rich(world: World) -> dict[str, Any]:
    """A member with balance and points for one deed, and a sale of just as much."""
    told = facts(world)
    (member,) = told["members"]
    with world.database.transaction() as connection:
        points.give(connection, RULES, member, POINTS, key="p", kind="gift", by=TILL, reason="t", now=START)
        balance.top_up(connection, RULES, member, FEN - 10_00, key="one", by=TILL, now=START)
        balance.top_up(connection, RULES, member, 10_00, key="two", by=TILL, now=START)
    return told


def owned(world: World, member: int) -> dict[str, int]:
    """What the member owns, where it is not zero."""
    with world.database.reading() as connection:
        return {kind: many for kind, many in ledger.balances(connection, member).items() if many}


def count(world: World, *where: Any) -> int:
    """How many coupons satisfy the conditions."""
    with world.database.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(COUPONS).where(*where)).scalar_one())


def test_one_coupon_is_redeemed_once(books_url: str, books: World) -> None:
    told, rule = facts(books), RULES.coupons["last"]
    with books.database.transaction() as connection:
        made = coupons.issue(
            connection, "last", rule, told["members"][0], key="k", by="t", reason="t", zone=ZONE, now=START
        )
    endings = race(books_url, ["redeem"], told | {"code": made.code}, MANY)
    assert endings == {"won": 1, "coupon_used": MANY - 1}
    assert count(books, COUPONS.c.state == "redeemed") == 1


@pytest.mark.parametrize(
    ("template", "members", "refusal"),
    [("last", 8, "template_empty"), ("budget", 8, "coupon_budget"), ("single", 1, "coupon_limit")],
)
def test_one_copy_is_issued_once(books_url: str, books: World, template: str, members: int, refusal: str) -> None:
    """Stock for one, budget for one, one per member."""
    endings = race(books_url, ["issue"], facts(books, members, template=template), MANY)
    assert endings == {"won": 1, refusal: MANY - 1}
    assert count(books, COUPONS.c.template == template) == 1


def test_a_balance_is_spent_once(books_url: str, books: World) -> None:
    """One process pays, the other rings up sales: the money is there for one of them."""
    told = rich(books)
    assert race(books_url, ["pay", "buy"], told, MANY) == {"won": 1, "insufficient": MANY - 1}
    assert owned(books, told["members"][0]).keys() <= {"points"}


def test_points_are_spent_once(books_url: str, books: World) -> None:
    told = rich(books)
    assert race(books_url, ["spend"], told, MANY) == {"won": 1, "insufficient": MANY - 1}
    assert owned(books, told["members"][0]) == {"principal": FEN}


def test_a_sale_is_refunded_once(books_url: str, books: World) -> None:
    told = rich(books)
    with books.database.transaction() as connection:
        buy(connection, told, "sale")
    assert race(books_url, ["refund"], told, MANY) == {"won": 1, "refund_too_much": MANY - 1}
    assert owned(books, told["members"][0]) == {"principal": FEN, "points": POINTS}


def test_a_balance_is_spent_once_by_chat_and_till_together(tmp_path: Path, books_url: str) -> None:
    """Four cashiers type while four tills ring up, through the signed callback and the REST part."""
    changes = {
        "shop": {"stores": [{"id": "s1", "name": "一店"}]}, "privacy": {"keys": {"k1": MASTER}},
        "staff": {"limits": {"cashier": {"coupons_per_shift": 5}}},
    }  # fmt: skip
    with open_shop(tmp_path, books_url, changes) as shop:
        member = shop.member("+8613800138000", principal=FEN, openid="o-anna")
        for hand in range(HANDS):
            hire(shop, f"o-cashier-{hand}", store="s1")
        told = {"changes": changes, "phone": "13800138000", "fen": FEN}
        assert race(books_url, ["chat", "till"], told, DOORS) == {"won": 1, "insufficient": DOORS - 1}
        with shop.service.database.reading() as connection:
            assert ledger.balances(connection, member)["principal"] == 0
            assert auditing.breaches(connection, now=shop.clock.now()) == []


def test_the_hands_do_pay(books: World) -> None:
    """A race whose deed never works would prove nothing."""
    told = rich(books)
    with books.database.transaction() as connection:
        assert pay(connection, told, "1") is not None
