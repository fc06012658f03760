"""Everything the books hold about one member, as plain data for their own eyes (PIPL art. 45).

What is sealed is opened: it is theirs. Of others (who was invited, who served) only numbers appear. Money is 分.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Select, Table, select

from members import children, consent, ledger, merging_history, scores, tails
from members.ledger import accounts, entries, lots, movements
from members.tables import (
    Arrival,
    Audience,
    AuditLog,
    CampaignPlan,
    Category,
    Consent,
    ConsentEvent,
    Coupon,
    Decision,
    Erasure,
    Follower,
    GiftGrant,
    Handoff,
    Identity,
    Member,
    MemberTag,
    Order,
    OrderLine,
    Outbox,
    PaidMembership,
    PerkUse,
    Product,
    Referral,
    Refund,
    StaffTask,
    Store,
    TierEvent,
    table,
)
from members.vault import Vault

FORMAT = "memberbot-export/1"
Rows = list[dict[str, Any]]
members, identities = table(Member), table(Identity)
orders, lines, products, refunds = table(Order), table(OrderLine), table(Product), table(Refund)
stores, categories, outbox, log = table(Store), table(Category), table(Outbox), table(AuditLog)
coupons, decisions, plans, chosen = table(Coupon), table(Decision), table(CampaignPlan), table(Audience)


def gather(connection: Connection, vault: Vault, member: int, now: datetime) -> dict[str, Any]:
    """Return {section: rows} of everything held about a member and those merged into them, for JSON."""
    family = merging_history.family(connection, member)
    openids = _openids(connection, family)
    subjects = [consent.of_member(one) for one in family] + [consent.of_openid(openid) for openid in openids]
    found: dict[str, Any] = {"format": FORMAT, "made_at": now}
    found["profile"] = _profile(connection, member)
    found["identities"] = _identities(connection, vault, family)
    found["children"] = [
        {"stage": children.tag_of(child), "date": child.born, "due": child.due, "month_only": child.month_only}
        for child in children.of_member(connection, vault, member)
    ]
    found["tags"] = _of(connection, table(MemberTag), family, "tag", "source", "confidence", "at", "ended_at")
    found["scores"] = list(scores.exported(connection, family))
    found["consents"] = _where(connection, table(Consent), "subject", subjects, "topic", "granted", "remaining", "at")
    events = ("topic", "granted", "at", "source")
    found["consent_history"] = _where(connection, table(ConsentEvent), "subject", subjects, *events)
    found |= _value(connection, member, family)
    found |= _trade(connection, family)
    found |= _told(connection, member, family, openids)
    traced = _of(connection, log, family, "at", "actor", "action", "store_id", "origin", "approved_by", "detail")
    found["audit"] = traced
    plain: dict[str, Any] = _plain(found)
    return plain


def _openids(connection: Connection, family: Sequence[int]) -> list[str]:
    mine = identities.c.member_id.in_(family) & (identities.c.kind == "openid") & identities.c.ended_at.is_(None)
    return list(connection.scalars(select(identities.c.value).where(mine)))


def _profile(connection: Connection, member: int) -> dict[str, Any]:
    columns = ("id", "created_at", "tier", "tier_since", "tier_until", "personalised", "birthday", "attention")
    wanted: Select[Any] = select(*(members.c[name] for name in columns), stores.c.name.label("home_store"))
    joined = wanted.select_from(members.outerjoin(stores, members.c.home_store == stores.c.id))
    return dict(connection.execute(joined.where(members.c.id == member)).one()._mapping)


def _identities(connection: Connection, vault: Vault, family: Sequence[int]) -> Rows:
    wanted = identities.c.member_id.in_(family) & (identities.c.kind != tails.KIND)
    found = []
    for row in connection.execute(select(identities).where(wanted).order_by(identities.c.id)):
        value = row.value
        if row.kind == "phone":  # the stored value is a keyed hash: theirs is what was sealed
            value = ""
            if row.sealed is not None:
                value = vault.unseal(vault.member_key(connection, row.member_id), "phone", row.sealed)
        found.append(
            {"kind": row.kind, "value": value, "since": row.created_at, "until": row.ended_at, "source": row.source}
        )
    return found


def _value(connection: Connection, member: int, family: Sequence[int]) -> dict[str, Any]:
    history = (
        select(
            movements.c.at, accounts.c.kind.label("account"), entries.c.amount, entries.c.balance_after,
            movements.c.kind, movements.c.reason,
        )
        .select_from(entries.join(movements, entries.c.movement_id == movements.c.id).join(accounts))
        .where(entries.c.member_id.in_(family))
        .order_by(entries.c.member_id, entries.c.seq)
    )  # fmt: skip
    open_lots = select(lots.c.account, lots.c.remaining, lots.c.earned_at, lots.c.matures_at, lots.c.expires_at)
    columns = (
        "code", "title", "state", "issued_at", "reason", "expires_at", "redeemed_at", "redeemed_store", "discount",
    )  # fmt: skip
    return {
        "balances": [
            {"account": kind, "balance": many} for kind, many in ledger.balances(connection, member).items() if many
        ],
        "points_by_end": _rows(connection, open_lots.where(lots.c.member_id == member, lots.c.remaining > 0)),
        "movements": _rows(connection, history),
        "coupons": _of(connection, coupons, family, *columns),
        "gifts": _of(connection, table(GiftGrant), family, "rule", "at", "points"),
        "tiers": _of(connection, table(TierEvent), family, "at", "before", "after", "reason"),
        "plans": _of(connection, table(PaidMembership), family, "plan", "price", "since", "until"),
        "perks": _of(connection, table(PerkUse), family, "perk", "month", "used"),
    }


def _trade(connection: Connection, family: Sequence[int]) -> dict[str, Any]:
    wanted = (
        select(
            orders.c.id, orders.c.order_no, stores.c.name.label("store"), orders.c.at, orders.c.total,
            orders.c.discount, orders.c.refunded, orders.c.paid_principal, orders.c.paid_gift, orders.c.state,
        )
        .select_from(orders.outerjoin(stores, orders.c.store_id == stores.c.id))
        .where(orders.c.member_id.in_(family))
        .order_by(orders.c.at, orders.c.id)
    )  # fmt: skip
    goods = (
        select(
            lines.c.order_id, products.c.name, categories.c.name.label("category"), lines.c.quantity, lines.c.amount,
            lines.c.discount, lines.c.refunded_quantity, lines.c.refunded_amount,
        )
        .select_from(
            lines.join(orders, lines.c.order_id == orders.c.id)
            .join(products, lines.c.product_id == products.c.id)
            .outerjoin(categories, products.c.category == categories.c.code)
        )
        .where(orders.c.member_id.in_(family))
        .order_by(lines.c.order_id, lines.c.line_no)
    )  # fmt: skip
    back = (
        select(refunds.c.order_id, refunds.c.at, refunds.c.amount, refunds.c.cash_back)
        .select_from(refunds.join(orders, refunds.c.order_id == orders.c.id))
        .where(orders.c.member_id.in_(family))
        .order_by(refunds.c.id)
    )
    found = {row["id"]: row | {"lines": [], "refunds": []} for row in _rows(connection, wanted)}
    for name, part in (("lines", goods), ("refunds", back)):
        for row in _rows(connection, part):
            found[row.pop("order_id")][name].append(row)
    return {"orders": [{name: value for name, value in row.items() if name != "id"} for row in found.values()]}


def _told(connection: Connection, member: int, family: Sequence[int], openids: Sequence[str]) -> dict[str, Any]:
    sent = _of(connection, outbox, family, "created_at", "kind", "campaign", "state", "channel", "reason", "content")
    messages = [row | {"content": (row["content"] or {}).get("text", "")} for row in sent]
    arms = (
        select(plans.c.campaign, plans.c.period, chosen.c.arm, chosen.c.reason)
        .select_from(chosen.join(plans, chosen.c.plan_id == plans.c.id))
        .where(chosen.c.member_id.in_(family))
        .order_by(plans.c.made_at)
    )
    follower = ("openid", "followed", "followed_at", "unfollowed_at", "scene", "message_at", "near_store", "near_at")
    arrivals = ("at", "event", "kind", "ref")
    invited = table(Referral)
    brought = select(invited.c.at, invited.c.state).where(invited.c.inviter_id.in_(family))
    return {
        "decisions": _of(connection, decisions, family, "at", "campaign", "template", "reason", "trace"),
        "campaigns": _rows(connection, arms),
        "messages": messages,
        "tasks": _of(connection, table(StaffTask), family, "created_at", "text", "state", "result"),
        "wechat": _where(connection, table(Follower), "openid", openids, *follower),
        "arrivals": _where(connection, table(Arrival), "member_id", family, *arrivals),
        "handoffs": _of(connection, table(Handoff), family, "started_at", "until", "kind"),
        "invited": _rows(connection, brought),
        "erasures": _of(connection, table(Erasure), family, "asked_at", "due_at", "state"),
    }


def _of(connection: Connection, rows: Table, family: Sequence[int], *columns: str) -> Rows:
    return _where(connection, rows, "member_id", family, *columns)


def _where(connection: Connection, rows: Table, owner: str, whose: Sequence[Any], *columns: str) -> Rows:
    order = list(rows.primary_key.columns)
    wanted = select(*(rows.c[name] for name in columns)).where(rows.c[owner].in_(whose)).order_by(*order)
    return _rows(connection, wanted)


def _rows(connection: Connection, wanted: Select[Any]) -> Rows:
    return [dict(row._mapping) for row in connection.execute(wanted)]


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: instants and days in ISO 8601."""
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value.isoformat() if isinstance(value, datetime | date) else value
