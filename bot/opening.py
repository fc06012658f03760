"""How a command opens an installation, and how it refuses."""

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from bot import config as configuration
from bot import config_file, demo
from bot.config import Config
from bot.service import Service, build

CONFIG_ENV = "MEMBERBOT_CONFIG_FILE"
DEFAULT = Path("config.yaml")
PORT = 8000
Json = Annotated[bool, typer.Option("--json", help="输出 JSON")]
ConfigPath = Annotated[Path, typer.Option("--config", help="配置文件", envvar=CONFIG_ENV)]


def borrow_demo(path: Path, *, address: str = "") -> None:
    """Take over the demo's secrets where a demo was set up, or (given an address) set one up."""
    folder = path.parent.resolve() / "data"
    if address or (folder / demo.ENV_FILE).exists():
        demo.environment(folder, os.environ, address or f"http://127.0.0.1:{PORT}")


def load(path: Path = DEFAULT, *, address: str = "") -> Config:
    """Return the configuration; exits with 2, saying every error, when it is not valid."""
    borrow_demo(path, address=address)
    try:
        return configuration.load(path, os.environ)
    except config_file.ConfigErrors as error:
        refuse(str(error))


def open_service(path: Path = DEFAULT, *, address: str = "") -> Service:
    """Return a service with its schema up to date."""
    service = build(load(path, address=address), path)
    service.prepare()
    return service


def refuse(words: str) -> NoReturn:
    """Say why in one place, on standard error, and exit with 2: bad usage or input."""
    print(words, file=sys.stderr)
    raise typer.Exit(2)
