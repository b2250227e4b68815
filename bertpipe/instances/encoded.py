"""The corpus as token ids, on disk while instances are made from it.

Workers encode a few documents at a time; what comes back is appended to three flat files, which
later phases map into memory. So memory does not grow with the corpus, and any place of any
document is one look-up away for random next segments.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bertpipe import randomness
from bertpipe.corpus import Chunk, CorpusConfig, Document, split_document
from bertpipe.errors import ArtifactError
from bertpipe.instances.format import id_dtype
from bertpipe.vocab import Tokenizer

_IDS, _SENTENCES, _DOCUMENTS = "ids.bin", "sentences.bin", "documents.bin"


@dataclass(frozen=True)
class EncodedChunk:
    """Some documents, encoded.

    Attributes:
        ids: token ids of all of them, uint16 or uint32 ``[T]``.
        sentence_lengths: tokens of each sentence, long ones cut into several, int64 ``[N]``.
        sentence_counts: sentences of each document, 0 where no token is left, int64 ``[D]``.
        draws: random bits that depend on each document's content, uint64 ``[D]``.
        sentences: number of sentences before long ones were cut.
        cut_sentences: number of those that were cut.
        unknown: number of ``[UNK]``.
        read_bytes: stored bytes that the documents were read from.
    """

    ids: NDArray[np.unsignedinteger[Any]]
    sentence_lengths: NDArray[np.int64]
    sentence_counts: NDArray[np.int64]
    draws: NDArray[np.uint64]
    sentences: int
    cut_sentences: int
    unknown: int
    read_bytes: int


def encode_chunk(
    chunk: Chunk, *, vocab: Path, corpus_config: CorpusConfig, max_tokens: int, seed: int
) -> EncodedChunk:
    """Split documents into sentences and encode them: what a worker does.

    Args:
        chunk: the paragraphs of some documents.
        vocab: tokenizer folder.
        corpus_config: how paragraphs become sentences.
        max_tokens: longer sentences are cut.
        seed: of ``draws``.

    Raises:
        ArtifactError: the tokenizer's ids have gaps.
    """
    tokenizer = _tokenizer(vocab)
    documents = [split_document(paragraphs, corpus_config) for paragraphs in chunk.documents]
    encoded = tokenizer.encode([sentence for document in documents for sentence in document])
    if encoded.ids.max(initial=0) >= tokenizer.vocab_size:
        raise ArtifactError(
            f"{vocab}: token id {encoded.ids.max()} in a vocabulary of {tokenizer.vocab_size}",
            hint="name a tokenizer whose ids have no gaps",
        )
    spans = spans_of(encoded.lengths, max_tokens=max_tokens)
    document_of = np.repeat(np.arange(len(documents)), [len(document) for document in documents])
    return EncodedChunk(
        ids=encoded.ids.astype(id_dtype(tokenizer.vocab_size)),
        sentence_lengths=cut_evenly(encoded.lengths, spans),
        sentence_counts=np.bincount(document_of, weights=spans, minlength=len(documents)).astype(np.int64),
        draws=np.array([_draw(document, seed) for document in documents], dtype=np.uint64),
        sentences=len(encoded.lengths),
        cut_sentences=int((spans > 1).sum()),
        unknown=int((encoded.ids == tokenizer.unk_id).sum()),
        read_bytes=chunk.read_bytes,
    )


def spans_of(lengths: NDArray[np.int64], *, max_tokens: int) -> NDArray[np.int64]:
    """Return into how many spans to cut each sentence, int64 ``[N]``: 0 for an empty one.

    A sentence that no segment can hold whole is cut so that two spans fit: otherwise text without
    full stops would be thrown away but for its first ``max_tokens``.
    """
    half = max_tokens // 2
    return np.where(lengths > max_tokens, -(-lengths // half), np.minimum(lengths, 1))


def cut_evenly(lengths: NDArray[np.int64], spans: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the lengths of all spans, which differ by at most one token within a sentence."""
    sentence_of = np.repeat(np.arange(len(lengths)), spans)
    number = np.arange(len(sentence_of)) - (np.cumsum(spans) - spans)[sentence_of]
    quotient, remainder = np.divmod(lengths, np.maximum(spans, 1))
    return quotient[sentence_of] + (number < remainder[sentence_of])


@dataclass(frozen=True)
class EncodedCorpus:
    """The encoded corpus, mapped into memory.

    Attributes:
        ids: all token ids ``[T]``.
        sentence_bounds: where the first sentence starts and where each ends, int64 ``[N + 1]``.
        document_bounds: the first sentence and the one behind each document, int64 ``[D + 1]``.
    """

    ids: NDArray[np.unsignedinteger[Any]]
    sentence_bounds: NDArray[np.int64]
    document_bounds: NDArray[np.int64]

    @classmethod
    def open(cls, folder: Path, *, vocab_size: int) -> "EncodedCorpus":
        """Map what ``encoded_files`` has written; there is at least one token."""
        # As plain arrays: each look-up in a np.memmap makes another one, which costs a microsecond.
        return cls(
            np.asarray(np.memmap(folder / _IDS, dtype=id_dtype(vocab_size), mode="r")),
            np.asarray(np.memmap(folder / _SENTENCES, dtype=np.int64, mode="r")),
            np.asarray(np.memmap(folder / _DOCUMENTS, dtype=np.int64, mode="r")),
        )

    def token_counts(self) -> NDArray[np.int64]:
        """Return the number of tokens of each document, int64 ``[D]``."""
        return np.diff(self.sentence_bounds[self.document_bounds])


class EncodedWriter:
    """Appends chunks to the files of an encoded corpus; see ``encoded_files``."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        names = (_IDS, _SENTENCES, _DOCUMENTS)
        self._files = [stack.enter_context((folder / name).open("wb")) for name in names]
        self._tokens = 0
        self._sentences = 0
        self._append(1, np.zeros(1, dtype=np.int64))
        self._append(2, np.zeros(1, dtype=np.int64))

    def append(self, chunk: EncodedChunk) -> None:
        """Add the documents of a chunk."""
        self._append(0, chunk.ids)
        self._append(1, self._tokens + np.cumsum(chunk.sentence_lengths))
        self._append(2, self._sentences + np.cumsum(chunk.sentence_counts))
        self._tokens += len(chunk.ids)
        self._sentences += len(chunk.sentence_lengths)

    def _append(self, number: int, values: NDArray[Any]) -> None:
        self._files[number].write(values.data)


@contextmanager
def encoded_files(folder: Path) -> Iterator[EncodedWriter]:
    """Give a writer for the files that ``EncodedCorpus.open`` maps."""
    with ExitStack() as stack:
        yield EncodedWriter(folder, stack)


@lru_cache(maxsize=1)
def _tokenizer(folder: Path) -> Tokenizer:
    """Load a tokenizer once in each worker."""
    return Tokenizer.load(folder)


def _draw(document: Document, seed: int) -> int:
    return randomness.key(seed, "split", *document) >> 64
