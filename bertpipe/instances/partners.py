"""Documents of a split, and which of them a random next segment comes from."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bertpipe import randomness


@dataclass(frozen=True)
class SplitDocuments:
    """The documents of one split, mapped into memory.

    Attributes:
        numbers: their numbers, in order, int64 ``[D]``.
        by_length: their numbers, the shortest first, int64 ``[D]``.
        lengths: the tokens of those, int64 ``[D]``.
        ranks: where each of ``numbers`` stands in ``by_length``, int64 ``[D]``.
    """

    numbers: NDArray[np.int64]
    by_length: NDArray[np.int64]
    lengths: NDArray[np.int64]
    ranks: NDArray[np.int64]

    @classmethod
    def of(cls, numbers: NDArray[np.int64], token_counts: NDArray[np.int64]) -> "SplitDocuments":
        """Sort documents by their numbers of tokens; both int64 ``[D]``."""
        order = np.argsort(token_counts, kind="stable")
        ranks = np.empty_like(order)
        ranks[order] = np.arange(len(order))
        return cls(numbers, numbers[order], token_counts[order], ranks)

    @classmethod
    def open(cls, path: Path) -> "SplitDocuments":
        """Map what ``save`` has written."""
        return cls(*np.asarray(np.load(path, mmap_mode="r")))

    def save(self, path: Path) -> None:
        """Write the documents to a ``.npy`` file."""
        np.save(path, np.stack([self.numbers, self.by_length, self.lengths, self.ranks]))

    def draw_other(
        self, bits: randomness.Bits, *, places: NDArray[np.int64], tokens: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Draw a document other than the one at each place, of at least so many tokens.

        Each such document is as likely as any other. If there is none, any other document is
        drawn. Short ones are left out because a segment that ends early would give its label away:
        between articles and one-line reviews, a short second segment would be a random one.

        Args:
            bits: random bits, uint64 ``[N]``.
            places: where documents stand in the split, int64 ``[N]``.
            tokens: how many tokens to ask for, int64 ``[N]``.

        Returns:
            Numbers of documents, int64 ``[N]``.
        """
        own = self.ranks[places]
        shortest = np.searchsorted(self.lengths, tokens)
        others = len(self.lengths) - shortest - (own >= shortest)
        shortest = np.where(others < 1, 0, shortest)
        others = len(self.lengths) - shortest - (own >= shortest)
        rank = shortest + randomness.below(bits, others)
        return self.by_length[rank + ((rank >= own) & (own >= shortest))]
