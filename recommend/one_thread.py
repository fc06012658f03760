"""Fitting on one thread."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep OpenMP to one thread: on a shared machine spinning at its barriers costs ten times what a second saves."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        yield
