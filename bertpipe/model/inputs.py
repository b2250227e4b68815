"""Sequences without padding: how token ids reach a model.

The tokens of a batch stand one after another. Embeddings, layer norms, feed-forward layers and
heads see only real tokens; attention alone lays them out in a grid, where padding is masked.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class TokenBatch:
    """B sequences of T tokens in all, the longest of S tokens.

    Attributes:
        input_ids: int64 ``[T]``.
        token_type_ids: 0 in the first segment, 1 in the second, int64 ``[T]``.
        position_ids: place in the sequence, int64 ``[T]``.
        starts: where each sequence starts, int64 ``[B]``: the place of its ``[CLS]``.
        bounds: the same, and T, int32 ``[B + 1]``: as kernels for sequences of any length want it.
        cells: where each token stands in the flattened ``[B, S]`` grid, int64 ``[T]``.
        is_token: true where the grid holds a token, bool ``[B, S]``; none where it is full.
        longest: S.
    """

    input_ids: Tensor
    token_type_ids: Tensor
    position_ids: Tensor
    starts: Tensor
    bounds: Tensor
    cells: Tensor
    is_token: Tensor | None
    longest: int

    @classmethod
    def of(
        cls,
        input_ids: NDArray[np.int64],
        *,
        lengths: NDArray[np.int64],
        first_segment_lengths: NDArray[np.int64],
    ) -> Self:
        """Lay out sequences that stand one after another.

        Args:
            input_ids: with ``[CLS]`` and ``[SEP]``, int64 ``[T]``.
            lengths: tokens of each sequence, at least 1, int64 ``[B]``.
            first_segment_lengths: tokens of its first segment, int64 ``[B]``.
        """
        starts = np.cumsum(lengths) - lengths
        position_ids = np.arange(len(input_ids)) - np.repeat(starts, lengths)
        longest = int(lengths.max())
        grid = np.arange(longest) < lengths[:, None]
        return cls(
            input_ids=torch.from_numpy(input_ids),
            token_type_ids=torch.from_numpy(
                (position_ids >= np.repeat(first_segment_lengths, lengths)).astype(np.int64)
            ),
            position_ids=torch.from_numpy(position_ids),
            starts=torch.from_numpy(starts),
            bounds=torch.from_numpy(np.append(starts, len(input_ids)).astype(np.int32)),
            cells=torch.from_numpy(np.flatnonzero(grid)),
            is_token=None if grid.all() else torch.from_numpy(grid),
            longest=longest,
        )

    @property
    def sequences(self) -> int:
        """Return B."""
        return len(self.starts)

    def to(self, device: torch.device) -> "TokenBatch":
        """Return the same batch on another device."""
        return TokenBatch(
            input_ids=self.input_ids.to(device, non_blocking=True),
            token_type_ids=self.token_type_ids.to(device, non_blocking=True),
            position_ids=self.position_ids.to(device, non_blocking=True),
            starts=self.starts.to(device, non_blocking=True),
            bounds=self.bounds.to(device, non_blocking=True),
            cells=self.cells.to(device, non_blocking=True),
            is_token=None if self.is_token is None else self.is_token.to(device, non_blocking=True),
            longest=self.longest,
        )

    def to_grid(self, tokens: Tensor) -> Tensor:
        """Lay out ``[T, H]`` as ``[B, S, H]``, zeros where there is padding."""
        if self.is_token is None:
            return tokens.view(self.sequences, self.longest, -1)
        grid = tokens.new_zeros(self.sequences * self.longest, tokens.shape[-1])
        return grid.index_copy(0, self.cells, tokens).view(self.sequences, self.longest, -1)

    def from_grid(self, grid: Tensor) -> Tensor:
        """Take ``[T, H]`` out of ``[B, S, H]``: undoes ``to_grid``."""
        flat = grid.reshape(self.sequences * self.longest, -1)
        return flat if self.is_token is None else flat[self.cells]
