"""Who is who: binding, unbinding, changing the phone, also when two do it at once."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from members import identity
from members.db import Database
from members.errors import MemberError
from members.tables import Identity, Member, Order, table
from members.vault import Vault, generate_key

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
APP = "wx-test"
PHONE, OTHER, THIRD = "+8613800138000", "+8613900139000", "+8613700137000"
members, identities, orders = table(Member), table(Identity), table(Order)


@dataclass
class Books:
    """Books and a vault."""

    database: Database
    vault: Vault

    def bind(self, openid: str, phone: str = PHONE, most: int = 3) -> tuple[int, bool]:
        """Bind, trying again as the dispatcher does when somebody was faster."""
        for _ in range(3):
            try:
                with self.database.transaction() as connection:
                    return identity.bind(
                        connection,
                        self.vault,
                        openid=openid,
                        app=APP,
                        phone=phone,
                        tier="普卡",
                        most_openids=most,
                        now=NOW,
                    )
            except IntegrityError:
                continue
        raise AssertionError("never came through")

    def change(self, member: int, phone: str) -> str:
        """Change the phone; return '' or the refusal."""
        for _ in range(3):
            try:
                with self.database.transaction() as connection:
                    identity.change_phone(connection, self.vault, member, phone, by="test", now=NOW)
                    return ""
            except IntegrityError:
                continue
            except MemberError as refusal:
                return refusal.code
        raise AssertionError("never came through")

    def unbind(self, openid: str) -> bool:
        """Unbind."""
        with self.database.transaction() as connection:
            return identity.unbind(connection, openid=openid, app=APP, by="test", now=NOW)

    def ask(self, question: Callable[..., Any], *given: Any, **more: Any) -> Any:
        """Ask something of the books."""
        with self.database.reading() as connection:
            return question(connection, *given, **more)

    def phone(self, member: int) -> str | None:
        """Return a member's phone."""
        found: str | None = self.ask(identity.phone_of, self.vault, member)
        return found

    def order(self, buyer: str, number: str) -> None:
        """Put an order of an unknown buyer in the books."""
        row = {"order_no": number, "buyer": self.vault.blind_index("phone", buyer), "at": NOW, "day": date(2026, 3, 2)}
        row |= {"total": 1000, "discount": 0, "state": "paid", "source": "test"}
        with self.database.transaction() as connection:
            connection.execute(insert(orders), row)

    def owner(self, number: str) -> int | None:
        """Return whose order it is."""
        with self.database.reading() as connection:
            found: int | None = connection.execute(
                select(orders.c.member_id).where(orders.c.order_no == number)
            ).scalar_one()
        return found


@pytest.fixture
def books(books_url: str) -> Iterator[Books]:
    """Empty books."""
    database = Database(books_url)
    yield Books(database, Vault({"k1": generate_key()}))
    database.dispose()


def test_binding_makes_a_member_once_and_takes_over_after_that(books: Books) -> None:
    member, known = books.bind("o-a")
    assert not known
    assert books.bind("o-b") == (member, True)
    assert books.bind("o-a") == (member, True), "binding again changes nothing"
    assert books.ask(identity.openids_of, member, APP) == ["o-a", "o-b"]
    assert books.phone(member) == PHONE
    card = books.ask(identity.card_of, member)
    assert len(card) == 16
    assert identity.luhn(card[:-1]) == card[-1]


def test_an_openid_speaks_for_one_member(books: Books) -> None:
    books.bind("o-a")
    books.bind("o-b", OTHER)
    with pytest.raises(MemberError, match="already_bound"):
        books.bind("o-a", OTHER)


def test_a_member_has_only_so_many_openids(books: Books) -> None:
    member, _ = books.bind("o-a", most=2)
    books.bind("o-b", most=2)
    with pytest.raises(MemberError, match="too_many_openids"):
        books.bind("o-c", most=2)
    assert books.unbind("o-a")
    assert books.bind("o-c", most=2) == (member, True)


def test_unbinding_ends_the_identity_and_deletes_nothing(books: Books) -> None:
    member, _ = books.bind("o-a")
    assert books.unbind("o-a")
    assert not books.unbind("o-a")
    assert books.ask(identity.find, "openid", "o-a", APP) is None
    assert books.phone(member) == PHONE
    assert books.bind("o-a") == (member, True)
    with books.database.reading() as connection:
        found = connection.execute(select(identities.c.ended_by).where(identities.c.value == "o-a")).scalars().all()
    assert sorted(found) == ["", "test"]


def test_the_phone_moves_to_a_free_one_and_the_old_one_is_free(books: Books) -> None:
    member, _ = books.bind("o-a")
    assert books.change(member, OTHER) == ""
    assert books.phone(member) == OTHER
    assert books.ask(identity.find_by_phone, books.vault, PHONE) is None
    assert books.change(member, OTHER) == "", "to one's own is no change"
    newcomer, known = books.bind("o-b", PHONE)
    assert (newcomer != member, known) == (True, False), "who gets the old number starts anew"
    assert books.change(member, PHONE) == "phone_taken"
    assert books.phone(member) == OTHER


def test_orders_of_the_unknown_buyer_are_adopted(books: Books) -> None:
    books.order(PHONE, "n1")
    books.order(OTHER, "n2")
    books.order(THIRD, "n3")
    member, _ = books.bind("o-a")
    assert [books.owner(number) for number in ("n1", "n2", "n3")] == [member, None, None]
    books.change(member, OTHER)
    assert [books.owner(number) for number in ("n1", "n2", "n3")] == [member, member, None]


def together(*deeds: Callable[[], Any]) -> list[Any]:
    """Do all at the same moment; return what came of each, refusals by their code."""
    gate = threading.Barrier(len(deeds))

    def run(deed: Callable[[], Any]) -> Any:
        gate.wait()
        try:
            return deed()
        except MemberError as refusal:
            return refusal.code

    with ThreadPoolExecutor(len(deeds)) as pool:
        return list(pool.map(run, deeds))


def test_racing_openids_with_one_new_phone_make_one_member(books: Books) -> None:
    for attempt in range(5):
        phone = f"+8613800138{attempt:03d}"
        found = together(*(partial(books.bind, f"o-{attempt}-{n}", phone) for n in range(3)))
        assert len({member for member, _ in found}) == 1
        assert len(books.ask(identity.openids_of, found[0][0], APP)) == 3


def test_racing_openids_never_exceed_the_limit(books: Books) -> None:
    member, _ = books.bind("o-first", most=2)
    found = together(*(partial(books.bind, f"o-{n}", most=2) for n in range(4)))
    assert sorted(map(str, found)) == sorted([str((member, True)), *["too_many_openids"] * 3])
    assert len(books.ask(identity.openids_of, member, APP)) == 2


def test_racing_changes_leave_one_phone(books: Books) -> None:
    member, _ = books.bind("o-a")
    assert together(lambda: books.change(member, OTHER), lambda: books.change(member, THIRD)) == ["", ""]
    active = [row for row in books.ask(identity.of_member, member) if row.kind == "phone"]
    assert len(active) == 1


def test_two_members_race_for_one_phone(books: Books) -> None:
    first, second = books.bind("o-a")[0], books.bind("o-b", OTHER)[0]
    found = together(lambda: books.change(first, THIRD), lambda: books.change(second, THIRD))
    assert sorted(found) == ["", "phone_taken"]


@given(st.from_regex(r"[0-9]{5,18}", fullmatch=True), st.integers(0, 17), st.integers(1, 9))
def test_a_card_number_with_one_wrong_digit_is_noticed(digits: str, place: int, off: int) -> None:
    whole = digits + identity.luhn(digits)
    place %= len(digits)
    wrong = whole[:place] + str((int(whole[place]) + off) % 10) + whole[place + 1 :]
    assert identity.luhn(wrong[:-1]) != wrong[-1]
