"""How a command opens an installation, and how it refuses."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from sqlalchemy.exc import InterfaceError, OperationalError

from bot import config as configuration
from bot import config_file, demo
from bot.config import Config
from bot.service import Service, build
from members import settings

CONFIG_ENV = "MEMBERBOT_CONFIG_FILE"
SECRETS = ("WECHAT_APP_ID", "WECHAT_APP_SECRET", "WECHAT_TOKEN", "WECHAT_AES_KEY", "MEMBERBOT_MASTER_KEY")
KEYS = "vault:index"
RUNNING_FILE = "running.json"
DEFAULT = Path("config.yaml")
PORT = 8000
Port = Annotated[int, typer.Option(min=1, max=65535)]
ConfigPath = Annotated[Path, typer.Option("--config", help="配置文件", envvar=CONFIG_ENV)]


def borrow_demo(path: Path, *, address: str = "") -> None:
    """Take over the demo's secrets where a demo was set up, or (given an address) set one up.

    Where the environment brings every secret, this is no demo: its sandbox must not open beside a real account.
    """
    folder = path.parent.resolve() / "data"
    if address or ((folder / demo.ENV_FILE).exists() and not all(name in os.environ for name in SECRETS)):
        demo.environment(folder, os.environ, address or running_address(folder) or f"http://127.0.0.1:{PORT}")


def running_address(folder: Path) -> str | None:
    """Return where a service over this data folder listens, None when none is up."""
    try:
        noted = json.loads((folder / RUNNING_FILE).read_text())
        os.kill(int(noted["pid"]), 0)
    except (OSError, ValueError, KeyError):
        return None
    return str(noted["address"])


def load(path: Path = DEFAULT, *, address: str = "") -> Config:
    """Return the configuration; exits with 2, saying every error, when it is not valid."""
    borrow_demo(path, address=address)
    try:
        return configuration.load(path, os.environ)
    except config_file.ConfigErrors as error:
        refuse(str(error))


def open_service(path: Path = DEFAULT, *, address: str = "") -> Service:
    """Return a service with its schema up to date."""
    config = load(path, address=address)
    with books_reached():
        service = build(config, path)
        service.prepare()
        check_keys(service)
    return service


def check_keys(service: Service) -> None:
    """Exit with 2 when the master keys are not those the books began with: no phone would be found again."""
    index = service.vault.blind_index("books", "")
    with service.database.reading() as connection:
        known = settings.get(connection, KEYS)
    if known is None:
        with service.database.transaction() as connection:
            settings.put(connection, KEYS, {"index": index})
    elif known["index"] != index:
        refuse("主密钥 privacy.keys 与这套账本不符;换密钥时新的写在最前面,旧的留在后面")


@contextmanager
def books_reached() -> Iterator[None]:
    """Turn books that cannot be opened into one line and exit 2."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        why = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error.orig).__name__
        refuse(f"数据库打不开,请检查 database.url:{why}")
    except OSError as error:
        refuse(f"数据库打不开,请检查 database.url:{error.filename} {error.strerror}")


def refuse(words: str) -> NoReturn:
    """Say why in one place, on standard error, and exit with 2: bad usage or input."""
    print(words, file=sys.stderr)
    raise typer.Exit(2)
