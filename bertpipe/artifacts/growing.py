"""Files that work appends to item by item, and that it can go on with after it was killed.

Every few seconds a record says how many items are whole in the files, and how long the files were
then. Who opens them again finds them cut back to that, and does only the items that are left.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from bertpipe.artifacts.manifest import write_json
from bertpipe.artifacts.whole import make_all_durable
from bertpipe.errors import ArtifactError

_RECORD = "done.json"
_SECONDS_BETWEEN_RECORDS = 2.0


class GrowingFiles:
    """Some files of a folder, and what is known of them; made by ``growing_files``.

    Attributes:
        items: how many are whole in the files.
        state: what the caller has kept with the last record; empty at the start.
        is_complete: whether all items are in the files.
    """

    def __init__(self, folder: Path, files: Mapping[str, IO[bytes]], record: Mapping[str, Any]) -> None:
        self.items: int = record.get("items", 0)
        self.state: dict[str, Any] = record.get("state", {})
        self.is_complete: bool = record.get("is_complete", False)
        self._folder = folder
        self._files = files
        self._recorded = time.monotonic()
        for name, file in files.items():
            file.truncate(record.get("sizes", {}).get(name, 0))
            file.seek(0, os.SEEK_END)

    def restored(self, fresh: Mapping[str, Any]) -> dict[str, Any]:
        """Return the state, or at the start ``fresh``.

        Raises:
            ArtifactError: another version has kept other things, and its progress is continued.
        """
        state = self.state or dict(fresh)
        if state.keys() != fresh.keys():
            raise ArtifactError(
                f"{self._folder} holds progress of a version that counted other things",
                hint="--set runtime.old_progress=restart deletes it and starts over",
            )
        return state

    def size_bytes(self, name: str) -> int:
        """Return how long a file is."""
        return self._files[name].tell()

    def append(self, name: str, content: Any) -> None:
        """Add the bytes of a buffer, such as an array, to a file."""
        self._files[name].write(memoryview(content).cast("B"))

    def finish_item(self, state: Mapping[str, Any]) -> None:
        """Count an item whose parts are all appended, and record it when it is time to."""
        self.items += 1
        self.state = dict(state)
        if time.monotonic() >= self._recorded + _SECONDS_BETWEEN_RECORDS:
            self._record()

    def complete(self) -> None:
        """Record that there are no more items."""
        self.is_complete = True
        self._record()

    def _record(self) -> None:
        for file in self._files.values():
            file.flush()
        make_all_durable(self._folder / name for name in self._files)
        record = {
            "items": self.items,
            "state": self.state,
            "is_complete": self.is_complete,
            "sizes": {name: self.size_bytes(name) for name in self._files},
        }
        write_json(self._folder / _RECORD, record)
        self._recorded = time.monotonic()


@contextmanager
def growing_files(folder: Path, names: Sequence[str] = ()) -> Iterator[GrowingFiles]:
    """Open files to append to, as they were when the last record of them was made.

    Args:
        folder: made where it is not there.
        names: of the files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _RECORD
    record = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    with ExitStack() as stack:
        files = {name: stack.enter_context((folder / name).open("ab")) for name in names}
        yield GrowingFiles(folder, files, record)
