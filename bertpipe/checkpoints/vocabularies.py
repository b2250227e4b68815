"""Two vocabularies against each other: the pieces that both have, and where they first differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import torch
from torch import Tensor

# What has one row, or one number, a piece; by its stored name.
BY_PIECE = ("bert.embeddings.word_embeddings.weight", "cls.predictions.bias")


@dataclass(frozen=True)
class SharedPieces:
    """The pieces that an old and a new vocabulary both have, the same one at the same place.

    Attributes:
        old_ids: their ids in the old one, int64 ``[N]``.
        new_ids: their ids in the new one, rising, int64 ``[N]``.
        new_size: number of pieces of the new one.
    """

    old_ids: Tensor
    new_ids: Tensor
    new_size: int

    @classmethod
    def of(cls, old: Sequence[str], new: Sequence[str]) -> "SharedPieces":
        """Compare by the text of the pieces."""
        known = {piece: number for number, piece in enumerate(old)}
        both = [(known[piece], number) for number, piece in enumerate(new) if piece in known]
        return cls(
            old_ids=torch.tensor([first for first, _ in both], dtype=torch.int64),
            new_ids=torch.tensor([second for _, second in both], dtype=torch.int64),
            new_size=len(new),
        )

    @property
    def kept(self) -> int:
        """Return how many there are."""
        return len(self.new_ids)

    def moved(self, stored: Tensor, fresh: Tensor) -> Tensor:
        """Return ``fresh`` with the rows of the shared pieces taken from ``stored``, ``[V, ...]``."""
        rows = fresh.clone()
        rows[self.new_ids] = stored[self.old_ids].to(rows.dtype)
        return rows


def first_difference(old: Sequence[str], new: Sequence[str]) -> str | None:
    """Say at which piece two vocabularies differ first; none where they are the same."""
    for number, (before, after) in enumerate(zip_longest(old, new)):
        if before != after:
            shown = [repr(piece) if piece is not None else "missing" for piece in (before, after)]
            return f"piece {number} is {shown[0]} there and {shown[1]} here"
    return None
