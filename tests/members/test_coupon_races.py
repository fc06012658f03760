"""Many at once want the last of something: whatever the interleaving, exactly one gets it and the sums hold."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection

from members import coupons
from tests.members.coupon_counter import NOW, RULES, SHANGHAI, Counter, opened

MANY = 6


@pytest.fixture
def counter(books_url: str) -> Iterator[Counter]:
    """A counter; afterwards its sums must hold."""
    with opened(books_url) as found:
        yield found
        found.check()


def at_once(deeds: list[Callable[[], Any]]) -> list[Any]:
    """Do all of it at the same moment, a thread each; return what came of each."""
    gate = threading.Barrier(len(deeds))

    def run(deed: Callable[[], Any]) -> Any:
        gate.wait()
        return deed()

    with ThreadPoolExecutor(len(deeds)) as pool:
        return [future.result() for future in [pool.submit(run, deed) for deed in deeds]]


def issuing(counter: Counter, template: str, key: str, member: int) -> Callable[[], str]:
    """A deed: issue; the refusal's code, or how the copy came about."""

    def deed() -> str:
        more = {"key": key, "by": "t", "reason": "", "zone": SHANGHAI, "now": NOW}
        done = counter.do(coupons.issue, template, RULES[template], member, **more)
        return done if isinstance(done, str) else "created" if done.created else "known"

    return deed


def test_the_last_of_the_stock_goes_to_one(counter: Counter) -> None:
    members = [counter.another() for _ in range(MANY)]
    got = at_once([issuing(counter, "last", f"k{member}", member) for member in members])
    assert sorted(got) == ["created"] + ["template_empty"] * (MANY - 1)


def test_the_last_of_the_budget_goes_to_so_many_as_it_pays_for(counter: Counter) -> None:
    members = [counter.another() for _ in range(MANY)]
    got = at_once([issuing(counter, "tight", f"k{member}", member) for member in members])
    assert sorted(got) == ["coupon_budget"] * (MANY - 2) + ["created"] * 2


def test_a_member_gets_one_also_by_many_ways_at_once(counter: Counter) -> None:
    got = at_once([issuing(counter, "one", f"k{number}", counter.member) for number in range(MANY)])
    assert sorted(got) == ["coupon_limit"] * (MANY - 1) + ["created"]


def test_a_day_gives_three_however_many_ask(counter: Counter) -> None:
    got = at_once([issuing(counter, "daily", f"k{number}", counter.member) for number in range(MANY)])
    assert sorted(got) == ["coupon_day"] * (MANY - 3) + ["created"] * 3


def test_one_key_makes_one_copy_also_at_once(counter: Counter) -> None:
    got = at_once([issuing(counter, "off", "same", counter.member)] * MANY)
    assert sorted(got) == ["created"] + ["known"] * (MANY - 1)
    assert (counter.template("off").issued, counter.granted("off")) == (1, 1)


def test_of_many_locks_one_holds(counter: Counter) -> None:
    code = counter.issue().code
    got = at_once([partial(counter.lock, code, f"till{number}") for number in range(MANY)])
    assert sorted(got) == ["coupon_locked"] * (MANY - 1) + ["满100减20"]


@pytest.mark.parametrize("turn", range(3))
def test_a_lock_or_a_redemption_but_not_both(counter: Counter, turn: int) -> None:
    issued = counter.issue()
    locking = [partial(counter.lock, issued.code, key) for key in ("a", "b")]
    got = at_once([*locking, *[lambda: counter.redeem(issued.code)] * 2])
    assert got.count("满100减20") == 1
    assert counter.copy(issued.id).state in ("locked", "redeemed")


def test_of_many_reversals_one_counts(counter: Counter) -> None:
    issued = counter.issue("tight")
    counter.redeem(issued.code, order=counter.order(), discount=1500)
    got = at_once([lambda: counter.reverse(issued.id)] * MANY)
    assert sorted(got) == ["coupon_not_used"] * (MANY - 1) + ["issued"]
    assert counter.template("tight").committed == 2000


@pytest.mark.parametrize("turn", range(3))
def test_redeeming_and_reversing_at_once_leaves_the_sums_true(counter: Counter, turn: int) -> None:
    issued, order = counter.issue("tight"), counter.order()
    counter.issue("tight", "k2")
    deeds: list[Callable[[], Any]] = [
        lambda: counter.redeem(issued.code, order=order, discount=700), lambda: counter.reverse(issued.id),
    ]  # fmt: skip
    got = at_once(deeds * 3)
    redeemed, back = got.count("预算券"), got.count("issued")
    assert redeemed - back == (counter.copy(issued.id).state == "redeemed")
    assert redeemed >= 1


@pytest.mark.parametrize("turn", range(3))
def test_void_or_redeemed_but_not_both(counter: Counter, turn: int) -> None:
    issued = counter.issue("tight")
    got = at_once([lambda: counter.void(issued.id), lambda: counter.redeem(issued.code)] * 2)
    assert sorted(map(str, got)) in (
        ["False", "False", "coupon_used", "预算券"], ["False", "True", "coupon_void", "coupon_void"]
    )  # fmt: skip


def test_expiry_leaves_alone_what_is_redeemed_at_that_moment(counter: Counter) -> None:
    issued = counter.issue("tight")
    counter.lock(issued.code, now=issued.expires_at - (issued.expires_at - NOW) / 1000, seconds=80_000)
    late = issued.expires_at
    got = at_once([
        lambda: counter.redeem(issued.code, late, lock_key="till"), lambda: counter.do(coupons.expire_due, late),
        lambda: counter.do(coupons.expire_due, late),
    ])  # fmt: skip
    assert got[0] == "预算券" and counter.copy(issued.id).state == "redeemed"


def waiting(counter: Counter) -> bool:
    """Tell whether somebody waits for a row on PostgreSQL; on SQLite whoever writes second waits at its start."""
    if counter.database.sqlite:
        return False
    with counter.database.reading() as connection:
        blocked = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(connection.exec_driver_sql(blocked).scalar_one())


def overtaken(counter: Counter, first: Callable[[Connection], Any], second: Callable[[], Any]) -> Any:
    """Do `second` while `first` is done and not committed yet; return what came of `second`.

    On PostgreSQL it has read the books before the commit and waits to write, so what it read is old by then.
    """
    with ThreadPoolExecutor(1) as pool:
        with counter.database.transaction() as connection:
            first(connection)
            late = pool.submit(second)
            for _ in range(500):
                if waiting(counter) or late.done():
                    break
                time.sleep(0.002)
        return late.result()


LATE = NOW + timedelta(days=15)
TILL: dict[str, Any] = {"by": "t", "store": None, "now": NOW}
PAIRS = [
    ("redeem", "redeem", "coupon_used"), ("redeem", "void", False), ("redeem", "lock", "coupon_used"),
    ("redeem", "claim", "transfer_gone"), ("redeem", "expire", 0), ("void", "redeem", "coupon_void"),
    ("void", "void", False), ("void", "lock", "coupon_void"), ("void", "claim", "transfer_gone"),
    ("lock", "redeem", "coupon_locked"), ("lock", "void", False), ("lock", "lock", "done"),
    ("lock", "claim", "transfer_gone"), ("claim", "redeem", "coupon_unknown"), ("claim", "claim", "transfer_gone"),
    ("claim", "void", True), ("reverse", "reverse", "coupon_not_used"), ("expire", "redeem", "coupon_expired"),
    ("expire", "lock", "coupon_expired"), ("expire", "claim", "transfer_gone"),
]  # fmt: skip


@pytest.mark.parametrize(("first", "second", "wanted"), PAIRS)
def test_whoever_read_before_somebody_else_wrote_learns_what_happened(
    counter: Counter, first: str, second: str, wanted: object
) -> None:
    issued, friend, vault = counter.issue("mine"), counter.another(), counter.vault
    word = counter.do(coupons.offer_transfer, vault, counter.member, issued.code, now=NOW)
    if first == "reverse":
        counter.redeem(issued.code)
    deeds: dict[str, Callable[[Connection], Any]] = {
        "redeem": lambda at: coupons.redeem(at, issued.code, **TILL),
        "lock": lambda at: coupons.lock(at, issued.code, lock_key="a", seconds=60, **TILL),
        "void": lambda at: coupons.void(at, issued.id, by="t", now=NOW, give_back=True),
        "reverse": lambda at: coupons.reverse(at, issued.id, by="t", now=NOW),
        "claim": lambda at: coupons.claim_transfer(at, vault, friend, word, now=NOW),
        "expire": lambda at: coupons.expire_due(at, LATE),
    }
    got = overtaken(counter, deeds[first], lambda: counter.do(deeds[second]))
    assert (got if isinstance(got, str | int) else "done") == wanted


def test_what_a_copy_may_cost_is_not_taken_from_what_was_read_before(counter: Counter) -> None:
    """Meanwhile it is redeemed, the budget goes to others, and it comes back with less of it."""
    issued, first, second = counter.issue("tight"), counter.order("n1"), counter.order("n2")

    def back_with_less(at: Connection) -> None:
        coupons.redeem(at, issued.code, order=first, discount=500, **TILL)
        for key in ("a", "b"):
            more = {"key": key, "by": "t", "reason": "", "zone": SHANGHAI, "now": NOW}
            coupons.issue(at, "tight", RULES["tight"], counter.member, **more)
        coupons.reverse(at, issued.id, by="t", now=NOW)

    assert overtaken(counter, back_with_less, lambda: counter.redeem(issued.code, order=second, discount=1)) == "预算券"
    assert counter.template("tight").committed == 4001
