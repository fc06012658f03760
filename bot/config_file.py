"""Loads config.yaml into a pydantic model, or says everything that is wrong with it in one go.

Not pydantic-settings: its sources keep no line numbers and pass over overrides that match no field.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import cached_property
from json import dumps
from math import isfinite
from pathlib import Path
from traceback import extract_tb
from types import UnionType
from typing import Annotated, Any, Generic, Protocol, TypeVar, Union, get_args, get_origin, runtime_checkable

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from bot.config_document import Document, Key, plain, read
from bot.config_shape import Shape, closest, override, schema
from bot.config_text import Problem, Unreadable
from bot.config_words import Fault, collapse, faults, words

__all__ = ["ConfigErrors", "CrossChecked", "Problem", "load", "problems", "schema"]

M = TypeVar("M", bound=BaseModel)

PREFIX = "MEMBERBOT_"

_SLOPPY = (ArithmeticError, AttributeError, LookupError, TypeError, RecursionError)
_PERHAPS_TEXT = frozenset({"string_type", "literal_error", "enum", "value_error", "bytes_type", "url_type"})
_SURELY_NOT_TEXT = frozenset({"int_type", "float_type", "bool_type"})
_KEY_UNKNOWN = frozenset({"extra_forbidden", "unexpected_keyword_argument"})
_BOOLEANS = {**dict.fromkeys(("yes", "on", "y", "1"), "true"), **dict.fromkeys(("no", "off", "n", "0"), "false")}
_SECRET_LENGTH = 4


class ConfigErrors(Exception):
    """All problems of one configuration, by line; the text is one problem a line."""

    def __init__(self, found: list[Problem]) -> None:
        super().__init__("\n".join(map(str, found)))
        self.problems = found


@runtime_checkable
class CrossChecked(Protocol):
    """A model that, once its structure is right, checks references between its parts: path, message, suggestion."""

    def cross_check(self) -> Iterable[tuple[tuple[str | int, ...], str, str | None]]: ...


@runtime_checkable
class PartlyChecked(Protocol):
    """A model whose cross-checks stand on their own: each may be run although other sections are wrong or missing."""

    def checks(self) -> Iterable[Callable[[], Iterable[tuple[tuple[str | int, ...], str, str | None]]]]: ...


def load(path: Path, model: type[M], env: Mapping[str, str], *, prefix: str = PREFIX) -> M:
    """The validated model; raises `ConfigErrors`, and nothing else, for whatever the file or `env` may hold."""
    made, found = _check(path, model, env, prefix)
    if found or made is None:
        raise ConfigErrors(found)
    return made


def problems(path: Path, model: type[BaseModel], env: Mapping[str, str], *, prefix: str = PREFIX) -> list[Problem]:
    """Everything `load` would complain of, sorted by line, the environment's own mistakes last."""
    return _check(path, model, env, prefix)[1]


def _check(path: Path, model: type[M], env: Mapping[str, str], prefix: str) -> tuple[M | None, list[Problem]]:
    try:
        doc = read(path, env)
        checker = _Checker(doc, model)
        if any(name.startswith(prefix) for name in env):
            override(doc, checker.shape, env, prefix)
        made, found = checker.run()
    except Unreadable as error:
        return None, [error.problem]
    unique = dict.fromkeys([*doc.faults, *doc.broken.values(), *found])
    return made, sorted(unique, key=lambda problem: (not problem.line, problem.line, problem.column, problem.file))


class _Checker(Generic[M]):
    """Validates one document against one model."""

    def __init__(self, doc: Document, model: type[M]) -> None:
        self._doc, self._model = doc, model

    @cached_property
    def shape(self) -> Shape:
        """Made only when a name has to be looked up, for it costs more than the validation."""
        return Shape(self._model)

    def run(self) -> tuple[M | None, list[Problem]]:
        """The model where there is one, and the problems beyond those the document already has."""
        made, found = self._validate()
        if self._retype(found):
            made, found = self._validate()
        found = [fault for fault in collapse(found) if not self._caused_by_broken(fault)]
        found += self._lenient_scalars(made, {fault.path for fault in found})
        if not found and made is None:
            made = self._with_placeholders()
        said = [self._problem(fault) for fault in found]
        if found or made is None:
            return None, said + self._partial_checks()
        return made, said + self._cross_checks(made)

    def _validate(self) -> tuple[M | None, list[Fault]]:
        data = self._doc.data
        try:
            return self._model.model_validate(data), []
        except ValidationError as error:
            return None, faults(data, error.errors(include_url=False))
        except _SLOPPY as error:
            return None, self._around(error)

    def _around(self, crash: Exception) -> list[Fault]:
        """A validator tripped over the data without naming a place: find its section, and check the rest without it."""
        tripped: dict[str, Fault] = {}
        for name, section in self._doc.data.items():
            with suppress(ValidationError):
                try:
                    self._model.model_validate({name: section})
                except _SLOPPY as error:
                    tripped[name] = _crash((name,), error, section)
        rest = {name: section for name, section in self._doc.data.items() if name not in tripped}
        try:
            self._model.model_validate(rest)
        except ValidationError as error:
            errors = [one for one in error.errors(include_url=False) if one["loc"][:1] not in [(n,) for n in tripped]]
            return [*faults(rest, errors), *tripped.values()]
        except _SLOPPY as error:
            crash = error
        return [*tripped.values()] or [_crash((), crash, self._doc.data)]

    def _retype(self, found: list[Fault]) -> bool:
        """Where a text from outside was read as the wrong one of number and text, put the other; tells if it did."""
        crashed = [fault.path for fault in found if fault.type == "crash"]
        doubtful = {fault.path for fault in found if fault.type in _PERHAPS_TEXT}
        chosen = [path for path in self._doc.raw if path in doubtful or any(path[: len(up)] == up for up in crashed)]
        chosen = [path for path in chosen if not isinstance(_find(self._doc.data, path), str)]
        for path in chosen:
            self._doc.put(path, self._doc.raw[path])
        quoted = {fault.path for fault in found if fault.type in _SURELY_NOT_TEXT} & self._doc.raw.keys() - {*chosen}
        for path in quoted:
            value = plain(self._doc.raw[path])
            self._doc.put(path, value if value is not None and not _is_not_finite(value) else self._doc.raw[path])
        return bool(chosen or quoted)

    def _caused_by_broken(self, fault: Fault) -> bool:
        counts = fault.type in ("too_short", "too_long")
        return any(
            broken == fault.path[: len(broken)] or (counts and broken[: len(fault.path)] == fault.path)
            for broken in self._doc.broken
        )

    def _lenient_scalars(self, made: M | None, known: set[Key]) -> list[Fault]:
        """What lax validation would let through: yes, on and 1 for a boolean of the file, the text nan for a number."""
        found = []
        for fault in _strict_faults(self._model, self._doc.data):
            value = _find(self._doc.data, fault.path)
            if fault.path in known or isinstance(value, bool | dict | list | None):
                continue
            if fault.type == "bool_type" and fault.path not in self._doc.raw and _became(made, fault.path, bool):
                found.append(Fault(fault.path, "not_boolean", {}, value))
            if fault.type == "float_type" and _is_not_finite(value) and _became(made, fault.path, float):
                found.append(Fault(fault.path, "finite_number", {}, value))
        return found

    def _with_placeholders(self) -> M | None:
        """With only the environment's secrets wanting, stand-ins for them may give a model to cross-check."""
        for path in self._doc.broken:
            self._doc.put(path, "${}")
        return self._validate()[0]

    def _cross_checks(self, made: M) -> list[Problem]:
        if not isinstance(made, CrossChecked):
            return []
        try:
            reports = list(made.cross_check())
        except _SLOPPY as error:
            return [self._problem(_crash((), error, None))]
        return [
            self._doc.problem(path, self._redact(path, message), hint)
            for path, message, hint in reports
            if not any(path[: len(broken)] == broken for broken in self._doc.broken)
        ]

    def _partial_checks(self) -> list[Problem]:
        """What can be cross-checked although other places are wrong: those are left out, down to whole sections."""
        partial = lenient(self._model, self._doc.data)
        if not isinstance(partial, PartlyChecked):
            return []
        found: list[Problem] = []
        for check in partial.checks():
            with suppress(*_SLOPPY):  # it needs what was left out
                found += [self._doc.problem(path, self._redact(path, text), hint) for path, text, hint in check()]
        return found

    def _problem(self, fault: Fault) -> Problem:
        path, outside = fault.path, any(raw[: len(fault.path)] == fault.path for raw in self._doc.raw)
        message, hint = words(fault, echo=not outside), None
        if fault.choices and isinstance(fault.value, str):
            hint = closest(fault.value, fault.choices)
        elif fault.type in ("not_boolean", "bool_type", "bool_parsing") and not outside:
            hint = _BOOLEANS.get(str(fault.value).casefold())
        elif fault.type in _KEY_UNKNOWN and path:
            word, siblings = str(path[-1]), self.shape.names(path[:-1], self._doc.data)
            hint = self.shape.suggest(path[:-1], word, self._doc.data)
            if ":" in word or "\uff1a" in word:
                message += ",冒号要用英文的,后面要有空格"
            elif not hint and siblings:
                message += f",这里可以写:{'、'.join(siblings[:12])}{' 等' if len(siblings) > 12 else ''}"
        at_key = fault.at_key or fault.type in _KEY_UNKNOWN
        return self._doc.problem(path, self._redact(path, message), hint, at_key=at_key)

    def _redact(self, path: Key, message: str) -> str:
        """No text that came from the environment to this path, or below it, may appear in what is printed."""
        for held, secrets in self._doc.secrets.items():
            if held[: len(path)] == path or path[: len(held)] == held:
                for secret in secrets:
                    for shown in (secret, repr(secret)[1:-1]):
                        message = message.replace(shown, "***") if len(shown) >= _SECRET_LENGTH else message
        return message


def _strict_faults(model: type[BaseModel], data: Any) -> list[Fault]:
    errors: list[ErrorDetails] = []
    try:
        model.model_validate_json(dumps(data), strict=True)
    except ValidationError as error:
        errors = error.errors(include_url=False)
    except _SLOPPY:
        pass
    return faults(data, [error for error in errors if error["type"] in ("bool_type", "float_type")])


def lenient(model: type[BaseModel], data: Any) -> BaseModel:
    """Return what is right of some data; what is wrong or missing has its default or is simply not there."""
    values: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        key = field.alias or name
        if isinstance(data, dict) and key in data:
            with suppress(ValidationError, *_SLOPPY):
                values[name] = _lenient_value(field.annotation, data[key])
    return model.model_construct(**values)


def _lenient_value(kind: Any, data: Any) -> Any:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return lenient(kind, data)
    if get_origin(kind) is Annotated:
        return _lenient_value(get_args(kind)[0], data)
    if get_origin(kind) in (Union, UnionType) and isinstance(data, dict):
        for model in get_args(kind):
            tag = getattr(model, "model_fields", {}).get("kind")
            if tag is not None and data.get("kind") in get_args(tag.annotation):
                return lenient(model, data)
    if get_origin(kind) is dict and isinstance(data, dict):
        found = {}
        for name, entry in data.items():
            with suppress(ValidationError, *_SLOPPY):
                found[name] = _lenient_value(get_args(kind)[1], entry)
        return found
    if get_origin(kind) is list:
        return [_lenient_value(get_args(kind)[0], one) for one in (data if isinstance(data, list) else [data])]
    return TypeAdapter(kind).validate_python(data)


def _crash(path: Key, error: Exception, value: Any) -> Fault:
    where = extract_tb(error.__traceback__)[-1].name
    return Fault(path, "crash", {"error": f"{where}: {type(error).__name__}"}, value)


def _is_not_finite(value: Any) -> bool:
    try:
        return not isfinite(float(value))
    except (ValueError, OverflowError):
        return False


def _find(data: Any, path: Key) -> Any:
    for part in path:
        if isinstance(data, dict):
            data = data.get(str(part))
        else:
            data = data[part] if isinstance(data, list) and isinstance(part, int) and part < len(data) else None
    return data


def _became(made: BaseModel | None, path: Key, kind: type) -> bool:
    """Whether the validated value is of this kind, as far as it can be followed; unknown counts as yes."""
    here: Any = made
    for part in path:
        if isinstance(here, BaseModel):
            fields = type(here).model_fields
            here = getattr(here, next((name for name, of in fields.items() if part in (name, of.alias)), ""), None)
        else:
            here = _find(here, (part,))
    return here is None or isinstance(here, kind)
