"""The benchmarks run and get right answers; how fast is not a test's business."""

from pathlib import Path

from benchmarks import stages, webhook


def test_a_tiny_profile_covers_every_stage(tmp_path: Path) -> None:
    found = stages.measure(tmp_path, batches=2, members=40)
    assert set(found) == set(stages.NAMES)
    assert all(microseconds > 0 for microseconds in found.values())


def test_the_webhook_benchmark_names_its_servers() -> None:
    assert {"memberbot", "werobot", "bare"} <= set(webhook.ALL)
