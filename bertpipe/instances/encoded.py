"""The corpus as token ids, on disk while instances are made from it.

Workers encode a few documents at a time; what comes back is appended to flat files, which later
phases map into memory. So memory does not grow with the corpus, and any place of any document is
one look-up away for random next segments.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bertpipe import randomness
from bertpipe.artifacts import GrowingFiles
from bertpipe.corpus import CorpusConfig, Document, Part, split_document
from bertpipe.corpus.cleaning import Keep, kept
from bertpipe.errors import ArtifactError
from bertpipe.instances.format import id_dtype
from bertpipe.vocab import Tokenizer
from bertpipe.vocab.encoding import Encoder

_IDS, _SENTENCES, _DOCUMENTS, _DRAWS = "ids.bin", "sentences.bin", "documents.bin", "draws.bin"
ENCODED_FILES = (_IDS, _SENTENCES, _DOCUMENTS, _DRAWS)


@dataclass(frozen=True)
class EncodedPart:
    """Some documents, encoded.

    Attributes:
        ids: token ids of all of them, uint16 or uint32 ``[T]``.
        sentence_lengths: tokens of each sentence, long ones cut into several, int64 ``[N]``.
        sentence_counts: sentences of each document, 0 where no token is left, int64 ``[D]``.
        draws: random bits that depend on each document's content, uint64 ``[D]``.
        sentences: number of sentences before long ones were cut.
        cut_sentences: number of those that were cut.
        unknown: number of ``[UNK]``.
        replaced: number of invalid UTF-8 sequences that became U+FFFD.
        read_bytes: stored bytes that the documents were read from.
    """

    ids: NDArray[np.unsignedinteger[Any]]
    sentence_lengths: NDArray[np.int64]
    sentence_counts: NDArray[np.int64]
    draws: NDArray[np.uint64]
    sentences: int
    cut_sentences: int
    unknown: int
    replaced: int
    read_bytes: int


def encode_part(
    item: tuple[Part, Keep],
    *,
    vocab: Path,
    corpus_config: CorpusConfig,
    max_tokens: int,
    seed: int,
) -> EncodedPart:
    """Read documents, split them into sentences and encode these: what a worker does.

    Args:
        item: some documents, and which of them stay after cleaning; none: all.
        vocab: tokenizer folder.
        corpus_config: how text becomes documents, and these become sentences.
        max_tokens: longer sentences are cut.
        seed: of ``draws``.

    Raises:
        CorpusError: the text cannot be read.
        ArtifactError: the tokenizer's ids have gaps.
    """
    part, keep = item
    encoder = _encoder(vocab)
    tokenizer = encoder.tokenizer
    parsed = part.parse(corpus_config)
    texts = parsed.documents if keep is None else kept(parsed.documents, keep)
    documents = [split_document(paragraphs, corpus_config) for paragraphs in texts]
    encoded = encoder.encode([sentence for document in documents for sentence in document])
    if encoded.ids.max(initial=0) >= tokenizer.vocab_size:
        raise ArtifactError(
            f"{vocab}: token id {encoded.ids.max()} in a vocabulary of {tokenizer.vocab_size}",
            hint="name a tokenizer whose ids have no gaps",
        )
    spans = spans_of(encoded.lengths, max_tokens=max_tokens)
    document_of = np.repeat(np.arange(len(documents)), [len(document) for document in documents])
    return EncodedPart(
        ids=encoded.ids.astype(id_dtype(tokenizer.vocab_size)),
        sentence_lengths=cut_evenly(encoded.lengths, spans),
        sentence_counts=np.bincount(document_of, weights=spans, minlength=len(documents)).astype(np.int64),
        draws=np.array([_draw(document, seed) for document in documents], dtype=np.uint64),
        sentences=len(encoded.lengths),
        cut_sentences=int((spans > 1).sum()),
        unknown=int((encoded.ids == tokenizer.unk_id).sum()),
        replaced=parsed.replaced,
        read_bytes=part.read_bytes,
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


def append(part: EncodedPart, files: GrowingFiles, *, tokens: int) -> None:
    """Add documents to the files of an encoded corpus, opened by the names ``ENCODED_FILES``.

    Args:
        part: the documents.
        files: the files.
        tokens: number of tokens in them so far.
    """
    if not files.items:
        files.append(_SENTENCES, np.zeros(1, dtype=np.int64))
        files.append(_DOCUMENTS, np.zeros(1, dtype=np.int64))
    sentences = files.size_bytes(_SENTENCES) // np.dtype(np.int64).itemsize - 1
    files.append(_IDS, part.ids)
    files.append(_SENTENCES, tokens + np.cumsum(part.sentence_lengths))
    files.append(_DOCUMENTS, sentences + np.cumsum(part.sentence_counts))
    files.append(_DRAWS, part.draws)


@dataclass(frozen=True)
class EncodedCorpus:
    """The encoded corpus, mapped into memory.

    Attributes:
        ids: all token ids ``[T]``.
        sentence_bounds: where the first sentence starts and where each ends, int64 ``[N + 1]``.
        document_bounds: the first sentence and the one behind each document, int64 ``[D + 1]``.
        draws: random bits that depend on each document's content, uint64 ``[D]``.
    """

    ids: NDArray[np.unsignedinteger[Any]]
    sentence_bounds: NDArray[np.int64]
    document_bounds: NDArray[np.int64]
    draws: NDArray[np.uint64]

    @classmethod
    def open(cls, folder: Path, *, vocab_size: int) -> "EncodedCorpus":
        """Map what ``append`` has written; there is at least one token."""
        return cls(
            _mapped(folder / _IDS, id_dtype(vocab_size)),
            _mapped(folder / _SENTENCES, np.dtype(np.int64)),
            _mapped(folder / _DOCUMENTS, np.dtype(np.int64)),
            _mapped(folder / _DRAWS, np.dtype(np.uint64)),
        )

    def token_counts(self) -> NDArray[np.int64]:
        """Return the number of tokens of each document, int64 ``[D]``."""
        return np.diff(self.sentence_bounds[self.document_bounds])


def _mapped(path: Path, dtype: np.dtype[Any]) -> NDArray[Any]:
    # As plain arrays: each look-up in a np.memmap makes another one, which costs a microsecond.
    return np.asarray(np.memmap(path, dtype=dtype, mode="r"))


@lru_cache(maxsize=1)
def _encoder(vocab: Path) -> Encoder:
    """Load a tokenizer once in each worker, and keep what it has seen."""
    return Encoder(Tokenizer.load(vocab))


def _draw(document: Document, seed: int) -> int:
    # As the sentences one by one would give it, without a look at each.
    return randomness.key(seed, "split", "\x1f".join(document)) >> 64
