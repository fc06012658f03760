"""What is sent is never trusted: sizes, kinds, methods, books that are busy."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from members import db
from tests.support.shop import open_shop
from tests.support.till import Till, refusal


def send(till: Till, content: bytes | AsyncIterator[bytes], **headers: str) -> tuple[int, str]:
    sent = {"Authorization": f"Bearer {till.key}", "Idempotency-Key": "k", "Content-Type": "application/json"}
    return refusal(till.shop.request("POST", "/api/v1/products", content=content, headers=sent | headers))


def test_bodies_that_are_no_json(till: Till) -> None:
    for content in (b"", b"{", b"nonsense", b"\xff\xfe", b'{"a":' + b"9" * 5000 + b"}", b"[" * 100_000):
        status, code = send(till, content)
        assert (status, code) in ((400, "api_json"), (422, "api_fields")), content[:20]
    for content in (b"null", b"[]", b"1", b'"text"', b"NaN", b'{"products": NaN}'):
        assert send(till, content) == (422, "api_fields"), content


def test_a_body_past_the_cap_is_refused_however_it_comes(till: Till) -> None:
    huge = b'{"products": [' + b" " * (256 * 1024) + b"]}"
    assert send(till, huge) == (413, "api_too_large")

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(300):
            yield b" " * 1024

    assert send(till, pieces()) == (413, "api_too_large")


def test_only_json_is_read(till: Till) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/xml", ""):
        assert send(till, b"{}", **{"Content-Type": kind}) == (415, "api_media"), kind
    assert send(till, b"{}", **{"Content-Type": "application/json; charset=utf-8"}) == (422, "api_fields")


def test_paths_and_methods_that_are_not_there(till: Till) -> None:
    shop, headers = till.shop, {"Authorization": f"Bearer {till.key}"}
    assert refusal(shop.request("GET", "/api/v1/nothing", headers=headers)) == (404, "api_not_found")
    wrong = shop.request("DELETE", "/api/v1/orders/A1", headers=headers)
    assert refusal(wrong) == (405, "api_method") and wrong.headers["allow"] == "GET"
    assert shop.request("GET", "/nothing").json() == {"detail": "Not Found"}


def test_the_document_is_complete_and_its_page_is_there(till: Till) -> None:
    document = till.shop.request("GET", "/openapi.json").json()
    assert till.shop.request("GET", "/docs").status_code == 200
    for path, operations in document["paths"].items():
        if not path.startswith("/api/v1/"):
            continue
        for method, operation in operations.items():
            assert operation["security"] == [{"key": []}] and operation["x-scope"], path
            errors = {"400", "401", "403", "404", "422", "429", "500", "503"}
            assert errors <= set(operation["responses"]), path
            named = {parameter["name"] for parameter in operation.get("parameters", [])}
            assert ("Idempotency-Key" in named) == (method == "post" and path != "/api/v1/quotes"), path
            for status, response in operation["responses"].items():
                kind = "application/json" if status.startswith("2") else "application/problem+json"
                assert list(response["content"]) == [kind], (path, status)


def test_busy_books_are_503_and_nothing_is_done(
    tmp_path: Path, migrated_sqlite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "BUSY_SECONDS", 0)
    with open_shop(tmp_path, f"sqlite:///{tmp_path / 'busy.db'}") as shop:
        till = Till(shop)
        with shop.service.database.transaction():
            busy = till.post("/products", {"products": [{"sku": "A", "name": "甲"}]}, again="k1")
        assert refusal(busy) == (503, "api_busy") and int(busy.headers["retry-after"]) > 0
        assert till.post("/products", {"products": [{"sku": "A", "name": "甲"}]}, again="k1").status_code == 200


def test_requests_are_counted_by_route_not_by_what_was_asked(till: Till) -> None:
    till.get("/members/13800138000")
    shown = till.shop.request("GET", "/metrics").text
    assert 'route="/api/v1/members/{ref}",status="404"' in shown and "13800138000" not in shown
