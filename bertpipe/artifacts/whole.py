"""Outputs appear whole or not at all.

A stage writes into a hidden folder beside its output; only when all is there does the folder get
its manifest and its name. A killed stage leaves a hidden folder that the next run clears.
"""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bertpipe.artifacts.manifest import MANIFEST, Manifest, index_files, read_manifest, write_json
from bertpipe.errors import ArtifactError, BusyError

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass
class Output:
    """An output folder in the making.

    Attributes:
        folder: where to write; it is renamed when the work is done.
        counts: what the folder will hold, for its manifest.
        notes: what a reader must know, for its manifest.
    """

    folder: Path
    counts: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def check_replaceable(out: Path, *, stage: str, inputs: Sequence[Path] = ()) -> None:
    """Refuse to overwrite what the stage has not made, or to write into what it reads.

    Raises:
        ArtifactError: ``out`` exists and is neither empty nor an output of ``stage``, no folder of
            that name can be made, or it lies inside one of ``inputs``.
    """
    for source in inputs:
        if out.resolve().is_relative_to(source.resolve()):
            raise ArtifactError(
                f"{out} lies inside {source}, which is read",
                hint="name an --out elsewhere: the next run would read it as input",
            )
    if out.name in ("", ".."):
        raise ArtifactError(f"{out} cannot be replaced as a whole", hint="name a folder inside it with --out")
    above = next(folder for folder in out.absolute().parents if os.path.lexists(folder))
    if not above.is_dir():
        raise ArtifactError(f"{out} cannot be made: {above} is not a folder", hint="name another --out")
    if not os.path.lexists(out) or _is_empty(out):
        return
    try:
        made_by = read_manifest(out).stage  # any file may be called manifest.json
    except ArtifactError:
        made_by = None
    if made_by != stage:
        whose = "is not an output of bertpipe" if made_by is None else f"was written by {made_by!r}"
        raise ArtifactError(f"{out} exists and {whose}", hint="name another --out, or move it away")


def _is_empty(out: Path) -> bool:
    return out.is_dir() and not any(out.iterdir())


@contextmanager
def written_whole(
    out: Path, *, stage: str, settings: Mapping[str, Any], inputs: Mapping[str, str]
) -> Iterator[Output]:
    """Give a folder to write to; when the block ends well, it becomes ``out``.

    Args:
        out: the declared output; an older output of ours is replaced.
        stage: the stage that writes.
        settings: what changes the result, by section.
        inputs: a content hash for each input, by name.

    Raises:
        ArtifactError: ``out`` exists and is no output of ``stage``.
        BusyError: another process is writing the same output.
    """
    check_replaceable(out, stage=stage)
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.partial")
    partial.mkdir(exist_ok=True)
    handle = os.open(partial, os.O_RDONLY)
    try:
        _lock(handle, partial, out)
        _clear(partial)
        try:
            with full_disk_named(out):
                output = Output(partial)
                yield output
                manifest = Manifest(
                    stage=stage,
                    settings=dict(settings),
                    inputs=dict(inputs),
                    counts=output.counts,
                    notes=output.notes,
                    files=index_files(partial),
                )
                write_json(partial / MANIFEST, manifest.model_dump())
                sync_folder(partial)
                replace_folder(partial, out)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    finally:
        os.close(handle)


@contextmanager
def full_disk_named(path: Path) -> Iterator[None]:
    """Let the error of a write that found no room say where: by itself it does not."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE and error.filename is None:
            error.filename = str(path)
        raise


def replace_folder(source: Path, target: Path) -> None:
    """Rename ``source`` to ``target``, which may exist."""
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    try:
        if target.exists():
            target.rename(old)
        source.rename(target)
    except BaseException:
        if old.exists() and not target.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)
    make_durable(target.parent)


def link_folder(source: Path, target: Path) -> None:
    """Make ``target`` a folder of the same files, without a copy of them where that is possible."""
    shutil.copytree(source, target, copy_function=_link)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one that knows no links
        shutil.copyfile(source, target)


def sync_folder(folder: Path) -> None:
    """Make the files below a folder durable before something is renamed on top of them."""
    make_all_durable([folder, *folder.rglob("*")])


def make_all_durable(paths: Iterable[Path]) -> None:
    """Do what ``make_durable`` does side by side: one after another each would wait for the disk."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(make_durable, paths))


def make_durable(path: Path) -> None:
    """Wait until the content of a file, or the names in a folder, would survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _lock(handle: int, partial: Path, out: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        alone = partial.exists() and os.path.samestat(os.fstat(handle), partial.stat())
    except BlockingIOError:
        alone = False
    # Locked, but no longer there: whoever held it has renamed or removed it since it was opened.
    if not alone:
        raise BusyError(f"another process is writing {out}", hint="wait until it is done, or stop it")


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
