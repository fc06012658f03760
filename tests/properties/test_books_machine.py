"""Random interleavings of everything that moves value, on both engines, against a plain model.

`python3 dev.py test -- tests/properties --hypothesis-profile=long` searches for MEMBERBOT_PROPERTY_HOURS (1) hours.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.conftest import fresh_database
from tests.properties.machine import Machine
from tests.properties.rules_exchange import ExchangeRules
from tests.properties.rules_sales import SaleRules
from tests.properties.rules_time import TimeRules

Fresh = Callable[[], AbstractContextManager[str]]
HOURS = float(os.environ.get("MEMBERBOT_PROPERTY_HOURS", "1"))


class Everything(ExchangeRules, SaleRules, TimeRules):
    """All rules; sales and refunds, which move the most at once, come more often than others."""

    sell_more = sell_most = SaleRules.sell
    refund_more = SaleRules.refund
    unmerge_more = SaleRules.unmerge
    nights_more = TimeRules.nights


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def fresh(request: pytest.FixtureRequest, tmp_path: Path, migrated_sqlite: Path) -> Fresh:
    """Makes books without a row, as often as asked."""
    if request.param == "postgres":
        server, template = request.getfixturevalue("postgres_url"), request.getfixturevalue("migrated_postgres")
        return lambda: fresh_database(server, template)
    serial = count()

    @contextmanager
    def copied() -> Iterator[str]:
        path = tmp_path / f"{next(serial)}.db"
        shutil.copy(migrated_sqlite, path)
        yield f"sqlite:///{path}"
        for part in tmp_path.glob(f"{path.name}*"):
            part.unlink()

    return copied


def search(machine: type[Machine], fresh: Fresh, request: pytest.FixtureRequest) -> None:
    """Run the machine over many random histories; with the long profile again and again until the hours are over."""
    profile = request.config.getoption("--hypothesis-profile") or "books"
    long = profile == "long"
    until = time.monotonic() + HOURS * 3600 * long
    chosen = settings.get_profile(profile)
    while True:
        run_state_machine_as_test(type(machine.__name__, (machine,), {"fresh": staticmethod(fresh)}), settings=chosen)
        if time.monotonic() >= until:
            return


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_books(fresh: Fresh, request: pytest.FixtureRequest) -> None:
    search(Everything, fresh, request)
