"""Members over HTTP: found, made, completed; events and articles."""

from datetime import date

from sqlalchemy import select

from bot.api import call
from members import consent
from members.tables import AuditLog, Identity, Member, Product, table
from tests.api.test_orders_api import PHONE, told
from tests.support.shop import Shop
from tests.support.till import Till, refusal


def test_made_once_then_found_however_named(shop: Shop, till: Till) -> None:
    made = till.post("/members", {"phone": PHONE, "card": "K-1001", "shop": "tmall:88", "birthday": "1990-02-28"})
    assert made.status_code == 201
    found = made.json()
    assert found["created"] and found["phone"] == "138****8000" and found["card"] == "K-1001" and PHONE not in made.text
    for named in ({"phone": f"+86 {PHONE}"}, {"card": "K-1001"}, {"shop": "tmall:88"}):
        again = till.post("/members", named)
        assert (again.status_code, again.json()["id"], again.json()["created"]) == (200, found["id"], False)
    till.post("/members", {"phone": PHONE, "birthday": "2001-01-01"})
    with shop.service.database.reading() as connection:
        assert connection.execute(select(table(Member).c.birthday)).scalar_one() == date(1990, 2, 28)


def test_what_is_new_is_added_and_what_contradicts_is_refused(shop: Shop, till: Till) -> None:
    first = till.post("/members", {"card": "K-1001"}).json()["id"]
    assert till.post("/members", {"card": "K-1001", "phone": PHONE}).json()["id"] == first
    assert till.get(f"/members/{PHONE}").json()["id"] == first
    assert refusal(till.post("/members", {"card": "K-1001", "phone": "13900139000"})) == (409, "member_conflict")
    second = till.post("/members", {"phone": "13900139000"}).json()["id"]
    assert second != first
    assert refusal(till.post("/members", {"card": "K-1001", "phone": "13900139000"})) == (409, "member_conflict")


def test_an_openid_finds_and_is_never_tied(shop: Shop, till: Till) -> None:
    member = shop.member(f"+86{PHONE}", openid="o-anna")
    assert till.post("/members", {"openid": "o-anna"}).json()["id"] == member
    assert refusal(till.post("/members", {"openid": "o-stranger"})) == (404, "member_unknown")
    assert till.post("/members", {"phone": "13900139000", "openid": "o-stranger"}).status_code == 201
    with shop.service.database.reading() as connection:
        openids = connection.scalars(select(table(Identity).c.value).where(table(Identity).c.kind == "openid")).all()
    assert openids == ["o-anna"]


def test_a_till_cannot_undo_a_members_no(shop: Shop, till: Till) -> None:
    member = till.post("/members", {"phone": PHONE, "marketing": True, "sms": False}).json()["id"]

    def said() -> dict[str, bool]:
        with shop.service.database.reading() as connection:
            return {topic: yes for topic, (yes, _) in consent.topics(connection, f"member:{member}").items()}

    assert said() == {"marketing": True, "sms": False}
    till.post("/members", {"phone": PHONE, "marketing": False})
    assert said()["marketing"] is False
    till.post("/members", {"phone": PHONE, "marketing": True, "sms": True})
    assert said() == {"marketing": False, "sms": False}


def test_nobody_is_nobody(shop: Shop, till: Till) -> None:
    for ref in (PHONE, "999999", "o-nobody", "8" * 16, "000000000000", "0" * 128, "tmall:1", "%00", "键"):
        assert refusal(till.get(f"/members/{ref}"))[0] in (404, 422), ref
    assert refusal(till.post("/members", {})) == (422, "api_fields")
    assert refusal(till.post("/members", {"phone": "12345678"})) == (422, "bad_phone")


def test_every_look_is_in_the_trail(shop: Shop, till: Till) -> None:
    member = shop.member(f"+86{PHONE}")
    till.get(f"/members/{PHONE}")
    with shop.service.database.reading() as connection:
        log = table(AuditLog)
        row = connection.execute(select(log).where(log.c.action == "member.lookup")).one()
    assert (row.member_id, row.actor) == (member, f"api:{till.id}")


def test_asking_for_too_many_nobody_knows_is_stopped(shop: Shop, till: Till) -> None:
    shop.member(f"+86{PHONE}")
    for number in range(call.MISSES):
        assert till.get(f"/members/{number + 100}").status_code == 404
    stopped = till.get(f"/members/{PHONE}")
    assert refusal(stopped) == (429, "api_misses") and int(stopped.headers["retry-after"]) > 0
    shop.clock.forward(minutes=11)
    assert till.get(f"/members/{PHONE}").status_code == 200


def test_articles_come_in_batches(shop: Shop, till: Till) -> None:
    milk = {"sku": "MILK", "name": "牛奶", "category": "dairy", "category_name": "乳品", "price": 350}
    assert till.post("/products", {"products": [milk]}).json() == {"created": 1, "updated": 0}
    batch = [{**milk, "name": "鲜牛奶"}, *({"sku": f"S{n}", "name": f"商品{n}"} for n in range(499))]
    assert till.post("/products", {"products": batch}).json() == {"created": 499, "updated": 1}
    assert refusal(till.post("/products", {"products": [*batch, milk]})) == (422, "api_fields")
    with shop.service.database.reading() as connection:
        row = connection.execute(select(table(Product)).where(table(Product).c.sku == "MILK")).one()
    assert (row.name, row.price, row.category) == ("鲜牛奶", 350, "dairy")


def test_showing_the_card_is_noted_and_other_events_are_only_accepted(shop: Shop, till: Till) -> None:
    shop.member(f"+86{PHONE}", openid="o-anna")
    who = {"kind": "phone", "value": PHONE}
    for kind in ("browse", "favourite", "cart", "enter_store", "present"):
        answer = till.post("/events", {"type": kind, "member": who})
        assert (answer.status_code, answer.json()) == (202, {"type": kind, "gifts": []})
    nobody = {"kind": "phone", "value": "13900139000"}
    assert refusal(till.post("/events", {"type": "present", "member": nobody})) == (404, "member_unknown")
    log = table(AuditLog)
    with shop.service.database.reading() as connection:
        assert connection.scalars(select(log.c.action).where(log.c.actor == f"api:{till.id}")).all() == [
            "member.present"
        ]
    assert told(shop) == []
