"""The command line's boards: who carries the sales, what goes with what, and what lies."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.command_models import STAGES
from bot.console import Json, out, show
from bot.opening import DEFAULT, ConfigPath, open_service, refuse
from handlers.copy import yuan

COVER, WINDOW, MOST = 120.0, 90, 20

if TYPE_CHECKING:
    from recommend.baskets import Goods
    from recommend.boards import Lying, ValueBoard
    from recommend.books import Shelf
    from recommend.matrix import PurchaseLog
    from recommend.store import Store


def value(config: ConfigPath = DEFAULT, json: Json = False) -> None:
    """Say how sales fall on members in the last year: deciles, life cycle, RFM, own brand."""
    from recommend import boards, standing
    from recommend.matrix import BadPurchases

    store, today, now = _opened(config)
    try:
        receipts = store.receipts(now)
    except BadPurchases:
        refuse("还没有会员的购买记录")
    if not len(receipts.before(today)):
        refuse("今天以前还没有会员的购买记录")
    try:
        bought, shelf = store.read(now)
    except BadPurchases:  # receipts without articles
        where = standing.of(receipts, today, store.scheme(receipts, today))
    else:
        where = standing.of(receipts, today, store.scheme(receipts, today), bought=bought, shelf=shelf)
    board = boards.value_board(receipts, today, where)
    show(board.as_dict(), json, lambda _: out("\n".join(_value_lines(board))))


def _value_lines(board: "ValueBoard") -> list[str]:
    rows = ["十分位\t会员\t消费\t占比\t累计\t服务"]
    rows += [
        f"{row.decile}\t{row.members}\t{yuan(row.amount)}\t{row.share:.1%}\t{row.cumulative:.1%}\t{row.level}"
        for row in board.concentration.rows
    ]
    parts = {
        "生命周期": {STAGES.get(word, word): many for word, many in board.stages.items()},
        f"RFM({board.rfm_version})": board.rfm, "自有品牌": board.loyalty,
    }  # fmt: skip
    told = [
        f"{name}\t{'、'.join(f'{word} {many}' for word, many in sorted(part.items(), key=lambda one: -one[1]))}"
        for name, part in parts.items()
        if part
    ]
    return [board.concentration.explain(), *rows, *told]


def habits(config: ConfigPath = DEFAULT, json: Json = False) -> None:
    """Say which articles go together beyond chance, and to which dearer ones members step up."""
    from recommend import boards

    _, log, shelf, today, _ = _read(config)
    pairs, steps = boards.together(log, today, shelf), boards.steps(log, today, shelf)
    lines = ["同一天一起买(近半年)\t是巧合的几倍\t几回(会员 × 天)\t买前者那天也买后者"]
    lines += [f"{one.first} + {one.second}\t{one.beyond}\t{one.baskets}\t{one.share:.1%}" for one in pairs]
    lines += ["升级\t可推荐的会员\t估计会买\t每件多"]
    lines += [f"{one.usual} → {one.dearer}\t{one.members}\t{one.chance:.1%}\t{yuan(one.extra)}" for one in steps]
    found = {"together": [asdict(one) for one in pairs], "steps": [asdict(one) for one in steps]}
    show(found, json, lambda _: out("\n".join(lines)))


def slow(
    file: Annotated[Path, typer.Argument(metavar="STOCK.csv", help="库存表:商品编码、库存,CSV 或 Parquet")],
    cover: Annotated[float, typer.Option(min=0, help="照近来的卖法,超过几天才卖得完算滞销")] = COVER,
    window: Annotated[int, typer.Option(min=1, max=3650, help="看近几天卖了多少")] = WINDOW,
    most: Annotated[int, typer.Option(min=1, help="最多列几样")] = MOST,
    config: ConfigPath = DEFAULT,
    json: Json = False,
) -> None:
    """Say which articles of a stock list lie longest, and which article each could be bundled with."""
    from members.importing import tabular_stock
    from members.importing.tabular import TableError
    from recommend import baskets, boards

    try:
        stock = tabular_stock.read(file)
    except TableError as error:
        refuse(str(error))
    store, log, shelf, today, now = _read(config)
    with store.database.reading() as connection:
        known: dict[str, Goods | None] = {}
        baskets.look_up(connection, known, set(stock))
        sold = baskets.pieces_sold(connection, now=now, zone=store.zone, days=window)
    goods = {sku: one for sku, one in known.items() if one is not None}
    found = boards.lying(log, today, shelf, goods, stock, sold, window=window, cover=cover, most=most)
    missing = sorted(set(stock) - goods.keys())
    show(
        {"slow": [asdict(one) for one in found], "unknown": missing}, json,
        lambda _: out("\n".join(_slow_lines(found, missing, window))),
    )  # fmt: skip


def _slow_lines(found: "list[Lying]", missing: list[str], window: int) -> list[str]:
    lines = [f"滞销\t库存\t近{window}天卖出\t还要卖几天\t可以搭\t是巧合的几倍\t原价合计"]
    for one in found:
        days = "卖不动" if one.cover is None else f"{one.cover:.0f}"
        partner = f"{one.partner_name}({one.partner})\t{one.beyond}" if one.partner else "—\t—"
        price = "—" if one.price is None else yuan(one.price)
        lines.append(f"{one.name}({one.sku})\t{one.stock}\t{one.sold}\t{days}\t{partner}\t{price}")
    lines += [] if found else ["没有滞销的商品"]
    return lines + ([f"不认识的商品编码 {len(missing)} 个:{'、'.join(missing[:5])}"] if missing else [])


def _opened(config: Path) -> tuple["Store", int, datetime]:
    """Return the recommender of the installation, today as a day number, and now."""
    from members.clock import business_date
    from recommend.books import day_number
    from recommend.store import Store

    service = open_service(config)
    shop, now = service.config.shop, service.clock.now()
    store = Store(service.database, service.config.recommend, service.models, shop.zone, shop.day_start)
    return store, day_number(business_date(now, shop.zone)), now


def _read(config: Path) -> tuple["Store", "PurchaseLog", "Shelf", int, datetime]:
    from recommend import books
    from recommend.matrix import BadPurchases

    store, today, now = _opened(config)
    try:
        log, shelf = store.read(now)
    except BadPurchases:
        with store.database.reading() as connection:
            refuse(books.nothing(connection, "还没有会员的购买记录"))
    if not len(log.before(today)):
        refuse("今天以前还没有会员的购买记录")
    return store, log, shelf, today, now
