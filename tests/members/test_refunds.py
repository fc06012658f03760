"""Money that goes back: never more than was paid, exactly what was earned, and everything else with it."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from threading import Barrier
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from members import coupons, lapsing, ledger, orders, points, segments
from members.db import Database
from members.errors import MemberError
from members.refunds import NewRefund, RefundLine
from members.returns import Piece, parts, pieces
from members.segments import SegmentRule
from members.tables import Coupon, CouponTemplate, Refund, table
from recommend import features
from recommend.rules import RecommendRules
from tests.members.till import DAY, NOW, TILL, Till, line, rules_with

money = st.integers(1, 10**6)


@pytest.fixture
def database(books_url: str) -> Iterator[Database]:
    found = Database(books_url)
    yield found
    found.dispose()


@pytest.fixture
def till(database: Database) -> Till:
    return Till(database)


def refusal(deed: Callable[[], object]) -> str:
    """The code a deed is refused with."""
    with pytest.raises(MemberError) as refused:
        deed()
    return refused.value.code


def coupon(till: Till, code: str) -> Any:
    """A coupon in the books."""
    with till.database.reading() as connection:
        return connection.execute(select(table(Coupon)).where(table(Coupon).c.code == code)).one()


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
            assert refusal(lambda amount=amount: till.refund(taken.order_no, amount)) == "refund_too_much"  # type: ignore[misc]
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
        assert refusal(lambda a=amount, o=other: till.refund(taken.order_no, a, o, no="R1")) == "refund_conflict"  # type: ignore[misc]
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
    class Row:
        line_no, sku, refunded_quantity, refunded_amount = 1, "a", 0, 0

    row = Row()
    row.quantity, row.amount = quantity, amount  # type: ignore[attr-defined]

    def back(many: int) -> list[Piece]:
        return pieces([row], NewRefund("", "o", "r", None, [RefundLine("a", many)], NOW))  # type: ignore[list-item]

    for step in [*steps, quantity]:
        many = min(step, quantity - row.refunded_quantity)
        for piece in back(many):
            row.refunded_quantity += piece.pieces
            row.refunded_amount += piece.amount
        assert row.refunded_amount == amount * row.refunded_quantity // quantity
    assert (row.refunded_quantity, row.refunded_amount) == (quantity, amount)


def test_earn_refund_keep(database: Database) -> None:
    """Known failure of the field: buy, earn, spend the points, give the goods back, keep what the points brought."""
    for policy, kept in (
        ("only_pending", {}), ("down_to_zero", {}), ("may_go_negative", {"owed": -80}),
    ):  # fmt: skip
        till = Till(database, rules_with(earn={"refunds": policy}))
        member = till.member()
        taken = till.sell(member, 10_000)
        with till.transaction() as connection:
            points.spend(connection, member, 80, key=f"spend:{member}", by=TILL, reason="兑换", now=NOW)
        back = till.refund(taken.order_no)
        assert (back.points_due, back.points_taken) == (100, 100 if policy == "may_go_negative" else 20)
        assert till.owned(member) == kept
        again = till.sell(member, 10_000)
        assert again.points == 100
        assert till.owned(member) == {"points": 100 + sum(kept.values())}
        till.sound()


def test_refund_after_expiry(till: Till) -> None:
    """Known failure of the field: what has run out was lost already, and other points do not pay for it."""
    member = till.member()
    old = till.sell(member, 10_000)
    till.now += 2 * 365 * DAY
    fresh = till.sell(member, 5000)
    till.now += 30 * DAY
    with till.transaction() as connection:
        ledger.expire_points(connection, till.now)
    assert till.owned(member) == {"points": 50}
    back = till.refund(old.order_no)
    assert (back.points_due, back.points_taken, till.owned(member)) == (100, 0, {"points": 50})
    assert till.refund(fresh.order_no).points_taken == 50
    till.sound()


def test_double_refund(till: Till) -> None:
    """Known failure of the field: the second full refund finds nothing left."""
    taken = till.sell(till.member(), 10_000)
    assert till.refund(taken.order_no).left == 0
    assert refusal(lambda: till.refund(taken.order_no)) == "refund_too_much"
    assert refusal(lambda: till.refund(taken.order_no, 1)) == "refund_too_much"


def test_coupon_not_returned_on_refund(till: Till) -> None:
    """Known failure of the field: whoever gives everything back gets the coupon back; a part of it brings none."""
    member = till.member()
    code = till.issue(member, "off")
    taken = till.sell(member, 8000, [line("a", 7000), line("b", 3000)], discount=2000, coupons=[code])
    assert [(used.title, used.discount) for used in taken.coupons] == [("满100减20", 2000)]
    assert (coupon(till, code).state, coupon(till, code).order_id) == ("redeemed", taken.order)
    assert till.take(replace(till.order(member, 1), order_no="y")).created
    part = till.refund(taken.order_no, None, [RefundLine("b", 1)])
    assert (part.amount, part.coupons_back, coupon(till, code).state) == (2400, (), "redeemed")
    whole = till.refund(taken.order_no, no="last")
    assert (whole.coupons_back, coupon(till, code).state) == ([("满100减20", "issued")], "issued")
    assert till.refund(taken.order_no, no="last").coupons_back == [("满100减20", "issued")]
    other = till.sell(member, 8000, [line("a", 10_000)], discount=2000, coupons=[code])
    till.now += 20 * DAY
    assert till.refund(other.order_no).coupons_back == [("满100减20", "expired")]
    till.sound()


def test_coupons_of_an_order_are_legal_together_or_none_is_used(till: Till) -> None:
    member, friend = till.member(), till.member()
    off, again, cash, double = (till.issue(member, kind) for kind in ("off", "off", "cash", "double"))
    milk, soup = till.issue(member, "milk"), till.issue(friend, "soup")
    goods = [line("a", 9000), line("m", 2000, 3, category="牛奶")]

    def sell(*codes: str, discount: int = 2000, buyer: int | None = member, **more: Any) -> Any:
        return till.sell(buyer, 11_000 - discount, goods, discount=discount, coupons=list(codes), **more)

    assert refusal(lambda: sell(off, again)) == "coupon_stack"
    assert refusal(lambda: sell(off, soup)) == "coupon_not_theirs"
    assert refusal(lambda: sell(off, discount=0)) == "order_discount_missing"
    assert refusal(lambda: sell("7" * 12)) in ("coupon_unknown", "coupon_mistyped")
    assert refusal(lambda: till.sell(member, 8000, discount=1000, coupons=[off])) == "coupon_threshold"
    assert refusal(lambda: till.sell(member, 8000, [line("a", 9000)], discount=1000, coupons=[milk])) == "coupon_scope"
    assert {coupon(till, code).state for code in (off, again, cash, double, milk, soup)} == {"issued"}
    taken = sell(off, cash, double, discount=2400)
    assert sorted(used.discount for used in taken.coupons) == [0, 480, 1920]
    assert taken.points == 86 * 2
    assert refusal(lambda: sell(cash)) == "coupon_used"
    by_stranger = sell(soup, buyer=None, discount=0)
    assert [used.member for used in by_stranger.coupons] == [friend]
    till.sound()


def test_one_coupon_on_two_orders_at_once_is_used_once(till: Till) -> None:
    member, hands = till.member(), 6
    code = till.issue(member, "off")
    said = [till.order(None, 8000, discount=2000, coupons=[code]) for _ in range(hands)]
    together = Barrier(hands)

    def ring_up(place: int) -> str:
        together.wait()
        try:
            till.take(said[place])
        except MemberError as refused:
            return refused.code
        return "taken"

    with ThreadPoolExecutor(hands) as pool:
        assert sorted(pool.map(ring_up, range(hands))) == ["coupon_used"] * (hands - 1) + ["taken"]
    till.sound()


def test_a_coupon_the_till_has_locked_opens_with_its_key_also_after_midnight(till: Till) -> None:
    member = till.member()
    code = till.issue(member, "off")
    till.now = coupon(till, code).expires_at - timedelta(minutes=1)
    with till.transaction() as connection:
        coupons.lock(connection, code, lock_key="k", seconds=600, by="till", store="s1", now=till.now)
    till.now += timedelta(minutes=2)
    assert refusal(lambda: till.sell(member, 8000, discount=2000, coupons=[code])) == "coupon_locked"
    assert till.sell(member, 8000, discount=2000, coupons=[code], lock_key="k").coupons[0].discount == 2000


def test_gifts_and_tier_that_rested_on_the_money_go_with_it(database: Database) -> None:
    till = Till(database, rules_with(gifts={"on_purchase": {"points": 50, "coupon": "soup", "over": 100}}))
    member = till.member()
    taken = till.sell(member, 100_000)
    assert taken.tier is not None and till.tier(member) == "金卡"
    assert till.owned(member) == {"points": 1050}
    part = till.refund(taken.order_no, 50_000)
    assert part.gifts_taken == () or part.gifts_taken == []
    assert part.tier is not None and part.tier.after == "普卡"
    low = till.refund(taken.order_no, 45_000)
    assert len(low.gifts_taken) == 1
    assert till.owned(member) == {"points": 50}
    till.refund(taken.order_no)
    assert till.owned(member) == {}
    with till.database.reading() as connection:
        assert connection.execute(select(table(Coupon).c.state)).scalars().all() == ["void"]
        issued = select(table(CouponTemplate).c.issued).where(table(CouponTemplate).c.code == "soup")
        assert connection.execute(issued).scalar_one() == 0
    till.sound()


def test_a_void_sale_leaves_nothing_behind_whatever_the_policy(database: Database) -> None:
    till = Till(database, rules_with(earn={"refunds": "only_pending"}, gifts={"on_purchase": {"points": 5}}))
    member = till.member(principal=10_000)
    code, before = till.issue(member, "cash"), till.owned(member)
    taken = till.sell(member, 9500, discount=500, coupons=[code], pay_balance=9000)
    with till.transaction() as connection:
        points.spend(connection, member, 100, key="gone", by=TILL, reason="兑换", now=NOW)
    done = till.void(taken.order)
    assert (done.amount, done.cash_back, done.points_due, done.left) == (9500, 500, 95, 0)
    assert till.owned(member) == before and coupon(till, code).state == "issued"
    assert not till.void(taken.order).created
    assert refusal(lambda: till.void(999)) == "order_unknown"
    till.sound()


def test_a_sale_that_cost_nothing_gives_its_coupon_back(till: Till) -> None:
    member = till.member()
    code = till.issue(member, "cash")
    taken = till.sell(member, 0, [line("a", 500)], discount=500, coupons=[code])
    done = till.refund(taken.order_no)
    assert (done.created, done.amount, done.refund, done.coupons_back) == (True, 0, 0, [("5元券", "issued")])
    assert (coupon(till, code).state, till.row(taken.order).state) == ("issued", "refunded")
    assert not till.refund(taken.order_no).created
    till.sound()


def test_goods_are_exchanged_in_one_transaction(till: Till) -> None:
    member = till.member()
    taken = till.sell(member, 10_000, [line("a", 10_000)])
    returned = NewRefund("s1", taken.order_no, "X1", None, [RefundLine("a", 1)], till.now)
    bought = till.order(member, 15_000, [line("b", 15_000)])
    done = till.exchange(returned, bought)
    assert (done.to_pay, done.refunded.amount, done.taken.points) == (5000, 10_000, 150)
    assert till.owned(member) == {"points": 150}
    again = till.exchange(returned, bought)
    assert (again.refunded.created, again.taken.created, again.to_pay) == (False, False, 5000)
    dearer = till.order(member, 99, pay_balance=99)
    rest = NewRefund("s1", bought.order_no, "X2", 1000, (), till.now)
    assert refusal(lambda: till.exchange(rest, dearer)) == "insufficient"
    assert till.row(done.taken.order).refunded == 0


def test_what_came_back_was_not_bought(till: Till) -> None:
    member = till.member()
    goods = [line("milk", 4000, 4, category="牛奶"), line("egg", 3000, category="蛋"), line("tea", 3000, category="茶")]
    taken = till.sell(member, 10_000, goods)
    till.refund(taken.order_no, None, [RefundLine("milk", 3), RefundLine("egg", 1)])
    later, today = till.now + timedelta(hours=1), date(2026, 3, 2)
    with till.database.reading() as connection:
        assert orders.spent(connection, member, since=today - DAY, until=today) == 4000
        receipt = orders.last(connection, member)
        assert receipt is not None and (receipt.total, receipt.lines) == (4000, [("milk", 1, 1000), ("tea", 1, 3000)])
        zone, rules = till.rules.shop.zone, RecommendRules()
        ((_, bought),) = features.read(connection, [member], now=later, zone=zone, rules=rules)
        assert {item: (p[0].quantity, p[0].amount) for item, p in bought.items()} == {
            "牛奶": (1, 1000),
            "茶": (1, 3000),
        }

        def of(rule: dict[str, Any]) -> list[int]:
            return segments.members_of(connection, SegmentRule.model_validate(rule), later, zone)

        assert of({"spend": {"at_least": 40}}) == [member] and of({"spend": {"at_least": 41}}) == []
        assert of({"bought": {"category": "牛奶"}}) == [member] and of({"bought": {"category": "蛋"}}) == []
        since = till.now - DAY
        kept = [lapsing.bought(connection, member, category, since=since, until=later) for category in ("牛奶", "蛋")]
        assert kept == [True, False]
