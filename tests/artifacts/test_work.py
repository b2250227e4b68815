"""Progress is kept by fingerprint, for one process at a time, until the work is done."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

from bertpipe.artifacts import WorkFolder, work_folder
from bertpipe.errors import ArtifactError, BusyError

Choice = Literal["refuse", "continue", "restart"]

HOLD = """
import time
from bertpipe.artifacts import work_folder

with work_folder(
    "pretrain", settings={}, inputs={}, code=("errors.py",), old_progress="refuse"
) as folder:
    (folder.path / "checkpoint").touch()
    print("working", flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def in_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BERTPIPE_WORK", str(tmp_path))


def opened(
    *, old_progress: Choice = "refuse", code: str = "errors.py", stage: str = "pretrain", **what: Any
) -> AbstractContextManager[WorkFolder]:
    return work_folder(
        stage,
        settings=what.get("settings", {}),
        inputs=what.get("inputs", {}),
        code=(code,),
        old_progress=old_progress,
    )


def leave_progress(code: str = "errors.py", old_progress: Choice = "refuse") -> Path:
    """Fail in the middle; return the file that was kept."""
    with pytest.raises(KeyboardInterrupt), opened(code=code, old_progress=old_progress) as folder:
        (folder.path / "checkpoint").touch()
        raise KeyboardInterrupt
    return folder.path / "checkpoint"


@contextmanager
def another_worker() -> Iterator["subprocess.Popen[str]"]:
    """Run a second process in the same work folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "working\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_the_fingerprint_covers_settings_inputs_and_stage() -> None:
    """Whatever changes the result gets a folder of its own; the same again gets the same."""
    paths = []
    for what in (
        {},
        {"settings": {"pretrain": {"seed": 1}}},
        {"settings": {"pretrain": {"seed": 2}}},
        {"inputs": {"shards": "1"}},
        {"inputs": {"shards": "2"}},
        {"stage": "finetune"},
    ):
        with opened(**what) as folder:
            paths.append(folder.path)
    assert len(set(paths)) == 6
    with opened(settings={"pretrain": {"seed": 2}}) as folder:
        assert folder.path == paths[2]


def test_the_folder_stands_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``BERTPIPE_WORK`` names it; without, it is ``.bertpipe`` in the current folder."""
    with opened() as folder:
        assert folder.path.parent == tmp_path / "work" / "pretrain"
    monkeypatch.delenv("BERTPIPE_WORK")
    monkeypatch.chdir(tmp_path)
    with opened() as folder:
        assert folder.path.resolve().parent == tmp_path / ".bertpipe" / "work" / "pretrain"


def test_progress_is_kept_on_failure_and_deleted_when_done() -> None:
    """An interrupted run finds its files again; a finished one leaves none."""
    checkpoint = leave_progress()
    assert checkpoint.exists()
    with opened() as folder:
        assert (folder.path / "checkpoint").exists()
        assert folder.notes == []
    assert not folder.path.exists()


def test_progress_by_other_code_is_refused_and_kept() -> None:
    """The error names the folder and both ways out, and nothing is lost."""
    checkpoint = leave_progress()
    with (
        pytest.raises(ArtifactError, match="another version of the code") as caught,
        opened(code="progress.py"),
    ):
        pass
    assert str(checkpoint.parent) in caught.value.message
    assert caught.value.hint is not None
    assert "runtime.old_progress=continue" in caught.value.hint
    assert "runtime.old_progress=restart" in caught.value.hint
    with opened() as folder:
        assert (folder.path / "checkpoint").exists()


def test_progress_by_other_code_is_continued_when_asked_and_noted() -> None:
    """Going on is recorded, also when the run is interrupted once more."""
    leave_progress()
    leave_progress(code="progress.py", old_progress="continue")
    with opened(code="progress.py") as folder:
        assert (folder.path / "checkpoint").exists()
        assert folder.notes == ["continued from progress that another version of the code had made"]


def test_progress_by_other_code_is_deleted_when_asked() -> None:
    """Starting over leaves nothing of the old progress, and nothing to note."""
    leave_progress()
    leave_progress(code="progress.py", old_progress="continue")
    with opened(code="randomness.py", old_progress="restart") as folder:
        assert not (folder.path / "checkpoint").exists()
        assert folder.notes == []


@pytest.mark.parametrize("choice", ["continue", "restart"])
def test_the_choice_does_not_touch_progress_by_the_same_code(choice: Choice) -> None:
    """Where the code is the same there is nothing to choose: the run simply goes on."""
    leave_progress()
    with opened(old_progress=choice) as folder:
        assert (folder.path / "checkpoint").exists()
        assert folder.notes == []


def test_a_second_process_is_refused() -> None:
    """Two runs on the same progress would spoil it; the second one says so and ends."""
    with another_worker() as process:
        with pytest.raises(BusyError, match="another process is at work in") as caught, opened():
            pass
        assert caught.value.exit_code == 10
        assert process.poll() is None
        with opened(settings={"other": 1}):
            pass  # another fingerprint is free


def test_a_killed_process_does_not_block_the_next() -> None:
    """After SIGKILL the lock is free and the progress is there."""
    with another_worker() as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    with opened() as folder:
        assert (folder.path / "checkpoint").exists()


def test_under_dvc_the_next_waits_for_an_orphan(monkeypatch: pytest.MonkeyPatch) -> None:
    """DVC may start a command while the one it lost is still stopping."""
    monkeypatch.setenv("DVC_STAGE", "pretrain")
    with another_worker() as process:
        waited: list[float] = []

        def end_the_other(seconds: float) -> None:
            waited.append(seconds)
            process.kill()
            process.wait()

        monkeypatch.setattr("bertpipe.artifacts.work.time.sleep", end_the_other)
        with opened() as folder:
            assert (folder.path / "checkpoint").exists()
    assert len(waited) == 1
