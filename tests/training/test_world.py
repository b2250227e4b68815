"""Several processes train as one does."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bertpipe.configs import RuntimeConfig
from bertpipe.errors import ConfigError
from bertpipe.training import Cut, World, open_world
from bertpipe.training.world import is_first_process

ROOT = Path(__file__).parents[2]
Results = dict[str, dict[str, Any]]


def start(jobs: list[dict[str, Any]], folder: Path, *, processes: int) -> list[subprocess.Popen[str]]:
    """Start the script as torchrun does."""
    folder.mkdir(exist_ok=True)
    (folder / "jobs.json").write_text(json.dumps(jobs))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "tests.training.together"]
    size = str(processes)
    return [
        subprocess.Popen(
            [*command, str(folder / "jobs.json"), str(folder / "results.json")],
            cwd=ROOT,
            env=os.environ
            | {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": size, "LOCAL_WORLD_SIZE": size}
            | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(processes)
    ]


def run(jobs: dict[str, dict[str, Any]], folder: Path, *, processes: int) -> Results:
    """Do jobs one after another; each has a work folder of its own unless it names another.

    Returns:
        What the first process has found; the others have found the same.
    """
    full = [{"work": str(folder / name)} | job for name, job in jobs.items()]
    started = start(full, folder, processes=processes)
    errors = [process.communicate(timeout=300)[1] for process in started]
    assert [process.returncode for process in started] == [0] * processes, "\n".join(errors)
    by_rank = json.loads((folder / "results.json").read_text())
    for other in by_rank[1:]:
        for one, two in zip(by_rank[0], other, strict=True):
            assert (one.get("weights"), one.get("rows")) == (two.get("weights"), two.get("rows"))
    return dict(zip(jobs, by_rank[0], strict=True))


@pytest.fixture
def run_here(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Do the plain job in this process, or one that differs in what is named."""
    monkeypatch.syspath_prepend(ROOT)
    from tests.training.together import Job, do

    return lambda work, **changes: do(Job(str(work), **changes), World())


def assert_close(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Ask for the same curves and weights, up to rounding in fp32 over some updates."""
    mine, theirs = ([*result["updates"], *result["rows"]] for result in (one, other))
    assert mine == [pytest.approx(figures, rel=2e-5, abs=1e-6) for figures in theirs]
    assert one["weights"] == pytest.approx(other["weights"], rel=0, abs=2e-5)
    assert one["tokens"] == other["tokens"]


def test_two_processes_train_as_one(tmp_path: Path, run_here: Callable[..., dict[str, Any]]) -> None:
    """Copies or shares of the model, cut or not, some of it frozen or not: the same losses and weights.

    The halves of a batch hold four and one counted items, and one of its quarters none. A process
    that lacks memory brings all to smaller pieces. A signal to one stops all after the same update,
    and another layout goes on from there. Dropout gives the same bits twice.
    """
    together = run(
        {
            "copies": {},
            "shared pieces": {"parallel": "fsdp", "micro_batch_size": 1},
            "short of memory": {"rooms": [8, 1]},
            "frozen": {"frozen": True},
            "dropout": {"dropout": 0.5},
            "dropout again": {"dropout": 0.5},
            "stopped": {"signal_at": {"1": 5}, "signal_number": signal.SIGINT},
            "resumed": {"work": str(tmp_path / "two" / "stopped"), "parallel": "fsdp"},
        },
        tmp_path / "two",
        processes=2,
    )
    alone = run_here(tmp_path / "one")
    for name in ("copies", "shared pieces", "short of memory"):
        assert_close(together[name], alone)
    frozen = run_here(tmp_path / "frozen", frozen=True)
    assert_close(together["frozen"], frozen)
    assert together["short of memory"]["micro_batch_size"] == 1
    assert len(together["short of memory"]["notes"]) == 2  # from four to two to one
    assert together["dropout"]["weights"] == together["dropout again"]["weights"]
    assert together["dropout"]["weights"][0] != pytest.approx(alone["weights"][0], rel=1e-3)
    assert together["stopped"] == {
        "stopped": signal.SIGINT,
        "message": "stopped by SIGINT after step 3; the progress is saved",
    }
    assert_goes_on(together["resumed"], alone, from_step=3)


def assert_goes_on(resumed: dict[str, Any], unbroken: dict[str, Any], *, from_step: int) -> None:
    """Ask for the curve and the weights of the run that was never stopped, up to rounding."""
    assert resumed["resumed_from_step"] == from_step
    assert resumed["weights"] == pytest.approx(unbroken["weights"], rel=0, abs=2e-5)
    assert resumed["rows"] == [pytest.approx(row, rel=2e-5, abs=1e-6) for row in unbroken["rows"]]


@pytest.mark.slow
def test_one_two_and_four_processes_give_the_same_curve(tmp_path: Path) -> None:
    """Whatever the layout, the pieces and the optimizer; four stop, and two go on, and one."""
    jobs: dict[str, dict[str, Any]] = {
        "copies": {},
        "pieces": {"micro_batch_size": 1},
        "shares": {"parallel": "fsdp"},
        "lamb": {"optimizer": "lamb"},
        "shared lamb": {"optimizer": "lamb", "parallel": "fsdp"},
        "dropout": {"dropout": 0.5},
        "shared dropout": {"dropout": 0.5, "parallel": "fsdp"},
    }
    stopped = {"signal_at": {"3": 6}, "parallel": "fsdp"}
    four = run(jobs | {"stopped": stopped, "too": stopped}, tmp_path / "four", processes=4)
    assert four["stopped"]["stopped"] == signal.SIGTERM
    work = tmp_path / "four"
    two = run(jobs | {"resumed": {"work": str(work / "stopped")}}, tmp_path / "two", processes=2)
    one = run(jobs | {"resumed": {"work": str(work / "too")}}, tmp_path / "one", processes=1)
    for name in ("copies", "pieces", "shares"):
        for found in (two, four):
            assert_close(found[name], one["copies"])
    for found in (two, four):
        assert_close(found["lamb"], one["lamb"])
        assert_close(found["shared lamb"], one["lamb"])
        assert_close(found["shared dropout"], found["dropout"])
    for found in (one, two):
        assert_goes_on(found["resumed"], one["copies"], from_step=6)


@pytest.mark.slow
def test_a_process_that_is_killed_ends_the_others(tmp_path: Path) -> None:
    """The one that is left says so within seconds, with the exit code of a lacking resource."""
    job = {"work": str(tmp_path / "work"), "signal_at": {"1": 5}, "signal_number": signal.SIGKILL}
    left, killed = start([job], tmp_path, processes=2)
    said = left.communicate(timeout=120)[1].splitlines()
    killed.communicate()
    assert "process 0 of 2 has lost the others" in said[-1]
    assert (left.returncode, killed.returncode) == (9, -signal.SIGKILL)


@pytest.fixture
def torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do as if torchrun had started this process beside another."""
    numbers = {"RANK": 0, "LOCAL_RANK": 0, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "MASTER_PORT": 1}
    for name, value in ({"MASTER_ADDR": "127.0.0.1"} | numbers).items():
        monkeypatch.setenv(name, str(value))


@pytest.mark.usefixtures("torchrun")
def test_one_gpu_for_many_processes_is_refused() -> None:
    """Before anything is waited for; the way out is named."""
    with (
        pytest.raises(ConfigError, match="'cuda:0' is one GPU, but 2 processes run") as caught,
        open_world(RuntimeConfig(device="cuda:0")),
    ):
        pass
    assert caught.value.hint == "with 'cuda' each has its own"


@pytest.mark.usefixtures("torchrun")
@pytest.mark.parametrize(
    ("count", "message", "hint"),
    [
        (0, "torch finds no GPU", "leave it unset"),
        (1, "which has 1 GPU", "start torchrun with --nproc-per-node 1"),
    ],
)
def test_more_processes_than_gpus_are_refused(
    count: int, message: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way out is fewer processes, or, where there is no GPU at all, none of them on one."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    with pytest.raises(ConfigError, match=message) as caught, open_world(RuntimeConfig(device="cuda")):
        pass
    assert caught.value.hint is not None and caught.value.hint.startswith(hint)


@pytest.mark.usefixtures("torchrun")
def test_half_an_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some schedulers set WORLD_SIZE alone; what is missing is named."""
    monkeypatch.delenv("LOCAL_RANK")
    with (
        pytest.raises(ConfigError, match="WORLD_SIZE = 2, but no LOCAL_RANK"),
        open_world(RuntimeConfig()),
    ):
        pass


def test_an_empty_environment_is_a_single_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty number is none; what is no number is named."""
    monkeypatch.setenv("WORLD_SIZE", "")
    with open_world(RuntimeConfig()) as world:
        assert world.is_alone and is_first_process()
    monkeypatch.setenv("WORLD_SIZE", "two")
    with pytest.raises(ConfigError, match="WORLD_SIZE = 'two'"), open_world(RuntimeConfig()):
        pass


def test_one_process_tells_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of those that torchrun starts; alone, whatever a scheduler may call it."""
    told = []
    for size, rank in (("2", "0"), ("2", "1"), ("1", "3")):
        monkeypatch.setenv("WORLD_SIZE", size)
        monkeypatch.setenv("RANK", rank)
        told.append(is_first_process())
    monkeypatch.delenv("WORLD_SIZE")
    told.append(is_first_process())
    assert told == [True, False, True, True]


def test_parts_are_contiguous_and_alike() -> None:
    """Whatever the numbers, the processes have every item once, in order, alike in number within one."""
    for size in (1, 2, 3, 4, 7):
        for items in (0, 1, 5, 8, 100, 101):
            parts = [list(World(rank, size).part(items)) for rank in range(size)]
            assert [item for part in parts for item in part] == list(range(items))
            assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("items", [4, 7, 9, 64, 65])
@pytest.mark.parametrize("micro_batch_size", [None, 1, 2, 3, 16, 100])
def test_all_processes_do_the_same_number_of_passes(items: int, micro_batch_size: int | None) -> None:
    """None is empty, and none larger than asked for, but by one where items do not divide."""
    cuts = [Cut(World(rank, 4), micro_batch_size).pieces(items) for rank in range(4)]
    assert len({len(pieces) for pieces in cuts}) == 1
    assert [item for pieces in cuts for piece in pieces for item in piece] == list(range(items))
    sizes = [len(piece) for pieces in cuts for piece in pieces]
    assert min(sizes) > 0
    if micro_batch_size:
        assert max(sizes) <= micro_batch_size + (items % 4 > 0)
