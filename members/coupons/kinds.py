"""Templates in the books: written from config.yaml, read back, and what their copies cost."""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError
from sqlalchemy import BigInteger, Connection, bindparam, case, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from members.errors import MemberError
from members.prepared import Prepared
from members.rules import VOUCHER, CouponRule, VoucherRule
from members.tables import CouponGrant, CouponTemplate, table

templates, grants = table(CouponTemplate), table(CouponGrant)
ZONE = "zone"
OTHER_TITLE = 40

_PUT = upsert(templates)
_NEW = _PUT.excluded
# what was given out is promised: a limit written lower than that in config.yaml stops at it, and no more is issued
_PUT = _PUT.on_conflict_do_update(
    index_elements=[templates.c.code],
    set_={name: _NEW[name] for name in ("title", "rule", "per_member", "per_day", "active", "source")}
    | {
        "stock": case((_NEW.stock < templates.c.issued, templates.c.issued), else_=_NEW.stock),
        "budget": case((_NEW.budget < templates.c.committed, templates.c.committed), else_=_NEW.budget),
    },
)
_THEN = templates.c.committed + bindparam("delta", type_=BigInteger())
_COMMIT = Prepared(
    update(templates)
    .where(templates.c.code == bindparam("which"))
    .values(committed=_THEN, budget=case((templates.c.budget < _THEN, _THEN), else_=templates.c.budget))
    .returning(templates.c.committed, templates.c.budget)
)
_UNISSUE = update(templates).where(templates.c.code == bindparam("which")).values(issued=templates.c.issued - 1)
_UNGRANT = (
    update(grants)
    .where(grants.c.template == bindparam("which"), grants.c.member_id == bindparam("who"), grants.c.count > 0)
    .values(count=grants.c.count - 1)
)


def sync_templates(
    connection: Connection, rules: Mapping[str, CouponRule], voucher: VoucherRule | None = None, *,
    zone: ZoneInfo | None = None,
) -> None:  # fmt: skip
    """Write the templates of config.yaml to the books; those that left it are no longer issued.

    `voucher` makes the template of points that become a voucher; `zone` is the shop's, in which days and hours count.
    """
    wanted = dict(rules) if voucher is None else {**rules, VOUCHER: voucher_rule(voucher)}
    gone = (templates.c.source == "config") & templates.c.code.not_in(list(wanted))
    connection.execute(update(templates).where(gone).values(active=False))
    for code, rule in sorted(wanted.items()):
        row = {
            "code": code, "title": rule.title, "rule": stored(rule, zone), "stock": rule.stock, "issued": 0,
            "per_member": rule.per_member, "per_day": rule.per_day,
            "budget": None if rule.budget is None else rule.budget * 100, "committed": 0, "active": True,
            "source": "config",
        }  # fmt: skip
        connection.execute(_PUT, row)


def voucher_rule(voucher: VoucherRule) -> CouponRule:
    """Return the template behind points that become a voucher: `off` is only a place for each copy's own face value."""
    return CouponRule(title=voucher.title, off=1, valid=voucher.valid, stack=VOUCHER)


def stored(rule: CouponRule, zone: ZoneInfo | None = None) -> dict[str, Any]:
    """Return a rule as the books keep it, with the zone its days are of; `rule_of` reads it back."""
    return rule.model_dump(mode="json") | ({} if zone is None else {ZONE: zone.key})


def rule_of(row: Mapping[str, Any]) -> CouponRule:
    """Return the rule of a stored template; one of an import, whose terms nobody knows, is a thing worth its title."""
    try:
        return CouponRule.model_validate({name: value for name, value in row.items() if name != ZONE})
    except ValidationError:
        title = str(row.get("title") or "?")[:OTHER_TITLE]
        given = {"how": str(row["how"])} if row.get("how") else {}
        return CouponRule(title=title, gift=title, **given)


def rules_of(connection: Connection) -> dict[str, CouponRule]:
    """Return {code: rule} of every template that is or ever was issued."""
    return {row.code: rule_of(row.rule or {}) for row in connection.execute(select(templates.c.code, templates.c.rule))}


def commit(connection: Connection, template: str, delta: int) -> tuple[int, int | None]:
    """Add `delta` 分 to what a template's copies cost; return (committed, budget).

    A budget ends issuing and never takes back a promise: where honouring a copy costs more, the budget grows to it.
    """
    [(committed, budget)] = _COMMIT.rows(connection, {"which": template, "delta": delta})
    return committed, budget


def give_back(connection: Connection, template: str, member: int) -> None:
    """Return one copy to stock and to the limit of the member it was granted to."""
    connection.execute(_UNISSUE, {"which": template})
    connection.execute(_UNGRANT, {"which": template, "who": member})


def refuse(connection: Connection, code: str, title: str, worst: int) -> None:
    """Raise why no copy can be had: stock or term ended (template_empty), or the budget (coupon_budget)."""
    row = connection.execute(select(templates).where(templates.c.code == code)).one_or_none()
    if row is not None and row.active and row.budget is not None and row.committed + worst > row.budget:
        raise MemberError("coupon_budget", title=title)
    raise MemberError("template_empty", title=title)
