"""The access token: one for all threads and processes, fetched by one caller at a time."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

MARGIN: Final = timedelta(minutes=2)


class TokenStore(Protocol):
    """Where processes share the token and the UTC-aware instant it expires at."""

    def get(self) -> tuple[str, datetime] | None:
        """Return the last token put, expired or not, or None."""

    def put(self, token: str, expires_at: datetime) -> None:
        """Replace the token."""


class MemoryTokens:
    """A store for one process; what is read was put as a whole."""

    def __init__(self) -> None:
        self._held: tuple[str, datetime] | None = None

    def get(self) -> tuple[str, datetime] | None:
        """Return the last token put."""
        return self._held

    def put(self, token: str, expires_at: datetime) -> None:
        """Replace the token."""
        self._held = (token, expires_at)


@dataclass(frozen=True, slots=True)
class Lease:
    """A token as one caller saw it; `round` counts this process's renewals."""

    token: str
    round: int


class Tokens:
    """Hands out the shared token and renews it once, however many callers find it stale together."""

    def __init__(
        self, store: TokenStore, fetch: Callable[[], tuple[str, timedelta]], now: Callable[[], datetime]
    ) -> None:
        self._store, self._fetch, self._now = store, fetch, now
        self._lock = threading.Lock()
        self._round = 0

    def current(self) -> Lease:
        """Return the shared token, fetching one when there is none or it is about to expire."""
        with self._lock:
            token = self._fresh()
            return Lease(token, self._round) if token is not None else self._renew()

    def renew(self, stale: Lease) -> Lease:
        """Return a token for a caller whose lease the platform refused.

        Only the first of several callers fetches; the platform may answer with the same token again.
        """
        with self._lock:
            token = self._fresh()
            if token is not None and (token != stale.token or self._round != stale.round):
                return Lease(token, self._round)
            return self._renew()

    def _fresh(self) -> str | None:
        held = self._store.get()
        return held[0] if held is not None and held[1] > self._now() else None

    def _renew(self) -> Lease:
        token, lifetime = self._fetch()
        self._store.put(token, self._now() + lifetime - min(MARGIN, lifetime / 10))
        self._round += 1
        return Lease(token, self._round)
