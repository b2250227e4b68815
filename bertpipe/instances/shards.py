"""Shards: Arrow files of instances, memory-mapped, read in any order.

An Arrow file stores its columns as they stand in memory. So a mapped file is one NumPy array of
token ids with known places in it: a batch of any rows is a single gather for each shard, and
nothing but what is asked for is read from the disk.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bertpipe.errors import ArtifactError
from bertpipe.instances.format import ShardInfo, read_info, shard_name

_NAME = re.compile(r"shard-\d{5}-of-(\d{5})\.arrow")
_AGAIN = "run 'bertpipe prepare' again"


@dataclass(frozen=True)
class Rows:
    """Some instances, their tokens one row after another.

    Attributes:
        input_ids: token ids with ``[CLS]`` and ``[SEP]``, int64 ``[T]``.
        lengths: tokens of each row, int64 ``[B]``; they add up to T.
        first_segment_lengths: tokens of token type 0 of each row, int64 ``[B]``.
        next_sentence_labels: 0 follows, 1 is random or swapped, -100 not asked, int64 ``[B]``.
    """

    input_ids: NDArray[np.int64]
    lengths: NDArray[np.int64]
    first_segment_lengths: NDArray[np.int64]
    next_sentence_labels: NDArray[np.int64]


class ShardSet:
    """All shards of one split, as one sequence of instances."""

    def __init__(self, shards: Sequence["_Shard"]) -> None:
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
        shards = [_Shard(path) for path in _find(folder)]
        for shard in shards:
            if shard.info != shards[0].info:
                raise ArtifactError(
                    f"{shard.path} was made with other settings than {shards[0].path.name}", hint=_AGAIN
                )
        return cls(shards)

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
        """What the second segment is: ``nsp``, ``sop`` or ``none``."""
        return self.info.objective

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
        found = np.zeros((4, len(indices)), dtype=np.int64)
        for number in np.unique(shard_of):
            here = shard_of == number
            found[:, here] = self._shards[number].locate(indices[here] - self._starts[number])
        starts, lengths, first_segment_lengths, next_sentence_labels = found
        row_of, position = ragged(lengths)
        source = starts[row_of] + position
        input_ids = np.empty(len(source), dtype=np.int64)
        for number in np.unique(shard_of):
            here = (shard_of == number)[row_of]
            input_ids[here] = self._shards[number].read_ids(source[here])
        return Rows(input_ids, lengths, first_segment_lengths, next_sentence_labels)


def ragged(lengths: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return, for rows that stand one after another, the row and the position in it of each token.

    Args:
        lengths: tokens of each row, int64 ``[B]``, T together.

    Returns:
        The row's number and the position in the row, both int64 ``[T]``.
    """
    row_of = np.repeat(np.arange(len(lengths)), lengths)
    starts = np.cumsum(lengths) - lengths
    return row_of, np.arange(len(row_of)) - starts[row_of]


class _Shard:
    """One mapped file, and where in it the columns of each record batch stand."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with pa.memory_map(str(path)) as file:
                self._file = file.read_buffer()
            reader = pa.ipc.open_file(self._file)
            self.info = read_info(reader.schema)
            batches = [reader.get_batch(number) for number in range(reader.num_record_batches)]
            places = [self._places_in(batch) for batch in batches]
        except (OSError, pa.ArrowException, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise ArtifactError(f"{path} is no shard, or is damaged: {reason}", hint=_AGAIN) from None
        self._places = np.array(places, dtype=np.int64).reshape(-1, 5).T
        self._starts = np.cumsum([0, *(batch.num_rows for batch in batches)])
        self._ids = self._view(self.info.id_dtype)
        self._offsets = self._view(np.dtype(np.int32))
        self._first_segment_lengths = self._view(np.dtype(np.uint16))
        self._labels = self._view(np.dtype(np.int8))

    def __len__(self) -> int:
        return int(self._starts[-1])

    def locate(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return start (in ids), length, first segment length and label of rows, ``[4, B]``."""
        batch_of = np.searchsorted(self._starts, rows, side="right") - 1
        row = rows - self._starts[batch_of]
        ids_at, count, offsets_at, first_at, label_at = self._places[:, batch_of]
        start = self._offsets[offsets_at + row].astype(np.int64)
        length = self._offsets[offsets_at + row + 1] - start
        first = self._first_segment_lengths[first_at + row].astype(np.int64)
        label = self._labels[label_at + row].astype(np.int64)
        possible = (start >= 0) & (start + length <= count) & (length <= self.info.max_seq_length)
        possible &= (first >= 1) & (first <= length) & np.isin(label, (-100, 0, 1))
        if not possible.all():
            raise self._damaged(f"row {rows[~possible][0]} is impossible")
        return np.stack([ids_at + start, length, first, label])

    def read_ids(self, places: NDArray[np.int64]) -> NDArray[np.integer[Any]]:
        """Return the ids at places that ``locate`` has given."""
        ids = self._ids[places]
        if ids.max(initial=0) >= self.info.vocab_size:
            raise self._damaged(f"token id {ids.max()} is outside the vocabulary of {self.info.vocab_size}")
        return ids

    def _places_in(self, batch: pa.RecordBatch) -> tuple[int, int, int, int, int]:
        """Return where ids, offsets, first segment lengths and labels stand, in elements of each."""
        input_ids = batch.column("input_ids")
        count = len(input_ids.values)
        return (
            self._place(input_ids.buffers()[3], self.info.id_dtype.itemsize, count),
            count,
            self._place(input_ids.buffers()[1], 4, batch.num_rows + 1),
            self._place(batch.column("first_segment_length").buffers()[1], 2, batch.num_rows),
            self._place(batch.column("next_sentence_label").buffers()[1], 1, batch.num_rows),
        )

    def _place(self, buffer: pa.Buffer | None, itemsize: int, count: int) -> int:
        if count == 0:
            return 0
        place = buffer.address - self._file.address if buffer is not None else -1
        if place < 0 or place % itemsize or place + count * itemsize > self._file.size:
            raise ValueError("a column does not stand in the file as it should (compressed?)")
        return int(place // itemsize)

    def _view(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        return np.frombuffer(self._file, dtype=dtype, count=self._file.size // dtype.itemsize)

    def _damaged(self, reason: str) -> ArtifactError:
        return ArtifactError(f"{self.path} is damaged: {reason}", hint=_AGAIN)


def _find(folder: Path) -> list[Path]:
    """Return the paths of a whole set of shards, in order."""
    if not folder.is_dir():
        raise ArtifactError(f"{folder} does not exist", hint="name an output of 'bertpipe prepare'")
    found = sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))
    if not found:
        raise ArtifactError(f"{folder} holds no shards", hint=_AGAIN)
    count = int(found[0].stem.rpartition("-")[2])
    expected = [folder / shard_name(number, count) for number in range(count)]
    for path in sorted({*expected} ^ {*found}):
        problem = "is missing" if path in expected else f"does not belong to the {count} shards beside it"
        raise ArtifactError(f"{path} {problem}", hint=_AGAIN)
    return found
