"""Access tokens and call quotas."""

import secrets
from collections.abc import Mapping

from bot.sandbox import limits
from bot.sandbox.errors import ApiError
from bot.sandbox.state import Token
from bot.sandbox.world import World


class Tokens:
    """Issues and checks access tokens. The stable token and the ordinary one do not disturb each other."""

    def __init__(self, world: World) -> None:
        self._world = world

    def stable(self, body: Mapping[str, object]) -> dict[str, object]:
        """The same token on repeated calls while it is valid; a forced refresh revokes it at once."""
        self._check_account(body.get("appid"), body.get("secret"), body.get("grant_type"))
        current = self._current("stable")
        if body.get("force_refresh") is True:
            used = self._world.state.daily.add(self._world.local().date().isoformat(), "force_refresh")
            if used > limits.FORCED_REFRESHES_PER_DAY:
                raise ApiError(45009)
            self._world.state.tokens = [token for token in self._world.state.tokens if token is not current]
            current = None
        return self._answer(current or self._issue("stable"))

    def plain(self, query: Mapping[str, str]) -> dict[str, object]:
        """A new ordinary token; the one before lives on for REPLACED_TOKEN_SECONDS."""
        self._check_account(query.get("appid"), query.get("secret"), query.get("grant_type"))
        before = self._current("plain")
        if before is not None:
            until = self._world.seconds() + limits.REPLACED_TOKEN_SECONDS
            before.expires_at = min(before.expires_at, until)
        return self._answer(self._issue("plain"))

    def check(self, value: str | None) -> None:
        """40001 for a missing, unknown or revoked token, 42001 for one past its time."""
        token = self._find(value)
        if token is None:
            raise ApiError(40001)
        if token.expired or self._world.seconds() >= token.expires_at:
            raise ApiError(42001)

    def expire(self, value: str | None) -> None:
        """Make a token expire before its time."""
        token = self._find(value)
        if token is not None:
            token.expired = True
            self._world.touch()

    def _find(self, value: str | None) -> Token | None:
        return next((token for token in self._world.state.tokens if token.value == value), None)

    def _current(self, kind: str) -> Token | None:
        now = self._world.seconds()
        usable = [
            token
            for token in self._world.state.tokens
            if token.kind == kind and not token.expired and now < token.expires_at
        ]
        return usable[-1] if usable else None

    def _issue(self, kind: str) -> Token:
        now = self._world.seconds()
        token = Token(secrets.token_urlsafe(102), now + limits.TOKEN_SECONDS, kind)
        known = [old for old in self._world.state.tokens if now - old.expires_at < limits.EXPIRED_TOKEN_KNOWN_SECONDS]
        self._world.state.tokens = [*known, token]
        self._world.touch()
        return token

    def _answer(self, token: Token) -> dict[str, object]:
        return {"access_token": token.value, "expires_in": int(token.expires_at - self._world.seconds())}

    def _check_account(self, app_id: object, secret: object, grant_type: object) -> None:
        if grant_type != "client_credential":
            raise ApiError(40002)
        if app_id != self._world.settings.app_id:
            raise ApiError(40013)
        if secret != self._world.settings.app_secret:
            raise ApiError(40125)


class Quotas:
    """Counts calls by path: per day and month of Asia/Shanghai, and per calendar minute."""

    def __init__(self, world: World) -> None:
        self._world = world

    def count(self, path: str) -> None:
        """Book one call; 45009 beyond the daily quota, 45011 beyond the one of this minute."""
        settings, state, local = self._world.settings, self._world.state, self._world.local()
        per_day = state.daily.add(local.date().isoformat(), path)
        per_minute = state.minute.add(local.strftime("%Y-%m-%dT%H:%M"), path)
        self._world.touch()
        if per_day > settings.daily_quotas.get(path, per_day):
            raise ApiError(45009)
        if per_minute > settings.minute_quotas.get(path, per_minute):
            raise ApiError(45011)

    def clear(self, app_id: object) -> None:
        """Set every daily count to zero; 48006 after CLEAR_QUOTA_PER_MONTH times in a month."""
        if app_id != self._world.settings.app_id:
            raise ApiError(40013)
        state, local = self._world.state, self._world.local()
        if state.monthly.add(local.strftime("%Y-%m"), "clear_quota") > limits.CLEAR_QUOTA_PER_MONTH:
            raise ApiError(48006)
        state.daily.calls = {key: used for key, used in state.daily.calls.items() if key == "force_refresh"}
