"""Callbacks told `success` before the books had them: sealed on disk until they are booked, replayed at start."""

import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import structlog

from handlers.inbound import Inbound
from members.errors import BooksBroken
from members.vault import Vault

log = structlog.get_logger("memberbot.spool")


class Spool:
    """One sealed file per callback, written to the disk before the platform is told that it need not retry."""

    def __init__(self, folder: Path, vault: Vault) -> None:
        self._folder, self._vault = folder, vault

    def add(self, inbound: Inbound) -> None:
        """Keep a callback; when this returns it survives a crash."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        fields = {name: getattr(inbound, name) for name in Inbound.__slots__}
        sealed = self._vault.seal_system("spool", json.dumps(fields, default=dict))
        path = self._folder / f"{inbound.key}.late"
        draft = path.with_suffix(f".{secrets.token_hex(4)}")  # retries of one callback are written side by side
        try:
            with draft.open("wb") as file:
                file.write(sealed)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def remove(self, key: str) -> None:
        """Forget a callback that is booked."""
        (self._folder / f"{key}.late").unlink(missing_ok=True)

    def pending(self) -> Iterator[Inbound]:
        """Yield what an earlier process left behind; a file that does not open stays and keeps nothing else back."""
        for path in sorted(self._folder.glob("*.late")):
            try:
                yield Inbound(**json.loads(self._vault.unseal_system("spool", path.read_bytes())))
            except FileNotFoundError:
                continue  # another process has booked it meanwhile
            except (BooksBroken, OSError, ValueError, KeyError, TypeError) as error:
                log.error("spooled callback does not open", file=path.name, kind=type(error).__name__)
