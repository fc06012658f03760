"""The format of `*.talk`: conversations as people read them. README.md beside this file tells what each line means."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

BOT = "机器人"
NAME = r"[一-鿿A-Za-z]+\d?"
_SAID = re.compile(rf"(?P<who>{NAME})[::]\s*(?P<words>.*)")
_DONE = re.compile(rf"(?P<who>{NAME})\s*\[(?P<what>[^\]]+)\]\s*(?P<words>.*)")
_HOLE = re.compile(r"…|\{(\w+)\}")
KINDS = {
    "语音": "voice", "表情": "image", "图片": "image", "位置": "location", "关注": "subscribe", "取关": "unsubscribe",
    "扫码": "scan", "菜单": "click", "事件": "event",
}  # fmt: skip
FLAGS = {"打断即止": False, "不双开": True, "取消不同": True}
"""What differs in a conversation's variations: whether the reason has to be said."""
SETTING = "设"


class TalkError(ValueError):
    """A line that is none of the format; the text names file and line."""


@dataclass(frozen=True, slots=True)
class Expect:
    """What a reply must be (`is`, with holes), hold (`like`, a regular expression) or not hold (`not`)."""

    kind: str
    text: str
    line: int

    def pattern(self, known: Mapping[str, str]) -> re.Pattern[str]:
        """Return the expression: … is anything, {name} what is known by that name or is caught under it."""
        if self.kind != "is":
            return re.compile(self.text if self.kind == "like" else re.escape(self.text), re.S)
        parts, place = [], 0
        caught: set[str] = set()
        for hole in _HOLE.finditer(self.text):
            parts.append(re.escape(self.text[place : hole.start()]))
            place, name = hole.end(), hole[1]
            if name is None:
                parts.append(".*?")
            elif name in known:
                parts.append(re.escape(known[name]))
            else:
                parts.append(f"(?P={name})" if name in caught else rf"(?P<{name}>[^\s「」,。()]+)")
                caught.add(name)
        return re.compile("".join([*parts, re.escape(self.text[place:])]), re.S)


@dataclass(slots=True)
class Turn:
    """One thing a person says or does, and what is expected of the reply; `silent` when there must be none.

    `fresh`: it begins anew, whatever flow it finds.
    """

    who: str
    kind: str
    words: str
    line: int
    expects: list[Expect] = field(default_factory=list)
    silent: bool = False
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """A line that begins with @: something that is done to the shop, the clock or the books."""

    name: str
    words: str
    line: int


@dataclass(slots=True)
class Talk:
    """One conversation on books of its own."""

    title: str
    path: Path
    line: int
    settings: dict[str, Any] = field(default_factory=dict)
    flags: dict[str, str] = field(default_factory=dict)
    steps: list[Turn | Order] = field(default_factory=list)

    @property
    def id(self) -> str:
        """Return how the tests call it."""
        return f"{self.path.stem}-{self.title}".replace(" ", "")

    @property
    def turns(self) -> list[Turn]:
        """Return what is said, in order."""
        return [step for step in self.steps if isinstance(step, Turn)]


def read(path: Path) -> list[Talk]:
    """Return the conversations of a file; TalkError names the first line that is wrong."""
    found: list[Talk] = []
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        try:
            _take(found, path, line, number)
        except (ValueError, IndexError, yaml.YAMLError) as error:
            raise TalkError(f"{path.name}:{number}: {line!r}: {error}") from error
    for talk in found:
        if not talk.turns:
            raise TalkError(f"{path.name}:{talk.line}: nobody says anything in 「{talk.title}」")
        mute = next((turn for turn in talk.turns if not turn.silent and not turn.expects), None)
        if mute is not None:
            raise TalkError(f"{path.name}:{mute.line}: nothing is expected of the reply")
    return found


def read_all(paths: Iterable[Path]) -> list[Talk]:
    """Return the conversations of many files; two of one name are an error."""
    found = [talk for path in sorted(paths) for talk in read(path)]
    names = [talk.id for talk in found]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise TalkError(f"two conversations are called {doubled}")
    return found


def _take(found: list[Talk], path: Path, line: str, number: int) -> None:
    if not line.strip() or line.startswith("#"):
        return
    if line.startswith("=="):
        found.append(Talk(line.strip("= "), path, number))
        return
    talk = found[-1]
    if line[0] in "  \t" or line.startswith("  "):
        _longer(talk, line.strip())
    elif line.startswith("@"):
        _ordered(talk, line[1:].strip(), number)
    elif line[0] in "~!":
        kind = "like" if line[0] == "~" else "not"
        _last(talk).expects.append(Expect(kind, line[1:].strip(), number))
        re.compile(line[1:].strip() if kind == "like" else "")
    else:
        _said(talk, line, number)


def _said(talk: Talk, line: str, number: int) -> None:
    if line == f"{BOT}不作声":
        _last(talk).silent = True
        return
    done, said = _DONE.fullmatch(line), _SAID.fullmatch(line)
    if done is not None:
        talk.steps.append(Turn(done["who"], KINDS[done["what"].strip()], done["words"], number))
    elif said is None:
        raise ValueError("neither a person's line nor the bot's")
    elif said["who"] == BOT:
        _last(talk).expects.append(Expect("is", said["words"], number))
    else:
        talk.steps.append(Turn(said["who"], "text", said["words"], number))
    turns = talk.turns
    if turns and turns[-1].line == number and "另起" in talk.flags:
        turns[-1].fresh = bool(talk.flags.pop("另起"))


def _longer(talk: Talk, words: str) -> None:
    """Add a line to what the bot or a person says."""
    turn = _last(talk)
    if turn.expects:
        last = turn.expects.pop()
        turn.expects.append(Expect(last.kind, f"{last.text}\n{words}", last.line))
    else:
        turn.words = f"{turn.words}\n{words}"


def _last(talk: Talk) -> Turn:
    if not talk.steps or not isinstance(talk.steps[-1], Turn):
        raise ValueError("nobody has spoken just before")
    return talk.steps[-1]


def _ordered(talk: Talk, words: str, number: int) -> None:
    name, _, rest = words.partition(" ")
    if name == SETTING:
        if talk.steps:
            raise ValueError("settings come first")
        talk.settings = _merged(talk.settings, yaml.safe_load(rest))
    elif name == "另起":
        talk.flags[name] = "1"
    elif name in FLAGS:
        if FLAGS[name] and not rest:
            raise ValueError("say why")
        talk.flags[name] = rest
    else:
        talk.steps.append(Order(name, rest.strip(), number))


def _merged(base: Mapping[str, Any], more: Any) -> dict[str, Any]:
    if not isinstance(more, Mapping):
        raise ValueError("settings are a mapping")
    result = dict(base)
    for key, value in more.items():
        old = result.get(key)
        result[key] = _merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result
