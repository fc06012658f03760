"""What the service logs, as the service logs it."""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from bot import logs


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """Collect every line of structlog and of the standard library."""
    stream, root = io.StringIO(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure(stream)
    structlog.configure(cache_logger_on_first_use=False)  # what is cached would outlive this
    try:
        yield stream
    finally:
        structlog.reset_defaults()
        root.handlers[:] = handlers
        root.setLevel(level)
