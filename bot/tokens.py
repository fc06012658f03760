"""The platform's access token, shared between processes through the books, sealed."""

import json
from datetime import datetime

from members import settings
from members.db import Database
from members.vault import Vault


class StoredTokens:
    """Implements bot.wechat.TokenStore over the setting table."""

    def __init__(self, database: Database, vault: Vault, app_id: str) -> None:
        self._database, self._vault, self._key = database, vault, f"wechat:token:{app_id}"

    def get(self) -> tuple[str, datetime] | None:
        """Return the last token put, expired or not, or None."""
        with self._database.reading() as connection:
            sealed = settings.get_sealed(connection, self._key)
        if sealed is None:
            return None
        stored = json.loads(self._vault.unseal_system("token", sealed))
        return stored["token"], datetime.fromisoformat(stored["expires_at"])

    def put(self, token: str, expires_at: datetime) -> None:
        """Replace the token."""
        text = json.dumps({"token": token, "expires_at": expires_at.isoformat()})
        with self._database.transaction() as connection:
            settings.put(connection, self._key, {}, self._vault.seal_system("token", text))
