"""What many members hold, and what is left to give of templates: for who plans ahead; issuing has its own guards."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, time
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, bindparam, select

from members import limits
from members.coupons.issuing import UNLIMITED, coupons
from members.coupons.kinds import grants, rule_of, templates
from members.tables import Decision, table

CHUNK = 500
decisions = table(Decision)
_LEFT = select(templates).where(templates.c.code.in_(bindparam("codes", expanding=True)))
_LIVE = (
    select(coupons.c.member_id, coupons.c.template, decisions.c.trace)
    .select_from(coupons.outerjoin(decisions, decisions.c.id == coupons.c.decision_id))
    .where(
        coupons.c.member_id.in_(bindparam("of", expanding=True)),
        coupons.c.template.in_(bindparam("codes", expanding=True)),
        coupons.c.state.in_(("issued", "locked")), coupons.c.expires_at > bindparam("moment"),
    )
)  # fmt: skip
_GRANTED = select(grants.c.member_id, grants.c.template, grants.c.count).where(
    grants.c.member_id.in_(bindparam("of", expanding=True)),
    grants.c.template.in_(bindparam("codes", expanding=True)),
)


def left(
    connection: Connection, codes: Sequence[str], *, zone: ZoneInfo, now: datetime, day_start: time = time()
) -> dict[str, int]:
    """Return {template: how many copies could be issued today} by stock, budget, term and copies per day."""
    found = dict.fromkeys(codes, 0)
    day = limits.business_day(now, zone, day_start)
    for row in connection.execute(_LEFT, {"codes": list(codes)}).mappings():
        rule = rule_of(row["rule"] or {})
        if not row["active"] or rule.expires_at(now, zone) <= now:
            continue
        most = [UNLIMITED]
        if row["stock"] is not None:
            most.append(row["stock"] - row["issued"])
        if row["budget"] is not None:
            most.append((row["budget"] - row["committed"]) // max(rule.worst_case() or 1, 1))
        if row["per_day"] is not None:
            most.append(row["per_day"] - limits.count(connection, f"template:{row['code']}", day))
        found[row["code"]] = max(min(most), 0)
    return found


def live(
    connection: Connection, members: Sequence[int], codes: Sequence[str], now: datetime
) -> Iterator[tuple[int, str, str]]:
    """Yield (member, template, category it was made for or "") of each copy of these that could be used now."""
    for bound in _chunks(members, codes):
        for member, template, trace in connection.execute(_LIVE, bound | {"moment": now}):
            yield member, template, str((trace or {}).get("category") or "")


def granted(connection: Connection, members: Sequence[int], codes: Sequence[str]) -> Mapping[tuple[int, str], int]:
    """Return {(member, template): copies that count against `per_member`}; none is missing."""
    found: dict[tuple[int, str], int] = {}
    for bound in _chunks(members, codes):
        found |= {(row.member_id, row.template): row.count for row in connection.execute(_GRANTED, bound)}
    return found


def _chunks(members: Sequence[int], codes: Sequence[str]) -> Iterator[dict[str, list[int] | list[str]]]:
    for start in range(0, len(members), CHUNK):
        yield {"of": list(members[start : start + CHUNK]), "codes": list(codes)}
