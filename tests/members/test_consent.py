"""What a person agreed to: the present answer, its history, and one-time consents that are used up."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from members import consent
from members.db import Database
from members.tables import ConsentEvent, table

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
MEMBER, TEMPLATE = consent.of_member(7), "tpl-1"
events = table(ConsentEvent)


@pytest.fixture
def database(books_url: str) -> Iterator[Database]:
    """Empty books."""
    found = Database(books_url)
    yield found
    found.dispose()


def test_marketing_is_allowed_until_refused_and_again_after(database: Database) -> None:
    with database.transaction() as connection:
        assert consent.may_market(connection, 7)
        consent.answer(connection, MEMBER, consent.MARKETING, False, source="chat", now=NOW)
        assert not consent.may_market(connection, 7)
        assert not consent.may_market(connection, 7, "每周专属")
        assert consent.may_market(connection, 8)
        assert consent.refused_members(connection) == {7}
        consent.answer(connection, MEMBER, consent.MARKETING, True, source="chat", now=NOW)
        assert consent.may_market(connection, 7)
        assert consent.refused_members(connection) == set()
        history = connection.execute(select(events.c.granted).order_by(events.c.id)).scalars().all()
    assert history == [False, True], "every answer is kept for proof"


def test_one_campaign_can_be_refused_alone(database: Database) -> None:
    with database.transaction() as connection:
        consent.answer(connection, MEMBER, "marketing:每周专属", False, source="chat", now=NOW)
        assert consent.may_market(connection, 7)
        assert not consent.may_market(connection, 7, "每周专属")


def test_each_accepted_pop_up_carries_one_send(database: Database) -> None:
    with database.transaction() as connection:
        assert not consent.use_one(connection, "o-a", TEMPLATE)
        for _ in range(2):
            consent.add_one(connection, "o-a", TEMPLATE, source="popup", now=NOW)
        used = [consent.use_one(connection, "o-a", TEMPLATE) for _ in range(3)]
        assert not consent.use_one(connection, "o-b", TEMPLATE)
    assert used == [True, True, False]


def test_racing_senders_use_a_consent_once(database: Database) -> None:
    with database.transaction() as connection:
        for _ in range(3):
            consent.add_one(connection, "o-a", TEMPLATE, source="popup", now=NOW)

    def use(_: int) -> bool:
        with database.transaction() as connection:
            return consent.use_one(connection, "o-a", TEMPLATE)

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(use, range(9))).count(True) == 3


def test_a_refusal_in_the_settings_ends_what_was_left(database: Database) -> None:
    with database.transaction() as connection:
        consent.add_one(connection, "o-a", TEMPLATE, source="popup", now=NOW)
        topic = consent.subscription(TEMPLATE)
        consent.answer(connection, consent.of_openid("o-a"), topic, False, source="change", now=NOW)
        assert not consent.use_one(connection, "o-a", TEMPLATE)


def test_an_acceptance_after_a_refusal_counts_from_one(database: Database) -> None:
    with database.transaction() as connection:
        topic = consent.subscription(TEMPLATE)
        consent.answer(connection, consent.of_openid("o-a"), topic, False, source="change", now=NOW)
        consent.add_one(connection, "o-a", TEMPLATE, source="popup", now=NOW)
        assert consent.topics(connection, consent.of_openid("o-a")) == {topic: (True, 1)}
        assert consent.use_one(connection, "o-a", TEMPLATE)
