"""The tree of commands: each is there, its help is Chinese, and none waits for what another needs."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from bot.cli import TREE, Deferred, Group, app
from tests.support.terminal import ROOT, memberbot

CHINESE = re.compile(r"[\u4e00-\u9fff]")


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Deferred]]:
    """Yield every command with the words that call it."""
    if isinstance(command, Deferred):
        yield " ".join(path), command
        return
    for name, part in command.commands.items():
        yield from leaves(part, (*path, name))


LEAVES = dict(leaves(typer.main.get_command(app)))


def loaded_by(statement: str) -> set[str]:
    """Return the packages a fresh process has after the statement."""
    code = f"{statement}; import sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("words", LEAVES)
def test_a_command_has_its_function_and_parameters(words: str) -> None:
    here, real = LEAVES[words], LEAVES[words].loaded()
    assert (real.name, real.help) == (here.name, here.help) and CHINESE.search(real.help)
    known = set(inspect.signature(inspect.unwrap(real.callback)).parameters)
    assert {parameter.name for parameter in real.params} - {"help"} == known


def test_help_of_all_and_of_a_group_is_read_from_the_tree(tmp_path: Path) -> None:
    whole = memberbot(["--help"], tmp_path)
    group = memberbot(["member", "--help"], tmp_path)
    assert (whole.returncode, group.returncode) == (0, 0)
    assert [name for name in TREE if not re.search(rf"\W{name} +\W", whole.stdout)] == []
    members = TREE["member"]
    assert isinstance(members, Group)
    assert [name for name in members.parts if not re.search(rf"\W{name} +\W", group.stdout)] == []


def test_what_a_command_does_not_need_is_not_waited_for() -> None:
    assert not {"sqlalchemy", "httpx", "fastapi", "numpy", "wechatpy"} & loaded_by("import bot.cli")
    assert not {"fastapi", "uvicorn", "numpy", "apscheduler"} & loaded_by("import bot.opening, bot.command_books")


def test_an_unknown_word_or_option_is_refused(tmp_path: Path) -> None:
    for words in (["members"], ["member", "shows"], ["key", "--jsn"], []):
        done = memberbot(words, tmp_path)
        assert done.returncode == 2 and "Traceback" not in done.stderr, words
