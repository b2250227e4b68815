"""Which documents a vocabulary is trained on, where there are more than the budget allows.

A document is chosen by a hash of its content. So neither the order of files, nor the number of
workers, nor the machine decides, and equal documents share their fate. Groups of files get a share
of the budget each, by size or flatter (Devlin's multilingual BERT: the size to the power of 0.7).
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bertpipe.errors import ConfigError

# A group's sample is as fine as this: bucket by bucket, each of about so much of its documents.
_BUCKETS = 2**16


@dataclass(frozen=True)
class DocumentHash:
    """Where a document falls, by its content.

    Attributes:
        bucket: for the choice of a sample, below 65,536.
        share: for holding documents out, in ``[0, 1)``; the two know nothing of each other.
    """

    bucket: int
    share: float

    @classmethod
    def of(cls, paragraphs: Sequence[str]) -> "DocumentHash":
        """Hash the paragraphs of a document."""
        digest = hashlib.blake2b("\n".join(paragraphs).encode(), digest_size=8).digest()
        return cls(int.from_bytes(digest[:2], "big"), int.from_bytes(digest[2:], "big") * 2.0**-48)


@dataclass
class Sizes:
    """Characters of a corpus by group and bucket.

    Attributes:
        characters: by group, then by bucket.
    """

    characters: dict[str, Counter[int]]

    def add(self, group: str, characters: Counter[int]) -> None:
        """Count some more of a group."""
        self.characters.setdefault(group, Counter()).update(characters)

    def choose(self, budget: int, *, exponent: float) -> "Sample":
        """Return the sample that fits into so many characters.

        Args:
            budget: characters to stay below.
            exponent: each group gets a share of the budget as its size to this power: 1 as it is
                in the corpus, 0 the same for all; what a small group leaves goes to the others.

        Raises:
            ConfigError: not even one bucket fits.
        """
        totals = {group: counts.total() for group, counts in sorted(self.characters.items())}
        quotas = _quotas(totals, budget, exponent=exponent)
        bounds: dict[str, int] = {}
        taken = 0
        for group, quota in quotas.items():
            bounds[group], characters = _bound(self.characters[group], quota)
            taken += characters
        if not taken:
            smallest = min(min(counts.values()) for counts in self.characters.values() if counts)
            raise ConfigError(
                f"vocab.max_characters = {budget}: no document is that short, the smallest sample has "
                f"{smallest} characters",
                hint="set vocab.max_characters higher, or corpus.documents so that documents are shorter",
            )
        return Sample(bounds, share=taken / sum(totals.values()))


@dataclass(frozen=True)
class Sample:
    """A choice of documents.

    Attributes:
        bounds: for each group the bucket that is the first to stay out.
        share: characters in it, of those of the corpus.
    """

    bounds: Mapping[str, int]
    share: float

    def holds(self, group: str, document: DocumentHash) -> bool:
        """Whether a document of a group is in it."""
        return document.bucket < self.bounds[group]


def _quotas(totals: Mapping[str, int], budget: int, *, exponent: float) -> dict[str, int]:
    """Return how many characters each group may have; a group that needs less leaves the rest."""
    quotas: dict[str, int] = {}
    left = dict(totals)
    while left:
        weights = {group: total**exponent for group, total in left.items()}
        shares = {group: int(budget * weight / sum(weights.values())) for group, weight in weights.items()}
        whole = {group: total for group, total in left.items() if total <= shares[group]}
        quotas.update(whole or shares)
        budget -= sum(whole.values())
        left = {group: total for group, total in left.items() if group not in whole} if whole else {}
    return dict(sorted(quotas.items()))


def _bound(characters: Mapping[int, int], quota: int) -> tuple[int, int]:
    """Return the first bucket that no longer fits, and the characters of those before it."""
    taken = 0
    for bucket in sorted(characters):
        if taken + characters[bucket] > quota:
            return bucket, taken
        taken += characters[bucket]
    return _BUCKETS, taken
