"""The command line's models: fitted, judged, shown, and taken back."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from bot.console import Bar, Json, out, show
from bot.opening import DEFAULT, ConfigPath, open_service, refuse
from bot.service import Service
from handlers.privacy_copy import STAGES as OF_MEMBERS
from members import models, scores, settings
from members.models import NAMES, Version
from recommend import turn

KINDS = "或 ".join(f"{kind}({name})" for kind, name in NAMES.items())
STATES = {"current": "在用", "former": "用过", "refused": "没有启用", "rolled_back": "已退回"}
STAGES = {**OF_MEMBERS, "": "看不出"}


def fit(config: ConfigPath = DEFAULT, json: Json = False) -> None:
    """Fit the models anew, keep those that are not worse on the newest days, and score every member."""
    service = open_service(config)
    with _alone(service) as owner:
        _run(service, True, json, owner)


def score(config: ConfigPath = DEFAULT, json: Json = False) -> None:
    """Score every member with the models in use."""
    service = open_service(config)
    _all_readable(service)
    with _alone(service) as owner:
        _run(service, False, json, owner)


def _all_readable(service: Service, but: str = "") -> None:
    """Exit with 2 when a model in use (of another kind than `but`) can't be read: its forecasts would be lost."""
    if lost := [kind for kind in _lost(service) if kind != but]:
        names = "、".join(f"「{NAMES[kind]}」" for kind in lost)
        refuse(f"在用的{names}模型读不出来(换过版本,或文件坏了),原来的打分没有动;先运行 memberbot model fit")


def _lost(service: Service) -> list[str]:
    from recommend import registry

    with service.database.reading() as connection:
        return [kind for kind in models.KINDS if registry.lost(connection, service.models, kind)]


@contextmanager
def _alone(service: Service) -> Iterator[str]:
    """Hold the night's turn and yield whose it is; exit with 2 when another night runs."""
    owner = turn.owner()
    try:
        with turn.keeping(service.database, owner, since=service.clock.now()):
            yield owner
    except turn.NightRunning as other:
        refuse(f"{other.line(service.config.shop.zone)},请等它算完再试")
    except turn.NightLost:
        refuse("停得太久,另一处已经重新开始算推荐,这里不再算")


def _run(service: Service, fit: bool, json: bool, owner: str) -> None:
    from recommend.store import Store  # brings scikit-learn

    shop = service.config.shop
    store = Store(service.database, service.config.recommend, service.models, shop.zone, shop.day_start)
    try:
        with Bar() as bar:
            night = store.run(service.clock.now(), fit=fit, told=bar.told, owner=owner)
    except OSError as error:
        refuse(f"模型文件写不进 {error.filename or service.models},请检查文件夹的权限和空间({error.errno})")
    outcomes = [
        {"kind": one.kind, "version": one.version, "promoted": one.promoted, **one.measures} for one in night.outcomes
    ]
    found = {"lines": night.lines, "members": night.members, "models": outcomes}
    show(found, json, lambda _: out(night.line().replace(";", "\n")))


def show_models(config: ConfigPath = DEFAULT, json: Json = False) -> None:
    """Show the models there are, how each did on days it had not seen, and when members were scored last."""
    service = open_service(config)
    with service.database.reading() as connection:
        versions = [one for kind in models.KINDS for one in models.history(connection, kind)]
        scored, last = scores.summary(connection), settings.get(connection, "recommend:night")
    lost = _lost(service)
    rows = [_row(one) | {"readable": one.state != "current" or one.kind not in lost} for one in versions]
    found: dict[str, Any] = {"models": rows, "scores": scored, "last": last}
    show(found, json, lambda _: out("\n".join(_lines(versions, scored, last, lost, service.config.shop.zone))))


def _row(one: Version) -> dict[str, Any]:
    names = ("id", "kind", "state", "fitted_at", "cut", "file", "checksum", "measures")
    return {name: getattr(one, name) for name in names}


def _lines(
    versions: list[Version], scored: dict[str, Any], last: dict[str, Any] | None, lost: list[str], zone: ZoneInfo
) -> list[str]:  # fmt: skip
    def state(one: Version) -> str:
        unread = one.state == "current" and one.kind in lost
        return STATES[one.state] + (",但读不出来,今夜重新学" if unread else "")

    lines = [
        f"{one.id}\t{NAMES[one.kind]}\t{state(one)}\t学到 {one.cut}\t{_measured(one)}\t{one.checksum[:12]}"
        for one in versions
    ] or ["还没有模型,先按次数推荐;运行 memberbot model fit"]
    if scored["members"]:
        stages = "、".join(f"{STAGES.get(stage, stage)} {many}" for stage, many in sorted(scored["stages"].items()))
        lines.append(f"打分\t{scored['members']} 位会员,截至 {scored['newest']} 早上:{stages}")
    if last:
        lines.append(f"上次\t{datetime.fromisoformat(last['at']).astimezone(zone):%Y-%m-%d %H:%M}\t{last['line']}")
    return lines


def _measured(one: Version) -> str:
    words = {"recall": "召回", "ndcg": "NDCG", "hits": "提醒命中", "brier": "Brier"}
    own, other = one.measures.get("candidate") or {}, one.measures.get("current") or {}
    told = [
        f"{word} {own[name]}" + (f"(当时在用的 {other[name]})" if name in other else "")
        for name, word in words.items()
        if name in own
    ]
    return " ".join(told) or "没有可比的日子"


def rollback(
    kind: Annotated[str, typer.Argument(metavar="KIND", help=KINDS)],
    config: ConfigPath = DEFAULT,
    json: Json = False,
) -> None:
    """Use the model before the current one, and score every member with it."""
    kind = {word: name for name, word in NAMES.items()}.get(kind, kind)
    if kind not in models.KINDS:
        refuse(f"没有叫「{kind}」的模型。可以写:{'、'.join(models.KINDS)}")
    service = open_service(config)
    from recommend import registry

    with service.database.reading() as connection:
        former = next((one for one in models.history(connection, kind) if one.state == "former"), None)
    if former is None:
        refuse(f"「{NAMES[kind]}」没有更早的模型可以退回")
    _all_readable(service, but=kind)
    try:
        registry.load(service.models, former)
    except (ValueError, OSError) as error:
        why = "文件不在了" if isinstance(error, FileNotFoundError) else "文件坏了"
        refuse(f"更早的模型文件 {former.file} 读不出来({why}),没有退回")
    with _alone(service) as owner:
        try:
            with service.database.transaction() as connection:
                found = models.roll_back(connection, kind)
        except LookupError:
            refuse(f"「{NAMES[kind]}」刚被别人改过,请再试一次")
        if not json:
            out(f"{NAMES[kind]}:改用 {found.id} 号模型(学到 {found.cut})")
        _run(service, False, json, owner)
