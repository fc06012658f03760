"""From YAML nodes to plain data in which every value still knows its line and column.

YAML 1.1 surprises are off: only true/false are booleans, only decimal digits are numbers, dates and 09:30 stay text.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import isfinite, nan
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from bot.config_text import MAX_DEPTH, Problem, Unreadable, compose, printable, read_text

Key = tuple[str | int, ...]
_Pair = tuple[yaml.Node, yaml.Node]

MAX_NODES = 20_000

_TAG = "tag:yaml.org,2002:"
_INT = re.compile(r"-?(?:0|[1-9][0-9]{0,30})")
_FLOAT = re.compile(r"-?(?:(?:0|[1-9][0-9]*)\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_REFERENCE = re.compile(r"\$\$\{|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})?")


class Spot(NamedTuple):
    """Where a value stands, and where its key stands (the value's own place when it has no key)."""

    file: str
    line: int
    column: int
    key_line: int
    key_column: int


@dataclass(slots=True)
class Document:
    """Plain data beside what is known of it: places, values that could not be made, texts that came from outside."""

    file: str
    data: dict[str, Any] = field(default_factory=dict)
    spots: dict[Key, Spot] = field(default_factory=dict)
    broken: dict[Key, Problem] = field(default_factory=dict)
    faults: list[Problem] = field(default_factory=list)
    raw: dict[Key, str] = field(default_factory=dict)
    secrets: dict[Key, tuple[str, ...]] = field(default_factory=dict)

    def forget(self, path: Key) -> None:
        """Drop all that is known at and below `path`, because another value takes its place."""
        for known in (self.spots, self.broken, self.raw, self.secrets):
            for key in [key for key in known if key[: len(path)] == path]:
                del known[key]

    def put(self, path: Key, value: Any) -> None:
        """Set a value, making mappings on the way where there is none; the way must not lead through a scalar."""
        here: Any = self.data
        for part in path[:-1]:
            if isinstance(here, dict) and here.get(part) is None:
                here[part] = {}
            here = here[part]
        here[path[-1]] = value

    def problem(self, path: Key, message: str, suggestion: str | None = None, *, at_key: bool = False) -> Problem:
        """Place a message at `path`, or at the nearest thing above it that exists."""
        path = self._as_written(path)
        held = next(path[:n] for n in range(len(path), -1, -1) if path[:n] in self.spots)
        spot = self.spots[held]
        line, column = (spot.key_line, spot.key_column) if at_key and held == path else (spot.line, spot.column)
        return Problem(spot.file, line, column, dotted(path), " ".join(message.splitlines()), suggestion)

    def _as_written(self, path: Key) -> Key:
        """Leave out the place in a list where only one thing was written instead of a list."""
        written: Key = ()
        for part in path:
            above = [spot for spot in self.spots if spot[: len(written)] == written and len(spot) > len(written)]
            if isinstance(part, int) and any(isinstance(spot[len(written)], str) for spot in above):
                continue
            written += (part,)
        return written


def dotted(path: Key) -> str:
    """`("shop", "stores", 0, "id")` as `shop.stores[0].id`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{printable(part)}" for part in path)
    return "".join(parts).removeprefix(".")


def read(path: Path, env: Mapping[str, str]) -> Document:
    """The whole file; raises only `Unreadable`."""
    doc = Document(str(path))
    text, doc.faults = read_text(path)
    node = compose(text, doc.file)
    if not isinstance(node, yaml.MappingNode):
        place = (node.start_mark.line + 1, node.start_mark.column + 1) if node else (1, 1)
        raise Unreadable(doc.file, *place, "文件最外层应是“键: 值”" if node else "文件是空的,没有任何配置")
    doc.data = _Builder(doc, env).value(node, ())
    if wrong := doc.broken.get(()):
        raise Unreadable(doc.file, wrong.line, wrong.column, wrong.message)
    return doc


def read_variable(doc: Document, path: Key, label: str, text: str) -> Any:
    """The value of an override: YAML flow text or a scalar; what is not YAML is simply text."""
    text = text.strip()
    if text[:1] in ("[", "{", '"', "'"):
        try:
            node = compose(text, label)
        except Unreadable:
            node = None
        if node is not None:
            return _Builder(doc, None, label).value(node, path)
    doc.spots[path] = Spot(label, 0, 0, 0, 0)
    return _from_outside(doc, path, text, text)


def _from_outside(doc: Document, path: Key, text: str, *secrets: str) -> str | int | float | bool | None:
    """Keep the raw text too: whether 123456 is a number or a text is for the target field to say."""
    doc.raw[path], doc.secrets[path] = text, secrets
    value = plain(text)
    return text if isinstance(value, float) and not isfinite(value) else value


def plain(text: str) -> str | int | float | bool | None:
    """The value of an unquoted scalar; a float may come out not finite."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return nan if _NOT_FINITE.fullmatch(text) else text


class _Builder:
    """Turns nodes into plain data; aliases are expanded, `MAX_NODES` values in all."""

    def __init__(self, doc: Document, env: Mapping[str, str] | None, label: str | None = None) -> None:
        self._doc, self._env, self._label = doc, env, label
        self._made = 0
        self._open: set[int] = set()

    def value(self, node: yaml.Node, path: Key, key: yaml.Node | None = None) -> Any:
        """The value, or None where it is recorded as broken."""
        self._doc.spots[path] = self._spot(node, key or node)
        self._count(path)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if id(node) in self._open:
            return self._break(path, "锚点(&)引用了自己")
        if len(path) > MAX_DEPTH:
            return self._break(path, "嵌套太深")
        if node.tag != (f"{_TAG}map" if isinstance(node, yaml.MappingNode) else f"{_TAG}seq"):
            return self._break(path, "不支持“!”标签")
        with self._inside(node):
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            return [self.value(item, (*path, n)) for n, item in enumerate(node.value)]

    def _spot(self, node: yaml.Node, key: yaml.Node) -> Spot:
        if self._label:
            return Spot(self._label, 0, 0, 0, 0)
        at, name = node.start_mark, key.start_mark
        return Spot(self._doc.file, at.line + 1, at.column + 1, name.line + 1, name.column + 1)

    def _count(self, path: Key) -> None:
        self._made += 1
        if self._made > MAX_NODES:
            spot = self._doc.spots[path]
            raise Unreadable(
                spot.file, spot.key_line, spot.key_column, f"超过 {MAX_NODES} 个值(别名 * 展开后),拒绝读取"
            )

    def _break(self, path: Key, why: str) -> Any:
        self._doc.broken[path] = self._doc.problem(path, why)
        return None

    @contextmanager
    def _inside(self, node: yaml.Node) -> Iterator[None]:
        self._open.add(id(node))
        yield
        self._open.discard(id(node))

    def _mapping(self, node: yaml.MappingNode, path: Key) -> dict[str, Any]:
        own, merged = self._entries(node, path)
        made: dict[str, Any] = {}
        first: dict[str, yaml.Node] = {}
        for key, value in own:
            name = self._name(key, path)
            if name is None:
                continue
            if name in first:
                self._fault(key, (*path, name), f"键重复了,第一次写在第 {first[name].start_mark.line + 1} 行")
            else:
                first[name] = key
                self._entry(made, key, value, (*path, name))
        for key, value in merged:
            name = self._name(key, path)
            if name is not None and name not in first:
                first[name] = key
                self._entry(made, key, value, (*path, name))
        return made

    def _entry(self, made: dict[str, Any], key: yaml.Node, node: yaml.Node, path: Key) -> None:
        value = self.value(node, path, key)
        if path not in self._doc.broken:
            made[str(path[-1])] = value

    def _entries(self, node: yaml.MappingNode, path: Key) -> tuple[list[_Pair], list[_Pair]]:
        """The mapping's own pairs, and those that `<<` brings, nearest first."""
        own: list[_Pair] = []
        merged: list[_Pair] = []
        for key, value in node.value:
            if not (isinstance(key, yaml.ScalarNode) and key.value == "<<" and key.tag == "!plain"):
                own.append((key, value))
                continue
            for base in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                self._count(path)
                if not isinstance(base, yaml.MappingNode) or id(base) in self._open:
                    self._fault(key, path, "“<<”只能合并另一组键值(*锚点)")
                    continue
                with self._inside(base):
                    for pairs in self._entries(base, path):
                        merged += pairs
        return own, merged

    def _name(self, key: yaml.Node, path: Key) -> str | None:
        if not isinstance(key, yaml.ScalarNode) or key.tag not in ("!plain", f"{_TAG}str"):
            self._fault(key, path, "键名只能是普通文字")
            return None
        if not key.value:
            self._fault(key, path, "键名是空的")
            return None
        return str(key.value)

    def _fault(self, at: yaml.Node, path: Key, why: str) -> None:
        spot = self._spot(at, at)
        self._doc.faults.append(Problem(spot.file, spot.line, spot.column, dotted(path), why))

    def _scalar(self, node: yaml.ScalarNode, path: Key) -> Any:
        text, bare = str(node.value), node.tag == "!plain"
        if not bare and node.tag != f"{_TAG}str":
            return self._break(path, "不支持“!”标签")
        if self._env is None:
            self._doc.secrets[path] = (text,)
            return _from_outside(self._doc, path, text, text) if bare else text
        if "${" in text:
            return self._substitute(text, path, self._env, bare=bare)
        value = plain(text) if bare else text
        if isinstance(value, float) and not isfinite(value):
            return self._break(path, "不能是 NaN 或无穷大")
        return value

    def _substitute(self, text: str, path: Key, env: Mapping[str, str], *, bare: bool) -> Any:
        secrets: list[str] = []
        missing: list[str] = []
        used = False

        def fill(found: re.Match[str]) -> str:
            nonlocal used
            name, default = found.groups()
            if found.group() == "$${":
                return "${"
            used = True
            if name is None:
                missing.append("")
            elif (value := env.get(name)) or (value is not None and default is None):
                secrets.append(value)
                return value
            elif default is None:
                missing.append(name)
            return default or ""

        filled = _REFERENCE.sub(fill, text)
        if "" in missing:
            return self._break(path, "“${”的写法不对,应为 ${NAME} 或 ${NAME:-默认值};要原样写出请用 $${")
        if missing:
            return self._break(path, f"环境变量 {'、'.join(dict.fromkeys(missing))} 没有设置")
        if not used:
            return filled
        if bare:
            return _from_outside(self._doc, path, filled, *secrets)
        self._doc.raw[path], self._doc.secrets[path] = filled, tuple(secrets)
        return filled
