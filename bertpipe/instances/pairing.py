"""Instances as places in the encoded corpus: which tokens, which documents, which label."""

import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bertpipe import randomness
from bertpipe.instances.encoded import EncodedCorpus
from bertpipe.instances.partners import SplitDocuments
from bertpipe.instances.ragged import ragged
from bertpipe.instances.segments import (
    Documents,
    Lengths,
    Numbers,
    Pairs,
    Spans,
    next_sentence_pairs,
    sentence_order_pairs,
    single_segments,
    truncated,
)
from bertpipe.randomness import Draws, below

Objective = Literal["nsp", "sop", "none", "packed"]

# [CLS] and one [SEP] after each segment; those inside of a packed block are part of it.
SPECIAL_TOKENS = {"nsp": 3, "sop": 3, "none": 2, "packed": 2}

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

# Enough that many documents go in step, little enough that all workers have something to do.
_TOKENS_A_TASK = 2**21
_SENTENCES_A_STRETCH = 512


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
        """Room for the segments, or for a block."""
        return self.max_seq_length - SPECIAL_TOKENS[self.objective]

    @property
    def longest_sentence(self) -> int:
        """Tokens of a sentence that has to be cut if it has more; blocks are cut wherever they are full."""
        return self.max_tokens if self.objective != "packed" else sys.maxsize

    @property
    def lengths(self) -> Lengths:
        """How long instances are meant to be."""
        return Lengths(self.max_tokens, self.short_seq_prob)


@dataclass(frozen=True)
class PairTask:
    """Some uses ``[start, end)`` of the documents of a split, or with packed blocks some blocks.

    Each document is used ``dupe_factor`` times: all of them once, then all again.
    """

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


def pair_tasks(token_counts: Numbers, *, dupe_factor: int) -> list[PairTask]:
    """Divide the work on a split into tasks of similar size, the same for any number of workers.

    Args:
        token_counts: tokens of each document of the split, int64 ``[D]``.
        dupe_factor: how often each document is used.
    """
    ends = np.cumsum(token_counts)
    total = int(ends[-1])
    tasks = -(-total * dupe_factor // _TOKENS_A_TASK)
    targets = [total * dupe_factor * number // tasks for number in range(1, tasks)]
    cuts = [
        target // total * len(ends) + int(np.searchsorted(ends, target % total, side="right"))
        for target in targets
    ]
    bounds = sorted({0, *cuts, len(ends) * dupe_factor})
    return [PairTask(start, end) for start, end in pairwise(bounds)]


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
    return _Pairer(pairing, encoded, documents, split).pairs(np.arange(task.start, task.end))


def split_file(folder: Path, split: str) -> Path:
    """Return where the ``SplitDocuments`` of a split are kept."""
    return folder / f"{split}.npy"


class _Pairer:
    """Makes the pairs of many documents in step."""

    def __init__(
        self, pairing: Pairing, encoded: EncodedCorpus, documents: SplitDocuments, split: str
    ) -> None:
        self._pairing = pairing
        self._documents = documents
        self._bounds = encoded.sentence_bounds
        self._document_bounds = encoded.document_bounds
        self._key = randomness.key(pairing.seed, "pairs", split)

    def pairs(self, uses: Numbers) -> Paired:
        """Return the instances of some uses of documents, one use after another."""
        dupes, places = np.divmod(uses, len(self._documents.numbers))
        use, position, end = self._stretches(self._documents.numbers[places])
        places, numbers = places[use], self._documents.numbers[places[use]]
        draws = Draws(randomness.hashed(self._key, numbers, dupes[use], position))
        row = np.flatnonzero(self._goes_on(position, end))
        rows, records = [row[:0]], [np.zeros(0, dtype=INSTANCE)]
        cut = truncated_tokens = step = 0
        while len(row):
            drawn = draws.of(row).fork(step)
            pairs, position[row] = self._next(
                Documents(numbers[row], position[row], end[row]), places[row], drawn
            )
            fitting = truncated(pairs, drawn, max_tokens=self._pairing.max_tokens)
            rows.append(row)
            records.append(_records(fitting))
            cut += int(pairs.cut.sum())
            truncated_tokens += int(_tokens(pairs).sum() - _tokens(fitting).sum())
            row = row[self._goes_on(position[row], end[row])]
            step += 1
        order = np.argsort(np.concatenate(rows), kind="stable")
        return Paired(np.concatenate(records)[order], cut, truncated_tokens)

    def _stretches(self, numbers: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        """Cut documents evenly into stretches of at most so many sentences.

        Each stretch is paired by itself: a book of ten thousand sentences would keep all others
        waiting, and only one pair in hundreds could have crossed the border.

        Returns:
            For each stretch the place of its document in ``numbers``, and where it starts and
            ends: as sentences, or as tokens where there are no pairs; all int64 ``[N]``.
        """
        first, behind = self._document_bounds[numbers], self._document_bounds[numbers + 1]
        sentences = behind - first
        count = -(-sentences // _SENTENCES_A_STRETCH)
        use, within = ragged(count)
        start = first[use] + sentences[use] * within // count[use]
        end = first[use] + sentences[use] * (within + 1) // count[use]
        return (use, self._bounds[start], self._bounds[end]) if self._is_single else (use, start, end)

    def _goes_on(self, position: Numbers, end: Numbers) -> NDArray[np.bool_]:
        """Whether a pair is left; a last sentence of one token cannot be cut into two segments."""
        if self._is_single:
            return position < end
        left = self._bounds[end] - self._bounds[np.minimum(position, end)]
        return (end - position > 1) | (left > 1)

    def _next(self, documents: Documents, places: Numbers, draws: Draws) -> tuple[Pairs, Numbers]:
        common: Any = {"lengths": self._pairing.lengths, "draws": draws}
        if self._is_single:
            return single_segments(documents, self._bounds, **common)
        if self._pairing.objective == "sop":
            return sentence_order_pairs(documents, self._bounds, **common)

        def random_next(draws: Draws, rows: NDArray[np.bool_], tokens: Numbers) -> Spans:
            return self._random_spans(draws, tokens, other_than=places[rows])

        return next_sentence_pairs(documents, self._bounds, **common, random_next=random_next)

    def _random_spans(self, draws: Draws, tokens: Numbers, *, other_than: Numbers) -> Spans:
        """Draw other documents of the whole split, and in each a sentence where the span starts.

        Only sentences with ``tokens`` tokens from there on are drawn, where there are any.
        """
        document = self._documents.draw_other(draws.bits(0), places=other_than, tokens=tokens)
        first, behind = self._document_bounds[document], self._document_bounds[document + 1]
        end = self._bounds[behind]
        long_enough = np.searchsorted(self._bounds, end - tokens, side="right") - first
        start = self._bounds[first + below(draws.bits(1), np.clip(long_enough, 1, behind - first))]
        return Spans(document, start, np.minimum(start + tokens, end))

    @property
    def _is_single(self) -> bool:
        return self._pairing.objective == "none"


def _tokens(pairs: Pairs) -> Numbers:
    return pairs.first.length + pairs.second.length


def _records(pairs: Pairs) -> NDArray[np.void]:
    """Return pairs as records of type ``INSTANCE``."""
    records = np.zeros(len(pairs.labels), dtype=INSTANCE)
    for name, spans in (("first", pairs.first), ("second", pairs.second)):
        records[f"{name}_document"] = spans.document
        records[f"{name}_start"] = spans.start
        records[f"{name}_length"] = spans.length
    records["next_sentence_label"] = pairs.labels
    return records
