"""The side folder in which a long stage keeps its progress.

DVC empties a stage's outputs before it runs it, so progress cannot live there. It lives in
``.bertpipe/work/<stage>/<fingerprint>/``: the fingerprint covers the inputs and the settings that
change the result, so a changed setting never meets old progress.
"""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bertpipe.artifacts.code import source_hash
from bertpipe.artifacts.manifest import hash_json, write_json
from bertpipe.artifacts.whole import full_disk_named
from bertpipe.errors import ArtifactError, BusyError, CorpusError

# A command that has lost its dvc process stops within seconds (see cli/under_dvc.py); the one
# that dvc starts next waits that long.
WAIT_UNDER_DVC_SECONDS = 30.0


def root() -> Path:
    """Return the folder for side files: ``BERTPIPE_WORK``, else ``.bertpipe`` in the current folder.

    DVC runs a stage in the folder of its ``dvc.yaml``, so there it stands beside that file.
    """
    return Path(os.environ.get("BERTPIPE_WORK") or ".bertpipe")


@dataclass(frozen=True)
class WorkFolder:
    """Progress of one stage with one set of inputs and settings.

    Attributes:
        path: where to keep it.
        notes: explicit choices about older progress, for the manifest of the output.
    """

    path: Path
    notes: list[str]


@contextmanager
def work_folder(
    stage: str,
    *,
    settings: Mapping[str, Any],
    inputs: Mapping[str, str],
    code: Sequence[str],
    old_progress: Literal["refuse", "continue", "restart"],
) -> Iterator[WorkFolder]:
    """Open the work folder of a stage, alone; when the block ends well, it is deleted.

    It is deleted too where the text is at fault: what was made of it is of no use once it is mended.

    Args:
        stage: the stage.
        settings: what changes the result, by section.
        inputs: a content hash for each input, by name.
        code: the source that the stage runs, as for ``source_hash``.
        old_progress: what to do where another version of that source has left progress.

    Raises:
        BusyError: another process works here.
        ArtifactError: the progress is by another version of the code, and ``old_progress`` is
            ``refuse``.
    """
    fingerprint = hash_json({"settings": dict(settings), "inputs": dict(inputs)})[:20]
    path = root() / "work" / stage / fingerprint
    path.mkdir(parents=True, exist_ok=True)
    with _locked(path.with_name(f"{fingerprint}.lock"), what=path):
        notes = _compare_code(path, source_hash(code), old_progress)
        try:
            with full_disk_named(path):
                yield WorkFolder(path, notes)
        except CorpusError:
            shutil.rmtree(path)
            raise
        shutil.rmtree(path)


@contextmanager
def _locked(lock: Path, *, what: Path) -> Iterator[None]:
    deadline = time.monotonic() + (WAIT_UNDER_DVC_SECONDS if "DVC_STAGE" in os.environ else 0.0)
    with lock.open("w") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise BusyError(
                        f"another process is at work in {what}",
                        hint="wait until it is done, or stop it",
                    ) from None
                time.sleep(0.2)
        yield


def _compare_code(path: Path, code: str, old_progress: Literal["refuse", "continue", "restart"]) -> list[str]:
    """Note which source works here; return the explicit choices made about older progress."""
    path.mkdir(exist_ok=True)
    record = path / "code.json"
    known = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    notes: list[str] = list(known.get("notes", []))
    if known and known["source"] != code:
        if old_progress == "refuse":
            raise ArtifactError(
                f"{path} holds progress that another version of the code has made",
                hint="--set runtime.old_progress=continue goes on from it (the output will say "
                "so), --set runtime.old_progress=restart deletes it and starts over",
            )
        if old_progress == "restart":
            shutil.rmtree(path)
            path.mkdir()
            notes = []
        else:
            notes.append("continued from progress that another version of the code had made")
    write_json(record, {"source": code, "notes": notes})
    return notes
