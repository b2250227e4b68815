"""One shard, mapped into memory.

An Arrow file stores its columns as they stand in memory. So a mapped file is one NumPy array of
token ids with known places in it, and nothing but what is asked for is read from the disk.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bertpipe.errors import ArtifactError
from bertpipe.instances.format import IGNORE, read_info, schema
from bertpipe.instances.ragged import ragged

AGAIN = "run 'bertpipe prepare' again"


class MappedShard:
    """One file of instances, in several record batches."""

    def __init__(self, path: Path) -> None:
        """Map a file.

        Raises:
            ArtifactError: it is no shard, or is damaged.
        """
        self.path = path
        try:
            with pa.memory_map(str(path)) as file:
                content = file.read_buffer()
            reader = pa.ipc.open_file(content)
            self.info = read_info(reader.schema)
            batches = [reader.get_batch(number) for number in range(reader.num_record_batches)]
            self._map(content, batches)
        except (OSError, pa.ArrowException, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise ArtifactError(f"{path} is no shard, or is damaged: {reason}", hint=AGAIN) from None

    def __len__(self) -> int:
        """Number of instances."""
        return int(self._starts[-1])

    def locate(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return start (in ids), length, first segment length and label of rows, int64 ``[4, B]``.

        Raises:
            ArtifactError: one of them cannot be an instance.
        """
        batch_of, row = self._within(rows)
        start, length, possible = self._input_ids.locate(batch_of, row)
        first = self._first_segment_lengths.take(batch_of, row)
        label = self._labels.take(batch_of, row)
        possible &= (length <= self.info.max_seq_length) & (first >= 1) & (first <= length)
        possible &= np.isin(label, (IGNORE, 0, 1))
        if not possible.all():
            raise self._damaged(f"row {rows[~possible][0]} is impossible")
        return np.stack([start, length, first, label])

    def read_ids(self, places: NDArray[np.int64]) -> NDArray[np.integer[Any]]:
        """Return the ids at places that ``locate`` has given.

        Raises:
            ArtifactError: one of them is in no vocabulary of this size.
        """
        return self._checked(self._input_ids.values.view[places])

    def read_labels(self, rows: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the stored masks: the original id where there is one, else -100, int64 ``[T]``.

        Args:
            rows: which, int64 ``[B]``.
            lengths: their lengths, as ``locate`` has given them, T together.

        Raises:
            ArtifactError: a mask is where it cannot be, or has an impossible id.
        """
        batch_of, row = self._within(rows)
        positions_at, count, possible = self._masked_positions.locate(batch_of, row)
        ids_at, count_of_ids, also_possible = self._masked_ids.locate(batch_of, row)
        possible &= also_possible & (count == count_of_ids)
        if not possible.all():
            raise self._damaged(f"the masks of row {rows[~possible][0]} are impossible")
        row_of, nth = ragged(count)
        positions = self._masked_positions.values.view[positions_at[row_of] + nth].astype(np.int64)
        # Neither the first token nor the last, which are special, and each once.
        misplaced = (positions < 1) | (positions >= lengths[row_of] - 1)
        misplaced[1:] |= (positions[1:] <= positions[:-1]) & (nth[1:] > 0)
        if misplaced.any():
            raise self._damaged(f"the masks of row {rows[row_of[misplaced][0]]} are impossible")
        labels = np.full(int(lengths.sum()), IGNORE, dtype=np.int64)
        starts = np.cumsum(lengths) - lengths
        labels[starts[row_of] + positions] = self._checked(self._masked_ids.values.view[ids_at[row_of] + nth])
        return labels

    def _map(self, content: pa.Buffer, batches: Sequence[pa.RecordBatch]) -> None:
        for batch in batches:
            batch.validate()  # or a count that is below zero
        self._starts = np.cumsum([0, *(batch.num_rows for batch in batches)])
        columns = {name: [batch.column(name) for batch in batches] for name in schema(self.info).names}
        self._input_ids = _Lists(content, columns["input_ids"], self.info.id_dtype)
        self._first_segment_lengths = _numbers(content, columns["first_segment_length"], np.dtype(np.uint16))
        self._labels = _numbers(content, columns["next_sentence_label"], np.dtype(np.int8))
        if self.info.masking is not None:
            self._masked_positions = _Lists(content, columns["masked_positions"], np.dtype(np.uint16))
            self._masked_ids = _Lists(content, columns["masked_ids"], self.info.id_dtype)

    def _within(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the record batch of each row, and the row's number in it."""
        batch_of = np.searchsorted(self._starts, rows, side="right") - 1
        return batch_of, rows - self._starts[batch_of]

    def _checked(self, ids: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
        if ids.max(initial=0) >= self.info.vocab_size:
            raise self._damaged(f"token id {ids.max()} is outside the vocabulary of {self.info.vocab_size}")
        return ids

    def _damaged(self, reason: str) -> ArtifactError:
        return ArtifactError(f"{self.path} is damaged: {reason}", hint=AGAIN)


class _Numbers:
    """A column of numbers: the file as an array of its type, and where in it each record batch begins."""

    def __init__(
        self,
        content: pa.Buffer,
        buffers: Sequence[pa.Buffer | None],
        counts: Sequence[int],
        dtype: np.dtype[Any],
    ) -> None:
        self.view = np.frombuffer(content, dtype=dtype, count=content.size // dtype.itemsize)
        places = [
            _place(content, buffer, dtype.itemsize, count)
            for buffer, count in zip(buffers, counts, strict=True)
        ]
        self.starts = np.array(places, dtype=np.int64)

    def take(self, batch_of: NDArray[np.int64], row: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the numbers of some rows, int64 ``[B]``."""
        return self.view[self.starts[batch_of] + row].astype(np.int64)


class _Lists:
    """A column of lists of numbers: their values, and the offsets at which each list begins and ends."""

    def __init__(self, content: pa.Buffer, arrays: Sequence[pa.ListArray], dtype: np.dtype[Any]) -> None:
        counts = [len(array.values) for array in arrays]
        rows = [len(array) + 1 for array in arrays]
        self._counts = np.array(counts, dtype=np.int64)
        self._offsets = _Numbers(content, [array.buffers()[1] for array in arrays], rows, np.dtype(np.int32))
        self.values = _Numbers(content, [array.buffers()[3] for array in arrays], counts, dtype)

    def locate(
        self, batch_of: NDArray[np.int64], row: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Return where in ``values`` the lists begin, their lengths, and whether that can be."""
        start = self._offsets.take(batch_of, row)
        length = self._offsets.take(batch_of, row + 1) - start
        possible = (start >= 0) & (length >= 0) & (start + length <= self._counts[batch_of])
        return self.values.starts[batch_of] + start, length, possible


def _numbers(content: pa.Buffer, arrays: Sequence[pa.Array], dtype: np.dtype[Any]) -> _Numbers:
    return _Numbers(
        content, [array.buffers()[1] for array in arrays], [len(array) for array in arrays], dtype
    )


def _place(content: pa.Buffer, buffer: pa.Buffer | None, itemsize: int, count: int) -> int:
    """Return where in the file a buffer stands, in numbers of its type."""
    if count == 0:
        return 0
    place = buffer.address - content.address if buffer is not None else -1
    if place < 0 or place % itemsize or place + count * itemsize > content.size:
        raise ValueError("a column does not stand in the file as it should (compressed?)")
    return int(place // itemsize)
