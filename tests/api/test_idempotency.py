"""One key, one effect: repetitions get the first answer, whatever becomes of the connection meanwhile."""

import threading

import pytest
from sqlalchemy import func, select

from members import idempotency, products
from members.errors import MemberError
from members.tables import ApiRequest, Order, Product, table
from tests.support.shop import Shop
from tests.support.till import Till, refusal

MILK = {"products": [{"sku": "MILK", "name": "牛奶", "price": 350}]}


def rows(shop: Shop, model: type) -> int:
    with shop.service.database.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(table(model))).scalar_one())


def test_key_is_required_on_writes_and_bounded(till: Till) -> None:
    assert refusal(till.post("/products", MILK, headers={"Idempotency-Key": ""})) == (400, "idempotency_key_required")
    assert refusal(till.post("/products", {}, headers={"Idempotency-Key": ""}))[0] == 400
    assert refusal(till.post("/products", MILK, again="x" * 129)) == (400, "idempotency_key_bad")
    assert till.post("/products", MILK, again="x" * 128).status_code == 200


def test_same_key_and_body_is_answered_the_same_and_done_once(shop: Shop, till: Till) -> None:
    first = till.post("/orders", {"order_no": "A1", "total": 1000}, again="k1")
    assert first.status_code == 201 and "idempotency-replay" not in first.headers
    second = till.post("/orders", {"total": 1000, "order_no": "A1"}, again="k1")
    assert second.status_code == 201 and second.content == first.content
    assert second.headers["idempotency-replay"] == "true"
    assert rows(shop, Order) == 1


def test_same_key_other_body_route_or_path_is_409(till: Till) -> None:
    assert till.post("/orders", {"order_no": "A1", "total": 1000}, again="k1").status_code == 201
    for path, body in (
        ("/orders", {"order_no": "A1", "total": 1001}),
        ("/orders", {"order_no": "A1", "total": 1000, "discount": 0}),
        ("/orders/A1/refund", {"refund_no": "R1"}),
        ("/products", MILK),
    ):
        assert refusal(till.post(path, body, again="k1")) == (409, "idempotency_conflict"), path
    assert till.post("/orders/A1/refund", {"refund_no": "R1"}, again="k2").status_code == 201
    assert refusal(till.post("/orders/A2/refund", {"refund_no": "R1"}, again="k2")) == (409, "idempotency_conflict")


def test_keys_of_two_tills_are_two_keys(shop: Shop, till: Till) -> None:
    other = Till(shop)
    assert till.post("/orders", {"order_no": "A1", "total": 1000}, again="k1").status_code == 201
    assert other.post("/orders", {"order_no": "A2", "total": 1000}, again="k1").status_code == 201
    assert rows(shop, Order) == 2


def test_a_refusal_stays_although_it_would_succeed_now(shop: Shop, till: Till) -> None:
    refund = {"refund_no": "R1"}
    assert refusal(till.post("/orders/A1/refund", refund, again="k1")) == (404, "order_unknown")
    assert till.post("/orders", {"order_no": "A1", "total": 1000}).status_code == 201
    again = till.post("/orders/A1/refund", refund, again="k1")
    assert refusal(again) == (404, "order_unknown") and again.headers["idempotency-replay"] == "true"
    assert till.post("/orders/A1/refund", refund, again="k2").status_code == 201


def test_what_never_began_is_not_remembered(shop: Shop, till: Till) -> None:
    assert refusal(till.post("/products", {"products": [{"sku": "MILK"}]}, again="k1")) == (422, "api_fields")
    assert till.post("/products", MILK, again="k1").status_code == 200


def test_a_fault_is_not_remembered(shop: Shop, till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(products, "upsert", lambda *_: 1 // 0)
        answer = till.post("/products", MILK, again="k1")
        assert refusal(answer) == (500, "incident")
        assert "zero" not in answer.text
    assert rows(shop, ApiRequest) == rows(shop, Product) == 0
    assert till.post("/products", MILK, again="k1").json() == {"created": 1, "updated": 0}


def test_what_was_too_busy_to_be_decided_is_not_remembered(
    shop: Shop, till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object) -> None:
        raise MemberError("busy")

    with monkeypatch.context() as broken:
        broken.setattr(products, "upsert", busy)
        assert refusal(till.post("/products", MILK, again="k1")) == (503, "api_busy")
    assert till.post("/products", MILK, again="k1").json() == {"created": 1, "updated": 0}


def test_a_fault_after_the_effect_takes_the_effect_back(
    shop: Shop, till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(idempotency, "store", lambda *_: 1 // 0)
        assert refusal(till.post("/products", MILK, again="k1")) == (500, "incident")
    assert rows(shop, ApiRequest) == rows(shop, Product) == 0


def test_racing_duplicates_have_one_effect_and_one_answer(shop: Shop, till: Till) -> None:
    body = {"order_no": "A1", "total": 1000}
    answers, gate = [], threading.Barrier(8)

    def ask() -> None:
        gate.wait()
        answers.append(till.post("/orders", body, again="k1"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotency-replay" in answer.headers for answer in answers) == 7
    assert rows(shop, Order) == rows(shop, ApiRequest) == 1
