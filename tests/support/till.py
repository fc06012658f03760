"""A till: an API key and the HTTP calls of somebody who read the documentation."""

from collections.abc import Iterable
from itertools import count
from typing import Any

import httpx

from members import api_keys
from members.api_keys import SCOPES
from members.audit import Actor
from tests.support.shop import Shop

SERIAL = count(1)
NOBODY = Actor("test")


class Till:
    """One key, and what is sent with it."""

    def __init__(self, shop: Shop, scopes: Iterable[str] = SCOPES, store: str | None = None) -> None:
        self.shop = shop
        with shop.service.database.transaction() as connection:
            made = api_keys.make(
                connection, name="测试收银机", scopes=scopes, store=store, by=NOBODY, now=shop.clock.now()
            )
        self.id, self.key = made.id, made.text

    def post(
        self, path: str, body: Any = None, *, again: str | None = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """Write; `again` is the idempotency key, a fresh one by default."""
        sent = {
            "Authorization": f"Bearer {self.key}",
            "Idempotency-Key": again or f"test-{next(SERIAL)}",
            **(headers or {}),
        }
        return self.shop.request("POST", f"/api/v1{path}", json={} if body is None else body, headers=sent)

    def get(self, path: str, **query: str) -> httpx.Response:
        """Read."""
        headers = {"Authorization": f"Bearer {self.key}"}
        return self.shop.request("GET", f"/api/v1{path}", params=query, headers=headers)


def refusal(response: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal; checks that it is a problem with words."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    problem = response.json()
    assert problem["status"] == response.status_code
    assert problem["detail"]
    return response.status_code, problem["code"]
