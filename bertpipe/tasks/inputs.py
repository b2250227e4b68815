"""Examples as token ids: ``[CLS] A [SEP]`` or ``[CLS] A [SEP] B [SEP]`` (figure 1 of the paper)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bertpipe.model import TokenBatch
from bertpipe.vocab import Tokenizer

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
    encoded = tokenizer.encode([text for sequence in sequences for text in sequence])
    parts = np.split(encoded.ids.astype(np.int64), np.cumsum(encoded.lengths)[:-1])
    room = max_seq_length - 1 - texts
    cls, sep = np.array([tokenizer.cls_id]), np.array([tokenizer.sep_id])
    cut = np.zeros(len(sequences), dtype=np.bool_)
    input_ids: list[Ids] = []
    firsts = np.empty(len(sequences), dtype=np.int64)
    for number in range(len(sequences)):
        whole = parts[number * texts : (number + 1) * texts]
        kept = fit(whole, room=room)
        cut[number] = kept is not whole
        input_ids.append(np.concatenate([cls, *(piece for part in kept for piece in (part, sep))]))
        firsts[number] = len(kept[0]) + 2
    return Inputs(
        input_ids=input_ids,
        first_segment_lengths=firsts,
        example_numbers=np.arange(len(sequences) // width),
        width=width,
        truncated=int(cut.reshape(-1, width).any(axis=1).sum()),
    )


def fit(parts: list[Ids], *, room: int) -> list[Ids]:
    """Cut the longer text first, then both alike, as ``truncation=True`` of Hugging Face's tokenizers.

    What fits comes back as it is.
    """
    if sum(len(part) for part in parts) <= room:
        return parts
    if len(parts) == 1:
        return [parts[0][:room]]
    first, second = (len(part) for part in parts)
    shorter = min(first, second, room // 2)
    longer = room - shorter
    first, second = (longer, shorter) if first > second else (shorter, longer)
    return [parts[0][:first], parts[1][:second]]
