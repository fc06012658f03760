"""The rules of the house, read from the files themselves: who may import whom, what may not be committed."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAY_IMPORT = {
    "members": {"members"},
    "recommend": {"recommend", "members"},
    "handlers": {"handlers", "recommend", "members"},
    "scheduler": {"scheduler", "recommend", "members"},
    "bot": {"bot", "handlers", "scheduler", "recommend", "members"},
    "tests": {"bot", "handlers", "scheduler", "recommend", "members", "tests", "benchmarks"},
    "benchmarks": {"bot", "handlers", "scheduler", "recommend", "members", "tests", "benchmarks"},
}
ROOMS = ("bot", "handlers", "members", "recommend", "scheduler")
EDGE_ONLY = {"fastapi", "starlette", "httpx", "wechatpy", "uvicorn", "sse_starlette"}
REGISTRIES = ("pypi" + ".org", "python" + "hosted.org", "registry." + "npmjs", "npm" + "mirror.com", "pypi.tuna" + ".")
INDEX_LINE = re.compile(
    r'"resolved": *"https?' + r":|--(extra-)?index" + r"-url[ =]\S*//|https?://[^ \"]+/simple" + r"/"
)


def imported(source: str) -> Iterator[tuple[int, str]]:
    """Line and top-level package of each import anywhere in the source: in functions, under TYPE_CHECKING, by name.

    A relative import stays in its own package and yields nothing.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.lineno, node.module.split(".")[0]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__"):
            names = [arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant)]
            yield from ((node.lineno, str(name).split(".")[0]) for name in names)


def wrong_imports(path: str, source: str) -> list[str]:
    """The imports that the one direction forbids to the file at this path, relative to the root."""
    room = PurePosixPath(path).parts[0]
    forbidden = set(MAY_IMPORT) - MAY_IMPORT.get(room, set())
    if room in ROOMS and room != "bot":
        forbidden |= EDGE_ONLY
    return [f"{path}:{line} imports {name}" for line, name in imported(source) if name in forbidden]


def committed() -> list[str]:
    """Paths of the files in git, and of those about to be: new ones that are not ignored."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("house rules about committed files need a git clone")
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def pins(lock: str) -> set[str]:
    """`name==version` of every pin, with its marker left out."""
    return set(re.findall(r"^[a-z0-9-]+==[^ ;\\]+", (ROOT / lock).read_text("utf-8"), re.M))


def test_imports_go_one_way() -> None:
    files = [name for name in committed() if name.endswith(".py")]
    assert {PurePosixPath(name).parts[0] for name in files} >= set(ROOMS)
    assert [wrong for name in files for wrong in wrong_imports(name, (ROOT / name).read_text("utf-8"))] == []


@pytest.mark.parametrize(
    ("path", "source", "line"),
    [
        ("members/x.py", "import recommend.rfm", 1),
        ("members/x.py", "def f():\n    from httpx import Client", 2),
        ("recommend/x.py", "if TYPE_CHECKING:\n    from handlers import routes", 2),
        ("handlers/x.py", "import os\nimport scheduler as later", 2),
        ("handlers/staff/x.py", "from fastapi.responses import Response", 1),
        ("scheduler/x.py", "class A:\n    import handlers.copy", 2),
        ("scheduler/jobs/x.py", "importlib.import_module('bot.wechat')", 1),
        ("handlers/x.py", "import wechatpy.events, starlette", 1),
        ("dev.py", "from bot import cli", 1),
        ("bot/x.py", "from tests.support import shop", 1),
    ],
)
def test_wrong_import_is_found(path: str, source: str, line: int) -> None:
    found = wrong_imports(path, source)
    assert found and found[0].startswith(f"{path}:{line} imports ")


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("bot/x.py", "import fastapi, handlers, scheduler, recommend, members, httpx"),
        ("handlers/x.py", "from .copy import hello\nfrom recommend import rfm\nimport members"),
        ("scheduler/x.py", "from . import bot\nfrom members.bot import handlers"),
        ("tests/bot/x.py", "import bot.app, httpx, scheduler"),
    ],
)
def test_right_imports_pass(path: str, source: str) -> None:
    assert wrong_imports(path, source) == []


def test_nothing_committed_names_a_registry_or_this_machine() -> None:
    home = f"{Path.home()}/" if len(Path.home().parts) > 1 else None
    places = [place.encode() for place in (*REGISTRIES, str(ROOT), home) if place]
    found = []
    for name in committed():
        content = (ROOT / name).read_bytes()
        found += [f"{name}: {place.decode()}" for place in places if place in content]
        found += [f"{name}: {hit.group()}" for hit in INDEX_LINE.finditer(content.decode("utf-8", "replace"))]
    assert found == []


@pytest.mark.parametrize(
    "line", ['"resolved": "https' + "://h/x.tgz", "--index" + "-url https://h/", "https://h/simple" + "/x"]
)
def test_index_address_is_found(line: str) -> None:
    assert INDEX_LINE.search(line)


def test_dev_needs_only_python() -> None:
    names = {name for _, name in imported((ROOT / "dev.py").read_text("utf-8"))}
    assert names <= sys.stdlib_module_names | {"__future__"}


def test_files_stay_readable() -> None:
    files = [
        name for name in committed() if name.endswith(".py") and name.startswith(ROOMS) and "migrations" not in name
    ]
    long = {name: count for name in files if (count := len((ROOT / name).read_bytes().splitlines())) > 320}
    assert long == {}


def test_no_file_is_a_drawer_for_everything() -> None:
    assert [name for name in committed() if PurePosixPath(name).name == "utils.py"] == []


def test_locks_pin_every_dependency_by_hash_and_agree() -> None:
    run, dev = pins("requirements.lock"), pins("requirements-dev.lock")
    assert run <= dev
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    for pinned, wanted in (
        (run, [*project["dependencies"], *extras["demo"]]),
        (dev, [line for lines in extras.values() for line in lines]),
    ):
        names = {re.split(r"[^A-Za-z0-9-]", line)[0].lower() for line in wanted}
        assert names - {pin.split("==")[0] for pin in pinned} == set()
    for lock in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / lock).read_text("utf-8")
        assert all("--hash=sha256:" in block for block in re.split(r"\n(?=[a-z])", text.strip()))


def test_ci_runs_the_same_command_as_people_do() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert "python3 dev.py test" in (ROOT / ".ci" / "run").read_text("utf-8")
