"""The field's known ways to lose money to a member: each closed, through the doors that tills and chats come in by."""

from typing import Any

from tests.failures.conftest import CHANGES
from tests.failures.counter import ANNA, buy, exchange, new_coupon, night, owned, refund, states
from tests.support.acting import deal
from tests.support.shop import Shop, open_shop
from tests.support.till import Till, refusal


def test_earn_refund_keep(shop: Shop, till: Till) -> None:
    """Buy, spend what it brought, give the goods back: neither the points nor the gift stay."""
    assert buy(till, "A1", 100_00).json()["points"] == 100
    anna = shop.talker("o-anna")
    assert "要用 80 积分兑换" in exchange(shop)
    assert "兑换成功" in anna.say("确认")
    assert owned(shop) == {"points": 20}
    back = refund(till, "A1", "R1").json()
    assert (back["points_due"], back["points_taken"]) == (100, 20)
    assert owned(shop) == {} and states(shop, "tea") == ["void"]


def test_earn_refund_keep_in_debt(tmp_path: Any, books_url: str) -> None:
    """Where the shop lets points go below zero, the debt is paid by what is earned next."""
    loyalty = {**CHANGES["loyalty"], "earn": {"refunds": "may_go_negative"}}
    with open_shop(tmp_path, books_url, {**CHANGES, "loyalty": loyalty}) as shop:
        shop.member("+8613800138000", openid="o-anna")
        till = Till(shop)
        buy(till, "A1", 90_00)
        exchange(shop)
        assert "兑换成功" in shop.talker("o-anna").say("确认")
        assert refund(till, "A1", "R1").json()["points_taken"] == 90
        assert owned(shop) == {"owed": -80}
        buy(till, "A2", 50_00)
        assert owned(shop) == {"owed": -30}
        buy(till, "A3", 50_00)
        assert owned(shop) == {"points": 20}


def test_coupon_not_returned_on_refund(shop: Shop, till: Till) -> None:
    """The coupon comes back with the last of the money, once, and works again."""
    made = new_coupon(shop)
    assert buy(till, "A1", 100_00, discount=20_00, coupons=[made.code]).status_code == 201
    assert states(shop, "off-20-over-100") == ["redeemed"]
    refund(till, "A1", "R1", 40_00)
    assert states(shop, "off-20-over-100") == ["redeemed"]
    assert len(refund(till, "A1", "R2").json()["coupons_back"]) == 1
    assert states(shop, "off-20-over-100") == ["issued"]
    assert refusal(refund(till, "A1", "R3")) == (409, "refund_too_much")
    assert buy(till, "A2", 100_00, discount=20_00, coupons=[made.code]).status_code == 201


def test_refund_after_expiry_of_the_coupon(shop: Shop, till: Till) -> None:
    """Refunded after its last day the coupon is the member's history, not money."""
    made = new_coupon(shop)
    buy(till, "A1", 100_00, discount=20_00, coupons=[made.code])
    shop.clock.forward(days=15)
    assert refund(till, "A1", "R1").status_code == 201
    assert states(shop, "off-20-over-100") == ["expired"]
    sale = buy(till, "A2", 100_00, discount=20_00, coupons=[made.code])
    assert refusal(sale) == (409, "coupon_expired")


def test_refund_after_expiry_of_the_points(shop: Shop, till: Till) -> None:
    """Points that ran out are gone once: the refund does not take them from what was earned since."""
    buy(till, "A1", 60_00)
    shop.clock.forward(days=380)
    night(shop)
    buy(till, "A2", 50_00)
    assert owned(shop) == {"points": 50}
    back = refund(till, "A1", "R1").json()
    assert (back["points_due"], back["points_taken"]) == (60, 0)
    assert owned(shop) == {"points": 50}


def test_double_refund(shop: Shop, till: Till) -> None:
    """The same refund again is the same refund; another one finds nothing left; chat and till share what is left."""
    buy(till, "A1", 60_00)
    first = refund(till, "A1", "R1", 40_00)
    again = refund(till, "A1", "R1", 40_00)
    assert (first.status_code, again.status_code) == (201, 200)
    assert refusal(refund(till, "A1", "R1", 39_00)) == (409, "refund_conflict")
    assert refusal(refund(till, "A1", "R2", 40_00)) == (409, "refund_too_much")
    assert refund(till, "A1", "R3").json()["amount"] == 20_00
    assert refusal(refund(till, "A1", "R4", 1)) == (409, "refund_too_much")
    assert owned(shop) == {}
    said = shop.talker("o-wang").say("退款 A1")
    assert "回复「确认」" not in said


def test_negative_pay(shop: Shop, till: Till) -> None:
    """Nobody gets richer by paying less than nothing."""
    deal(shop, "o-wang", "充值 尾号8000 100")
    before = owned(shop)
    assert before == {"principal": 100_00, "gift": 20_00}
    for body in ({"total": -1}, {"total": 10_00, "pay_balance": -5_00}, {"total": 10_00, "discount": -1}):
        assert buy(till, "A1", **body).status_code == 422
    minus = {"sku": "a", "amount": -10_00}
    assert buy(till, "A1", 0, lines=[minus, {"sku": "b", "amount": 10_00}]).status_code == 422
    wang = shop.talker("o-wang")
    for said in ("消费 {} -5 用余额", "充值 {} -100", "消费 {} 负5元", "充值 {} −100", "充值 {} 0", "退款 {} -5"):
        words = said.format("尾号8000")
        assert "回复「确认」" not in wang.say(words), words
        wang.say("确认")
    assert refusal(buy(till, "A1", 10_00, pay_balance=11_00))[0] in (409, 422)
    assert owned(shop) == before


def test_points_charged_twice_on_retry(shop: Shop, till: Till) -> None:
    """The platform delivers a confirmation three times, the till repeats a sale: each counts once."""
    key = {"Idempotency-Key": "till-1"}
    body = {"order_no": "A1", "store": "s1", "buyer": {"kind": "phone", "value": "13800138000"}, "total": 170_00}
    answers = [till.post("/orders", body, headers=key) for _ in range(3)]
    assert {answer.json()["order_no"] for answer in answers} == {"A1"} and owned(shop) == {"points": 170}
    anna = shop.talker("o-anna")
    exchange(shop)
    confirmation = anna.request(anna.text_xml("确认"))
    replies = {anna.open(shop.post(*confirmation), confirmation[1]["nonce"]) for _ in range(3)}
    assert len(replies) == 1 and owned(shop) == {"points": 90}
    assert states(shop, "free-soup") == ["issued"]


def test_self_dealing(shop: Shop, till: Till) -> None:
    """A cashier who is a member too serves anybody but themselves, by any name of theirs."""
    own = shop.member("+8613900139000", openid="o-wang", points=100, principal=50_00)
    made = new_coupon(shop)
    for words in (
        "加积分 13900139000 50", "充值 13900139000 100", "消费 13900139000 100", "发券 13900139000 满100减20",
        "扣积分 尾号9000 50",
    ):  # fmt: skip
        said = shop.talker("o-wang").say(words)
        assert "回复「确认」" not in said, words
        shop.talker("o-wang").say("确认")
    assert owned(shop, own) == {"points": 100, "principal": 50_00}
    assert states(shop, "off-20-over-100") == ["issued"]
    assert "已核销" in deal(shop, "o-wang", f"核销 {made.code}")
    assert owned(shop, ANNA) == {}
