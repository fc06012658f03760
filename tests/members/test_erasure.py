"""Erasure: whatever a member owns ends by entries, the person is gone, and the books add up as before."""

import threading
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, insert, select, update

from members import auditing, children, coupons, erasing, exporting, forgetting, identity, ledger, merging, replay, tags
from members.db import Database
from members.errors import BooksBroken, MemberError
from members.tables import (
    Account,
    Approval,
    AuditLog,
    Coupon,
    Entry,
    Identity,
    Member,
    MemberKey,
    Merge,
    Outbox,
    PointLot,
    Staff,
    table,
)
from tests.members.merging_books import BY, NOW, RULES, VAULT, coupon, give, new_member, rich, template
from tests.members.till import Till

LATER = NOW + timedelta(days=10)
GIFTS = st.lists(
    st.tuples(st.sampled_from(["points", "pending", "gift", "wallet:miles"]), st.integers(1, 400), st.integers(-3, 90)),
    max_size=8,
)
members, entries, accounts, keys = table(Member), table(Entry), table(Account), table(MemberKey)


@pytest.fixture
def books(database: Database) -> Iterator[Database]:
    """Books that must be whole at the end of every test."""
    yield database
    sound(database)


@pytest.fixture
def till(database: Database) -> Till:
    """A till over empty books."""
    return Till(database)


def sound(database: Database) -> None:
    """Every invariant holds, and the books rebuilt from zero are the same."""
    with database.reading() as connection:
        assert auditing.breaches(connection, now=LATER) == []
        assert replay.rebuild(connection) == replay.stored(connection)


def forget(connection: Connection, member: int) -> dict[str, int] | None:
    """Ask and carry out at once."""
    wish = erasing.ask(connection, RULES, member, by=BY, note="注销", now=NOW)
    return forgetting.forget(connection, wish.id, member, by=BY, now=LATER)


def owned(connection: Connection, member: int) -> dict[str, int]:
    """What is not zero."""
    return {kind: many for kind, many in ledger.balances(connection, member).items() if many}


def system(connection: Connection, kind: str) -> int:
    """The sum of a system account."""
    found = select(entries.c.amount).select_from(entries.join(accounts, entries.c.account_id == accounts.c.id))
    return sum(connection.scalars(found.where(accounts.c.member_id.is_(None), accounts.c.kind == kind)))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(gifts=GIFTS, debt=st.integers(0, 50), copies=st.integers(0, 3))
def test_whatever_was_owned_ends_and_nothing_is_created(
    books: Database, gifts: list[tuple[str, int, int]], debt: int, copies: int
) -> None:
    with books.transaction() as connection:
        of = template(connection)
        member = new_member(connection)
        for account, amount, days in gifts:
            give(connection, member, account, amount, days=days)
        if debt:
            give(connection, member, "owed", -debt)
        for _ in range(copies):
            coupon(connection, member, of)
        before = system(connection, "expired")
        ended = forget(connection, member)
    points = sum(amount for account, amount, _ in gifts if account in ("points", "pending"))
    gift = sum(amount for account, amount, _ in gifts if account == "gift")
    assert ended == {"points": points, "gift": gift, "coupons": copies}
    with books.reading() as connection:
        assert owned(connection, member) == {}
        assert system(connection, "expired") - before == points
        left = select(table(PointLot).c.remaining).where(table(PointLot).c.member_id == member)
        assert sum(connection.scalars(left)) == 0
    sound(books)


@pytest.mark.parametrize("hindrance", ["principal", "lock", "approval"])
def test_it_waits_for_what_must_be_settled_and_changes_nothing(books: Database, hindrance: str) -> None:
    with books.transaction() as connection:
        member = new_member(connection)
        give(connection, member, "points", 10)
        if hindrance == "principal":
            give(connection, member, "principal", 1)
        if hindrance == "lock":
            held = coupon(connection, member, template(connection))
            locked = {"state": "locked", "locked_until": LATER + timedelta(hours=1), "lock_key": "till"}
            connection.execute(update(table(Coupon)).where(table(Coupon).c.id == held).values(locked))
        if hindrance == "approval":
            staff = {"name": "王", "role": "cashier", "active": True, "created_at": NOW, "created_by": "t"}
            who = connection.execute(insert(table(Staff)).returning(table(Staff).c.id), staff).scalar_one()
            asked = {
                "key": "a", "staff_id": who, "member_id": member, "kind": "refund", "amount": 1, "params": {},
                "asked_at": NOW, "expires_at": LATER + timedelta(days=1), "state": "asked",
            }  # fmt: skip
            connection.execute(insert(table(Approval)), asked)
        wish = erasing.ask(connection, RULES, member, by=BY, note="", now=NOW)
    with pytest.raises(MemberError) as refused, books.transaction() as connection:
        forgetting.forget(connection, wish.id, member, by=BY, now=LATER)
    assert refused.value.code == f"erase_{hindrance}"
    with books.reading() as connection:
        assert owned(connection, member)["points"] == 10
        assert erasing.waiting(connection, member) == wish
        assert identity.phone_of(connection, VAULT, member) is not None


def test_withdrawn_and_done_meet_once(books: Database) -> None:
    with books.transaction() as connection:
        member = new_member(connection)
        wish = erasing.ask(connection, RULES, member, by=BY, note="", now=NOW)
        assert erasing.ask(connection, RULES, member, by=BY, note="", now=LATER) == wish
        assert erasing.withdraw(connection, member, by=BY, now=NOW)
    with books.transaction() as connection:
        assert forgetting.forget(connection, wish.id, member, by=BY, now=LATER) is None
        assert connection.execute(select(members.c.state).where(members.c.id == member)).scalar_one() == "active"


def test_withdrawing_and_forgetting_at_once_come_to_one_end(books: Database) -> None:
    with books.transaction() as connection:
        member = new_member(connection)
        give(connection, member, "points", 10)
        wish = erasing.ask(connection, RULES, member, by=BY, note="", now=NOW)
    ends: dict[str, Any] = {}

    def forgets() -> None:
        with books.transaction() as connection:
            ends["gone"] = forgetting.forget(connection, wish.id, member, by=BY, now=LATER) is not None

    def withdraws() -> None:
        try:
            with books.transaction() as connection:
                ends["kept"] = erasing.withdraw(connection, member, by=BY, now=LATER)
        except MemberError as gone:
            assert gone.code == "member_erased"
            ends["kept"] = False

    threads = [threading.Thread(target=deed) for deed in (forgets, withdraws)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ends["gone"] != ends["kept"]
    with books.reading() as connection:
        state = connection.execute(select(members.c.state).where(members.c.id == member)).scalar_one()
        assert state == ("erased" if ends["gone"] else "active")


def test_who_was_merged_in_goes_too_and_can_not_be_parted(books: Database) -> None:
    with books.transaction() as connection:
        source, target = new_member(connection), new_member(connection)
        give(connection, source, "points", 30)
        today = date(2026, 3, 2)
        children.add(connection, VAULT, source, date(2023, 6, 1), by=BY, today=today, now=NOW)
        merged = merging.merge(connection, VAULT, RULES, source, target, by=BY, reason="王女士", now=NOW)
        assert [child.born for child in children.of_member(connection, VAULT, target)] == [date(2023, 6, 1)]
        forget(connection, target)
    with books.reading() as connection:
        assert connection.execute(select(keys.c.member_id)).all() == []
        values = connection.scalars(select(table(Identity).c.value)).all()
        assert all(value.startswith("erased:") for value in values)
        assert connection.execute(select(table(Merge).c.reason)).scalar_one() == ""
        assert exporting.gather(connection, VAULT, target, LATER)["children"] == []
    with pytest.raises(MemberError) as refused, books.transaction() as connection:
        merging.unmerge(connection, VAULT, RULES, merged.id, by=BY, now=LATER)
    assert refused.value.code == "merge_covered"
    with pytest.raises(MemberError) as refused, books.transaction() as connection:
        merging.merge(connection, VAULT, RULES, target, new_member(connection), by=BY, reason="x", now=LATER)
    assert refused.value.code == "merge_gone"


def test_who_is_leaving_is_not_merged(books: Database) -> None:
    with books.transaction() as connection:
        leaving, other = new_member(connection), new_member(connection)
        erasing.ask(connection, RULES, leaving, by=BY, note="", now=NOW)
    for pair in ((leaving, other), (other, leaving)):
        with pytest.raises(MemberError) as refused, books.transaction() as connection:
            merging.merge(connection, VAULT, RULES, *pair, by=BY, reason="x", now=NOW)
        assert refused.value.code == "merge_leaving"


def test_children_part_again_with_their_member(books: Database) -> None:
    today = date(2026, 3, 2)
    with books.transaction() as connection:
        source, target = new_member(connection), new_member(connection)
        children.add(connection, VAULT, source, date(2023, 6, 1), by=BY, today=today, now=NOW)
        children.add(connection, VAULT, target, date(2025, 6, 1), by=BY, today=today, now=NOW)
        merged = merging.merge(connection, VAULT, RULES, source, target, by=BY, reason="x", now=NOW)
        assert len(children.of_member(connection, VAULT, target)) == 2
        assert {tag.tag for tag in tags.of_member(connection, target)} == {"宝宝1-2岁", "宝宝6-12月"}
        merging.unmerge(connection, VAULT, RULES, merged.id, by=BY, now=LATER)
        assert [child.born for child in children.of_member(connection, VAULT, source)] == [date(2023, 6, 1)]
        assert [tag.tag for tag in tags.of_member(connection, source)] == ["宝宝1-2岁"]
        assert [tag.tag for tag in tags.of_member(connection, target)] == ["宝宝6-12月"]


def test_nothing_opens_what_was_sealed_and_nothing_is_booked_any_more(books: Database) -> None:
    with books.transaction() as connection:
        member = new_member(connection)
        phone = identity.phone_of(connection, VAULT, member)
        forget(connection, member)
        assert identity.find_by_phone(connection, VAULT, str(phone)) is None
        with pytest.raises(BooksBroken):
            VAULT.member_key(connection, member)
    for deed in (
        lambda c: give(c, member, "points", 1),
        lambda c: identity.lock(c, member),
        lambda c: erasing.ask(c, RULES, member, by=BY, note="", now=LATER),
        lambda c: tags.put(c, member, "x", source="staff", by=BY, now=LATER) and identity.lock(c, member),
    ):
        with pytest.raises(MemberError) as refused, books.transaction() as connection:
            deed(connection)
        assert refused.value.code == "member_erased"
    with books.reading() as connection:
        log = table(AuditLog)
        trail = connection.scalars(select(log.c.action).where(log.c.member_id == member).order_by(log.c.id)).all()
        assert trail == ["member.erase_asked", "member.erase"]


def test_a_rich_member_leaves_nothing_personal(books: Database) -> None:
    with books.transaction() as connection:
        member = rich(connection)
        connection.execute(update(members).where(members.c.id == member).values(birthday=date(1990, 5, 3)))
        give(connection, member, "principal", -5000)
        forget(connection, member)
        said = table(Outbox)
        told = connection.execute(select(said).where(said.c.member_id == member)).all()
        assert all(not row.content and row.openid is None and row.state not in ("pending",) for row in told)
        found = exporting.gather(connection, VAULT, member, LATER)
    assert (found["tags"], found["children"], found["profile"]["birthday"]) == ([], [], None)
    assert {one["value"][:7] for one in found["identities"]} <= {"", "erased:"}
    assert [one["reason"] for one in found["coupons"]] == [""] * 3


def test_a_refund_after_erasure_goes_to_the_till(till: Till) -> None:
    member = till.member("13800138000")
    till.issue(member, "cash")
    code = till.issue(member, "off")
    taken = till.sell(member, 20000, discount=2000, coupons=[code])
    with till.transaction() as connection:
        wish = erasing.ask(connection, till.rules, member, by=BY, note="", now=till.now)
        forgetting.forget(connection, wish.id, member, by=BY, now=till.now)
    back = till.refund(taken.order_no)
    assert (back.cash_back, back.principal_back, back.points_taken) == (20000, 0, 0)
    with till.transaction() as connection:
        states = connection.scalars(select(table(Coupon).c.state)).all()
        assert coupons.count_usable(connection, member, till.now) == 0, states
        assert owned(connection, member) == {}
    till.sound()
