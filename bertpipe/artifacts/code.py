"""Which source a stage runs, as one hash.

Two things need it: progress that another version of the code has made must not be continued in
silence, and a pipeline must run the package whose source its ``dvc.yaml`` tracks.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import bertpipe

PACKAGE = Path(bertpipe.__file__).parent


def source_files(sources: Sequence[str]) -> list[Path]:
    """Return the Python files below ``sources``, paths relative to the package such as ``vocab``."""
    files: set[Path] = set()
    for source in sources:
        path = PACKAGE / source
        found = [path] if path.is_file() else list(path.rglob("*.py"))
        assert found, f"no source at bertpipe/{source}"
        files.update(found)
    return sorted(files)


def source_hash(sources: Sequence[str]) -> str:
    """Return the sha256 of names and contents of the Python files below ``sources``."""
    digest = hashlib.sha256()
    for path in source_files(sources):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
