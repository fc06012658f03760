"""The command line's looking-ahead part: what a member may want next, and what is due."""

from dataclasses import asdict
from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from bot.console import Json, out, show
from bot.finding import find
from bot.opening import DEFAULT, ConfigPath, open_service, refuse
from bot.service import Service
from members import people
from members.clock import business_date
from recommend import features, repurchase, scored, serving

KINDS = {"repurchase": "该补货", "habit": "常买", "alike": "相近的人", "companion": "搭配", "popular": "热门"}


def recommend(
    ref: Annotated[str, typer.Argument(metavar="MEMBER", help="会员编号、手机号或 openid")],
    many: Annotated[int, typer.Option("-k", min=1, help="几个")] = 10,
    config: ConfigPath = DEFAULT,
    json: Json = False,
) -> None:
    """Print what a member may want next, one article a category, and why."""
    service = open_service(config)
    with service.database.reading() as connection:
        member = people.view(connection, find(service, connection, ref))
        found = serving.suggest(
            connection, service.config.recommend, member, now=service.clock.now(), zone=service.config.shop.zone, k=many
        )
    rows = [asdict(one) for one in found]
    lines = [
        f"{one.score_long:.3f}\t{one.score_short:.3f}\t{KINDS[one.kind]}\t{one.name}\t{one.reason}" for one in found
    ]
    show(rows, json, lambda _: out("\n".join(lines) or "还看不出习惯"))


def repurchases(
    ref: Annotated[str, typer.Argument(metavar="MEMBER", help="会员编号、手机号或 openid")],
    config: ConfigPath = DEFAULT,
    json: Json = False,
) -> None:
    """Print a member's repurchase cycles, the next due first, with the confidence of each."""
    service = open_service(config)
    with service.database.reading() as connection:
        member = find(service, connection, ref)
        if not people.view(connection, member).personalised:
            refuse("这位会员不要个性化(或已注销),不看购买周期")
        rows = _cycles(service, connection, member)
    rows.sort(key=lambda row: (row["due"], row["category"]))
    lines = [f"{row['due']}\t{row['confidence']:.2f}\t{row['category']}\t{row['reason']}" for row in rows]
    show(rows, json, lambda _: out("\n".join(lines) or "还没有看得出周期的品类"))


def _cycles(service: Service, connection: Connection, member: int) -> list[dict[str, Any]]:
    """Return the forecast of the night, or without one the cycles by counts; `by` says which."""
    shop, rules, now = service.config.shop, service.config.recommend, service.clock.now()
    names = features.category_names(connection)
    without = features.excluded_codes(rules, names)
    row = scored.read(connection, [member], business_date(now, shop.zone), now).get(member)
    if row is not None and row.score.cycles is not None:
        return [
            {
                "category": names.get(one.category, one.category), "due": one.due.isoformat(), "gap_days": one.gap,
                "confidence": round(one.chance, 3), "reason": one.explain(), "by": "timing",
            }
            for one in row.cycles()
            if one.category not in without
        ]  # fmt: skip
    bought = dict(features.read(connection, [member], now=now, zone=shop.zone, rules=rules, without=without))
    found = [repurchase.cycle(item, days) for item, days in bought.get(member, {}).items()]
    return [
        {
            "category": names[one.item], "due": one.due.isoformat(), "gap_days": one.gap,
            "confidence": round(one.confidence, 3), "reason": one.explain(), "by": "counts",
        }
        for one in found
        if one is not None
    ]  # fmt: skip
