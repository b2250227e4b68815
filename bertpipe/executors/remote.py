"""What a Dask worker does: it hands items to processes of its own, one for each of its threads.

A Dask worker outlives a run, and its threads share modules, environment and current folder. Work
is done in processes that are started for one run instead: what one of them keeps, such as the
tokenizer of a folder, never meets the next run, and ending a run ends what it was doing.
"""

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import Pipe
from pathlib import Path

from bertpipe import __version__
from bertpipe.artifacts import source_hash

# What turns text into bytes, and what carries it there.
_PACKAGES = (
    "distributed",
    "kiwipiepy",
    "mwparserfromhell",
    "numpy",
    "pyarrow",
    "pydantic",
    "pysbd",
    "rensa",
    "sentencex",
    "tokenizers",
)
_MAIN = "from bertpipe.executors.child import main; main()"


@dataclass(frozen=True)
class Session:
    """One run, as its workers have to know it.

    Attributes:
        key: tells it from all others.
        current_folder: what relative paths start from.
        environment: the versions that workers must have, by name.
        reads: files that they must see, with their sizes.
        marker: a file in the folder that they must share, if they must.
    """

    key: str
    current_folder: Path
    environment: dict[str, str]
    reads: tuple[tuple[Path, int], ...]
    marker: Path | None


class ProcessEndedError(Exception):
    """A process is not there to work on an item; the message says what became of it."""


@cache
def environment() -> dict[str, str]:
    """Return the versions on which the bytes of a result depend, by name, of what is installed."""
    versions = {
        "bertpipe": f"{__version__} (source {source_hash(['.'])[:12]})",
        "Python": f"{sys.version_info.major}.{sys.version_info.minor}",
    }
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    return versions


def work(session: Session, payload: bytes) -> bytes:
    """Have an item worked on: the task that a Dask worker runs.

    Args:
        session: the run.
        payload: pickled function and item.

    Returns:
        The pickled outcome, as of ``local.outcome``.

    Raises:
        ProcessEndedError: the process did not live to say.
    """
    process = _take(session)
    outcome = process.work(payload)
    with _lock:
        if session.key in _all:
            _idle[session.key].append(process)
    return outcome


def end(key: str) -> None:
    """End all processes of a run, whatever they are doing."""
    with _lock:
        processes = _all.pop(key, [])
        _idle.pop(key, None)
    for process in processes:
        process.kill()


class _Process:
    """A child of the Dask worker, and our end of the pipe to it.

    A Dask worker is often a daemon in the sense of ``multiprocessing``, which may not have
    children of that kind, so this one is started by hand.
    """

    def __init__(self, session: Session) -> None:
        self._connection, theirs = Pipe()
        self._popen = subprocess.Popen(
            [sys.executable, "-P", "-c", _MAIN, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(str(Path(path).absolute()) for path in sys.path),
                "TOKENIZERS_PARALLELISM": "false",  # one core for each thread of the Dask worker
            },
        )
        theirs.close()
        self._connection.send(session)

    def is_alive(self) -> bool:
        return self._popen.poll() is None

    def work(self, payload: bytes) -> bytes:
        try:
            self._connection.send_bytes(payload)
            return self._connection.recv_bytes()
        except (EOFError, OSError):
            code = self._popen.wait()
            how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
            raise ProcessEndedError(f"was ended {how}") from None

    def kill(self) -> None:
        self._popen.kill()
        self._popen.wait()


_lock = threading.Lock()
_all: defaultdict[str, list[_Process]] = defaultdict(list)
_idle: defaultdict[str, list[_Process]] = defaultdict(list)


def _take(session: Session) -> _Process:
    """Return an idle process of the run, or a new one."""
    with _lock:
        while _idle[session.key]:
            process = _idle[session.key].pop()
            if process.is_alive():  # it ends by itself when it has had nothing to do for long
                return process
        try:
            process = _Process(session)
        except OSError as error:
            raise ProcessEndedError(f"could not be started ({error})") from None
        _all[session.key].append(process)
        return process


def dump(value: object) -> bytes:
    """Return a value as it travels."""
    return pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
