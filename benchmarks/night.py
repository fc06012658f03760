"""The recommender's night end to end: books of so many members, 20 lines each, read, learnt from, scored and written.

Run: python3 dev.py bench night -- 10000 100000

Then 推荐 is asked for a thousand of them. Prints wall seconds and seconds of CPU per step, the size of the books and
the process's peak memory. Members are those of next_basket_growth; SQLite with `synchronous: FULL`.
"""

import argparse
import statistics
import time
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import insert

from benchmarks.next_basket import peak_memory
from benchmarks.next_basket_growth import DAYS, ITEMS, shop
from members import schema
from members.bulk import insert_rows
from members.db import Database
from members.people import MemberView
from members.tables import Category, Member, Order, OrderLine, Product, table
from recommend import serving
from recommend.rules import RecommendRules
from recommend.store import Store

ZONE, NOW = ZoneInfo("Asia/Shanghai"), datetime(2026, 11, 16, 2, tzinfo=UTC)
CATEGORIES, ASKED, PORTION = 100, 1000, 200_000


def main() -> None:
    """Run each size in a process of its own, so that its peak memory is its own."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("members", type=int, nargs="*", default=[10_000])
    for members in given.parse_args().members:
        with TemporaryDirectory() as folder:
            for work in (fill, night):  # filling is no part of the night, and must not count in its memory
                with get_context("spawn").Pool(1) as pool:
                    pool.apply(work, (Path(folder), members))


def books(folder: Path) -> Database:
    """Return the books in a folder."""
    return Database(f"sqlite:///{folder / 'books.db'}")


def price(item: int) -> int:
    """Return what an item costs, 分: a type has cheap and dear ones."""
    return 500 + 250 * (item // (3 * CATEGORIES) % 5)


def fill(folder: Path, members: int) -> None:
    """Write the books of a shop."""
    database = books(folder)
    schema.upgrade(database)
    log, began = shop(members), NOW - timedelta(days=DAYS)
    with database.transaction() as connection:
        connection.execute(insert(table(Category)), [
            {"code": f"c{number}", "name": f"品类{number}", "department": ""} for number in range(CATEGORIES)
        ])  # fmt: skip
        connection.execute(insert(table(Product)), [
            {"id": number + 1, "sku": f"s{number}", "name": f"商品{number}", "category": f"c{number % CATEGORIES}",
             "type": f"t{number % (3 * CATEGORIES)}", "own_brand": number % 5 == 0, "active": True,
             "price": price(number)}
            for number in range(ITEMS)
        ])  # fmt: skip
        people = [(number + 1, began, "active", "", True, 0, b"") for number in range(members)]
        insert_rows(connection, table(Member), ("id", "created_at", "state", "tier", "personalised", "chain_seq",
                                                "chain_hash"), people)  # fmt: skip
    first = np.ones(len(log), dtype=np.bool_)
    first[1:] = (np.diff(log.member) != 0) | (np.diff(log.day) != 0)
    order = np.cumsum(first)
    for start in range(0, len(log), PORTION):
        rows = slice(start, start + PORTION)
        _write(database, order[rows], first[rows], log.members[log.member[rows]] + 1, log.day[rows],
               log.items[log.item[rows]] + 1, start)  # fmt: skip
    database.dispose()
    size = (folder / "books.db").stat().st_size / 2**20
    print(f"\n{members:,} members, {len(log):,} lines, {size:,.0f} MiB of books", flush=True)


def _write(
    database: Database, order: np.ndarray, first: np.ndarray, member: np.ndarray, day: np.ndarray, item: np.ndarray,
    start: int,
) -> None:  # fmt: skip
    heads = []
    for number, who, ago in zip(order[first].tolist(), member[first].tolist(), day[first].tolist(), strict=True):
        at = NOW - timedelta(days=DAYS - ago)
        heads.append((number, "", f"n{number}", who, "", at, at.date(), 1000, 0, 0, 0, 0, "paid", "", "", ""))
    columns = ("id", "scope", "order_no", "member_id", "buyer", "at", "day", "total", "discount", "refunded",
               "paid_principal", "paid_gift", "state", "source", "by", "digest")  # fmt: skip
    lines = [
        (owner, start + place, product, 1, price(product - 1), 0, 0, 0)
        for place, (owner, product) in enumerate(zip(order.tolist(), item.tolist(), strict=True))
    ]
    names = ("order_id", "line_no", "product_id", "quantity", "amount", "discount", "refunded_quantity",
             "refunded_amount")  # fmt: skip
    with database.transaction() as connection:
        insert_rows(connection, table(Order), columns, heads)
        insert_rows(connection, table(OrderLine), names, lines)


def night(folder: Path, members: int) -> None:
    """Do one night with a fit, then ask for suggestions."""
    database, rules = books(folder), RecommendRules()
    began, cpu = time.perf_counter(), time.process_time()
    seen: list[str] = []

    def told(what: str, done: int, total: int | None) -> None:
        if what not in seen:
            seen.append(what)
            print(f"  {time.perf_counter() - began:7.1f} s  {what} …", flush=True)

    done = Store(database, rules, folder / "models", ZONE).run(NOW, told=told)
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    print(f"  {done.line()}")
    print(
        f"  night: {wall:.1f} s, CPU {cpu:.1f} s, {1000 * cpu / members:.2f} ms a member, peak {peak_memory():,.0f} MiB"
    )
    with database.reading() as connection:
        asked = np.random.default_rng(1).integers(1, members + 1, ASKED).tolist()
        waits = []
        for member in asked:
            at = time.perf_counter()
            serving.suggest(connection, rules, MemberView(member, "", True), now=NOW, zone=ZONE)
            waits.append(1000 * (time.perf_counter() - at))
    cuts = statistics.quantiles(waits, n=100)
    print(f"  推荐: p50 {cuts[49]:.2f} ms, p99 {cuts[98]:.2f} ms")
    database.dispose()


if __name__ == "__main__":
    main()
