"""Documents: where one ends, what its paragraphs are, and their sentences."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, field_validator

from bertpipe.configs import Settings
from bertpipe.corpus.readers import CorpusFile, OnRead, read_lines, read_texts
from bertpipe.corpus.sentences import split_sentences
from bertpipe.errors import CorpusError

Document = list[str]

_HEADING = r"#{1,2} +\S|\s?= [^=].*[^=] =\s*$"


class CorpusConfig(Settings):
    """How text becomes documents of sentences."""

    documents: Literal["blank_line", "file", "heading"] = Field(
        "blank_line",
        description="Where a document of plain text ends: at an empty line (then each line is a paragraph), "
        "or only at the end of the file or at a heading (then empty lines separate paragraphs).",
    )
    sentences: Literal["split", "lines"] = Field(
        "split", description="Split paragraphs into sentences by rules, or take each line as a sentence."
    )
    heading_pattern: str = Field(
        _HEADING,
        description="Regular expression that a heading line begins with; "
        "the default knows Markdown '## ' and WikiText ' = Title = '.",
    )
    text_field: str = Field("text", min_length=1, description="Key of the text in JSON Lines.")

    @field_validator("heading_pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return pattern


@dataclass(frozen=True)
class Chunk:
    """A few whole documents: what one worker is given at a time.

    Attributes:
        documents: the paragraphs of each document.
        read_bytes: stored bytes read for them; over all chunks, the size of the files.
    """

    documents: list[list[str]]
    read_bytes: int


def read_documents(files: Sequence[CorpusFile], config: CorpusConfig) -> Iterator[Document]:
    """Yield the documents of a corpus in reading order; each has at least one sentence.

    Raises:
        CorpusError: a file cannot be read, or there is no document in any of them.
    """
    for paragraphs in read_paragraphs(files, config):
        yield split_document(paragraphs, config)


def split_document(paragraphs: Sequence[str], config: CorpusConfig) -> Document:
    """Return the sentences of a document's paragraphs."""
    if config.sentences == "lines":
        return [paragraph.strip() for paragraph in paragraphs]
    return [sentence for paragraph in paragraphs for sentence in split_sentences(paragraph)]


def read_paragraphs(
    files: Sequence[CorpusFile], config: CorpusConfig, *, on_read: OnRead | None = None
) -> Iterator[list[str]]:
    """Yield the paragraphs of each document in reading order; each holds more than white space.

    Args:
        files: from ``find_files``.
        config: where documents end.
        on_read: told the number of stored bytes read since the last call.

    Raises:
        CorpusError: as ``read_documents``.
    """
    found = False
    for file in files:
        for document in _documents_of(file, config, on_read):
            found = True
            yield document
    if not found:
        names = ", ".join(str(file.path) for file in files[:3]) + (", ..." if len(files) > 3 else "")
        raise CorpusError(f"the corpus is empty: no text in {names}", hint="name files that hold text")


def read_chunks(files: Sequence[CorpusFile], config: CorpusConfig, *, characters: int) -> Iterator[Chunk]:
    """Yield the documents of ``read_paragraphs``, a few at a time.

    Args:
        files: from ``find_files``.
        config: where documents end.
        characters: a chunk is closed when it holds as many.

    Raises:
        CorpusError: as ``read_documents``.
    """
    read = _Counter()
    documents: list[list[str]] = []
    held = 0
    for document in read_paragraphs(files, config, on_read=read.add):
        documents.append(document)
        held += sum(map(len, document))
        if held >= characters:
            yield Chunk(documents, read.take())
            documents, held = [], 0
    if documents or read.count:
        yield Chunk(documents, read.take())


class _Counter:
    """Stored bytes read and not yet told."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, amount: int) -> None:
        self.count += amount

    def take(self) -> int:
        taken, self.count = self.count, 0
        return taken


def _documents_of(file: CorpusFile, config: CorpusConfig, on_read: OnRead | None) -> Iterator[list[str]]:
    if file.is_jsonl:
        texts = read_texts(file, config.text_field, on_read=on_read)
        candidates = ([line for line in text.split("\n") if line.strip()] for text in texts)
        return (document for document in candidates if document)
    lines = (line for _, line in read_lines(file, on_read=on_read))
    if config.documents == "blank_line":
        return _blocks(lines)
    if config.documents == "file":
        return (document for document in [_paragraphs(lines, config)] if document)
    return _under_headings(lines, config)


def _blocks(lines: Iterable[str]) -> Iterator[list[str]]:
    """Yield runs of lines between empty lines."""
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
    is_heading = re.compile(config.heading_pattern).match
    body: list[str] = []
    heading: list[str] = []
    for line in lines:
        if is_heading(line) and not line.isspace():
            document = heading + _paragraphs(body, config)
            if document:
                yield document
            heading, body = [line.strip()], []
        else:
            body.append(line)
    document = heading + _paragraphs(body, config)
    if document:
        yield document
