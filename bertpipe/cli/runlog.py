"""Logs of what ran: how long and where, kept out of every artifact.

``runs.jsonl`` has a line for each finished run. Beside it each stage and output has a journal, to
which a run adds as it goes: its figures, phases and notes, also those of a run that failed.
"""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertpipe import __version__
from bertpipe.artifacts.work import root

if TYPE_CHECKING:
    from bertpipe.cli.display import Running

# File systems take 255 bytes; a letter may need four.
_LONGEST_NAME = 60


def path() -> Path:
    """Return the log of finished runs: one JSON object a line."""
    return root() / "log" / "runs.jsonl"


def journal_path(stage: str, out: Path) -> Path:
    """Return the journal of a stage and its output, such as ``log/pretrain/models-pretrained.jsonl``."""
    name = "-".join(part for part in out.parts if part != out.anchor)
    return root() / "log" / stage / f"{name[-_LONGEST_NAME:]}.jsonl"


def append(
    *,
    stage: str,
    out: Path,
    seconds: float,
    phases: Mapping[str, float],
    facts: Mapping[str, float | str],
) -> None:
    """Add one finished run."""
    entry = {
        "stage": stage,
        "out": out.as_posix(),
        "seconds": round(seconds, 2),
        "phases": {name: round(value, 2) for name, value in phases.items()},
        "finished": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "version": __version__,
        **facts,
    }
    _add(path(), entry)


class Journal:
    """A ``Screen`` that is a file: one JSON object for each event of a run.

    Nothing is written before the first phase begins, so a command that is refused leaves no trace.
    """

    def __init__(self, stage: str, out: Path) -> None:
        self._stage, self._out = stage, out
        self._path = journal_path(stage, out)
        self._began = False

    def begin(self, running: "Running") -> None:
        """Write what runs here, once."""
        if not self._began:
            self._began = True
            self._write("run", stage=self._stage, out=self._out.as_posix(), version=__version__)

    def update(self, running: "Running") -> None:
        """Write the figures that came with an advance, and how far it is."""
        if running.fresh:
            where = {"phase": running.name, running.unit: running.done, "total": running.total}
            self._write("figures", **where, seconds=running.seconds, **running.fresh)

    def end(self, running: "Running") -> None:
        """Write how long the phase took."""
        self._write("phase", phase=running.name, seconds=running.seconds)

    def line(self, message: str) -> None:
        """Write a note."""
        if self._began:
            self._write("note", note=message)

    def finish(self, facts: Mapping[str, float | str]) -> None:
        """Write the facts of a run that came to its end."""
        if self._began:
            self._write("done", **facts)

    def fail(self, error: BaseException) -> None:
        """Write why a run did not come to its end."""
        if self._began:
            self._write("failed", error=str(error) or type(error).__name__)

    def _write(self, event: str, **facts: Any) -> None:
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        _add(self._path, {"time": moment, "event": event, **facts})


@contextmanager
def keeping_journal(stage: str, out: Path) -> Iterator[Journal]:
    """Open the journal of a run; an error that ends the run is its last line."""
    journal = Journal(stage, out)
    try:
        yield journal
    except BaseException as error:
        journal.fail(error)
        raise


def _add(log: Path, entry: Mapping[str, Any]) -> None:
    """Add a line in one write, so that it is whole wherever the process is killed."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps({name: _valid(value) for name, value in entry.items()}) + "\n")


def _valid(value: Any) -> Any:
    """Return a value for JSON: six digits, and null where it has no number for a loss that is not finite."""
    if not isinstance(value, float):
        return value
    return float(f"{value:.6g}") if math.isfinite(value) else None
