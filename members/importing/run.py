"""One run of an import: the books, who imports, and chunks of one short transaction each."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError, OperationalError

from members.audit import Actor
from members.db import Database
from members.importing.flaws import Flaws
from members.importing.progress import Progress
from members.importing.report import CleaningReport
from members.importing.tabular import Source
from members.rules import Rules
from members.tables import Store, table
from members.vault import Vault

_stores = table(Store)
TRIES = 5
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Run:
    """Everything an import needs; `issuer` names the shop system whose customer numbers a file holds.

    `rejected` is where rows that are not imported are written, to be mended and imported again.
    """

    database: Database
    vault: Vault
    rules: Rules
    app: str
    by: Actor
    now: datetime
    progress: Progress
    issuer: str = "import"
    rejected: Path | None = None
    written: Counter[str] = field(default_factory=Counter)

    def transaction(self, write: Callable[[Connection], Item]) -> Item:
        """Run `write` in one transaction, again when somebody else was faster with the same member or number."""
        for _ in range(TRIES - 1):
            try:
                with self.database.transaction() as connection:
                    return write(connection)
            except (IntegrityError, OperationalError):
                continue
        with self.database.transaction() as connection:
            return write(connection)

    def stores(self) -> frozenset[str]:
        """Return the ids of all stores."""
        with self.database.reading() as connection:
            return frozenset(connection.scalars(select(_stores.c.id)))

    def report(
        self, title: str, source: Source, read: dict[str, int], flaws: Flaws, names: Sequence[str]
    ) -> CleaningReport:
        """Return the cleaning report; `names` are the kinds of rows in the order people read them."""
        ordered = {name: self.written[name] for name in names}
        facts: dict[str, str | int] = {**source.facts, "时区": self.rules.shop.time_zone}
        return CleaningReport(f"{title} {source.path.name}", facts, read, list(flaws.findings()), ordered)


def chunks(items: Iterable[Item], many: int) -> Iterator[list[Item]]:
    """Yield lists of `many` items, the last one shorter."""
    source = iter(items)
    while chunk := list(islice(source, many)):
        yield chunk


def first(cells: dict[str, Any], *names: str) -> Any:
    """Return the first of these cells that says something."""
    return next((cells[name] for name in names if cells.get(name) not in (None, "")), None)
