"""Gifts: given once per occasion, taken back when what they were given for was taken back, told in words.

The key `{kind}:{name}:{member}:{occasion}` refuses the second gift for an occasion. A coupon that has run out spoils no
purchase: the points of the gift are given without it, and a gift of which nothing is left is not given at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from members import audit, coupons, identity, notices, points
from members.audit import Actor
from members.coupons import Issued
from members.errors import MemberError
from members.rules import Gift, Rules
from members.tables import Coupon, GiftGrant, Member, Movement, table

grants, copies, _members, _moved = table(GiftGrant), table(Coupon), table(Member), table(Movement)
# a gift of which something was not taken back: points, or a coupon that is not void
WITH_COUPON = grants.outerjoin(copies, grants.c.coupon_id == copies.c.id)
STANDS = or_(grants.c.points > grants.c.taken_back, copies.c.state != "void")
_BEGIN = upsert(grants).on_conflict_do_nothing(index_elements=[grants.c.key]).returning(grants.c.key)
_FILL = (
    update(grants)
    .where(grants.c.key == bindparam("which"))
    .values(movement_id=bindparam("movement"), coupon_id=bindparam("coupon"))
)
_TAKEN = update(grants).where(grants.c.key == bindparam("which")).values(taken_back=bindparam("taken"))
_MERGED_INTO = select(_members.c.merged_into).where(_members.c.id == bindparam("member"))


@dataclass(frozen=True, slots=True)
class GiftDone:
    """A gift given just now; `title` says for what, points are 0 and the coupon's words empty where there is none.

    `expires_at` is the coupon's end; `key` is the occasion's.
    """

    rule: str
    title: str
    points: int
    coupon_title: str
    coupon_code: str
    expires_at: datetime | None
    member: int
    key: str


@dataclass(frozen=True, slots=True)
class TakenBack:
    """A gift that was taken back: the points the member lost, and the coupon (unused) that became void."""

    rule: str
    title: str
    points: int
    coupon_title: str
    member: int = 0


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a gift is given for: `kind` and `name` make the rule, `key` tells occasions of one member apart."""

    kind: str
    key: str
    title: str
    order: int | None = None


def give(
    connection: Connection, rules: Rules, member: int, gift: Gift, occasion: Occasion, *, by: Actor, now: datetime
) -> GiftDone | None:
    """Give once for the occasion; None when it was given before, or when nothing of it is left to give.

    The member is held before the coupon's template is, as in every other deed: no two wait for each other.
    """
    identity.lock(connection, member)
    key = grant_key(occasion.kind, gift.name, member, occasion.key)
    rule = rule_name(occasion.kind, gift.name)
    row = {
        "key": key, "rule": rule, "member_id": member, "at": now, "order_id": occasion.order, "movement_id": None,
        "coupon_id": None, "points": gift.points, "taken_back": 0,
    }  # fmt: skip
    if connection.execute(_BEGIN, row).scalar_one_or_none() is None:
        return None
    issued = _coupon(connection, rules, member, gift.coupon, key, occasion, by, now)
    if issued is None and not gift.points:
        connection.execute(delete(grants).where(grants.c.key == key))
        return None
    movement = None
    if gift.points:
        movement = points.give(
            connection, rules, member, gift.points, key=f"gift:{key}", kind="gift", by=by, reason=occasion.title,
            now=now, order=occasion.order, pending=occasion.order is not None,
        )  # fmt: skip
    connection.execute(_FILL, {"which": key, "movement": movement, "coupon": issued and issued.id})
    detail = {"gift": key, "movement": movement, "coupon": issued and issued.id, "points": gift.points}
    audit.write(connection, by, "gift.give", member, detail, now=now)
    if issued is None:
        return GiftDone(rule, occasion.title, gift.points, "", "", None, member, key)
    return GiftDone(rule, occasion.title, gift.points, issued.title, issued.code, issued.expires_at, member, key)


def note(
    connection: Connection, member: int, kind: str, name: str, occasion: str, *, now: datetime, order: int | None
) -> bool:
    """Take an occasion for which nothing is given; return False when it was taken before."""
    row = {
        "key": grant_key(kind, name, member, occasion), "rule": rule_name(kind, name), "member_id": member, "at": now,
        "order_id": order, "movement_id": None, "coupon_id": None, "points": 0, "taken_back": 0,
    }  # fmt: skip
    return connection.execute(_BEGIN, row).scalar_one_or_none() is not None


def take_back(connection: Connection, rules: Rules, key: str, *, by: Actor, now: datetime) -> TakenBack | None:
    """Take back what is left of one gift: its points by `earn.refunds`, its coupon unless used; None when nothing."""
    row = connection.execute(
        select(grants, copies.c.title, func.coalesce(_moved.c.reason, copies.c.reason, "").label("given_for"))
        .select_from(
            grants.outerjoin(copies, grants.c.coupon_id == copies.c.id).outerjoin(
                _moved, grants.c.movement_id == _moved.c.id
            )
        )
        .where(grants.c.key == key)
    ).one()
    taken, member = 0, survivor(connection, row.member_id)
    if row.points and not row.taken_back:
        taken = points.take_back(
            connection, rules, member, row.points, order=row.order_id, key=f"gift-back:{key}", by=by,
            reason="收回赠送", now=now,
        )  # fmt: skip
        connection.execute(_TAKEN, {"which": key, "taken": taken})
    voided = row.coupon_id is not None and coupons.void(connection, row.coupon_id, by=by, now=now, give_back=True)
    if not (taken or voided):
        return None
    audit.write(
        connection, by, "gift.take_back", row.member_id, {"gift": key, "points": taken, "coupon": voided}, now=now
    )
    return TakenBack(row.rule, row.given_for, taken, row.title if voided else "", member)


def survivor(connection: Connection, member: int) -> int:
    """Return the member who now owns what was this member's: whom they were merged into, else themselves."""
    into = connection.execute(_MERGED_INTO, {"member": member}).scalar_one()
    return member if into is None else survivor(connection, int(into))


def tell(
    connection: Connection, say: notices.Say, gifts: Sequence[GiftDone], *, app: str, rules: Rules, now: datetime,
    text: str = "notice_gift", except_openid: str = "",
) -> int:  # fmt: skip
    """Tell members of their gifts, once each; return how many notices are new."""
    told = 0
    for gift in gifts:
        facts = {"title": gift.title, "gift": words(say, gift, rules)}
        told += notices.tell(
            connection, say, app=app, member=gift.member, text=text, key=gift.key, facts=facts, now=now,
            except_openid=except_openid,
        )  # fmt: skip
    return told


def words(say: notices.Say, gift: GiftDone, rules: Rules) -> str:
    """Return what was given in words: 5 积分、「免费例汤」(券码 …,2026年4月1日 前有效)."""
    found = [say("gift_points", points=f"{gift.points:,}")] if gift.points else []
    if gift.expires_at is not None:
        last = (gift.expires_at - timedelta(seconds=1)).astimezone(rules.shop.zone)
        until = f"{last.year}年{last.month}月{last.day}日"
        found.append(say("gift_coupon", title=gift.coupon_title, code=coupons.spell(gift.coupon_code), until=until))
    return "、".join(found)


def lost(say: notices.Say, points: int, coupon_title: str) -> str:
    """Return what was taken back in words."""
    found = [say("gift_points", points=f"{points:,}")] if points else []
    return "、".join([*found, *([say("gift_lost_coupon", title=coupon_title)] if coupon_title else [])])


def grant_key(kind: str, name: str, member: int, occasion: str) -> str:
    """Return the key of an occasion; member and occasion hold no colon, so that no two occasions share one."""
    return f"{kind}:{name}:{member}:{occasion}"


def rule_name(kind: str, name: str) -> str:
    """Return what the books call a rule: its kind, and its name where it has one."""
    return f"{kind}:{name}" if name else kind


def _coupon(
    connection: Connection, rules: Rules, member: int, code: str, key: str, occasion: Occasion, by: Actor, now: datetime
) -> Issued | None:
    rule, shop = rules.coupons.get(code), rules.shop
    if rule is None:
        return None
    try:
        with connection.begin_nested():
            return coupons.issue(
                connection, code, rule, member, key=f"gift:{key}", by=by, reason=occasion.title, zone=shop.zone,
                now=now, day_start=shop.day_start,
            )  # fmt: skip
    except MemberError:
        return None
