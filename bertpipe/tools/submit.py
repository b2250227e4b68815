"""submit: predictions on GLUE's test sets to the archive that its leaderboard takes."""

import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bertpipe.artifacts import make_durable, open_artifact
from bertpipe.errors import ArtifactError

# What the leaderboard asks for, with the size of the official test set.
GLUE_FILES = {
    "AX.tsv": 1_104,
    "CoLA.tsv": 1_063,
    "MNLI-m.tsv": 9_796,
    "MNLI-mm.tsv": 9_847,
    "MRPC.tsv": 1_725,
    "QNLI.tsv": 5_463,
    "QQP.tsv": 390_965,
    "RTE.tsv": 3_000,
    "SST-2.tsv": 1_821,
    "STS-B.tsv": 1_379,
    "WNLI.tsv": 146,
}

# The earliest that a zip file can hold: an archive that is made again has the same bytes.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class SubmitSummary:
    """What the archive holds.

    Attributes:
        files: the files in it.
        missing: what the leaderboard wants too: it takes only all of them together.
        other_size: files with another number of predictions than the official test set has examples.
    """

    files: list[str]
    missing: list[str]
    other_size: list[str]


def run(*, predictions: Sequence[Path], out: Path) -> SubmitSummary:
    """Put the GLUE files of some ``predict`` outputs into one archive.

    Args:
        predictions: folders; each file may come from one of them only.
        out: the archive to write, whole or not at all.

    Raises:
        ArtifactError: a folder is no whole output of ``predict``, has no file of GLUE, or has one that
            another has too; or ``out`` is a file of another making.
    """
    _check_replaceable(out)
    files: dict[str, Path] = {}
    for folder in predictions:
        for path in _files(folder):
            if path.name in files:
                raise ArtifactError(
                    f"{path.name} is in {files[path.name].parent} and in {folder}",
                    hint="name one folder for each of GLUE's test sets",
                )
            files[path.name] = path
    contents = {name: files[name].read_bytes() for name in sorted(files)}
    _write(out, contents)
    return SubmitSummary(
        files=list(contents),
        missing=[name for name in GLUE_FILES if name not in contents],
        other_size=[
            f"{name} ({_predictions(content)} instead of {GLUE_FILES[name]})"
            for name, content in contents.items()
            if _predictions(content) != GLUE_FILES[name]
        ],
    )


def _files(folder: Path) -> list[Path]:
    manifest = open_artifact(folder, stage="predict")
    files = [folder / name for name in manifest.files if name in GLUE_FILES]
    if not files:
        raise ArtifactError(
            f"{folder} has no file for GLUE's leaderboard",
            hint="name outputs of 'bertpipe predict' for the test splits of GLUE's tasks",
        )
    return files


def _predictions(content: bytes) -> int:
    return content.count(b"\n") - 1  # the header


def _check_replaceable(out: Path) -> None:
    """Refuse to overwrite anything but an archive like this one."""
    if out.suffix != ".zip":
        raise ArtifactError(f"{out} is no name of an archive", hint="name a file such as glue.zip with --out")
    if os.path.lexists(out) and not _is_ours(out):
        raise ArtifactError(f"{out} exists and is no archive of GLUE files", hint="name another --out")


def _is_ours(out: Path) -> bool:
    if not out.is_file() or not zipfile.is_zipfile(out):
        return False
    with zipfile.ZipFile(out) as archive:
        return set(archive.namelist()) <= GLUE_FILES.keys()


def _write(out: Path, contents: Mapping[str, bytes]) -> None:
    """Write an archive whose bytes depend on the contents alone, so nothing is compressed."""
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.partial")
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
            for name, content in contents.items():
                entry = zipfile.ZipInfo(name, _NO_TIME)
                entry.create_system, entry.external_attr = 3, 0o644 << 16  # Unix, readable
                archive.writestr(entry, content)
        make_durable(partial)
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
