"""Four eyes: asked once, decided once by who may, carried out once, or not at all."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import select

from members import approvals, shops, staffing
from members.deeds import Wanted
from members.serving import Served
from members.tables import Approval, StaffDeed, table
from tests.members.desk_books import NOW, Books, at_once, opened

rows, staff_deeds = table(Approval), table(StaffDeed)
HOUR = timedelta(hours=1)


@pytest.fixture
def books(books_url: str) -> Iterator[Books]:
    """A counter; afterwards its sums must hold."""
    with opened(books_url) as found:
        yield found


def asked(books: Books, yuan: int = 800) -> int:
    """A top-up that waits; its number."""
    return int(books.ask(books.topup(yuan), Wanted("topup", books.member, yuan * 100)).id)


def state(books: Books, number: int) -> str:
    """Where a request stands."""
    with books.database.reading() as connection:
        return str(connection.execute(select(rows.c.state).where(rows.c.id == number)).scalar_one())


def test_a_yes_does_it_as_the_asker_with_both_names(books: Books) -> None:
    number = asked(books)
    assert isinstance(books.decide(number), Served)
    assert books.owned() == (0, 80_000)
    with books.database.reading() as connection:
        deed = connection.execute(select(staff_deeds)).one()
        request = connection.execute(select(rows)).one()
    assert (deed.staff_id, deed.approved_by, deed.key) == (
        books.cashier,
        f"staff:{books.manager}",
        f"approval:{number}",
    )
    assert (request.state, request.decided_by, request.deed_id) == ("approved", books.manager, deed.id)


def test_many_yeses_at_once_do_it_once(books: Books) -> None:
    number, managers = asked(books), [books.manager, *(books.hire("manager") for _ in range(4))]
    ended = at_once([partial(books.decide, number, staff=manager) for manager in managers])
    assert Counter("done" if isinstance(one, Served) else one for one in ended)["done"] == 1
    assert books.owned() == (0, 80_000)


def test_a_yes_and_a_no_at_once_are_one_answer(books: Books) -> None:
    number, other = asked(books), books.hire("manager")
    yes, no = at_once(
        [lambda: books.decide(number), lambda: books.decide(number, staff=other, verdict="refused")]
    )  # fmt: skip
    assert isinstance(yes, Served) is (state(books, number) == "approved")
    assert (no == "approval_decided") is isinstance(yes, Served)
    assert books.owned() == (0, 80_000 if isinstance(yes, Served) else 0)


def test_who_may_not_decide(books: Books) -> None:
    number = asked(books, 601)
    assert books.decide(number, staff=books.cashier) == "approval_unknown"
    assert books.decide(number, staff=books.hire("manager", "s2")) == "approval_unknown"
    assert books.decide(number, staff=books.hire("head_office", "s2")) == "approval_unknown"
    assert books.decide(number + 1) == "approval_unknown"
    own = books.ask(books.topup(800), Wanted("topup", books.member, 80_000), staff=books.manager)
    assert own == "nobody_approves"
    boss = books.hire("head_office", None)
    own = books.ask(books.topup(800), Wanted("topup", books.member, 80_000), staff=books.manager)
    assert books.decide(own.id) == "approval_own"
    assert isinstance(books.decide(own.id, staff=boss), Served)
    assert isinstance(books.decide(number, staff=books.hire("head_office", "s1")), Served)


def test_it_runs_out(books: Books) -> None:
    number = asked(books)
    assert books.decide(number, now=NOW + HOUR) == "approval_expired"
    with books.database.transaction() as connection:
        assert approvals.expire_due(connection, NOW + HOUR - timedelta(seconds=1)) == []
        assert [one.id for one in approvals.expire_due(connection, NOW + HOUR)] == [number]
        assert approvals.expire_due(connection, NOW + HOUR) == []
    assert state(books, number) == "expired"
    assert books.decide(number) == "approval_expired"
    assert books.owned() == (0, 0)


def test_what_cannot_be_done_stays_asked(books: Books) -> None:
    numbers = [asked(books, 700), asked(books, 700)]
    assert isinstance(books.decide(numbers[0]), Served)
    assert books.decide(numbers[1]) == "staff_limit_topup"
    assert state(books, numbers[1]) == "asked"
    assert books.decide(numbers[1], verdict="refused").id == numbers[1]
    assert books.decide(numbers[1]) == "approval_decided"


def test_who_leaves_takes_what_they_asked_along(books: Books) -> None:
    number = asked(books)
    with books.database.transaction() as connection:
        shops.revoke_staff(connection, books.cashier, now=NOW)
        manager = staffing.on_duty(connection, books.manager)
        assert approvals.waiting(connection, manager, now=NOW) == []
    assert state(books, number) == "withdrawn"
    assert books.decide(number) == "approval_decided"
    assert books.owned() == (0, 0)


def test_the_list_is_what_one_may_decide(books: Books) -> None:
    numbers = [asked(books), asked(books)]
    with books.database.transaction() as connection:
        manager = staffing.on_duty(connection, books.manager)
        assert [one.id for one in approvals.waiting(connection, manager, now=NOW)] == numbers
        assert approvals.waiting(connection, manager, now=NOW + HOUR) == []
        cashier = staffing.on_duty(connection, books.cashier)
        assert approvals.waiting(connection, cashier, now=NOW) == []
