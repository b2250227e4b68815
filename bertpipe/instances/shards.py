"""Shards: Arrow files of instances, read in any order; a batch is a single gather for each shard."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bertpipe.errors import ArtifactError
from bertpipe.instances.format import ShardInfo, shard_name
from bertpipe.instances.mapped import AGAIN, MappedShard
from bertpipe.instances.ragged import ragged

_NAME = re.compile(r"shard-\d{5}-of-(\d{5})\.arrow")


@dataclass(frozen=True)
class Rows:
    """Some instances, their tokens one row after another.

    Attributes:
        input_ids: token ids with ``[CLS]`` and ``[SEP]``, int64 ``[T]``.
        lengths: tokens of each row, int64 ``[B]``; they add up to T.
        first_segment_lengths: tokens of token type 0 of each row, int64 ``[B]``.
        next_sentence_labels: 0 follows, 1 is random or swapped, -100 not asked, int64 ``[B]``.
        labels: with static masks, the original ids where something is to be predicted, else -100,
            int64 ``[T]``; ``input_ids`` then holds what the model sees.
    """

    input_ids: NDArray[np.int64]
    lengths: NDArray[np.int64]
    first_segment_lengths: NDArray[np.int64]
    next_sentence_labels: NDArray[np.int64]
    labels: NDArray[np.int64] | None = None


class ShardSet:
    """All shards of one split, as one sequence of instances."""

    def __init__(self, shards: Sequence[MappedShard]) -> None:
        self._shards = shards
        self._starts = np.cumsum([0, *(len(shard) for shard in shards)])
        self.info: ShardInfo = shards[0].info

    @classmethod
    def open(cls, folder: Path) -> "ShardSet":
        """Map the shards of a split folder, such as ``prepared/train``.

        Raises:
            ArtifactError: there are none, some are missing or damaged, or they do not belong
                together.
        """
        shards = [MappedShard(path) for path in _find(folder)]
        for shard in shards:
            if shard.info != shards[0].info:
                raise ArtifactError(
                    f"{shard.path} was made with other settings than {shards[0].path.name}", hint=AGAIN
                )
        return cls(shards)

    @property
    def folder(self) -> Path:
        """Where they lie."""
        return self._shards[0].path.parent

    @property
    def vocab_size(self) -> int:
        """Number of ids of the tokenizer."""
        return self.info.vocab_size

    @property
    def tokenizer_hash(self) -> str:
        """Content hash of the tokenizer."""
        return self.info.tokenizer_hash

    @property
    def max_seq_length(self) -> int:
        """Longest row that there can be."""
        return self.info.max_seq_length

    @property
    def objective(self) -> str:
        """What the second segment is: ``nsp``, ``sop``, ``none``; or ``packed``."""
        return self.info.objective

    @property
    def has_pairs(self) -> bool:
        """Whether there is a next sentence label to predict."""
        return self.info.has_pairs

    def __len__(self) -> int:
        """Number of instances."""
        return int(self._starts[-1])

    def rows(self, indices: NDArray[np.int64]) -> Rows:
        """Read instances.

        Args:
            indices: which ones, in any order, repeated or not, int64 ``[B]``.

        Raises:
            ArtifactError: what stands there cannot be an instance: the shard is damaged.
        """
        assert indices.size == 0 or (indices.min() >= 0 and indices.max() < len(self))
        shard_of = np.searchsorted(self._starts, indices, side="right") - 1
        numbers = np.unique(shard_of)
        found = np.zeros((4, len(indices)), dtype=np.int64)
        for number in numbers:
            here = shard_of == number
            found[:, here] = self._shards[number].locate(indices[here] - self._starts[number])
        starts, lengths, first_segment_lengths, next_sentence_labels = found
        row_of, position = ragged(lengths)
        source = starts[row_of] + position
        input_ids = np.empty(len(source), dtype=np.int64)
        labels = None if self.info.masking is None else np.empty(len(source), dtype=np.int64)
        for number in numbers:
            shard, here = self._shards[number], shard_of == number
            tokens = here[row_of]
            input_ids[tokens] = shard.read_ids(source[tokens])
            if labels is not None:
                labels[tokens] = shard.read_labels(indices[here] - self._starts[number], lengths[here])
        return Rows(input_ids, lengths, first_segment_lengths, next_sentence_labels, labels)


def _find(folder: Path) -> list[Path]:
    """Return the paths of a whole set of shards, in order."""
    if not folder.is_dir():
        raise ArtifactError(f"{folder} does not exist", hint="name an output of 'bertpipe prepare'")
    found = sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))
    if not found:
        raise ArtifactError(f"{folder} holds no shards", hint=AGAIN)
    count = int(found[0].stem.rpartition("-")[2])
    expected = [folder / shard_name(number, count) for number in range(count)]
    for path in sorted({*expected} ^ {*found}):
        problem = "is missing" if path in expected else f"does not belong to the {count} shards beside it"
        raise ArtifactError(f"{path} {problem}", hint=AGAIN)
    return found
