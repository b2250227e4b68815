"""Instances as places in the encoded corpus: which tokens, which documents, which label."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bertpipe import randomness
from bertpipe.instances.encoded import EncodedCorpus
from bertpipe.instances.partners import SplitDocuments
from bertpipe.instances.segments import (
    Pair,
    Span,
    next_sentence_pairs,
    sentence_order_pairs,
    single_segments,
    truncated,
)

Objective = Literal["nsp", "sop", "none"]

# [CLS] and one [SEP] after each segment.
SPECIAL_TOKENS = {"nsp": 3, "sop": 3, "none": 2}

INSTANCE = np.dtype(
    [
        ("first_start", np.int64),
        ("second_start", np.int64),
        ("first_document", np.uint32),
        ("second_document", np.uint32),
        ("first_length", np.uint16),
        ("second_length", np.uint16),  # 0 where there is no second segment
        ("next_sentence_label", np.int8),
    ]
)

_TOKENS_A_TASK = 2**20


@dataclass(frozen=True)
class Pairing:
    """How instances are made.

    Attributes:
        objective: what the second segment is.
        max_seq_length: longest row, with special tokens.
        short_seq_prob: share of the rows that are shorter on purpose.
        seed: of all draws.
    """

    objective: Objective
    max_seq_length: int
    short_seq_prob: float
    seed: int

    @property
    def max_tokens(self) -> int:
        """Room for the segments."""
        return self.max_seq_length - SPECIAL_TOKENS[self.objective]


@dataclass(frozen=True)
class PairTask:
    """Some documents of a split, by their positions ``[start, end)`` in it, for the ``dupe``-th time."""

    dupe: int
    start: int
    end: int


@dataclass(frozen=True)
class Paired:
    """Instances of some documents.

    Attributes:
        instances: of type ``INSTANCE`` ``[n]``.
        cut: number of pairs for which one sentence was cut in two.
        truncated_tokens: tokens dropped from pairs to make them fit.
    """

    instances: NDArray[np.void]
    cut: int
    truncated_tokens: int


def pair_tasks(token_counts: NDArray[np.int64], *, dupe_factor: int) -> list[PairTask]:
    """Divide a split into tasks of similar size, the same whatever the number of workers.

    Args:
        token_counts: tokens of each document of the split, int64 ``[D]``.
        dupe_factor: how often each document is used.
    """
    group = np.cumsum(token_counts) // _TOKENS_A_TASK
    bounds = [0, *(np.flatnonzero(np.diff(group)) + 1).tolist(), len(token_counts)]
    return [PairTask(dupe, start, end) for dupe in range(dupe_factor) for start, end in pairwise(bounds)]


def pair_documents(task: PairTask, *, pairing: Pairing, folder: Path, vocab_size: int, split: str) -> Paired:
    """Make the instances of some documents: what a worker does.

    Args:
        task: which documents.
        pairing: how.
        folder: the encoded corpus, and the documents of the split.
        vocab_size: number of ids of the tokenizer.
        split: its name.
    """
    encoded = EncodedCorpus.open(folder, vocab_size=vocab_size)
    documents = SplitDocuments.open(split_file(folder, split))
    maker = _Maker(pairing, encoded, documents, split)
    records: list[tuple[int, ...]] = []
    cut = truncated_tokens = 0
    for position in range(task.start, task.end):
        for pair, dropped in maker.pairs(position, task.dupe):
            records.append(_record(pair))
            cut += pair.cut
            truncated_tokens += dropped
    return Paired(np.array(records, dtype=INSTANCE), cut, truncated_tokens)


def split_file(folder: Path, split: str) -> Path:
    """Return where the ``SplitDocuments`` of a split are kept."""
    return folder / f"{split}.npy"


class _Maker:
    """Makes the pairs of one document after another."""

    def __init__(
        self, pairing: Pairing, encoded: EncodedCorpus, documents: SplitDocuments, split: str
    ) -> None:
        self._pairing = pairing
        self._encoded = encoded
        self._documents = documents
        self._split = split

    def pairs(self, position: int, dupe: int) -> Iterator[tuple[Pair, int]]:
        """Yield the pairs of a document of the split, each with the tokens it has lost to fit."""
        max_tokens = self._pairing.max_tokens
        document = int(self._documents.numbers[position])
        stream = randomness.stream(self._pairing.seed, "pairs", self._split, document, dupe)
        for pair in self._untruncated(position, document, stream):
            fitting = truncated(pair, stream, max_tokens=max_tokens)
            yield fitting, _tokens(pair) - _tokens(fitting)

    def _untruncated(self, position: int, document: int, stream: randomness.Stream) -> Iterator[Pair]:
        first, behind = self._encoded.document_bounds[document : document + 2].tolist()
        common: dict[str, Any] = {
            "max_tokens": self._pairing.max_tokens,
            "short_seq_prob": self._pairing.short_seq_prob,
            "stream": stream,
        }
        bounds = self._encoded.sentence_bounds[first : behind + 1].tolist()
        if self._pairing.objective == "none":
            return single_segments(document, bounds, **common)
        if self._pairing.objective == "sop":
            return sentence_order_pairs(document, bounds, **common)

        def random_next(stream: randomness.Stream, length: int) -> Span:
            return self._random_span(stream, length, other_than=position)

        return next_sentence_pairs(document, bounds, **common, random_next=random_next)

    def _random_span(self, stream: randomness.Stream, length: int, *, other_than: int) -> Span:
        """Draw another document of the whole split, and a sentence in it where the span starts.

        Only sentences with ``length`` tokens from there on are drawn, where there are any.
        """
        document = self._documents.draw_other(stream, position=other_than, tokens=length)
        first, behind = self._encoded.document_bounds[document : document + 2].tolist()
        starts = self._encoded.sentence_bounds[first:behind]
        end = int(self._encoded.sentence_bounds[behind])
        long_enough = int(starts.searchsorted(end - length, side="right"))
        start = int(starts[stream.below(max(1, long_enough))])
        return Span(document, start, min(start + length, end))


def _tokens(pair: Pair) -> int:
    return pair.first.length + (pair.second.length if pair.second else 0)


def _record(pair: Pair) -> tuple[int, ...]:
    """Return a pair as the fields of ``INSTANCE``."""
    first = pair.first
    second = pair.second or Span(0, 0, 0)
    lengths = first.length, second.length
    return first.start, second.start, first.document, second.document, *lengths, pair.label
