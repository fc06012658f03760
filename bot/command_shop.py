"""The command line's shop part: imports, members, segments, campaigns."""

import json as jsonlib
from dataclasses import asdict
from typing import Annotated, Any

import typer

from bot import demo
from bot.console import Bar, Json, out, show
from bot.opening import DEFAULT, ConfigPath, open_service, refuse
from bot.service import Service
from members import segments as books
from scheduler import applying, reports
from scheduler import plan as plans
from scheduler.campaigns import PlanError


def import_completejourney(
    households: Annotated[int | None, typer.Option(min=1, help="只导入几个家庭(示范),不写则全部")] = None,
    shift_to_today: Annotated[bool, typer.Option("--shift-to-today", help="日期平移到昨天为止")] = False,
    config: ConfigPath = DEFAULT,
    json: Json = False,
) -> None:
    """Import the demo shop: real-looking purchases of 2,469 households over a year (data © 84.51°)."""
    service = open_service(config)
    with Bar() as bar:
        report = demo.bring_in(service, households, bar, shift=shift_to_today)
    show(jsonlib.loads(report.to_json()), json, lambda _: out(report.text()))


def segment_list(config: ConfigPath = DEFAULT, json: Json = False) -> None:
    """List the segments of config.yaml with their head-counts."""
    service = open_service(config)
    rows = [{"name": name, "members": _count(service, name)} for name in service.config.segments]
    show(rows, json, lambda _: out("\n".join(f"{row['name']}\t{row['members']}" for row in rows)))


def segment_count(name: str, config: ConfigPath = DEFAULT, json: Json = False) -> None:
    """Count the members of a segment."""
    service = open_service(config)
    found = _count(service, name)
    show({"name": name, "members": found}, json, lambda _: out(str(found)))


def segment_export(name: str, config: ConfigPath = DEFAULT, json: Json = False) -> None:
    """Print the member ids of a segment, one a line."""
    service = open_service(config)
    with service.database.reading() as connection:
        shop = service.config.shop
        found = books.members_of(connection, _segment(service, name), service.clock.now(), shop.zone)
    show(found, json, lambda _: out("\n".join(map(str, found))))


def _segment(service: Service, name: str) -> books.SegmentRule | None:
    if name == books.EVERYBODY:
        return None
    if name not in service.config.segments:
        refuse(f"没有叫「{name}」的人群。现有:{'、'.join([books.EVERYBODY, *service.config.segments])}")
    return service.config.segments[name]


def _count(service: Service, name: str) -> int:
    rule = _segment(service, name)
    with service.database.reading() as connection:
        return books.count(connection, rule, service.clock.now(), service.config.shop.zone)


def campaign_list(config: ConfigPath = DEFAULT, json: Json = False) -> None:
    """List the campaigns of config.yaml."""
    service = open_service(config)
    rows: list[dict[str, Any]] = [
        {"name": name, **rule.model_dump(mode="json", include={"kind", "to", "on", "channels"})}
        for name, rule in service.config.campaigns.items()
    ]
    lines = [
        f"{r['name']}\t{r['kind']}\t{r['to']}\t{'开' if r['on'] else '停'}\t{' → '.join(r['channels'])}" for r in rows
    ]
    show(rows, json, lambda _: out("\n".join(lines)))


def campaign_plan(name: str, config: ConfigPath = DEFAULT, json: Json = False) -> None:
    """Choose whom, what, why and through which legal channel; nothing is sent."""
    service = open_service(config)
    try:
        plan = plans.make_plan(service.database, name, service.config.push_rules, service.clock.now())
    except PlanError as error:
        refuse(str(error))
    show(plan.as_dict(), json, lambda _: out(reports.plan_text(plan)))


def campaign_apply(plan: str, config: ConfigPath = DEFAULT, json: Json = False) -> None:
    """Put a plan's messages in the outbox; a stale plan is refused."""
    service = open_service(config)
    try:
        applied = applying.apply_plan(service.database, plan, service.config.push_rules, service.clock.now())
    except PlanError as error:
        refuse(str(error))
    show(asdict(applied), json, lambda _: out("\n".join(f"{k}\t{v}" for k, v in asdict(applied).items())))
