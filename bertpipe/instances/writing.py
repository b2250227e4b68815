"""Writes shards: instances in a random order, with their tokens and, where static, their masks."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bertpipe import randomness
from bertpipe.artifacts import make_durable
from bertpipe.instances.encoded import EncodedCorpus
from bertpipe.instances.format import ROWS_A_BATCH, ShardInfo, SpecialIds, schema, shard_name
from bertpipe.instances.mask_statistics import MaskStatistics
from bertpipe.instances.packing import Stream, assemble_blocks
from bertpipe.instances.pairing import INSTANCE
from bertpipe.instances.static import StaticMasks

_SHARDS_AT_LEAST = 4
_WORTH_BYTES = 2**22  # of token ids: less is written before another process has begun


@dataclass(frozen=True)
class ShardTask:
    """Rows ``[start, end)`` of a split, as shard ``number`` out of ``count``."""

    number: int
    count: int
    start: int
    end: int


@dataclass(frozen=True)
class WrittenShard:
    """What a shard holds.

    Attributes:
        rows: number of rows.
        masks: counts of the stored masks, of no rows where none are stored.
    """

    rows: int
    masks: MaskStatistics


def shard_tasks(*, rows: int, tokens: int, id_bytes: int, shard_size_bytes: int) -> list[ShardTask]:
    """Divide the rows of a split evenly over as few shards as the size allows, but for some workers.

    Shards are written side by side, each by one process: of a larger split there are a few at least.
    """
    size = tokens * id_bytes
    count = max(1, -(-size // shard_size_bytes), min(_SHARDS_AT_LEAST, size // _WORTH_BYTES))
    bounds = [rows * number // count for number in range(count + 1)]
    return [ShardTask(number, count, bounds[number], bounds[number + 1]) for number in range(count)]


def write_shard(
    task: ShardTask,
    *,
    out: Path,
    encoded: Path,
    instances: Path,
    info: ShardInfo,
    specials: SpecialIds,
    order_key: int,
    stream: Path | None = None,
    static: StaticMasks | None = None,
) -> WrittenShard:
    """Write one shard, so that it would survive a power cut; return what it holds: what a worker does.

    Row ``i`` of the split is the instance to which a seeded permutation sends ``i``, so the rows
    of all shards are shuffled together, yet each shard is written on its own. Static masks are
    drawn by ``i``, so they do not depend on how the split is divided into shards either.

    Args:
        task: which rows.
        out: folder of the split.
        encoded: folder of the encoded corpus, on the same file system.
        instances: file with all instances of the split, of type ``INSTANCE``.
        info: what the shards of the folder have in common.
        specials: ids around segments.
        order_key: from ``randomness.key``; the order of rows.
        stream: of which the instances are blocks; unset: they are segments.
        static: masks to draw and store; unset: the rows as they are.
    """
    assert info.masking == (static.settings if static else None)
    corpus = EncodedCorpus.open(encoded, vocab_size=info.vocab_size)
    index = np.memmap(instances, dtype=INSTANCE, mode="r")
    columns = schema(info)
    options = pa.ipc.IpcWriteOptions(compression=None)
    masks = MaskStatistics()
    # Under a name of its own first: a process that a killed run has left may be writing the same shard.
    handle, partial = tempfile.mkstemp(dir=encoded, prefix="shard-")
    os.close(handle)
    with pa.OSFile(partial, "wb") as file, pa.ipc.new_file(file, columns, options=options) as writer:
        for start in range(task.start, task.end, ROWS_A_BATCH):
            rows = np.arange(start, min(start + ROWS_A_BATCH, task.end))
            chosen = index[randomness.permuted(rows, size=len(index), key=order_key)]
            input_ids, lengths = (
                assemble(chosen, corpus.ids, specials=specials)
                if stream is None
                else assemble_blocks(chosen, Stream.open(stream), corpus.ids, specials=specials)
            )
            mask_columns: list[pa.Array] = []
            if static is not None:
                stored = static.draw(input_ids, lengths, first_row=start)
                input_ids, masks = stored.input_ids, masks + stored.statistics
                mask_columns = [_lists(stored.positions, stored.counts), _lists(stored.ids, stored.counts)]
            arrays = [*_columns(chosen, input_ids, lengths, is_packed=stream is not None), *mask_columns]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=columns))
    Path(partial).chmod(0o644)
    make_durable(Path(partial))  # here, so that whoever hands out work need not wait for the disk
    Path(partial).replace(out / shard_name(task.number, task.count))
    return WrittenShard(task.end - task.start, masks)


def _columns(
    instances: NDArray[np.void], input_ids: NDArray[Any], lengths: NDArray[np.int64], *, is_packed: bool
) -> list[pa.Array]:
    has_second = instances["second_length"] > 0
    first_segment_length = np.where(has_second, instances["first_length"] + 2, lengths).astype(np.uint16)
    return [
        _lists(input_ids, lengths),
        pa.array(first_segment_length),
        pa.array(np.ascontiguousarray(instances["next_sentence_label"])),
        pa.array(np.ascontiguousarray(instances["first_document"])),
        pa.array(np.ascontiguousarray(instances["second_document"]), mask=~(has_second | is_packed)),
    ]


def _lists(values: NDArray[Any], lengths: NDArray[np.int64]) -> pa.ListArray:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values))


def assemble(
    instances: NDArray[np.void], ids: NDArray[Any], *, specials: SpecialIds
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return ``[CLS] first [SEP] second [SEP]`` of each instance, or ``[CLS] first [SEP]``.

    Args:
        instances: of type ``INSTANCE`` ``[n]``.
        ids: all tokens of the corpus.
        specials: ids around segments.

    Returns:
        The ids of all rows one after another ``[T]``, and the rows' lengths, int64 ``[n]``.
    """
    first = instances["first_length"].astype(np.int64)
    second = instances["second_length"].astype(np.int64)
    lengths = first + second + 2 + (second > 0)
    ends = np.cumsum(lengths)
    starts = ends - lengths
    # [CLS] and the first segment are read from one run of places, what follows from another. At the
    # special tokens such a place may lie outside of ids; they are overwritten below.
    runs = np.stack([first + 1, lengths - first - 1], axis=1)
    offsets = np.stack([instances["first_start"] - 1, instances["second_start"] - first - 2], axis=1)
    places = np.arange(ends[-1]) + np.repeat(offsets - starts[:, None], runs.ravel())
    input_ids = np.take(ids, places, mode="clip")
    input_ids[starts] = specials.cls_id
    input_ids[starts + first + 1] = specials.sep_id
    input_ids[ends - 1] = specials.sep_id
    return input_ids, lengths
