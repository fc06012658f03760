"""The command line's staff part: who serves, how they are invited, and how they are ended at once."""

from typing import Annotated, Any

import typer

from bot.console import Json, out, show
from bot.opening import DEFAULT, ConfigPath, open_service, refuse
from bot.service import Service
from members import audit, shops, staffing
from members.audit import Actor
from members.errors import MemberError
from members.staffing import Invited
from members.vault import normalise_phone

CLI = Actor("cli", origin="cli")


def _why(error: MemberError) -> str:
    facts = {"roles": "、".join(shops.ROLES), **error.facts}
    words = {
        "bad_role": "没有这种角色,可以是 {roles}",
        "no_store": "没有编号 {store} 的门店",
        "bad_phone": "手机号不对,请写11位的手机号",
        "staff_known": "这个手机号已登记为{name}(编号 {id});换微信请用 staff invite {id},换人请先 staff revoke {id}",
        "staff_gone": "没有这个编号的在职店员",
        "staff_no_phone": "这位店员没有登记手机号,不能邀请;请停用后用 --phone 重新添加",
    }
    return words[error.code].format_map(facts)


def _invited(made: Invited, name: str, service: Service, json: bool) -> None:
    until = service.copy.moment(made.until)
    words = f"{name}(编号 {made.id})的邀请码:{made.word}\n{until} 前在公众号回复邀请码,再输入手机收到的验证码。"
    show({"id": made.id, "word": made.word, "until": made.until}, json, lambda _: out(words))


def staff_add(
    name: str,
    role: Annotated[str, typer.Option(help="cashier、adviser、manager 或 head_office")] = "cashier",
    phone: Annotated[str | None, typer.Option(help="店员自己的手机号,用来收验证码")] = None,
    openid: Annotated[str | None, typer.Option(help="已知的 openid,不经邀请直接登记(试用)")] = None,
    store: Annotated[str | None, typer.Option(help="门店编号,总部不写")] = None,
    config: ConfigPath = DEFAULT,
    json: Json = False,
) -> None:
    """Add a person of staff: with --phone print the word that invites them, with --openid let them in at once."""
    if (phone is None) == (openid is None):
        refuse("--phone 和 --openid 要写且只写一个")
    service = open_service(config)
    now, hours = service.clock.now(), service.config.staff.invite_hours
    try:
        with service.database.transaction() as connection:
            if phone is not None:
                made = staffing.hire(
                    connection, service.vault, name=name, role=role, store=store, phone=normalise_phone(phone),
                    hours=hours, by=CLI, now=now,
                )  # fmt: skip
            else:
                added = shops.add_staff(connection, openid=openid, name=name, role=role, store=store, now=now)
                audit.write(connection, CLI, "staff.add", None, {"staff": added, "role": role}, now=now)
    except MemberError as error:
        refuse(_why(error))
    if phone is not None:
        _invited(made, name, service, json)
    else:
        show({"id": added}, json, lambda _: out(f"已添加 {name}(编号 {added})"))


def staff_invite(staff_id: int, config: ConfigPath = DEFAULT, json: Json = False) -> None:
    """Give a person of staff a new invite word, for instance for a new account; the old one ends."""
    service = open_service(config)
    try:
        with service.database.transaction() as connection:
            made = staffing.invite(
                connection, service.vault, staff_id, hours=service.config.staff.invite_hours, by=CLI,
                now=service.clock.now(),
            )  # fmt: skip
            name = staffing.name_of(connection, staff_id)
    except MemberError as error:
        refuse(_why(error))
    _invited(made, name, service, json)


def staff_revoke(staff_id: int, config: ConfigPath = DEFAULT, json: Json = False) -> None:
    """End what a person of staff may do, at once, also what waits for their 确认 or for an approval."""
    service = open_service(config)
    now = service.clock.now()
    with service.database.transaction() as connection:
        done = shops.revoke_staff(connection, staff_id, now=now)
        if done:
            audit.write(connection, CLI, "staff.revoke", None, {"staff": staff_id}, now=now)
    if not done:
        refuse(f"没有编号 {staff_id} 的在职店员")
    show({"revoked": staff_id}, json, lambda _: out(f"已停用编号 {staff_id}"))


def staff_list(config: ConfigPath = DEFAULT, json: Json = False) -> None:
    """List staff."""
    service = open_service(config)
    with service.database.reading() as connection:
        rows = [dict(row._mapping) for row in shops.list_staff(connection)]
    show(rows, json, lambda _: out("\n".join(map(_line, rows))))


def _line(row: dict[str, Any]) -> str:
    state = "停用" if not row["active"] else "在职" if row["openid"] else "待绑定"
    return f"{row['id']}\t{row['name']}\t{row['role']}\t{row['store_id'] or ''}\t{state}"
