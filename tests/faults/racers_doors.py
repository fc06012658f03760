"""Hands that come in by the front doors: cashiers who type, tills that ring up."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.faults.racers import Turn
from tests.support.shop import Shop, open_shop
from tests.support.till import Till


@contextmanager
def at_the_front_door(url: str, deed: str, facts: dict[str, Any]) -> Iterator[Turn]:
    """Each turn is a sale paid with the balance, typed by a cashier or sent by a till."""
    with tempfile.TemporaryDirectory() as folder, open_shop(Path(folder), url, facts["changes"]) as shop:
        till = Till(shop)

        def sell(number: str) -> str:
            body = {"order_no": number, "store": "s1", "buyer": {"kind": "phone", "value": facts["phone"]}}
            money = {"total": facts["fen"], "pay_balance": facts["fen"]}
            answer = till.post("/orders", body | money, again=f"race-{number}")
            return "won" if answer.status_code == 201 else str(answer.json()["code"])

        yield sell if deed == "till" else lambda number: _typed(shop, facts, f"o-cashier-{number.split('.')[1]}")


def _typed(shop: Shop, facts: dict[str, Any], openid: str) -> str:
    cashier = shop.talker(openid)
    said = cashier.say(f"消费 {facts['phone']} {facts['fen'] // 100} 用余额")
    if "回复「确认」" in said:
        said = cashier.say("确认")
    return "won" if said.startswith("已记") else "insufficient" if "余额不足" in said else said
