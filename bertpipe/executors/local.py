"""Work spread over processes of this machine, with results in the order of the items.

The processes come from a fork server, a clean interpreter that has imported the function's
module: a child forked from the stage itself would inherit its threads' locks (tokenizers, Arrow,
the progress bar) and the lock of its output folder.
"""

import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, islice
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import Any, Generic, TypeVar

from bertpipe.errors import BertpipeError, ResourceError

Item = TypeVar("Item")
Result = TypeVar("Result")

# How far the quick workers may run ahead of a slow one, in items for each worker.
_AHEAD = 4
_SECONDS_TO_STOP = 5.0


def worker_count(workers: int | None) -> int:
    """Return how many processes to use: ``workers``, or where unset one for each core allowed."""
    return workers if workers is not None else len(os.sched_getaffinity(0))


def map_ordered(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: int
) -> Iterator[Result]:
    """Yield ``function(item)`` for each item, in the order of the items.

    Items are read as they are needed, by the caller's process, and few are under way at once, so
    neither items nor results pile up. One worker, or a single item, is worked on in this process.

    Args:
        function: can be pickled, as can items and results.
        items: what to work on.
        workers: number of processes.

    Raises:
        BertpipeError: as ``function`` raised it, in the turn of its item.
        ResourceError: a worker was killed, most likely for its memory.
    """
    executor = LocalExecutor(workers)
    try:
        yield from executor.map_ordered(function, items)
    finally:
        executor.stop()


class LocalExecutor:
    """Runs functions in a number of processes of this machine, which stay for the next function."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._idle: list[_Worker] = []

    def map_ordered(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield ``function(item)`` for each item, as the function ``map_ordered`` does."""
        waiting = iter(items)
        first = list(islice(waiting, 2))
        if self._workers == 1 or len(first) < 2:
            yield from map(function, chain(first, waiting))
            return
        pool = _Pool(function, self._workers, self._idle)
        try:
            yield from pool.map(chain(first, waiting))
        finally:
            pool.stop()

    def stop(self) -> None:
        """End all processes."""
        _stop(self._idle)
        self._idle.clear()


class _Worker:
    """One process and our end of the pipe to it."""

    def __init__(self, context: ForkServerContext) -> None:
        self.connection, theirs = context.Pipe()
        self.process: ForkServerProcess = context.Process(target=_serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()
        self.position = -1

    def send(self, position: int, function: Callable[[Any], Any], item: object) -> None:
        """Hand over an item; ``position`` says whose result comes back."""
        self.position = position
        try:
            self.connection.send((function, item))
        except OSError:
            raise self.died() from None

    def receive(self) -> Any:
        """Take the outcome of the item."""
        try:
            return self.connection.recv()
        except (EOFError, OSError):
            raise self.died() from None

    def died(self) -> ResourceError:
        """Say what ended the process."""
        self.process.join(_SECONDS_TO_STOP)
        code = self.process.exitcode
        how = f"with exit code {code}" if code is None or code >= 0 else f"by {signal.Signals(-code).name}"
        return ResourceError(
            f"a worker process was ended {how}",
            hint="if memory ran out, take fewer processes with --workers",
        )


class _Pool(Generic[Item, Result]):
    """Processes that all run one function; those in ``idle`` were started before, or are left to others."""

    def __init__(self, function: Callable[[Item], Result], workers: int, idle: list[_Worker]) -> None:
        self._function = function
        self._workers = workers
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([_module(function)])
        self._busy: dict[Any, _Worker] = {}
        self._idle = idle

    def map(self, items: Iterator[Item]) -> Iterator[Result]:
        """Yield the results in order; each is kept only until its turn."""
        numbered = enumerate(items)
        outcomes: dict[int, tuple[bool, Any]] = {}
        position = 0
        while True:
            self._feed(numbered, room=_AHEAD * self._workers - len(outcomes) - len(self._busy))
            if position in outcomes:
                done, value = outcomes.pop(position)
                if not done:
                    raise value
                yield value
                position += 1
            elif self._busy:
                outcomes.update(self._collect())
            else:
                return

    def _feed(self, numbered: Iterator[tuple[int, Item]], *, room: int) -> None:
        """Hand items to idle workers, as long as there are both."""
        while room > 0 and len(self._busy) < self._workers:
            following = next(numbered, None)
            if following is None:
                return
            worker = self._idle.pop() if self._idle else _Worker(self._context)
            self._busy[worker.connection] = worker
            position, item = following
            worker.send(position, self._function, item)
            room -= 1

    def _collect(self) -> Iterator[tuple[int, tuple[bool, Any]]]:
        """Wait for workers and take what they have done."""
        for connection in wait(list(self._busy)):
            worker = self._busy[connection]
            outcome = worker.receive()
            self._idle.append(self._busy.pop(connection))
            yield worker.position, outcome

    def stop(self) -> None:
        """End the processes that still do something."""
        _stop(list(self._busy.values()))


def _stop(workers: Sequence[_Worker]) -> None:
    """End processes, whatever they are doing."""
    for worker in workers:
        worker.process.terminate()
    for worker in workers:
        worker.process.join(_SECONDS_TO_STOP)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
        worker.connection.close()


def _module(function: Callable[..., Any]) -> str:
    while isinstance(function, partial):
        function = function.func
    return function.__module__


def _serve(connection: Connection) -> None:
    """Work on items until the other end is gone: what a worker process runs."""
    # Ctrl-C reaches the whole group; only the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Each worker keeps to one core: tokenizers would start a thread for every core in each.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    while True:
        try:
            function, item = connection.recv()
        except EOFError:
            return
        connection.send(outcome(function, item))


def outcome(function: Callable[[Any], Any], item: object) -> tuple[bool, Any]:
    """Return true and the result, or false and the error; either can be sent to another process."""
    try:
        return True, function(item)
    except BertpipeError as error:
        return False, error
    except MemoryError:
        return False, ResourceError(
            "a worker process ran out of memory",
            hint="let fewer work at once: --workers, or fewer threads for each Dask worker",
        )
    except Exception as error:
        error.add_note("in a worker process:\n" + traceback.format_exc())
        return False, error


def _end_with_parent() -> None:
    """End this process when its parent is gone, also when that was killed and could not say so."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
