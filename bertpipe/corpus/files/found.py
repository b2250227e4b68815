"""Files of a corpus: which there are, in which order, and whether they are still as they were found."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

from bertpipe.artifacts.manifest import MANIFEST
from bertpipe.corpus.files import remote
from bertpipe.corpus.files.arguments import Found, expand
from bertpipe.errors import CorpusError

State = tuple[int, int | str]


@dataclass(frozen=True)
class CorpusFile:
    """One file of a corpus.

    Attributes:
        path: where it is; a path on this machine, or a URL.
        name: its path below the folder that was asked for, or its file name; the corpus is read
            in the order of names, so it does not matter where the folder stands.
        state: its size in bytes, and what changes with its content: when that is another one
            while the file is read, reading ends with an error.
    """

    path: Path | str
    name: str
    state: State

    @classmethod
    def at(cls, path: Path | str, name: str) -> Self:
        """Return the file at ``path`` as it is now.

        Raises:
            CorpusError: there is none, or it cannot be read.
        """
        return cls(path, name, _state(path))

    @property
    def is_local(self) -> bool:
        """Whether other processes of this machine can open it by its path."""
        return isinstance(self.path, Path)

    @property
    def size_bytes(self) -> int:
        """Stored size."""
        return self.state[0]

    def __str__(self) -> str:
        """Return the path, as messages show it."""
        return str(self.path)


def find_files(corpus: Sequence[str | Path]) -> list[CorpusFile]:
    """Return the files of a corpus in reading order: by name, then by content.

    Hidden files and manifests of our own outputs are no text; a file that is reached twice is
    read once.

    Args:
        corpus: files, and folders that are searched to any depth; as strings also patterns
            (``text/*.txt``), URLs (``s3://bucket/text``), data sets of the Hugging Face hub
            (``hub://owner/name:train``) and lists of all of these (``@list.txt``).

    Raises:
        CorpusError: a path is missing, a folder holds no file, or there is no path at all.
    """
    if not corpus:
        raise CorpusError("no corpus was named", hint="name a text file or a folder with --corpus")
    names: dict[str, Found] = {}
    for found in expand(corpus):
        if _is_text(found.name):
            place = found.path if isinstance(found.path, str) else str(found.path.resolve())
            # The smallest name, so that the order of the arguments does not decide.
            names[place] = min(found, names.get(place, found), key=lambda one: (one.name, str(one.path)))
    if not names:
        raise CorpusError(
            f"no text file in {', '.join(map(str, corpus))}", hint="hidden files and manifests do not count"
        )
    return _in_reading_order([CorpusFile.at(found.path, found.name) for found in names.values()])


def corpus_hash(files: Iterable[CorpusFile]) -> str:
    """Return a sha256 over the names and stored contents of files, whatever their order.

    Raises:
        CorpusError: a file cannot be read, or changed since it was found.
    """
    digest = hashlib.sha256()
    for name, content in sorted((file.name, _content_hash(file)) for file in files):
        digest.update(name.encode("utf-8", "surrogateescape") + b"\0" + content.encode())
    return digest.hexdigest()


@contextmanager
def opened(file: CorpusFile) -> Iterator[BinaryIO]:
    """Give the stored bytes of a file.

    Raises:
        CorpusError: it cannot be read, or is not the same at the beginning or the end as when it
            was found.
    """
    try:
        _check_same(file)
        with file.path.open("rb") if isinstance(file.path, Path) else remote.opened(file.path) as stored:
            yield stored
        _check_same(file)
    except CorpusError:
        _check_same(file)  # the better reason, where it is one
        raise
    except OSError as error:
        raise _unreadable(file.path, error) from None


def _check_same(file: CorpusFile) -> None:
    if _state(file.path) != file.state:
        raise CorpusError(f"{file}: changed while it was read", hint="run the command again when it is whole")


def _state(path: Path | str) -> State:
    if isinstance(path, str):
        return remote.state(path)
    try:
        status = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from None
    return status.st_size, status.st_mtime_ns


def _unreadable(path: Path | str, error: OSError) -> CorpusError:
    if isinstance(error, FileNotFoundError):
        return CorpusError(f"{path}: no longer there", hint="run the command again when it is whole")
    return CorpusError(f"{path}: cannot be read: {error.strerror or error}", hint="check its permissions")


def _is_text(name: str) -> bool:
    parts = name.split("/")
    return parts[-1] != MANIFEST and not any(part.startswith(".") for part in parts)


def _in_reading_order(files: Iterable[CorpusFile]) -> list[CorpusFile]:
    by_name: dict[str, list[CorpusFile]] = {}
    for file in files:
        by_name.setdefault(file.name, []).append(file)
    ordered: list[CorpusFile] = []
    for name in sorted(by_name):
        same = by_name[name]
        ordered += same if len(same) == 1 else sorted(same, key=_content_hash)
    return ordered


def _content_hash(file: CorpusFile) -> str:
    digest = hashlib.sha256()
    with opened(file) as stored:
        while block := stored.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
