"""What was sent to whom, why, by which channel, and what became of it: for people who look after the shop."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from members.tables import Delivery, Identity, JobRun, Outbox, table
from scheduler.plan import Plan

outbox, deliveries, identities, job_runs = table(Outbox), table(Delivery), table(Identity), table(JobRun)
_NEWEST = select(outbox).order_by(outbox.c.id.desc()).limit(bindparam("many"))
_ATTEMPTS = (
    select(deliveries)
    .where(deliveries.c.outbox_id.in_(bindparam("rows", expanding=True)))
    .order_by(deliveries.c.outbox_id, deliveries.c.id)
)
_KNOWN_AS = select(identities.c.member_id, identities.c.kind, identities.c.value).where(
    identities.c.member_id.in_(bindparam("of", expanding=True)),
    identities.c.ended_at.is_(None),
    identities.c.kind.in_(("card", "openid")),
)
_STATES = select(outbox.c.campaign, outbox.c.state, outbox.c.channel, func.count()).group_by(
    outbox.c.campaign, outbox.c.state, outbox.c.channel
)
_RUNS = select(job_runs).order_by(job_runs.c.due_at.desc(), job_runs.c.job).limit(bindparam("many"))
HIDDEN = {"code": "(验证码短信,内容不显示)"}


def sent_log(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """Return the newest messages, newest first: {at, member, openid, campaign, kind, reason, channel, state, …}.

    `member` is masked (the card's last four digits); `history` lists every attempt with the platform's answer.
    """
    rows = connection.execute(_NEWEST, {"many": limit}).all()
    history = _history(connection, [row.id for row in rows])
    cards, openids = _known_as(connection, sorted({row.member_id for row in rows if row.member_id is not None}))
    return [_line(row, history[row.id], cards, openids) for row in rows]


def _line(
    row: Any, attempts: list[dict[str, Any]], cards: dict[int, str], openids: dict[int, list[str]]
) -> dict[str, Any]:
    sent_at = attempts[-1]["at"] if attempts else None
    mine = openids.get(row.member_id, [])
    return {
        "id": row.id, "at": sent_at or _iso(row.created_at), "planned_at": _iso(row.created_at),
        "member": cards.get(row.member_id, "未绑定"), "openid": row.openid or (mine[0] if mine else ""),
        "openids": [row.openid] if row.openid else mine, "campaign": row.campaign, "kind": row.kind,
        "reason": row.reason, "channel": row.channel, "channels": row.channels, "state": row.state,
        "content": HIDDEN.get(row.kind) or row.content.get("text", ""), "note": row.note,
        "errcode": attempts[-1]["errcode"] or None if attempts else None, "expires_at": _iso(row.expires_at),
        "history": attempts,
    }  # fmt: skip


def _iso(moment: datetime) -> str:
    return moment.isoformat()


def _history(connection: Connection, rows: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for one in connection.execute(_ATTEMPTS, {"rows": list(rows)}):
        found[one.outbox_id].append(
            {
                "at": _iso(one.at), "attempt": one.attempt, "channel": one.channel, "outcome": one.outcome,
                "errcode": one.errcode, "finished": one.finished,
            }
        )  # fmt: skip
    return found


def _known_as(connection: Connection, members: Sequence[int]) -> tuple[dict[int, str], dict[int, list[str]]]:
    cards: dict[int, str] = {member: f"会员 {member}" for member in members}
    openids: dict[int, list[str]] = defaultdict(list)
    for row in connection.execute(_KNOWN_AS, {"of": list(members)}):
        if row.kind == "card":
            cards[row.member_id] = f"卡尾号 {row.value[-4:]}"
        else:
            openids[row.member_id].append(row.value)
    return cards, openids


def by_state(connection: Connection) -> list[dict[str, Any]]:
    """Return how many messages of each campaign are in which state, by channel."""
    found = connection.execute(_STATES)
    return [{"campaign": row[0], "state": row[1], "channel": row[2], "messages": row[3]} for row in found]


def job_log(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """Return the newest job runs, newest first: {job, due_at, finished, note}."""
    found = connection.execute(_RUNS, {"many": limit})
    return [
        {"job": row.job, "due_at": _iso(row.due_at), "finished": row.finished_at is not None, "note": row.note}
        for row in found
    ]


def plan_text(plan: Plan) -> str:
    """Return a plan as `campaign plan` prints it: the funnel, the channels, the offers, the cost, sample messages."""
    lines = [f"方案 {plan.id}  活动「{plan.campaign}」  {plan.period}", "", "漏斗"]
    lines += [f"  {step.name}  {f'-{step.gone}' if step.gone else ''}  剩 {step.left}" for step in plan.steps]
    lines += ["", "渠道  " + (",".join(f"{name} {count}" for name, count in sorted(plan.channels.items())) or "无")]
    offers = sorted(plan.offers.items(), key=lambda pair: (-pair[1], pair[0]))
    lines += ["优惠  " + (",".join(f"{name} {count}" for name, count in offers[:10]) or "无")]
    cost = plan.cost
    unbounded = f",另有 {cost.unbounded} 张没有上限" if cost.unbounded else ""
    lines += [f"券    {cost.coupons} 张,最多 {cost.at_most / 100:.2f} 元{unbounded}"]
    if cost.expected is not None and cost.budget is not None:
        given = sorted(plan.templates.items(), key=lambda pair: (-pair[1], pair[0]))
        lines += ["      " + ",".join(f"{code} {count}" for code, count in given)]
        if given[-1][1] == 0:
            lines += ["      0 张的:已经发完,或按 pack 的 margin、extra、visit 算,发给谁都不划算"]
        lines += [f"预计  花 {cost.expected / 100:.2f} 元,预算 {cost.budget / 100:.2f} 元"]
        lines += [f"分法  离最好的可能,最多差 {cost.gap or 0:.1%}"]
    lines += [""]
    for sample in plan.samples:
        lines += [f"会员 {sample.member}({sample.channel}) 因为:{sample.reason}", f"  {sample.text}"]
    return "\n".join(lines)
