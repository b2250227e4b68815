"""What a command begins before it has read its settings, because it takes as long as reading them."""

import os
from collections.abc import Sequence
from pathlib import Path

# What one process is done with before another has started.
_SMALL_BYTES = 4_000_000


def leave_out_threads() -> None:
    """Keep NumPy from starting threads for linear algebra: 0.05 s, and nothing here multiplies matrices.

    Worker processes inherit it. Who has set the variable gets what it says.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def start_fork_server(modules: Sequence[str], *, corpus: Sequence[str], workers: int | None) -> None:
    """Start the process that worker processes come from; it imports ``modules`` while we go on.

    Nothing is started where there will be one worker, or little text.

    Args:
        modules: what workers run.
        corpus: files, folders and patterns to read.
        workers: how many the command line asks for, if it does.
    """
    if workers == 1 or len(os.sched_getaffinity(0)) == 1 or _is_small(corpus):
        return
    from multiprocessing import forkserver, get_context

    get_context("forkserver").set_forkserver_preload([*modules, "bertpipe.cli.preloaded"])
    forkserver.ensure_running()


def _is_small(corpus: Sequence[str]) -> bool:
    """Whether these are a few files, and small; of folders, patterns and URLs nobody knows yet."""
    paths = [Path(argument) for argument in corpus]
    return all(path.is_file() for path in paths) and sum(path.stat().st_size for path in paths) < _SMALL_BYTES
