"""Members from a table: found by phone, card, shop number or openid; made, completed, and given what they had before.

Safe to repeat: identities are added once, blanks filled once, and what was owned at the start is booked under one key
per member and account. A row that names two members is refused: they are to be merged first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any

from members.clock import end_of_day
from members.errors import MemberError
from members.importing import cells as cell
from members.importing.cells import BadCell
from members.importing.drafts import Draft, Opening
from members.importing.flaws import Flaws
from members.importing.members_books import WRITTEN, write_members
from members.importing.report import CleaningReport
from members.importing.run import Run, chunks
from members.importing.tabular import Row, TableError, open_source
from members.tags import clean

CHUNK = 500
FIELDS: Mapping[str, Sequence[str]] = {
    "phone": ("手机号", "手机", "手机号码", "电话", "联系电话", "mobile", "tel"),
    "card": ("卡号", "会员卡号", "会员卡", "card_no", "card_number"),
    "openid": ("微信openid", "微信号openid", "wechat_openid"),
    "customer": ("客户号", "客户编号", "会员编号", "会员号", "顾客编号", "customer_id", "customer_no", "member_no"),
    "birthday": ("生日", "出生日期", "birth_date", "birth"),
    "tier": ("等级", "会员等级", "level"),
    "store": ("门店", "门店编号", "归属门店", "home_store", "store_id"),
    "joined": ("注册时间", "入会时间", "开卡时间", "开卡日期", "注册日期", "joined_at", "created_at", "since"),
    "points": ("积分", "可用积分", "当前积分"),
    "points_until": ("积分有效期", "积分到期", "积分到期日", "points_expire", "points_expiry"),
    "principal": ("本金", "余额", "储值余额", "储值本金", "balance"),
    "gift": ("赠送", "赠送金", "赠送余额", "gift_balance"),
    "tags": ("标签", "tag", "labels"),
    "marketing": ("营销", "接收营销", "同意营销", "营销短信", "consent"),
}
NAMED_BY = ("phone", "card", "openid", "customer")


@dataclass(frozen=True, slots=True)
class _Reading:
    """What reading a row needs to know of the shop."""

    run: Run
    flaws: Flaws
    stores: frozenset[str]
    tiers: frozenset[str]


def import_members(run: Run, path: Path) -> CleaningReport:
    """Import members; TableError when the file can't be read or names nobody."""
    source = open_source(path, FIELDS)
    if not set(source.columns.values()) & set(NAMED_BY):
        raise TableError("没有一列能认出会员:要有 手机号、卡号、客户号 或 openid 其中一列")
    run.progress.start(source.rows, "导入会员")
    read = 0
    with Flaws(run.rejected) as flaws:
        reading = _Reading(run, flaws, run.stores(), frozenset(tier.name for tier in run.rules.loyalty.tiers))
        for chunk in chunks(source.read(), CHUNK):
            drafts = [draft for row in chunk if (draft := _draft(reading, row)) is not None]
            read += len(chunk)
            if drafts:
                written, said = run.transaction(partial(write_members, run=run, drafts=drafts))
                run.written.update(written)
                for one in said:
                    one.tell(flaws)
            run.progress.advance(len(chunk))
    return run.report("会员", source, {"行": read}, flaws, WRITTEN)


def _draft(reading: _Reading, row: Row) -> Draft | None:
    number, cells = row
    try:
        return _read(reading, number, cells)
    except BadCell as bad:
        reading.flaws.reject(number, bad.code, bad.reason, cells, example=bad.said)
        return None


def _read(reading: _Reading, number: int, cells: dict[str, Any]) -> Draft:
    named = {
        "phone": cell.phone(cells.get("phone")),
        "card": cell.number(cells.get("card"), "卡号"),
        "openid": cell.number(cells.get("openid"), "openid"),
        "shop": cell.number(cells.get("customer"), "客户号"),
    }
    if not any(named.values()):
        raise BadCell("nobody", "没有手机号、卡号、客户号或 openid")
    points = cell.whole(cells.get("points"), "积分") or 0
    opening = Opening(
        points, _until(reading, cells) if points else None, cell.amount(cells.get("principal")) or 0,
        cell.amount(cells.get("gift")) or 0,
    )  # fmt: skip
    return Draft(
        number, cells, {kind: value for kind, value in named.items() if value}, opening,
        tier=_known(reading, number, cells, "tier", reading.tiers, "等级不在 config.yaml 里,没有记"),
        store=_known(reading, number, cells, "store", reading.stores, "没有这家门店,归属门店没有记"),
        birthday=_birthday(reading, number, cells), joined=_joined(reading, number, cells),
        tags=_tags(reading, number, cells), marketing=cell.truth(cells.get("marketing"), "营销"),
    )  # fmt: skip


def _until(reading: _Reading, cells: dict[str, Any]) -> datetime | None:
    day = cell.day(cells.get("points_until"), "积分有效期")
    if day is None:
        return None
    end = end_of_day(day, reading.run.rules.shop.zone)
    if end <= reading.run.now:
        raise BadCell("points_over", "积分有效期已经过了")
    return end


def _known(reading: _Reading, number: int, cells: dict[str, Any], name: str, known: frozenset[str], reason: str) -> str:
    said = cell.text(cells.get(name))
    if said and said not in known:
        reading.flaws.mend(number, f"{name}_unknown", reason, said[:20])
        return ""
    return said


def _birthday(reading: _Reading, number: int, cells: dict[str, Any]) -> date | None:
    try:
        found = cell.day(cells.get("birthday"), "生日")
    except BadCell as bad:
        reading.flaws.mend(number, "birthday_bad", f"{bad.reason},没有记")
        return None
    if found is not None and found > reading.run.now.date():
        reading.flaws.mend(number, "birthday_bad", "生日在以后,没有记")
        return None
    return found


def _joined(reading: _Reading, number: int, cells: dict[str, Any]) -> datetime:
    now = reading.run.now
    try:
        found = cell.moment(cells.get("joined"), reading.run.rules.shop.zone)
    except BadCell as bad:
        reading.flaws.mend(number, "joined_bad", f"注册{bad.reason},记为今天")
        return now
    return now if found is None else min(found, now)


def _tags(reading: _Reading, number: int, cells: dict[str, Any]) -> list[str]:
    said = cell.text(cells.get("tags"))
    for mark in "、,;|/":
        said = said.replace(mark, " ")
    found = []
    for word in said.split():
        try:
            found.append(clean(word))
        except MemberError:
            reading.flaws.mend(number, "tag_bad", "标签太长,没有记", word[:20])
    return found
