"""Work spread by a real Dask scheduler comes back as it does from processes, whatever happens to workers."""

import itertools
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import islice
from multiprocessing import Pipe
from pathlib import Path
from types import ModuleType

import pytest

import bertpipe
from bertpipe.artifacts import read_manifest
from bertpipe.configs import Params, RuntimeConfig, Settings
from bertpipe.corpus import CorpusConfig
from bertpipe.errors import ArtifactError, ConfigError, CorpusError, ResourceError
from bertpipe.executors import open_executor
from bertpipe.executors.cluster import open_cluster
from bertpipe.executors.remote import Session
from bertpipe.instances import MaskingConfig, building
from bertpipe.progress import Phase, Silent
from bertpipe.stages import prepare, vocab
from bertpipe.vocab import counting

slow = pytest.mark.slow
PACKAGE_ROOT = Path(bertpipe.__file__).parents[1]

JOBS = """
import os, signal, time
from bertpipe.errors import CorpusError, ResourceError

def uneven(number):
    time.sleep(0.02 * (3 - number % 4))
    return number * number

def place(_):
    time.sleep(0.05)
    return os.getpid(), os.getppid(), os.getcwd(), os.environ.get("TOKENIZERS_PARALLELISM")

def size_of_text(text):
    return len(text)

def fail_at(number, *, bad):
    if number == bad:
        raise CorpusError(f"no {number}", hint="take another")
    return number

def buggy(number):
    raise ValueError(f"no {number}")

def run_out(_):
    raise MemoryError

def mark_and_square(number, *, folder):
    (folder / f"{number}-{os.getppid()}").touch()
    time.sleep(0.1)
    return number * number

def mark_and_sleep(number, *, folder):
    (folder / str(os.getpid())).touch()
    time.sleep(600)

def end_process(_):
    os.kill(os.getpid(), signal.SIGKILL)

def end_dask_worker(_):
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(600)
"""


class Cluster:
    """A scheduler and its workers, each a process with one thread."""

    def __init__(self, folder: Path, *, modules: Path) -> None:
        self._folder = folder
        self._modules = modules
        self._processes: list[subprocess.Popen[bytes]] = []
        self.address: str

    @property
    def scheduler(self) -> "subprocess.Popen[bytes]":
        """The first process that was started."""
        return self._processes[0]

    @property
    def workers(self) -> "list[subprocess.Popen[bytes]]":
        """The others."""
        return self._processes[1:]

    def start(self, *, workers: int = 2, path: Path | None = None, **settings: str) -> "Cluster":
        """Start all; ``path`` goes before the scheduler's modules, ``settings`` are Dask's."""
        file = self._folder / "scheduler.json"
        self._run("scheduler", "--scheduler-file", str(file), path=path, env=settings)
        wait_until(lambda: file.exists() and file.read_text().endswith("}"))
        self.address = json.loads(file.read_text())["address"]
        for _ in range(workers):
            self.add_worker()
        return self

    def add_worker(self, *, path: Path | None = None) -> None:
        """Start a worker, which has no nanny to start it again."""
        options = ("--nthreads", "1", "--no-nanny", "--local-directory", str(self._folder))
        self._run("worker", self.address, *options, path=path)

    def has_worker(self) -> bool:
        """Return whether a worker has found the scheduler."""
        return "Registered to" in (self._folder / "worker.log").read_text()

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *error: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()

    def _run(
        self, what: str, *arguments: str, path: Path | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        folders = [*([path] if path else []), PACKAGE_ROOT, self._modules]
        port = ("--port", "0") if what == "scheduler" else ()
        with (self._folder / f"{what}.log").open("a") as log:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", f"distributed.cli.dask_{what}"),
                    *(*arguments, "--host", "127.0.0.1", *port, "--no-dashboard"),
                ],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders)), **(env or {})},
                cwd=self._folder,
                stdout=log,
                stderr=log,
            )
        self._processes.append(process)


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a module that workers can import, as they cannot import a test."""
    folder = tmp_path_factory.mktemp("modules")
    (folder / "cluster_jobs.py").write_text(JOBS)
    return folder


@pytest.fixture
def jobs(modules: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(modules)
    return __import__("cluster_jobs")


@pytest.fixture(scope="module")
def cluster(modules: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A scheduler and two workers for tests that leave them alive."""
    pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    with Cluster(tmp_path_factory.mktemp("cluster"), modules=modules) as cluster:
        yield cluster.start()


@pytest.fixture
def own_cluster(modules: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster to be started by the test, and to be harmed."""
    pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    with Cluster(tmp_path_factory.mktemp("cluster"), modules=modules) as cluster:
        yield cluster


def wait_until(condition: Callable[[], bool], *, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def is_running(process_id: int) -> bool:
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@slow
def test_results_come_in_the_order_of_the_items(cluster: Cluster, jobs: ModuleType) -> None:
    """A slow item holds back the results behind it, not their order; one executor serves many calls."""
    with open_cluster(cluster.address) as executor:
        assert list(executor.map_ordered(jobs.uneven, range(20))) == [n * n for n in range(20)]
        assert list(executor.map_ordered(jobs.size_of_text, ["a", "bc"])) == [1, 2]
        assert list(executor.map_ordered(jobs.uneven, [])) == []


@slow
def test_work_is_done_as_in_a_process_of_this_machine(
    cluster: Cluster, jobs: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each Dask worker works in a process of its own, in our folder; the next run gets fresh ones."""
    monkeypatch.chdir(tmp_path)
    runs = []
    address = cluster.address
    for _ in range(2):
        with open_cluster(address) as executor:
            runs.append(set(executor.map_ordered(jobs.place, range(12))))
    for places in runs:
        processes, parents, folders, parallelism = map(set, zip(*places, strict=True))
        assert parents == {worker.pid for worker in cluster.workers}
        assert len(processes) == 2
        assert folders == {str(tmp_path)}
        assert parallelism == {"false"}
        assert not any(is_running(process) for process in processes)
    assert not {place[0] for place in runs[0]} & {place[0] for place in runs[1]}


@slow
def test_items_are_read_as_they_are_needed(cluster: Cluster, jobs: ModuleType) -> None:
    """An endless source is fine: only a few items are taken ahead of the results."""
    taken: list[int] = []

    def source() -> Iterator[int]:
        for number in itertools.count():
            taken.append(number)
            yield number

    with open_cluster(cluster.address) as executor:
        results = executor.map_ordered(jobs.uneven, source())
        assert list(islice(results, 30)) == [n * n for n in range(30)]
    assert len(taken) < 60


@slow
def test_items_may_be_large(cluster: Cluster, jobs: ModuleType) -> None:
    """Text beyond the size about which Dask warns goes through without a word."""
    with open_cluster(cluster.address) as executor:
        assert list(executor.map_ordered(jobs.size_of_text, ["x" * 12_000_000] * 2)) == [12_000_000] * 2


@slow
def test_an_error_of_ours_arrives_as_itself(cluster: Cluster, jobs: ModuleType, tmp_path: Path) -> None:
    """Class, message and hint are those that the worker raised, in the turn of the item."""
    with pytest.raises(ArtifactError) as here:
        read_manifest(tmp_path)
    with open_cluster(cluster.address) as executor:
        with pytest.raises(ArtifactError) as there:
            list(executor.map_ordered(read_manifest, [tmp_path]))
        assert (there.value.message, there.value.hint) == (here.value.message, here.value.hint)
        results = executor.map_ordered(partial(jobs.fail_at, bad=3), range(10))
        assert list(islice(results, 3)) == [0, 1, 2]
        with pytest.raises(CorpusError, match="no 3"):
            next(results)
        with pytest.raises(ResourceError, match="memory"):
            list(executor.map_ordered(jobs.run_out, range(3)))
        with pytest.raises(ValueError, match="no 0") as bug:
            list(executor.map_ordered(jobs.buggy, range(3)))
        assert "buggy" in "".join(bug.value.__notes__)


@slow
def test_the_items_of_a_killed_worker_are_done_by_another(
    own_cluster: Cluster, jobs: ModuleType, tmp_path: Path
) -> None:
    """A worker that is killed in the middle changes nothing about the results."""
    marks = tmp_path / "marks"
    marks.mkdir()
    own_cluster.start()
    with open_cluster(own_cluster.address) as executor:
        results = executor.map_ordered(partial(jobs.mark_and_square, folder=marks), range(40))
        received = list(islice(results, 10))
        victim = own_cluster.workers[0]
        done_by_victim = {path.name for path in marks.glob(f"*-{victim.pid}")}
        victim.kill()
        victim.wait()
        received += results
    assert received == [n * n for n in range(40)]
    assert done_by_victim  # so it was killed at work
    twice = [n for n in range(40) if len(list(marks.glob(f"{n}-*"))) == 2]
    assert twice  # what it was doing or had not handed over yet


@slow
def test_a_worker_that_comes_late_is_used(own_cluster: Cluster, jobs: ModuleType) -> None:
    """The command may be started before the workers are."""
    with open_cluster(own_cluster.start(workers=0).address) as executor:
        own_cluster.add_worker()
        assert list(executor.map_ordered(jobs.uneven, range(5))) == [0, 1, 4, 9, 16]


@slow
def test_an_item_that_ends_every_process_is_an_error(cluster: Cluster, jobs: ModuleType) -> None:
    """It is tried again, but not for ever; the message says what ended the processes."""
    with open_cluster(cluster.address) as executor:
        with pytest.raises(ResourceError, match="ended by SIGKILL, 3 times") as caught:
            list(executor.map_ordered(jobs.end_process, range(3)))
        assert "memory" in str(caught.value.hint)
        assert list(executor.map_ordered(jobs.uneven, range(3))) == [0, 1, 4]


@slow
def test_an_item_that_ends_dask_workers_is_an_error(own_cluster: Cluster, jobs: ModuleType) -> None:
    """The scheduler gives it up after as many as its settings say."""
    address = own_cluster.start(DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0").address
    with (
        open_cluster(address) as executor,
        pytest.raises(ResourceError, match="Dask worker was ended, 1 times") as caught,
    ):
        list(executor.map_ordered(jobs.end_dask_worker, [0]))
    assert "memory" in str(caught.value.hint)


@slow
def test_no_worker_is_left(own_cluster: Cluster, jobs: ModuleType) -> None:
    """Work for which nobody comes ends after a while, with the command that starts a worker."""
    own_cluster.start(workers=1)
    with (
        open_cluster(own_cluster.address, workers_seconds=3) as executor,
        pytest.raises(ResourceError, match="has had no worker for 3 s") as caught,
    ):
        list(executor.map_ordered(jobs.end_dask_worker, range(3)))
    assert f"dask worker {own_cluster.address}" in str(caught.value.hint)


@slow
def test_the_scheduler_dies(own_cluster: Cluster, jobs: ModuleType) -> None:
    """A scheduler that is gone in the middle is one clear error, at once."""
    with open_cluster(own_cluster.start().address) as executor:
        results = executor.map_ordered(jobs.uneven, itertools.count())
        assert next(results) == 0
        own_cluster.scheduler.kill()
        with pytest.raises(ResourceError, match="is gone") as caught:
            list(islice(results, 1000))
    assert own_cluster.address in caught.value.message


@slow
@pytest.mark.parametrize("listening", [True, False])
def test_no_scheduler_can_be_reached(listening: bool) -> None:
    """Nobody at the address, or somebody else there: an error that names it, within the time stated."""
    pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        if listening:
            other.listen()
        address = f"tcp://127.0.0.1:{other.getsockname()[1]}"
        with (
            pytest.raises(ResourceError, match="no Dask scheduler can be reached") as caught,
            open_cluster(address, connect_seconds=1),
        ):
            pass
    assert address in caught.value.message
    assert "dask scheduler" in str(caught.value.hint)


@slow
def test_a_worker_with_another_version(own_cluster: Cluster, jobs: ModuleType, tmp_path: Path) -> None:
    """Code that differs by one comment could make other bytes: the machine and both versions are named."""
    other = tmp_path / "other"
    shutil.copytree(PACKAGE_ROOT / "bertpipe", other / "bertpipe")
    with (other / "bertpipe/randomness.py").open("a") as source:
        source.write("# changed\n")
    own_cluster.start(workers=0).add_worker(path=other)
    with (
        open_cluster(own_cluster.address) as executor,
        pytest.raises(
            ResourceError, match=f"worker on {socket.gethostname()} has bertpipe .*, not "
        ) as caught,
    ):
        list(executor.map_ordered(jobs.uneven, range(3)))
    assert "same versions" in str(caught.value.hint)


@slow
@pytest.mark.parametrize("where", ["scheduler", "worker"])
def test_a_machine_without_bertpipe(
    own_cluster: Cluster, jobs: ModuleType, tmp_path: Path, where: str
) -> None:
    """A machine on which this bertpipe cannot be imported is said to be one."""
    other = tmp_path / "other"
    (other / "bertpipe").mkdir(parents=True)
    (other / "bertpipe/__init__.py").touch()
    own_cluster.start(workers=0, path=other if where == "scheduler" else None)
    own_cluster.add_worker(path=other if where == "worker" else None)
    wait_until(own_cluster.has_worker)
    with (
        pytest.raises(ResourceError, match=f"cannot be imported by Dask's {where}") as caught,
        open_cluster(own_cluster.address),
    ):
        pass
    assert "bertpipe[cluster]" in str(caught.value.hint)


@slow
def test_the_folder_must_be_shared(cluster: Cluster, jobs: ModuleType, tmp_path: Path) -> None:
    """A worker that does not see the hidden file is on another file system; the file goes away."""
    out = tmp_path / "out"
    out.mkdir()
    address = cluster.address
    with open_cluster(address, folder=out) as executor:
        assert list(executor.map_ordered(jobs.uneven, range(3))) == [0, 1, 4]
        assert len(list(out.iterdir())) == 1
    assert list(out.iterdir()) == []
    with open_cluster(address, folder=out) as executor:
        for marker in out.iterdir():
            marker.unlink()
        with pytest.raises(ResourceError, match=f"does not see {out}") as caught:
            list(executor.map_ordered(jobs.uneven, range(3)))
    assert "share" in str(caught.value.hint)


@slow
@pytest.mark.parametrize(("change", "says"), [("grown", "sees another version of"), ("gone", "does not see")])
def test_the_corpus_must_be_shared(
    cluster: Cluster, jobs: ModuleType, tmp_path: Path, change: str, says: str
) -> None:
    """A file that a worker lacks, or that has another size there, is named."""
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("text")
    with open_cluster(cluster.address, reads=[corpus]) as executor:
        if change == "grown":
            corpus.write_text("more text")
        else:
            corpus.unlink()
        with pytest.raises(ResourceError, match=f"{says} {corpus}"):
            list(executor.map_ordered(jobs.uneven, range(3)))


MAIN = """
import sys
from functools import partial
from pathlib import Path
from bertpipe.executors.cluster import open_cluster
from cluster_jobs import mark_and_sleep

with open_cluster(sys.argv[1]) as executor:
    list(executor.map_ordered(partial(mark_and_sleep, folder=Path(sys.argv[2])), range(8)))
"""


@slow
@pytest.mark.parametrize("hung", [False, True])
def test_a_stopped_command_ends_the_work(
    own_cluster: Cluster, modules: Path, tmp_path: Path, hung: bool
) -> None:
    """Ctrl-C stops what workers are doing and what they have not begun, also if one of them hangs."""
    (tmp_path / "main.py").write_text(MAIN)
    marks = tmp_path / "marks"
    marks.mkdir()
    main = subprocess.Popen(
        [sys.executable, str(tmp_path / "main.py"), own_cluster.start().address, str(marks)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(PACKAGE_ROOT), str(modules)])},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: len(list(marks.iterdir())) == 2)
        if hung:
            own_cluster.workers[0].send_signal(signal.SIGSTOP)
        main.send_signal(signal.SIGINT)
        _, stderr = main.communicate(timeout=60)
    finally:
        main.kill()
        main.wait()
    assert stderr.splitlines()[-1] == "KeyboardInterrupt"
    expected = 1 if hung else 0
    wait_until(lambda: sum(is_running(int(path.name)) for path in marks.iterdir()) == expected)
    assert len(list(marks.iterdir())) == 2
    for worker in own_cluster.workers:
        worker.kill()
    wait_until(lambda: not any(is_running(int(path.name)) for path in marks.iterdir()))


def test_a_process_without_work_ends_by_itself() -> None:
    """If the command was killed, nobody says that its work is over."""
    ours, theirs = Pipe()
    program = "from bertpipe.executors import child; child._IDLE_SECONDS = 0.1; child.main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(theirs.fileno())], pass_fds=[theirs.fileno()]
    )
    theirs.close()
    with ours:
        ours.send(Session("key", Path.cwd(), environment={}, reads=(), marker=None))
        assert process.wait(60) == 0


def test_distributed_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for the executor without the extra is told how to get it."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigError, match="distributed") as caught, open_cluster("tcp://127.0.0.1:1"):
        pass
    assert "bertpipe[cluster]" in str(caught.value.hint)


def test_dask_is_loaded_only_when_asked_for() -> None:
    """Who works on one machine needs no cluster software, and does not wait for its import."""
    program = (
        "import sys, bertpipe.executors; print(*({'dask', 'distributed', 'tornado'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""


class Sections(Settings):
    runtime: RuntimeConfig


@pytest.mark.parametrize(
    ("runtime", "says"),
    [
        ({"executor": "dask"}, "runtime: executor = dask needs scheduler"),
        ({"scheduler": "host"}, "runtime.scheduler = 'host': expected an address such as tcp://host:8786"),
        ({"scheduler": "http://host:80"}, "expected an address such as tcp://host:8786"),
        ({"executor": "spark"}, "runtime.executor = 'spark'"),
    ],
)
def test_settings_that_name_no_executor(runtime: dict[str, str], says: str) -> None:
    """They are refused before any work is done."""
    with pytest.raises(ConfigError) as caught:
        Params({"runtime": runtime}).read(Sections)
    assert says in caught.value.message


def test_the_local_executor_needs_no_scheduler(jobs: ModuleType) -> None:
    """It is the default, and can be asked for although the settings name a scheduler."""
    for runtime in (
        RuntimeConfig(workers=2),
        RuntimeConfig(workers=2, executor="local", scheduler="tcp://127.0.0.1:1"),
    ):
        with open_executor(runtime) as executor:
            assert list(executor.map_ordered(jobs.uneven, range(5))) == [0, 1, 4, 9, 16]


@slow
def test_a_scheduler_means_dask(cluster: Cluster, jobs: ModuleType) -> None:
    """The address alone is enough."""
    runtime = RuntimeConfig(scheduler=cluster.address)
    with open_executor(runtime) as executor:
        parents = {parent for _, parent, _, _ in executor.map_ordered(jobs.place, range(8))}
    assert parents == {worker.pid for worker in cluster.workers}


class KillsWorkers(Silent):
    """Progress that kills a worker when the first part of a phase is done."""

    def __init__(self, workers: "Sequence[subprocess.Popen[bytes]]") -> None:
        self.left = list(workers)
        self.phases: list[str] = []

    def phase(
        self, name: str, *, total: float | None, unit: str, done: float = 0
    ) -> AbstractContextManager[Phase]:
        """Note the phase."""
        self.phases.append(name)
        return nullcontext(self)

    def advance(self, amount: float, **figures: float | str) -> None:
        """Kill a worker in the first phase."""
        if self.left and len(self.phases) == 1:
            victim = self.left.pop()
            victim.kill()
            victim.wait()


def write_corpus(path: Path) -> Path:
    draw = random.Random(0)
    words = ["".join(draw.choices("etaoinshrdlu", k=draw.randint(2, 8))) for _ in range(300)]
    sentences = (" ".join(draw.choices(words, k=9)) + "." for _ in range(4000))
    path.write_text("".join("\n".join(islice(sentences, 8)) + "\n\n" for _ in range(500)))
    return path


def make_shards(
    corpus: Path, out: Path, runtime: RuntimeConfig, victims: "Sequence[subprocess.Popen[bytes]]" = ()
) -> dict[str, bytes]:
    """Run both data stages, each with a victim if there are some; return all that they write."""
    of_vocab, of_prepare = KillsWorkers(victims[:1]), KillsWorkers(victims[1:])
    vocab_settings = vocab.VocabSettings(
        vocab=vocab.VocabConfig(size=300), corpus=CorpusConfig(), runtime=runtime
    )
    vocab.run(vocab_settings, corpus=[corpus], out=out / "vocab", progress=of_vocab)
    settings = prepare.PrepareSettings(
        prepare=prepare.PrepareConfig(shard_size_mb=1),
        corpus=CorpusConfig(),
        masking=MaskingConfig(),
        runtime=runtime,
    )
    prepare.run(settings, corpus=[corpus], vocab=out / "vocab", out=out / "shards", progress=of_prepare)
    assert not of_vocab.left and not of_prepare.left
    files = (path for path in out.rglob("*") if path.is_file())
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


@slow
def test_stages_write_the_same_bytes_as_on_one_machine(
    own_cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vocabulary and shards do not depend on the executor, nor on a worker killed in the middle of each."""
    monkeypatch.chdir(tmp_path)  # relative paths have to mean the same to the workers
    monkeypatch.setattr(counting, "_PART_CHARACTERS", 8000)
    monkeypatch.setattr(building, "_PART_CHARACTERS", 8000)
    corpus = write_corpus(Path("corpus.txt"))
    here = make_shards(corpus, Path("here"), RuntimeConfig(workers=1))
    address = own_cluster.start(workers=3).address
    victims = own_cluster.workers[:2]
    there = make_shards(corpus, Path("there"), RuntimeConfig(scheduler=address), victims)
    assert there == here
    assert len(there) > 8


@slow
def test_the_command_without_a_scheduler(tmp_path: Path) -> None:
    """Exit code 9, one error and one hint, no word of Dask's own, no output."""
    pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    corpus = write_corpus(tmp_path / "corpus.txt")
    arguments = ["vocab", "--corpus", str(corpus), "--out", "vocab", "--scheduler", "tcp://127.0.0.1:1"]
    result = subprocess.run(
        [sys.executable, "-m", "bertpipe", *arguments, "--executor", "dask", "--quiet"],
        env={**os.environ, "PYTHONPATH": str(PACKAGE_ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 9
    error, hint = result.stderr.splitlines()
    assert error.startswith("error: no Dask scheduler can be reached at tcp://127.0.0.1:1: no answer within")
    assert hint.startswith("hint: start one with 'dask scheduler'")
    assert list(tmp_path.iterdir()) == [corpus]
