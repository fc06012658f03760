"""Whatever config.yaml and the environment hold, the loader gives a model or problems and raises nothing else."""

import json
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.config_file import ConfigErrors, load, problems
from tests.bot.config_example import Config

YAML_TRAPS = (
    "a: {b: 1}", "- x", "<<: *a", "&a", "*a", "!!int", "!!str 1", "? x", "---", "...", "| ", "> ", "'", '"', "\t", ": ",
    "${A}", "${B:-1}", "$${", "${", "no", "09:30", ".nan", "1e999", "~", "{", "}", "[", "]", "\r\n", "\n", "\n  ", "# ",
    "wechat:", "token: x", "loyalty:", "\ufeff", "\x00", "\u2028", "%YAML 1.1", "人民路", "!x",
)  # fmt: skip


def _attempt(path: Path, text: str, env: dict[str, str]) -> None:
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    found = problems(path, Config, env)
    try:
        assert isinstance(load(path, Config, env), Config) and not found
    except ConfigErrors as error:
        assert error.problems == found and found
    assert all(problem.line >= 1 or problem.file.startswith("环境变量 ") for problem in found)
    assert all(len(str(problem).splitlines()) == 1 for problem in found)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(YAML_TRAPS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from([*Config.model_fields, "kind", "title", "valid", "tag", "at_least", "token", "earn", "x"])
TREES = st.dictionaries(FIELDS, VALUES | st.dictionaries(FIELDS, VALUES | st.dictionaries(FIELDS, VALUES)), max_size=6)
NAMES = st.builds("MEMBERBOT_{}__{}".format, FIELDS | st.text(max_size=3), FIELDS | st.text(max_size=3))
ENVS = st.dictionaries(NAMES | st.sampled_from("AB"), st.text(max_size=5) | st.sampled_from(YAML_TRAPS), max_size=3)
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@QUICK
@given(text=st.lists(st.sampled_from(YAML_TRAPS) | st.text(max_size=6), max_size=12).map("".join), env=ENVS)
def test_random_text_never_crashes(tmp_path: Path, text: str, env: dict[str, str]) -> None:
    _attempt(tmp_path / "fuzz.yaml", text, env)


@QUICK
@given(tree=TREES, env=ENVS)
def test_random_trees_never_crash(tmp_path: Path, tree: dict[str, Any], env: dict[str, str]) -> None:
    _attempt(tmp_path / "fuzz.yaml", json.dumps(tree, ensure_ascii=False), env)


@QUICK
@given(content=st.binary(max_size=60))
def test_random_bytes_never_crash(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "fuzz.yaml"
    path.write_bytes(content)
    assert problems(path, Config, {})
