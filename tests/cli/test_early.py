"""The fork server is started before all else, where worker processes will be wanted."""

import importlib
import os
from multiprocessing import forkserver
from pathlib import Path

import pytest

from bertpipe.cli import early


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What was started; nothing is in truth, and there are two cores."""
    calls: list[bool] = []
    monkeypatch.setattr(forkserver, "ensure_running", lambda: calls.append(True))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    return calls


@pytest.mark.parametrize(
    ("size", "workers", "expected"), [(5_000_000, None, 1), (5_000_000, 2, 1), (5_000_000, 1, 0), (100, 2, 0)]
)
def test_it_is_started_for_much_text_and_several_workers(
    tmp_path: Path, started: list[bool], size: int, workers: int | None, expected: int
) -> None:
    """Little text is read before another process could begin, and one worker is no process."""
    (tmp_path / "a.txt").write_bytes(b"x" * size)
    early.start_fork_server(["json"], corpus=[str(tmp_path / "a.txt")], workers=workers)
    assert len(started) == expected


@pytest.mark.parametrize("corpus", ["folder", "*.txt", "s3://bucket/text"])
def test_what_is_not_known_yet_may_be_much(tmp_path: Path, started: list[bool], corpus: str) -> None:
    """A folder, a pattern or a URL is not looked into before the command itself does."""
    early.start_fork_server(["json"], corpus=[corpus], workers=2)
    assert started == [True]


def test_what_is_preloaded_can_be_imported(tmp_path: Path, started: list[bool]) -> None:
    """The server passes over what it cannot import, and each worker would do it again: in silence."""
    early.start_fork_server(["json"], corpus=[str(tmp_path)], workers=2)
    preloaded = forkserver._forkserver._preload_modules  # type: ignore[attr-defined]
    assert preloaded[0] == "json"
    assert all(importlib.import_module(name) for name in preloaded)


@pytest.mark.parametrize(("asked", "threads"), [(None, "1"), ("4", "4")])
def test_there_are_no_threads_for_linear_algebra_unless_asked_for(
    monkeypatch: pytest.MonkeyPatch, asked: str | None, threads: str
) -> None:
    """A variable that the user has set stays."""
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", asked or "")
    if asked is None:
        monkeypatch.delenv("OPENBLAS_NUM_THREADS")
    early.leave_out_threads()
    assert os.environ["OPENBLAS_NUM_THREADS"] == threads
