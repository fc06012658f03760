"""The command line's books: a member's statement, the check of one without any books, what the shop owes."""

from pathlib import Path
from typing import Annotated, Any

import typer

from bot.console import Json, out, show
from bot.finding import find
from bot.opening import DEFAULT, ConfigPath, open_service, refuse
from handlers.copy import yuan
from members import liability, statements

MONEY = ("principal", "gift")
NAMES = {"points": "积分", "pending": "待生效积分", "principal": "本金", "gift": "赠送金", "owed": "欠扣积分"}
VERIFY = "verify"


def statement(
    ref: Annotated[str, typer.Argument(metavar="MEMBER", help="会员编号、手机号或 openid;写 verify 则核对一份对账单")],
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="要核对的对账单(verify)")] = None,
    target: Annotated[Path | None, typer.Option("--out", help="写到文件,不写则打印")] = None,
    head: Annotated[str | None, typer.Option(help="核对时:微信里「对账」显示的末端指纹")] = None,
    config: ConfigPath = DEFAULT,
    json: Json = False,
) -> None:
    """Print or write every line of a member's books; `statement verify FILE` checks one, exit 1 when it was changed."""
    if ref == VERIFY:
        if file is None:
            refuse("请写出要核对的文件:memberbot statement verify FILE")
        _verify(file, head, json)
        return
    if file is not None:
        refuse("要核对对账单请写:memberbot statement verify FILE")
    service = open_service(config)
    with service.database.reading() as connection:
        lines = list(statements.statement(connection, find(service, connection, ref)))
    if target is not None:
        _write(target, lines)
        lines = [lines[0], lines[-1]]
    show(lines, json, lambda _: out(f"已写入 {target}" if target else "\n".join(statements.as_text(lines))))


def _write(target: Path, lines: list[dict[str, Any]]) -> None:
    try:
        target.write_text("".join(f"{line}\n" for line in statements.as_text(lines)), "utf-8")
    except OSError as error:
        refuse(f"写不了 {target}:{error.strerror}")


def _verify(file: Path, head: str | None, json: bool) -> None:
    """Check a statement with nothing but the file."""
    try:
        found = statements.examine(file.read_text("utf-8").split("\n"))
    except OSError as error:
        refuse(f"读不了 {file}:{error.strerror}")
    except UnicodeDecodeError:
        refuse(f"{file} 不是 UTF-8 文本")
    shown = statements.short(found.head)
    if head is not None and not found.head.startswith(_plain(head)):
        found.problems.append(f"账链末端是 {shown},与给出的 {head} 不同")
    result = {
        "member": found.member, "entries": found.entries, "balances": found.balances, "head": found.head,
        "problems": found.problems,
    }  # fmt: skip
    said = (
        "\n".join(found.problems) or f"核对无误:会员 {found.member},共 {found.entries} 笔,{_balances(found.balances)}"
    )
    show(result, json, lambda _: out(f"{said}\n账链末端 {shown},请与微信里回复「对账」看到的比对"))
    if found.problems:
        raise typer.Exit(1)


def _plain(head: str) -> str:
    return head.replace(" ", "").lower()


def _balances(balances: dict[str, int]) -> str:
    said = [f"{NAMES.get(k, k)} {yuan(v) if k in MONEY else v}" for k, v in balances.items() if v]
    return "、".join(said) or "余额为零"


def report_liability(config: ConfigPath = DEFAULT, json: Json = False) -> None:
    """Say what members hold and what it may cost: points, balance, coupons, with the share expected to be used."""
    service = open_service(config)
    with service.database.reading() as connection:
        found = liability.forecast(connection, service.config.rules, service.clock.now())
    show(found.as_dict(), json, lambda _: out("\n".join(liability.lines(found))))
