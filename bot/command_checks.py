"""The command line's checks: of the configuration, of the database's shape, of everything booked."""

import json as jsonlib
import os
from pathlib import Path
from typing import Annotated

import typer

from bot import config_file
from bot.config import Config
from bot.console import Json, out, show
from bot.opening import DEFAULT, ConfigPath, books_reached, borrow_demo, load, open_service
from bot.service import build
from members import auditing, schema


def config_check(file: Annotated[Path, typer.Argument()] = DEFAULT, json: Json = False) -> None:
    """Report every error of the configuration with its place; exit 1 when there is one."""
    borrow_demo(file)
    found = config_file.problems(file, Config, os.environ)
    rows = [
        {
            "file": p.file,
            "line": p.line,
            "column": p.column,
            "key": p.key_path,
            "message": p.message,
            "suggestion": p.suggestion,
        }
        for p in found
    ]
    show(rows, json, lambda _: out("\n".join(map(str, found)) or "配置没有问题"))
    if found:
        raise typer.Exit(1)


def config_schema() -> None:
    """Print the JSON Schema of config.yaml for editors."""
    out(jsonlib.dumps(config_file.schema(Config), ensure_ascii=False, indent=2))


def db_upgrade(config: ConfigPath = DEFAULT, json: Json = False) -> None:
    """Bring the books to the newest schema."""
    loaded = load(config)
    with books_reached():
        service = build(loaded, config)
        schema.upgrade(service.database)
        revision = schema.current(service.database)
    show({"revision": revision}, json, lambda _: out(f"数据库结构版本 {revision}"))


def db_check(config: ConfigPath = DEFAULT, json: Json = False) -> None:
    """Compare the models with the database; exit 1 when they differ."""
    loaded = load(config)
    with books_reached():
        service = build(loaded, config)
        found = [repr(difference) for difference in schema.differences(service.database)]
    show(found, json, lambda _: out("\n".join(found) or "数据库结构与程序一致"))
    if found:
        raise typer.Exit(1)


def audit(config: ConfigPath = DEFAULT, json: Json = False) -> None:
    """Check every invariant of ledger, coupons and outbox; exit 1 and rows on any breach."""
    service = open_service(config)
    with service.database.reading() as connection:
        breaches = auditing.breaches(connection, now=service.clock.now())
    rows = [{"check": b.check, "subject": b.subject, "found": b.found} for b in breaches]
    show(rows, json, lambda _: out("\n".join(f"{b.check}: {b.subject} {b.found}" for b in breaches) or "账目全部相符"))
    if breaches:
        raise typer.Exit(1)
