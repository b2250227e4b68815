"""Examples as token ids: ``[CLS] A [SEP]`` or ``[CLS] A [SEP] B [SEP]`` (figure 1 of the paper)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bertpipe.model import TokenBatch
from bertpipe.vocab import Encoded, Encoder, Tokenizer

# What a loss leaves out, as in Hugging Face's and PyTorch's.
IGNORE = -100

Ids = NDArray[np.int64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What a model reads for some examples: items, each of one sequence or more.

    An item is what is drawn for a batch: an example, or a part of one that is too long.

    Attributes:
        input_ids: one array of ids a sequence, with its special tokens.
        first_segment_lengths: tokens of each sequence's first segment, int64 ``[M]``.
        example_numbers: the example that each item belongs to, rising, int64 ``[items]``.
        width: sequences of an item, such as the endings to choose from.
        truncated: how many examples have lost tokens.
    """

    input_ids: list[Ids]
    first_segment_lengths: Numbers
    example_numbers: Numbers
    width: int = 1
    truncated: int = 0

    @cached_property
    def lengths(self) -> Numbers:
        """Tokens of each sequence, int64 ``[M]``."""
        return np.fromiter(map(len, self.input_ids), dtype=np.int64, count=len(self.input_ids))

    @cached_property
    def item_lengths(self) -> Numbers:
        """Tokens of each item, int64 ``[items]``."""
        summed: Numbers = self.lengths.reshape(-1, self.width).sum(axis=1)
        return summed

    @property
    def items(self) -> int:
        """Return the number of items."""
        return len(self.example_numbers)

    def sequences_of(self, items: Numbers) -> Numbers:
        """Return the sequences of some items, in their order, int64 ``[B]``."""
        places: Numbers = items[:, None] * self.width + np.arange(self.width)
        return places.reshape(-1)

    def batch(self, sequences: Numbers) -> TokenBatch:
        """Return some sequences as a model sees them."""
        return TokenBatch.of(
            np.concatenate([self.input_ids[number] for number in sequences]),
            lengths=self.lengths[sequences],
            first_segment_lengths=self.first_segment_lengths[sequences],
        )


def encode_texts(
    sequences: Sequence[tuple[str, ...]], tokenizer: Tokenizer, *, max_seq_length: int, width: int = 1
) -> Inputs:
    """Encode one text or two a sequence; too long ones lose tokens at the end of the longer text.

    Args:
        sequences: at least one; all of as many texts.
        tokenizer: of the model.
        max_seq_length: tokens of the longest sequence.
        width: so many sequences stand for an example.
    """
    texts = len(sequences[0])
    encoded = Encoder(tokenizer).encode([text for sequence in sequences for text in sequence])
    whole = encoded.lengths.reshape(-1, texts)
    kept = fit(whole, room=max_seq_length - 1 - texts)
    is_cut = (kept < whole).any(axis=1)
    return Inputs(
        input_ids=_with_special_tokens(encoded, kept, tokenizer),
        first_segment_lengths=kept[:, 0] + 2,
        example_numbers=np.arange(len(sequences) // width),
        width=width,
        truncated=int(is_cut.reshape(-1, width).any(axis=1).sum()),
    )


def fit(lengths: Numbers, *, room: int) -> Numbers:
    """Cut the longer text first, then both alike, as ``truncation=True`` of Hugging Face's tokenizers.

    Args:
        lengths: tokens of one text or two a sequence, int64 ``[M, 1]`` or ``[M, 2]``.
        room: tokens that a sequence may have.

    Returns:
        How many tokens of each text stay, of the same shape.
    """
    if lengths.shape[1] == 1:
        return np.minimum(lengths, room)
    shorter = np.minimum(lengths.min(axis=1), room // 2)
    first_is_longer = lengths[:, 0] > lengths[:, 1]
    cut = np.stack(
        [
            np.where(first_is_longer, room - shorter, shorter),
            np.where(first_is_longer, shorter, room - shorter),
        ],
        axis=1,
    )
    return np.where(lengths.sum(axis=1, keepdims=True) > room, cut, lengths)


def _with_special_tokens(encoded: Encoded, kept: Numbers, tokenizer: Tokenizer) -> list[Ids]:
    """Return ``[CLS]`` and each text's beginning with a ``[SEP]``, a sequence a row of ``kept``.

    The arrays are views of one: there are too many of them to join each.
    """
    ends = np.cumsum((kept + 1).sum(axis=1) + 1)  # [M]
    starts = np.concatenate([[0], ends[:-1]])
    ids = np.full(int(ends[-1]), tokenizer.sep_id, dtype=np.int64)
    ids[starts] = tokenizer.cls_id
    sizes = kept.reshape(-1)  # [M * texts], as the texts were encoded
    sources = np.cumsum(encoded.lengths) - encoded.lengths
    places = (starts[:, None] + 1 + np.cumsum(kept + 1, axis=1) - (kept + 1)).reshape(-1)
    within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    ids[np.repeat(places, sizes) + within] = encoded.ids[np.repeat(sources, sizes) + within]
    return [ids[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
