"""The command line's boards: who carries the sales, and what goes with what."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from bot.command_models import STAGES
from bot.console import out, show
from bot.opening import DEFAULT, ConfigPath, Json, open_service, refuse
from handlers.copy import yuan

if TYPE_CHECKING:
    from recommend.boards import ValueBoard
    from recommend.books import Shelf
    from recommend.matrix import PurchaseLog
    from recommend.store import Store


def value(config: ConfigPath = DEFAULT, json: Json = False) -> None:
    """Say how sales fall on members in the last year: deciles, life cycle, RFM, own brand."""
    from recommend import boards, standing

    store, log, shelf, today = _read(config)
    board = boards.value_board(log, today, standing.of(log, today, shelf, store.scheme(log, today)))
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

    _, log, shelf, today = _read(config)
    pairs, steps = boards.together(log, today, shelf), boards.steps(log, today, shelf)
    lines = ["一起买(近半年)\t是巧合的几倍\t一起的小票\t买前者时也买后者"]
    lines += [f"{one.first} + {one.second}\t{one.beyond}\t{one.baskets}\t{one.share:.1%}" for one in pairs]
    lines += ["升级\t可推荐的会员\t估计会买\t每件多"]
    lines += [f"{one.usual} → {one.dearer}\t{one.members}\t{one.chance:.1%}\t{yuan(one.extra)}" for one in steps]
    found = {"together": [asdict(one) for one in pairs], "steps": [asdict(one) for one in steps]}
    show(found, json, lambda _: out("\n".join(lines)))


def _read(config: Path) -> tuple["Store", "PurchaseLog", "Shelf", int]:
    from members.clock import business_date
    from recommend.books import day_number
    from recommend.matrix import BadPurchases
    from recommend.store import Store

    service = open_service(config)
    shop, now = service.config.shop, service.clock.now()
    store = Store(service.database, service.config.recommend, service.models, shop.zone, shop.day_start)
    today = day_number(business_date(now, shop.zone))
    try:
        log, shelf = store.read(now)
    except BadPurchases:
        refuse("还没有会员的购买记录")
    if not len(log.before(today)):
        refuse("今天以前还没有会员的购买记录")
    return store, log, shelf, today
