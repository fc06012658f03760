"""The command line's platform part: what is set up at the service account itself."""

from typing import Annotated

import typer

from bot.console import Json, out, show
from bot.opening import DEFAULT, ConfigPath, open_service, refuse
from bot.service import Service
from bot.wechat import WeChatError
from members import arrivals, invitations

NAMES = {"store": "门店", "staff": "店员", "campaign": "活动", "referral": "邀请码"}


def menu_push(config: ConfigPath = DEFAULT, json: Json = False) -> None:
    """Replace the account's menu by the one of config.yaml."""
    service = open_service(config)
    if not service.config.wechat.menu:
        refuse("config.yaml 的 wechat.menu 是空的")
    try:
        service.wechat.menu_create({"button": service.config.wechat.menu})
    except WeChatError as error:
        refuse(f"公众平台没有接受菜单:{error}")
    show({"pushed": len(service.config.wechat.menu)}, json, lambda _: out("菜单已更新"))


def qr(
    scene: Annotated[
        str, typer.Argument(help="store:门店编号、staff:店员编号、campaign:活动名、ref:邀请码,或任意 1 到 64 个字符")
    ],
    days: Annotated[int | None, typer.Option(min=1, max=30, help="临时码的天数,不写为永久码")] = None,
    config: ConfigPath = DEFAULT,
    json: Json = False,
) -> None:
    """Create a QR code for a scene and print its address; what it names must exist."""
    service = open_service(config)
    text = _scene(service, scene)
    try:
        made = service.wechat.qr_create(text, None if days is None else days * 86_400)
    except ValueError:
        refuse("场景值要 1 到 64 个字符")
    except WeChatError as error:
        refuse(f"公众平台没有给出二维码:{error}")
    show({"ticket": made.ticket, "url": made.url, "scene": text}, json, lambda _: out(made.url))


def _scene(service: Service, typed: str) -> str:
    """Return the scene in its short form; refuses a store, person, campaign or invitation that is not there."""
    scene = arrivals.read(typed)
    with service.database.reading() as connection:
        match scene.kind:
            case "campaign":
                known = scene.ref in service.config.campaigns
            case "referral":
                known = invitations.inviter_of(connection, scene.ref) is not None
            case _:
                known = arrivals.find(connection, scene).scene == scene
    if not known:
        refuse(f"{NAMES[scene.kind]}里没有「{scene.ref}」")
    try:
        return arrivals.scene_of(scene.kind, scene.ref) if scene.kind in NAMES else typed
    except ValueError:
        refuse("场景值要 1 到 64 个字符")
