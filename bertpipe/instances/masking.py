"""Masked LM: which tokens to predict, and what the model sees in their place.

Devlin et al. 2019, section 3.1 (task 1) and appendix A.2. Dynamic masking draws anew each time a
batch is made; the draw depends on a key and the row's number only, so a row is masked the same way
in whatever batch, process or resumed run it turns up.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from bertpipe import randomness
from bertpipe.configs import Settings
from bertpipe.instances.shards import Rows, ragged

IGNORE = -100

_SHARES_TOLERANCE = 1e-9
# Row positions fill the low bits of the sort keys; shards hold rows of fewer than 2**16 tokens.
_POSITION_BITS = np.uint64(0xFFFF)
_LAST = np.uint64(0xFFFFFFFFFFFFFFFF)


class MaskingConfig(Settings):
    """How many tokens to predict, and how to hide them (Devlin et al. 2019, appendix A.2)."""

    mode: Literal["dynamic", "static"] = Field(
        "dynamic", description="dynamic: drawn anew each time a batch is made."
    )
    masked_lm_prob: float = Field(0.15, gt=0, lt=1, description="Share of a row's tokens to predict.")
    max_predictions_per_seq: int | None = Field(
        None, ge=1, description="Upper bound for a row; unset: masked_lm_prob of the longest row, rounded up."
    )
    mask_share: float = Field(0.8, ge=0, le=1, description="Share of them that becomes [MASK].")
    random_share: float = Field(0.1, ge=0, le=1, description="Share of them that becomes a random token.")
    keep_share: float = Field(0.1, ge=0, le=1, description="Share of them that stays as it is.")

    @field_validator("mode")
    @classmethod
    def _available(cls, mode: str) -> str:
        if mode == "static":
            raise ValueError("static masking is not available yet, use dynamic")
        return mode

    @model_validator(mode="after")
    def _shares_sum_to_one(self) -> "MaskingConfig":
        total = self.mask_share + self.random_share + self.keep_share
        if abs(total - 1) > _SHARES_TOLERANCE:
            raise ValueError(
                f"mask_share {self.mask_share} + random_share {self.random_share} + "
                f"keep_share {self.keep_share} is {total:g}, must be 1"
            )
        return self


def max_predictions(config: MaskingConfig, *, max_seq_length: int) -> int:
    """Return the most tokens to predict in a row of at most ``max_seq_length`` tokens."""
    if config.max_predictions_per_seq is not None:
        return config.max_predictions_per_seq
    # 0.1 x 30 is 3.0000000000000004 in floats, and still 3.
    return math.ceil(config.masked_lm_prob * max_seq_length - 1e-9)


@dataclass(frozen=True)
class Masked:
    """Rows as the model sees them.

    Attributes:
        input_ids: token ids, some of them replaced, int64 ``[T]``.
        labels: the original ids where something is to be predicted, else -100, int64 ``[T]``.
    """

    input_ids: NDArray[np.int64]
    labels: NDArray[np.int64]


def mask_rows(
    rows: Rows,
    numbers: NDArray[np.int64],
    *,
    config: MaskingConfig,
    key: int,
    vocab_size: int,
    mask_id: int,
    special_ids: Sequence[int],
    max_predictions: int,
) -> Masked:
    """Choose tokens of each row and hide them.

    Args:
        rows: the original tokens, T in B rows.
        numbers: what each row is known by, int64 ``[B]``; with ``key`` it decides the draw.
        config: how many tokens to choose, and what becomes of them.
        key: from ``randomness.key``, such as one for each epoch.
        vocab_size: number of ids.
        mask_id: the id of ``[MASK]``.
        special_ids: ids that are never chosen nor inserted, such as ``[CLS]``.
        max_predictions: upper bound for a row, such as from ``max_predictions``.
    """
    ordinary = np.ones(vocab_size, dtype=bool)
    ordinary[list(special_ids)] = False
    assert ordinary.any(), "a vocabulary of special tokens only"
    wanted = np.maximum(1, np.rint(rows.lengths * config.masked_lm_prob).astype(np.int64))
    row_of, position = ragged(rows.lengths)
    chosen = _choose(
        np.minimum(wanted, max_predictions),
        row_of=row_of,
        position=position,
        maskable=ordinary[rows.input_ids],
        bits=randomness.hashed(randomness.key(key, "choose"), numbers[row_of], position),
    )
    originals = rows.input_ids[chosen]
    where = numbers[row_of[chosen]], position[chosen]
    fate = randomness.uniform(randomness.hashed(randomness.key(key, "fate"), *where))
    substitutes = np.flatnonzero(ordinary)
    drawn = randomness.below(randomness.hashed(randomness.key(key, "token"), *where), len(substitutes))
    input_ids = rows.input_ids.copy()
    input_ids[chosen] = np.select(
        [fate < config.mask_share, fate < config.mask_share + config.random_share],
        [mask_id, substitutes[drawn]],
        default=originals,
    )
    labels = np.full_like(input_ids, IGNORE)
    labels[chosen] = originals
    return Masked(input_ids, labels)


def _choose(
    wanted: NDArray[np.int64],
    *,
    row_of: NDArray[np.int64],
    position: NDArray[np.int64],
    maskable: NDArray[np.bool_],
    bits: randomness.Bits,
) -> NDArray[np.int64]:
    """Return the places, ``[P]`` in order, of ``wanted`` random maskable tokens of each row.

    A row's smallest draws are chosen. They are sorted in a rectangle, which NumPy does several
    times faster than it sorts tokens by row and draw. The position in the low bits keeps equal
    draws apart.
    """
    if not len(row_of):
        return row_of
    draws = (bits & ~_POSITION_BITS) | position.astype(np.uint64)
    rectangle = np.full((len(wanted), int(position.max()) + 1), _LAST)
    rectangle[row_of[maskable], position[maskable]] = draws[maskable]
    rectangle.sort(axis=1)
    available = np.bincount(row_of, weights=maskable, minlength=len(wanted)).astype(np.int64)
    count = np.minimum(wanted, available)
    largest = rectangle[np.arange(len(wanted)), np.maximum(count, 1) - 1]
    return np.flatnonzero(maskable & (draws <= largest[row_of]) & (count > 0)[row_of])
