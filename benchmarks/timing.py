"""What the benchmarks share: real text, and the cost of a command with all that it starts."""

import compileall
import ctypes
import gzip
import os
import resource
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

import bertpipe

DATA = Path(os.environ.get("BERTPIPE_DATA") or Path(__file__).parents[2] / "shared" / "data")
BOOKS = DATA / "corpora" / "classic-books-en"

_PR_SET_CHILD_SUBREAPER = 36
_SECONDS_BETWEEN_LOOKS = 0.05


@dataclass(frozen=True)
class Cost:
    """What a command took, with all that it has started.

    Attributes:
        wall_seconds: until it ended.
        cpu_seconds: of it and of all its descendants, whoever they belong to in the end.
        peak_mb: the most memory that it and its descendants held at one time, each page once
            (proportional set size), in MB, looked at twenty times a second; None where nobody looked.
        largest_mb: the same of the largest process alone.
        largest_resident_mb: the most of one process with the pages that it shares, of mapped files too.
    """

    wall_seconds: float
    cpu_seconds: float
    peak_mb: float | None = None
    largest_mb: float | None = None
    largest_resident_mb: float | None = None

    def __str__(self) -> str:
        """Return all as a reader of the output sees them."""
        memory = "" if self.peak_mb is None else f", {self.peak_mb:.0f} MB"
        return f"{self.wall_seconds:.2f} s wall, {self.cpu_seconds:.2f} s CPU{memory}"


def keep_bytecode() -> None:
    """Have bytecode of our modules, as an installed package does: or each process would compile them anew."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    compileall.compile_dir(Path(bertpipe.__file__).parent, quiet=1)


def adopt_orphans() -> None:
    """Let processes that outlive their parent become ours, so that ``cost`` can wait for them."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def cost(command: list[str], folder: Path, *, watch_memory: bool = False) -> Cost:
    """Run a command in a folder, and wait for its end and for that of all that it has started.

    To look at memory takes much of a core, more the more processes there are: not while times count.
    """
    before = _cpu_seconds()
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    watch = _Watch(process.pid) if watch_memory else None
    _, errors = process.communicate()
    wall = time.monotonic() - started
    memory = watch.stop() if watch else ()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)[:200]} failed:\n{errors.decode()}")
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return Cost(wall, _cpu_seconds() - before, *memory)


def books(size_bytes: int) -> bytes:
    """Return the beginning of all books, repeated where they are too short, cut at the end of a line."""
    if not BOOKS.is_dir():
        raise SystemExit(f"no data at {DATA}: set BERTPIPE_DATA")
    content = bytearray()
    while len(content) < size_bytes:
        for path in sorted(BOOKS.glob("*.gz")):
            content += gzip.decompress(path.read_bytes())
            if len(content) >= size_bytes:
                break
    return bytes(content[: content.rfind(b"\n", 0, size_bytes) + 1])


class _Watch(threading.Thread):
    """Looks at the memory of a process and of its descendants until it is told to stop."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._root = psutil.Process(pid)
        self._over = threading.Event()
        self._peaks = [0, 0, 0]
        self.start()

    def run(self) -> None:
        while not self._over.wait(_SECONDS_BETWEEN_LOOKS):
            proportional, resident = zip(*map(_memory, self._processes()), strict=True)
            now = (sum(proportional), max(proportional), max(resident))
            self._peaks = [max(pair) for pair in zip(self._peaks, now, strict=True)]

    def stop(self) -> list[float]:
        """Return the peaks in MB: proportional of all and of the largest, resident of the largest."""
        self._over.set()
        self.join()
        return [peak / 1e6 for peak in self._peaks]

    def _processes(self) -> list[psutil.Process]:
        try:
            return [self._root, *self._root.children(recursive=True)]
        except psutil.Error:
            return [self._root]


def _memory(process: psutil.Process) -> tuple[int, int]:
    """Return the proportional and the resident set size in bytes; 0 of a process that has ended."""
    try:
        memory = process.memory_full_info()
    except psutil.Error:
        return 0, 0
    return int(memory.pss), int(memory.rss)


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
