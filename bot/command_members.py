"""The command line's word on who is who: a member, members merged and parted, their history, and the audit trail."""

import json as jsonlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from bot.console import Json, out, show
from bot.finding import find
from bot.opening import DEFAULT, ConfigPath, open_service, refuse
from bot.service import Service
from handlers.copy import yuan
from handlers.privacy_copy import STAGES
from members import (
    audit,
    coupons,
    erasing,
    exporting,
    forgetting,
    identity,
    ledger,
    merging,
    merging_history,
    notices,
    orders,
    scores,
    tiers,
)
from members.audit import Actor, Trace
from members.errors import MemberError
from members.merging_history import History
from members.scores import Score
from members.vault import mask_phone

BY = Actor("cli", origin="cli")
KINDS = {"phone": "手机", "card": "卡号", "openid": "微信", "shop": "客户号"}
NAMES = {
    "points": "积分", "pending": "待生效积分", "owed": "欠扣积分", "coupons": "优惠券", "orders": "订单",
    "identities": "身份",
}  # fmt: skip
MONEY = {"principal": "本金", "gift": "赠送金"}
Many = Annotated[int, typer.Option("--many", min=1, max=10_000, help="最多几条")]


def member_show(ref: str, config: ConfigPath = DEFAULT, json: Json = False) -> None:
    """Show a member by id, phone or openid; the phone is masked."""
    service = open_service(config)
    with service.database.reading() as connection:
        member = find(service, connection, ref)
        owned = ledger.balances(connection, member)
        now = service.clock.now()
        receipt = orders.last(connection, member)
        row = scores.of_member(connection, member)
        shown: dict[str, Any] = {
            "id": member,
            "tier": tiers.of_member(connection, member),
            "phone": mask_phone(identity.phone_of(connection, service.vault, member) or ""),
            "card": identity.card_of(connection, member),
            **owned,
            "coupons": [copy.title for copy in coupons.usable(connection, member, now)],
            "last_order": None
            if receipt is None
            else {"no": receipt.order_no, "at": receipt.at, "total": receipt.total},
            "standing": None
            if row is None
            else {
                "day": row.day,
                "state": row.stage,
                "rhythm_days": row.rhythm,
                "silence_days": row.silence,
                "value_decile": row.value_decile,
                "rfm": row.rfm,
                "own_brand": row.loyalty,
            },
        }
    words = {
        "会员": shown["id"], "等级": shown["tier"], "手机": shown["phone"], "卡号": shown["card"] or "无",
        "积分": owned["points"],
        "本金": yuan(owned["principal"]), "赠送": yuan(owned["gift"]), "可用券": "、".join(shown["coupons"]) or "无",
        "上次消费": f"{service.copy.moment(receipt.at)} {yuan(receipt.total)}" if receipt else "无",
        "分层": _standing(row),
    }  # fmt: skip
    show(shown, json, lambda _: out("\n".join(f"{k}\t{v}" for k, v in words.items())))


def _standing(row: Score | None) -> str:
    """Return where the last night saw the member, in words."""
    if row is None:
        return "还没有算"
    stage = STAGES.get(row.stage, "") and f"{STAGES[row.stage]}(约 {row.rhythm} 天来一次,{row.silence} 天没来)"
    decile = f"消费十分位 {row.value_decile}" if row.value_decile else ""
    brand = row.loyalty and f"自有品牌{row.loyalty}"
    return "、".join(part for part in (stage, decile, row.rfm, brand) if part) or "看不出"


def merge(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="并进去的会员:编号、手机号、卡号或 openid")],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="留下的会员")],
    reason: Annotated[str, typer.Option(help="为什么合并,会写进审计记录")],
    config: ConfigPath = DEFAULT,
    json: Json = False,
) -> None:
    """Make one member part of another, with everything owned; `member unmerge` undoes it."""
    service = open_service(config)
    try:
        with service.database.transaction() as connection:
            pair = [find(service, connection, ref, merged=True) for ref in (source, target)]
            done = merging.merge(
                connection, service.vault, service.config.rules, *pair, by=BY, reason=reason, now=service.clock.now()
            )
            _tell(service, connection, done.target, "notice_merged", str(done.id))
    except MemberError as error:
        refuse(service.copy.text(error.code, **error.facts))
    words = [f"会员 {done.source} 已并入会员 {done.target}(合并编号 {done.id})", *_amounts("转入", done.moved)]
    words.append(f"身份 {done.identities} 个,可用优惠券 {done.coupons} 张,订单 {done.orders} 笔")
    show(asdict(done), json, lambda _: out("\n".join(words)))


def unmerge(
    merge_id: Annotated[int, typer.Argument(metavar="MERGE_ID", help="合并编号,见 member history")],
    config: ConfigPath = DEFAULT,
    json: Json = False,
) -> None:
    """Part two members again: what is still there goes back, what is gone is named."""
    service = open_service(config)
    try:
        with service.database.transaction() as connection:
            done = merging.unmerge(
                connection, service.vault, service.config.rules, merge_id, by=BY, now=service.clock.now()
            )
            for member in (done.source, done.target):
                _tell(service, connection, member, "notice_unmerged", f"{merge_id}:{member}")
    except MemberError as error:
        refuse(service.copy.text(error.code, **error.facts))
    words = [f"会员 {done.source} 已从会员 {done.target} 分开", *_amounts("退回", done.returned)]
    words.append(f"身份 {done.identities} 个,可用优惠券 {done.coupons} 张,订单 {done.orders} 笔")
    words += _amounts("已经不在、没有退回", done.missing)
    show(asdict(done), json, lambda _: out("\n".join(words)))


def history(ref: str, config: ConfigPath = DEFAULT, json: Json = False) -> None:
    """Show every identity a member ever had, begun and ended, and every merge; phones are masked."""
    service = open_service(config)
    with service.database.reading() as connection:
        found = merging_history.of_member(connection, service.vault, find(service, connection, ref))
    show(asdict(found), json, lambda _: out("\n".join(_history(service, found))))


def export(
    ref: Annotated[str, typer.Argument(metavar="MEMBER", help="会员编号、手机号、卡号或 openid")],
    target: Annotated[Path | None, typer.Option("--out", help="写到文件,不写则打印")] = None,
    config: ConfigPath = DEFAULT,
    json: Json = False,
) -> None:
    """Print or write everything the books hold about a member, as JSON, for the member's own eyes; it is audited."""
    service = open_service(config)
    now = service.clock.now()
    with service.database.transaction() as connection:
        member = find(service, connection, ref)
        found = exporting.gather(connection, service.vault, member, now)
        audit.write(connection, BY, "member.export", member, {}, now=now)
    text = jsonlib.dumps(found, ensure_ascii=False, indent=1)
    if target is None:
        show(found, json, lambda _: out(text))
        return
    try:
        target.touch(mode=0o600)
        target.write_text(text, "utf-8")
    except OSError as error:
        refuse(f"写不了 {target}:{error.strerror}")
    show({"member": member, "file": str(target)}, json, lambda _: out(f"已写入 {target}"))


def erase(
    ref: Annotated[str, typer.Argument(metavar="MEMBER", help="会员编号、手机号、卡号或 openid")],
    at_once: Annotated[bool, typer.Option("--now", help="不等冷静期,立即注销,不能恢复")] = False,
    config: ConfigPath = DEFAULT,
    json: Json = False,
) -> None:
    """Begin a member's cool-down, or with --now forget them at once; refused while there is principal to pay out."""
    service = open_service(config)
    now, say = service.clock.now(), service.copy.text
    try:
        with service.database.transaction() as connection:
            member = find(service, connection, ref)
            wish = erasing.ask(connection, service.config.rules, member, by=BY, note=say("reason_leaving"), now=now)
            done = forgetting.forget(connection, wish.id, member, by=BY, now=now) if at_once else None
            hindered = "" if at_once else erasing.hindrance(connection, member, now)
    except MemberError as error:
        refuse(say(error.code, **error.facts))
    if done is None:
        lines = [f"会员 {member} 将在 {service.copy.day(wish.due_at)} 之后注销,会员可以回复「撤销注销」"]
        lines += [f"还要等待:{say(f'erase_{hindered}')}"] if hindered else []
    else:
        lines = [f"会员 {member} 已注销", *_amounts("作废", {k: v for k, v in done.items() if v})]
    shown = {"member": member, "erasure": wish.id, "due": wish.due_at, "done": done, "waits_for": hindered}
    show(shown, json, lambda _: out("\n".join(lines)))


def member_trail(ref: str, many: Many = 50, config: ConfigPath = DEFAULT, json: Json = False) -> None:
    """Show what was done to a member, newest first: when, who, from where, on whose approval, before and after."""
    service = open_service(config)
    with service.database.reading() as connection:
        member, *others = merging_history.family(connection, find(service, connection, ref))
        found = audit.trail_of_member(connection, member, also=others, many=many)
    _show_trail(service, found, json)


def staff_trail(staff_id: int, many: Many = 50, config: ConfigPath = DEFAULT, json: Json = False) -> None:
    """Show what a person of staff did or approved, newest first."""
    service = open_service(config)
    with service.database.reading() as connection:
        found = audit.trail_of_actor(connection, f"staff:{staff_id}", many=many)
    _show_trail(service, found, json)


def _tell(service: Service, connection: Connection, member: int, text: str, key: str) -> None:
    """Tell every openid of the member what the account holds now."""
    now, owned = service.clock.now(), ledger.balances(connection, member)
    facts = {
        "points": f"{ledger.good_points(connection, member, now)[0]:,}",
        "balance": yuan(owned["principal"] + owned["gift"]),
        "coupons": coupons.count_usable(connection, member, now),
    }
    notices.tell(
        connection, service.copy.text, app=service.config.wechat.app_id, member=member, text=text, key=key,
        facts=facts, now=now, channels=notices.SECURITY,
    )  # fmt: skip


def _amounts(words: str, amounts: Mapping[str, int]) -> list[str]:
    said = [f"{MONEY[kind]} {yuan(amount)}" for kind, amount in amounts.items() if kind in MONEY]
    said += [f"{NAMES.get(kind, kind)} {amount:,}" for kind, amount in amounts.items() if kind not in MONEY]
    return [f"{words}:{','.join(said)}"] if said else []


def _history(service: Service, found: History) -> list[str]:
    moment = service.copy.moment
    lines = ["会员\t种类\t值\t来源\t从\t到"]
    for tie in found.identities:
        value = f"{tie.value}({tie.scope})" if tie.scope else tie.value
        until = f"{moment(tie.until)} {tie.ended_by}" if tie.until else ""
        lines.append(
            f"{tie.member}\t{KINDS.get(tie.kind, tie.kind)}\t{value}\t{tie.source}\t{moment(tie.since)}\t{until}"
        )
    for one in found.merges:
        undone = f"(已由 {one.undone_by} 于 {moment(one.undone_at)} 撤销)" if one.undone_at else ""
        lines.append(f"合并 {one.id}:会员 {one.source} → {one.target} {moment(one.at)} {one.by} {one.reason}{undone}")
    return lines


def _show_trail(service: Service, found: Sequence[Trace], json: bool) -> None:
    lines = ["时间\t谁\t门店\t从哪里\t谁批准\t做了什么\t会员\t之前\t之后\t详情"]
    for one in found:
        cells = (
            service.copy.moment(one.at), one.actor, one.store or "", one.origin, one.approved_by, one.action,
            one.member or "", _plain(one.before), _plain(one.after), _plain(one.detail),
        )  # fmt: skip
        lines.append("\t".join(map(str, cells)))
    show([asdict(one) for one in found], json, lambda _: out("\n".join(lines)))


def _plain(facts: Mapping[str, Any]) -> str:
    return jsonlib.dumps(facts, ensure_ascii=False, default=str) if facts else ""
