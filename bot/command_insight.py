"""The command line's looking-ahead part: what a member buys most, and what is due."""

from typing import Annotated, Any

import typer

from bot.command_shop import find
from bot.console import out, show
from bot.opening import DEFAULT, ConfigPath, Json, open_service
from bot.service import Service
from members.clock import business_date
from recommend import features, frequency, repurchase
from recommend.features import Bought


def recommend(
    ref: Annotated[str, typer.Argument(metavar="MEMBER", help="会员编号、手机号或 openid")],
    many: Annotated[int, typer.Option("-k", min=1, help="几个")] = 10,
    config: ConfigPath = DEFAULT,
    json: Json = False,
) -> None:
    """Print what a member buys most, recent purchases weighing more, and why."""
    service = open_service(config)
    bought, names, today = _bought(service, ref)
    rows = [
        {"item": names[habit.item], "score": round(habit.score, 4), "reason": habit.explain()}
        for habit in frequency.rank(bought, today, service.config.recommend)[:many]
    ]
    show(
        rows,
        json,
        lambda _: out("\n".join(f"{r['score']:.3f}\t{r['item']}\t{r['reason']}" for r in rows) or "还看不出习惯"),
    )


def repurchases(
    ref: Annotated[str, typer.Argument(metavar="MEMBER", help="会员编号、手机号或 openid")],
    config: ConfigPath = DEFAULT,
    json: Json = False,
) -> None:
    """Print a member's repurchase cycles, the next due first, with the confidence of each."""
    service = open_service(config)
    bought, names, _ = _bought(service, ref)
    found = [cycle for item, days in bought.items() if (cycle := repurchase.cycle(item, days)) is not None]
    rows: list[dict[str, Any]] = [
        {
            "category": names[cycle.item], "due": cycle.due.isoformat(), "gap_days": cycle.gap,
            "confidence": round(cycle.confidence, 3), "reason": cycle.explain(),
        }
        for cycle in sorted(found, key=lambda cycle: (cycle.due, cycle.item))
    ]  # fmt: skip
    lines = [f"{r['due']}\t{r['confidence']:.2f}\t{r['category']}\t{r['reason']}" for r in rows]
    show(rows, json, lambda _: out("\n".join(lines) or "还没有看得出周期的品类"))


def _bought(service: Service, ref: str) -> tuple[Bought, dict[str, str], Any]:
    shop, rules, now = service.config.shop, service.config.recommend, service.clock.now()
    with service.database.reading() as connection:
        member = find(service, connection, ref)
        names = features.category_names(connection)
        without = features.excluded_codes(rules, names)
        read = features.read(connection, [member], now=now, zone=shop.zone, rules=rules, without=without)
        found = dict(read)
    return found.get(member, {}), names, business_date(now, shop.zone)
