"""What a model allows at a path, read off its JSON Schema; on that, overrides from the environment and did-you-mean."""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, JsonSchemaWarningKind
from pydantic_core import core_schema
from rapidfuzz import fuzz, process

from bot.config_document import Document, Key, Spot, dotted, read_variable
from bot.config_text import Problem, printable

_CLOSED = frozenset({"type", "enum", "const", "properties"})


class _Generator(GenerateJsonSchema):
    """A type without a JSON Schema allows anything instead of raising."""

    ignored_warning_kinds: set[JsonSchemaWarningKind] = {"skipped-choice", "non-serializable-default"}

    def handle_invalid_for_json_schema(self, schema: core_schema.CoreSchema, error_info: str) -> JsonSchemaValue:
        return {}


def schema(model: type[BaseModel]) -> dict[str, Any]:
    """JSON Schema (2020-12) of the file, for editors."""
    made = model.model_json_schema(schema_generator=_Generator)
    closed = {"additionalProperties": False} if "properties" in made else {}
    return {"$schema": _Generator.schema_dialect, "title": model.__name__, **closed, **made}


def closest(word: str, names: Iterable[str]) -> str | None:
    """The name most likely meant, or None; case, full width, `-` and `_` do not count."""
    folded = {name: _fold(name) for name in names}
    cutoff = 50 if len(word) <= 4 else 60
    hit = process.extractOne(_fold(word), folded, scorer=fuzz.ratio, score_cutoff=cutoff)
    if hit:
        return str(hit[2])
    begun = [name for name, text in folded.items() if len(word) > 2 and text.startswith(_fold(word))]
    return begun[0] if len(begun) == 1 else None


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().replace("-", "_").replace(" ", "_")


class Shape:
    """Walks a model's schema; where unions leave several possibilities, all those that agree with the data."""

    def __init__(self, model: type[BaseModel]) -> None:
        self._root = schema(model)

    def at(self, path: Key, data: Any) -> list[dict[str, Any]]:
        """The schema nodes that may describe `path`; `data` decides between tagged variants."""
        nodes = _agreeing(self._variants(self._root), data)
        for part in path:
            data = _step(data, part)
            children = [child for node in nodes for child in _children(node, part)]
            nodes = _agreeing((leaf for child in children for leaf in self._variants(child)), data)
        return nodes

    def names(self, path: Key, data: Any) -> list[str]:
        """The keys that are spelled out at `path`."""
        return list(dict.fromkeys(name for node in self.at(path, data) for name in node.get("properties", ())))

    def suggest(self, path: Key, word: str, data: Any) -> str | None:
        """A key close to `word` at `path`, or the same key in a section where it does exist."""
        sections = (f"{name}.{word}" for name in self.names((), data) if word in self.names((name,), data))
        return closest(word, (name for name in self.names(path, data) if name != word)) or next(sections, None)

    def _variants(self, node: Any) -> Iterator[dict[str, Any]]:
        if not isinstance(node, dict):
            yield {}
            return
        if "$ref" in node:
            yield from self._variants(self._root["$defs"][node["$ref"].rsplit("/", 1)[1]])
            return
        parts = [sub for word in ("anyOf", "oneOf", "allOf") for sub in node.get(word, ())]
        for sub in parts:
            yield from self._variants(sub)
        if not parts:
            yield node


def _step(data: Any, part: str | int) -> Any:
    if isinstance(data, dict):
        return data.get(part)
    return data[part] if isinstance(data, list) and isinstance(part, int) and part < len(data) else None


def _agreeing(nodes: Iterable[dict[str, Any]], data: Any) -> list[dict[str, Any]]:
    """Those variants whose constant keys are as in `data`, or all where none is."""
    every = list(nodes)
    return [node for node in every if _agrees(node, data)] or every


def _agrees(node: Mapping[str, Any], data: Any) -> bool:
    if not isinstance(data, dict):
        return True
    tags = {name: rule["const"] for name, rule in node.get("properties", {}).items() if "const" in rule}
    mapping = "properties" in node or _open(node)
    return mapping and all(name not in data or data[name] == const for name, const in tags.items())


def _children(node: Mapping[str, Any], part: str | int) -> Iterator[Any]:
    if not node.keys() & _CLOSED:
        yield {}
    elif isinstance(part, int):
        yield node.get("items", {})
    elif part in node.get("properties", {}):
        yield node["properties"][part]
    elif _open(node):
        yield node.get("additionalProperties", True)
        yield from node.get("patternProperties", {}).values()


def _open(node: Mapping[str, Any]) -> bool:
    """Whether keys may be made up here, as in a mapping from names to things."""
    return not node.keys() & _CLOSED or bool(node.get("additionalProperties") or node.get("patternProperties"))


def override(doc: Document, shape: Shape, env: Mapping[str, str], prefix: str) -> None:
    """Put `PREFIX_SECTION__KEY=value` in its place, outer keys before inner ones; what has no place is a fault."""
    chosen = [(name.removeprefix(prefix).split("__"), name) for name in env if name.startswith(prefix)]
    taken: dict[Key, str] = {}
    for parts, name in sorted(chosen, key=lambda one: ([part.casefold() for part in one[0]], one[1])):
        if len(parts) < 2:
            continue
        label = f"环境变量 {printable(name)}"
        path = _target(doc, shape, parts, label)
        if path is None:
            continue
        if path in taken:
            doc.faults.append(Problem(label, 0, 0, dotted(path), f"与{taken[path]} 指的是同一个键"))
            continue
        taken[path] = label
        _assign(doc, path, label, env[name])


def _assign(doc: Document, path: Key, label: str, text: str) -> None:
    doc.forget(path)
    for n in range(1, len(path)):
        doc.spots.setdefault(path[:n], Spot(label, 0, 0, 0, 0))
    doc.put(path, read_variable(doc, path, label, text))


def _target(doc: Document, shape: Shape, parts: list[str], label: str) -> Key | None:
    path: Key = ()
    here: Any = doc.data
    for part in parts:
        if isinstance(here, list) and part.isdecimal() and int(part) < len(here):
            path = (*path, int(part))
        elif here is not None and not isinstance(here, dict):
            wrong = "列表里没有这一项" if isinstance(here, list) else "不是一组“键: 值”,不能再往下覆盖"
            doc.faults.append(Problem(label, 0, 0, dotted(path), wrong))
            return None
        else:
            key = _match(part, path, here or {}, shape, doc.data)
            if key is None:
                hint = shape.suggest(path, part.lower(), doc.data)
                doc.faults.append(Problem(label, 0, 0, dotted((*path, part.lower())), "没有这个键", hint))
                return None
            path = (*path, key)
        here = _step(here, path[-1])
    return path


def _match(part: str, path: Key, here: Mapping[str, Any], shape: Shape, data: Any) -> str | None:
    nodes = shape.at(path, data)
    made_up = any(_open(node) for node in nodes)
    names: list[str] = [*shape.names(path, data), *(here if made_up else ())]
    for name in names:
        if name.casefold() == part.casefold():
            return name
    alike = next((name for name in names if _fold(name) == _fold(part)), None)
    return alike or (part.lower() if made_up and part else None)
