"""Friends who are brought: written down once, thanked for once, taken back with what they paid, and no tricks."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, update

from members import identity, invitations, merging, referrals
from members.audit import Actor
from members.db import Database
from members.referrals import Friend, Joined, Standing
from members.refunds import NewRefund
from members.tables import Coupon, Identity, Member, Referral, Staff, table
from tests.members.till import APP, DAY, VAULT, Till, rules_with

RULE: dict[str, Any] = {
    "earn": {"points_per_yuan": 0},
    "referral": {"inviter": {"points": 100}, "invitee": {"coupon": "soup"}, "over": 50, "per_month": 2, "per_day": 3},
}
BY = Actor("test")
copies = table(Coupon)


@pytest.fixture
def till(books_url: str) -> Iterator[Till]:
    """A till of a shop that thanks for friends."""
    database = Database(books_url)
    yield Till(database, rules_with(**RULE))
    database.dispose()


def join(till: Till, inviter: int, friend: int, *, phone: str = "", openid: str = "", known: bool = False) -> Joined:
    """A new member says who brought them."""
    with till.transaction() as connection:
        coming = Friend(friend, openid or f"o-{friend}", VAULT.blind_index("phone", f"+86{phone}"), known)
        return referrals.join(connection, till.rules, coming, inviter, by=BY, now=till.now)


def brought(till: Till) -> tuple[int, int]:
    """A member, and a friend whom they brought."""
    inviter, friend = till.member(), till.member()
    assert join(till, inviter, friend) == Joined(inviter, "joined")
    return inviter, friend


def row(till: Till, friend: int) -> tuple[str, str]:
    """State and reason of a friend's row."""
    rows = table(Referral)
    with till.database.reading() as connection:
        return tuple(connection.execute(select(rows.c.state, rows.c.reason).where(rows.c.invitee_id == friend)).one())


def standing(till: Till, member: int) -> Standing:
    """Whom a member brought."""
    with till.database.reading() as connection:
        return referrals.standing(connection, member)


def coupons_of(till: Till, member: int) -> list[str]:
    """The states of a member's coupons."""
    mine = select(copies.c.state).where(copies.c.member_id == member).order_by(copies.c.id)
    with till.database.reading() as connection:
        return list(connection.scalars(mine))


def test_a_code_is_made_once_and_read_in_any_spelling(till: Till) -> None:
    member = till.member()
    with till.transaction() as connection:
        code = invitations.code_of(connection, member, now=till.now)
        assert invitations.code_of(connection, member, now=till.now + DAY) == code
        shown = invitations.spell(code)
        assert len(code) == 10 and shown == f"{code[:5]}-{code[5:]}"
        for typed in (code, shown, shown.lower(), f"{code[:5]} {code[5:]}", code.replace("0", "o").replace("1", "l")):
            assert invitations.inviter_of(connection, typed) == member
        for typed in ("", code[:-1], code + "0", "1234567890", code[:-1] + ("0" if code[-1] != "0" else "1")):
            assert invitations.inviter_of(connection, typed) is None


def test_codes_are_random_and_never_figures_alone() -> None:
    codes = {invitations.new_code() for _ in range(500)}
    assert len(codes) == 500
    assert all(invitations.exact(code) == code and not code[:-1].isdigit() for code in codes)


def test_both_are_thanked_once_when_the_friend_has_spent_enough(till: Till) -> None:
    inviter, friend = brought(till)
    assert till.sell(friend, 49_99).gifts == []
    assert standing(till, inviter) == Standing(1, 0)
    given_now = till.sell(friend, 1).gifts
    assert [(gift.member, gift.title) for gift in given_now] == [(friend, "受邀礼"), (inviter, "邀请好友礼")]
    assert row(till, friend) == ("rewarded", "")
    assert till.sell(friend, 100_00).gifts == []
    assert (till.owned(inviter), coupons_of(till, friend)) == ({"points": 100}, ["issued"])
    assert standing(till, inviter) == Standing(1, 1)
    till.sound()


def test_one_row_for_ever(till: Till) -> None:
    inviter, friend = brought(till)
    other = till.member()
    assert join(till, other, friend) == Joined(inviter, "joined", created=False)
    assert till.count(Referral) == 1


def refuse_known(till: Till, inviter: int) -> Joined:
    return join(till, inviter, till.member(), known=True)


def refuse_phone(till: Till, inviter: int) -> Joined:
    before = till.member("13800138001")
    with till.transaction() as connection:
        identity.change_phone(connection, VAULT, before, "+8613800138002", by="test", now=till.now)
    return join(till, inviter, till.member("13800138001"), phone="13800138001")


def refuse_wechat(till: Till, inviter: int) -> Joined:
    with till.transaction() as connection:
        identity.add(connection, inviter, "openid", APP, "o-second", source="otp", now=till.now)
        identity.unbind(connection, openid="o-second", app=APP, by="test", now=till.now)
    return join(till, inviter, till.member(), openid="o-second")


def refuse_staff(till: Till, inviter: int) -> Joined:
    with till.transaction() as connection:
        identity.add(connection, inviter, "openid", APP, "o-staff", source="otp", now=till.now)
        serving = {"name": "小王", "role": "cashier", "openid": "o-staff", "active": True, "created_at": till.now}
        connection.execute(insert(table(Staff)), serving | {"created_by": "", "phone_index": ""})
    return join(till, inviter, till.member())


def refuse_circle(till: Till, inviter: int) -> Joined:
    middle = till.member()
    join(till, inviter, middle)
    last = till.member()
    join(till, middle, last)
    return join(till, last, inviter)


def refuse_burst(till: Till, inviter: int) -> Joined:
    for _ in range(3):
        join(till, inviter, till.member())
    return join(till, inviter, till.member())


@pytest.mark.parametrize(
    ("trick", "reason"),
    [
        (refuse_known, "old_member"), (refuse_phone, "came_again"), (refuse_wechat, "came_again"),
        (refuse_staff, "staff"), (refuse_circle, "mutual"), (refuse_burst, "burst"),
    ],
)  # fmt: skip
def test_a_trick_is_written_down_and_brings_nothing(till: Till, trick: Any, reason: str) -> None:
    inviter = till.member()
    refused = trick(till, inviter)
    assert (refused.state, refused.reason) == ("refused", reason)
    rows = table(Referral)
    with till.database.reading() as connection:
        friend = connection.scalars(select(rows.c.invitee_id).where(rows.c.state == "refused")).one()
    assert till.sell(friend, 500_00).gifts == []
    assert row(till, friend) == ("refused", reason)
    assert reason in referrals.reasons()


def test_ones_own_code_is_a_slip_and_stands_in_the_way_of_nobody(till: Till) -> None:
    inviter, friend = till.member(), till.member()
    assert join(till, friend, friend) == Joined(friend, "refused", "self")
    assert till.count(Referral) == 0
    [trail] = till.deeds("referral.join")
    assert trail.detail["reason"] == "self"
    assert join(till, inviter, friend).state == "joined"


def test_past_the_month_only_the_friend_is_thanked(till: Till) -> None:
    inviter = till.member()
    friends = [till.member() for _ in range(3)]
    for friend in friends:
        join(till, inviter, friend)
    assert [len(till.sell(friend, 50_00).gifts) for friend in friends] == [2, 2, 1]
    assert till.owned(inviter) == {"points": 200}


def test_what_is_given_back_takes_both_gifts_along_and_may_be_earned_again(till: Till) -> None:
    inviter, friend = brought(till)
    first = till.sell(friend, 60_00)
    till.sell(friend, 20_00)
    part = till.refund(first.order_no, 30_00)
    assert part.friends_taken == () and row(till, friend) == ("rewarded", "")
    back = till.refund(first.order_no)
    assert sorted(back.friends_taken) == [(inviter, 100, ""), (friend, 0, "例汤")]
    assert (till.owned(inviter), coupons_of(till, friend)) == ({}, ["void"])
    assert row(till, friend) == ("joined", "refunded")
    again = till.sell(friend, 30_00)
    assert len(again.gifts) == 2 and row(till, friend) == ("rewarded", "")
    assert (till.owned(inviter), coupons_of(till, friend)) == ({"points": 100}, ["void", "issued"])
    till.sound()


def test_ringing_up_and_taking_back_comes_to_an_end(till: Till) -> None:
    inviter, friend = brought(till)
    for _ in range(referrals.ROUNDS):
        sold = till.sell(friend, 60_00)
        assert len(sold.gifts) >= 1
        till.void(sold.order)
    assert till.sell(friend, 60_00).gifts == []
    assert row(till, friend) == ("refused", "refunded")
    assert till.owned(inviter) == {}


def test_what_was_spent_already_is_not_given_twice(till: Till) -> None:
    inviter, friend = brought(till)
    sold = till.sell(friend, 60_00)
    with till.database.reading() as connection:
        soup = connection.scalars(select(copies.c.code).where(copies.c.member_id == friend)).one()
    till.sell(friend, 5_00, coupons=(soup,))
    till.refund(sold.order_no)
    assert row(till, friend) == ("refused", "refunded")
    assert till.sell(friend, 500_00).gifts == []
    assert till.owned(inviter) == {}


def test_other_goods_in_the_place_of_these_leave_the_gifts(till: Till) -> None:
    inviter, friend = brought(till)
    sold = till.sell(friend, 60_00)
    done = till.exchange(NewRefund("s1", sold.order_no, "r-1", None, (), till.now), till.order(friend, 70_00))
    assert done.refunded.friends_taken == () and done.taken.gifts == []
    assert (till.owned(inviter), row(till, friend)) == ({"points": 100}, ("rewarded", ""))
    cheap = till.exchange(NewRefund("s1", done.taken.order_no, "r-2", None, (), till.now), till.order(friend, 10_00))
    assert len(cheap.refunded.friends_taken) == 2
    assert till.owned(inviter) == {}


def test_a_friend_who_turns_out_to_be_an_old_member_brings_nothing(till: Till) -> None:
    old = till.member("13800138009")
    till.now += DAY
    inviter, friend = brought(till)
    with till.transaction() as connection:
        merging.merge(connection, VAULT, till.rules, old, friend, by=BY, reason="同一人", now=till.now)
    assert till.sell(friend, 60_00).gifts == []
    assert row(till, friend) == ("refused", "old_member")
    assert till.owned(inviter) == {}


def test_whoever_the_inviter_was_merged_into_is_thanked(till: Till) -> None:
    inviter, friend = brought(till)
    kept = till.member()
    with till.transaction() as connection:
        code = invitations.code_of(connection, inviter, now=till.now)
        merging.merge(connection, VAULT, till.rules, inviter, kept, by=BY, reason="同一人", now=till.now)
        assert invitations.inviter_of(connection, code) == kept
    sold = till.sell(friend, 60_00)
    assert till.owned(kept) == {"points": 100} and standing(till, kept) == Standing(1, 1)
    till.refund(sold.order_no)
    assert till.owned(kept) == {}


def test_an_inviter_who_left_is_not_thanked(till: Till) -> None:
    inviter, friend = brought(till)
    members = table(Member)
    with till.transaction() as connection:
        connection.execute(update(members).where(members.c.id == inviter).values(state="erased"))
    assert till.sell(friend, 60_00).gifts == []
    assert row(till, friend) == ("refused", "left")


def at_once(*deeds: Any) -> list[Any]:
    """Do these at the same time."""
    gate = Barrier(len(deeds))

    def one(deed: Any) -> Any:
        gate.wait()
        return deed()

    with ThreadPoolExecutor(len(deeds)) as pool:
        return [future.result() for future in [pool.submit(one, deed) for deed in deeds]]


def test_orders_at_the_same_moment_thank_once(till: Till) -> None:
    inviter, friend = brought(till)
    done = at_once(*(lambda: till.sell(friend, 60_00) for _ in range(4)))
    assert sorted(len(taken.gifts) for taken in done) == [0, 0, 0, 2]
    assert (till.owned(inviter), coupons_of(till, friend)) == ({"points": 100}, ["issued"])
    till.sound()


def test_a_sale_a_refund_and_a_merge_do_not_wait_for_each_other_for_ever(till: Till) -> None:
    inviter, friend = brought(till)
    sold, spare = till.sell(friend, 60_00), till.member()
    reason = "同一人"

    def merge() -> None:
        with till.transaction() as connection:
            merging.merge(connection, VAULT, till.rules, spare, inviter, by=BY, reason=reason, now=till.now)

    at_once(
        lambda: till.refund(sold.order_no), lambda: till.sell(friend, 55_00), merge, lambda: till.sell(inviter, 1_00)
    )
    assert row(till, friend)[0] == "rewarded"
    assert till.owned(inviter) == {"points": 100}
    till.sound()


def test_two_who_type_each_others_code_at_once_are_not_both_friends(till: Till) -> None:
    one, other = till.member(), till.member()
    done = at_once(lambda: join(till, one, other), lambda: join(till, other, one))
    assert sorted(joined.state for joined in done) == ["joined", "refused"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=st.lists(st.tuples(st.sampled_from(["buy", "refund"]), st.integers(1, 80)), max_size=10))
@example(moves=[("buy", 50), ("refund", 1), ("buy", 1), ("refund", 1), ("buy", 1)])
def test_gifts_stand_exactly_while_the_friend_has_kept_enough(empty_books: Till, moves: list[tuple[str, int]]) -> None:
    till = empty_books
    inviter, friend = brought(till)
    till.now += DAY
    open_orders: list[tuple[str, int]] = []
    for kind, yuan in moves:
        if kind == "buy":
            open_orders.append((till.sell(friend, yuan * 100).order_no, yuan * 100))
        elif open_orders:
            number, left = open_orders.pop()
            back = min(left, yuan * 100)
            till.refund(number, back)
            open_orders += [(number, left - back)] if left > back else []
        kept = sum(left for _, left in open_orders)
        state, _ = row(till, friend)
        assert state == "refused" or (state == "rewarded") == (kept >= 50_00)
        assert till.owned(inviter) == ({"points": 100} if state == "rewarded" else {})
        assert coupons_of(till, friend).count("issued") == (state == "rewarded")


@pytest.fixture
def empty_books(migrated_sqlite: Any, tmp_path: Any) -> Iterator[Till]:
    """A till over SQLite: what is checked here does not differ between engines."""
    from tests.support.acting import empty_books as url_of

    database = Database(url_of(migrated_sqlite, tmp_path))
    yield Till(database, rules_with(**RULE))
    database.dispose()


def test_every_identity_is_looked_at_ended_or_not(till: Till) -> None:
    identities = table(Identity)
    before = till.member("13800138005")
    with till.transaction() as connection:
        connection.execute(
            update(identities).where(identities.c.member_id == before).values(ended_at=till.now, ended_by="test")
        )
    back = till.member("13800138005")
    assert join(till, till.member(), back, phone="13800138005").reason == "came_again"
