"""Counters beside what they count: coupons by template, by member and by appointment; the outbox."""

from collections.abc import Iterator

from sqlalchemy import Connection, and_, case, func, not_, or_, select, union_all

from members.auditing.breach import Breach
from members.ledger import members
from members.tables import Coupon, CouponGrant, CouponSlot, CouponTemplate, CouponTransfer, Outbox, table

coupons, grants, templates = table(Coupon), table(CouponGrant), table(CouponTemplate)
slots, transfers, outbox = table(CouponSlot), table(CouponTransfer), table(Outbox)

KEPT = not_(coupons.c.returned)


def _templates(connection: Connection) -> Iterator[Breach]:
    """`issued` counts the copies that were not returned, `committed` what they may still cost and have cost."""
    cost = coupons.c.reserved + case((coupons.c.state == "redeemed", coupons.c.discount), else_=0)
    copies = (
        select(
            coupons.c.template, func.sum(case((KEPT, 1), else_=0)).label("kept"), func.sum(cost).label("cost"),
        )
        .group_by(coupons.c.template)
        .subquery()
    )  # fmt: skip
    joined = templates.outerjoin(copies, copies.c.template == templates.c.code)
    for counted, found, check in (
        (templates.c.issued, func.coalesce(copies.c.kept, 0), "发券数不符"),
        (templates.c.committed, func.coalesce(copies.c.cost, 0), "券预算占用不符"),
    ):
        bad = select(templates.c.code, counted, found).select_from(joined).where(counted != found)
        for template, said, total in connection.execute(bad):
            yield Breach(check, f"template {template}", f"{said} ≠ {total}")


def _grants(connection: Connection) -> Iterator[Breach]:
    counted = union_all(
        select(grants.c.template, grants.c.member_id, grants.c.count.label("many")),
        select(coupons.c.template, coupons.c.granted_to, case((KEPT, -1), else_=0)),
    ).subquery()
    off = func.sum(counted.c.many)
    columns = (counted.c.template, counted.c.member_id)
    for template, member, found in connection.execute(select(*columns, off).group_by(*columns).having(off != 0)):
        yield Breach("每人领券数不符", f"template {template} member {member}", f"{found}")


def _states(connection: Connection) -> Iterator[Breach]:
    """A copy is held, redeemed, expired or void, and carries what its state asks for."""
    for wrong, check in (
        ((coupons.c.state == "redeemed") != coupons.c.redeemed_at.is_not(None), "核销时间不符"),
        (and_(coupons.c.state == "locked", coupons.c.locked_until.is_(None)), "锁定没有期限"),
        (and_(coupons.c.returned, coupons.c.state != "void"), "退回的券没有作废"),
        (and_(coupons.c.state.in_(("expired", "void")), coupons.c.reserved != 0), "用不到的券还占预算"),
    ):
        for coupon, state in connection.execute(select(coupons.c.id, coupons.c.state).where(wrong)):
            yield Breach(check, f"coupon {coupon}", f"{state}")
    away = select(coupons.c.id).select_from(coupons.join(members, coupons.c.member_id == members.c.id))
    held = and_(members.c.state == "merged", coupons.c.state.in_(("issued", "locked")))
    for (coupon,) in connection.execute(away.where(held)):
        yield Breach("并走的会员还有券", f"coupon {coupon}", "")


def _slots(connection: Connection) -> Iterator[Breach]:
    booked = (
        select(coupons.c.slot_id, func.count().label("total"))
        .where(coupons.c.slot_id.is_not(None))
        .group_by(coupons.c.slot_id)
        .subquery()
    )
    found = func.coalesce(booked.c.total, 0)
    bad = (
        select(slots.c.id, slots.c.taken, found)
        .select_from(slots.outerjoin(booked, booked.c.slot_id == slots.c.id))
        .where(slots.c.taken != found)
    )
    for slot, taken, total in connection.execute(bad):
        yield Breach("预约人数不符", f"slot {slot}", f"{taken} ≠ {total}")


def _transfers(connection: Connection) -> Iterator[Breach]:
    """A coupon on its way is with who sends it, at most once; one that was claimed has a claimer."""
    joined = transfers.join(coupons, transfers.c.coupon_id == coupons.c.id)
    astray = and_(transfers.c.state == "open", transfers.c.from_member != coupons.c.member_id)
    unclaimed = (transfers.c.state == "claimed") != transfers.c.to_member.is_not(None)
    wrong = select(transfers.c.id, transfers.c.state).select_from(joined).where(or_(astray, unclaimed))
    for transfer, state in connection.execute(wrong):
        yield Breach("转赠不符", f"transfer {transfer}", f"{state}")
    many = func.count()
    twice = select(transfers.c.coupon_id, many).where(transfers.c.state == "open").group_by(transfers.c.coupon_id)
    for coupon, found in connection.execute(twice.having(many > 1)):
        yield Breach("一张券转赠几次", f"coupon {coupon}", f"{found}")


def _outbox(connection: Connection) -> Iterator[Breach]:
    unsent = (outbox.c.state == "sent") & (outbox.c.channel == "")
    for (row,) in connection.execute(select(outbox.c.id).where(unsent)):
        yield Breach("已发送却没有渠道", f"outbox {row}", "")


CHECKS = (_templates, _grants, _states, _slots, _transfers, _outbox)
