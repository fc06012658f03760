"""The command line's running part: the service, its worker, the demo shop, one turn of chat."""

import socket
from collections.abc import Mapping
from typing import Annotated, Any

import httpx
import typer

from bot import demo, logs, saying, serving
from bot.console import Bar, Json, out, show
from bot.opening import DEFAULT, PORT, ConfigPath, Port, open_service, refuse, running_address
from bot.service import Service
from members import identity, settings


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


def work(config: ConfigPath = DEFAULT) -> None:
    """Run scheduler and delivery without HTTP, for a second host."""
    logs.configure()
    serving.work(open_service(config))


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
