"""What staff should do for a member, and what came of it: open → done | dropped, once."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, bindparam, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from members import audit
from members.audit import Actor
from members.errors import MemberError
from members.staffing import Server, may_manage
from members.tables import Member, StaffTask, table

_tasks, _members = table(StaffTask), table(Member)
RESULT_CHARS = 200
_COLUMNS = (
    _tasks.c.id, _tasks.c.store_id, _tasks.c.staff_id, _tasks.c.member_id, _tasks.c.text, _tasks.c.source,
    _tasks.c.created_at, _tasks.c.due_at, _tasks.c.state,
)  # fmt: skip
_OPEN = (
    select(*_COLUMNS)
    .where(
        _tasks.c.state == "open",
        or_(
            _tasks.c.staff_id == bindparam("who"),
            _tasks.c.staff_id.is_(None) & _tasks.c.store_id.is_not_distinct_from(bindparam("at_store")),
        ),
    )
    .order_by(_tasks.c.due_at.is_(None), _tasks.c.due_at, _tasks.c.id)
    .limit(bindparam("many"))
)
_ONE = select(*_COLUMNS).where(_tasks.c.id == bindparam("which"))
# the member before the task, as who places or withdraws one for them: the audit row points at both
_HOLD = select(_members.c.id).where(_members.c.id == bindparam("member")).with_for_update(read=True, key_share=True)
_FINISH = (
    update(_tasks)
    .where(_tasks.c.id == bindparam("which"), _tasks.c.state == "open")
    .values(state="done", done_at=bindparam("moment"), done_by=bindparam("who"), result=bindparam("outcome"))
)
_DROP = (
    update(_tasks)
    .where(_tasks.c.id == bindparam("which"), _tasks.c.state == "open")
    .values(state="dropped", done_at=bindparam("moment"))
)
_PUT = upsert(_tasks).on_conflict_do_nothing(index_elements=[_tasks.c.key]).returning(_tasks.c.id)


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to do; `staff` None: whoever of the store gets to it first. `source` says who wants it done."""

    id: int
    store: str | None
    staff: int | None
    member: int | None
    text: str
    source: str
    created_at: datetime
    due_at: datetime | None
    state: str


def add(
    connection: Connection, *, key: str, store: str | None, staff: int | None, member: int | None, text: str,
    source: str, by: Actor, now: datetime, due_at: datetime | None = None,
) -> int | None:  # fmt: skip
    """Put a task on the list, once per key; return its id, None when it was there."""
    row = {
        "key": key, "store_id": store, "staff_id": staff, "member_id": member, "text": text, "source": source,
        "created_at": now, "due_at": due_at, "state": "open", "result": "",
    }  # fmt: skip
    made: int | None = connection.execute(_PUT, row).scalar_one_or_none()
    if made is not None:
        audit.write(connection, by, "task.add", member, {"task": made}, now=now)
    return made


def open_for(connection: Connection, staff: Server, *, many: int) -> list[Task]:
    """Return what a person has to do, and what waits for anybody of their store; what is due first comes first."""
    bound = {"who": staff.id, "at_store": staff.store, "many": many}
    return [_task(row) for row in connection.execute(_OPEN, bound)]


def finish(connection: Connection, number: int, staff: Server, result: str, *, by: Actor, now: datetime) -> Task:
    """Write down what came of a task, once; MemberError('task_unknown') also for another's, ('task_done')."""
    row = connection.execute(_ONE, {"which": number}).one_or_none()
    task = None if row is None else _task(row)
    if task is None or not _theirs(task, staff):
        raise MemberError("task_unknown", number=number)
    connection.execute(_HOLD, {"member": task.member})
    bound = {"which": number, "moment": now, "who": staff.id, "outcome": result[:RESULT_CHARS]}
    if connection.execute(_FINISH, bound).rowcount != 1:
        raise MemberError("task_done", number=number)
    audit.write(connection, by, "task.done", task.member, {"task": number}, now=now)
    return task


def drop(connection: Connection, number: int, *, by: Actor, now: datetime) -> bool:
    """Take a task off the list: who wanted it done does so no longer; False when it was done or dropped before."""
    if connection.execute(_DROP, {"which": number, "moment": now}).rowcount != 1:
        return False
    audit.write(connection, by, "task.drop", None, {"task": number}, now=now)
    return True


def _theirs(task: Task, staff: Server) -> bool:
    return task.staff == staff.id or (task.staff is None and task.store == staff.store) or may_manage(staff, task.store)


def _task(row: Row[int, str | None, int | None, int | None, str, str, datetime, datetime | None, str]) -> Task:
    return Task(
        row.id, row.store_id, row.staff_id, row.member_id, row.text, row.source, row.created_at, row.due_at, row.state
    )
