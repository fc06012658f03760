"""The command line's shop part: imports, members, segments, campaigns."""

import json as jsonlib
from dataclasses import asdict
from typing import Annotated, Any

import typer

from bot import demo
from bot.console import Bar, out, show
from bot.opening import DEFAULT, ConfigPath, Json, open_service, refuse
from bot.service import Service
from handlers.copy import yuan
from members import coupons, identity, ledger, merging, orders, tiers
from members import segments as books
from members.errors import MemberError
from members.vault import mask_phone, normalise_phone
from scheduler import applying, reports
from scheduler import plan as plans
from scheduler.campaigns import PlanError

imports = typer.Typer(help="导入数据", no_args_is_help=True)
segments = typer.Typer(help="人群", no_args_is_help=True)
campaigns = typer.Typer(help="营销活动", no_args_is_help=True)
members_of = typer.Typer(help="会员", no_args_is_help=True)


@imports.command("completejourney")
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


@segments.command("list")
def segment_list(config: ConfigPath = DEFAULT, json: Json = False) -> None:
    """List the segments of config.yaml with their head-counts."""
    service = open_service(config)
    rows = [{"name": name, "members": _count(service, name)} for name in service.config.segments]
    show(rows, json, lambda _: out("\n".join(f"{row['name']}\t{row['members']}" for row in rows)))


@segments.command("count")
def segment_count(name: str, config: ConfigPath = DEFAULT, json: Json = False) -> None:
    """Count the members of a segment."""
    service = open_service(config)
    found = _count(service, name)
    show({"name": name, "members": found}, json, lambda _: out(str(found)))


@segments.command("export")
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


@campaigns.command("list")
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


@campaigns.command("plan")
def campaign_plan(name: str, config: ConfigPath = DEFAULT, json: Json = False) -> None:
    """Choose whom, what, why and through which legal channel; nothing is sent."""
    service = open_service(config)
    try:
        plan = plans.make_plan(service.database, name, service.config.push_rules, service.clock.now())
    except PlanError as error:
        refuse(str(error))
    show(plan.as_dict(), json, lambda _: out(reports.plan_text(plan)))


@campaigns.command("apply")
def campaign_apply(plan: str, config: ConfigPath = DEFAULT, json: Json = False) -> None:
    """Put a plan's messages in the outbox; a stale plan is refused."""
    service = open_service(config)
    try:
        applied = applying.apply_plan(service.database, plan, service.config.push_rules, service.clock.now())
    except PlanError as error:
        refuse(str(error))
    show(asdict(applied), json, lambda _: out("\n".join(f"{k}\t{v}" for k, v in asdict(applied).items())))


@members_of.command("show")
def member_show(ref: str, config: ConfigPath = DEFAULT, json: Json = False) -> None:
    """Show a member by id, phone or openid; the phone is masked."""
    service = open_service(config)
    with service.database.reading() as connection:
        member = find(service, connection, ref)
        owned = ledger.balances(connection, member)
        now = service.clock.now()
        receipt = orders.last(connection, member)
        shown: dict[str, Any] = {
            "id": member,
            "tier": tiers.of_member(connection, member),
            "phone": mask_phone(identity.phone_of(connection, service.vault, member) or ""),
            "card": identity.card_of(connection, member),
            **owned,
            "coupons": [row.title for row in coupons.usable(connection, member, now)],
            "last_order": None
            if receipt is None
            else {"no": receipt.order_no, "at": receipt.at, "total": receipt.total},
        }
    words = {
        "会员": shown["id"], "等级": shown["tier"], "手机": shown["phone"], "卡号": shown["card"],
        "积分": owned["points"],
        "本金": yuan(owned["principal"]), "赠送": yuan(owned["gift"]), "可用券": "、".join(shown["coupons"]) or "无",
        "上次消费": f"{service.copy.moment(receipt.at)} {yuan(receipt.total)}" if receipt else "无",
    }  # fmt: skip
    show(shown, json, lambda _: out("\n".join(f"{k}\t{v}" for k, v in words.items())))


def find(service: Service, connection: Any, ref: str, *, merged: bool = False) -> int:
    """Return the member meant by an id, a phone, a card number or an openid; exits with 2 when there is none.

    The id of a member who was merged means whom they are part of now, unless `merged` asks for themselves.
    """
    found = identity.find(connection, "openid", ref, service.config.wechat.app_id)
    if found is None:
        found = identity.find(connection, "card", ref)
    if found is None and ref.isdigit() and len(ref) < 11:
        found = identity.existing(connection, int(ref))
    if found is None:
        try:
            found = identity.find_by_phone(connection, service.vault, normalise_phone(ref))
        except MemberError:
            found = None
    if found is None:
        refuse(f"没有找到会员「{ref}」(可以用会员编号、手机号或 openid)")
    return found if merged else merging.present(connection, found)
