"""Formats that are lines of text: where a document may end, and what its paragraphs are.

Text is cut into parts at the ends of documents, in the process that hands out work; the parts are
parsed by whoever gets them. So finding an end must cost next to nothing, and never depends on
what stands before.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from bertpipe.corpus.documents import CorpusConfig
from bertpipe.corpus.files.limits import MAX_LINE_BYTES, LineError, line_too_long
from bertpipe.corpus.reading.records import paragraphs_of, texts_of
from bertpipe.corpus.reading.wikiextractor import articles, json_articles

LineFormat = Literal["text", "jsonl", "wikiextractor", "wikiextractor_jsonl"]

_BOM = "\ufeff"


@dataclass(frozen=True)
class Parsed:
    """Documents, and what it took to read them.

    Attributes:
        documents: the paragraphs of each document.
        replaced: number of invalid UTF-8 sequences that became U+FFFD.
    """

    documents: list[list[str]]
    replaced: int = 0


@dataclass(frozen=True)
class Borders:
    """Tells by a single line where one document has ended and another may begin.

    Attributes:
        behind: whether every document that the line belongs to ends behind it.
        before: whether a document begins with the line.
    """

    behind: Callable[[bytes], bool]
    before: Callable[[bytes], bool]


def borders(form: LineFormat, config: CorpusConfig) -> Borders | None:
    """Return how to find the ends of documents; None where only the end of the file is one."""
    if form == "wikiextractor":
        return Borders(behind=lambda line: line.strip() == b"</doc>", before=_never)
    if form in ("jsonl", "wikiextractor_jsonl"):
        return Borders(behind=_always, before=_never)
    if config.documents == "blank_line":
        return Borders(behind=_is_blank, before=_never)
    if config.documents == "heading":
        is_heading = re.compile(config.heading_pattern).match
        return Borders(behind=_never, before=lambda line: _is_heading(_text(line), is_heading))
    return None


def parse(raw: bytes, form: LineFormat, config: CorpusConfig, *, is_start: bool) -> Parsed:
    """Return the documents in a part of a file that begins and ends where documents do.

    LF and CRLF may be mixed; a byte order mark is dropped where ``is_start``.

    Raises:
        LineError: invalid UTF-8, a line that is too long, or one that is not of the format.
    """
    text, replaced = decode(raw, errors=config.errors)
    if is_start:
        text = text.removeprefix(_BOM)
    if len(raw) > MAX_LINE_BYTES:
        _check_lengths(raw)
    lines = text.removesuffix("\n").split("\n") if text else []
    if "\r" in text:
        lines = [line.rstrip("\r") for line in lines]
    return Parsed(list(_documents(lines, form, config)), replaced)


def decode(raw: bytes, *, errors: Literal["strict", "replace"]) -> tuple[str, int]:
    """Return text, and how many invalid sequences were replaced in it.

    Raises:
        LineError: there is one, and ``errors`` is strict.
    """
    if errors == "replace":
        text = raw.decode("utf-8", "replace")
        # A U+FFFD that the file itself holds is none: its lead byte never belongs to another one.
        return text, text.count("\ufffd") - raw.count("\ufffd".encode())
    try:
        return raw.decode("utf-8"), 0
    except UnicodeDecodeError as error:
        raise LineError(
            raw.count(b"\n", 0, error.start),
            f"not valid UTF-8 (byte 0x{raw[error.start]:02x})",
            "convert it, for example with iconv -f <its encoding> -t utf-8, or set corpus.errors=replace",
        ) from None


def _documents(lines: list[str], form: LineFormat, config: CorpusConfig) -> Iterator[list[str]]:
    candidates: Iterator[list[str]]
    if form == "jsonl":
        candidates = (paragraphs_of(text) for text in texts_of(lines, config.text_field))
    elif form == "wikiextractor":
        candidates = articles(lines)
    elif form == "wikiextractor_jsonl":
        candidates = json_articles(lines)
    elif config.documents == "blank_line":
        return _blocks(lines)
    elif config.documents == "file":
        candidates = iter([_paragraphs(lines, config)])
    else:
        candidates = _under_headings(lines, config)
    return (document for document in candidates if document)


def _blocks(lines: Iterable[str]) -> Iterator[list[str]]:
    """Yield runs of lines between blank lines."""
    block: list[str] = []
    for line in lines:
        if line and not line.isspace():
            block.append(line)
        elif block:
            yield block
            block = []
    if block:
        yield block


def _paragraphs(lines: Iterable[str], config: CorpusConfig) -> list[str]:
    """Return the paragraphs of one document: hard-wrapped lines are joined again."""
    blocks = _blocks(lines)
    if config.sentences == "lines":
        return [line for block in blocks for line in block]
    return [" ".join(map(str.strip, block)) for block in blocks]


def _under_headings(lines: Iterable[str], config: CorpusConfig) -> Iterator[list[str]]:
    """Yield a document for each heading; the heading is its first paragraph."""
    pattern = re.compile(config.heading_pattern).match
    body: list[str] = []
    heading: list[str] = []
    for line in lines:
        if _is_heading(line, pattern):
            yield heading + _paragraphs(body, config)
            heading, body = [line.strip()], []
        else:
            body.append(line)
    yield heading + _paragraphs(body, config)


def _check_lengths(raw: bytes) -> None:
    for number, line in enumerate(raw.split(b"\n")):
        if len(line) > MAX_LINE_BYTES:
            raise LineError(number, *line_too_long())


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\r\n")


def _is_blank(line: bytes) -> bool:
    stripped = line.strip()
    # Most lines begin with a letter: that is no white space, in whatever encoding.
    return not stripped or (not stripped[:1].isalnum() and _text(line).isspace())


def _is_heading(line: str, pattern: Callable[[str], object]) -> bool:
    return bool(pattern(line)) and not line.isspace()


def _always(line: bytes) -> bool:
    return True


def _never(line: bytes) -> bool:
    return False
