"""Masks that are drawn once and stored beside the rows (Devlin et al. 2019, appendix A.2)."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bertpipe import randomness
from bertpipe.instances.format import IGNORE
from bertpipe.instances.mask_statistics import MaskStatistics
from bertpipe.instances.masking import Masker
from bertpipe.instances.ragged import ragged
from bertpipe.instances.shards import Rows

_TOKENS_AT_ONCE = 2**16


@dataclass(frozen=True)
class StoredMasks:
    """Some rows as a shard holds them.

    Attributes:
        input_ids: what the model sees, of the type of the shard's ids ``[T]``.
        positions: which tokens of each row to predict, row after row, uint16 ``[P]``.
        ids: the originals there, of the type of the shard's ids ``[P]``.
        counts: how many there are in each row, int64 ``[B]``.
        statistics: counts over all of them.
    """

    input_ids: NDArray[Any]
    positions: NDArray[np.uint16]
    ids: NDArray[Any]
    counts: NDArray[np.int64]
    statistics: MaskStatistics


@dataclass(frozen=True, eq=False)
class StaticMasks:
    """How to mask the rows of a split: by their numbers alone, whoever writes them.

    Attributes:
        masker: with mode ``static``.
        key: of the split's draws; see ``of``.
    """

    masker: Masker
    key: int

    @classmethod
    def of(cls, masker: Masker, *, seed: int, split: str) -> "StaticMasks":
        """Return the masks of a split."""
        assert masker.config.mode == "static"
        return cls(masker, randomness.key(seed, "static masks", split))

    @property
    def settings(self) -> str:
        """What the shards say about their masks, in the order of the settings."""
        return self.masker.config.model_dump_json()

    def draw(self, input_ids: NDArray[Any], lengths: NDArray[np.int64], *, first_row: int) -> StoredMasks:
        """Hide tokens of consecutive rows.

        Args:
            input_ids: of the rows, one after another ``[T]``.
            lengths: tokens of each row, int64 ``[B]``.
            first_row: number of the first of them in the split.
        """
        # A few rows at a time: what the draws need is many times as large as the rows.
        group = np.cumsum(lengths) // _TOKENS_AT_ONCE
        bounds = [0, *(np.flatnonzero(np.diff(group)) + 1).tolist(), len(lengths)]
        ends = np.concatenate([[0], np.cumsum(lengths)])
        parts = [
            self._draw(input_ids[ends[start] : ends[end]], lengths[start:end], first_row=first_row + start)
            for start, end in pairwise(bounds)
        ]
        return StoredMasks(
            input_ids=np.concatenate([part.input_ids for part in parts]),
            positions=np.concatenate([part.positions for part in parts]),
            ids=np.concatenate([part.ids for part in parts]),
            counts=np.concatenate([part.counts for part in parts]),
            statistics=sum((part.statistics for part in parts), MaskStatistics()),
        )

    def _draw(self, input_ids: NDArray[Any], lengths: NDArray[np.int64], *, first_row: int) -> StoredMasks:
        numbers = np.arange(first_row, first_row + len(lengths))
        unasked = np.full(len(lengths), IGNORE)
        rows = Rows(input_ids.astype(np.int64), lengths, lengths, unasked)
        masked = self.masker.mask(rows, numbers, key=self.key)
        predicted = np.flatnonzero(masked.labels != IGNORE)
        row_of, position = ragged(lengths)
        return StoredMasks(
            input_ids=masked.input_ids.astype(input_ids.dtype),
            positions=position[predicted].astype(np.uint16),
            ids=masked.labels[predicted].astype(input_ids.dtype),
            counts=np.bincount(row_of[predicted], minlength=len(lengths)),
            statistics=MaskStatistics.of(masked, lengths, self.masker),
        )
