"""Where to cut a text file, so that each part begins and ends where documents do."""

from collections.abc import Iterator
from typing import BinaryIO, Protocol

from bertpipe.corpus.documents import CorpusConfig
from bertpipe.corpus.files.found import CorpusFile
from bertpipe.corpus.files.limits import MAX_DOCUMENT_BYTES, MAX_LINE_BYTES, document_too_long, line_too_long
from bertpipe.corpus.reading.pieces import Block, Slice
from bertpipe.corpus.reading.texts import Borders, LineFormat, borders
from bertpipe.errors import CorpusError


class Stream(Protocol):
    """What can be read on and on."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, fewer only at the end."""

    def readline(self, size: int, /) -> bytes:
        """Return the next line with its end, or as much of it."""


def slices(
    file: CorpusFile, stored: BinaryIO, form: LineFormat, config: CorpusConfig, *, size: int
) -> Iterator[Slice]:
    """Yield ranges of about ``size`` bytes that cover a file; little more than their ends is read.

    Raises:
        CorpusError: a line or a document is too long.
    """
    rule = borders(form, config)
    total = file.size_bytes
    start = 0
    while start < total:
        end = total
        if rule is not None and start + size < total:
            stored.seek(start + size)
            # What was read ahead, a heading, belongs to the next range.
            rest, _ = _rest_of_document(stored, rule, str(file))
            end = min(start + size + len(rest), total)
        elif total - start > MAX_DOCUMENT_BYTES:
            raise _too_long(str(file), document_too_long())
        yield Slice(file, start, end, form)
        start = end


def blocks(
    file: CorpusFile, stream: Stream, form: LineFormat, config: CorpusConfig, *, size: int
) -> Iterator[Block]:
    """Yield the content of a stream in blocks of about ``size`` bytes.

    Raises:
        CorpusError: a line or a document is too long, or the stream cannot be read.
    """
    rule = borders(form, config)
    lines = 0
    carried = b""
    is_start = True
    while raw := carried + stream.read(size if rule else MAX_DOCUMENT_BYTES + 1):
        carried = b""
        if rule is not None:
            rest, carried = _rest_of_document(stream, rule, str(file))
            raw += rest
        elif len(raw) > MAX_DOCUMENT_BYTES:
            raise _too_long(str(file), document_too_long())
        yield Block(file, raw, lines, form, is_start)
        lines += raw.count(b"\n")
        is_start = False


def _rest_of_document(stream: Stream, rule: Borders, where: str) -> tuple[bytes, bytes]:
    """Read on to where every document begun has ended.

    Returns:
        What was read, and the line that begins another document if that had to be read too.
    """
    rest = [_line(stream, where)]  # most likely not a whole one, so it tells nothing
    length = len(rest[0])
    while line := _line(stream, where):
        if rule.before(line):
            return b"".join(rest), line
        rest.append(line)
        length += len(line)
        if length > MAX_DOCUMENT_BYTES:
            raise _too_long(where, document_too_long())
        if rule.behind(line):
            break
    return b"".join(rest), b""


def _line(stream: Stream, where: str) -> bytes:
    line = stream.readline(MAX_LINE_BYTES + 1)
    if len(line) > MAX_LINE_BYTES:
        raise _too_long(where, line_too_long())
    return line


def _too_long(where: str, told: tuple[str, str]) -> CorpusError:
    return CorpusError(f"{where}: {told[0]}", hint=told[1])
