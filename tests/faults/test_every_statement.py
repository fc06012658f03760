"""Whatever statement fails, the books are as before, and the same deed again is done once."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy.exc import DBAPIError

from members import auditing, replay
from members.db import Database
from members.vault import generate_key
from tests.faults.deeds import DEEDS, Deed
from tests.faults.injection import Kind, Saboteur, failing, sabotaged
from tests.faults.snapshot import changes, snapshot
from tests.properties.world import START, World, open_world, rules

MOST = 400
pytestmark = pytest.mark.slow


@pytest.fixture
def books(books_url: str) -> Iterator[tuple[World, Saboteur]]:
    """Books whose statements can be made to fail."""
    database = Database(books_url)
    saboteur = sabotaged(database)
    yield open_world(database, rules(), generate_key()), saboteur
    database.dispose()


@pytest.mark.parametrize("kind", ["refused", "lost"])
@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.name)
def test_a_failure_at_any_statement_leaves_no_trace(books: tuple[World, Saboteur], deed: Deed, kind: Kind) -> None:
    world, saboteur = books
    facts = deed.prepare(world)
    with world.database.reading() as connection:
        before = snapshot(connection)
    for nth in range(1, MOST, 1 if kind == "refused" else 3):
        failed = False
        try:
            with failing(world.database, saboteur, nth, kind) as connection:
                deed.do(connection, world, facts)
        except DBAPIError:
            failed = True
        assert failed == saboteur.hit, f"statement {nth}: the failure was swallowed"
        if not failed:
            check_done_once(world, deed, facts)
            return
        with world.database.reading() as connection:
            assert changes(before, snapshot(connection)) == {}, f"statement {nth} left a trace"
    pytest.fail("endless")


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.name)
def test_a_lost_answer_is_given_again(books: tuple[World, Saboteur], deed: Deed) -> None:
    """The commit was done and its answer lost: the same deed again moves nothing."""
    world, saboteur = books
    facts = deed.prepare(world)
    with world.database.engine.connect() as connection, connection.begin() as transaction:
        saboteur.arm(0, "refused")
        deed.do(connection, world, facts)
        transaction.rollback()
    with (
        pytest.raises(DBAPIError),
        failing(world.database, saboteur, saboteur.seen + 1, "answer_lost") as connection,
    ):
        deed.do(connection, world, facts)
    check_done_once(world, deed, facts)


def check_done_once(world: World, deed: Deed, facts: object) -> None:
    """It is done; done again it gives the same answer and moves nothing; every invariant holds."""
    with world.database.transaction() as connection:
        before = snapshot(connection)
        answer = deed.do(connection, world, facts)
        assert changes(before, snapshot(connection)) == {}
        assert deed.do(connection, world, facts) == answer
        assert auditing.breaches(connection, now=START + timedelta(days=1)) == []
        assert replay.rebuild(connection) == replay.stored(connection)
