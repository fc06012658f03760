"""Sales, refunds and exchanges over HTTP: what they move, what they answer, what the member is told."""

from typing import Any

import pytest
from sqlalchemy import select

from members import auditing, coupons, ledger
from members.tables import AuditLog, Outbox, table
from tests.support.shop import Shop
from tests.support.till import Till, refusal

PHONE = "13800138000"
BUYER = {"kind": "phone", "value": PHONE}


def sale(number: str = "A1", total: int = 12850, **more: Any) -> dict[str, Any]:
    return {"order_no": number, "total": total, "buyer": BUYER, **more}


def issue(shop: Shop, member: int, template: str = "off-20-over-100") -> str:
    rules = shop.service.config.rules
    with shop.service.database.transaction() as connection:
        issued = coupons.issue(
            connection, template, rules.coupons[template], member, key=f"t:{template}:{member}:{shop.clock.now()}",
            by="test", reason="测试", zone=rules.shop.zone, now=shop.clock.now(),
        )  # fmt: skip
    return issued.code


def told(shop: Shop) -> list[str]:
    outbox = table(Outbox)
    with shop.service.database.reading() as connection:
        return [content["text"] for content in connection.scalars(select(outbox.c.content).order_by(outbox.c.id))]


def owned(shop: Shop, member: int) -> dict[str, int]:
    with shop.service.database.reading() as connection:
        return ledger.balances(connection, member)


@pytest.fixture(autouse=True)
def books_agree(shop: Shop) -> Any:
    yield
    with shop.service.database.reading() as connection:
        assert auditing.breaches(connection, now=shop.clock.now()) == []


def test_a_sale_earns_and_the_member_is_told(shop: Shop, till: Till) -> None:
    member = shop.member(f"+86{PHONE}", openid="o-anna")
    answer = till.post("/orders", sale(store="s1", lines=[{"sku": "MILK", "name": "牛奶", "amount": 12850}]))
    assert answer.status_code == 201
    taken = answer.json()
    assert taken == {
        "order_no": "A1", "store": "s1", "created": True, "member": member, "unknown_buyer": False, "points": 128,
        "pending": 0, "paid_principal": 0, "paid_gift": 0, "gifts": [], "coupons": [], "tier": None,
    }  # fmt: skip
    assert owned(shop, member)["points"] == 128
    assert told(shop) == ["您在一店消费 ¥128.50。得 128 积分。如有疑问请联系门店021-5555。"]
    assert PHONE not in answer.text


def test_the_same_order_under_a_new_key_is_the_stored_one(shop: Shop, till: Till) -> None:
    member = shop.member(f"+86{PHONE}", openid="o-anna")
    assert till.post("/orders", sale()).status_code == 201
    again = till.post("/orders", sale())
    assert again.status_code == 200 and again.json()["created"] is False
    assert refusal(till.post("/orders", sale(total=12851))) == (409, "order_conflict")
    assert owned(shop, member)["points"] == 128 and len(told(shop)) == 1


def test_an_unknown_buyer_is_kept_and_adopted_when_the_till_enrols_them(shop: Shop, till: Till) -> None:
    taken = till.post("/orders", sale()).json()
    assert taken["unknown_buyer"] and taken["member"] is None and taken["points"] == 0
    enrolled = till.post("/members", {"phone": "138 0013 8000", "store": "s2"})
    assert enrolled.status_code == 201
    found = enrolled.json()
    assert found["created"] and found["adopted"] == 1 and found["phone"] == "138****8000"
    assert owned(shop, found["id"])["points"] == 128
    assert till.get("/orders/A1").json()["member"] == found["id"]


def test_paying_with_balance_and_coupon_and_giving_all_of_it_back(shop: Shop, till: Till) -> None:
    member = shop.member(f"+86{PHONE}", principal=20000, gift=2000, openid="o-anna")
    code = issue(shop, member)
    body = sale(total=10850, discount=2000, pay_balance=5000, coupons=[code], lines=[{"sku": "A", "amount": 12850}])
    taken = till.post("/orders", body).json()
    assert taken["coupons"] == [{"title": "满100减20", "discount": 2000}]
    assert taken["paid_principal"] + taken["paid_gift"] == 5000
    first = till.post("/orders/A1/refund", {"refund_no": "R1", "amount": 850}).json()
    assert (first["amount"], first["left"], first["coupons_back"]) == (850, 10000, [])
    rest = till.post("/orders/A1/refund", {"refund_no": "R2"}).json()
    assert (rest["amount"], rest["left"]) == (10000, 0)
    assert rest["coupons_back"] == [{"title": "满100减20", "state": "issued"}]
    assert first["principal_back"] + rest["principal_back"] == taken["paid_principal"]
    assert first["points_taken"] + rest["points_taken"] == taken["points"]
    after = owned(shop, member)
    assert (after["principal"], after["gift"], after["points"]) == (20000, 2000, 0)
    assert refusal(till.post("/orders/A1/refund", {"refund_no": "R3", "amount": 1})) == (409, "refund_too_much")
    assert till.get("/orders/A1").json()["state"] == "refunded"
    assert "退回余额" in told(shop)[-1] and "「满100减20」已退给您" in told(shop)[-1]


def test_a_refund_is_made_once_per_number(till: Till) -> None:
    till.post("/orders", {"order_no": "A1", "total": 1000})
    first = till.post("/orders/A1/refund", {"refund_no": "R1", "amount": 400})
    again = till.post("/orders/A1/refund", {"refund_no": "R1", "amount": 400})
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["created"] is False and till.get("/orders/A1").json()["refunded"] == 400
    assert refusal(till.post("/orders/A1/refund", {"refund_no": "R1", "amount": 401})) == (409, "refund_conflict")


def test_an_exchange_is_both_or_neither(shop: Shop, till: Till) -> None:
    member = shop.member(f"+86{PHONE}")
    till.post("/orders", sale(total=5000, lines=[{"sku": "COAT", "amount": 5000}]))
    back = {"refund_no": "R1", "lines": [{"sku": "COAT"}]}
    too_new = till.post("/orders/A1/exchange", {"returned": back, "bought": sale("A2", 7000, pay_balance=7000)})
    assert refusal(too_new) == (409, "insufficient")
    assert till.get("/orders/A1").json()["refunded"] == 0 and owned(shop, member)["points"] == 50
    done = till.post("/orders/A1/exchange", {"returned": back, "bought": sale("A2", 7000)})
    assert done.status_code == 201 and done.json()["to_pay"] == 2000
    assert owned(shop, member)["points"] == 70


def test_what_cannot_be_is_refused_with_words(shop: Shop, till: Till) -> None:
    shop.member(f"+86{PHONE}")
    for body, refused in (
        (sale(at="2036-01-01T00:00:00Z"), (422, "order_future")),
        (sale(at="0001-01-01T00:00:00+14:00"), (422, "order_old")),
        (sale(at="9999-12-31T23:59:59-14:00"), (422, "order_future")),
        (sale(lines=[{"sku": "A", "amount": 1}]), (422, "order_sum")),
        (sale(pay_balance=12851), (422, "order_pay_too_much")),
        (sale(pay_balance=100), (409, "insufficient")),
        (sale(coupons=["0000-0000-0000"]), (404, "coupon_unknown")),
        (sale(store="s9"), (404, "store_unknown")),
        (sale(buyer={"kind": "phone", "value": "1"}), (422, "bad_phone")),
    ):
        assert refusal(till.post("/orders", body)) == refused, body


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"total": -1}, "total"),
        ({"total": 10**10 + 1}, "total"),
        ({"total": 2**63}, "total"),
        ({"total": 10**400}, "total"),
        ({"total": 12.5}, "total"),
        ({"total": "12850"}, "total"),
        ({"total": True}, "total"),
        ({"total": None}, "total"),
        ({"order_no": ""}, "order_no"),
        ({"order_no": "A\x00"}, "order_no"),
        ({"order_no": "A/1"}, "order_no"),
        ({"order_no": "A" * 65}, "order_no"),
        ({"at": "2026-03-02T10:00:00"}, "at"),
        ({"at": "2026-13-02T10:00:00Z"}, "at"),
        ({"at": 1700000000}, "at"),
        ({"lines": [{"sku": "A", "amount": 1}] * 501}, "lines"),
        ({"lines": [{"sku": "A\x00", "amount": 1}]}, "lines.0.sku"),
        ({"lines": [{"sku": "A", "amount": 1, "quantity": 0}]}, "lines.0.quantity"),
        ({"lines": [{"sku": "A", "amount": 1, "quantity": -1}]}, "lines.0.quantity"),
        ({"coupons": ["A"] * 11}, "coupons"),
        ({"buyer": {"kind": "email", "value": "a"}}, "buyer.kind"),
        ({"buyer": {"kind": "phone", "value": "\ud800"}}, "buyer.value"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_fields_are_strict_and_named(till: Till, change: dict[str, Any], field: str) -> None:
    import json

    body = json.dumps({"order_no": "A1", "total": 12850} | change).encode()
    headers = {"Authorization": f"Bearer {till.key}", "Idempotency-Key": "k", "Content-Type": "application/json"}
    answer = till.shop.request("POST", "/api/v1/orders", content=body, headers=headers)
    assert refusal(answer) == (422, "api_fields")
    errors = answer.json()["errors"]
    assert errors[0]["field"].startswith(field) and errors[0]["message"]


def test_every_deed_is_in_the_trail_with_its_till(shop: Shop, till: Till) -> None:
    shop.member(f"+86{PHONE}")
    till.post("/orders", sale())
    till.post("/orders/A1/refund", {"refund_no": "R1"})
    with shop.service.database.reading() as connection:
        rows = connection.execute(select(table(AuditLog)).order_by(table(AuditLog).c.id)).all()
    trail = {row.action: row for row in rows}
    assert {"order.take", "order.refund"} <= set(trail)
    assert trail["order.take"].actor == f"api:{till.id}" and trail["order.take"].origin == "api:测试收银机"
    assert PHONE not in str(rows)
