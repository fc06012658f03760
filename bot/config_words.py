"""Pydantic's errors as faults in the document: where in the data, and in Chinese; a union's branches become one."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic_core import ErrorDetails

from bot.config_document import Key
from bot.config_shape import closest

_NOUNS = {
    "int": "整数",
    "float": "数字",
    "decimal": "数字",
    "fraction": "数字",
    "complex": "数字",
    "string": "文字",
    "bytes": "文字",
    "bool": "true 或 false",
    "date": "日期(如 2025-01-31)",
    "time": "时刻(如 \"09:30\")",
    "datetime": "日期和时刻(如 2025-01-31 09:30)",
    "timezone": "时区偏移(如 +08:00)",
    "time_delta": "时长",
    "url": "网址",
    "uuid": "UUID",
    "path": "路径",
    "none": "空",
    "zoneinfo": "时区名(如 Asia/Shanghai)",
    "pattern": "正则表达式",
    **dict.fromkeys(("list", "tuple", "set", "frozen_set", "deque", "iterable", "set_item"), "列表"),
    **dict.fromkeys(
        ("dict", "model", "model_attributes", "dataclass", "named_tuple", "mapping", "arguments", "frozen_dict",
         "ordered_dict", "counter"),
        "一组“键: 值”",
    ),
}  # fmt: skip
_MISMATCH = re.compile(
    r"(\w+?)_(?:str_parsing|type|parsing|from_float|required|unicode|invalid_encoding|not_hashable|str|regex"
    r"|exact_type|version|offset|from_datetime_parsing|from_datetime_inexact|from_date_parsing|object_invalid)"
)
_SENTENCES = {
    "missing": "缺少必填的键",
    "extra_forbidden": "没有这个键",
    **dict.fromkeys(("missing_argument", "missing_keyword_only_argument"), "缺少必填的键"),
    "unexpected_keyword_argument": "没有这个键",
    "greater_than": "应大于 {gt}",
    "greater_than_equal": "应大于或等于 {ge}",
    "less_than": "应小于 {lt}",
    "less_than_equal": "应小于或等于 {le}",
    "multiple_of": "应是 {multiple_of} 的整数倍",
    "finite_number": "不能是 NaN 或无穷大",
    "too_short": "至少要有 {min_length} 项,现在有 {actual_length} 项",
    "too_long": "最多只能有 {max_length} 项,现在有 {actual_length} 项",
    "string_too_short": "至少要有 {min_length} 个字符",
    "string_too_long": "最多只能有 {max_length} 个字符",
    "bytes_too_short": "至少要有 {min_length} 个字节",
    "bytes_too_long": "最多只能有 {max_length} 个字节",
    "string_pattern_mismatch": "格式不符,应匹配 {pattern}",
    "string_not_ascii": "只能用英文字母、数字和半角符号",
    "string_unicode": "有无法识别的字符",
    "int_parsing_size": "数字太大",
    "decimal_max_digits": "最多 {max_digits} 位数字",
    "decimal_max_places": "最多 {decimal_places} 位小数",
    "decimal_whole_digits": "整数部分最多 {whole_digits} 位",
    "date_past": "应是过去的日期",
    "date_future": "应是将来的日期",
    "datetime_past": "应是过去的时刻",
    "datetime_future": "应是将来的时刻",
    "timezone_naive": "不应带时区",
    "timezone_aware": "要带时区(如 +08:00)",
    "url_scheme": "网址应以 {expected_schemes} 开头",
    "url_syntax_violation": "网址写法不对",
    "url_too_long": "网址太长",
    "path_not_file": "没有这个文件",
    "path_not_directory": "没有这个目录",
    "path_exists": "已经存在",
    "invalid_key": "键名应是文字",
    "is_instance_of": "类型不对,应是 {class}",
    "is_subclass_of": "类型不对,应是 {class}",
    "callable_type": "不能写在配置里",
    "json_invalid": "不是合法的 JSON",
    "json_type": "应是 JSON 文字",
    "recursion_loop": "引用了自己",
    "recursion_depth_exceeded": "嵌套太深",
    "union_tag_not_found": "缺少必填的键",
    "crash": "检查这里时出错({error}),写法多半不对",
    "not_boolean": "只能写 true 或 false",
}
_WORD_CHOICES = frozenset({"enum", "literal_error", "union_tag_invalid"})


@dataclass(frozen=True, slots=True)
class Fault:
    """An error at a path of the data; `labels` are the union branches it was met in, each with its depth in `path`."""

    path: Key
    type: str
    context: Mapping[str, Any]
    value: Any
    text: str = ""
    labels: tuple[tuple[int, str], ...] = ()
    at_key: bool = False
    others: "tuple[Fault, ...]" = ()

    @property
    def noun(self) -> str | None:
        """What kind of value was expected, where the kind is what is wrong."""
        if self.type in _SENTENCES:
            return None
        found = _MISMATCH.fullmatch(self.type)
        return _NOUNS.get(found[1]) if found else None

    @property
    def choices(self) -> list[str]:
        """The allowed values of an enum, a literal or a tag, of all branches."""
        mine = str(self.context.get("expected_tags") or self.context.get("expected") or "")
        own = re.findall(r"'([^']*)'", mine) or re.findall(r"[^\s,]+", mine.replace(" or ", " "))
        own = own if self.type in _WORD_CHOICES else []
        return list(dict.fromkeys(own + [choice for other in self.others for choice in other.choices]))


class _Place(NamedTuple):
    path: Key
    labels: tuple[tuple[int, str], ...]
    value: Any
    at_key: bool = False


def faults(data: Any, errors: Iterable[ErrorDetails]) -> list[Fault]:
    """Each error at its place in `data`; positions that pydantic made up for unions and validators are set aside."""
    return [_fault(data, error) for error in errors]


def _fault(data: Any, error: ErrorDetails) -> Fault:
    kind, given, context = error["type"], error["input"], error.get("ctx", {})
    places = list(_places(data, error["loc"], kind == "missing", (), ()))
    place = next((place for place in places if place.value is given or _same(place.value, given)), places[0])
    path, value = place.path, place.value
    if kind in ("union_tag_not_found", "union_tag_invalid") and (
        tag := re.match(r"'([^']+)'", str(context.get("discriminator")))
    ):
        path, value = (*path, tag[1]), context.get("tag")
    return Fault(path, kind, context, value, error["msg"], place.labels, place.at_key)


def _same(value: Any, given: Any) -> bool:
    return type(value) is type(given) and bool(value == given)


def _places(data: Any, loc: Key, missing: bool, path: Key, labels: tuple[tuple[int, str], ...]) -> Iterator[_Place]:
    """Every reading of `loc`, the one that takes most of it as keys first."""
    if not loc:
        yield _Place(path, labels, data)
        return
    part, rest = loc[0], loc[1:]
    if not rest and missing:
        yield _Place((*path, part), labels, data)
    elif not rest and part == "[key]":
        yield _Place(path, labels, path[-1] if path else None, at_key=True)
    elif isinstance(data, dict) and str(part) in data:
        yield from _places(data[str(part)], rest, missing, (*path, str(part)), labels)
    elif isinstance(data, list) and isinstance(part, int) and 0 <= part < len(data):
        yield from _places(data[part], rest, missing, (*path, part), labels)
    if isinstance(part, str):
        yield from _places(data, rest, missing, path, (*labels, (len(path), part)))
    else:
        if part == 0 and isinstance(data, dict):  # one of something stands for a list of it
            yield from _places(data, rest, missing, path, labels)
        yield _Place(path, labels, data)


def collapse(found: list[Fault], level: int = 0) -> list[Fault]:
    """For every union keep the errors of the branch that was meant, or say in one line what all of them want."""
    kept: list[Fault] = []
    unions: dict[tuple[Key, tuple[tuple[int, str], ...]], dict[str, list[Fault]]] = {}
    for fault in found:
        if len(fault.labels) <= level:
            kept.append(fault)
            continue
        depth, label = fault.labels[level]
        branches = unions.setdefault((fault.path[:depth], fault.labels[:level]), {})
        branches.setdefault(label, []).append(fault)
    for (path, _), branches in unions.items():
        kept += _meant(path, [collapse(branch, level + 1) for branch in branches.values()])
    return kept


def _meant(path: Key, branches: list[list[Fault]]) -> list[Fault]:
    if len(branches) == 1:
        return branches[0]
    deeper = [branch for branch in branches if not any(fault.path == path and _misfit(fault) for fault in branch)]
    if deeper:
        return min(deeper, key=lambda branch: (_strangeness(branch, path), len(branch)))
    here = [fault for branch in branches for fault in branch if fault.path == path]
    near = [fault for fault in here if not fault.noun and fault.type not in _WORD_CHOICES]
    if len(near) == 1:
        return near
    first, *rest = near or here
    return [Fault(path, first.type, first.context, first.value, first.text, first.labels, first.at_key, tuple(rest))]


def _strangeness(branch: list[Fault], path: Key) -> int:
    """How many keys and tags of the mapping at `path` are not this branch's, a key likely mistyped counting less."""
    kinds = ("missing", "extra_forbidden", "literal_error", "union_tag_not_found")
    keys = [fault for fault in branch if len(fault.path) == len(path) + 1 and fault.type in kinds]
    missing = [str(fault.path[-1]) for fault in keys if fault.type == "missing"]
    extra = [str(fault.path[-1]) for fault in keys if fault.type == "extra_forbidden"]
    return len(keys) - sum(closest(word, missing) is not None for word in extra)


def _misfit(fault: Fault) -> bool:
    return bool(fault.noun or fault.choices) or not isinstance(fault.value, dict | list)


def words(fault: Fault, *, echo: bool) -> str:
    """One Chinese sentence; `echo` tells whether it may quote the value."""
    every = [fault, *fault.others]
    nouns = dict.fromkeys(noun for one in every if (noun := one.noun))
    if fault.choices:
        nouns["、".join(fault.choices[:12]) + ("等之一" if len(fault.choices) > 12 else "之一")] = None
    sentences = [_sentence(one) for one in every if not one.noun and not one.choices]
    if nouns:
        quote = echo and "文字" not in nouns
        now = "缺少" if fault.type == "union_tag_invalid" and fault.value is None else _kind(fault.value, echo=quote)
        advice = ";请给它加上引号" if "文字" in nouns and isinstance(fault.value, int | float) else ""
        sentences.insert(0, f"应是{' 或 '.join(nouns)},现在是{now}{advice}")
    return ";或者:".join(dict.fromkeys(sentences))


def _sentence(fault: Fault) -> str:
    if fault.type in ("value_error", "assertion_error"):
        return str(fault.context.get("error") or "") or "值不合要求"
    if fault.type in _SENTENCES:
        context = {name: _number(value) for name, value in fault.context.items()}
        return re.sub(r"\{(\w+)\}", lambda found: str(context.get(found[1], "?")), _SENTENCES[fault.type])
    return fault.text if re.search(r"[\u4e00-\u9fff]", fault.text) else f"值不合要求({fault.text})"


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _kind(value: Any, *, echo: bool) -> str:
    match value:
        case None:
            return "空"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"数字 {value}" if echo else "数字"
        case str():
            return f"文字“{value}”" if echo and 0 < len(value) <= 30 and value.isprintable() else "文字"
        case list():
            return "列表"
        case _:
            return "一组“键: 值”"
