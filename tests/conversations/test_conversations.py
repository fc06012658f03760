"""Every `*.talk` beside this file, as written and in all its variations (README.md), through signed XML."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conversations import playing
from tests.conversations.playing import Played
from tests.conversations.stage import Stage
from tests.conversations.talk import Talk, read_all

TALKS = read_all(Path(__file__).parent.glob("*.talk"))


@pytest.mark.parametrize("talk", TALKS, ids=lambda talk: talk.id)
def test_a_conversation_goes_as_written(talk: Talk, tmp_path: Path, books_url: str) -> None:
    stage = Stage(tmp_path, books_url, talk.settings)
    try:
        playing.play(talk, stage)
    finally:
        stage.close()


@pytest.fixture(scope="module", params=TALKS, ids=lambda talk: talk.id)
def played(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path
) -> Iterator[Played]:
    """A conversation that was played once on SQLite, with every moment kept."""
    folder = tmp_path_factory.mktemp("talk")
    stage = Stage(folder, f"sqlite:///{shutil.copy(migrated_sqlite, folder / 'books.db')}", request.param.settings)
    try:
        yield playing.record(request.param, stage)
    finally:
        stage.close()


def wrongs(found: Iterator[str]) -> list[str]:
    """What is wrong, without what is not."""
    return [wrong for wrong in found if wrong]


def test_another_question_at_every_step(played: Played) -> None:
    places = range(1, len(played.steps))
    assert not wrongs(playing.interrupted(played, at, by) for at in places for by in playing.INTERRUPTIONS)


def test_cancelled_at_every_step(played: Played) -> None:
    assert not wrongs(playing.cancelled(played, at) for at in range(1, len(played.steps)))


def test_everything_twice(played: Played) -> None:
    assert not playing.doubled(played)


def test_a_second_device_in_between(played: Played) -> None:
    if "不双开" in played.talk.flags:
        pytest.skip(played.talk.flags["不双开"])
    assert not playing.on_two_devices(played)


def test_too_late_at_every_step(played: Played) -> None:
    answers = [at for at, step in enumerate(played.steps) if step.answers]
    assert not wrongs(playing.expired(played, at, at_limit=limit) for at in answers for limit in (False, True))


def test_a_restart_at_every_step(played: Played) -> None:
    assert not playing.restarted(played)
