"""The books as facts that can be compared: without ids, moments and secrets, which differ from one run to the next."""

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, LargeBinary, Table

from members.schema import METADATA
from members.tables.base import UtcDateTime

# what a conversation leaves that is not a deed: where it stands, who wrote when, what was answered
PASSING = frozenset(
    ("inbox", "conversation", "follower", "verification", "rate_count", "setting", "job_run", "api_request", "delivery")
)
TALK_ONLY = frozenset(("audit_log", "outbox", "arrival", "export_link", "handoff"))
"""What is written about a deed, or about a question: not value, not a promise."""
RANDOM = frozenset(("code", "key", "value", "digest", "origin", "lock_key", "invite_hash", "token_hash", "chain_hash"))
MASKS = (
    (re.compile(r"https?://\S+"), "LINK"),
    (re.compile(r"\b(?:[0-9A-Z]{4}(?:-[0-9A-Z]{4}){1,3}|[0-9A-Z]{5}-[0-9A-Z]{5})\b"), "CODE"),
    (re.compile(r"\b\d{3,6}(?: \d{2,6}){2,}\b"), "DIGITS"),
    (re.compile(r"\b(?=\w*\d)[0-9A-Za-z_-]{8,}\b"), "TOKEN"),
    (re.compile(r"\b\d{1,2}:\d\d(?::\d\d)?\b"), "TIME"),
    (re.compile(r"\d+ ?秒"), "SECONDS"),
)
Facts = Mapping[str, Counter[tuple[Any, ...]]]


def masked(text: str) -> str:
    """Return a text with what is random or tells the time left out."""
    for pattern, name in MASKS:
        text = pattern.sub(name, text)
    return text


def facts(connection: sqlite3.Connection, *, without: Collection[str] = (), openids: Collection[str] = ()) -> Facts:
    """Return {table: how often each row is there}; identities of `openids` are passed over."""
    found = {}
    for table in METADATA.sorted_tables:
        if table.name not in PASSING and table.name not in without:
            found[table.name] = _rows(connection, table, openids)
    return found


def _rows(connection: sqlite3.Connection, table: Table, openids: Collection[str]) -> Counter[tuple[Any, ...]]:
    names = [column.name for column in table.columns]
    counted: Counter[tuple[Any, ...]] = Counter()
    for row in connection.execute(f'SELECT {", ".join(names)} FROM "{table.name}"'):  # noqa: S608
        raw = dict(zip(names, row, strict=True))
        if table.name == "outbox" and raw["kind"] == "code":
            continue
        if raw.get("kind") == "openid" and raw.get("value") in openids:
            continue
        counted[tuple(_fact(table, name, value) for name, value in raw.items())] += 1
    return counted


def _fact(table: Table, name: str, value: Any) -> Any:
    column = table.columns[name]
    own = column.primary_key and name == "id"
    if own or name in RANDOM or isinstance(column.type, UtcDateTime | LargeBinary):
        return value is not None
    if isinstance(column.type, JSON) and value is not None:
        return masked(json.dumps(json.loads(value), ensure_ascii=False, sort_keys=True))
    return masked(value) if isinstance(value, str) else value


def difference(before: Facts, after: Facts) -> dict[str, tuple[list[Any], list[Any]]]:
    """Return {table: (rows gone, rows new)} of the tables that differ."""
    return {
        name: (list((before[name] - after[name]).elements()), list((after[name] - before[name]).elements()))
        for name in after
        if before[name] != after[name]
    }


class File:
    """Books on SQLite that can be kept and brought back while the service runs on them."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def keep(self) -> sqlite3.Connection:
        """Return a copy in memory."""
        kept = sqlite3.connect(":memory:")
        with closing(sqlite3.connect(self._path)) as source:
            source.backup(kept)
        return kept

    def bring_back(self, kept: sqlite3.Connection) -> None:
        """Put a copy in the place of the books."""
        with closing(sqlite3.connect(self._path, timeout=30)) as target:
            kept.backup(target)

    def facts(self, *, without: Collection[str] = (), openids: Collection[str] = ()) -> Facts:
        """Return the present facts."""
        with closing(sqlite3.connect(self._path)) as connection:
            return facts(connection, without=without, openids=openids)

    def value(self, *, openids: Collection[str] = ()) -> Facts:
        """Return what somebody owns, is or has promised: a question that is asked leaves it as it was."""
        return self.facts(without=TALK_ONLY, openids=openids)

    def stands(self) -> dict[str, str]:
        """Return {openid: until when} of the flows that are open."""
        with closing(sqlite3.connect(self._path)) as connection:
            return dict(connection.execute("SELECT openid, expires_at FROM conversation"))
