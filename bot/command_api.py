"""The command line's API part: keys of tills and shop systems."""

from typing import Annotated

import typer

from bot.console import Json, out, show
from bot.opening import DEFAULT, ConfigPath, open_service, refuse
from members import api_keys
from members.audit import Actor
from members.errors import MemberError

BY = Actor("cli", origin="cli")


def apikey_add(
    name: Annotated[str, typer.Argument(help="给谁用,例如 一号收银机")],
    scope: Annotated[list[str], typer.Option("--scope", help=f"可以做什么,可写多次:{'、'.join(api_keys.SCOPES)}")],
    store: Annotated[str | None, typer.Option(help="只服务这一家门店(门店编号)")] = None,
    config: ConfigPath = DEFAULT,
    json: Json = False,
) -> None:
    """Make a key; it is printed this once, the books keep only its hash."""
    service = open_service(config)
    try:
        with service.database.transaction() as connection:
            made = api_keys.make(connection, name=name, scopes=scope, store=store, by=BY, now=service.clock.now())
    except MemberError as error:
        unknown = f"没有编号 {store} 的门店"
        refuse(unknown if error.code == "store_unknown" else service.copy.text(error.code, **error.facts))
    shown = {"id": made.id, "key": made.text, "store": store, "scopes": sorted(set(scope))}
    show(shown, json, lambda _: out(f"编号 {made.id},密钥只显示这一次,请立即保存:\n{made.text}"))


def apikey_list(config: ConfigPath = DEFAULT, json: Json = False) -> None:
    """List the keys, without their secret."""
    service = open_service(config)
    with service.database.reading() as connection:
        rows = [dict(row._mapping) for row in api_keys.listed(connection)]
    lines = [
        f"{row['id']}\t{row['name']}\t{row['prefix']}…\t{row['store_id'] or '全部门店'}\t{' '.join(row['scopes'])}\t"
        f"{'有效' if row['revoked_at'] is None else '已停用'}"
        for row in rows
    ]
    show(rows, json, lambda _: out("\n".join(lines)))


def apikey_revoke(
    key: Annotated[int, typer.Argument(help="编号")], config: ConfigPath = DEFAULT, json: Json = False
) -> None:
    """End a key at once."""
    service = open_service(config)
    with service.database.transaction() as connection:
        done = api_keys.revoke(connection, key, by=BY, now=service.clock.now())
    if not done:
        refuse(f"没有编号 {key} 的有效密钥")
    show({"revoked": key}, json, lambda _: out(f"已停用编号 {key}"))
