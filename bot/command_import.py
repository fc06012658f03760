"""The command line's imports from tables: members, products and orders, each with a cleaning report."""

import json as jsonlib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from bot.console import Bar, Json, out, show
from bot.opening import DEFAULT, ConfigPath, open_service, refuse
from members.audit import Actor
from members.importing.report import CleaningReport
from members.importing.run import Run
from members.importing.tabular import TableError
from members.importing.tabular_members import import_members
from members.importing.tabular_orders import import_orders
from members.importing.tabular_products import import_products

BY = Actor("import", origin="cli")
FILE = typer.Argument(metavar="FILE", help="CSV(UTF-8 或 GBK)或 Parquet,第一行是列名")
TableFile = Annotated[Path, FILE]
Rejected = Annotated[Path | None, typer.Option(help="没有导入的行写到这个 CSV,改好可以再导入")]
Issuer = Annotated[str, typer.Option(help="「客户号」是哪个系统编的,订单和会员要写同一个")]


def members(
    file: TableFile, rejected: Rejected = None, issuer: Issuer = "import", config: ConfigPath = DEFAULT,
    json: Json = False,
) -> None:  # fmt: skip
    """Import members with what they own; safe to repeat."""
    _run(import_members, file, rejected, issuer, config, json)


def products(file: TableFile, rejected: Rejected = None, config: ConfigPath = DEFAULT, json: Json = False) -> None:
    """Import articles, new ones and changes of known ones; safe to repeat."""
    _run(import_products, file, rejected, "import", config, json)


def orders(
    file: TableFile,
    rejected: Rejected = None,
    issuer: Issuer = "import",
    group_numbers: Annotated[bool, typer.Option("--group-numbers", help="订单号全集团不重复,不按门店分")] = False,
    config: ConfigPath = DEFAULT,
    json: Json = False,
) -> None:
    """Import orders, a row per line or per order, with the points the young ones earn; safe to repeat."""

    def bring_in(run: Run, path: Path) -> CleaningReport:
        return import_orders(run, path, per_store=not group_numbers)

    _run(bring_in, file, rejected, issuer, config, json)


def _run(
    bring_in: Callable[[Run, Path], CleaningReport], file: Path, rejected: Path | None, issuer: str, config: Path,
    json: bool,
) -> None:  # fmt: skip
    service = open_service(config)
    try:
        with Bar() as bar:
            run = Run(
                service.database, service.vault, service.config.rules, service.config.wechat.app_id, BY,
                service.clock.now(), bar, issuer, rejected,
            )  # fmt: skip
            report = bring_in(run, file)
    except TableError as error:
        refuse(str(error))
    except OSError as error:
        refuse(f"读写不了 {error.filename or file}:{error.strerror}")
    show(jsonlib.loads(report.to_json()), json, lambda _: out(report.text()))
