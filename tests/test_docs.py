"""What the documents name is there: commands, options, settings, metrics, files, links; example settings are valid."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from prometheus_client import Counter, Gauge, Histogram

from bot import config_file, metrics
from bot.cli import app
from bot.config import Config
from bot.config_shape import Shape
from bot.opening import SECRETS
from members.vault import generate_key
from tests.support.prose import Page
from tests.support.terminal import ROOT

PAGES = [Page(path) for path in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])]
IDS = [str(page.path.relative_to(ROOT)) for page in PAGES]
SECTIONS = set(config_file.schema(Config)["properties"])
SUFFIXES = (".py", ".md", ".yaml", ".toml", ".lock")
MADE = ("copy.db", "nope.yaml")
ROOTED = ("bot/", "handlers/", "members/", "recommend/", "scheduler/", "tests/", "docs/", "benchmarks/")


def problem(words: list[str]) -> str:
    """Return what is wrong with the words after `memberbot`, or nothing."""
    command: Any = typer.main.get_command(app)
    while words and hasattr(command, "commands"):
        name, *words = words
        if name not in command.commands:
            return f"no command {name}"
        command = command.commands[name]
    known = {option for parameter in command.loaded().params for option in parameter.opts}
    strange = [word for word in words if word.startswith("-") and word not in known]
    return f"no option {strange}" if strange else ""


def said(page: Page) -> list[list[str]]:
    """Return the words after each `memberbot` in backticks or shell blocks, up to where prose begins."""
    lines = [line for line in page.commands() if not line.startswith("python3 dev.py")]
    lines += [text for text in page.quoted() if re.match(r"(\.venv/bin/)?memberbot [a-z]", text)]
    lines += [f"memberbot {text}" for text in page.quoted() if re.match(r"(serve|work|say|db|config) --?[a-z]", text)]
    return [shlex.split(line)[1:] for line in lines]


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_command_and_option_named_exists(page: Page) -> None:
    for words in said(page):
        assert not problem(words), " ".join(words)


def test_the_readme_names_every_command() -> None:
    named = {tuple(words[:2]) for words in said(Page(ROOT / "README.md"))}
    root: Any = typer.main.get_command(app)
    for name, command in root.commands.items():
        names = [(name, sub) for sub in command.commands] if hasattr(command, "commands") else [(name,)]
        for path in names:
            assert any(words[: len(path)] == path for words in named), path


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_setting_named_exists(page: Page) -> None:
    shape = Shape(Config)
    for text in page.quoted():
        found = re.fullmatch(r"([a-z_]+)((?:\.[a-z_]+)+)(?:: .*)?", text)
        if found is None or found[1] not in SECTIONS or text.endswith(SUFFIXES):
            continue
        *path, last = (found[1] + found[2]).split(".")
        assert last in shape.names(tuple(path), None) or shape.at((*path, last), None), text


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_override_named_exists(page: Page) -> None:
    for name in re.findall(r"\bMEMBERBOT_[A-Z]+(?:__[A-Z0-9_]+?)+\b", page.text):
        *path, last = name.removeprefix("MEMBERBOT_").lower().split("__")
        if path == ["shopp"]:
            continue  # the misspelling that operations.md shows
        assert last in Shape(Config).names(tuple(path), None) or path == ["privacy", "keys"], name
    for name in re.findall(r"\b(?:WECHAT_[A-Z_]+|MEMBERBOT_(?!CONFIG|PROPERTY)[A-Z]+_(?!_)[A-Z]+)\b", page.text):
        assert name in SECRETS, name


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_metric_named_exists(page: Page) -> None:
    there = {
        f"{one._name}_total" if isinstance(one, Counter) else one._name
        for one in vars(metrics).values()
        if isinstance(one, Counter | Gauge | Histogram)
    }
    named = set(re.findall(r"`(memberbot_\w+)`", page.text))
    assert named <= there


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_file_named_and_every_link_is_there(page: Page) -> None:
    for text in page.quoted():
        if text.startswith(ROOTED) or ("/" not in text and text.endswith(SUFFIXES) and " " not in text):
            assert (ROOT / text).exists() or text in MADE, text
    for target in page.links():
        assert (page.path.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_nothing_names_a_place_of_one_machine(page: Page) -> None:
    assert not re.search(r"/(?:home|root|work|Users)/", page.text)


def test_examples_of_settings_are_valid(tmp_path: Path) -> None:
    written: Any = yaml.compose((ROOT / "config.yaml").read_text("utf-8"), yaml.SafeLoader)
    blocks = Page(ROOT / "docs" / "marketers.zh.md").blocks("yaml")
    assert len(blocks) >= 6
    for block in blocks:
        shown: Any = yaml.compose(block, yaml.SafeLoader)
        for section, entries in shown.value:
            there = next(node for key, node in written.value if key.value == section.value)
            new = {key.value for key, _ in entries.value}
            there.value = [pair for pair in there.value if pair[0].value not in new] + entries.value
    path = tmp_path / "config.yaml"
    path.write_text(yaml.serialize(written, Dumper=yaml.SafeDumper, allow_unicode=True), "utf-8")
    values = ("wx0123456789abcdef", "secret", "token", "a" * 43, generate_key())
    assert config_file.problems(path, Config, dict(zip(SECRETS, values, strict=True))) == []
