"""What a prepared folder holds, in figures."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bertpipe.instances.encoded import EncodedPart
from bertpipe.instances.mask_statistics import MaskStatistics, share
from bertpipe.instances.pairing import SPECIAL_TOKENS, Paired, Pairing
from bertpipe.instances.segments import NOT_ASKED, RANDOM_OR_SWAPPED

_BUCKETS = 8


@dataclass
class CorpusStatistics:
    """Counts over the whole corpus, before it is split.

    Attributes:
        documents: number of documents, of those that stay after cleaning.
        sentences: number of sentences.
        cut_sentences: number of those that were cut for their length.
        tokens: number of tokens.
        unknown: number of ``[UNK]`` among those.
        replaced: number of invalid UTF-8 sequences that became U+FFFD.
    """

    documents: int = 0
    sentences: int = 0
    cut_sentences: int = 0
    tokens: int = 0
    unknown: int = 0
    replaced: int = 0

    def add(self, part: EncodedPart) -> None:
        """Count the documents of a part."""
        self.documents += len(part.sentence_counts)
        self.sentences += part.sentences
        self.cut_sentences += part.cut_sentences
        self.tokens += len(part.ids)
        self.unknown += part.unknown
        self.replaced += part.replaced

    @property
    def unknown_rate(self) -> float:
        """Share of tokens that are ``[UNK]``."""
        return share(self.unknown, self.tokens)

    def as_json(self, *, skipped: int) -> dict[str, Any]:
        """Return the figures.

        Args:
            skipped: documents that have too few tokens for an instance.
        """
        return {
            "documents": self.documents,
            "skipped_documents": skipped,
            "sentences": self.sentences,
            "sentences_cut_for_length": self.cut_sentences,
            "tokens": self.tokens,
            "unknown_tokens": self.unknown,
            "unknown_rate": self.unknown_rate,
            "replaced_sequences": self.replaced,
        }


class SplitStatistics:
    """Counts over the instances of one split."""

    def __init__(self, pairing: Pairing) -> None:
        self._pairing = pairing
        self._by_length = np.zeros(pairing.max_seq_length + 1, dtype=np.int64)
        self._random_or_swapped = 0
        self._asked = 0
        self._cut = 0
        self._crossing = 0
        self._truncated_tokens = 0

    @classmethod
    def of(cls, pairing: Pairing, state: Mapping[str, Any]) -> "SplitStatistics":
        """Return counts that go on from a ``state``."""
        statistics = cls(pairing)
        statistics._by_length = np.array(state["by_length"], dtype=np.int64)
        statistics._random_or_swapped = state["random_or_swapped"]
        statistics._asked = state["asked"]
        statistics._cut = state["cut"]
        statistics._crossing = state["crossing"]
        statistics._truncated_tokens = state["truncated_tokens"]
        return statistics

    @property
    def state(self) -> dict[str, Any]:
        """All counts, as ``of`` takes them."""
        return {
            "by_length": self._by_length.tolist(),
            "random_or_swapped": self._random_or_swapped,
            "asked": self._asked,
            "cut": self._cut,
            "crossing": self._crossing,
            "truncated_tokens": self._truncated_tokens,
        }

    def add(self, paired: Paired) -> None:
        """Count some instances."""
        labels = paired.instances["next_sentence_label"]
        self._by_length += np.bincount(self._lengths(paired.instances), minlength=len(self._by_length))
        self._random_or_swapped += int((labels == RANDOM_OR_SWAPPED).sum())
        self._asked += int((labels != NOT_ASKED).sum())
        self._cut += paired.cut
        if self._pairing.objective == "packed":
            instances = paired.instances
            self._crossing += int((instances["first_document"] != instances["second_document"]).sum())
        self._truncated_tokens += paired.truncated_tokens

    @property
    def instances(self) -> int:
        """Number of instances."""
        return int(self._by_length.sum())

    @property
    def tokens(self) -> int:
        """Number of tokens in all instances, with special tokens."""
        return int((self._by_length * np.arange(len(self._by_length))).sum())

    @property
    def padding_share(self) -> float:
        """Share of padding if every row were filled up to the longest possible."""
        full = self.instances * self._pairing.max_seq_length
        return share(full - self.tokens, full)

    @property
    def random_or_swapped_share(self) -> float | None:
        """Share of pairs with label 1; None where nothing is asked."""
        return share(self._random_or_swapped, self._asked) if self._asked else None

    def as_json(self, *, documents: int, masks: MaskStatistics) -> dict[str, Any]:
        """Return the figures.

        Args:
            documents: documents of the split.
            masks: counts of the masks in its shards; of no rows where none are stored.
        """
        stored: dict[str, Any] = {"masks": masks.as_json()} if masks.rows else {}
        if self._pairing.objective == "packed":
            stored["several_documents_share"] = share(self._crossing, self.instances)
        return {
            "documents": documents,
            "instances": self.instances,
            "instance_tokens": self.tokens,
            "truncated_tokens": self._truncated_tokens,
            "random_or_swapped_share": self.random_or_swapped_share,
            "one_sentence_share": share(self._cut, self.instances),
            "mean_length": share(self.tokens, self.instances),
            "padding_share": self.padding_share,
            **stored,
            "lengths": self._histogram(),
        }

    def _lengths(self, instances: NDArray[np.void]) -> NDArray[np.int64]:
        segments = instances["first_length"].astype(np.int64) + instances["second_length"]
        return segments + SPECIAL_TOKENS[self._pairing.objective]

    def _histogram(self) -> list[dict[str, int]]:
        """Return how many rows there are up to each length, in buckets of similar width."""
        longest = self._pairing.max_seq_length
        bounds = [longest * number // _BUCKETS for number in range(_BUCKETS + 1)]
        return [
            {"from": low + 1, "to": high, "instances": int(self._by_length[low + 1 : high + 1].sum())}
            for low, high in pairwise(bounds)
        ]
