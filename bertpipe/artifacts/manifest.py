"""``manifest.json``: what an output folder holds, how it was made, and from what.

It is written last, so a folder with a manifest is whole. It holds no time, host name or absolute
path: the same inputs and settings give the same bytes.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from bertpipe import __version__
from bertpipe.errors import ArtifactError

MANIFEST = "manifest.json"


class FileEntry(BaseModel):
    """Size and content of one file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size_bytes: int
    sha256: str


class Manifest(BaseModel):
    """The index of an output folder.

    Attributes:
        stage: the stage that wrote it.
        version: the bertpipe version that wrote it.
        settings: what changes the result, by section.
        inputs: a content hash for each input, by name.
        counts: what the folder holds, such as sentences and tokens.
        notes: what a reader must know, such as progress continued with changed code.
        files: every other file, by its path inside the folder.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = 1
    stage: str
    version: str = __version__
    settings: dict[str, Any]
    inputs: dict[str, str]
    counts: dict[str, Any]
    notes: list[str]
    files: dict[str, FileEntry]

    def content_hash(self) -> str:
        """Return a sha256 over the files' contents: how later stages name this folder.

        Only contents count, so that an input made again with the same result stays the same.
        """
        return hash_json({name: entry.sha256 for name, entry in self.files.items()})


def file_entry(path: Path) -> FileEntry:
    """Hash one file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return FileEntry(size_bytes=path.stat().st_size, sha256=digest)


def hash_json(value: Mapping[str, Any]) -> str:
    """Return the sha256 of a JSON value, whatever the order of its keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def write_json(path: Path, value: object) -> None:
    """Write JSON, whole or not at all, as every artifact does: UTF-8, keys as given, final newline."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(
        json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n",
        encoding="utf-8",
        newline="\n",
    )
    partial.replace(path)


def index_files(folder: Path) -> dict[str, FileEntry]:
    """Hash every file below ``folder`` but its manifest, by sorted relative path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    entries = {path.relative_to(folder).as_posix(): path for path in files}
    return {name: file_entry(path) for name, path in sorted(entries.items()) if name != MANIFEST}


def read_manifest(folder: Path, *, stage: str | None = None) -> Manifest:
    """Read the manifest of an output folder; the files themselves are not looked at.

    Args:
        folder: an output of ours.
        stage: the stage that must have written it.

    Raises:
        ArtifactError: the folder or its manifest is missing, not ours, or of another stage.
    """
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except FileNotFoundError:
        problem = "is not complete: it has no manifest.json" if folder.is_dir() else "does not exist"
        raise ArtifactError(f"{folder} {problem}", hint="run the stage that writes it") from None
    except (NotADirectoryError, IsADirectoryError, ValidationError):
        raise ArtifactError(f"{folder} is not an output of bertpipe") from None
    if stage is not None and manifest.stage != stage:
        raise ArtifactError(
            f"{folder} was written by {manifest.stage!r}, not by {stage!r}",
            hint=f"name an output of 'bertpipe {stage}'",
        )
    return manifest


def check_files(folder: Path, manifest: Manifest) -> None:
    """Hash the files of an output folder again and compare.

    Raises:
        ArtifactError: a file is missing, or differs from what the manifest says.
    """
    for name, expected in manifest.files.items():
        path = folder / name
        if not path.is_file():
            raise ArtifactError(f"{path} is missing", hint=f"run {manifest.stage!r} again")
        if path.stat().st_size != expected.size_bytes or file_entry(path) != expected:
            raise ArtifactError(
                f"{path} is damaged or was changed: its sha256 is not the one in manifest.json",
                hint=f"delete {folder} and run {manifest.stage!r} again",
            )


def open_artifact(folder: Path, *, stage: str | None = None) -> Manifest:
    """Read the manifest of an input folder and check every file against it.

    Raises:
        ArtifactError: as ``read_manifest`` and ``check_files``.
    """
    manifest = read_manifest(folder, stage=stage)
    check_files(folder, manifest)
    return manifest


def input_hash(folder: Path) -> str:
    """Return what names an input folder, after checking it where it has a manifest.

    A folder without a manifest (a Hugging Face model, say) is named by all of its files.

    Raises:
        ArtifactError: the folder does not exist, or differs from its manifest.
    """
    if (folder / MANIFEST).is_file():
        return open_artifact(folder).content_hash()
    if not folder.is_dir():
        raise ArtifactError(f"{folder} does not exist", hint="run the stage that writes it")
    return hash_json({name: entry.sha256 for name, entry in index_files(folder).items()})
