"""A shop whose members buy by the clock: enough receipts for the models, made by one fixed seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import insert, select

from members import identity
from members.bulk import insert_rows, take_ids
from members.tables import Category, Order, OrderLine, Product, table
from recommend.registry import Workshop
from recommend.store import Store
from tests.scheduler.small_shop import MONDAY, ZONE, SmallShop

TODAY = date(2026, 11, 16)
DAYS, MEMBERS = 160, 40
GOODS = {"coffee": ("咖啡", 10, 1), "grain": ("米面", 21, 2), "sweets": ("糖果", 0, 0), "bread": ("面包", 0, 0)}
KINDS = 3  # articles a category


@dataclass(frozen=True)
class NightShop:
    """The small shop with a year of habits, and its recommender."""

    shop: SmallShop
    store: Store
    members: list[int]
    product: dict[str, int]

    def workshop(self) -> Workshop:
        """The recommender's workshop of this morning."""
        log, shelf = self.store.read(MONDAY)
        return Workshop(self.store.folder, log, shelf, (TODAY - date(1970, 1, 1)).days)

    def buys(self, member: int, day: date, *skus: str, hour: int = 12) -> int:
        """One receipt; returns its row id."""
        return write(self.shop, [(member, day, [self.product[sku] for sku in skus])], hour=hour)[0]


def write(shop: SmallShop, receipts: Sequence[tuple[int | None, date, list[int]]], *, hour: int = 12) -> list[int]:
    """Receipts with one piece of each article, ten yuan a piece."""
    orders, lines = table(Order), table(OrderLine)
    names = ("id", "scope", "order_no", "member_id", "buyer", "at", "day", "total", "discount", "refunded",
             "paid_principal", "paid_gift", "state", "source", "by", "digest")  # fmt: skip
    with shop.database.transaction() as connection:
        ids = take_ids(connection, orders, len(receipts))
        heads = [
            (number, "", f"n{number}", member, "", datetime.combine(day, time(hour), ZONE), day, 1000 * len(goods), 0,
             0, 0, 0, "paid", "test", "test", "")
            for number, (member, day, goods) in zip(ids, receipts, strict=True)
        ]  # fmt: skip
        insert_rows(connection, orders, names, heads)
        rows = [
            (number, place, product, 1, 1000, 0, 0, 0)
            for number, (_, _, goods) in zip(ids, receipts, strict=True)
            for place, product in enumerate(goods, 1)
        ]
        columns = ("order_id", "line_no", "product_id", "quantity", "amount", "discount", "refunded_quantity",
                   "refunded_amount")  # fmt: skip
        insert_rows(connection, lines, columns, rows)
    return ids


def open_night_shop(shop: SmallShop, folder: Path) -> NightShop:
    """Fill the small shop: coffee every 10 days, grain every 21, sweets and bread at random."""
    with shop.database.transaction() as connection:
        connection.execute(insert(table(Category)), [
            {"code": code, "name": name, "department": ""} for code, (name, _, _) in GOODS.items()
        ])  # fmt: skip
        connection.execute(insert(table(Product)), [
            {"sku": f"{code}-{kind}", "name": f"{name}{kind}号", "category": code, "own_brand": kind == 1,
             "active": True, "type": name, "price": 1000}
            for code, (name, _, _) in GOODS.items()
            for kind in range(1, KINDS + 1)
        ])  # fmt: skip
        goods = table(Product)
        product = {row.sku: row.id for row in connection.execute(select(goods.c.sku, goods.c.id))}
        members = [identity.create(connection, shop.vault, tier="普卡", now=MONDAY - timedelta(days=400))[0]
                   for _ in range(MEMBERS)]  # fmt: skip
    write(shop, _receipts(members, product))
    return NightShop(shop, Store(shop.database, shop.rules.recommend, folder, ZONE), members, product)


def _receipts(members: list[int], product: dict[str, int]) -> list[tuple[int, date, list[int]]]:
    random = np.random.default_rng(11)
    baskets: dict[tuple[int, date], list[int]] = {}

    def put(member: int, ago: int, code: str, kind: int) -> None:
        basket = baskets.setdefault((member, TODAY - timedelta(days=ago)), [])
        if product[f"{code}-{kind}"] not in basket:
            basket.append(product[f"{code}-{kind}"])

    for place, member in enumerate(members):
        kind = 1 + place % KINDS
        for code in ("coffee", "grain"):
            _, gap, slack = GOODS[code]
            ago = 1 + int(random.integers(gap))
            while ago < DAYS:
                put(member, ago, code, kind)
                ago += gap + int(random.integers(-slack, slack + 1))
        for ago in range(1, DAYS):
            if random.random() < 0.2:
                put(member, ago, "bread", 1 + (place + 1) % KINDS)
                if random.random() < 0.5:
                    put(member, ago, "sweets", 1 + int(random.integers(KINDS)))
    return [(member, day, goods) for (member, day), goods in sorted(baskets.items())]


def rows(connection: Any, of: Any) -> list[Any]:
    """Every row of a table by its key."""
    return list(connection.execute(select(of).order_by(*of.primary_key.columns)))
