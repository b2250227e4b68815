"""Work spread over processes comes back in order, and nothing is left running."""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest

import bertpipe
from bertpipe.artifacts import read_manifest
from bertpipe.errors import ArtifactError, ResourceError
from bertpipe.executors import map_ordered, worker_count
from bertpipe.executors.local import LocalExecutor

JOBS = """
import os, time

def uneven(number):
    time.sleep(0.02 * (3 - number % 4))
    return number * number

def process_id(_):
    return os.getpid()

def fail_at(number, *, bad):
    if number == bad:
        raise ValueError(f"no {number}")
    return number

def tokenizers_parallelism(_):
    return os.environ.get("TOKENIZERS_PARALLELISM")

def run_out(_):
    raise MemoryError

def mark_and_sleep(path):
    path.with_name(str(os.getpid())).touch()
    time.sleep(600)
"""

MAIN = """
import sys
from pathlib import Path
from bertpipe.executors import map_ordered
from worker_jobs import mark_and_sleep

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    list(map_ordered(mark_and_sleep, [folder / "a", folder / "b"], workers=2))
"""


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module that worker processes can import, as they cannot import a test."""
    (tmp_path / "worker_jobs.py").write_text(JOBS)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("worker_jobs", None)
    return __import__("worker_jobs")


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_results_come_in_the_order_of_the_items(jobs: ModuleType, workers: int) -> None:
    """A slow item holds back the results behind it, not their order."""
    assert list(map_ordered(jobs.uneven, range(20), workers=workers)) == [n * n for n in range(20)]


@pytest.mark.parametrize(("items", "workers"), [([], 2), ([7], 2), ([7, 8], 1)])
def test_little_work_starts_no_process(jobs: ModuleType, items: list[int], workers: int) -> None:
    """No items, one item or one worker are worked on in the process that asks."""
    assert list(map_ordered(jobs.process_id, items, workers=workers)) == [os.getpid() for _ in items]


def test_several_workers_are_other_processes(jobs: ModuleType) -> None:
    """Work for two workers leaves the process that asks free."""
    assert os.getpid() not in set(map_ordered(jobs.process_id, range(8), workers=2))


def test_processes_stay_for_the_next_function(jobs: ModuleType) -> None:
    """They are started once; one that was busy when something went wrong is replaced."""
    executor = LocalExecutor(2)
    try:
        first = set(executor.map_ordered(jobs.process_id, range(8)))
        assert set(executor.map_ordered(jobs.process_id, range(8))) <= first
        with pytest.raises(ValueError, match="no 3"):
            list(executor.map_ordered(partial(jobs.fail_at, bad=3), range(10)))
        assert list(executor.map_ordered(jobs.uneven, range(6))) == [n * n for n in range(6)]
        workers = set(executor.map_ordered(jobs.process_id, range(8)))
    finally:
        executor.stop()
    _wait_until(lambda: not any(_is_running(worker) for worker in first | workers))


def test_items_are_read_as_they_are_needed() -> None:
    """An endless source is fine: only a few items are taken ahead of the results."""
    taken: list[int] = []

    def source() -> Iterator[int]:
        for number in itertools.count():
            taken.append(number)
            yield number

    results = map_ordered(abs, source(), workers=2)
    assert list(itertools.islice(results, 30)) == list(range(30))
    results.close()  # type: ignore[attr-defined]
    assert len(taken) < 60


def test_an_error_of_ours_arrives_as_itself(tmp_path: Path) -> None:
    """The class, the message and the hint are those that the worker raised."""
    with pytest.raises(ArtifactError) as here:
        read_manifest(tmp_path)
    with pytest.raises(ArtifactError) as there:
        list(map_ordered(read_manifest, [tmp_path, tmp_path], workers=2))
    assert (there.value.message, there.value.hint) == (here.value.message, here.value.hint)


def test_a_bug_keeps_its_traceback(jobs: ModuleType) -> None:
    """An error that is not ours says where in the worker it came from, in its item's turn."""
    results = map_ordered(partial(jobs.fail_at, bad=3), range(10), workers=2)
    assert list(itertools.islice(results, 3)) == [0, 1, 2]
    with pytest.raises(ValueError, match="no 3") as caught:
        next(results)
    assert "fail_at" in "".join(caught.value.__notes__)


def test_an_error_in_the_source_stops_the_workers(jobs: ModuleType) -> None:
    """What goes wrong while items are read is raised to the caller."""

    def source() -> Iterator[int]:
        yield from range(5)
        raise ArtifactError("the source is bad")

    with pytest.raises(ArtifactError, match="the source is bad"):
        list(map_ordered(jobs.uneven, source(), workers=2))


def test_a_killed_worker_is_an_error_and_no_hang() -> None:
    """The kernel kills a process that takes too much memory: the message says so and names a way out."""
    with pytest.raises(ResourceError, match="SIGKILL") as caught:
        list(map_ordered(signal.raise_signal, [signal.SIGKILL] * 3, workers=2))
    assert "--workers" in str(caught.value.hint)


def test_a_worker_without_memory_is_a_resource_error(jobs: ModuleType) -> None:
    """A MemoryError in a worker is no bug."""
    with pytest.raises(ResourceError, match="memory"):
        list(map_ordered(jobs.run_out, range(3), workers=2))


def test_workers_keep_to_one_core(jobs: ModuleType) -> None:
    """Tokenizers start no threads of their own in a worker."""
    assert set(map_ordered(jobs.tokenizers_parallelism, range(4), workers=2)) == {"false"}


def test_workers_default_to_the_cores_allowed() -> None:
    """A number that was set is kept; unset means the cores that this process may use."""
    assert worker_count(3) == 3
    assert worker_count(None) == len(os.sched_getaffinity(0))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_the_process_that_asked(jobs: ModuleType, tmp_path: Path, number: int) -> None:
    """However the main process ends, in the middle of the work, no worker is left."""
    (tmp_path / "main.py").write_text(MAIN)
    marks = tmp_path / "marks"
    marks.mkdir()
    paths = os.pathsep.join([str(Path(bertpipe.__file__).parents[1]), str(tmp_path)])
    main = subprocess.Popen(
        [sys.executable, str(tmp_path / "main.py"), str(marks)],
        env={**os.environ, "PYTHONPATH": paths},
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until(lambda: len(list(marks.iterdir())) == 2)
        workers = [int(path.name) for path in marks.iterdir()]
        main.send_signal(number)
        main.wait(30)
    finally:
        main.kill()
        main.wait()
    _wait_until(lambda: not any(_is_running(worker) for worker in workers))


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def _is_running(process_id: int) -> bool:
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
