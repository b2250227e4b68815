"""Under DVC the tracked code runs, and a command does not outlive its dvc process."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from click.testing import Result

import bertpipe

Call = Callable[..., Result]
Command = Callable[..., list[str]]
Spawn = Callable[..., "subprocess.CompletedProcess[str]"]

PACKAGE = Path(bertpipe.__file__).parent
FAKE_DVC = """
import os, subprocess, sys
# A shell that stays, as one does for a command of several parts.
subprocess.run(["sh", "-c", '"$@"; true', "sh", *sys.argv[1:]], env={**os.environ, "DVC_STAGE": "vocab"})
"""
SLEEPING_VOCAB = """
import os, time
from pathlib import Path
import bertpipe.stages.vocab

def run(*args, **kwargs):
    Path("started.new").write_text(str(os.getpid()))
    Path("started.new").rename("started")
    try:
        time.sleep(600)
    finally:
        Path("ended").touch()

bertpipe.stages.vocab.run = run
"""


def write_dvc_yaml(dependency: str) -> None:
    Path("dvc.yaml").write_text(f"stages:\n  vocab:\n    cmd: x\n    deps:\n      - {dependency}/vocab\n")


def test_another_package_than_the_tracked_one_is_refused(
    call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Exit code 5: DVC would record results of code that it did not hash."""
    monkeypatch.setenv("DVC_STAGE", "vocab")
    (tmp_path / "bertpipe").mkdir()
    write_dvc_yaml("bertpipe")
    result = call("vocab", "--corpus", "x", "--out", "out")
    assert result.exit_code == 5 and result.stdout == ""
    error, hint = result.stderr.splitlines()
    assert str(tmp_path / "bertpipe") in error and str(PACKAGE) in error
    assert hint == "hint: install this checkout: pip install --editable ."


def test_the_tracked_package_may_run(spawn: Spawn, tmp_path: Path) -> None:
    """The package that ``dvc.yaml`` names is the one that runs, also by way of a link or from outside."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "bertpipe").symlink_to(PACKAGE)
    for dependency in ("sub/bertpipe", os.path.relpath(PACKAGE), "another/thing"):
        write_dvc_yaml(dependency)
        result = spawn("vocab", "--help", env={"DVC_STAGE": "vocab"})
        assert result.returncode == 0, result.stderr


def test_without_dvc_nothing_is_compared(call: Call, tmp_path: Path) -> None:
    """A ``dvc.yaml`` that happens to stand there is nobody's business."""
    (tmp_path / "bertpipe").mkdir()
    write_dvc_yaml("bertpipe")
    assert call("vocab", "--help").exit_code == 0


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@pytest.mark.slow
def test_a_command_ends_with_its_dvc(command: Command, tmp_path: Path) -> None:
    """When dvc is killed, its command stops in an orderly way within seconds, though its shell lives on."""
    arguments = command("vocab", "--corpus", "x", "--out", "out", before=SLEEPING_VOCAB)
    with (tmp_path / "stderr").open("w") as stderr:
        dvc = subprocess.Popen([sys.executable, "-c", FAKE_DVC, *arguments], stderr=stderr)
    try:
        wait_until((tmp_path / "started").exists)
        orphan = psutil.Process(int((tmp_path / "started").read_text()))
        time.sleep(1.5)  # while dvc lives the command does, too
        assert orphan.is_running() and not (tmp_path / "ended").exists()
    finally:
        dvc.send_signal(signal.SIGKILL)
        dvc.wait()
    wait_until((tmp_path / "ended").exists)
    wait_until(lambda: is_gone(orphan))
    assert (tmp_path / "stderr").read_text().endswith("error: stopped by SIGTERM\n")


def is_gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
