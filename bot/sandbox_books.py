"""What one turn wrote in the books, as lines for the page's side panel."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, or_, select

from handlers.copy import yuan
from members.tables import (
    Account,
    AuditLog,
    ConsentEvent,
    Conversation,
    Coupon,
    Entry,
    Identity,
    Movement,
    Outbox,
    Staff,
    Verification,
    table,
)  # fmt: skip

ACCOUNTS = {"points": "积分", "pending": "待到账积分", "principal": "本金", "gift": "赠送金", "owed": "欠积分"}
COUNTED = ("points", "pending", "owed")
ACTIONS = {
    "coupon.issue": "发券", "coupon.redeem": "核销", "coupon.reverse": "退券", "coupon.void": "作废券",
    "coupon.transfer": "转赠券", "order.take": "记一单", "order.refund": "退款", "points.adjust": "调积分",
    "points.give": "送积分", "balance.topup": "充值", "balance.pay": "余额付款", "balance.refund": "退余额",
    "member.lookup": "查会员", "member.tag": "标签", "tier.change": "等级变化", "identity.bind": "绑定",
}  # fmt: skip
KINDS = {
    "earn": "得积分", "mature": "积分到账", "gift": "赠送", "spend": "用积分", "expire": "到期", "adjust": "调整",
    "topup": "充值", "pay": "余额付款", "refund": "退款", "clawback": "收回积分", "settle": "抵欠积分",
    "voucher": "积分换券", "exchange": "换里程", "merge": "合并", "unmerge": "拆分",
}  # fmt: skip
MOST = 20
entries, movements, accounts, codes = table(Entry), table(Movement), table(Account), table(Verification)
coupons, consents, outbox, audit = table(Coupon), table(ConsentEvent), table(Outbox), table(AuditLog)
identities, staff, conversations = table(Identity), table(Staff), table(Conversation)


def written(connection: Connection, openid: str, member: int | None, since: datetime) -> list[dict[str, Any]]:
    """Return what was written for or by this person since then, oldest first, at most 20 lines."""
    lines = [*_verifications(connection, openid, since), *_messages(connection, openid, member, since)]
    lines += _deeds(connection, openid, since)
    if member is not None:
        for read in (_movements, _coupons, _identities, _consents):
            lines += read(connection, member, since)
    return sorted(lines, key=lambda line: str(line["at"]))[-MOST:]


def _line(at: datetime, what: str, account: str, reason: str, amount: str = "", after: str = "") -> dict[str, Any]:
    shown = {"what": what, "account": account, "amount": amount, "balance_after": after, "reason": reason}
    return {"at": at.isoformat(), **shown}


def _movements(connection: Connection, member: int, since: datetime) -> Iterator[dict[str, Any]]:
    found = (
        select(movements.c.at, movements.c.kind, movements.c.reason, accounts.c.kind.label("account"))
        .add_columns(entries.c.amount, entries.c.balance_after)
        .select_from(entries.join(movements, entries.c.movement_id == movements.c.id).join(accounts))
        .where(entries.c.member_id == member, movements.c.at >= since)
        .order_by(entries.c.seq.desc())
        .limit(MOST)
    )
    for row in connection.execute(found):
        points = row.account in COUNTED or row.account.startswith("wallet:")
        amount, after = (f"{v:+,}" if points else yuan(v) for v in (row.amount, row.balance_after))
        what = KINDS.get(row.kind.removeprefix("reverse_"), row.kind)
        what = f"撤销{what}" if row.kind.startswith("reverse_") else what
        yield _line(row.at, what, ACCOUNTS.get(row.account, row.account), row.reason, amount, after.lstrip("+"))


def _coupons(connection: Connection, member: int, since: datetime) -> Iterator[dict[str, Any]]:
    recent: ColumnElement[bool] = or_(coupons.c.issued_at >= since, coupons.c.redeemed_at >= since)
    for row in connection.execute(select(coupons).where(coupons.c.member_id == member, recent).limit(MOST)):
        if row.redeemed_at is not None and row.redeemed_at >= since:
            yield _line(row.redeemed_at, "核销", "优惠券", row.redeemed_by, "-1", row.title)
        if row.issued_at >= since:
            yield _line(row.issued_at, "发券", "优惠券", row.reason, "+1", row.title)


def _identities(connection: Connection, member: int, since: datetime) -> Iterator[dict[str, Any]]:
    mine = identities.c.member_id == member
    for row in connection.execute(select(identities).where(mine, identities.c.created_at >= since).limit(MOST)):
        yield _line(row.created_at, "绑定", f"身份 {row.kind}", row.source)
    for row in connection.execute(select(identities).where(mine, identities.c.ended_at >= since).limit(MOST)):
        yield _line(row.ended_at, "解除", f"身份 {row.kind}", row.ended_by)


def _consents(connection: Connection, member: int, since: datetime) -> Iterator[dict[str, Any]]:
    mine = (consents.c.subject == f"member:{member}") & (consents.c.at >= since)
    for row in connection.execute(select(consents).where(mine).limit(MOST)):
        yield _line(row.at, "同意" if row.granted else "拒绝", f"授权 {row.topic}", row.source)


def _verifications(connection: Connection, openid: str, since: datetime) -> Iterator[dict[str, Any]]:
    mine = (codes.c.openid == openid) & (codes.c.created_at >= since)
    for row in connection.execute(select(codes.c.created_at, codes.c.state).where(mine).limit(MOST)):
        yield _line(row.created_at, "验证码", "短信", {"open": "等待输入", "used": "已用"}.get(row.state, row.state))


def _messages(connection: Connection, openid: str, member: int | None, since: datetime) -> Iterator[dict[str, Any]]:
    mine = or_(outbox.c.openid == openid, outbox.c.member_id == (-1 if member is None else member))
    columns = (outbox.c.created_at, outbox.c.kind, outbox.c.reason)
    for row in connection.execute(select(*columns).where(mine, outbox.c.created_at >= since).limit(MOST)):
        yield _line(row.created_at, "待发消息", f"发件箱 {row.kind}", row.reason)


def _deeds(connection: Connection, openid: str, since: datetime) -> Iterator[dict[str, Any]]:
    person = connection.execute(select(staff.c.id).where(staff.c.openid == openid)).scalar_one_or_none()
    if person is None:
        return
    mine = (audit.c.actor == f"staff:{person}") & (audit.c.at >= since)
    for row in connection.execute(select(audit).where(mine).limit(MOST)):
        yield _line(row.at, ACTIONS.get(row.action, row.action), "操作记录", f"会员 {row.member_id}")
