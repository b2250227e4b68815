"""Examples as token ids: ``[CLS] A [SEP]`` or ``[CLS] A [SEP] B [SEP]`` (figure 1 of the paper)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bertpipe.model import TokenBatch
from bertpipe.tasks.task import Example
from bertpipe.vocab import Tokenizer

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Features:
    """The encoded form of N examples.

    Attributes:
        input_ids: one array of ids an example, with its special tokens.
        lengths: tokens of each example, int64 ``[N]``.
        first_segment_lengths: tokens of its first segment, int64 ``[N]``.
        truncated: how many examples were too long.
    """

    input_ids: list[Ids]
    lengths: NDArray[np.int64]
    first_segment_lengths: NDArray[np.int64]
    truncated: int

    def batch(self, numbers: NDArray[np.int64]) -> TokenBatch:
        """Return some examples as a model sees them."""
        return TokenBatch.of(
            np.concatenate([self.input_ids[number] for number in numbers]),
            lengths=self.lengths[numbers],
            first_segment_lengths=self.first_segment_lengths[numbers],
        )


def encode(examples: Sequence[Example], tokenizer: Tokenizer, *, max_seq_length: int) -> Features:
    """Encode one text or two an example; too long ones lose tokens at the end of the longer text."""
    width = len(examples[0].texts)
    encoded = tokenizer.encode([text for example in examples for text in example.texts])
    texts = np.split(encoded.ids.astype(np.int64), np.cumsum(encoded.lengths)[:-1])
    room = max_seq_length - 1 - width
    truncated = 0
    input_ids: list[Ids] = []
    first_segment_lengths: list[int] = []
    for start in range(0, len(texts), width):
        parts = texts[start : start + width]
        kept = _fit(parts, room=room)
        truncated += kept is not parts
        separated = [piece for part in kept for piece in (part, [tokenizer.sep_id])]
        input_ids.append(np.concatenate([[tokenizer.cls_id], *separated]).astype(np.int64))
        first_segment_lengths.append(len(kept[0]) + 2)
    return Features(
        input_ids=input_ids,
        lengths=np.array([len(ids) for ids in input_ids]),
        first_segment_lengths=np.array(first_segment_lengths),
        truncated=truncated,
    )


def _fit(parts: list[Ids], *, room: int) -> list[Ids]:
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
