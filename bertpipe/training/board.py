"""TensorBoard: the figures of a run as event files, where ``runtime.tensorboard`` names a folder."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bertpipe import extras
from bertpipe.errors import ConfigError

_FLUSH_SECONDS = 10


class Board:
    """Where the figures of one run are drawn."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def write(self, group: str, step: int, figures: Mapping[str, float]) -> None:
        """Add a point to each figure's chart; charts of a group stand together."""
        for name, value in figures.items():
            self._writer.add_scalar(f"{group}/{name}", value, step)


@contextmanager
def open_board(folder: str | None, *, work: Path, first_step: int) -> Iterator[Board | None]:
    """Open the event file of a run, ``<folder>/<stage>/<fingerprint>``; none where there is no folder.

    A run that goes on adds to what it wrote before; points after its checkpoint are dropped, since
    it will do these steps again.

    Args:
        folder: ``runtime.tensorboard``.
        work: the run's work folder, which ends in stage and fingerprint.
        first_step: updates done before.

    Raises:
        ConfigError: the package is not installed, or the folder cannot be made.
    """
    if folder is None:
        yield None
        return
    tensorboard = extras.load("tensorboardX", extra="tensorboard", needed_by="runtime.tensorboard")
    run = Path(folder) / work.parent.name / work.name
    try:
        run.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise ConfigError(
            f"runtime.tensorboard = {folder!r}: {run} cannot be made: {error.strerror}",
            hint="name a folder that can be written to, new or old",
        ) from None
    purge_step = first_step + 1 if first_step else None
    with tensorboard.SummaryWriter(str(run), purge_step=purge_step, flush_secs=_FLUSH_SECONDS) as writer:
        yield Board(writer)
