"""A member's own data under the link they were given: a page to read, and the same as JSON to keep.

Whoever holds the link holds the data: the address is unguessable and soon over, nothing is cached, indexed, framed or
told on, and a wrong address looks like one that has ended.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from html import escape
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import FastAPI, Path, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from bot.service import Service
from handlers.copy import yuan
from handlers.privacy_copy import EXPORT_NAMES, EXPORT_WORDS
from members import export_links, exporting, statements

HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store, max-age=0", "Pragma": "no-cache", "X-Robots-Tag": "noindex, nofollow, noarchive",
    "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
}  # fmt: skip
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?\+00:00")
OF_WORDS = {"kind", "source", "stage"}
FILE, STATEMENT = "my-data.json", "statement.jsonl"
MONEY = {"total", "discount", "refunded", "paid_principal", "paid_gift", "refunded_amount", "cash_back", "price"}
BALANCE, OF_MONEY = {"amount", "balance", "balance_after"}, {"principal", "gift"}
GONE = (
    '<!doctype html><html lang="zh-CN"><meta charset="utf-8"><meta name="robots" content="noindex">'
    "<title>链接无效</title><p>这个链接无效或已过期。请在公众号里回复「导出我的数据」重新获取。</p></html>"
)
SHEET = (
    "body{font:16px/1.6 sans-serif;margin:1rem;color:#222}h1{font-size:1.3rem}h2{font-size:1.05rem;margin-top:1.6rem}"
    "table{border-collapse:collapse;width:100%;font-size:.85rem}td,th{border:1px solid #ccc;padding:.3rem;"
    "text-align:left;vertical-align:top;word-break:break-word}.wide{overflow-x:auto}a{color:#07c160}"
)
Token = Annotated[str, Path(max_length=100)]


def mount_exports(api: FastAPI, service: Service) -> None:
    """Add GET /export/{token}; `?as=json` downloads it, `?as=statement` what `memberbot statement verify` reads."""

    @api.get("/export/{token}", include_in_schema=False)
    async def export(token: Token, wanted: Annotated[str, Query(alias="as", max_length=10)] = "") -> Response:
        """Show a member's data to who holds the link."""
        found = await run_in_threadpool(_statement if wanted == "statement" else _fetch, service, token)
        if found is None:
            return Response(GONE, 404, media_type="text/html", headers=dict(HEADERS))
        if isinstance(found, str):
            headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{STATEMENT}"'}
            return Response(found, media_type="application/jsonl", headers=headers)
        if wanted == "json":
            body = json.dumps(found, ensure_ascii=False, indent=1)
            headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{FILE}"'}
            return Response(body, media_type="application/json", headers=headers)
        body = page(found, service.config.shop.name, service.config.shop.zone)
        return Response(body, media_type="text/html", headers=dict(HEADERS))


def _fetch(service: Service, token: str) -> dict[str, Any] | None:
    now, most = service.clock.now(), service.config.privacy.export_fetches
    with service.database.transaction() as connection:
        member = export_links.open_link(connection, token, most=most, now=now)
        return None if member is None else exporting.gather(connection, service.vault, member, now)


def _statement(service: Service, token: str) -> str | None:
    now, most = service.clock.now(), service.config.privacy.export_fetches
    with service.database.transaction() as connection:
        member = export_links.open_link(connection, token, most=most, now=now)
        if member is None:
            return None
        return "\n".join(statements.as_text(statements.statement(connection, member))) + "\n"


def page(found: Mapping[str, Any], shop: str, zone: ZoneInfo) -> str:
    """Return an export as people read it, in the shop's time: a table for each part that holds anything, escaped."""
    found = _local(found, zone)
    parts = [f"<h2>{_name(part)}</h2>{_table(rows)}" for part, rows in found.items() if rows and part in EXPORT_NAMES]
    return (
        f'<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>{escape(shop)}</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">'
        f"<style>{SHEET}</style><h1>{escape(shop)}:您的全部资料</h1>"
        f'<p>生成于 {escape(str(found["made_at"]))}。<a href="?as=json" download="{FILE}">下载文件(JSON)</a>'
        f' · <a href="?as=statement" download="{STATEMENT}">下载可核对的账目</a></p>'
        f"{''.join(parts)}</html>"
    )


def _local(value: Any, zone: ZoneInfo) -> Any:
    """Return the same with every instant as the clock on the shop's wall shows it."""
    if isinstance(value, Mapping):
        return {key: _local(one, zone) for key, one in value.items()}
    if isinstance(value, list):
        return [_local(one, zone) for one in value]
    if isinstance(value, str) and INSTANT.fullmatch(value):
        return f"{datetime.fromisoformat(value).astimezone(zone):%Y-%m-%d %H:%M:%S}"
    return value


def _name(word: str) -> str:
    return escape(EXPORT_NAMES.get(word, word))


def _table(rows: Any) -> str:
    if isinstance(rows, Mapping):
        body = "".join(f"<tr><th>{_name(key)}</th><td>{_cell(rows, key)}</td></tr>" for key in rows)
        return f'<div class="wide"><table>{body}</table></div>'
    columns = list(rows[0])
    if len(rows) == 1 and any(isinstance(one, list) and one for one in rows[0].values()):
        return _table(rows[0])
    head = "".join(f"<th>{_name(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{_cell(row, key)}</td>' for key in columns)}</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'


def _cell(row: Mapping[str, Any], column: str) -> str:
    value = row[column]
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, int):
        money = column in MONEY or (column in BALANCE and row.get("account", "gift") in OF_MONEY)
        return yuan(value) if money else f"{value:,}"
    if isinstance(value, list):
        return (
            "" if not value else _table(value) if isinstance(value[0], Mapping) else escape("、".join(map(str, value)))
        )
    if isinstance(value, Mapping):
        return escape(json.dumps(value, ensure_ascii=False)) if value else ""
    if column in OF_WORDS:
        value = EXPORT_WORDS.get(str(value), value)
    return "" if value is None else escape(str(value))
