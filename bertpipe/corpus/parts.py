"""Parts of a corpus: a few documents at a time, for as many workers as there are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bertpipe.corpus.documents import CorpusConfig, Document, split_document
from bertpipe.corpus.files.found import CorpusFile, corpus_hash, find_files
from bertpipe.corpus.reading.pieces import Piece
from bertpipe.corpus.reading.readers import pieces_of
from bertpipe.corpus.reading.texts import Parsed
from bertpipe.errors import CorpusError


@dataclass(frozen=True)
class Part:
    """A few whole documents: what one worker is given at a time.

    Attributes:
        pieces: where they are, in reading order; what only one process can read is held here,
            ranges of plain files are read by whoever parses them.
        read_bytes: stored bytes of theirs; over all parts, the size of the files.
    """

    pieces: tuple[Piece, ...]
    read_bytes: int

    def parse(self, config: CorpusConfig) -> Parsed:
        """Return the documents, perhaps none, and what was replaced in them.

        Raises:
            CorpusError: a file cannot be read, changed meanwhile, or is not of its format.
        """
        parsed = [piece.parse(config) for piece in self.pieces]
        if len(parsed) == 1:
            return parsed[0]
        return Parsed(
            [document for one in parsed for document in one.documents], sum(one.replaced for one in parsed)
        )

    def documents(self, config: CorpusConfig) -> list[list[str]]:
        """Return the paragraphs of each document; each holds more than white space.

        Raises:
            CorpusError: as ``parse``.
        """
        return self.parse(config).documents


def read_parts(files: Sequence[CorpusFile], config: CorpusConfig, *, characters: int) -> Iterator[Part]:
    """Yield a corpus in reading order, a few documents at a time.

    Which documents share a part depends on nothing but the files and ``characters``; the
    documents themselves do not depend on that either.

    Args:
        files: from ``find_files``.
        config: where documents end.
        characters: a part is closed when it holds about as many characters or bytes.

    Raises:
        CorpusError: a file cannot be read, changed meanwhile, or is not of its format.
        ConfigError: a package that a format needs is not installed.
    """
    batch = _Batch()
    for file in files:
        done = 0
        for piece, position in pieces_of(file, config, size=characters):
            if batch.size >= characters:
                yield batch.part()
                batch = _Batch()
            batch.pieces.append(piece)
            batch.size += piece.size
            # Where a file is read to and fro, never back.
            position = max(done, min(position, file.size_bytes))
            batch.read_bytes += position - done
            done = position
        batch.read_bytes += file.size_bytes - done
    if batch.pieces:
        yield batch.part()


def read_paragraphs(files: Sequence[CorpusFile], config: CorpusConfig) -> Iterator[list[str]]:
    """Yield the paragraphs of each document in reading order; each holds more than white space.

    Raises:
        CorpusError: as ``read_parts``, or there is no document in any of the files.
    """
    found = False
    for part in read_parts(files, config, characters=_CHARACTERS):
        for document in part.documents(config):
            found = True
            yield document
    if not found:
        raise empty_corpus(files)


def read_documents(files: Sequence[CorpusFile], config: CorpusConfig) -> Iterator[Document]:
    """Yield the documents of a corpus in reading order; each has at least one sentence.

    Raises:
        CorpusError: as ``read_paragraphs``.
    """
    for paragraphs in read_paragraphs(files, config):
        yield split_document(paragraphs, config)


def corpus_inputs(files: Sequence[CorpusFile], config: CorpusConfig) -> dict[str, str]:
    """Return a content hash of the corpus, and of the task files that it is cleaned of.

    Raises:
        CorpusError: a file cannot be read.
    """
    inputs = {"corpus": corpus_hash(files)}
    if config.cleaning.decontaminate:
        inputs["task_files"] = corpus_hash(find_files(config.cleaning.decontaminate))
    return inputs


def empty_corpus(files: Sequence[CorpusFile]) -> CorpusError:
    """Return the error for files in which no document was found."""
    names = ", ".join(map(str, files[:3])) + (", ..." if len(files) > 3 else "")
    return CorpusError(f"the corpus is empty: no text in {names}", hint="name files that hold text")


_CHARACTERS = 1_000_000


@dataclass
class _Batch:
    """A part in the making."""

    pieces: list[Piece] = field(default_factory=list)
    size: int = 0
    read_bytes: int = 0

    def part(self) -> Part:
        return Part(tuple(self.pieces), self.read_bytes)
