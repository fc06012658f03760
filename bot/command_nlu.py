"""The command line's ears: how texts are understood, how well, and the model fitted anew."""

import json as jsonlib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from bot.console import Json, out
from bot.opening import load
from handlers import wishes
from handlers.nlu.own import Own
from handlers.nlu.slots import found_in
from handlers.understanding import Understood, understand
from members.clock import Clock, business_date

STAFF = "staff_"
DIGITS = 4
ZONE = "Asia/Shanghai"


def nlu(
    texts: Annotated[list[str] | None, typer.Argument()] = None,
    staff: Annotated[bool, typer.Option("--staff", help="按店员来理解")] = False,
    evaluate: Annotated[
        Path | None, typer.Option("--evaluate", help="一行一句「意图<Tab>说法」的文件:算准确率,列出认错的")
    ] = None,
    fit: Annotated[bool, typer.Option("--fit", help="用 handlers/nlu/phrases 重新训练(需要开发环境)")] = False,
    config: Annotated[Path | None, typer.Option("--config", help="也用这份配置里的说法")] = None,
    json: Json = False,
) -> None:
    """Print intent, confidence and slots of each text (or of each line on standard input)."""
    if fit:
        from handlers.nlu.training import main as train

        train()
        return
    own = None if config is None else Own(load(config).understanding.phrases)
    if evaluate is not None:
        _evaluate(evaluate, own, json)
        return
    for text in texts or (line.rstrip("\n") for line in sys.stdin):
        said = wishes.understood(text, None) or understand(text, staff=staff, own=own)
        row = _row(text, said)
        if json:
            out(jsonlib.dumps(row, ensure_ascii=False))
        else:
            slots = jsonlib.dumps(row["slots"], ensure_ascii=False)
            out(f"{row['intent']}\t{row['confidence']:.2f}\t{slots}\t{text}")


def _row(text: str, said: Understood) -> dict[str, Any]:
    """Return what is printed of a line: the intent by its name in the contract, and the inner one where it differs."""
    slots = dict(said.slots)
    if not said.intent.startswith(STAFF):
        slots = {**found_in(text, business_date(Clock().now(), ZoneInfo(ZONE))), **slots}
    row: dict[str, Any] = {
        "text": text, "intent": said.contract, "confidence": round(said.confidence, DIGITS), "slots": slots,
    }  # fmt: skip
    if said.near:
        row["near"] = [{"intent": intent, "probability": round(p, DIGITS)} for intent, p in said.near]
    return row if said.contract == said.intent else row | {"within": said.intent}


def _evaluate(path: Path, own: Own | None, json: bool) -> None:
    from handlers.nlu import report

    lines = report.judge(report.read_held_out(path), own)
    if json:
        out(jsonlib.dumps(_figures(lines), ensure_ascii=False))
        return
    out(report.of_lines(lines).rstrip("\n"))
    out("\n".join(f"{line.right}\t{line.found}\t{line.text}" for line in lines if line.found != line.right))


def _figures(lines: Iterable[Any]) -> dict[str, Any]:
    judged = list(lines)
    right = sum(line.found == line.right for line in judged)
    wrong = [
        {"text": line.text, "right": line.right, "found": line.found} for line in judged if line.found != line.right
    ]
    return {
        "lines": len(judged), "right": right, "accuracy": round(right / max(1, len(judged)), DIGITS),
        "wrong_actions": sum(line.wrong_action for line in judged), "wrong": wrong,
    }  # fmt: skip
