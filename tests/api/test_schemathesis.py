"""Requests made from the OpenAPI document itself, right and wrong ones: no 5xx, and no answer the document lacks.

Right ones are steered half of the time to stores, orders, coupons and members that are there, or they would find
nothing; only their Idempotency-Key is always fresh.
"""

import random
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from sqlalchemy import text

from members import auditing, coupons, member_code
from tests.api.conftest import CHANGES
from tests.support.shop import Shop, merged, open_shop
from tests.support.till import Till

EXAMPLES, KEYLESS = 30, 5
PATIENT = merged(CHANGES, {"staff": {"wrong_codes": 10**6}, "coupons": {"off-20-over-100": {"per_member": 1000}}})
QUICK = settings(
    deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)  # fmt: skip
OPERATIONS = {
    "POST /api/v1/orders", "POST /api/v1/orders/{no}/refund", "POST /api/v1/orders/{no}/exchange",
    "GET /api/v1/orders/{no}", "POST /api/v1/quotes", "POST /api/v1/coupons/{code}/redeem",
    "POST /api/v1/coupons/{code}/reverse", "POST /api/v1/coupons/{code}/lock", "POST /api/v1/coupons/{code}/unlock",
    "POST /api/v1/members", "GET /api/v1/members/{ref}", "POST /api/v1/products", "POST /api/v1/events",
    "POST /api/v1/members/{ref}/perks", "POST /api/v1/members/{ref}/plan",
}  # fmt: skip


class World:
    """A shop with something in it, and its OpenAPI document as schemathesis reads it."""

    def __init__(self, shop: Shop) -> None:
        self.shop, self.till, self.serial = shop, Till(shop), count(1)
        self.dice = random.Random(7)
        self.member = shop.member("+8613800138000", principal=10**9, openid="o-anna")
        self.orders = [f"T{n}" for n in range(20)]
        for number in self.orders:
            body = {"order_no": number, "total": 10**6, "buyer": {"kind": "phone", "value": "13800138000"}}
            assert self.till.post("/orders", body | {"lines": [{"sku": "A", "amount": 10**6}]}).status_code == 201
        self.codes = [self._issue(n) for n in range(40)]
        self.schema = schemathesis.openapi.from_asgi("/openapi.json", self.app)

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        """The app, which is running already: its lifespan is not started again."""
        if scope["type"] != "lifespan":
            return await self.shop.front(scope, receive, send)
        for done in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{done}.complete"})

    def _issue(self, number: int) -> str:
        rules, now = self.shop.service.config.rules, self.shop.clock.now()
        with self.shop.service.database.transaction() as connection:
            issued = coupons.issue(
                connection, "off-20-over-100", rules.coupons["off-20-over-100"], self.member, key=f"t:{number}",
                by="test", reason="测试", zone=rules.shop.zone, now=now,
            )  # fmt: skip
        return issued.code

    def operations(self) -> Iterator[Any]:
        """Every operation of the REST part; the document must have exactly these."""
        found: list[Any] = [cast(Any, result).ok() for result in self.schema.get_all_operations()]
        ours = [operation for operation in found if "/api/v1/" in operation.label]
        assert {operation.label for operation in ours} == OPERATIONS
        yield from ours

    def steer(self, case: Any) -> None:
        """Point a right request at what is there, half of the time."""
        case.headers = {**(case.headers or {}), "Idempotency-Key": f"s-{next(self.serial)}"}
        known = {"no": self.orders, "code": self.codes, "ref": ["13800138000", str(self.member), self._code()]}
        for name in case.path_parameters or {}:
            if self.dice.random() < 0.7:
                case.path_parameters[name] = self.dice.choice(known[name])
        self._steer(case.body)
        if case.query:
            self._steer(case.query)

    def _steer(self, body: Any) -> None:
        if isinstance(body, dict):
            if "store" in body and self.dice.random() < 0.8:
                body["store"] = self.dice.choice(["s1", "s2"])
            if "coupons" in body and self.dice.random() < 0.8:
                body["coupons"] = self.dice.sample(self.codes, self.dice.choice([0, 0, 1]))
            for name, known in (("perk", "专属客服"), ("plan", "黑金")):
                if name in body and self.dice.random() < 0.8:
                    body[name] = known
            if body.keys() == {"kind", "value"} and self.dice.random() < 0.8:
                named = (("phone", "13800138000"), ("openid", "o-anna"), ("code", self._code()))
                body["kind"], body["value"] = self.dice.choice(named)
            for value in body.values():
                self._steer(value)
        elif isinstance(body, list):
            for value in body:
                self._steer(value)

    def _code(self) -> str:
        return member_code.make(self.shop.service.vault, self.member, self.shop.clock.now())

    def ask(self, operation: Any, mode: Any, key: str, many: int = EXAMPLES) -> Counter[int]:
        """Ask one operation many things; every answer is checked against the document. Return how often each status."""
        seen: Counter[int] = Counter()

        @settings(QUICK, max_examples=many)
        @given(case=operation.as_strategy(generation_mode=mode))
        def run(case: Any) -> None:
            if mode is GenerationMode.POSITIVE:
                self.steer(case)
            response = case.call(headers={"Authorization": f"Bearer {key}"} if key else {})
            seen[response.status_code] += 1
            # what the schema allows may still be a phone of no country, or lines that do not come to the total
            unfit = response.status_code == 422 and response.json()["code"] != "api_fields"
            case.validate_response(response, excluded_checks=[positive_data_acceptance] if unfit or not key else [])
            assert response.status_code < 500

        run()
        return seen


@pytest.fixture
def world(tmp_path: Path, books_url: str) -> Iterator[World]:
    """A shop that does not lock out who guesses, with something in it."""
    with open_shop(tmp_path, books_url, PATIENT) as shop:
        yield World(shop)


@pytest.mark.slow
def test_right_requests_are_answered_as_the_document_says(world: World) -> None:
    seen: dict[str, Counter[int]] = {}
    for operation in world.operations():
        seen[operation.label] = world.ask(operation, GenerationMode.POSITIVE, world.till.key)
        # what is drawn goes by the constants of the whole source: an unlucky draw is followed by a longer one
        if not any(status < 300 for status in seen[operation.label]):
            seen[operation.label] += world.ask(operation, GenerationMode.POSITIVE, world.till.key, 6 * EXAMPLES)
    # each operation was asked something it could do
    idle = [label for label, statuses in seen.items() if not any(status < 300 for status in statuses)]
    assert idle == [], seen
    with world.shop.service.database.reading() as connection:
        assert auditing.breaches(connection, now=world.shop.clock.now()) == []


@pytest.mark.slow
def test_wrong_requests_are_refused_as_the_document_says(world: World) -> None:
    seen: Counter[int] = Counter()
    for operation in world.operations():
        seen += world.ask(operation, GenerationMode.NEGATIVE, world.till.key)
    assert {400, 401, 422} <= set(seen)


@pytest.mark.slow
def test_without_a_valid_key_nothing_is_seen_and_nothing_done(world: World) -> None:
    with world.shop.service.database.reading() as connection:
        tables = connection.execute(text("SELECT count(*) FROM orders")).scalar_one()
    for operation in world.operations():
        for key in ("", "mb_wrong", world.till.key[:-1]):
            assert set(world.ask(operation, GenerationMode.POSITIVE, key, KEYLESS)) == {401}, operation.label
    with world.shop.service.database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM orders")).scalar_one() == tables
