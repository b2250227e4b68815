"""The run log: how long each run took and where, kept out of every artifact."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from bertpipe import __version__
from bertpipe.artifacts.work import root


def path() -> Path:
    """Return the log: one JSON object a line."""
    return root() / "log" / "runs.jsonl"


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
    path().parent.mkdir(parents=True, exist_ok=True)
    with path().open("a", encoding="utf-8") as log:
        log.write(json.dumps(entry) + "\n")
