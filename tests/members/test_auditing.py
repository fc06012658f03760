"""Every check of the audit can fail: each is broken once, by hand, and found under its name."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from members import auditing, balance, coupons, exchange, replay
from members.db import Database
from tests.members.value_books import BY, NOW, ZONE, Books, rules_with

WRONGS = {
    "UPDATE account SET balance = balance + 1 WHERE kind = 'points'": {"余额与分录不符", "积分与批次不符"},
    "UPDATE account SET balance = balance - 1 WHERE kind = 'gift'": {"余额与分录不符"},
    "UPDATE entry SET amount = amount + 1 WHERE seq = 1": {
        "分录不平", "余额与分录不符", "账链断裂", "分录与批次不符",
    },
    "UPDATE entry SET balance_after = balance_after + 1 WHERE seq = 2": {"账链断裂"},
    "UPDATE entry SET hash = NULL, seq = NULL, member_id = NULL WHERE seq = 1": {
        "账链断裂", "分录归属不符", "分录与批次不符",
    },
    "UPDATE movement SET reason = 'x' WHERE kind = 'topup'": {"账链断裂"},
    "UPDATE movement SET actor = 'x' WHERE kind = 'earn'": {"账链断裂"},
    "UPDATE member SET chain_seq = chain_seq + 1": {"账链末端不符"},
    "INSERT INTO movement (key, kind, actor, reason, at) VALUES ('k', 'x', '', '', '2026-03-02 02:00:00')": {
        "没有分录",
    },
    "UPDATE point_lot SET remaining = remaining - 1 WHERE remaining > 1": {"批次余量不符", "积分与批次不符"},
    "UPDATE lot_use SET amount = amount + 1": {"批次余量不符", "分录与批次不符"},
    "UPDATE point_lot SET matures_at = NULL WHERE account = 'pending'": {"待生效积分没有日期"},
    "UPDATE point_lot SET account = 'points' WHERE account = 'pending'": {"积分与批次不符", "分录与批次不符"},
    "UPDATE coupon_template SET issued = issued + 1 WHERE code = 'soup'": {"发券数不符"},
    "UPDATE coupon_template SET committed = committed + 1 WHERE code = 'off-5'": {"券预算占用不符"},
    "UPDATE coupon SET reserved = reserved + 1 WHERE template = 'off-5'": {"券预算占用不符"},
    "UPDATE coupon SET returned = true WHERE template = 'off-5'": {"退回的券没有作废", "每人领券数不符", "发券数不符"},
    "UPDATE coupon_grant SET count = count + 1": {"每人领券数不符"},
    "DELETE FROM coupon_grant": {"每人领券数不符"},
    "UPDATE coupon SET redeemed_at = issued_at WHERE state = 'issued'": {"核销时间不符"},
    "UPDATE coupon SET state = 'locked' WHERE state = 'issued'": {"锁定没有期限"},
    "UPDATE coupon SET state = 'expired' WHERE template = 'off-5'": {"用不到的券还占预算"},
    "INSERT INTO coupon_slot (template, starts_at, capacity, taken) VALUES ('soup', '2026-03-02 02:00:00', 5, 1)": {
        "预约人数不符",
    },
    "UPDATE orders SET refunded = 100, state = 'part_refunded'": {"退款与订单不符"},
    "UPDATE orders SET state = 'refunded'": {"订单状态不符"},
    "UPDATE orders SET paid_principal = paid_principal + 1 WHERE total > paid_principal": {"余额支付与账不符"},
    "INSERT INTO gift_grant (key, rule, member_id, at, points, taken_back) "
    "SELECT 'g', 'x', id, '2026-03-02 02:00:00', 5, 6 FROM member": {"赠送与账不符", "赠送多收回了"},
    "INSERT INTO refund (order_id, refund_no, at, amount, cash_back, principal_back, gift_back, points_due, "
    "points_taken, by, digest) SELECT id, 'r', '2026-03-02 02:00:00', 1, 1, 0, 0, 1, 2, '', '' FROM orders": {
        "退款与订单不符", "退款多扣了积分",
    },
    "UPDATE member SET state = 'merged', merged_into = id": {
        "并走的会员还有余额", "并走的会员还有身份", "并走的会员还有券",
    },
    "UPDATE member SET state = 'merged'": {
        "并走的会员还有余额", "并走的会员还有身份", "并走的会员还有券", "并入对象不符",
    },
    "INSERT INTO coupon_transfer (token_hash, coupon_id, from_member, state, created_at, expires_at) "
    "SELECT 'h', id, member_id, 'claimed', '2026-03-02 02:00:00', '2026-03-02 02:00:00' FROM coupon "
    "WHERE template = 'soup'": {"转赠不符"},
    "INSERT INTO outbox (key, kind, topic, campaign, reason, created_at, not_before, expires_at, state, channel, "
    "attempts, note) VALUES ('k', 'notice', '', '', '', '2026-03-02 02:00:00', '2026-03-02 02:00:00', "
    "'2026-03-02 02:00:00', 'sent', '', 0, '')": {"已发送却没有渠道"},
}  # fmt: skip


@pytest.fixture
def books(books_url: str) -> Books:
    """Books with a bit of everything, and sound."""
    books = Books(
        Database(books_url), rules_with(earn={"pending_days": 7}, balance={"topup": [{"over": 5, "gift": 1}]})
    )
    member = books.member()
    order = books.order(member)
    books.earn(member, 1000, order=order)
    books.earn(member, 50, pending=True)
    with books.transaction() as connection:
        balance.top_up(connection, books.rules, member, 10_00, key="t", by=BY, now=NOW)
        exchange.reward(connection, books.rules, member, books.rules.loyalty.reward[0], key="r", by=BY, now=NOW)
        rule = books.rules.coupons["off-5"]
        coupons.issue(connection, "off-5", rule, member, key="c", by=BY, reason="", zone=ZONE, now=NOW)
    assert books.sound()
    return books


@pytest.mark.parametrize("wrong", WRONGS, ids=lambda wrong: wrong[:60])
def test_a_wrong_is_found(books: Books, wrong: str) -> None:
    with books.transaction() as connection:
        connection.execute(text(wrong))
    with books.database.reading() as connection:
        assert {breach.check for breach in auditing.breaches(connection, now=NOW)} == WRONGS[wrong]


@pytest.mark.parametrize(
    "wrong",
    [
        "UPDATE account SET balance = balance + 1 WHERE kind = 'gift'",
        "UPDATE point_lot SET remaining = remaining - 1 WHERE remaining > 1",
        "UPDATE lot_use SET amount = amount + 1",
        "UPDATE entry SET amount = amount + 1 WHERE seq = 1",
        "UPDATE movement SET reason = 'x' WHERE kind = 'topup'",
        "UPDATE member SET chain_hash = hash FROM entry WHERE entry.member_id = member.id AND entry.seq = 1",
    ],
)
def test_books_that_are_not_what_was_booked_give_other_bytes(books: Books, wrong: str) -> None:
    with books.transaction() as connection:
        connection.execute(text(wrong))
    with books.database.reading() as connection:
        assert replay.rebuild(connection) != replay.stored(connection)


def test_a_dump_names_every_balance_lot_and_chain(books: Books) -> None:
    with books.database.reading() as connection:
        lines = replay.stored(connection).decode().splitlines()
    assert [line for line in lines if line.startswith("balance")] == [
        "balance\t1\tgift\t100", "balance\t1\tpending\t50", "balance\t1\tpoints\t700", "balance\t1\tprincipal\t1000",
    ]  # fmt: skip
    assert [line for line in lines if line.startswith("lot")] == ["lot\t1\t700", "lot\t2\t50"]
    assert len(lines) == 7 and lines[-1].startswith("head\t1\t5\t")
