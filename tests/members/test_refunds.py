"""Money that goes back: never more than was paid, exactly what was earned, and everything else with it."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import pairwise
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from members.db import Database
from members.errors import MemberError
from members.refunds import NewRefund, RefundLine
from members.returns import Piece, parts, pieces
from members.tables import Refund
from tests.members.till import NOW, Till, line, refusal, rules_with

money = st.integers(1, 10**6)


@given(
    total=money, shares=st.tuples(st.integers(0, 100), st.integers(0, 100)), earned=st.integers(0, 10**6),
    cuts=st.lists(st.integers(0, 10**6), max_size=12),
)  # fmt: skip
def test_any_sequence_of_partial_refunds_gives_back_exactly_what_was_paid_and_earned(
    total: int, shares: tuple[int, int], earned: int, cuts: list[int]
) -> None:
    principal = total * shares[0] // 200
    gift = total * shares[1] // 200
    steps = sorted({0, total, *(cut % (total + 1) for cut in cuts)})
    before, sums = parts(total, principal, gift, earned, 0), [0, 0, 0, 0]
    assert before == (0, 0, 0, 0)
    for refunded in steps[1:]:
        after = parts(total, principal, gift, earned, refunded)
        moved = [now - then for now, then in zip(after, before, strict=True)]
        assert min(moved) >= 0 and sum(moved[:3]) == sum(after[:3]) - sum(before[:3])
        assert sum(after[:3]) == refunded
        sums, before = [s + m for s, m in zip(sums, moved, strict=True)], after
    assert sums == [total - principal - gift, principal, gift, earned]


def test_of_every_small_order_every_part_rises_with_each_fen_that_goes_back() -> None:
    cases = [(t, p, g, e) for t in range(1, 13) for p in range(t + 1) for g in range(t + 1 - p) for e in (0, 1, 7, 13)]
    for total, principal, gift, earned in cases:
        steps = [parts(total, principal, gift, earned, refunded) for refunded in range(total + 1)]
        assert steps[0] == (0, 0, 0, 0) and steps[-1] == (total - principal - gift, principal, gift, earned)
        for before, after in pairwise(steps):
            assert all(now >= then for now, then in zip(after, before, strict=True)), (total, principal, gift)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    total=st.integers(1, 30_000), paid=st.integers(0, 100), pending=st.booleans(),
    wanted=st.lists(st.integers(1, 20_000), max_size=6),
)  # fmt: skip
def test_the_books_end_where_they_began_however_the_money_goes_back(
    database: Database, total: int, paid: int, pending: bool, wanted: list[int]
) -> None:
    till = Till(database, rules_with(earn={"points_per_yuan": 3, "pending_days": 7 if pending else 0}))
    member = till.member(principal=30_000)
    before = till.owned(member)
    taken = till.sell(member, total, pay_balance=total * paid // 100)
    left, steps, done = total, [], []
    for amount in wanted:
        if amount > left:
            assert refusal(partial(till.refund, taken.order_no, amount)) == "refund_too_much"
            continue
        done.append(till.refund(taken.order_no, amount))
        left -= amount
        steps.append(amount)
        found, due = till.row(taken.order), (taken.points + taken.pending) * left // total
        assert (found.refunded, found.state) == (total - left, "part_refunded" if left else "refunded")
        owned = till.owned(member)
        assert owned.get("points", 0) + owned.get("pending", 0) == due
    if left:
        done.append(till.refund(taken.order_no))
    assert till.owned(member) == before
    assert sum(one.amount for one in done) == total
    assert sum(one.principal_back for one in done) == taken.principal
    assert sum(one.gift_back for one in done) == taken.gift
    assert sum(one.points_due for one in done) == sum(one.points_taken for one in done) == taken.points + taken.pending
    assert all(one.amount == one.cash_back + one.principal_back + one.gift_back for one in done)
    assert [row.amount for row in till.refunds(taken.order)] == [one.amount for one in done]
    till.sound()


def test_a_refund_gives_back_where_the_money_came_from(till: Till) -> None:
    member = till.member(principal=10_000)
    taken = till.sell(member, 10_000, pay_balance=6000)
    assert (taken.principal, taken.gift, till.owned(member)) == (
        5000, 1000, {"points": 100, "principal": 5000, "gift": 1000},
    )  # fmt: skip
    back = till.refund(taken.order_no, 2500)
    assert (back.cash_back, back.principal_back, back.gift_back) == (1000, 1250, 250)
    assert (back.points_due, back.points_taken, back.left, back.member) == (25, 25, 7500, member)
    assert till.owned(member) == {"points": 75, "principal": 6250, "gift": 1250}
    (deed,) = till.deeds("order.refund")
    assert (deed.member_id, deed.before, deed.after) == (member, {"refunded": 0}, {"refunded": 2500})
    till.sound()


def test_the_same_refund_again_is_the_stored_one_and_another_under_its_number_is_refused(till: Till) -> None:
    member = till.member(principal=10_000)
    taken = till.sell(member, 10_000, [line("a", 6000, 2), line("b", 4000)], pay_balance=1000)
    lines = [RefundLine("a", 1, 3000)]
    first = till.refund(taken.order_no, 3000, lines, no="R1")
    again = till.refund(taken.order_no, 3000, lines, no="R1")
    assert first.created and again == replace(first, created=False, coupons_back=[], gifts_taken=[])
    for amount, other in ((3001, []), (None, []), (None, [RefundLine("a", 1)]), (3000, [RefundLine("b", 1, 3000)])):
        assert refusal(partial(till.refund, taken.order_no, amount, other, no="R1")) == "refund_conflict"
    assert till.owned(member)["points"] == 70
    assert till.count(Refund) == 1


def test_two_refunds_at_once_that_exceed_the_total_give_back_one(till: Till) -> None:
    member, hands = till.member(principal=10_000), 6
    for buyer in (member, None):
        taken = till.sell(buyer, 10_000, pay_balance=5000 if buyer else 0)
        together = Barrier(hands)

        def give(_: int, number: str = taken.order_no, together: Barrier = together) -> str:
            together.wait()
            try:
                till.refund(number, 6000)
            except MemberError as refused:
                return refused.code
            return "given"

        with ThreadPoolExecutor(hands) as pool:
            assert sorted(pool.map(give, range(hands))) == ["given"] + ["refund_too_much"] * (hands - 1)
        assert till.row(taken.order).refunded == 6000
    assert till.owned(member) == {"points": 40, "principal": 5834 + 2500, "gift": 1166 + 500}
    till.sound()


def test_the_same_refund_twice_at_once_is_made_once(till: Till) -> None:
    member, hands = till.member(), 6
    for buyer in (member, None):
        taken = till.sell(buyer, 10_000)
        together = Barrier(hands)

        def give(_: int, number: str = taken.order_no, together: Barrier = together) -> tuple[int, bool]:
            together.wait()
            done = till.refund(number, no="once")
            return done.refund, done.created

        with ThreadPoolExecutor(hands) as pool:
            found = list(pool.map(give, range(hands)))
        assert len({number for number, _ in found}) == 1 and sum(created for _, created in found) == 1
    assert till.owned(member) == {}
    till.sound()


def test_a_sale_and_refunds_of_one_member_at_once_lose_nothing(till: Till) -> None:
    member = till.member(principal=30_000)
    taken = [till.sell(member, 3000, pay_balance=3000) for _ in range(4)]
    together = Barrier(8)

    def act(place: int) -> None:
        together.wait()
        if place % 2:
            till.refund(taken[place // 2].order_no)
        else:
            till.sell(member, 1000, pay_balance=1000)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(act, range(8)))
    owned = till.owned(member)
    assert (owned["points"], owned["principal"] + owned["gift"]) == (40, 30_000 + 2000 - 4000)
    till.sound()


@pytest.mark.parametrize(
    ("amount", "lines", "code"),
    [
        (0, [], "refund_too_much"),
        (-1, [], "amount_range"),
        (10_001, [], "refund_too_much"),
        (10**11, [], "amount_range"),
        (None, [RefundLine("c", 1, 100)], "refund_line"),
        (None, [RefundLine("a", 3, 100)], "refund_line"),
        (None, [RefundLine("a", -1, 100)], "refund_line"),
        (None, [RefundLine("a", 1, -100)], "amount_range"),
        (None, [RefundLine("a", 1, 6001)], "refund_line"),
        (None, [RefundLine("a", 1, 100), RefundLine("a", 1, 100)], "refund_line"),
        (200, [RefundLine("a", 1, 100)], "refund_sum"),
        (None, [RefundLine("a", 0, 0)], "refund_too_much"),
    ],
)
def test_what_can_not_be_given_back_is_refused_and_nothing_moves(
    till: Till, amount: int | None, lines: Sequence[RefundLine], code: str
) -> None:
    member = till.member()
    taken = till.sell(member, 10_000, [line("a", 6000, 2), line("b", 4000)])
    assert refusal(lambda: till.refund(taken.order_no, amount, lines)) == code
    assert (till.row(taken.order).refunded, till.count(Refund), till.owned(member)) == (0, 0, {"points": 100})
    assert [row.refunded_quantity for row in till.lines(taken.order)] == [0, 0]
    assert refusal(lambda: till.refund("nobody's", 100)) == "order_unknown"
    assert refusal(lambda: till.refund(taken.order_no, 100, no=" ")) == "order_no"


def test_lines_that_come_back_are_counted_piece_by_piece(till: Till) -> None:
    goods = [line("a", 1000, 3), line("b", 500), line("a", 700, 2)]
    taken = till.sell(till.member(), 2200, goods)
    first = till.refund(taken.order_no, None, [RefundLine("a", 2)])
    assert first.amount == 1700 * 2 // 5
    second = till.refund(taken.order_no, 900, [RefundLine("a", 2, 800), RefundLine("b", 1, 100)])
    assert (second.amount, second.left) == (900, 2200 - 680 - 900)
    assert [(r.refunded_quantity, r.refunded_amount) for r in till.lines(taken.order)] == [
        (3, 1000),
        (1, 100),
        (1, 480),
    ]
    third = till.refund(taken.order_no, None, [RefundLine("a", 1)])
    assert (third.amount, third.left) == (220, 400)
    assert refusal(lambda: till.refund(taken.order_no, None, [RefundLine("a", 1)])) == "refund_line"
    till.refund(taken.order_no)
    assert [(r.refunded_quantity, r.refunded_amount) for r in till.lines(taken.order)] == [
        (3, 1000),
        (1, 500),
        (2, 700),
    ]
    till.sound()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(0, 5000), st.lists(st.integers(1, 5), max_size=12))
def test_pieces_that_come_back_one_way_or_another_bring_the_same_money(
    quantity: int, amount: int, steps: list[int]
) -> None:
    row: Any = SimpleNamespace(
        line_no=1, sku="a", quantity=quantity, amount=amount, refunded_quantity=0, refunded_amount=0
    )

    def back(many: int) -> list[Piece]:
        return pieces([row], NewRefund("", "o", "r", None, [RefundLine("a", many)], NOW))

    for step in [*steps, quantity]:
        many = min(step, quantity - row.refunded_quantity)
        for piece in back(many):
            row.refunded_quantity += piece.pieces
            row.refunded_amount += piece.amount
        assert row.refunded_amount == amount * row.refunded_quantity // quantity
    assert (row.refunded_quantity, row.refunded_amount) == (quantity, amount)


def test_double_refund(till: Till) -> None:
    """Known failure of the field: the second full refund finds nothing left."""
    taken = till.sell(till.member(), 10_000)
    assert till.refund(taken.order_no).left == 0
    assert refusal(lambda: till.refund(taken.order_no)) == "refund_too_much"
    assert refusal(lambda: till.refund(taken.order_no, 1)) == "refund_too_much"
