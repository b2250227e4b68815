"""One file to pieces: unpacked where it is compressed, and read as its format asks."""

import io
from collections.abc import Callable, Iterator
from typing import BinaryIO, cast

from bertpipe import compression
from bertpipe.corpus.documents import CorpusConfig
from bertpipe.corpus.files.found import CorpusFile, opened
from bertpipe.corpus.reading import columns, dumps, tables
from bertpipe.corpus.reading.cuts import blocks, slices
from bertpipe.corpus.reading.formats import HEAD_BYTES, Format, format_of, is_lines
from bertpipe.corpus.reading.pieces import Piece
from bertpipe.corpus.reading.tables import Source

_READERS: dict[Format, Callable[[Source, CorpusConfig], Iterator[Piece]]] = {
    "arrow": columns.read_arrow,
    "csv": tables.read_csv,
    "mediawiki": dumps.read_mediawiki,
    "parquet": columns.read_parquet,
    "tsv": tables.read_tsv,
}


def pieces_of(file: CorpusFile, config: CorpusConfig, *, size: int) -> Iterator[tuple[Piece, int]]:
    """Yield the documents of a file in pieces, and how many stored bytes have been read by then.

    Args:
        file: from ``find_files``.
        config: how it is read.
        size: bytes or characters for a piece, about; a document is never cut.

    Raises:
        CorpusError: the file cannot be read, is damaged, or is not of its format.
        ConfigError: a package that its format needs is not installed.
    """
    with opened(file) as stored:
        unpacked = compression.unpacked(stored, where=str(file))
        content = unpacked or _with_peek(stored)
        form = format_of(file, content.peek(HEAD_BYTES)[:HEAD_BYTES], config)
        pieces: Iterator[Piece]
        if not is_lines(form):
            pieces = _READERS[form](Source(file, content, unpacked is not None, size), config)
        elif unpacked is None and file.is_local:
            pieces = slices(file, stored, form, config, size=size)
        else:
            pieces = blocks(file, content, form, config, size=size)
        for piece in pieces:
            yield piece, stored.tell()


def _with_peek(stored: BinaryIO) -> io.BufferedReader:
    """Return a file in which one can look ahead."""
    return stored if isinstance(stored, io.BufferedReader) else io.BufferedReader(cast(io.RawIOBase, stored))
