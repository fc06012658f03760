"""The bodies the platform posts, field by field as the real one writes them."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

Fields = Mapping[str, object]
ILLEGAL: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
MASS_SENDER: Final = "mphelper"


def render(fields: Fields) -> str:
    """Nested fields as XML: integers bare, strings in CDATA, a list as repeated elements; no order is changed."""
    return f"<xml>{_elements(fields)}</xml>"


def _elements(fields: Fields) -> str:
    return "".join(_element(name, value) for name, value in fields.items())


def _element(name: str, value: object) -> str:
    if isinstance(value, list):
        return "".join(_element(name, item) for item in value)
    if isinstance(value, Mapping):
        return f"<{name}>{_elements(value)}</{name}>"
    if isinstance(value, int):
        return f"<{name}>{value}</{name}>"
    return f"<{name}><![CDATA[{_safe(str(value))}]]></{name}>"


def _safe(text: str) -> str:
    return ILLEGAL.sub("", text).replace("]]>", "]]]]><![CDATA[>")


def head(to: str, sender: str, created: int, fields: Fields) -> dict[str, object]:
    """Any callback: the four common fields, then its own."""
    return {"ToUserName": to, "FromUserName": sender, "CreateTime": created, **fields}


def text(content: str, msg_id: int, menu_item: str | None = None) -> dict[str, object]:
    """A typed text, or a click in a msgmenu ("arrives as text with `bizmsgmenuid`")."""
    clicked = {} if menu_item is None else {"bizmsgmenuid": menu_item}
    return {"MsgType": "text", "Content": content, "MsgId": msg_id, **clicked}


def image(url: str, media_id: str, msg_id: int) -> dict[str, object]:
    return {"MsgType": "image", "PicUrl": url, "MsgId": msg_id, "MediaId": media_id}


def voice(media_id: str, recognition: str, msg_id: int) -> dict[str, object]:
    return {"MsgType": "voice", "MediaId": media_id, "Format": "amr", "MsgId": msg_id, "Recognition": recognition}


def location(latitude: float, longitude: float, label: str, msg_id: int) -> dict[str, object]:
    place = {"Location_X": f"{latitude:.6f}", "Location_Y": f"{longitude:.6f}", "Scale": 15, "Label": label}
    return {"MsgType": "location", **place, "MsgId": msg_id}


def event(name: str, **fields: object) -> dict[str, object]:
    return {"MsgType": "event", "Event": name, **fields}


def subscribe(scene: str | None, ticket: str | None) -> dict[str, object]:
    """ "`EventKey=qrscene_<scene>` and Ticket when it came from a QR code" """
    if scene is None:
        return event("subscribe", EventKey="")
    return event("subscribe", EventKey=f"qrscene_{scene}", Ticket=ticket or "")


def scan(scene: str, ticket: str) -> dict[str, object]:
    """ "EventKey = scene without prefix" """
    return event("SCAN", EventKey=scene, Ticket=ticket)


def position(latitude: float, longitude: float, precision: float) -> dict[str, object]:
    return event("LOCATION", Latitude=f"{latitude:.6f}", Longitude=f"{longitude:.6f}", Precision=f"{precision:.6f}")


def template_finished(msg_id: int, status: str) -> dict[str, object]:
    """ "`MsgID` (capital D); Status success, failed:user block, failed: system failed, failed:freq limit" """
    return event("TEMPLATESENDJOBFINISH", MsgID=msg_id, Status=status)


def mass_finished(msg_id: int, total: int, filtered: int, sent: int, failed: int) -> dict[str, object]:
    """docs: FilterCount is what is left after filtering, about SentCount + ErrorCount."""
    counts = {"TotalCount": total, "FilterCount": filtered, "SentCount": sent, "ErrorCount": failed}
    return event("MASSSENDJOBFINISH", MsgID=msg_id, Status="send success", **counts)


def popup_answered(answers: Sequence[tuple[str, bool]]) -> dict[str, object]:
    """The person answered the pop-up for these template ids."""
    rows = [_answer(template_id, accepted) | {"PopupScene": 2} for template_id, accepted in answers]
    return event("subscribe_msg_popup_event", SubscribeMsgPopupEvent={"List": rows})


def subscription_refused(template_ids: Sequence[str]) -> dict[str, object]:
    """The person refused templates in the notice settings."""
    rows = [_answer(template_id, False) for template_id in template_ids]
    return event("subscribe_msg_change_event", SubscribeMsgChangeEvent={"List": rows})


def subscription_sent(template_id: str, msg_id: int, error: int, status: str) -> dict[str, object]:
    row = {"TemplateId": template_id, "MsgID": msg_id, "ErrorCode": error, "ErrorStatus": status}
    return event("subscribe_msg_sent_event", SubscribeMsgSentEvent={"List": [row]})


def _answer(template_id: str, accepted: bool) -> dict[str, object]:
    return {"TemplateId": template_id, "SubscribeStatusString": "accept" if accepted else "reject"}
