"""The small shop of the scheduler's tests serves here too."""

from tests.scheduler.conftest import database, open_shop, shop

__all__ = ["database", "open_shop", "shop"]
