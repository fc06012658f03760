"""Codes shown at the till: digits, good for two minutes at most, for one person or one coupon."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from members import coupons, member_code
from members.vault import Vault, generate_key
from tests.members.coupon_counter import NOW, Counter, opened

VAULT = Vault({"k1": generate_key()})
MINUTE = timedelta(minutes=1)
IDS = st.integers(1, 10**9 - 1)
MOMENTS = st.integers(0, 10**9).map(lambda seconds: NOW + timedelta(seconds=seconds))


@pytest.fixture
def counter(books_url: str) -> Iterator[Counter]:
    """A counter."""
    with opened(books_url) as found:
        yield found


@given(IDS, MOMENTS)
@example(9_999_999, NOW)
@example(10_000_000, NOW)
def test_a_member_code_names_its_member_for_this_minute_and_the_next(member: int, now: datetime) -> None:
    code = member_code.make(VAULT, member, now)
    assert code.isdigit() and len(code) == max(12, len(str(member)) + 5)
    assert member_code.names(VAULT, code, now) == member_code.names(VAULT, code, now + MINUTE) == member
    assert member_code.names(VAULT, code, now + 3 * MINUTE) != member or _came_again(code, member, now + 3 * MINUTE)


def _came_again(code: str, member: int, now: datetime) -> bool:
    """Tell whether one of two later minutes has the same proof by chance (one in 50,000)."""
    return code in (member_code.make(VAULT, member, now), member_code.make(VAULT, member, now - MINUTE))


@given(IDS, MOMENTS)
def test_a_coupon_token_names_its_coupon_and_nobody(coupon: int, now: datetime) -> None:
    token = member_code.coupon_token(VAULT, coupon, now)
    assert token.isdigit() and len(token) == 15
    assert member_code.coupon_named(VAULT, token, now) == member_code.coupon_named(VAULT, token, now + MINUTE) == coupon
    assert member_code.names(VAULT, token, now) is None
    assert member_code.coupon_named(VAULT, member_code.make(VAULT, coupon, now), now) is None


@given(IDS, st.integers(0, 14), st.sampled_from("0123456789"))
def test_a_token_with_one_wrong_digit_names_nothing(coupon: int, place: int, wrong: str) -> None:
    token = member_code.coupon_token(VAULT, coupon, NOW)
    assume(token[place] != wrong)
    other = token[:place] + wrong + token[place + 1 :]
    named = member_code.coupon_named(VAULT, other, NOW)
    assert named is None or other == member_code.coupon_token(VAULT, named, NOW) or (
        other == member_code.coupon_token(VAULT, named, NOW - MINUTE)
    )  # fmt: skip


@given(st.text(max_size=20))
@example("١٢٣٤٥٦٧٨٩٠١٢٣٤٥")
@example("¹" * 15)
def test_any_text_is_no_code(text: str) -> None:
    assert member_code.names(VAULT, text, NOW) is None or text.isdecimal()
    assert member_code.coupon_named(VAULT, text, NOW) is None or text.isdecimal()


def test_another_house_does_not_read_it() -> None:
    other = Vault({"k1": generate_key()})
    named = [member_code.names(other, member_code.make(VAULT, member, NOW), NOW) for member in range(1, 50)]
    assert named.count(None) >= 48


def test_a_number_too_long_for_a_token_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        member_code.coupon_token(VAULT, 10**9, NOW)


def test_a_token_redeems_like_the_code_for_two_minutes(counter: Counter) -> None:
    issued = counter.issue()
    token = member_code.coupon_token(counter.vault, issued.id, NOW)
    assert counter.redeem(token) == "coupon_unknown"
    assert counter.redeem(token, NOW + 2 * MINUTE, vault=counter.vault) == "coupon_unknown"
    assert counter.redeem(token, NOW + MINUTE, vault=counter.vault) == "满100减20"
    assert counter.redeem(token, NOW + MINUTE, vault=counter.vault) == "coupon_used"
    assert counter.redeem(member_code.coupon_token(counter.vault, 999, NOW), vault=counter.vault) == "coupon_unknown"


def test_a_till_may_lock_and_reverse_by_token(counter: Counter) -> None:
    issued = counter.issue()
    token = member_code.coupon_token(counter.vault, issued.id, NOW)
    more = {"lock_key": "till", "now": NOW, "vault": counter.vault}
    assert counter.do(coupons.lock, token, seconds=60, by="till", store=None, **more).id == issued.id
    assert counter.do(coupons.unlock, token, **more) is True
