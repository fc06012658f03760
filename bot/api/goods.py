"""Articles, and what people do before they buy."""

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import Connection

from bot.api import telling
from bot.api.answers import EventTaken, ProductsPut
from bot.api.asked import EventIn, ProductsIn
from bot.api.call import Answer, Call, Here
from bot.api.describing import operation
from bot.api.orders import gifts_out
from bot.api.people import named
from members import audit, gifts, products
from members.products import ProductRow

GOODS = "goods"


def add_routes(router: APIRouter) -> None:
    """Add articles and events."""

    @router.post("/products", **operation("products:write", "新建或更新商品", GOODS, ProductsPut))
    def put_products(call: Here, body: ProductsIn) -> Response:
        """Write one article or a batch; known ones are brought up to date."""
        return call.write(body, lambda connection: _put(call, connection, body))

    @router.post("/events", **operation("events:write", "会员做了什么", GOODS, EventTaken, status=202))
    def take_event(call: Here, body: EventIn) -> Response:
        """Accept an event; showing the card (`present`) may bring a gift, the other kinds are not kept."""
        return call.write(body, lambda connection: _event(call, connection, body))


def _put(call: Call, connection: Connection, body: ProductsIn) -> Answer:
    created, updated = products.upsert(connection, [ProductRow(**one.model_dump()) for one in body.products])
    audit.write(connection, call.by, "product.put", None, {"created": created, "updated": updated}, now=call.now)
    return Answer(ProductsPut(created=created, updated=updated))


def _event(call: Call, connection: Connection, body: EventIn) -> Answer:
    store = call.store(connection, body.store)
    if body.type != "present":
        return Answer(EventTaken(type=body.type, gifts=[]), 202)
    member = named(call, connection, body.member.named())
    rules = call.service.config.rules
    given = gifts.on_present(connection, rules, member, by=call.by, now=call.now, store=store)
    audit.write(connection, call.by, "member.present", member, {"gifts": len(given)}, now=call.now)
    telling.given(call, connection, given)
    return Answer(EventTaken(type=body.type, gifts=gifts_out(call, given)), 202)
