#!/usr/bin/env python3
"""One file for a fresh machine: `python3 dev.py run` starts the shop, `python3 dev.py test` runs every suite.

Needs only Python 3.11 or newer with pip and venv. What follows `--` goes to memberbot demo, pytest, or uv pip compile.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = str(BIN / ("python.exe" if os.name == "nt" else "python"))
STAMP = VENV / "installed"
PIP = (PYTHON, "-m", "pip", "--disable-pip-version-check")
UV = (PYTHON, "-m", "uv", "--quiet", "pip")
UV_PIN = "uv==0.13.9"
RUN_LOCK, DEV_LOCK = "requirements.lock", "requirements-dev.lock"
EXTRAS = {RUN_LOCK: ["--extra=demo"], DEV_LOCK: ["--extra=demo", "--extra=dev", "--extra=bench", "-c", RUN_LOCK]}
LINT = {name: [PYTHON, "-m", *name.split()] for name in ("ruff check", "ruff format --check", "mypy")}
# what a module shares is made once; tests/conftest.py puts the long modules first
SIDE_BY_SIDE = ("-n", "logical", "--dist", "loadscope", "--no-loadscope-reorder")
SCRIPT = """#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
from bot.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
"""


def environment(**more: str) -> dict[str, str]:
    """The caller's environment, but compiled modules are kept: without them imports take three times as long."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | more


def call(*command: str, env: dict[str, str] | None = None, quiet: bool = False) -> bool:
    """True when the command, run at the root of the project, exits with 0."""
    sink = subprocess.DEVNULL if quiet else None
    return subprocess.run(command, cwd=ROOT, env=env or environment(), stdout=sink, stderr=sink).returncode == 0


def uv_environment(*, local: bool) -> dict[str, str]:
    """What pip's files and PIP_* say about indexes, in uv's words; places on this disk only if `local` and there."""
    shown = subprocess.run([*PIP, "config", "list"], capture_output=True, text=True, env=environment()).stdout
    kinds = ("global", "install", ":env:")
    found = [pair for kind in kinds for pair in re.findall(rf"^{kind}\.([\w-]+)=(.*)$", shown, re.M)]
    pip = {key: str(ast.literal_eval(value)) for key, value in found}

    def places(key: str) -> list[str]:
        words = pip.get(key, "").split()
        return [w for w in words if w.startswith("http") or (local and Path(w.removeprefix("file://")).exists())]

    said = {
        "UV_DEFAULT_INDEX": " ".join(places("index-url")),
        "UV_INDEX": " ".join(places("extra-index-url")),
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": ",".join(places("find-links")),
        "UV_INSECURE_HOST": pip.get("trusted-host", ""),
        "UV_HTTP_TIMEOUT": pip.get("default-timeout", pip.get("timeout", "")),
        "SSL_CERT_FILE": pip.get("cert", ""),
    }
    return environment(**{name: value for name, value in said.items() if value and name not in os.environ})


def make_venv() -> bool:
    """A `.venv` with pip, one that works already left alone; true when uv is in it, or else pip does uv's work."""
    if not (os.path.exists(PYTHON) and call(*PIP, "--version", quiet=True)):
        if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
            sys.exit("This Python has no venv module. On Debian or Ubuntu: apt-get install python3-venv")
        if not call(sys.executable, "-m", "venv", "--clear", str(VENV)):
            sys.exit("Could not make .venv; the reason is above.")
    return call(*PIP, "install", "--quiet", "--no-deps", UV_PIN)


def setup(lock: str) -> None:
    """`.venv` holds what the lock pins, by hash, and the command memberbot; does nothing where the stamps agree."""
    held = (lock,) if lock == RUN_LOCK else (lock, RUN_LOCK)
    stamps = [f"{name} {hashlib.sha256((ROOT / name).read_bytes()).hexdigest()} {VENV}" for name in held]
    if os.path.exists(PYTHON) and STAMP.exists() and stamps[0] in STAMP.read_text("utf-8").splitlines():
        return
    print(f"Installing {lock} into .venv, this once …", flush=True)
    fast = make_venv()
    STAMP.unlink(missing_ok=True)
    pinned = ("--require-hashes", "-r", lock)
    fast = fast and call(*UV, "install", "--compile-bytecode", *pinned, env=uv_environment(local=True))
    if not (fast or call(*PIP, "install", "--quiet", *pinned)):
        sys.exit(f"Could not install {lock}; the reason is above.")
    where = "import sysconfig; print(sysconfig.get_path('purelib'), end='')"
    packages = subprocess.check_output([PYTHON, "-c", where], text=True)
    Path(packages, "memberbot.pth").write_text(f"{ROOT}\n", "utf-8")
    (BIN / "memberbot").write_text(SCRIPT.format(python=PYTHON), "utf-8")
    (BIN / "memberbot").chmod(0o755)
    STAMP.write_text("\n".join(stamps), "utf-8")


def missing_browser() -> str:
    """Chromium and a Chinese font, by apt where they are missing and apt may be used; what stays missing and why."""
    wanted = [] if any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))) else ["chromium"]
    if not any(re.search("wqy|CJK|PingFang|msyh", path.name) for path in Path("/usr/share/fonts").rglob("*.*")):
        wanted += ["fonts-wqy-microhei"] if sys.platform == "linux" else []
    names = " and ".join(wanted)
    if not (wanted and shutil.which("apt-get") and os.geteuid() == 0):
        return names and f"{names}: not found, and only root with apt-get can be helped here"
    print(f"Installing {names} by apt-get, this once …", flush=True)
    apt, env = ("apt-get", "-qq"), environment(DEBIAN_FRONTEND="noninteractive")
    call(*apt, "update", env=env, quiet=True)
    done = call(*apt, "install", "-y", "--no-install-recommends", *wanted, env=env, quiet=True)
    return "" if done else f"{names}: apt-get could not install"


def steps(commands: dict[str, list[str]]) -> int:
    """Runs every command even after one failed; 1 when any did, and their names."""
    failed = []
    for name, command in commands.items():
        print(f"— {name}", flush=True)
        failed += [] if call(*command) else [name]
    if failed:
        print(f"Failed: {', '.join(failed)}")
    return int(bool(failed))


def test(extra: list[str]) -> int:
    """Every suite; pytest lists each test left out with its reason, and what apt could not bring is said after it."""
    missing = missing_browser()
    code = steps(LINT | {"pytest": [PYTHON, "-m", "pytest", *SIDE_BY_SIDE, "-rs", *extra]})
    if missing:
        print(f"Left out, browser tests: {missing}")
    return code


def bench(names: list[str], extra: list[str]) -> int:
    """The measurements named, or every module of benchmarks/ that can be run."""
    files = sorted((ROOT / "benchmarks").glob("*.py"))
    names = names or [path.stem for path in files if '__name__ == "__main__"' in path.read_text("utf-8")]
    return steps({name: [PYTHON, "-m", f"benchmarks.{name}", *extra] for name in names})


def lock(extra: list[str]) -> int:
    """Both locks, for every platform, with hashes and no index's address; whatever both pin, they pin alike."""
    if not make_venv():
        sys.exit(f"{UV_PIN} could not be installed, and only it writes the locks.")
    command = (*UV, "compile", "pyproject.toml", "--universal", "--python-version=3.11", "--generate-hashes")
    clean, env = ("--no-header", "--no-emit-index-url", "--no-annotate", *extra), uv_environment(local=False)
    return int(not all(call(*command, *EXTRAS[name], *clean, "-o", name, env=env) for name in EXTRAS))


def main(arguments: list[str]) -> int:
    """Runs one command; the demo takes this process's place, so that Ctrl-C reaches it and nothing else."""
    if sys.version_info < (3, 11):
        sys.exit(f"memberbot needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}")
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("run", "test", "setup", "lint", "bench", "lock"))
    parser.add_argument("names", nargs="*", help="bench: which measurements, all by default")
    parser.add_argument("--port", help="run: the port to listen on")
    asked, extra = parser.parse_args(arguments[:cut]), arguments[cut + 1 :]
    if asked.command == "lock":
        return lock(extra)
    setup(RUN_LOCK if asked.command in ("run", "setup") else DEV_LOCK)
    if asked.command == "run":
        port = ["--port", asked.port] if asked.port else []
        command = (PYTHON, str(BIN / "memberbot"), "demo", *port, *extra)
        return os.execve(PYTHON, command, environment()) if os.name == "posix" else int(not call(*command))
    if asked.command == "bench":
        return bench(asked.names, extra)
    return test(extra) if asked.command == "test" else steps(LINT if asked.command == "lint" else {})


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
