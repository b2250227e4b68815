"""What ``--corpus`` may name: files, folders, patterns, lists of them, and URLs."""

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bertpipe.corpus.files import hub, remote
from bertpipe.errors import CorpusError

_HINT = "name a text file or a folder with --corpus"


@dataclass(frozen=True)
class Found:
    """A file that an argument names: its path or URL, and its path below that argument."""

    path: Path | str
    name: str


def expand(corpus: Sequence[str | Path]) -> Iterator[Found]:
    """Yield the files that arguments name, hidden ones in folders too.

    Args:
        corpus: each a file or a folder; a string also a pattern, a URL, ``hub://`` and the name of a data
            set on the Hugging Face hub, or ``@`` and a file that
            holds one argument a line, where relative paths start at that file's folder.

    Raises:
        CorpusError: nothing is there, or a folder or a list cannot be read.
    """
    for argument in corpus:
        kind, text = _kind(argument)
        if kind == "list":
            yield from expand(_listed(Path(text)))
        elif kind == "url":
            files = hub.files_of(text) if hub.is_hub(text) else remote.files_of(text)
            yield from (Found(url, name) for url, name in files)
        elif kind == "pattern":
            yield from _matching(text)
        else:
            yield from _below(Path(text))


def local_roots(corpus: Sequence[str | Path]) -> list[Path]:
    """Return the files and folders on this machine in which a corpus lies: no output may.

    Raises:
        CorpusError: a list cannot be read.
    """
    roots: list[Path] = []
    for argument in corpus:
        kind, text = _kind(argument)
        if kind == "list":
            roots += [Path(text), *local_roots(_listed(Path(text)))]
        elif kind == "pattern":
            roots.append(_fixed_part(text))
        elif kind == "path":
            roots.append(Path(text))
    return roots


def _kind(argument: str | Path) -> tuple[Literal["path", "list", "url", "pattern"], str]:
    """Return what an argument is, and its text without the sign that says so."""
    if isinstance(argument, Path):
        return "path", str(argument)
    if argument.startswith("@"):
        return "list", argument[1:]
    if remote.is_url(argument):
        return "url", argument
    path = remote.without_scheme(argument)
    # A file may be called "a[1].txt".
    return ("pattern" if glob.has_magic(path) and not os.path.lexists(path) else "path"), path


def _listed(path: Path) -> list[str | Path]:
    """Return the arguments that a list holds."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"@{path}: the list cannot be read: {error}", hint="one path a line") from None
    entries = [(number, line.strip()) for number, line in enumerate(lines, start=1) if line.strip()]
    if not entries:
        raise CorpusError(f"@{path}: the list names nothing", hint="one path a line")
    for number, entry in entries:
        if entry.startswith("@"):
            raise CorpusError(f"{path}:{number}: {entry}: a list cannot name another list")
    return [
        entry if remote.is_url(entry) else str(path.parent / remote.without_scheme(entry))
        for _, entry in entries
    ]


def _matching(pattern: str) -> Iterator[Found]:
    """Yield the files that a pattern names, and those below folders that it names."""
    fixed = _fixed_part(pattern)
    # Path.glob knows no absolute patterns.
    matches = sorted(map(Path, glob.glob(pattern, recursive=True)))  # noqa: PTH207
    if not matches:
        raise CorpusError(f"{pattern}: nothing matches this pattern", hint=_HINT)
    for match in matches:
        if match.is_file():
            yield Found(match, match.relative_to(fixed).as_posix())
        elif match.is_dir() and "**" not in pattern:
            inside = _walk(match)
            yield from (Found(path, path.relative_to(fixed).as_posix()) for path in inside)


def _fixed_part(pattern: str) -> Path:
    """Return the folder before the first part of a pattern that is not fixed."""
    parts = Path(pattern).parts
    return Path(*parts[: next(place for place, part in enumerate(parts) if glob.has_magic(part))])


def _below(root: Path) -> Iterator[Found]:
    if root.is_file():
        yield Found(root, root.name)
        return
    if not root.exists():
        raise CorpusError(f"{root}: no such file or folder", hint=_HINT)
    if not root.is_dir():
        raise CorpusError(f"{root}: neither a file nor a folder", hint=_HINT)
    found = [Found(path, path.relative_to(root).as_posix()) for path in _walk(root)]
    if not found:
        raise CorpusError(f"{root}: no file in this folder", hint=_HINT)
    yield from found


def _walk(root: Path) -> list[Path]:
    """Return the files below a folder; a folder that cannot be read is an error, not an empty one."""

    def refuse(error: OSError) -> None:
        raise CorpusError(
            f"{error.filename}: cannot be read: {error.strerror}", hint="check its permissions"
        ) from None

    paths = [Path(folder) / name for folder, _, names in os.walk(root, onerror=refuse) for name in names]
    return [path for path in paths if path.is_file()]
