"""Every word the bot can say exists, is filled, is Chinese, and stands in one place."""

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.copy import TEXTS, Copy, fields_of, problems, yuan
from handlers.routes import ROUTES
from members import deeds, serving, shops

ROOT = Path(__file__).parents[2]
# what listens, not what speaks: patterns and words of people
HEARING = {"reading.py", "choosing.py", "grammar.py", "commands.py", "understanding.py"}
HEARING |= {"hearing.py", "naming.py", "profile_dates.py", "wishes.py"}
CLI_ONLY = {"bad_role", "no_store"}
NOTICE = re.compile(r"notice_\w+|(?!reason_)\w+_notice")
HAN = re.compile(r"[\u4e00-\u9fff]")
SHANGHAI = ZoneInfo("Asia/Shanghai")


def sources(*folders: str) -> Iterator[tuple[Path, ast.Module]]:
    """The modules of these packages."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def constants(call: ast.Call) -> str | None:
    """The first argument of a call, when it is a plain text."""
    first = call.args[0] if call.args else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None


def called(name: str, *folders: str) -> set[str]:
    """The texts that calls of a function or method of this name begin with."""
    found = set()
    for _, module in sources(*folders):
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and name in (getattr(node.func, "id", ""), getattr(node.func, "attr", "")):
                found.add(constants(node))
    return {text for text in found if text is not None}


def test_every_text_that_is_asked_for_exists() -> None:
    asked = called("text", "handlers")
    assert len(asked) > 60
    assert asked - set(TEXTS) == set()


RAISERS = {"take": {"most", "at"}, "cool_down": {"wait"}}


def refusals() -> Iterator[tuple[str, set[str]]]:
    """(code, names of its facts) of every refusal the books or the conversation can raise."""
    for _, module in sources("handlers", "members"):
        for node in ast.walk(module):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", "") or getattr(node.func, "attr", "")
            if name == "MemberError" and (code := constants(node)) is not None:
                yield code, {keyword.arg or "" for keyword in node.keywords}
            for keyword in node.keywords if name in RAISERS else ():
                if keyword.arg == "refusal" and isinstance(keyword.value, ast.Constant):
                    yield str(keyword.value.value), RAISERS[name]


def test_every_refusal_has_words_and_all_they_need() -> None:
    found = [refusal for refusal in refusals() if refusal[0] not in CLI_ONLY]
    known = {"phone_taken", "code_wait", "staff_limit_member", "coupon_used", "code_locked"}
    assert known <= {code for code, _ in found}
    lacking = {code: fields_of(TEXTS[code]) - {"shop", "service"} - facts for code, facts in found}
    assert {code: missing for code, missing in lacking.items() if missing} == {}


def test_texts_that_are_put_together_by_name_exist() -> None:
    named = {f"ask_{intent}" for intent, route in ROUTES.items() if route.exact}
    named |= {f"code_{verdict}" for verdict in ("wrong", "locked", "expired", "none", "limit", "busy", "wait", "shape")}
    named |= {"account_principal", "account_gift", "bad_phone"}
    named |= {row[-1] for table in (deeds._SHIFT, deeds._STORE, deeds._SINGLE) for row in table.values()}
    named |= {f"{way}_{kind}" for way in ("what", "sum") for kind in serving.KINDS if kind != "points"} | {"sum_points"}
    named |= {f"{way}_points_{to}" for way in ("what", "echo", "done", "notice") for to in ("up", "down")}
    named |= {f"echo_{kind}" for kind in serving.KINDS if kind != "points"} | {f"role_{role}" for role in shops.ROLES}
    named |= {f"{way}_{kind}" for way in ("done", "notice") for kind in ("sale", "refund", "topup")}
    named |= {f"back_{part}" for part in ("cash", "principal", "gift")} | grammar_problems()
    told = {
        str(node.value)
        for room in ("handlers", "members", "scheduler", "bot")
        for _, module in sources(room)
        for node in ast.walk(module)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and NOTICE.fullmatch(node.value)
    }
    assert len(told) >= 4
    named |= told | {f"reason_{text}" for text in told}
    assert named - set(TEXTS) == set()


def grammar_problems() -> set[str]:
    """The keys of texts that the staff grammar names as problems."""
    text = "".join((ROOT / "handlers" / "staff" / name).read_text("utf-8") for name in ("reading.py", "grammar.py"))
    return set(re.findall(r'"((?:amount|points)_(?:[a-z]+)|staff_tail_shape|bad_phone)"', text))


def test_nothing_is_said_outside_the_copy() -> None:
    spoken = [
        (path.name, node.value)
        for path, module in sources("handlers")
        if path.name not in HEARING and not path.name.endswith("copy.py") and path.parent.name != "nlu"
        for node in ast.walk(module)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and HAN.search(node.value)
        if node.value not in docstrings(module)
    ]
    assert spoken == []


def docstrings(module: ast.Module) -> set[str]:
    """The docstrings of a module, as they are written."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    return {
        node.body[0].value.value
        for node in ast.walk(module)
        if isinstance(node, kinds) and node.body and isinstance(node.body[0], ast.Expr)
        if isinstance(node.body[0].value, ast.Constant) and isinstance(node.body[0].value.value, str)
    }


@pytest.mark.parametrize("key", sorted(TEXTS))
def test_a_text_is_filled_and_fits(key: str) -> None:
    text = TEXTS[key]
    copy = Copy({}, shop="邻家生鲜", zone=SHANGHAI, service_phone="021-5555")
    said = copy.text(key, **dict.fromkeys(fields_of(text) - {"shop", "service"}, "9"))
    assert "{" not in said
    assert len(said.encode()) < 700
    assert len(said.splitlines()) <= 14
    assert HAN.search(said) or key == "history_line" or not HAN.search(text)
    assert said == said.strip("\n")
    assert not re.search(r"[A-Za-z]{4,}", said), "nobody reads English here"


def test_replacements_are_checked() -> None:
    assert problems({"greeting": "嗨,欢迎来{shop}"}) == []
    assert [key for key, _ in problems({"greetin": "x", "points": "{pionts}", "balance": "{"})] == [
        "greetin", "points", "balance",
    ]  # fmt: skip


def test_instants_are_said_in_the_shops_time() -> None:
    copy = Copy({}, shop="x", zone=SHANGHAI)
    late = datetime(2026, 3, 2, 16, 5, tzinfo=UTC)
    assert copy.moment(late) == "2026年3月3日 00:05"
    assert (copy.day(late), copy.short_day(late)) == ("2026年3月3日", "3月3日")


@given(st.integers(-(10**15), 10**15))
def test_money_is_said_to_the_fen(fen: int) -> None:
    said = yuan(fen)
    assert int(re.sub(r"[^\d-]", "", said)) == fen or fen == 0
    assert re.fullmatch(r"-?¥\d{1,3}(,\d{3})*\.\d\d", said)
