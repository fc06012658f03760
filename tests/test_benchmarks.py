"""The benchmarks run: every server starts, answers rightly and is measured; how fast is nobody's business here."""

from pathlib import Path

import pytest

from benchmarks import webhook
from benchmarks.contestants import BARE, ECHO, OURS
from benchmarks.load import Kind, exchange, right
from benchmarks.stages import LOOP, THREAD, breakdown


def test_a_tiny_comparison_is_right_and_complete(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("werobot")
    pytest.importorskip("gunicorn")
    options = webhook.Options(2, 50, 20, (4,), (OURS, ECHO, BARE), starts=1)
    result = webhook.compare(options, lambda line: None)
    assert [(one.name, one.measured.wrong) for one in result.bursts] == [
        (name, 0) for name in (*options.names, *reversed(options.names))
    ]
    rows = webhook.summary(result)
    assert [row["name"] for row in rows] == list(options.names)
    webhook.show(rows)
    assert "All answers were right." in capsys.readouterr().out


def test_every_stage_is_seen(capsys: pytest.CaptureFixture[str]) -> None:
    seen = breakdown(members=20, callers=4, messages=50)
    assert [name for name, *_ in (*LOOP, *THREAD) if not seen[name][0] > 0] == []


@pytest.mark.parametrize("kind", ["points", "echo", "constant"])
@pytest.mark.parametrize("answer", ["", "500 x\r\n\r\nsuccess", "200 OK\r\n\r\n", "200 OK\r\n\r\n<xml><a>b</a></xml>"])
def test_a_wrong_answer_counts_as_wrong(kind: Kind, answer: str) -> None:
    asked = exchange(kind, 20, 1)
    asked.answer = f"HTTP/1.1 {answer}".encode()
    assert not right(kind, asked)
