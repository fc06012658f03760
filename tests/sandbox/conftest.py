"""Fixtures of the platform's tests: asyncio only, one fresh platform per test."""

from collections.abc import AsyncIterator

import pytest

from tests.sandbox.shop import Bench, bench


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def b(anyio_backend: str) -> AsyncIterator[Bench]:
    async with bench() as ready:
        yield ready
