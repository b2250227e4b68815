"""Batches from shards: which rows an update sees, and what it must predict in them.

Both are functions of the seed and the step. Masks are drawn when a batch is made (dynamic, as
Liu et al. 2019, section 4.1), so an epoch sees other masks than the one before, or come with the
rows (static, as in the paper).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bertpipe import randomness
from bertpipe.errors import ConfigError
from bertpipe.instances.epochs import mask_key, row_numbers
from bertpipe.instances.masking import Masked, Masker, MaskingConfig, settings_in_effect
from bertpipe.instances.shards import Rows, ShardSet
from bertpipe.model import Readout, TokenBatch
from bertpipe.training import UNCUT, Cut
from bertpipe.vocab import Tokenizer


@dataclass(frozen=True)
class PretrainingBatch:
    """Some sequences with hidden tokens.

    Attributes:
        tokens: what the model sees: B sequences, T tokens.
        readout: P chosen tokens, which are to be predicted.
        labels: the original tokens there, int64 ``[P]``.
        next_sentence_labels: int64 ``[B]``, 1 where the second segment is random or both are swapped;
            none where the data does not ask.
        pair_objective: what that question is called: ``nsp`` or ``sop``.
    """

    tokens: TokenBatch
    readout: Readout
    labels: Tensor
    next_sentence_labels: Tensor | None
    pair_objective: str = "nsp"

    @property
    def predicted(self) -> Tensor:
        """Return which of the T tokens to predict, int64 ``[P]``."""
        return self.readout.tokens[self.readout.chosen]

    @property
    def counts(self) -> dict[str, int]:
        """Return the number of predicted tokens and of sequences."""
        counts = {"mlm": len(self.labels)}
        if self.next_sentence_labels is not None:
            counts[self.pair_objective] = len(self.next_sentence_labels)
        return counts

    @property
    def size_tokens(self) -> int:
        """Return T."""
        return len(self.tokens.input_ids)

    @property
    def size_sequences(self) -> int:
        """Return B."""
        return self.tokens.sequences

    def to(self, device: torch.device) -> "PretrainingBatch":
        """Return the same batch on another device."""
        return PretrainingBatch(
            tokens=self.tokens.to(device),
            readout=self.readout.to(device),
            labels=self.labels.to(device, non_blocking=True),
            next_sentence_labels=None
            if self.next_sentence_labels is None
            else self.next_sentence_labels.to(device, non_blocking=True),
            pair_objective=self.pair_objective,
        )


@dataclass(frozen=True)
class BatchMaker:
    """Hides tokens in rows of one vocabulary, unless the shards hold their masks.

    Attributes:
        masking: which tokens to hide.
        tokenizer: of the rows.
        max_seq_length: tokens of the longest row.
        pair_objective: what the labels of pairs ask: ``nsp`` or ``sop``.
    """

    masking: MaskingConfig
    tokenizer: Tokenizer
    max_seq_length: int
    pair_objective: str = "nsp"

    def batch(self, rows: Rows, numbers: NDArray[np.int64], *, key: int) -> PretrainingBatch:
        """Return rows as a batch; ``numbers`` and ``key`` decide what is hidden."""
        masked = (
            self._masker.mask(rows, numbers, key=key)
            if rows.labels is None
            else Masked(rows.input_ids, rows.labels)
        )
        predicted = np.flatnonzero(masked.labels >= 0)
        asks_next = bool((rows.next_sentence_labels >= 0).all())
        tokens = TokenBatch.of(
            masked.input_ids, lengths=rows.lengths, first_segment_lengths=rows.first_segment_lengths
        )
        return PretrainingBatch(
            tokens=tokens,
            readout=tokens.read_at(predicted),
            labels=torch.from_numpy(masked.labels[predicted]),
            next_sentence_labels=torch.from_numpy(rows.next_sentence_labels) if asks_next else None,
            pair_objective=self.pair_objective,
        )

    @cached_property
    def _masker(self) -> Masker:
        return Masker.of(self.masking, self.tokenizer, max_seq_length=self.max_seq_length)


@dataclass(frozen=True)
class TrainingData:
    """The global batches of a run, in an order that is computed, not stored."""

    shards: ShardSet
    maker: BatchMaker
    batch_size: int
    seed: int

    def __post_init__(self) -> None:
        """Refuse a batch that no epoch can fill, and masks other than those in the shards."""
        settings_in_effect(self.maker.masking, self.shards)
        if self.batch_size > len(self.shards):
            raise ConfigError(
                f"pretrain.batch_size = {self.batch_size} is larger than the data: "
                f"{len(self.shards)} sequences",
                hint="use a smaller batch, more text, or a larger prepare.dupe_factor",
            )

    def micro_batches(self, step: int, cut: Cut = UNCUT) -> list[PretrainingBatch]:
        """Return this process's part of the global batch of one update, a batch for each forward pass.

        Raises:
            ConfigError: there are more processes than sequences.
        """
        if self.batch_size < cut.world.size:
            raise ConfigError(
                f"pretrain.batch_size = {self.batch_size} is smaller than the number of processes: "
                f"{cut.world.size}",
                hint="use a larger batch, or fewer processes",
            )
        first = step * self.batch_size
        return [
            self._micro_batch(np.arange(first + piece.start, first + piece.stop))
            for piece in cut.pieces(self.batch_size)
        ]

    def _micro_batch(self, places: NDArray[np.int64]) -> PretrainingBatch:
        numbers = row_numbers(places, rows=len(self.shards), seed=self.seed)
        return self.maker.batch(self.shards.rows(numbers), places, key=mask_key(self.seed))


@dataclass(frozen=True)
class ValidationData:
    """The first rows of the validation shards, which are shuffled, with masks that never change.

    Attributes:
        sequences: how many rows.
        batch_size: sequences of a forward pass, over all processes; a smaller micro-batch goes before it.
    """

    shards: ShardSet
    maker: BatchMaker
    sequences: int
    batch_size: int

    def __post_init__(self) -> None:
        """Refuse masks other than those in the shards."""
        settings_in_effect(self.maker.masking, self.shards)

    def batches(self, cut: Cut = UNCUT) -> Iterator[PretrainingBatch]:
        """Yield this process's part, the same batches on every pass."""
        count = min(self.sequences, len(self.shards))
        for piece in cut.pieces_of_at_most(-(-self.batch_size // cut.world.size), count):
            numbers = np.arange(piece.start, piece.stop)
            key = randomness.key(0, "validation masks")
            yield self.maker.batch(self.shards.rows(numbers), numbers, key=key)
