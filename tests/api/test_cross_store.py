"""A key with a store sees and serves that store alone: what belongs to another is answered as if it were not there."""

import pytest

from members import identity
from tests.api.test_orders_api import BUYER, PHONE, issue
from tests.support.shop import Shop
from tests.support.till import Till, refusal


@pytest.fixture
def tills(shop: Shop) -> tuple[Till, Till]:
    """A till of each of the two stores."""
    return Till(shop, store="s1"), Till(shop, store="s2")


def same_but_for_the_number(left: str, right: str) -> bool:
    return left.replace("B9", "A1") == right.replace("B9", "A1")


def test_orders_of_another_store_are_not_there(tills: tuple[Till, Till]) -> None:
    one, two = tills
    assert one.post("/orders", {"order_no": "A1", "total": 1000}).status_code == 201
    for path, body in (("/orders/{}/refund", {"refund_no": "R1"}),):
        theirs, nobodys = two.post(path.format("A1"), body), two.post(path.format("B9"), body)
        assert refusal(theirs) == (404, "order_unknown") and theirs.text == nobodys.text
    theirs, nobodys = two.get("/orders/A1"), two.get("/orders/B9")
    assert refusal(theirs) == (404, "order_unknown") and theirs.text == nobodys.text
    assert one.get("/orders/A1").json()["refunded"] == 0


def test_two_stores_number_their_orders_alike(shop: Shop, tills: tuple[Till, Till]) -> None:
    one, two = tills
    assert one.post("/orders", {"order_no": "A1", "total": 1000}).status_code == 201
    assert two.post("/orders", {"order_no": "A1", "total": 2000}).status_code == 201
    assert (one.get("/orders/A1").json()["total"], two.get("/orders/A1").json()["total"]) == (1000, 2000)
    group = Till(shop)
    assert group.get("/orders/A1", store="s2").json()["total"] == 2000
    assert refusal(group.get("/orders/A1")) == (404, "order_unknown")


def test_another_store_named_in_a_request_is_unknown(tills: tuple[Till, Till]) -> None:
    one, _ = tills
    for path, body in (
        ("/orders", {"order_no": "A1", "total": 1000}),
        ("/orders/A1/refund", {"refund_no": "R1"}),
        ("/members", {"phone": PHONE}),
        ("/events", {"type": "browse", "member": BUYER}),
        ("/coupons/0000-0000-0000/redeem", {}),
        ("/coupons/0000-0000-0000/lock", {"lock_key": "k"}),
    ):
        theirs, nobodys = one.post(path, body | {"store": "s2"}), one.post(path, body | {"store": "s9"})
        assert refusal(theirs) == (404, "store_unknown"), path
        assert theirs.text == nobodys.text
    assert refusal(one.get("/orders/A1", store="s2")) == (404, "store_unknown")
    assert refusal(one.get(f"/members/{PHONE}", store="s2"))[0] == 404


def test_a_coupon_for_another_store_is_unknown_whatever_its_state(shop: Shop, tills: tuple[Till, Till]) -> None:
    one, two = tills
    member = shop.member(f"+86{PHONE}")
    code = issue(shop, member, "only-s2")
    unknown = one.post("/coupons/0000-0000-0000/redeem")
    wrong = one.post(f"/coupons/{code}/redeem")
    assert refusal(wrong) == refusal(unknown) == (404, "coupon_unknown") and wrong.text == unknown.text
    assert one.get(f"/members/{PHONE}").json()["coupons"] == []
    assert [held["title"] for held in two.get(f"/members/{PHONE}").json()["coupons"]] == ["二店专用"]
    assert two.post(f"/coupons/{code}/redeem").status_code == 200
    assert refusal(two.post(f"/coupons/{code}/redeem")) == (409, "coupon_used")
    assert refusal(one.post(f"/coupons/{code}/redeem")) == (404, "coupon_unknown")
    order = {"order_no": "A1", "total": 1000, "discount": 500, "buyer": BUYER, "coupons": [code]}
    assert refusal(Till(shop, store="s1").post("/orders", order)) == (404, "coupon_unknown")
    of_another = {**order, "buyer": {"kind": "phone", "value": "13900139000"}}
    shop.member("+8613900139000")
    assert refusal(Till(shop, store="s1").post("/orders", of_another)) == (404, "coupon_unknown")


def test_a_redemption_is_reversed_only_where_it_was_made(shop: Shop, tills: tuple[Till, Till]) -> None:
    one, two = tills
    code = issue(shop, shop.member(f"+86{PHONE}"))
    assert one.post(f"/coupons/{code}/redeem").status_code == 200
    assert refusal(two.post(f"/coupons/{code}/reverse")) == (404, "coupon_unknown")
    assert one.post(f"/coupons/{code}/reverse").json()["state"] == "issued"
    assert two.post(f"/coupons/{code}/redeem").status_code == 200


def test_a_till_sees_of_a_member_what_it_needs(shop: Shop, tills: tuple[Till, Till]) -> None:
    one, _ = tills
    member = shop.member(f"+86{PHONE}", points=300, principal=1000, openid="o-anna")
    issue(shop, member)
    answer = one.get(f"/members/{PHONE}")
    shown = answer.json()
    assert shown["phone"] == "138****8000" and PHONE not in answer.text and "o-anna" not in answer.text
    assert (shown["points"], shown["balance"]) == (300, {"principal": 1000, "gift": 0})
    assert shown["coupons"][0]["code"] is not None
    looker = Till(shop, ["members:read"], "s1")
    assert looker.get(f"/members/{PHONE}").json()["coupons"][0]["code"] is None
    with shop.service.database.reading() as connection:
        card = identity.card_of(connection, member)
    assert {one.get(f"/members/{ref}").json()["id"] for ref in (PHONE, f"+86{PHONE}", member, "o-anna", card)} == {
        member
    }
