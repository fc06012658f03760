"""Personal data at rest: sealed, bound to its field, readable under older keys, found by a keyed index."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete

from members import identity
from members.clock import Clock
from members.db import Database
from members.errors import BooksBroken, MemberError
from members.tables import MemberKey, table
from members.vault import KEY_BYTES, Vault, generate_key, mask_phone, national, normalise_phone

OLD, NEW = generate_key(), generate_key()
PHONE = "+8613800138000"


@pytest.fixture
def database(books_url: str) -> Iterator[Database]:
    """Empty books."""
    found = Database(books_url)
    yield found
    found.dispose()


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
def test_what_is_sealed_opens_and_only_for_its_field(text: str) -> None:
    vault, key = Vault({"k1": OLD}), bytes(KEY_BYTES)
    sealed = vault.seal(key, "phone", text)
    assert vault.unseal(key, "phone", sealed) == text
    with pytest.raises(BooksBroken):
        vault.unseal(key, "name", sealed)
    assert vault.unseal_system("flow", vault.seal_system("flow", text)) == text


@given(st.integers(0, 200), st.integers(1, 255))
def test_one_changed_byte_is_noticed(place: int, bits: int) -> None:
    vault, key = Vault({"k1": OLD}), bytes(KEY_BYTES)
    sealed = bytearray(vault.seal(key, "phone", PHONE))
    sealed[place % len(sealed)] ^= bits
    with pytest.raises(BooksBroken):
        vault.unseal(key, "phone", bytes(sealed))


def test_equal_texts_are_sealed_differently() -> None:
    vault = Vault({"k1": OLD})
    assert vault.seal(bytes(KEY_BYTES), "phone", PHONE) != vault.seal(bytes(KEY_BYTES), "phone", PHONE)


def test_a_new_master_key_reads_what_the_old_one_sealed_and_finds_the_same_people() -> None:
    before, after = Vault({"k1": OLD}), Vault({"k2": NEW, "k1": OLD})
    assert after.current == "k2"
    assert after.unseal_system("flow", before.seal_system("flow", PHONE)) == PHONE
    assert after.blind_index("phone", PHONE) == before.blind_index("phone", PHONE)
    assert Vault({"k2": NEW}).blind_index("phone", PHONE) != before.blind_index("phone", PHONE)


def test_the_index_tells_kinds_apart_and_nothing_of_the_value() -> None:
    vault = Vault({"k1": OLD})
    index = vault.blind_index("phone", PHONE)
    assert index != vault.blind_index("code", PHONE)
    assert len(index) == 64
    assert PHONE[3:] not in index


def test_destroying_a_members_key_destroys_what_it_sealed(database: Database) -> None:
    vault, keys = Vault({"k1": OLD}), table(MemberKey)
    with database.transaction() as connection:
        member, key = identity.create(connection, vault, tier="普卡", now=Clock().now())
        sealed = vault.seal(key, "phone", PHONE)
        assert vault.unseal(vault.member_key(connection, member), "phone", sealed) == PHONE
        other, _ = identity.create(connection, vault, tier="普卡", now=Clock().now())
        with pytest.raises(BooksBroken):
            vault.unseal(vault.member_key(connection, other), "phone", sealed)
        connection.execute(delete(keys).where(keys.c.member_id == member))
        with pytest.raises(BooksBroken):
            vault.member_key(connection, member)


@pytest.mark.parametrize("keys", [{}, {"k1": "?"}, {"k1": "c2hvcnQ="}, {"": OLD}, {"a\0b": OLD}])
def test_a_malformed_master_key_is_refused(keys: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="key"):
        Vault(keys)


@pytest.mark.parametrize(
    "typed", ["13800138000", "138 0013 8000", "+86 138-0013-8000", "008613800138000", "１３８００１３８０００"]
)
def test_a_mobile_number_has_one_form(typed: str) -> None:
    assert normalise_phone(typed) == PHONE


@pytest.mark.parametrize(
    "typed", ["", "12345", "02155550100", "10086", "12800138000", "1380013800", "积分", "4008001234"]
)
def test_what_is_no_mobile_number_is_refused(typed: str) -> None:
    with pytest.raises(MemberError, match="bad_phone"):
        normalise_phone(typed)


@given(st.text(st.characters(), max_size=40))
def test_any_text_is_a_phone_or_a_refusal(text: str) -> None:
    try:
        assert normalise_phone(text).startswith("+")
    except MemberError as refusal:
        assert refusal.code == "bad_phone"


def test_a_masked_phone_keeps_its_secret() -> None:
    assert (national(PHONE), mask_phone(PHONE)) == ("13800138000", "138****8000")
    assert mask_phone("") == mask_phone("+86138") == "****"
