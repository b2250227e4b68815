"""Tables as text: CSV and TSV with a named column; each row is a document."""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from bertpipe.corpus.documents import CorpusConfig
from bertpipe.corpus.files.found import CorpusFile
from bertpipe.corpus.files.limits import MAX_LINE_BYTES, LineError, line_too_long
from bertpipe.corpus.reading.pieces import Texts
from bertpipe.corpus.reading.records import paragraphs_of
from bertpipe.corpus.reading.texts import Parsed, decode
from bertpipe.errors import CorpusError

_BOM = "\ufeff"
_QUOTES = "or, where a quote is an ordinary character, set corpus.quotes=false"


@dataclass(frozen=True)
class Source:
    """An opened file that is read here, not by workers.

    Attributes:
        file: which one.
        content: its content, unpacked.
        is_packed: whether it was compressed: then nobody can go back in it.
        size: characters for a piece, about.
    """

    file: CorpusFile
    content: io.BufferedReader
    is_packed: bool
    size: int


def read_csv(source: Source, config: CorpusConfig) -> Iterator[Texts]:
    """Yield the rows of a file with commas, as RFC 4180 has it: fields in quotes may hold lines.

    Raises:
        CorpusError: the column is not there, quotes do not match, or a row has too few fields.
    """
    return _read(source, config, delimiter=",")


def read_tsv(source: Source, config: CorpusConfig) -> Iterator[Texts]:
    """Yield the rows of a file with tabs.

    Raises:
        CorpusError: as ``read_csv``.
    """
    return _read(source, config, delimiter="\t")


def gathered(documents: Iterable[tuple[list[str], int]], *, size: int) -> Iterator[Texts]:
    """Yield documents, each with how much was replaced in it, in pieces of about ``size`` characters."""
    held: list[list[str]] = []
    characters = replaced = 0
    for document, count in documents:
        if document:
            held.append(document)
        characters += sum(map(len, document))
        replaced += count
        if characters >= size:
            yield Texts(Parsed(held, replaced))
            held, characters, replaced = [], 0, 0
    if held or replaced:
        yield Texts(Parsed(held, replaced))


def _read(source: Source, config: CorpusConfig, *, delimiter: str) -> Iterator[Texts]:
    lines = _Lines(source, config)
    return gathered(_rows(lines, source.file, config, delimiter), size=source.size)


def _rows(
    lines: "_Lines", file: CorpusFile, config: CorpusConfig, delimiter: str
) -> Iterator[tuple[list[str], int]]:
    csv.field_size_limit(MAX_LINE_BYTES)  # of the whole process; Python's own limit is 128 KiB
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if config.quotes else csv.QUOTE_NONE
    rows = csv.reader(iter(lines), delimiter=delimiter, quoting=quoting, strict=True)
    try:
        header = next(rows, [])
        column = _column(header, config.text_field, file)
        for row in rows:
            if row and len(row) != len(header):
                raise CorpusError(
                    f"{file}:{lines.number}: {len(row)} fields, but the header has {len(header)}",
                    hint=f"mend the row, {_QUOTES}",
                )
            yield paragraphs_of(row[column].replace("\r\n", "\n")) if row else [], lines.take_replaced()
    except csv.Error as error:
        raise CorpusError(
            f"{file}:{lines.number}: not valid CSV: {error}", hint=f"mend it, {_QUOTES}"
        ) from None


def _column(header: list[str], name: str, file: CorpusFile) -> int:
    if name not in header:
        shown = ", ".join(map(repr, header[:10])) + (", ..." if len(header) > 10 else "")
        raise CorpusError(
            f"{file}:1: no column {name!r}, only {shown or 'nothing'}",
            hint="name the column with corpus.text_field",
        )
    return header.index(name)


class _Lines:
    """The lines of a file as text, with their ends; remembers what was met on the way.

    Attributes:
        number: of the line read last.
    """

    def __init__(self, source: Source, config: CorpusConfig) -> None:
        self._content = source.content
        self._file = source.file
        self._errors = config.errors
        self._replaced = 0
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        while raw := self._content.readline(MAX_LINE_BYTES + 1):
            self.number += 1
            try:
                if len(raw) > MAX_LINE_BYTES:
                    raise LineError(0, *line_too_long())
                text, replaced = decode(raw, errors=self._errors)
            except LineError as error:
                raise CorpusError(f"{self._file}:{self.number}: {error.message}", hint=error.hint) from None
            self._replaced += replaced
            yield text.removeprefix(_BOM) if self.number == 1 else text

    def take_replaced(self) -> int:
        """Return the number of invalid sequences replaced since the last call."""
        taken, self._replaced = self._replaced, 0
        return taken
