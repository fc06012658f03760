"""The `memberbot` command: everything that prints for people also prints --json for programs."""

import json as jsonlib
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import httpx
import structlog
import typer

from bot import (
    command_boards,
    command_books,
    command_import,
    command_insight,
    command_members,
    command_nlu,
    config_file,
    demo,
    logs,
    saying,
    serving,
)
from bot.command_api import apikey
from bot.command_evaluate import evaluate
from bot.command_models import model
from bot.command_shop import campaigns, imports, members_of, segments
from bot.command_staff import staff
from bot.command_wechat import wechat
from bot.config import Config
from bot.console import Bar, out, show
from bot.opening import (
    DEFAULT,
    PORT,
    ConfigPath,
    Json,
    Port,
    books_reached,
    borrow_demo,
    load,
    open_service,
    refuse,
    running_address,
)
from bot.service import Service, build
from members import auditing, identity, schema, settings
from members.vault import generate_key

app = typer.Typer(help="服务号会员机器人", no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
config_app = typer.Typer(help="检查配置", no_args_is_help=True)
db_app = typer.Typer(help="数据库结构", no_args_is_help=True)
app.add_typer(config_app, name="config")
app.add_typer(db_app, name="db")
for name, part in (
    ("import", imports),
    ("segment", segments),
    ("campaign", campaigns),
    ("staff", staff),
    ("member", members_of),
    ("wechat", wechat),
    ("apikey", apikey),
    ("report", command_books.report),
    ("model", model),
):
    app.add_typer(part, name=name)
imports.command("members")(command_import.members)
imports.command("products")(command_import.products)
imports.command("orders")(command_import.orders)
members_of.command("merge")(command_members.merge)
members_of.command("unmerge")(command_members.unmerge)
members_of.command("history")(command_members.history)
members_of.command("export")(command_members.export)
members_of.command("erase")(command_members.erase)
members_of.command("trail")(command_members.member_trail)
staff.command("trail")(command_members.staff_trail)
command_books.report.command("value")(command_boards.value)
command_books.report.command("habits")(command_boards.habits)
command_books.report.command("slow")(command_boards.slow)
app.command("statement")(command_books.statement)
app.command("recommend")(command_insight.recommend)
app.command("repurchase")(command_insight.repurchases)
app.command("nlu")(command_nlu.nlu)
app.command("evaluate")(evaluate)


@app.command()
def serve(
    config: ConfigPath = DEFAULT,
    host: str = "127.0.0.1",
    port: Port = PORT,
    workers: Annotated[int, typer.Option(min=1, help="进程数,多于一个需要 PostgreSQL")] = 1,
    no_scheduler: Annotated[bool, typer.Option("--no-scheduler", help="不跑定时任务,也不发送")] = False,
) -> None:
    """Run the webhook and, unless --no-scheduler, scheduler and delivery."""
    logs.configure()
    service = open_service(config)
    if workers == 1:
        return serving.serve_one(service, host, port, scheduler=not no_scheduler)
    if service.database.sqlite or service.config.sandbox.enabled:
        refuse("多个 worker 需要 PostgreSQL,并且不能开沙箱")
    service.close()
    serving.serve_many(config, host, port, workers, scheduler=not no_scheduler)


@app.command()
def work(config: ConfigPath = DEFAULT) -> None:
    """Run scheduler and delivery without HTTP, for a second host."""
    logs.configure()
    serving.work(open_service(config))


@app.command("demo")
def run_demo(
    config: ConfigPath = DEFAULT,
    host: str = "127.0.0.1",
    port: Port = PORT,
    households: Annotated[int, typer.Option(min=0, help="示范店的家庭数,0 为全部")] = demo.HOUSEHOLDS,
) -> None:
    """Set up the demo shop and run service, scheduler and the local WeChat platform on one port."""
    address = f"http://{host}:{port}"
    logs.configure(json=False)
    service = open_service(config, address=address)
    set_up_demo(service, households or None)
    ready = f"\n  聊天页面  {address}/sandbox/\n  发送记录  {address}/sandbox/#log\n  停止请按 Ctrl-C\n"
    serving.serve_one(service, host, port, ready=ready)


@app.command(context_settings={"ignore_unknown_options": True})  # 「-5」 is something one may say
def say(
    text: str,
    openid: Annotated[str, typer.Option("--as", help="以哪个 openid 说话")],
    staff: Annotated[bool, typer.Option("--staff", help="以店员身份(只在沙箱里)")] = False,
    config: ConfigPath = DEFAULT,
    json: Json = False,
) -> None:
    """Do one chat turn through the local platform and the real signed webhook, and print the reply."""
    logs.configure(level=30)
    folder = config.parent.resolve() / "data"
    address = running_address(folder)
    port = int(address.rsplit(":", 1)[1]) if address else free_port()
    service = open_service(config, address=address or f"http://127.0.0.1:{port}")
    if address is None:
        set_up_demo(service)
    if staff:
        demo.make_staff(service, openid)
    try:
        if address is None:
            with saying.in_process(service, port) as here:
                said = saying.say(here, openid, text)
        else:
            said = saying.say(address, openid, text)
    except ValueError as refused:
        refuse(str(refused))
    except httpx.HTTPError as error:
        refuse(f"{address} 上的服务没有开沙箱,或没有应答({type(error).__name__})")
    show(said, json, _spoken)


def set_up_demo(service: Service, households: int | None = demo.HOUSEHOLDS) -> None:
    """Set up the demo shop; exits with 2 where the books hold members of a real one."""
    if demo.is_ready(service):
        return
    from members.importing.completejourney_books import SETTING as IMPORTED  # brings numpy, which only an import needs

    with service.database.reading() as connection:
        real = settings.get(connection, IMPORTED) is None and identity.count(connection) > 0
    if real:
        refuse("这里的数据库里已有正式会员;示范店请装在另一个文件夹")
    with Bar() as bar:
        demo.set_up(service, bar, households)


def _spoken(said: Mapping[str, Any]) -> None:
    out(said["reply"] or said["failed"] or "(没有回复)")
    for message in said["messages"]:
        words = message.get("text") or message.get("title") or ""
        out(f"[{ {'sms': '短信', 'service': '客服消息'}.get(message['via'], message['via']) }] {words}")


def free_port() -> int:
    """Return a loopback port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@app.command()
def key(json: Json = False) -> None:
    """Print a new master key for privacy.keys."""
    made = generate_key()
    show({"key": made}, json, lambda _: out(made))


@config_app.command("check")
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


@config_app.command("schema")
def config_schema() -> None:
    """Print the JSON Schema of config.yaml for editors."""
    out(jsonlib.dumps(config_file.schema(Config), ensure_ascii=False, indent=2))


@db_app.command("upgrade")
def db_upgrade(config: ConfigPath = DEFAULT, json: Json = False) -> None:
    """Bring the books to the newest schema."""
    loaded = load(config)
    with books_reached():
        service = build(loaded, config)
        schema.upgrade(service.database)
        revision = schema.current(service.database)
    show({"revision": revision}, json, lambda _: out(f"数据库结构版本 {revision}"))


@db_app.command("check")
def db_check(config: ConfigPath = DEFAULT, json: Json = False) -> None:
    """Compare the models with the database; exit 1 when they differ."""
    loaded = load(config)
    with books_reached():
        service = build(loaded, config)
        found = [repr(difference) for difference in schema.differences(service.database)]
    show(found, json, lambda _: out("\n".join(found) or "数据库结构与程序一致"))
    if found:
        raise typer.Exit(1)


@app.command()
def audit(config: ConfigPath = DEFAULT, json: Json = False) -> None:
    """Check every invariant of ledger, coupons and outbox; exit 1 and rows on any breach."""
    service = open_service(config)
    with service.database.reading() as connection:
        breaches = auditing.breaches(connection, now=service.clock.now())
    rows = [{"check": b.check, "subject": b.subject, "found": b.found} for b in breaches]
    show(rows, json, lambda _: out("\n".join(f"{b.check}: {b.subject} {b.found}" for b in breaches) or "账目全部相符"))
    if breaches:
        raise typer.Exit(1)


def main() -> None:
    """Run the command line."""
    structlog.contextvars.clear_contextvars()
    app()


if __name__ == "__main__":
    main()
