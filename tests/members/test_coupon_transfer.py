"""A coupon given to a friend: once, under a word nobody guesses, and the old code opens nothing any more."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import select

from members import coupons, member_code
from members.coupons import spell, transfers
from tests.members.coupon_counter import NOW, RULES, Counter, opened
from tests.members.test_coupon_races import at_once

HOUR = timedelta(hours=1)


@pytest.fixture
def counter(books_url: str) -> Iterator[Counter]:
    """A counter; afterwards its sums must hold."""
    with opened(books_url) as found:
        yield found
        found.check()


def offer(counter: Counter, code: str, now: datetime = NOW, member: int | None = None) -> str:
    """Offer; return the word, or the refusal's code."""
    return str(counter.do(coupons.offer_transfer, counter.vault, member or counter.member, code, now=now))


def claim(counter: Counter, member: int, word: str, now: datetime = NOW) -> str:
    """Claim; return the coupon's new code, or the refusal's code."""
    done = counter.do(coupons.claim_transfer, counter.vault, member, word, now=now)
    return done if isinstance(done, str) else str(done.code)


def states(counter: Counter) -> list[str]:
    """The states of all offers, oldest first."""
    with counter.database.reading() as connection:
        return list(connection.execute(select(transfers.c.state).order_by(transfers.c.id)).scalars())


def test_a_friend_gets_it_under_a_new_code(counter: Counter) -> None:
    issued, friend = counter.issue("mine"), counter.another()
    word = offer(counter, issued.code)
    fresh = claim(counter, friend, spell(word).lower())
    assert fresh not in (issued.code, word)
    assert (counter.usable(), counter.usable(member=friend)) == ([], ["可转赠"])
    assert counter.redeem(issued.code) == "coupon_unknown"
    assert counter.redeem(fresh) == "可转赠"
    assert (counter.granted("mine"), counter.granted("mine", friend)) == (1, 0)
    assert states(counter) == ["claimed"]


def test_the_word_is_not_in_the_books(counter: Counter) -> None:
    word = offer(counter, counter.issue("mine").code)
    with counter.database.reading() as connection:
        row = connection.execute(select(transfers)).one()
    assert word not in repr(row) and len(row.token_hash) == 64


def test_it_is_not_offered_by_others_nor_what_may_not_be_given(counter: Counter) -> None:
    issued, friend = counter.issue("mine"), counter.another()
    assert offer(counter, issued.code, member=friend) == "coupon_unknown"
    assert offer(counter, counter.issue("off", "k2").code) == "coupon_not_transferable"
    counter.redeem(issued.code)
    assert offer(counter, issued.code) == "coupon_used"
    assert offer(counter, counter.issue("mine", "k3").code, issued.expires_at) == "coupon_expired"


def test_not_to_oneself_and_not_twice(counter: Counter) -> None:
    issued, friend, third = counter.issue("mine"), counter.another(), counter.another()
    word = offer(counter, issued.code)
    assert claim(counter, counter.member, word) == "transfer_self"
    claim(counter, friend, word)
    assert claim(counter, third, word) == claim(counter, friend, word) == "transfer_gone"
    assert claim(counter, third, coupons.new_code()) == claim(counter, third, "123") == "transfer_unknown"
    wrong = coupons.ALPHABET[coupons.ALPHABET.index(word[0]) - 1] + word[1:]
    assert claim(counter, third, wrong) == "coupon_mistyped"


def test_a_new_word_ends_the_former(counter: Counter) -> None:
    issued, friend = counter.issue("mine"), counter.another()
    first, second = offer(counter, issued.code), offer(counter, issued.code)
    assert claim(counter, friend, first) == "transfer_gone"
    assert len(claim(counter, friend, second)) == 12


def test_it_can_be_withdrawn(counter: Counter) -> None:
    issued, friend = counter.issue("mine"), counter.another()
    word = offer(counter, issued.code)
    assert counter.do(coupons.cancel_transfer, counter.vault, friend, issued.code, now=NOW) == "coupon_unknown"
    assert counter.do(coupons.cancel_transfer, counter.vault, counter.member, issued.code, now=NOW) is True
    assert counter.do(coupons.cancel_transfer, counter.vault, counter.member, issued.code, now=NOW) is False
    assert claim(counter, friend, word) == "transfer_gone"


def test_a_word_runs_out_after_a_day_or_with_its_coupon(counter: Counter) -> None:
    issued, friend = counter.issue("mine"), counter.another()
    word = offer(counter, issued.code)
    assert claim(counter, friend, word, NOW + 24 * HOUR) == "transfer_gone"
    assert counter.do(coupons.expire_transfers, NOW + 24 * HOUR) == 1
    assert counter.do(coupons.expire_transfers, NOW + 24 * HOUR) == 0
    late = offer(counter, issued.code, issued.expires_at - HOUR)
    assert claim(counter, friend, late, issued.expires_at) == "transfer_gone"
    assert states(counter) == ["expired", "open"]


@pytest.mark.parametrize("how", ["redeemed", "locked", "void"])
def test_who_used_it_meanwhile_has_not_given_it(counter: Counter, how: str) -> None:
    issued, friend = counter.issue("mine"), counter.another()
    word = offer(counter, issued.code)
    {"redeemed": counter.redeem, "locked": counter.lock, "void": lambda _: counter.void(issued.id)}[how](issued.code)
    assert claim(counter, friend, word) == "transfer_gone"
    assert counter.copy(issued.id).member == counter.member
    assert states(counter) == ["cancelled" if how == "void" else "open"]


def test_its_token_offers_it_too(counter: Counter) -> None:
    issued = counter.issue("mine")
    assert len(offer(counter, member_code.coupon_token(counter.vault, issued.id, NOW))) == 12


def test_of_many_friends_one_gets_it(counter: Counter) -> None:
    issued, friends = counter.issue("mine"), [counter.another() for _ in range(6)]
    word = offer(counter, issued.code)
    got = at_once([partial(claim, counter, friend, word) for friend in friends])
    assert got.count("transfer_gone") == 5
    assert sum(len(counter.usable(member=friend)) for friend in friends) == 1


@pytest.mark.parametrize("turn", range(3))
def test_given_or_redeemed_but_not_both(counter: Counter, turn: int) -> None:
    issued, friend = counter.issue("mine"), counter.another()
    word = offer(counter, issued.code)
    given, used = at_once([lambda: claim(counter, friend, word), lambda: counter.redeem(issued.code)])
    assert (given == "transfer_gone") == (used == RULES["mine"].title)
    assert used in ("coupon_unknown", "可转赠")
