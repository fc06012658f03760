"""What scenarios do again and again: become a member, hire a cashier, look into the outbox and the clock's shop."""

import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, insert, select

from members import coupons, shops
from members.tables import AuditLog, Order, OrderLine, Outbox, Product, Store, table
from tests.support.shop import Shop

SHANGHAI = ZoneInfo("Asia/Shanghai")
outbox, audit = table(Outbox), table(AuditLog)


def empty_books(migrated_sqlite: Path, folder: Path) -> str:
    """The URL of books on SQLite without a row, for what does not differ between databases."""
    return f"sqlite:///{shutil.copy(migrated_sqlite, folder / 'empty.db')}"


def ask_code(shop: Shop, openid: str, phone: str) -> str:
    """Ask for a binding code; return it."""
    said = shop.talker(openid).say(f"绑定 {phone}")
    assert "验证码已发送" in said, said
    return shop.code_for(openid)[1]


def become_member(shop: Shop, openid: str, phone: str) -> str:
    """Bind an openid through the whole conversation; return the bot's last word."""
    said = shop.talker(openid).say(ask_code(shop, openid, phone))
    assert "绑定成功" in said, said
    return said


def hire(shop: Shop, openid: str, *, name: str = "小王", role: str = "cashier", store: str | None = None) -> int:
    """Add a person of staff."""
    with shop.service.database.transaction() as connection:
        return shops.add_staff(connection, openid=openid, name=name, role=role, store=store, now=shop.clock.now())


def deal(shop: Shop, openid: str, words: str) -> str:
    """Say something that moves value and confirm the echo; return the answer to 确认."""
    said = shop.talker(openid).say(words)
    assert "回复「确认」" in said, said
    return shop.talker(openid).say("确认")


def issue(shop: Shop, member: int, template: str, *, key: str, title: str | None = None) -> coupons.Issued:
    """Issue a coupon behind the scenes."""
    rule = shop.service.config.coupons[template]
    with shop.service.database.transaction() as connection:
        return coupons.issue(
            connection, template, rule, member, key=key, by="test", reason="test", zone=SHANGHAI, now=shop.clock.now(),
            title=title,
        )  # fmt: skip


def buy(shop: Shop, member: int, at: datetime, lines: list[tuple[str, int, int]], *, discount: int = 0) -> None:
    """Put an order in the books: lines of (name, quantity, 分), in a store called 一店."""
    with shop.service.database.transaction() as connection:
        if connection.execute(select(table(Store).c.id)).first() is None:
            store = {"id": "s1", "name": "一店", "address": "", "hours": "", "phone": "", "active": True}
            connection.execute(insert(table(Store)), store)
        row = {
            "order_no": f"n{at.isoformat()}", "store_id": "s1", "member_id": member, "buyer": "", "at": at,
            "day": at.astimezone(SHANGHAI).date(), "total": sum(amount for _, _, amount in lines) - discount,
            "discount": discount, "state": "paid", "source": "test",
        }  # fmt: skip
        order = connection.execute(insert(table(Order)).returning(table(Order).c.id), row).scalar_one()
        for number, (name, quantity, amount) in enumerate(lines):
            product = _product(connection, name)
            line = {"order_id": order, "line_no": number, "product_id": product}
            line |= {"quantity": quantity, "amount": amount, "discount": 0}
            connection.execute(insert(table(OrderLine)), line)


def _product(connection: Connection, name: str) -> int:
    products = table(Product)
    known = connection.execute(select(products.c.id).where(products.c.name == name)).scalar_one_or_none()
    if known is not None:
        return int(known)
    row = {"sku": name, "name": name, "type": "", "department": "", "manufacturer": "", "pack": ""}
    row |= {"own_brand": False, "active": True}
    return int(connection.execute(insert(products).returning(products.c.id), row).scalar_one())


def messages(shop: Shop, openid: str, kind: str = "notice") -> list[Any]:
    """The messages of a kind in the outbox for an openid, oldest first."""
    wanted = select(outbox).where(outbox.c.openid == openid, outbox.c.kind == kind).order_by(outbox.c.id)
    with shop.service.database.reading() as connection:
        return list(connection.execute(wanted))


def deeds(shop: Shop, action: str) -> list[Any]:
    """The audit rows of an action, oldest first."""
    wanted = select(audit).where(audit.c.action == action).order_by(audit.c.id)
    with shop.service.database.reading() as connection:
        return list(connection.execute(wanted))


def in_days(shop: Shop, days: float) -> datetime:
    """The moment so many days from the shop's now."""
    return shop.clock.now() + timedelta(days=days)
