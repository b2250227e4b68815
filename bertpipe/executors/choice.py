"""Which executor the settings ask for."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from bertpipe.configs import RuntimeConfig
from bertpipe.executors.cluster import open_cluster
from bertpipe.executors.local import LocalExecutor, worker_count

Item = TypeVar("Item")
Result = TypeVar("Result")


class Executor(Protocol):
    """What spreads work: over processes of this machine, or over machines."""

    def map_ordered(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield ``function(item)`` for each item, in the order of the items.

        Items are read as they are needed and few are under way at once. An error arrives as
        ``function`` raised it, in the turn of its item.

        Args:
            function: can be pickled, as can items and results.
            items: what to work on.
        """
        ...


@contextmanager
def open_executor(
    runtime: RuntimeConfig, *, reads: Sequence[Path] = (), folder: Path | None = None
) -> Iterator[Executor]:
    """Give the executor that the settings name; when the block ends, nothing of it still works.

    Args:
        runtime: the section ``runtime``.
        reads: files that workers on other machines have to see as they are here.
        folder: where workers read and write; it must be on a file system that they share. While
            the block runs it holds a hidden file.

    Raises:
        ResourceError: the scheduler cannot be reached.
        ConfigError: the extra ``cluster`` is not installed.
    """
    if runtime.scheduler is None or runtime.executor == "local":
        local = LocalExecutor(worker_count(runtime.workers))
        try:
            yield local
        finally:
            local.stop()
        return
    with open_cluster(runtime.scheduler, reads=reads, folder=folder) as executor:
        yield executor
