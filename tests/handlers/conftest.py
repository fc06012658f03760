"""What is read once is read before a test is timed."""

import pytest

from handlers.nlu import model


@pytest.fixture(scope="session", autouse=True)
def ears() -> None:
    """The model, loaded."""
    model.loaded()
