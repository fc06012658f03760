"""One demo shop for all tests that only read it, and the truth about it."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from members.db import Database
from members.importing import completejourney_source as source
from members.importing.report import CleaningReport
from tests.members.demo_shop import MANY, NEW_YORK, chosen, everything, fresh, run
from tests.members.till import Till


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Database, CleaningReport]]:
    """Yield books with the first 60 households, only to be read."""
    database = fresh(f"sqlite:///{tmp_path_factory.mktemp('shop') / 'shop.db'}")
    yield database, run(database, MANY)
    database.dispose()


@pytest.fixture(scope="session")
def whole(shop: tuple[Database, CleaningReport]) -> dict[str, list[Any]]:
    """Return all rows of the books of one uninterrupted import."""
    return everything(shop[0])


@pytest.fixture(scope="session")
def truth(shop: tuple[Database, CleaningReport]) -> dict[int, dict[int, dict[str, Any]]]:
    """Return {household: {basket: facts}} of the imported households, by a plain loop over the package's rows."""
    found = pq.ParquetFile(source.data_folder() / "transactions.parquet").read()
    found = found.filter(pc.is_in(found["household_id"], value_set=pa.array(chosen(shop[0]))))
    baskets: dict[int, dict[int, dict[str, Any]]] = defaultdict(dict)
    for line in found.to_pylist():
        fen = round(line["sales_value"] * 100)
        if line["quantity"] == 0 and fen == 0:
            continue
        off = sum(round(line[name] * 100) for name in ("retail_disc", "coupon_disc", "coupon_match_disc"))
        stamp = line["transaction_timestamp"].to_pydatetime().replace(tzinfo=UTC)
        wall = stamp.astimezone(NEW_YORK).replace(tzinfo=None)
        basket = baskets[line["household_id"]].setdefault(
            line["basket_id"], {"total": 0, "off": 0, "lines": {}, "store": line["store_id"], "wall": wall}
        )
        basket["total"] += fen
        basket["off"] += off
        basket["lines"][line["product_id"]] = (line["quantity"], fen)
    return baskets


@pytest.fixture
def database(books_url: str) -> Iterator[Database]:
    """Books without a row."""
    found = Database(books_url)
    yield found
    found.dispose()


@pytest.fixture
def till(database: Database) -> Till:
    """A till over them."""
    return Till(database)
