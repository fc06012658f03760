"""One wrong value at a time, in every place of every body: always a 422 that names the place, never a 5xx."""

import copy
import json
from collections.abc import Iterator
from typing import Any

from tests.support.till import Till, refusal

WHO = {"kind": "phone", "value": "13800138000"}
LINE = {"sku": "A", "name": "甲", "quantity": 1, "amount": 100, "discount": 0, "category": "c", "brand": "b"}
ORDER = {
    "order_no": "A1", "store": "s1", "buyer": WHO, "at": "2026-03-02T10:00:00+08:00", "lines": [LINE], "total": 100,
    "discount": 0, "pay_balance": 0, "coupons": ["0000-0000-0000"], "lock_key": "k",
}  # fmt: skip
REFUND = {
    "refund_no": "R1", "store": "s1", "amount": 100, "lines": [{"sku": "A", "quantity": 1, "amount": 100}],
    "at": "2026-03-02T10:00:00+08:00", "reason": "不要了",
}  # fmt: skip
PRODUCT = {
    "sku": "A", "name": "甲", "category": "c", "category_name": "类", "department": "d", "brand": "b",
    "manufacturer": "m", "type": "t", "pack": "p", "own_brand": False, "price": 100, "active": True,
}  # fmt: skip
BODIES: dict[str, dict[str, Any]] = {
    "/orders": ORDER,
    "/orders/A1/refund": REFUND,
    "/orders/A1/exchange": {"returned": REFUND, "bought": {**ORDER, "order_no": "A2"}},
    "/quotes": {"member": WHO, "store": "s1", "at": "2026-03-02T10:00:00+08:00", "lines": [
        {"sku": "A", "quantity": 1, "unit_price": 100, "category": "c", "brand": "b"}]},
    "/coupons/0000-0000-0000/redeem": {"store": "s1", "order_no": "A1", "discount": 0, "lock_key": "k"},
    "/coupons/0000-0000-0000/reverse": {"store": "s1"},
    "/coupons/0000-0000-0000/lock": {"lock_key": "k", "seconds": 60, "store": "s1"},
    "/coupons/0000-0000-0000/unlock": {"lock_key": "k", "store": "s1"},
    "/members": {"phone": "13800138000", "card": "K-1001", "shop": "tmall:88", "openid": "o-anna", "store": "s1",
                 "birthday": "1990-05-17", "marketing": True, "sms": True},
    "/products": {"products": [PRODUCT]},
    "/events": {"type": "cart", "member": WHO, "store": "s1", "sku": "A", "at": "2026-03-02T10:00:00+08:00"},
}  # fmt: skip
POISON: tuple[Any, ...] = (
    2**63, -(2**63) - 1, 10**400, -1, 1.5, 1e308, float("nan"), "", "a\x00b", "\ud800", "x" * 10_000, [], {}, [[]],
)  # fmt: skip


def places(value: Any, *above: Any) -> Iterator[tuple[Any, ...]]:
    """Every path to a leaf, and to a list of leaves."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, *above, key)
    elif isinstance(value, list) and value:
        for position, inner in enumerate(value):
            yield from places(inner, *above, position)
    else:
        yield above


def poisoned(body: dict[str, Any]) -> Iterator[tuple[tuple[Any, ...], Any, dict[str, Any]]]:
    """The body with one place spoilt."""
    for place in places(body):
        for poison in POISON:
            spoilt = copy.deepcopy(body)
            inner: Any = spoilt
            for step in place[:-1]:
                inner = inner[step]
            inner[place[-1]] = poison
            yield place, poison, spoilt


def test_one_wrong_value_anywhere_is_named(till: Till) -> None:
    headers = {"Authorization": f"Bearer {till.key}", "Idempotency-Key": "k", "Content-Type": "application/json"}
    asked = 0
    for path, body in BODIES.items():
        for place, poison, spoilt in poisoned(body):
            answer = till.shop.request("POST", f"/api/v1{path}", content=json.dumps(spoilt).encode(), headers=headers)
            asked += 1
            if poison == "" and answer.status_code != 422:  # some texts may be empty
                assert answer.status_code in (200, 201, 202, 404, 409, 429), (path, place)
                headers["Idempotency-Key"] = f"k{asked}"
                continue
            assert refusal(answer) == (422, "api_fields"), (path, place, poison)
            named = answer.json()["errors"][0]["field"]
            assert named.startswith(str(place[0])), (path, place)
    assert asked > 900


def test_one_wrong_path_or_question_is_no_fault(till: Till) -> None:
    for text in ("%00", "a%00b", "%ff", "%F0%9F%98%80", "x" * 5000, "..", "%2e%2e", "9" * 30, "-1", "1e9", "%20", "😀"):
        for path in (f"/orders/{text}", f"/members/{text}", f"/orders/A1?store={text}", f"/members/1?store={text}"):
            assert refusal(till.get(path))[0] in (404, 422), path
        for path in (f"/orders/{text}/refund", f"/coupons/{text}/redeem"):
            assert refusal(till.post(path))[0] in (404, 405, 422, 429), path
