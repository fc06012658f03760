"""Runs the app under uvicorn: one process, or several workers on PostgreSQL; stops gracefully."""

import errno
import json
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from types import FrameType

import structlog
import uvicorn

from bot import config as configuration
from bot import logs
from bot.app import Front, build_app
from bot.opening import CONFIG_ENV, RUNNING_FILE, refuse
from bot.running import night_of, worker_of
from bot.service import Service, build

log = structlog.get_logger("memberbot")
GRACE_SECONDS = 10
SCHEDULER_ENV = "MEMBERBOT_SCHEDULER"


class Server(uvicorn.Server):
    """uvicorn, but the pages' event streams end as soon as a stop is asked for."""

    front: Front | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin the stop."""
        if self.front is not None:
            self.front.running.end_streams()
        super().handle_exit(sig, frame)


def settings(app: Front | str, host: str, port: int, *, workers: int = 1) -> uvicorn.Config:
    """Return uvicorn's settings: uvloop, httptools, no access log (it would hold openids)."""
    return uvicorn.Config(
        app, host=host, port=port, workers=workers, factory=isinstance(app, str), loop="uvloop", http="httptools",
        ws="none", access_log=False, log_config=None, timeout_graceful_shutdown=GRACE_SECONDS, server_header=False,
        date_header=False,
    )  # fmt: skip


def serve_one(service: Service, host: str, port: int, *, scheduler: bool = True, ready: str = "") -> None:
    """Serve in this process until told to stop; `ready` is printed when the port is open."""
    address = f"http://{host}:{port}"
    front = build_app(service, scheduler=scheduler, address=address)
    server = Server(settings(front, host, port))
    server.front = front
    note = service.folder / RUNNING_FILE
    note.parent.mkdir(parents=True, exist_ok=True)
    with open_port(host, port) as listener:
        note.write_text(json.dumps({"address": address, "pid": os.getpid()}))
        if ready:
            print(ready, flush=True)
        # after a graceful stop uvicorn raises the signal again for whoever stood here before it: nobody
        for asked in (signal.SIGINT, signal.SIGTERM):
            signal.signal(asked, signal.SIG_IGN)
        try:
            server.run(sockets=[listener])
        finally:
            note.unlink(missing_ok=True)


def open_port(host: str, port: int) -> socket.socket:
    """Return a socket bound there; exits with 2, saying why, when that cannot be."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            refuse(f"端口 {port} 已被占用,请用 --port 换一个,或先停掉占用它的程序")
        refuse(f"不能在 {host}:{port} 监听:{error.strerror}")
    return listener


def work(service: Service) -> None:
    """Run scheduler and delivery in this process until told to stop; what is unsent stays in the outbox."""
    stop = threading.Event()
    for asked in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked, lambda *_: stop.set())
    night = night_of(service)
    worker = worker_of(service, night)
    worker.start()
    log.info("working", books=service.database.url.get_backend_name())
    stop.wait()
    worker.stop()
    night.stop()
    service.close()
    log.info("stopped")


def serve_many(path: Path, host: str, port: int, workers: int, *, scheduler: bool = True) -> None:
    """Serve with several worker processes; each builds its own service from the same configuration."""
    open_port(host, port).close()
    # spawn would run the launching script again in every worker; they need nothing of it
    vars(sys.modules["__main__"]).pop("__file__", None)
    os.environ[CONFIG_ENV] = str(path)
    os.environ[SCHEDULER_ENV] = "1" if scheduler else "0"
    uvicorn.run(
        "bot.serving:worker", factory=True, host=host, port=port, workers=workers, loop="uvloop", http="httptools",
        ws="none", access_log=False, log_config=None, timeout_graceful_shutdown=GRACE_SECONDS,
    )  # fmt: skip


def worker() -> Front:
    """Build the app of one worker process."""
    logs.configure()
    path = Path(os.environ[CONFIG_ENV])
    config = configuration.load(path, os.environ)
    return build_app(build(config, path), scheduler=os.environ[SCHEDULER_ENV] == "1")
