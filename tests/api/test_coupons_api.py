"""Coupons over HTTP: quoted, locked, redeemed once, reversed; guessing is stopped."""

import threading

from members import member_code
from tests.api.test_orders_api import BUYER, PHONE, issue, told
from tests.support.shop import Shop
from tests.support.till import Till, refusal


def test_redeem_once_and_the_member_is_told(shop: Shop, till: Till) -> None:
    member = shop.member(f"+86{PHONE}", openid="o-anna")
    code = issue(shop, member)
    spelled = f"{code[:4]}-{code[4:8]}-{code[8:]}".lower()
    done = till.post(f"/coupons/{spelled}/redeem", {"store": "s1", "discount": 2000})
    assert done.status_code == 200
    assert done.json() == {
        "title": "满100减20", "state": "redeemed", "member": member, "discount": 2000, "until": None,
    }  # fmt: skip
    assert refusal(till.post(f"/coupons/{code}/redeem")) == (409, "coupon_used")
    assert told(shop) == ["您的「满100减20」已在一店使用。如有疑问请联系门店021-5555。"]


def test_a_coupon_takes_off_no_more_than_it_is_worth(shop: Shop, till: Till) -> None:
    code = issue(shop, shop.member(f"+86{PHONE}"))
    assert refusal(till.post(f"/coupons/{code}/redeem", {"discount": 2001})) == (409, "coupon_discount")
    assert till.post(f"/coupons/{code}/redeem", {"discount": 2000}).status_code == 200


def test_the_code_a_member_shows_redeems_for_two_minutes(shop: Shop, till: Till) -> None:
    member = shop.member(f"+86{PHONE}")
    issue(shop, member)
    with shop.service.database.reading() as connection:
        from members import coupons

        held = coupons.usable(connection, member, shop.clock.now())[0]
    token = member_code.coupon_token(shop.service.vault, held.id, shop.clock.now())
    shop.clock.forward(minutes=3)
    assert refusal(till.post(f"/coupons/{token}/redeem")) == (404, "coupon_unknown")
    token = member_code.coupon_token(shop.service.vault, held.id, shop.clock.now())
    assert till.post(f"/coupons/{token}/redeem").status_code == 200


def test_reverse_gives_the_coupon_back_while_it_is_valid(shop: Shop, till: Till) -> None:
    member = shop.member(f"+86{PHONE}", openid="o-anna")
    code = issue(shop, member)
    assert refusal(till.post(f"/coupons/{code}/reverse")) == (409, "coupon_not_used")
    till.post(f"/coupons/{code}/redeem")
    assert till.post(f"/coupons/{code}/reverse").json()["state"] == "issued"
    assert till.post(f"/coupons/{code}/redeem").status_code == 200
    shop.clock.forward(days=30)
    assert till.post(f"/coupons/{code}/reverse").json()["state"] == "expired"
    assert "券已退给您" not in told(shop)[-1] and "已撤销" in told(shop)[-1]


def test_a_locked_coupon_opens_only_to_its_lock_key(shop: Shop, till: Till) -> None:
    code = issue(shop, shop.member(f"+86{PHONE}"))
    locked = till.post(f"/coupons/{code}/lock", {"lock_key": "cart-1", "seconds": 60})
    assert locked.status_code == 200 and locked.json()["state"] == "locked"
    assert refusal(till.post(f"/coupons/{code}/lock", {"lock_key": "cart-2"})) == (409, "coupon_locked")
    assert refusal(till.post(f"/coupons/{code}/redeem")) == (409, "coupon_locked")
    assert refusal(till.post(f"/coupons/{code}/unlock", {"lock_key": "cart-2"})) == (409, "coupon_locked")
    assert till.post(f"/coupons/{code}/unlock", {"lock_key": "cart-1"}).json()["state"] == "issued"
    assert till.post(f"/coupons/{code}/lock", {"lock_key": "cart-2"}).status_code == 200
    assert till.post(f"/coupons/{code}/redeem", {"lock_key": "cart-2"}).status_code == 200


def test_a_quote_says_what_is_best_and_why_not_the_rest(shop: Shop, till: Till) -> None:
    member = shop.member(f"+86{PHONE}")
    code, other = issue(shop, member), issue(shop, member, "only-s2")
    basket = {"member": BUYER, "store": "s2", "lines": [{"sku": "A", "quantity": 2, "unit_price": 6000}]}
    quoted = till.post("/quotes", basket).json()
    assert (quoted["total"], quoted["discount"], quoted["payable"]) == (12000, 2000, 10000)
    assert [used["code"].replace("-", "") for used in quoted["applied"]] == [code]
    assert quoted["applied"][0]["lines"] == [2000]
    assert [(no["code"].replace("-", ""), no["refusal"]) for no in quoted["refused"]] == [(other, "coupon_stack")]
    small = till.post("/quotes", basket | {"lines": [{"sku": "A", "unit_price": 9000}]}).json()
    assert small["discount"] == 500
    gap = next(no for no in small["refused"] if no["refusal"] == "coupon_threshold")
    assert gap["gap"] == 1000 and "¥10.00" in gap["reason"]
    assert till.post(f"/coupons/{code}/redeem").status_code == 200


def test_guessing_codes_locks_the_key_and_only_it(shop: Shop, till: Till) -> None:
    other, code = Till(shop), issue(shop, shop.member(f"+86{PHONE}"))
    assert refusal(till.post("/coupons/0000-0000-0000/redeem", again="k1")) == (404, "coupon_unknown")
    for _ in range(5):  # a repetition is no new guess
        assert refusal(till.post("/coupons/0000-0000-0000/redeem", again="k1")) == (404, "coupon_unknown")
    assert refusal(till.post("/coupons/0000-0000-0001/lock", {"lock_key": "k"}))[0] == 404
    assert refusal(till.post("/orders", {"order_no": "A1", "total": 1, "coupons": ["nonsense"]}))[0] == 404
    locked = till.post(f"/coupons/{code}/redeem", again="k2")
    assert refusal(locked) == (429, "codes_locked") and int(locked.headers["retry-after"]) == 30 * 60
    assert till.post("/orders", {"order_no": "A1", "total": 1}).status_code == 201
    assert refusal(other.post("/coupons/0000-0000-0000/redeem")) == (404, "coupon_unknown")
    shop.clock.forward(minutes=31)
    assert till.post(f"/coupons/{code}/redeem", again="k2").status_code == 200


def test_of_racing_tills_one_redeems(shop: Shop) -> None:
    code = issue(shop, shop.member(f"+86{PHONE}"))
    tills, answers = [Till(shop) for _ in range(8)], []
    gate = threading.Barrier(len(tills))

    def redeem(till: Till) -> None:
        gate.wait()
        answers.append(till.post(f"/coupons/{code}/redeem"))

    threads = [threading.Thread(target=redeem, args=(till,)) for till in tills]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 7]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"coupon_used"}


def test_a_coupon_of_a_standing_order_comes_back_only_with_its_refund(shop: Shop, till: Till) -> None:
    code = issue(shop, shop.member(f"+86{PHONE}"))
    order = {
        "order_no": "C1", "buyer": {"kind": "phone", "value": PHONE}, "total": 8000, "discount": 2000,
        "coupons": [code],
        "lines": [{"sku": "A", "name": "A", "quantity": 1, "amount": 10_000}],
    }  # fmt: skip
    assert till.post("/orders", order).status_code == 201
    assert refusal(till.post(f"/coupons/{code}/reverse")) == (409, "coupon_in_order")
    assert till.post("/orders/C1/refund", {"refund_no": "R1"}).status_code in (200, 201)
    assert refusal(till.post(f"/coupons/{code}/reverse")) == (409, "coupon_not_used")
    assert till.post(f"/coupons/{code}/redeem").status_code == 200


def test_whose_coupon_pays_in_a_sale_of_nobody_is_told(shop: Shop, till: Till) -> None:
    code = issue(shop, shop.member(f"+86{PHONE}", openid="o-anna"))
    lines = [{"sku": "A", "name": "A", "quantity": 1, "amount": 10_000}]
    order = {"order_no": "C2", "total": 8000, "discount": 2000, "coupons": [code], "lines": lines}
    assert till.post("/orders", order).status_code == 201
    assert "满100减20" in told(shop)[-1]
