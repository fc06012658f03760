"""A member's statement: every line of their books, from which anybody can recompute chain and balances offline.

JSON lines: a header, an entry per line of the ledger, a footer with the balances and the last link of the chain. Who
changes a line must change every link after it, so that the last one tells: it is what the bot shows for 对账.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, ValidationError
from sqlalchemy import Connection, bindparam, select

from members.ledger import Booking, Leg, accounts, canonical, chain, entries, members, movements

FORMAT = "memberbot-statement/1"

# one statement, so that head and balances are of one moment on every database
_HEAD = (
    select(members.c.chain_seq, members.c.chain_hash, accounts.c.kind, accounts.c.balance)
    .select_from(members.outerjoin(accounts, accounts.c.member_id == members.c.id))
    .where(members.c.id == bindparam("member"))
    .order_by(accounts.c.kind)
)
_LINES = (
    select(
        entries.c.seq, accounts.c.kind.label("account"), entries.c.amount, entries.c.balance_after, movements.c.key,
        movements.c.kind, movements.c.at, movements.c.actor, movements.c.reason, entries.c.hash,
    )
    .select_from(entries.join(accounts, entries.c.account_id == accounts.c.id).join(movements))
    .where(entries.c.member_id == bindparam("member"), entries.c.seq <= bindparam("until"))
    .order_by(entries.c.seq)
)  # fmt: skip


def _of_our_time(at: datetime) -> datetime:
    if not 2000 <= at.year <= 2999:
        raise ValueError("not of our time")
    return at


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Header(_Line):
    line: Literal["header"]
    format: str
    member: int


class _Entry(_Line):
    line: Literal["entry"]
    seq: int
    account: str
    amount: int
    balance_after: int
    key: str
    kind: str
    at: Annotated[AwareDatetime, AfterValidator(_of_our_time)]
    actor: str
    reason: str
    hash: str


class _Footer(_Line):
    line: Literal["footer"]
    entries: int
    balances: dict[str, int]
    head: str


Kind = TypeVar("Kind", bound=_Line)


@dataclass(frozen=True, slots=True)
class Summary:
    """The end of a member's books: balances, how many lines led there, and the last link in hex."""

    balances: dict[str, int]
    entries: int
    head: str


@dataclass(slots=True)
class Examined:
    """What a file says, recomputed from its own lines, and every problem found on the way."""

    member: int | None = None
    entries: int = 0
    balances: dict[str, int] = field(default_factory=dict)
    head: str = ""
    problems: list[str] = field(default_factory=list)


def summary(connection: Connection, member: int) -> Summary:
    """Return where the member's books stand now."""
    rows = connection.execute(_HEAD, {"member": member}).all()
    balances = {row.kind: row.balance for row in rows if row.kind is not None}
    return Summary(balances, rows[0].chain_seq, bytes(rows[0].chain_hash).hex())


def statement(connection: Connection, member: int) -> Iterator[dict[str, Any]]:
    """Yield the statement's lines: header, entries in the chain's order, footer."""
    end = summary(connection, member)
    yield {"line": "header", "format": FORMAT, "member": member}
    for row in connection.execute(_LINES, {"member": member, "until": end.entries}):
        entry = {"line": "entry", **row._mapping, "at": row.at.isoformat(), "hash": bytes(row.hash).hex()}
        yield entry
    yield {"line": "footer", "entries": end.entries, "balances": end.balances, "head": end.head}


def as_text(lines: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield each line as JSON, without the line break."""
    return (json.dumps(line, ensure_ascii=False) for line in lines)


def short(head: str) -> str:
    """Return the start of a link as people compare it: 3f2a 90bc 1d77 e004."""
    return " ".join(head[start : start + 4] for start in range(0, 16, 4)).strip() or "0"


def verify(lines: Iterable[str]) -> list[str]:
    """Return what is wrong with a statement's JSON lines, nothing when every link and balance holds; reads no books."""
    return examine(lines).problems


def examine(lines: Iterable[str]) -> Examined:
    """Recompute the chain and every balance from the lines alone."""
    found, numbered = Examined(), [(no, text) for no, text in enumerate(lines, 1) if text.strip()]
    if len(numbered) < 2:
        found.problems.append("文件不完整:至少要有首行和末行")
        return found
    header = _read(_Header, *numbered[0], found)
    if header is not None and header.format != FORMAT:
        found.problems.append(f"第1行:不认识的格式 {header.format}")
    found.member = header.member if header is not None else None
    link = b""
    for no, text in numbered[1:-1]:
        link = _entry(no, text, link, found)
    found.head = link.hex()
    _footer(*numbered[-1], found)
    return found


def _entry(no: int, text: str, link: bytes, found: Examined) -> bytes:
    """Add one line to what was found; return the link that the file says it ends with."""
    entry = _read(_Entry, no, text, found)
    if entry is None:
        return link
    found.entries += 1
    if entry.seq != found.entries:
        found.problems.append(f"第{no}行:序号是 {entry.seq},应为 {found.entries}")
        found.entries = entry.seq
    after = found.balances[entry.account] = found.balances.get(entry.account, 0) + entry.amount
    if after != entry.balance_after:
        found.problems.append(f"第{no}行:{entry.account} 余额写的是 {entry.balance_after},算出来是 {after}")
        found.balances[entry.account] = entry.balance_after
    if (after > 0) if entry.account == "owed" else (after < 0):
        found.problems.append(f"第{no}行:{entry.account} 余额 {after} 正负不对")
    booking = Booking(entry.key, entry.kind, entry.actor, entry.at, (), entry.reason)
    leg = Leg(entry.account, entry.amount, found.member)
    link = chain(link, canonical(booking, leg, entry.seq, entry.balance_after))
    if link.hex() != entry.hash:
        found.problems.append(f"第{no}行:指纹不符,这一行或它前面的行改过")
        link = _bytes(entry.hash)
    return link


def _footer(no: int, text: str, found: Examined) -> None:
    footer = _read(_Footer, no, text, found)
    if footer is None:
        return
    if footer.entries != found.entries:
        found.problems.append(f"第{no}行:写的是 {footer.entries} 笔,实有 {found.entries} 笔")
    if footer.balances != found.balances:
        found.problems.append(f"第{no}行:余额与各笔之和不符")
    if footer.head != found.head:
        found.problems.append(f"第{no}行:账链末端不符")


def _read(kind: type[Kind], no: int, text: str, found: Examined) -> Kind | None:
    try:
        return kind.model_validate_json(text)
    except ValidationError:
        found.problems.append(f"第{no}行:不是对账单的内容")
        return None


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""
