"""The day in figures: what each person of staff did, and the receipt their manager gets every evening."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection

from members import approvals, deeds, shops, staffing
from members.deeds import Sum
from members.money import yuan
from members.notices import Say, tell_openid
from members.rules import Rules

DAY = timedelta(days=1)
ORDER = ("issue", "redeem", "sale", "refund", "topup", "cash_out", "plan", "points", "perk")


def person(say: Say, mine: Iterable[Sum]) -> str:
    """Return what one person did in a stretch of time, in one line; '' when it was nothing."""
    found = sorted(mine, key=lambda one: ORDER.index(one.kind) if one.kind in ORDER else len(ORDER))
    parts = [figure(say, one) for one in found if one.times]
    undone = sum(one.undone for one in found)
    if undone:
        parts.append(say("sum_undone", times=undone))
    return str(say("dot_list")).join(parts)


def figure(say: Say, one: Sum) -> str:
    """Return one kind of deed with its figures: 充值 2 笔 ¥600.00."""
    amount = f"{one.amount:+,}" if one.kind == "points" else yuan(one.amount)
    return str(say(f"sum_{one.kind}", times=one.times, count=one.count, amount=amount))


def by_store(
    connection: Connection, say: Say, since: datetime, until: datetime
) -> Mapping[str | None, list[str]]:  # fmt: skip
    """Return {store: a line per person of staff} of what was done in [since, until)."""
    found = deeds.sums(connection, since, until)
    lines: dict[str | None, list[str]] = {}
    for store, staff in dict.fromkeys((one.store, one.staff) for one in found):
        figures = person(say, [one for one in found if (one.store, one.staff) == (store, staff)])
        name = staffing.name_of(connection, staff)
        lines.setdefault(store, []).append(say("sum_person", name=name, figures=figures))
    return lines


def send_receipts(connection: Connection, say: Say, rules: Rules, now: datetime) -> tuple[int, int]:
    """Tell every store's managers what was done since the last receipt, once a day; return (stores, notices).

    A receipt holds the 24 hours up to `staff.receipt_at`, so that none is missed after closing time.
    """
    approvals.expire_due(connection, now)
    zone = rules.shop.zone
    until = datetime.combine(now.astimezone(zone).date(), rules.staff.receipt_at, zone)
    until -= DAY if until > now else timedelta()
    stores = told = 0
    for store, lines in by_store(connection, say, until - DAY, until).items():
        stores += 1
        name = shops.name_of(connection, store) or say("some_store")
        facts = {"day": f"{until:%m-%d}", "store": name, "lines": "\n".join(lines)}
        for manager in staffing.managers_of(connection, store):
            if manager.openid is not None:
                told += tell_openid(
                    connection, say, openid=manager.openid, text="notice_receipt", key=f"{store}:{until:%Y%m%d}",
                    facts=facts, now=now,
                )  # fmt: skip
    return stores, told
