"""What was decided during a run and must not be decided again: it changes the result.

A step count from a time budget, or the micro-batch that fits into memory, depends on the machine
and the moment. It is stored in the work folder before it is used, so that a resumed run goes by it.
"""

import json
from pathlib import Path

from bertpipe.artifacts import write_json
from bertpipe.errors import ArtifactError

FILE = "decisions.json"


class Decisions:
    """Numbers by name, in ``decisions.json`` of a work folder.

    With several processes one of them decides and tells the others; only that one has a folder.
    """

    def __init__(self, folder: Path) -> None:
        """Read what an earlier run has decided in ``folder``.

        Raises:
            ArtifactError: the file is not ours.
        """
        self._path = folder / FILE
        self._values = _read(self._path)

    def get(self, name: str) -> int | None:
        """Return what was decided, or none."""
        return self._values.get(name)

    def starting_with(self, prefix: str) -> dict[str, int]:
        """Return what was decided under names with a prefix, by the rest of the name."""
        return {
            name.removeprefix(prefix): value
            for name, value in self._values.items()
            if name.startswith(prefix)
        }

    def record(self, name: str, value: int) -> int:
        """Store a decision, whole or not at all, in place of an earlier one; return it."""
        values = self._values | {name: value}
        write_json(self._path, values)
        self._values = values
        return value


def _read(path: Path) -> dict[str, int]:
    if not path.exists():
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:  # not JSON, or not UTF-8
        values = None
    if not isinstance(values, dict) or not all(type(value) is int for value in values.values()):
        raise ArtifactError(
            f"{path} is damaged: it does not hold whole numbers by name",
            hint=f"delete {path.parent} to start over",
        )
    return values
