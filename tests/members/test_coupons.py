"""Coupons: issued within stock and per member, redeemed once however many try; codes that notice slips."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from sqlalchemy import select, update

from members import coupons, identity
from members.coupons import ALPHABET, SYMBOLS, check_symbol, new_code, normalise_code, spell
from members.coupons.codes import exact, former_check_symbol
from members.db import Database
from members.errors import MemberError
from members.rules import CouponRule
from members.tables import Coupon, CouponTemplate, table
from members.vault import Vault, generate_key

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")
RULES = {
    "off": CouponRule.model_validate(
        {"title": "满100减20", "off": 20, "over": 100, "valid": "14 days", "per_member": 2}
    ),
    "few": CouponRule.model_validate({"title": "限量券", "off": 1, "valid": "3 days", "stock": 5}),
    "today": CouponRule.model_validate({"title": "当日券", "gift": "例汤", "valid": "0 days"}),
}
BODY = st.text(st.sampled_from(ALPHABET), min_size=SYMBOLS, max_size=SYMBOLS)
rows, templates = table(Coupon), table(CouponTemplate)


@dataclass
class Counter:
    """A shop's coupon counter."""

    database: Database
    member: int

    def issue(self, template: str = "off", key: str = "k", now: datetime = NOW) -> coupons.Issued:
        """Issue one."""
        with self.database.transaction() as connection:
            return coupons.issue(
                connection,
                template,
                RULES[template],
                self.member,
                key=key,
                by="test",
                reason="test",
                zone=SHANGHAI,
                now=now,
            )

    def redeem(self, code: str, now: datetime = NOW, by: str = "staff:1") -> str:
        """Redeem; return the title, or the refusal's code."""
        try:
            with self.database.transaction() as connection:
                return coupons.redeem(connection, code, by=by, store=None, now=now).title
        except MemberError as refusal:
            return refusal.code

    def refused(self, template: str, key: str) -> str:
        """Issue; return the refusal's code, '' when there was none."""
        try:
            self.issue(template, key)
        except MemberError as refusal:
            return refusal.code
        return ""

    def usable(self, now: datetime = NOW) -> list[str]:
        """Return the titles of what is usable."""
        with self.database.reading() as connection:
            return [row.title for row in coupons.usable(connection, self.member, now)]


@pytest.fixture
def counter(books_url: str) -> Iterator[Counter]:
    """Books with the templates and one member."""
    database = Database(books_url)
    with database.transaction() as connection:
        coupons.sync_templates(connection, RULES)
        member, _ = identity.create(connection, Vault({"k1": generate_key()}), tier="普卡", now=NOW)
    yield Counter(database, member)
    database.dispose()


def test_one_key_issues_one_coupon(counter: Counter) -> None:
    first, again = counter.issue(), counter.issue()
    assert (first.created, again.created) == (True, False)
    assert (first.id, first.code) == (again.id, again.code)
    assert counter.usable() == ["满100减20"]


def test_a_member_gets_only_so_many(counter: Counter) -> None:
    assert [counter.refused("off", f"k{n}") for n in range(4)] == ["", "", "coupon_limit", "coupon_limit"]
    with counter.database.reading() as connection:
        assert connection.execute(select(templates.c.issued).where(templates.c.code == "off")).scalar_one() == 2


def test_stock_ends_also_when_many_ask_at_once(counter: Counter) -> None:
    with ThreadPoolExecutor(6) as pool:
        got = list(pool.map(lambda n: counter.refused("few", f"k{n}"), range(12)))
    assert sorted(got) == [""] * 5 + ["template_empty"] * 7


def test_a_template_that_left_the_configuration_is_not_issued(counter: Counter) -> None:
    with counter.database.transaction() as connection:
        coupons.sync_templates(connection, {"off": RULES["off"]})
    assert counter.refused("few", "k") == "template_empty"
    assert counter.refused("off", "k") == ""


def test_a_coupon_is_good_through_its_last_day(counter: Counter) -> None:
    issued = counter.issue("today")
    assert issued.expires_at == datetime(2026, 3, 3, tzinfo=SHANGHAI)
    assert counter.usable(issued.expires_at - timedelta(seconds=1)) == ["当日券"]
    assert counter.usable(issued.expires_at) == []
    assert counter.redeem(issued.code, issued.expires_at) == "coupon_expired"
    assert counter.redeem(issued.code, issued.expires_at - timedelta(seconds=1)) == "当日券"


def test_of_many_tills_one_redeems(counter: Counter) -> None:
    code, gate = counter.issue().code, threading.Barrier(6)

    def till(number: int) -> str:
        gate.wait()
        return counter.redeem(code, by=f"staff:{number}")

    with ThreadPoolExecutor(6) as pool:
        got = list(pool.map(till, range(6)))
    assert sorted(got) == ["coupon_used"] * 5 + ["满100减20"]
    assert counter.usable() == []


def test_each_refusal_names_its_reason(counter: Counter) -> None:
    code = counter.issue().code
    assert counter.redeem(new_code()) == "coupon_unknown"
    assert counter.redeem("AAAA") == "coupon_unknown"
    wrong = code[:-1] + ALPHABET[(ALPHABET.index(code[-1]) + 1) % 31]
    assert counter.redeem(wrong) == "coupon_mistyped"
    with counter.database.transaction() as connection:
        connection.execute(update(rows).values(state="void"))
    assert counter.redeem(code) == "coupon_void"


def test_expiry_is_marked_once(counter: Counter) -> None:
    issued = counter.issue("today")
    counter.issue("off", "k2")
    with counter.database.transaction() as connection:
        assert coupons.expire_due(connection, issued.expires_at) == 1
        assert coupons.expire_due(connection, issued.expires_at) == 0
    assert counter.redeem(issued.code, issued.expires_at) == "coupon_expired"


def test_usable_coupons_come_expiring_first(counter: Counter) -> None:
    for number, template in enumerate(("off", "today", "few")):
        counter.issue(template, f"k{number}")
    assert counter.usable() == ["当日券", "限量券", "满100减20"]


def noticed(typed: str) -> bool:
    """Tell whether a mistyped code is noticed: by its shape, or when nobody holds it."""
    try:
        return not exact(normalise_code(typed))
    except MemberError:
        return True


@given(BODY, st.integers(0, SYMBOLS), st.sampled_from(ALPHABET))
def test_one_wrong_symbol_is_noticed(body: str, place: int, wrong: str) -> None:
    whole = body + check_symbol(body)
    assume(whole[place] != wrong)
    assert noticed(whole[:place] + wrong + whole[place + 1 :])


@given(BODY, st.integers(0, SYMBOLS - 1))
def test_two_neighbours_swapped_are_noticed(body: str, place: int) -> None:
    whole = body + check_symbol(body)
    one, other = whole[place], whole[place + 1]
    assume(one != other)
    assert noticed(whole[:place] + other + one + whole[place + 2 :])


def test_a_slip_is_named_as_one_also_where_it_looks_like_a_former_code(counter: Counter) -> None:
    """Former codes end in a weighted sum modulo 31; one slip in 31 makes a new code look like one of them."""
    code = counter.issue().code
    slips = [code[:5] + wrong + code[6:] for wrong in ALPHABET if wrong != code[5]]
    former = [slip for slip in slips if former_check_symbol(slip[:-1]) == slip[-1]]
    assert [counter.redeem(slip) for slip in slips] == ["coupon_mistyped"] * 31
    assert all(normalise_code(slip) == slip for slip in former)


def test_codes_made_before_are_still_good(counter: Counter) -> None:
    issued = counter.issue()
    former = "ABCDEFGH234" + former_check_symbol("ABCDEFGH234")
    with counter.database.transaction() as connection:
        connection.execute(update(rows).where(rows.c.id == issued.id).values(code=former))
    assert counter.redeem(spell(former)) == "满100减20"


@given(BODY)
def test_a_code_is_read_as_people_type_it(body: str) -> None:
    whole = body + check_symbol(body)
    typed = spell(whole).lower().replace("0", "o").replace("1", "l")
    assert normalise_code(typed) == normalise_code(f" {spell(whole)} ") == whole


@given(st.text(st.characters(), max_size=40))
@example("ß" * 12)
@example("İ" * 12)
def test_any_text_is_a_code_or_a_refusal(text: str) -> None:
    assert noticed(text) or len(normalise_code(text)) == SYMBOLS + 1


def test_new_codes_differ_and_hold() -> None:
    made = {new_code() for _ in range(500)}
    assert len(made) == 500
    assert all(normalise_code(code) == code for code in made)
