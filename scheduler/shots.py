"""One shot: a message, the channel that is legal and open now, and the budget already spent on it.

A budget is taken before the send, in the transaction that writes down the attempt; a refusal that certainly reached
nobody gives it back, and every refusal teaches what the books believed wrongly.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection

from members import consent, identity, scripts, windows
from members.vault import Vault
from scheduler import policy
from scheduler.channels import RULES, WINDOW_AFTER_ACTION, WINDOW_AFTER_MESSAGE, Channel, Meaning, SendResult, Wire
from scheduler.rules import PushRules

LOOK_AGAIN = timedelta(hours=6)
SPANS: dict[windows.Window, Any] = {"action": WINDOW_AFTER_ACTION, "message": WINDOW_AFTER_MESSAGE}
OPT_OUT = "拒收请回复R"


@dataclass(frozen=True, slots=True)
class Shot:
    """A send about to happen. `budget` names what was spent: a window's name, `consent`, or nothing."""

    channel: Channel
    openid: str = ""
    budget: Literal["", "action", "message", "consent"] = ""
    phone: str = field(default="", repr=False)
    data: dict[str, Any] = field(default_factory=dict, repr=False)
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Shut:
    """A channel that may not or cannot carry the message now; `until` when waiting may help, else it never will."""

    why: str
    until: datetime | None = None


def aim(
    connection: Connection, vault: Vault, rules: PushRules, row: Any, channel: Channel, now: datetime
) -> Shot | Shut:
    """Return the shot by this channel with its budget spent, or why there is none."""
    if not _may_carry(channel, row.kind):
        return Shut(f"{channel} 不能发这类消息")
    if channel is Channel.REPLY:
        return Shut("等会员的下一条消息", now + LOOK_AGAIN)
    quiet = policy.quiet_until(rules.policy.quiet_hours, now, rules.base.shop.zone)
    if quiet is not None and row.kind in policy.PUSHED:
        return Shut("安静时段", quiet)
    if channel is Channel.SMS:
        return _sms(connection, vault, rules, row, now)
    found = windows.of_openids(connection, _openids(connection, rules, row))
    written_in = {follower.openid: follower.script for follower in found if follower.followed}
    openids = list(written_in)
    match channel:
        case Channel.SERVICE:
            shot = _service(connection, row, openids, now)
        case Channel.SUBSCRIPTION:
            shot = _subscription(connection, row, openids, now)
        case Channel.TEMPLATE if openids and "template" in row.content:
            shot = Shot(channel, openids[0], data=row.content["template"])
        case _:
            return Shut(f"{channel} 用不了")
    return _in_script(shot, written_in.get(shot.openid, "")) if isinstance(shot, Shot) else shot


def _in_script(shot: Shot, script: str) -> Shot:
    """Return the shot in the script its reader writes; names of fields, codes and addresses are ASCII and stay."""
    return shot if script != scripts.TRADITIONAL else replace(shot, data=_spoken(shot.data, script))


def _spoken(part: Any, script: str) -> Any:
    match part:
        case str():
            return scripts.spoken(part, script)
        case dict():
            return {name: _spoken(value, script) for name, value in part.items()}
        case list():
            return [_spoken(value, script) for value in part]
        case _:
            return part


def _may_carry(channel: Channel, kind: str) -> bool:
    legal = RULES[channel]
    match kind:
        case "code":
            return channel is Channel.SMS
        case "late_reply":
            return channel is Channel.SERVICE
        case "notice":
            return legal.notices
        case "reminder":
            return legal.reminders
        case _:
            return legal.offers


def _openids(connection: Connection, rules: PushRules, row: Any) -> Sequence[str]:
    if row.openid is not None:
        return [row.openid]
    return identity.openids_of(connection, row.member_id, rules.app_id) if row.member_id is not None else []


def _service(connection: Connection, row: Any, openids: Sequence[str], now: datetime) -> Shot | Shut:
    content = {"type": "text", **{name: row.content[name] for name in _SERVICE_PARTS if name in row.content}}
    for openid in openids:
        for window, span in SPANS.items():
            if windows.take(connection, openid, window, length=span.length, most=span.messages, now=now):
                return Shot(Channel.SERVICE, openid, window, data=content)
    return Shut("没有打开的窗口", now + LOOK_AGAIN)


_SERVICE_PARTS = ("type", "text", "media_id", "title", "description", "url", "picurl", "head", "items", "tail")


def _subscription(connection: Connection, row: Any, openids: Sequence[str], now: datetime) -> Shot | Shut:
    notice = row.content.get("subscription")
    if notice is None:
        return Shut("没有订阅通知的内容")
    for openid in openids:
        if consent.use_one(connection, openid, notice["template_id"]):
            return Shot(Channel.SUBSCRIPTION, openid, "consent", data=notice)
    return Shut("没有订阅授权", now + LOOK_AGAIN)


def _sms(connection: Connection, vault: Vault, rules: PushRules, row: Any, now: datetime) -> Shot | Shut:
    shop = rules.base.shop.name
    if row.kind == "code":
        secret = json.loads(vault.unseal_system("code", row.sealed))
        minutes = str(row.content["minutes"])
        text = f"【{shop}】验证码 {secret['code']},{minutes}分钟内有效,请勿告诉他人。"
        params = {"code": secret["code"], "minutes": minutes}
        data = {"template": "verify", "params": params, "text": text}
        return Shot(Channel.SMS, row.openid or "", phone=secret["phone"], data=data)
    granted = consent.topics(connection, consent.of_member(row.member_id)).get(consent.SMS, (False, None))[0]
    phone = identity.phone_of(connection, vault, row.member_id) if granted else None
    if phone is None:
        return Shut("没有短信授权", now + LOOK_AGAIN)
    words = row.content.get("sms", row.content["text"])
    data = {"template": "marketing", "params": {"text": words}, "text": f"【{shop}】{words} {OPT_OUT}"}
    return Shot(Channel.SMS, phone=phone, data=data)


def fire(wire: Wire, row: Any, shot: Shot) -> SendResult:
    """Send; called outside any transaction. The outbox key is the client id, the same for every attempt."""
    match shot.channel:
        case Channel.SERVICE:
            return wire.send_service(shot.openid, shot.data, row.key)
        case Channel.SUBSCRIPTION:
            page = shot.data.get("page", "")
            return wire.send_subscription(shot.openid, shot.data["template_id"], shot.data["data"], page)
        case Channel.TEMPLATE:
            url = shot.data.get("url", "")
            return wire.send_template(shot.openid, shot.data["template_id"], shot.data["data"], url, row.key)
        case Channel.SMS:
            return wire.send_sms(
                shot.phone, shot.data["template"], shot.data["params"], shot.data["text"],
                openid=shot.openid or None, message_id=f"ob{row.id}",
            )  # fmt: skip
        case other:
            raise ValueError(other)


def unspend(connection: Connection, shot: Shot, now: datetime) -> None:
    """Give back the budget of a shot that certainly reached nobody."""
    if shot.budget == "consent":
        windows.give_consent_back(connection, shot.openid, shot.data["template_id"])
    elif shot.budget:
        length = SPANS[shot.budget].length
        windows.give_back(connection, shot.openid, shot.budget, length=length, now=now)


def learn(connection: Connection, shot: Shot, meaning: Meaning, now: datetime) -> None:
    """Correct what the books believe of this openid by what the platform answered."""
    unspend(connection, shot, now)
    match meaning:
        case Meaning.WINDOW_CLOSED:
            windows.close(connection, shot.openid, seen=now)
        case Meaning.WINDOW_USED_UP:
            windows.use_up(connection, shot.openid, WINDOW_AFTER_MESSAGE.messages)
        case Meaning.NOT_FOLLOWING:
            windows.left(connection, shot.openid)
        case Meaning.NO_CONSENT if shot.channel is Channel.SUBSCRIPTION:
            windows.no_consent(connection, shot.openid, shot.data["template_id"])
