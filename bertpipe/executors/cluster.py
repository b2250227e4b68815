"""Work spread over machines by a Dask scheduler (https://distributed.dask.org)."""

import pickle
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bertpipe.errors import ResourceError
from bertpipe.executors import connection, remote

if TYPE_CHECKING:
    from distributed import Client, Future

Item = TypeVar("Item")
Result = TypeVar("Result")

# Items under way for each thread of the workers: one is worked on, others are on their way there
# or wait for their turn to come back.
_AHEAD = 4
# How often an item is tried again after the process that worked on it was ended. How often after
# a whole Dask worker was: the scheduler's setting allowed-failures (3).
_RETRIES = 2
# Of a file system with many files a few are enough to see that it is shared.
_FILES_TO_CHECK = 100
_SECONDS_BETWEEN_LOOKS = 1.0


@contextmanager
def open_cluster(
    address: str,
    *,
    reads: Sequence[Path] = (),
    folder: Path | None = None,
    connect_seconds: float = 10.0,
    workers_seconds: float = 60.0,
) -> Iterator["DaskExecutor"]:
    """Give an executor that asks a Dask scheduler; when the block ends, all its work is ended.

    Args:
        address: of the scheduler, such as ``tcp://host:8786``.
        reads: files that the workers have to see as they are here.
        folder: a folder that the workers have to share; it holds a hidden file meanwhile.
        connect_seconds: how long to wait for the scheduler.
        workers_seconds: how long to wait for workers, where there are none.

    Raises:
        ResourceError: the scheduler cannot be reached.
        ConfigError: distributed is not installed.
    """
    client = connection.connect(address, timeout=connect_seconds)
    key = secrets.token_hex(8)
    try:
        connection.check_imports(client)
        session = _session(key, reads, folder)
        with _marked(session.marker), client.as_current(), _large_items():
            yield DaskExecutor(client, session, address=address, workers_seconds=workers_seconds)
    finally:
        connection.disconnect(client, key)


class DaskExecutor:
    """Runs functions in the workers of a Dask scheduler; see ``open_cluster``."""

    def __init__(
        self, client: "Client", session: remote.Session, *, address: str, workers_seconds: float
    ) -> None:
        self._client = client
        self._session = session
        self._address = address
        self._workers_seconds = workers_seconds
        self._threads = 0
        self._last_look = -_SECONDS_BETWEEN_LOOKS
        self._alone_since: float | None = None

    def map_ordered(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield ``function(item)`` for each item, in the order of the items.

        Items are read as they are needed, and few are under way at once. An item whose worker is
        killed is worked on again by another.

        Args:
            function: can be pickled, as can items and results.
            items: what to work on.

        Raises:
            BertpipeError: as ``function`` raised it, in the turn of its item.
            ResourceError: the scheduler or all workers are gone, a worker does not fit, or an item
                has ended every process that it was given to.
        """
        waiting = iter(items)
        under_way: deque[Future[bytes]] = deque()
        try:
            while True:
                room = _AHEAD * max(self._look(), 1) - len(under_way)
                under_way.extend(self._submit(function, item) for item in islice(waiting, max(room, 0)))
                if not under_way:
                    return
                done, value = pickle.loads(self._answer(under_way[0]))
                under_way.popleft()
                if not done:
                    raise value
                yield value
        finally:
            if under_way and self._client.status == "running":
                self._client.cancel(list(under_way))

    def _submit(self, function: Callable[[Any], Any], item: object) -> "Future[bytes]":
        payload = remote.dump((function, item))
        with self._explained():
            return self._client.submit(remote.work, self._session, payload, pure=False, retries=_RETRIES)

    def _answer(self, future: "Future[bytes]") -> bytes:
        """Wait for an item; see from time to time whether there is still somebody to wait for."""
        import distributed

        while True:
            with self._explained():
                try:
                    distributed.wait([future], timeout=_SECONDS_BETWEEN_LOOKS)
                    return future.result()
                except TimeoutError:
                    self._look()

    def _look(self) -> int:
        """Return the number of threads of all workers, asked for again every second."""
        now = time.monotonic()
        if now >= self._last_look + _SECONDS_BETWEEN_LOOKS:
            with self._explained():
                self._threads = sum(self._client.nthreads().values())
            self._last_look = now
        if self._threads:
            self._alone_since = None
        elif self._alone_since is None:
            self._alone_since = now
        elif now > self._alone_since + self._workers_seconds:
            raise ResourceError(
                f"the Dask scheduler at {self._address} has had no worker for {self._workers_seconds:g} s",
                hint=f"start some with: dask worker {self._address}; if they ended, their log says why",
            )
        return self._threads

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Say what Dask's errors mean; those of a function arrive as values, not here."""
        import distributed

        try:
            if self._client.status != "running":
                raise ConnectionError
            yield
        except remote.ProcessEndedError as error:
            raise _killer(f"a worker process {error}", times=_RETRIES + 1) from None
        except distributed.KilledWorker as error:
            raise _killer("a Dask worker was ended", times=error.allowed_failures + 1) from None
        except (OSError, CancelledError):
            raise ResourceError(
                f"the Dask scheduler at {self._address} is gone, or has dropped the work",
                hint="run the command again when it is back",
            ) from None


def _killer(what: str, *, times: int) -> ResourceError:
    return ResourceError(
        f"{what}, {times} times with the same part of the input",
        hint="if memory ran out, start the Dask workers with fewer threads",
    )


def _session(key: str, reads: Sequence[Path], folder: Path | None) -> remote.Session:
    step = -(-len(reads) // _FILES_TO_CHECK) or 1
    return remote.Session(
        key=key,
        current_folder=Path.cwd(),
        environment=remote.environment(),
        reads=tuple((path.absolute(), path.stat().st_size) for path in reads[::step]),
        marker=folder.absolute() / f".shared-{key}" if folder is not None else None,
    )


@contextmanager
def _large_items() -> Iterator[None]:
    """Let items be as large as the text that they carry, without a warning.

    Sent apart from its task, as Dask advises, an item would be lost with the worker that holds it.
    """
    import dask

    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TiB"}):
        yield


@contextmanager
def _marked(marker: Path | None) -> Iterator[None]:
    """Keep a file for the workers to see."""
    if marker is None:
        yield
        return
    marker.touch()
    try:
        yield
    finally:
        marker.unlink(missing_ok=True)
