"""A command that is stopped, or that the machine fails, leaves no part of an output and no process."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import pytest
from click.testing import Result

Call = Callable[..., Result]
Command = Callable[..., list[str]]
Spawn = Callable[..., "subprocess.CompletedProcess[str]"]

# A file that grows beyond the limit fails as on a full disk, but with EFBIG for ENOSPC.
SMALL_DISK = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, resource.RLIM_INFINITY))
"""
TINY_VOCAB = ("--set", "vocab.size=120", "--workers", "1", "--quiet")
TINY_SHARDS = ("--set", "prepare.max_seq_length=32", "--workers", "1", "--quiet")
TINY_MODEL = tuple(
    part
    for setting in (
        "model.hidden_size=16",
        "model.num_hidden_layers=1",
        "model.num_attention_heads=2",
        "model.intermediate_size=16",
        "model.max_position_embeddings=32",
        "pretrain.total_steps=2",
        "pretrain.batch_size=4",
    )
    for part in ("--set", setting)
)


@pytest.fixture
def shards(call: Call, corpus: str) -> Path:
    """Shards of a small text, beside their vocabulary."""
    assert call("vocab", "--corpus", corpus, "--out", "vocab", *TINY_VOCAB).exit_code == 0
    result = call("prepare", "--corpus", corpus, "--vocab", "vocab", "--out", "shards", *TINY_SHARDS)
    assert result.exit_code == 0
    return Path("shards")


def until(condition: Callable[[], bool], *, seconds: float = 20.0) -> bool:
    """Wait for a condition; return whether it came."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def running(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Return those that still run; one that nobody has waited for yet does not."""
    return [process for process in processes if is_alive(process)]


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "to_group"),
    [(signal.SIGTERM, False), (signal.SIGINT, False), (signal.SIGINT, True)],
    ids=["SIGTERM", "SIGINT", "Ctrl-C"],
)
def test_a_stopped_stage_leaves_nothing(
    command: Command,
    call: Call,
    write_corpus: Callable[[int], Path],
    number: signal.Signals,
    to_group: bool,
) -> None:
    """Exit code 128+n, one clear line, no output, no part of one, no worker; Ctrl-C reaches them all."""
    corpus = str(write_corpus(6000))
    assert call("vocab", "--corpus", corpus, "--out", "vocab", *TINY_VOCAB).exit_code == 0
    arguments = ("prepare", "--corpus", corpus, "--vocab", "vocab", "--out", "out", "--workers", "2")
    process = subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        me = psutil.Process(process.pid)
        # The resource tracker, the fork server and two workers.
        assert until(lambda: len(me.children(recursive=True)) >= 4)
        # Once a chunk has come back, workers are at work and ignore Ctrl-C.
        work = Path(os.environ["BERTPIPE_WORK"], "work")
        assert until(lambda: any(map(_size, work.glob("prepare/*/encoded/ids.bin"))))
        children = me.children(recursive=True)
        os.killpg(process.pid, number) if to_group else process.send_signal(number)
        stdout, stderr = process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 128 + number
    assert stdout == ""
    assert stderr.splitlines()[-1].startswith("error: stopped")
    assert "Traceback" not in stderr
    assert until(lambda: not running(children), seconds=5), running(children)
    assert sorted(path.name for path in Path().iterdir()) == ["corpus.txt", "vocab"]


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@pytest.mark.parametrize("limit", [1000, 20_000, 100_000], ids=["vocabulary", "index", "shard"])
def test_a_full_disk_in_a_data_stage(spawn: Spawn, shards: Path, corpus: str, limit: int) -> None:
    """Exit code 9 and one clear line with the place, whichever file did not fit."""
    arguments = ("prepare", "--corpus", corpus, "--vocab", "vocab", "--out", "out", *TINY_SHARDS)
    result = spawn(*arguments, before=SMALL_DISK.format(limit=limit))
    assert result.returncode == 9, result.stderr
    error, hint = result.stderr.splitlines()
    assert error.startswith("error: ") and "/work/prepare/" in error and "File too large" in error
    assert hint == "hint: free some disk space and run the command again"
    assert sorted(path.name for path in Path().iterdir()) == ["corpus.txt", "shards", "vocab"]


@pytest.mark.slow
def test_a_full_disk_while_a_model_is_saved(spawn: Spawn, shards: Path) -> None:
    """Weights that do not fit end the same way: exit code 9, and no model folder."""
    arguments = ("pretrain", "--shards", str(shards), "--out", "model", *TINY_MODEL, "--quiet")
    result = spawn(*arguments, before=SMALL_DISK.format(limit=8000))
    assert result.returncode == 9, result.stderr
    error, hint = result.stderr.splitlines()
    assert error.startswith("error: ") and ".safetensors" in error and "File too large" in error
    assert hint.startswith("hint: free some disk space")
    assert sorted(path.name for path in Path().iterdir()) == ["corpus.txt", "shards", "vocab"]


def test_an_unknown_device(call: Call, shards: Path) -> None:
    """Exit code 3: the machine's devices are settings, too."""
    arguments = ("pretrain", "--shards", str(shards), "--out", "model", *TINY_MODEL, "--quiet")
    result = call(*arguments, "--set", "runtime.device=nonsense")
    assert result.exit_code == 3 and result.stdout == ""
    assert result.stderr.startswith("error: runtime.device = 'nonsense': ")
    assert result.stderr.count("\n") == 2
    assert not Path("model").exists()
