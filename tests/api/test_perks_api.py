"""Perks and paid plans over HTTP: used so often, bought once per key, shown with what is left."""

import threading

import pytest
from sqlalchemy import select

from members.tables import AuditLog, PaidMembership, PerkUse, table
from tests.api.test_orders_api import PHONE, told
from tests.support.shop import Shop
from tests.support.till import Till, refusal

DELIVERY = {"perk": "免费配送"}
bought, uses = table(PaidMembership), table(PerkUse)


@pytest.fixture
def member(shop: Shop) -> int:
    """A bound member."""
    return shop.member(f"+86{PHONE}", openid="o-anna")


def test_a_plan_is_bought_and_extended(shop: Shop, till: Till, member: int) -> None:
    seen = till.get(f"/members/{PHONE}").json()
    assert seen["plan"] is None
    assert seen["perks"] == [{"perk": "专属客服", "per_month": None, "used": 0, "left": None}]
    first = till.post(f"/members/{PHONE}/plan", {"plan": "黑金", "store": "s1"})
    assert first.status_code == 201
    assert first.json() == {
        "plan": "黑金", "until": "2027-03-02T16:00:00Z", "member": member, "price": 19900,
        "since": "2026-03-02T02:00:00Z",
    }  # fmt: skip
    assert told(shop) == [
        "您在一店开通了「黑金」(¥199.00),有效至 2027年3月2日。回复「等级」看看有什么权益,如有疑问请联系门店021-5555。"
    ]
    second = till.post(f"/members/{member}/plan", {"plan": "黑金"}).json()
    assert (second["since"], second["until"]) == ("2027-03-02T16:00:00Z", "2028-03-02T16:00:00Z")
    seen = till.get(f"/members/{member}").json()
    assert seen["plan"] == {"plan": "黑金", "until": "2028-03-02T16:00:00Z"}
    assert {perk["perk"]: perk["left"] for perk in seen["perks"]} == {"专属客服": None, "免费配送": 2}


def test_a_repetition_buys_and_uses_nothing(shop: Shop, till: Till, member: int) -> None:
    for path, body, status in (("plan", {"plan": "黑金"}, 201), ("perks", DELIVERY, 200)):
        answers = [till.post(f"/members/{PHONE}/{path}", body, again=path) for _ in range(3)]
        assert {(answer.status_code, answer.text) for answer in answers} == {(status, answers[0].text)}
        assert [answer.headers.get("idempotency-replay") for answer in answers] == [None, "true", "true"]
        other = till.post(f"/members/{PHONE}/{path}", {**body, "store": "s1"}, again=path)
        assert refusal(other) == (409, "idempotency_conflict")
    with shop.service.database.reading() as connection:
        assert connection.execute(select(bought.c.price, bought.c.by)).all() == [(19900, f"api:{till.id}")]
        assert connection.execute(select(uses.c.perk, uses.c.used)).all() == [("免费配送", 1)]
    assert len(told(shop)) == 2


def test_a_perk_is_used_so_often_a_month(shop: Shop, till: Till, member: int) -> None:
    till.post(f"/members/{PHONE}/plan", {"plan": "黑金"})
    used = till.post(f"/members/{PHONE}/perks", {**DELIVERY, "store": "s2"})
    assert (used.status_code, used.json()) == (
        200, {"perk": "免费配送", "per_month": 2, "used": 1, "left": 1, "member": member},
    )  # fmt: skip
    assert told(shop)[-1] == "您在二店用了一次「免费配送」,本月还剩 1 次。如有疑问请联系门店021-5555。"
    assert till.post(f"/members/{member}/perks", DELIVERY).json()["left"] == 0
    assert refusal(till.post(f"/members/{PHONE}/perks", DELIVERY)) == (409, "perk_used_up")
    shop.clock.forward(days=30)
    assert till.post(f"/members/{PHONE}/perks", DELIVERY).json()["left"] == 1
    assert till.post(f"/members/{PHONE}/perks", {"perk": "专属客服"}).json()["left"] is None
    with shop.service.database.reading() as connection:
        log = table(AuditLog)
        deeds = select(log.c.actor, log.c.action).where(log.c.member_id == member).order_by(log.c.id)
        found = connection.execute(deeds).all()
    assert found == [(f"api:{till.id}", "paid.buy"), *[(f"api:{till.id}", "perk.use")] * 4]


def test_of_racing_tills_the_last_use_goes_to_one(shop: Shop, till: Till, member: int) -> None:
    till.post(f"/members/{PHONE}/plan", {"plan": "黑金"})
    till.post(f"/members/{PHONE}/perks", DELIVERY)
    tills, statuses = [Till(shop) for _ in range(6)], []
    gate = threading.Barrier(len(tills))

    def use(one: Till) -> None:
        gate.wait()
        statuses.append(one.post(f"/members/{PHONE}/perks", DELIVERY).status_code)

    threads = [threading.Thread(target=use, args=(one,)) for one in tills]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, *[409] * 5]


def test_what_is_refused(shop: Shop, till: Till, member: int) -> None:
    assert refusal(till.post(f"/members/{PHONE}/perks", DELIVERY)) == (409, "perk_none")
    assert refusal(till.post(f"/members/{PHONE}/plan", {"plan": "白金"})) == (409, "plan_unknown")
    for path, body in (("plan", {"plan": "黑金"}), ("perks", DELIVERY)):
        assert refusal(till.post(f"/members/13900139000/{path}", body)) == (404, "member_unknown")
        assert refusal(till.post(f"/members/{PHONE}/{path}", {})) == (422, "api_fields")
        assert refusal(till.post(f"/members/{PHONE}/{path}", {**body, "store": "s9"})) == (404, "store_unknown")
        assert refusal(Till(shop, store="s1").post(f"/members/{PHONE}/{path}", {**body, "store": "s2"}))[0] == 404
        assert refusal(Till(shop, ["members:read"]).post(f"/members/{PHONE}/{path}", body)) == (403, "api_scope")
    assert told(shop) == []
