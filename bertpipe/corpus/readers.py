"""Files of a corpus: which there are, in which order, and their lines and records."""

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from bertpipe.artifacts.manifest import MANIFEST
from bertpipe.errors import CorpusError

_GZIP_MAGIC = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_BYTES_AT_ONCE = 1 << 16  # between two reports

OnRead = Callable[[int], None]


@dataclass(frozen=True)
class CorpusFile:
    """One file of a corpus.

    Attributes:
        path: where it is.
        name: its path below the folder that was asked for, or its file name; the corpus is read
            in the order of names, so it does not matter where the folder stands.
    """

    path: Path
    name: str

    @property
    def is_jsonl(self) -> bool:
        """Whether each line is a JSON record, by the suffix under a possible ``.gz``."""
        return self.name.lower().removesuffix(".gz").endswith(".jsonl")


def find_files(corpus: Sequence[Path]) -> list[CorpusFile]:
    """Return the files below ``corpus`` in reading order: by name, then by content.

    Hidden files and manifests of our own outputs are no text; a file that is reached twice is
    read once.

    Args:
        corpus: text files, and folders that are searched to any depth.

    Raises:
        CorpusError: a path is missing, a folder holds no file, or there is no path at all.
    """
    if not corpus:
        raise CorpusError("no corpus was named", hint="name a text file or a folder with --corpus")
    names: dict[Path, CorpusFile] = {}
    for root in corpus:
        for file in _files_of(root):
            place = file.path.resolve()
            # The smallest name, so that the order of the arguments does not decide.
            if place not in names or (file.name, str(file.path)) < (
                names[place].name,
                str(names[place].path),
            ):
                names[place] = file
    return _in_reading_order(names.values())


def corpus_hash(files: Iterable[CorpusFile]) -> str:
    """Return a sha256 over the names and stored contents of files, whatever their order.

    Raises:
        CorpusError: a file cannot be read.
    """
    digest = hashlib.sha256()
    for name, content in sorted((file.name, _content_hash(file)) for file in files):
        digest.update(name.encode("utf-8", "surrogateescape") + b"\0" + content.encode())
    return digest.hexdigest()


def read_lines(file: CorpusFile, *, on_read: OnRead | None = None) -> Iterator[tuple[int, str]]:
    """Yield each line with its number, without its line end.

    Gzip is recognised by content; a byte order mark is dropped; LF and CRLF may be mixed.

    Args:
        file: the file.
        on_read: told the number of stored bytes read since the last call.

    Raises:
        CorpusError: the file cannot be opened, is damaged, or is not UTF-8.
    """
    number = 0
    position = 0
    try:
        with file.path.open("rb") as stored:
            for number, raw in enumerate(_uncompressed(stored), start=1):
                if on_read is not None and stored.tell() >= position + _BYTES_AT_ONCE:
                    on_read(stored.tell() - position)
                    position = stored.tell()
                content = raw.removeprefix(_BOM) if number == 1 else raw
                yield number, content.rstrip(b"\r\n").decode("utf-8")
            if on_read is not None:
                on_read(stored.tell() - position)
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{file.path}:{number}: not valid UTF-8 (byte 0x{error.object[error.start]:02x})",
            hint="convert the file, for example with iconv -f <its encoding> -t utf-8",
        ) from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise CorpusError(
            f"{file.path}: damaged gzip data after line {number}: {error}",
            hint="fetch or compress the file again",
        ) from None
    except OSError as error:
        raise _unreadable(file.path, error) from None


def read_texts(file: CorpusFile, field: str, *, on_read: OnRead | None = None) -> Iterator[str]:
    """Yield the text of each record of a JSON Lines file; empty lines are skipped.

    Args:
        file: the file.
        field: the key of the text.
        on_read: as for ``read_lines``.

    Raises:
        CorpusError: as ``read_lines``; or a line is no JSON object with text in ``field``.
    """
    for number, line in read_lines(file, on_read=on_read):
        if line.strip():
            yield _text_of(line, field, where=f"{file.path}:{number}")


def _text_of(line: str, field: str, *, where: str) -> str:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{where}: not valid JSON: {error}", hint="one JSON object a line") from None
    if not isinstance(record, dict):
        raise CorpusError(f"{where}: not a JSON object: {line[:40]}", hint="one JSON object a line")
    if field not in record:
        keys = ", ".join(repr(key) for key in list(record)[:10]) or "nothing"
        raise CorpusError(
            f"{where}: no field {field!r}, only {keys}", hint="name the field with corpus.text_field"
        )
    text = record[field]
    if not isinstance(text, str):
        raise CorpusError(
            f"{where}: field {field!r} is no text: {str(text)[:40]}",
            hint="name the field with corpus.text_field",
        )
    if not _is_unicode(text):
        raise CorpusError(
            f"{where}: field {field!r} holds half of a surrogate pair (\\ud800 to \\udfff)",
            hint="write the character whole, or leave it out",
        )
    return text


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _files_of(root: Path) -> list[CorpusFile]:
    if root.is_file():
        return [CorpusFile(root, root.name)]
    if not root.exists():
        raise CorpusError(
            f"{root}: no such file or folder", hint="name a text file or a folder with --corpus"
        )
    if not root.is_dir():
        raise CorpusError(f"{root}: neither a file nor a folder")
    paths = [(path, path.relative_to(root)) for path in root.rglob("*") if path.is_file()]
    files = [CorpusFile(path, name.as_posix()) for path, name in paths if _is_text(name)]
    if not files:
        raise CorpusError(f"{root}: no text file in this folder", hint="hidden files do not count")
    return files


def _is_text(name: Path) -> bool:
    return name.name != MANIFEST and not any(part.startswith(".") for part in name.parts)


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
    try:
        with file.path.open("rb") as stored:
            return hashlib.file_digest(stored, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(file.path, error) from None


def _uncompressed(stored: IO[bytes]) -> IO[bytes]:
    is_gzip = stored.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
    stored.seek(0)
    return cast(IO[bytes], gzip.GzipFile(fileobj=stored)) if is_gzip else stored


def _unreadable(path: Path, error: OSError) -> CorpusError:
    return CorpusError(f"{path}: cannot be read: {error.strerror or error}", hint="check its permissions")
