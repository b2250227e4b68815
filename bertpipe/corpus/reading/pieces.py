"""Pieces of files: what is handed to workers, who parse it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bertpipe.corpus.documents import CorpusConfig
from bertpipe.corpus.files.found import CorpusFile, opened
from bertpipe.corpus.files.limits import LineError
from bertpipe.corpus.reading.texts import LineFormat, Parsed, parse
from bertpipe.errors import CorpusError


class Piece(Protocol):
    """Some whole documents of one file."""

    @property
    def size(self) -> int:
        """Bytes or characters: how much work it is."""

    def parse(self, config: CorpusConfig) -> Parsed:
        """Return its documents.

        Raises:
            CorpusError: it cannot be read, or something in it is not as it must be.
        """


@dataclass(frozen=True)
class Slice:
    """A range of bytes of an uncompressed file on this machine; it is read when it is parsed.

    Attributes:
        file: the file.
        start: where the range begins.
        end: where it ends, and another document may begin.
        form: how its lines are read.
    """

    file: CorpusFile
    start: int
    end: int
    form: LineFormat

    @property
    def size(self) -> int:
        """Bytes in the range."""
        return self.end - self.start

    def parse(self, config: CorpusConfig) -> Parsed:
        """Read the range and return its documents."""
        with opened(self.file) as stored:
            stored.seek(self.start)
            raw = stored.read(self.size)
        return _parsed(self.file, raw, self.form, config, first=not self.start, before=self._lines_before)

    def _lines_before(self) -> int:
        """Count the lines above: only a message needs to know."""
        with opened(self.file) as stored:
            lines, left = 0, self.start
            while left and (block := stored.read(min(left, 1 << 20))):
                lines += block.count(b"\n")
                left -= len(block)
        return lines


@dataclass(frozen=True)
class Block:
    """Bytes of a file that only one process can read, such as a compressed one.

    Attributes:
        file: the file.
        raw: its content, or a part that begins and ends where documents do.
        lines_before: number of lines before that part.
        form: how its lines are read.
        is_start: whether the part is the beginning of the file.
    """

    file: CorpusFile
    raw: bytes
    lines_before: int
    form: LineFormat
    is_start: bool

    @property
    def size(self) -> int:
        """Bytes of content."""
        return len(self.raw)

    def parse(self, config: CorpusConfig) -> Parsed:
        """Return its documents."""
        return _parsed(
            self.file, self.raw, self.form, config, first=self.is_start, before=lambda: self.lines_before
        )


@dataclass(frozen=True)
class Texts:
    """Documents that had to be parsed where they were read, such as rows of a table."""

    parsed: Parsed

    @property
    def size(self) -> int:
        """Characters in the documents."""
        return sum(len(paragraph) for document in self.parsed.documents for paragraph in document)

    def parse(self, config: CorpusConfig) -> Parsed:
        """Return the documents."""
        return self.parsed


def _parsed(
    file: CorpusFile,
    raw: bytes,
    form: LineFormat,
    config: CorpusConfig,
    *,
    first: bool,
    before: Callable[[], int],
) -> Parsed:
    try:
        return parse(raw, form, config, is_start=first)
    except LineError as error:
        line = before() + error.line + 1
        raise CorpusError(f"{file}:{line}: {error.message}", hint=error.hint) from None
