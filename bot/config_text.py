"""From the bytes of config.yaml to YAML nodes, or to the one Chinese line that says why not."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

MAX_BYTES = 1 << 20
MAX_DEPTH = 40

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_WIDE_COLON = re.compile(r"\s*(?:- +)?[^\s#:\"'{\[]+(?=\uff1a)")
_UNCLOSED = re.compile(r"while (?:parsing|scanning) a (flow|quoted)")
_SYNTAX = (
    ("mapping values are not allowed", "这里不该出现冒号:多半是上一行冒号后漏了空格,或文字里有冒号而没有加引号"),
    ("unexpected end of stream", "引号没有配对"),
    ("expected ',' or ']'", "方括号 [ ] 没有配对,或少了逗号"),
    ("expected ',' or '}'", "花括号 { } 没有配对,或少了逗号"),
    ("expected '-' indicator", "列表的每一项都要以“- ”开头,并且左边对齐"),
    ("did not find expected key", "缩进不齐,或上面的引号、括号没有收好"),
    ("could not find expected ':'", "这一行少了冒号(冒号后要有空格)"),
    ("undefined alias", "引用(*)了一个没有定义的锚点(&)"),
    ("duplicate anchor", "锚点(&)重名"),
    ("unknown escape character", "双引号里有不认识的反斜杠转义;路径和正则请用单引号"),
    ("another document", "一个文件里只能有一份配置,请去掉多余的“---”"),
    ("document start", "配置在这里已经结束,后面的内容多余"),
    ("cannot start any token", "值不能以这个字符开头,请给整个值加引号"),
    ("alphabetic or numeric", "“*”和“&”后面要有名字;文字以它们开头时请加引号"),
    ("hexadecimal", "双引号里的 \\x、\\u 后面要跟十六进制数字;路径和正则请用单引号"),
    ("sequence entries are not allowed", "列表的“- ”要另起一行写"),
    ("tag", "不支持“!”标签"),
    ("block scalar", "“|”或“>”后面的写法不对"),
    ("node content", "这里少了一个值,或括号没有配对"),
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend; `line` and `column` count from 1, and are 0 where `file` names an environment variable."""

    file: str
    line: int
    column: int
    key_path: str
    message: str
    suggestion: str | None = None

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        hint = f"(是不是想写 {self.suggestion}?)" if self.suggestion else ""
        return f"{place}{' ' if self.key_path else ''}{self.key_path}: {self.message}{hint}"


def printable(text: str) -> str:
    """The text on one line, whatever it holds."""
    return text if text.isprintable() else repr(text)[1:-1]


class Unreadable(Exception):
    """The text gives no data at all; the one problem says why."""

    def __init__(self, file: str, line: int, column: int, why: str) -> None:
        self.problem = Problem(file, line, column, "", why)
        super().__init__(str(self.problem))


def read_text(path: Path) -> tuple[str, list[Problem]]:
    """The file as text, and what is wrong with it that does not stop the reading; else raises `Unreadable`."""
    file, content = str(path), _content(path)
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise Unreadable(file, 1, 1, "文件是 UTF-16 编码,请另存为 UTF-8")
    marked = content.startswith(b"\xef\xbb\xbf")
    content = content[3:] if marked else content
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        place = _place(content[: error.start].decode())
        raise Unreadable(file, *place, "从这里起不是 UTF-8 编码(可能是 GBK),请另存为 UTF-8") from None
    if bad := _UNPRINTABLE.search(text):
        raise Unreadable(file, *_place(text[: bad.start()]), f"有不可见的控制字符 U+{ord(bad.group()):04X}")
    return text, [Problem(file, 1, 1, "", "文件开头有 BOM,请另存为不带 BOM 的 UTF-8")] if marked else []


def _content(path: Path) -> bytes:
    file = str(path)
    try:
        with open(path, "rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise Unreadable(file, 1, 1, "找不到这个文件") from None
    except IsADirectoryError:
        raise Unreadable(file, 1, 1, "这是一个目录,不是文件") from None
    except PermissionError:
        raise Unreadable(file, 1, 1, "没有权限读这个文件") from None
    except (OSError, ValueError) as error:
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "路径不合法"
        raise Unreadable(file, 1, 1, f"读不了这个文件({why})") from None
    if len(content) > MAX_BYTES:
        raise Unreadable(file, 1, 1, f"文件超过 {MAX_BYTES // 1024} KiB,不像是配置")
    return content


def _place(before: str) -> tuple[int, int]:
    return before.count("\n") + 1, len(before) - before.rfind("\n")


class _Loader(yaml.CBaseLoader):
    """Marks unquoted scalars with `!plain` and decides nothing about them."""


_Loader.add_implicit_resolver("!plain", re.compile(""), None)


def compose(text: str, file: str) -> yaml.Node | None:
    """The node graph; depth is measured on events first, because libyaml's composer recurses on the C stack."""
    depth = 0
    try:
        for event in yaml.parse(text, _Loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH and (mark := event.start_mark):
                raise Unreadable(file, mark.line + 1, mark.column + 1, "括号或缩进嵌套太深")
        node: yaml.Node | None = yaml.compose(text, _Loader)
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        raise _syntax(error, text, file) from None
    return node


def _syntax(error: Exception, text: str, file: str) -> Unreadable:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    lines = text.split("\n")
    for near in range(line, max(line - 2, 0), -1):
        if near <= len(lines) and (wide := _WIDE_COLON.match(lines[near - 1])):
            return Unreadable(file, near, wide.end() + 1, "用了中文冒号“\uff1a”,请改用英文冒号加一个空格“: ”")
    here = lines[line - 1] if line <= len(lines) else ""
    if here[column - 1 : column] == "\t" or "\t" in here[: len(here) - len(here.lstrip())]:
        return Unreadable(file, line, here.index("\t") + 1, "缩进不能用制表符(Tab),请改用空格")
    said = f"{getattr(error, 'context', '')} {getattr(error, 'problem', '')}"
    if opened := _UNCLOSED.search(said):
        start = getattr(error, "context_mark", None)
        if opened[1] == "flow" and "${" in here:
            return Unreadable(file, line, here.index("${") + 1, "在 [ ] 或 { } 里,带“${…}”的值要加引号")
        if start and start.line + 1 < line:
            line, column = start.line + 1, start.column + 1
    if line > len(lines):
        line, column = len(lines), len(lines[-1]) + 1
    why = next((chinese for english, chinese in _SYNTAX if english in said), "写法不合 YAML 语法")
    return Unreadable(file, line, column, why)
