"""Structured logs without personal data: JSON lines, ids and figures only."""

import logging
import sys
import traceback
from typing import TextIO

import structlog


def configure(stream: TextIO = sys.stderr, *, json: bool = True, level: int = logging.INFO) -> None:
    """Send structlog's and the standard library's records to one stream."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    plain = structlog.dev.ConsoleRenderer(colors=stream.isatty())
    renderer = structlog.processors.JSONRenderer(ensure_ascii=False) if json else plain
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # their INFO lines carry addresses with access tokens, every tick of the scheduler, every start of a thread
    for chatty in ("httpx", "httpcore", "apscheduler", "alembic", "uvicorn.error"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def safe_trace() -> str:
    """Return where the present exception came from: types and places; a message could hold a person's words."""
    kind, error, trace = sys.exc_info()
    frames = [
        f"{frame.filename.rsplit('/', 2)[-1]}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)
    ]
    cause = type(error.__cause__).__name__ if error is not None and error.__cause__ is not None else ""
    return " < ".join([f"{kind.__name__ if kind else ''}{'/' + cause if cause else ''}", *reversed(frames)])
