"""Redemptions and orders per second, beside the bare driver saying the very same statements; in turns within one run.

Each piece of work is a transaction of its own with the durability of the product's default, as a till's call is.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from sqlalchemy import Connection, make_url

from benchmarks import recorder
from benchmarks.postgres import postgres
from benchmarks.shop import KEYS, MASTER
from members import coupons, identity, orders, products, schema
from members.audit import Actor
from members.db import Database
from members.orders import Buyer, NewLine, NewOrder
from members.rules import BindingRules, CouponRule, LoyaltyRules, Rules, ShopRules, StaffRules
from members.vault import Vault, normalise_phone

SYNCHRONOUS = "FULL"
NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
TILL = Actor("api:1", None, "api:1")
RULE = CouponRule.model_validate({"title": "满100减20", "off": 20, "over": 100, "valid": "14 days"})
RULES = Rules(
    ShopRules(name="邻家生鲜"),
    LoyaltyRules.model_validate(
        {"tiers": [{"name": "普卡"}, {"name": "金卡", "spend_12_months": 3000, "earn_multiplier": 1.2}],
         "gifts": {"on_purchase": {"over": 200, "coupon": "off"}}}
    ),
    {"off": RULE}, BindingRules(), StaffRules(),
)  # fmt: skip
VAULT = Vault({"k1": MASTER})
ARTICLES, LINES = 200, 8
Work = Callable[[Connection, int], None]


@dataclass(frozen=True)
class Measured:
    """Pieces per second of one kind of work: the product, the driver alone, and their ratio, of each round."""

    name: str
    ours: list[float]
    bare: list[float]
    statements: float

    def line(self) -> str:
        """Return medians and the range of the ratio."""
        ratios = sorted(ours / bare for ours, bare in zip(self.ours, self.bare, strict=True))
        return (
            f"| {self.name} | {statistics.median(self.ours):,.0f} | {statistics.median(self.bare):,.0f} | "
            f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}–{ratios[-1]:.2f}) | {self.statements:.0f} |"
        )


def phone(number: int) -> str:
    """Return the phone of the member of this number."""
    return f"139{number:08d}"


def redeem(connection: Connection, number: int) -> None:
    """Redeem the coupon of a member."""
    coupons.redeem(connection, CODES[number], by=TILL.name, store=None, now=NOW)


def order(connection: Connection, number: int) -> None:
    """Take an order of a member: eight lines, points, gift rules, tier."""
    bought = [
        NewLine(f"sku{(number * 7 + line * 13) % ARTICLES}", f"商品{line}", 1 + line % 2, 990 + line * 10, 0)
        for line in range(LINES)
    ]
    new = NewOrder(
        f"T{number:08d}", "", None, Buyer("phone", phone(number)), NOW, bought, sum(line.amount for line in bought)
    )
    orders.take(connection, VAULT, RULES, new, app=KEYS.app_id, by=TILL, now=NOW)


CODES: dict[int, str] = {}


def fill(database: Database, members: int) -> None:
    """Put the shop in the books: members with a phone and a coupon each, articles."""
    schema.upgrade(database)
    with database.transaction() as connection:
        coupons.sync_templates(connection, RULES.coupons)
    for first in range(0, members, 500):
        with database.transaction() as connection:
            for number in range(first, min(first + 500, members)):
                _member(connection, number)
    with database.transaction() as connection:
        products.upsert(connection, [products.ProductRow(f"sku{n}", f"商品{n}") for n in range(ARTICLES)])


def _member(connection: Connection, number: int) -> None:
    member, key = identity.create(connection, VAULT, tier="普卡", now=NOW - timedelta(days=30))
    plain = normalise_phone(phone(number))
    index, sealed = VAULT.blind_index("phone", plain), VAULT.seal(key, "phone", plain)
    identity.add(connection, member, "phone", "", index, source="bench", now=NOW, sealed=sealed)
    issued = coupons.issue(
        connection, "off", RULE, member, key=f"bench:{number}", by="bench", reason="", zone=RULES.shop.zone, now=NOW
    )
    CODES[number] = issued.code


def measure(name: str, work: Work, urls: Sequence[str], pieces: int, rounds: int) -> Measured:
    """Take the statements down on one copy, then let product and driver do their rounds on two others in turns."""
    taped, ours, bare = urls
    database = Database(taped, synchronous="OFF")
    tape = recorder.recorded(database)
    with database.transaction() as connection:
        pass  # what a fresh connection is told belongs to no piece
    for number in range(pieces * rounds):
        tape.pieces.append([])
        with database.transaction() as connection:
            work(connection, number)
    database.dispose()
    product = Database(ours, synchronous=SYNCHRONOUS)
    raw, again = recorder.driver(bare, SYNCHRONOUS)
    found = Measured(name, [], [], statistics.mean(len(piece) for piece in tape.pieces))
    for first in range(0, pieces * rounds, pieces):
        start = time.perf_counter()
        for number in range(first, first + pieces):
            with product.transaction() as writing:
                work(writing, number)
        found.ours.append(pieces / (time.perf_counter() - start))
        start = time.perf_counter()
        for piece in tape.pieces[first : first + pieces]:
            again(piece)
        found.bare.append(pieces / (time.perf_counter() - start))
    raw.close()
    product.dispose()
    return found


@contextmanager
def sqlite_copies(folder: Path, members: int) -> Iterator[Callable[[str], list[str]]]:
    """Yield what makes three copies of one filled shop."""
    database = Database(f"sqlite:///{folder / 'shop.db'}", synchronous="OFF")
    fill(database, members)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.exec_driver_sql("BEGIN")
    database.dispose()

    def copies(name: str) -> list[str]:
        paths = [folder / f"{name}{n}.db" for n in range(3)]
        for path in paths:
            path.write_bytes((folder / "shop.db").read_bytes())
        return [f"sqlite:///{path}" for path in paths]

    yield copies


@contextmanager
def postgres_copies(folder: Path, members: int) -> Iterator[Callable[[str], list[str]]]:
    """Yield what makes three copies of one filled shop."""
    with postgres(folder) as server:
        plain = make_url(server).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(plain, autocommit=True) as admin:
            admin.execute("CREATE DATABASE shop")
            database = Database(make_url(server).set(database="shop").render_as_string(hide_password=False))
            fill(database, members)
            database.dispose()

            def copies(name: str) -> list[str]:
                names = [f"{name}{n}" for n in range(3)]
                for one in names:
                    admin.execute(f"CREATE DATABASE {one} TEMPLATE shop".encode())
                return [make_url(server).set(database=one).render_as_string(hide_password=False) for one in names]

            yield copies


def main() -> None:
    """Measure both kinds of work on both engines and print a table."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--pieces", type=int, default=300, help="a round")
    asked.add_argument("--rounds", type=int, default=5)
    given = asked.parse_args()
    members = given.pieces * given.rounds
    print("| | memberbot/s | driver alone/s | ratio (range) | statements |\n|---|---|---|---|---|")
    for engine, make in (("SQLite FULL", sqlite_copies), ("PostgreSQL", postgres_copies)):
        with tempfile.TemporaryDirectory(prefix="memberbot-bench-") as folder, make(Path(folder), members) as copies:
            for name, work in (("redeem", redeem), ("order", order)):
                measured = measure(f"{engine}, {name}", work, copies(name), given.pieces, given.rounds)
                print(measured.line(), flush=True)


if __name__ == "__main__":
    main()
