"""The log page's rows: masked, with the reason, the channel and every attempt."""

from __future__ import annotations

import json
from datetime import timedelta

from members import outbox
from scheduler import reports
from scheduler.applying import apply_plan
from scheduler.channels import SendResult
from scheduler.delivery import Deliverer
from scheduler.plan import make_plan
from tests.scheduler.small_shop import MONDAY, FakeWire, SmallShop
from tests.scheduler.test_plan import drinker


def test_the_log_tells_why_and_how(shop: SmallShop) -> None:
    drinker(shop, "oA", wrote=MONDAY - timedelta(hours=1))
    apply_plan(shop.database, make_plan(shop.database, "每周优惠", shop.rules, MONDAY).id, shop.rules, MONDAY)
    wire = FakeWire([SendResult.of(45015)])
    Deliverer(shop.database, shop.vault, wire, shop.rules).deliver_all(MONDAY)
    with shop.database.reading() as connection:
        [row] = reports.sent_log(connection, 10)
        assert reports.by_state(connection) == [
            {"campaign": "每周优惠", "state": "pending", "channel": "", "messages": 1}
        ]
    assert json.loads(json.dumps(row)) == row
    assert row["member"].startswith("卡尾号 ") and len(row["member"]) == 8
    assert (row["openid"], row["campaign"], row["state"], row["errcode"]) == ("oA", "每周优惠", "pending", "45015")
    assert row["reason"] == "您近60天买过3次鲜奶"
    assert [(one["channel"], one["outcome"]) for one in row["history"]] == [("service", "refused")]
    assert "45015" in row["note"] and "等会员的下一条消息" in row["note"]


def test_a_code_is_not_shown(shop: SmallShop) -> None:
    message = outbox.Message(
        key="code:1", kind="code", channels=["sms"], content={"template": "verify", "minutes": 5}, reason="绑定验证码",
        openid="oB", sealed=b"x", not_before=MONDAY, expires_at=MONDAY + timedelta(minutes=5),
    )  # fmt: skip
    with shop.database.transaction() as connection:
        outbox.put(connection, message, now=MONDAY)
        [row] = reports.sent_log(connection, 10)
    assert (row["content"], row["member"], row["openid"]) == ("(验证码短信,内容不显示)", "未绑定", "oB")
    assert row["history"] == [] and row["errcode"] is None
