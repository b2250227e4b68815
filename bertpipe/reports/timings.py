"""What took how long, from the run log; for the terminal only, since no artifact holds a time."""

from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from bertpipe.reports.tables import Table

# One run for each task and seed: told together.
_GROUPED = ("finetune", "eval")


class LoggedRun(BaseModel):
    """One line of the run log; it may hold more."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    stage: str
    out: str
    seconds: float


def read_log(path: Path) -> tuple[list[LoggedRun], int]:
    """Return the last run of each stage and output, oldest first, and the number of unreadable lines.

    A log that is not there is an empty one.
    """
    latest: dict[tuple[str, str], LoggedRun] = {}
    bad = 0
    for line in path.read_bytes().splitlines() if path.is_file() else []:
        try:
            run = LoggedRun.model_validate_json(line)
        except ValidationError:
            bad += 1
            continue
        latest.pop((run.stage, run.out), None)
        latest[run.stage, run.out] = run
    return list(latest.values()), bad


def timings_table(runs: Iterable[LoggedRun], *, bad_lines: int = 0) -> Table:
    """Return stage, output, seconds and share of each run; runs per task and seed are one row."""
    grouped: dict[tuple[str, str], list[float]] = {}
    for run in runs:
        out = "" if run.stage in _GROUPED else run.out
        grouped.setdefault((run.stage, out), []).append(run.seconds)
    total = sum(seconds for group in grouped.values() for seconds in group)
    rows = [
        (stage, out or f"{len(group)} runs", f"{sum(group):.1f} s", f"{_percent(sum(group), total)} %")
        for (stage, out), group in grouped.items()
    ]
    note = f"Unreadable lines in the run log: {bad_lines}." if bad_lines else ""
    total_row = ("all", "", f"{total:.1f} s", f"{_percent(total, total)} %")
    columns = ("stage", "output", "time", "share")
    return Table("What took how long", columns, (*rows, total_row), note=note)


def _percent(seconds: float, total: float) -> str:
    return f"{100 * seconds / total if total > 0 else 0.0:.0f}"
