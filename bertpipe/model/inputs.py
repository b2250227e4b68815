"""Sequences without padding: how token ids reach a model, and which of them its heads read.

The tokens of a batch stand one after another. Embeddings, layer norms, feed-forward layers and
heads see only real tokens; attention alone lays them out in a grid, where padding is masked. Where a
head reads some tokens only, the last layer computes those and no others.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Grid:
    """Where N tokens of B sequences, the longest of S tokens, stand in a grid with padding.

    Attributes:
        bounds: where each sequence starts, and N, int32 ``[B + 1]``.
        cells: where each token stands in the flattened ``[B, S]`` grid, int64 ``[N]``.
        is_token: true where the grid holds a token, bool ``[B, S]``; none where it is full.
        longest: S.
    """

    bounds: Tensor
    cells: Tensor
    is_token: Tensor | None
    longest: int

    @classmethod
    def of(cls, lengths: NDArray[np.int64]) -> Self:
        """Lay out sequences of these lengths, int64 ``[B]``, each at least 1."""
        longest = int(lengths.max())
        is_token = np.arange(longest) < lengths[:, None]
        return cls(
            bounds=torch.from_numpy(np.append(0, np.cumsum(lengths)).astype(np.int32)),
            cells=torch.from_numpy(np.flatnonzero(is_token)),
            is_token=None if is_token.all() else torch.from_numpy(is_token),
            longest=longest,
        )

    @property
    def sequences(self) -> int:
        """Return B."""
        return len(self.bounds) - 1

    def to(self, device: torch.device) -> "Grid":
        """Return the same grid on another device."""
        return Grid(
            bounds=self.bounds.to(device, non_blocking=True),
            cells=self.cells.to(device, non_blocking=True),
            is_token=None if self.is_token is None else self.is_token.to(device, non_blocking=True),
            longest=self.longest,
        )

    def spread(self, tokens: Tensor) -> Tensor:
        """Lay out ``[N, H]`` as ``[B, S, H]``, zeros where there is padding."""
        if self.is_token is None:
            return tokens.view(self.sequences, self.longest, -1)
        grid = tokens.new_zeros(self.sequences * self.longest, tokens.shape[-1])
        return grid.index_copy(0, self.cells, tokens).view(self.sequences, self.longest, -1)

    def gather(self, grid: Tensor) -> Tensor:
        """Take ``[N, H]`` out of ``[B, S, H]``: undoes ``spread``."""
        flat = grid.reshape(self.sequences * self.longest, -1)
        # The gradient of flat[self.cells] takes twice as long: it does not know that rows are whole.
        return flat if self.is_token is None else flat.index_select(0, self.cells)


@dataclass(frozen=True)
class Readout:
    """Which R tokens of a batch the heads read: the first of each sequence, and P chosen ones.

    Attributes:
        tokens: their places among the T tokens, ascending, int64 ``[R]``.
        first: the first of each sequence among the R, int64 ``[B]``.
        chosen: the chosen ones among the R, int64 ``[P]``.
        grid: where they stand in a grid of their own.
    """

    tokens: Tensor
    first: Tensor
    chosen: Tensor
    grid: Grid

    def to(self, device: torch.device) -> "Readout":
        """Return the same readout on another device."""
        return Readout(
            tokens=self.tokens.to(device, non_blocking=True),
            first=self.first.to(device, non_blocking=True),
            chosen=self.chosen.to(device, non_blocking=True),
            grid=self.grid.to(device),
        )


@dataclass(frozen=True)
class TokenBatch:
    """B sequences of T tokens in all.

    Attributes:
        input_ids: int64 ``[T]``.
        token_type_ids: 0 in the first segment, 1 in the second, int64 ``[T]``.
        position_ids: place in the sequence, int64 ``[T]``.
        starts: where each sequence starts, int64 ``[B]``: the place of its ``[CLS]``.
        grid: where the tokens stand in a grid.
    """

    input_ids: Tensor
    token_type_ids: Tensor
    position_ids: Tensor
    starts: Tensor
    grid: Grid

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
        is_second = position_ids >= np.repeat(first_segment_lengths, lengths)
        return cls(
            input_ids=torch.from_numpy(input_ids),
            token_type_ids=torch.from_numpy(is_second.astype(np.int64)),
            position_ids=torch.from_numpy(position_ids),
            starts=torch.from_numpy(starts),
            grid=Grid.of(lengths),
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
            grid=self.grid.to(device),
        )

    def read_at(self, chosen: NDArray[np.int64]) -> Readout:
        """Return what heads read that look at some tokens, ascending, int64 ``[P]``, and at each first one.

        It is worked out where batches are made, on the CPU: there a batch has to be.
        """
        starts = self.starts.numpy()
        tokens = np.union1d(starts, chosen)
        first = np.searchsorted(tokens, starts)
        return Readout(
            tokens=torch.from_numpy(tokens),
            first=torch.from_numpy(first),
            chosen=torch.from_numpy(np.searchsorted(tokens, chosen)),
            grid=Grid.of(np.diff(first, append=len(tokens))),
        )

    def read_first(self) -> Readout:
        """Return what heads read that look at the first token of each sequence alone, on any device."""
        count = self.sequences
        rows = torch.arange(count + 1, device=self.starts.device)
        grid = Grid(bounds=rows.int(), cells=rows[:-1], is_token=None, longest=1)
        return Readout(tokens=self.starts, first=rows[:-1], chosen=rows[:0], grid=grid)
