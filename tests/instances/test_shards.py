"""Shards are read as they were written, in any order, and damage does not pass."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bertpipe.errors import ArtifactError
from bertpipe.instances import ShardSet
from bertpipe.instances.format import ShardInfo, schema, shard_name

INFO = ShardInfo(vocab_size=100, tokenizer_hash="abc", max_seq_length=16, objective="nsp")
WIDE = ShardInfo(vocab_size=70_000, tokenizer_hash="abc", max_seq_length=16, objective="nsp")

STATIC = replace(INFO, masking='{"mode":"static"}')

# ids, first segment length, label
Row = tuple[list[int], int, int]
# positions, original ids
Masks = tuple[list[int], list[int]]


def row(start: int, length: int, label: int = 0) -> Row:
    return [(start + position) % 100 for position in range(length)], max(1, length // 2), label


def masks_of(row: Row, number: int) -> Masks:
    """Return every third place of a row, from another one in each, with ids that the row has not."""
    positions = list(range(1 + number % 4, len(row[0]) - 1, 3))
    return positions, [(row[0][position] + 50) % 100 for position in positions]


ROWS = [row(7 * number, 3 + number % 14, (0, 1, -100)[number % 3]) for number in range(40)]
MASKS = [masks_of(row, number) for number, row in enumerate(ROWS)]


def batch(rows: Sequence[Row], info: ShardInfo, masks: Sequence[Masks] = ()) -> pa.RecordBatch:
    documents = list(range(len(rows)))
    columns: list[list[Any]] = [[r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows]]
    columns += [documents, documents]
    if info.masking is not None:
        columns += [[m[0] for m in masks], [m[1] for m in masks]]
    arrays = [pa.array(column, type=field.type) for column, field in zip(columns, schema(info), strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema(info))


def write(
    path: Path,
    batches: Sequence[Sequence[Row]],
    info: ShardInfo = INFO,
    compression: str | None = None,
    masks: Sequence[Sequence[Masks]] | None = None,
) -> None:
    """Write a shard with pyarrow alone."""
    path.parent.mkdir(exist_ok=True)
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema(info), options=options) as out:
        for rows, of_rows in zip(batches, masks or [()] * len(batches), strict=True):
            out.write_batch(batch(rows, info, of_rows))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shards of several batches, an empty one among them."""
    path = tmp_path_factory.mktemp("shards")
    write(path / shard_name(0, 2), [ROWS[:7], ROWS[7:8], [], ROWS[8:25]])
    write(path / shard_name(1, 2), [ROWS[25:]])
    return path


@pytest.fixture(scope="module")
def static_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same rows, with masks."""
    path = tmp_path_factory.mktemp("static")
    first, second = [slice(7), slice(7, 8), slice(8, 8), slice(8, 25)], [slice(25, None)]
    for number, parts in enumerate((first, second)):
        batches, masks = [ROWS[part] for part in parts], [MASKS[part] for part in parts]
        write(path / shard_name(number, 2), batches, STATIC, masks=masks)
    return path


def read(shards: ShardSet, indices: Sequence[int]) -> list[Row]:
    rows = shards.rows(np.array(indices, dtype=np.int64))
    ends = np.cumsum(rows.lengths)
    assert len(rows.input_ids) == rows.lengths.sum()
    return [
        (rows.input_ids[end - length : end].tolist(), int(first), int(label))
        for end, length, first, label in zip(
            ends, rows.lengths, rows.first_segment_lengths, rows.next_sentence_labels, strict=True
        )
    ]


@given(indices=st.lists(st.integers(0, len(ROWS) - 1), max_size=30))
def test_any_rows_in_any_order(folder: Path, indices: list[int]) -> None:
    """Reading gives what was written, across batches and shards, also the same row twice."""
    assert read(ShardSet.open(folder), indices) == [ROWS[index] for index in indices]


@given(indices=st.lists(st.integers(0, len(ROWS) - 1), max_size=30))
def test_stored_masks_in_any_order(static_folder: Path, indices: list[int]) -> None:
    """The original ids stand where they were stored, -100 everywhere else."""
    shards = ShardSet.open(static_folder)
    assert read(shards, indices) == [ROWS[index] for index in indices]
    expected = []
    for index in indices:
        stored = dict(zip(*MASKS[index], strict=True))
        expected += [stored.get(position, -100) for position in range(len(ROWS[index][0]))]
    labels = shards.rows(np.array(indices, dtype=np.int64)).labels
    assert labels is not None and labels.tolist() == expected


def test_rows_without_masks_have_no_labels(folder: Path) -> None:
    """What is to be predicted is decided later."""
    shards = ShardSet.open(folder)
    assert shards.info.masking is None and shards.rows(np.arange(5)).labels is None


def test_rows_are_numbered_through_all_shards(folder: Path) -> None:
    """The set is one sequence, with what its schema says."""
    shards = ShardSet.open(folder)
    assert len(shards) == len(ROWS)
    assert (shards.vocab_size, shards.tokenizer_hash) == (100, "abc")
    assert (shards.max_seq_length, shards.objective) == (16, "nsp")
    rows = shards.rows(np.arange(len(ROWS)))
    assert {rows.input_ids.dtype, rows.lengths.dtype, rows.next_sentence_labels.dtype} == {np.dtype(np.int64)}


def test_large_vocabularies_are_read_as_written(tmp_path: Path) -> None:
    """Ids above 65,535 take four bytes."""
    rows: list[Row] = [([69_999, 1, 65_536], 2, 1), ([5, 6], 1, 0)]
    write(tmp_path / shard_name(0, 1), [rows], WIDE)
    assert read(ShardSet.open(tmp_path), [1, 0]) == [rows[1], rows[0]]


def test_a_missing_shard_is_named(folder: Path, tmp_path: Path) -> None:
    """Half of the data would be another training."""
    (tmp_path / shard_name(0, 2)).write_bytes((folder / shard_name(0, 2)).read_bytes())
    with pytest.raises(ArtifactError, match=rf"{shard_name(1, 2)} is missing"):
        ShardSet.open(tmp_path)


def test_left_over_shards_are_named(folder: Path, tmp_path: Path) -> None:
    """Shards of two runs do not make one set."""
    write(tmp_path / shard_name(0, 1), [ROWS])
    write(tmp_path / shard_name(0, 2), [ROWS])
    with pytest.raises(ArtifactError, match=shard_name(0, 2)):
        ShardSet.open(tmp_path)


@pytest.mark.parametrize("make", [False, True])
def test_no_shards_at_all(tmp_path: Path, make: bool) -> None:
    """A folder that is missing or empty is told by its name."""
    path = tmp_path / "train"
    if make:
        path.mkdir()
    with pytest.raises(ArtifactError, match="train"):
        ShardSet.open(path)


def test_shards_of_different_tokenizers_do_not_mix(tmp_path: Path) -> None:
    """All shards of a folder agree, or the odd one is named."""
    write(tmp_path / shard_name(0, 2), [ROWS])
    write(tmp_path / shard_name(1, 2), [ROWS], ShardInfo(100, "other", 16, "nsp"))
    with pytest.raises(ArtifactError, match=shard_name(1, 2)):
        ShardSet.open(tmp_path)


def test_foreign_arrow_files_are_refused(tmp_path: Path) -> None:
    """An Arrow file of something else is no shard, nor is one of another format."""
    path = tmp_path / shard_name(0, 1)
    table = pa.table({"text": ["a", "b"]})
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as out:
        out.write_table(table)
    with pytest.raises(ArtifactError, match="no metadata of bertpipe"):
        ShardSet.open(tmp_path)
    later = schema(INFO).with_metadata({**schema(INFO).metadata, b"bertpipe.format": b"9"})
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, later):
        pass
    with pytest.raises(ArtifactError, match="format 9"):
        ShardSet.open(tmp_path)


def test_compressed_shards_are_refused(tmp_path: Path) -> None:
    """They cannot be mapped."""
    write(tmp_path / shard_name(0, 1), [ROWS * 50], compression="lz4")
    with pytest.raises(ArtifactError, match="compressed"):
        ShardSet.open(tmp_path)


@given(share=st.floats(0, 0.999))
def test_a_cut_shard_is_named(folder: Path, tmp_path_factory: pytest.TempPathFactory, share: float) -> None:
    """Wherever a file was cut off, opening it says so."""
    whole = (folder / shard_name(0, 2)).read_bytes()
    path = tmp_path_factory.mktemp("cut") / shard_name(0, 1)
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ArtifactError, match=r"shard-00000-of-00001\.arrow"):
        ShardSet.open(path.parent)


def test_ids_outside_the_vocabulary_do_not_pass(tmp_path: Path) -> None:
    """They would be an index error, or garbage, in the model."""
    write(tmp_path / shard_name(0, 1), [[([5, 6], 1, 0), ([5, 100], 1, 0)]])
    shards = ShardSet.open(tmp_path)
    assert read(shards, [0]) == [([5, 6], 1, 0)]
    with pytest.raises(ArtifactError, match=r"shard-00000-of-00001\.arrow is damaged: token id 100"):
        read(shards, [1])


@pytest.mark.parametrize(
    "impossible", [(list(range(17)), 3, 0), ([1, 2, 3], 4, 0), ([1, 2, 3], 0, 0), ([1, 2, 3], 1, 7)]
)
def test_impossible_rows_do_not_pass(tmp_path: Path, impossible: Row) -> None:
    """Too long, a first segment longer than the row or of nothing, a label that there is not."""
    write(tmp_path / shard_name(0, 1), [[ROWS[0], impossible]])
    with pytest.raises(ArtifactError, match="row 1 is impossible"):
        read(ShardSet.open(tmp_path), [0, 1])


@pytest.mark.parametrize(
    "impossible",
    [([0], [1]), ([4], [1]), ([5], [1]), ([2, 1], [7, 8]), ([2, 2], [7, 8]), ([1, 2], [7]), ([1], [7, 8])],
)
def test_impossible_masks_do_not_pass(tmp_path: Path, impossible: Masks) -> None:
    """On the first or last token, which are special, beyond the row, twice, or without an original."""
    rows: list[Row] = [([1, 2, 3], 1, 0), ([1, 2, 3, 4, 5], 2, 0)]
    write(tmp_path / shard_name(0, 1), [rows], STATIC, masks=[[([1], [9]), impossible]])
    shards = ShardSet.open(tmp_path)
    assert read(shards, [0]) == rows[:1]
    with pytest.raises(ArtifactError, match=r"shard-00000-of-00001\.arrow is damaged: the masks of row 1"):
        read(shards, [0, 1])


def test_stored_ids_outside_the_vocabulary_do_not_pass(tmp_path: Path) -> None:
    """The loss of such a label would be an index error, or garbage."""
    write(tmp_path / shard_name(0, 1), [[([1, 2, 3], 1, 0)]], STATIC, masks=[[([1], [100])]])
    with pytest.raises(ArtifactError, match=r"shard-00000-of-00001\.arrow is damaged: token id 100"):
        read(ShardSet.open(tmp_path), [0])


def test_masks_of_different_settings_do_not_mix(tmp_path: Path) -> None:
    """A shard that was masked otherwise, or not at all, is named."""
    write(tmp_path / shard_name(0, 2), [ROWS], STATIC, masks=[MASKS])
    for other in (INFO, replace(STATIC, masking='{"mode":"static","masked_lm_prob":0.3}')):
        write(tmp_path / shard_name(1, 2), [ROWS], other, masks=[MASKS])
        with pytest.raises(ArtifactError, match=shard_name(1, 2)):
            ShardSet.open(tmp_path)


def test_masks_that_the_schema_does_not_tell_of_are_refused(tmp_path: Path) -> None:
    """A shard that says it holds masks has the columns, and the other way round."""
    path = tmp_path / shard_name(0, 1)
    for columns, metadata in ((INFO, STATIC), (STATIC, INFO)):
        odd = schema(columns).with_metadata(schema(metadata).metadata)
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, odd):
            pass
        with pytest.raises(ArtifactError, match="its columns are not those of a shard"):
            ShardSet.open(tmp_path)


def test_a_set_without_rows_is_read(tmp_path: Path) -> None:
    """A file may hold no record batch at all."""
    write(tmp_path / shard_name(0, 1), [])
    assert len(ShardSet.open(tmp_path)) == 0


@pytest.mark.parametrize("source", ["folder", "static_folder"])
@given(place=st.integers(0, 10**9), value=st.integers(0, 255))
@example(place=6417, value=128)  # a length below zero
def test_a_flipped_byte_gives_valid_rows_or_an_error(
    request: pytest.FixtureRequest,
    source: str,
    tmp_path_factory: pytest.TempPathFactory,
    place: int,
    value: int,
) -> None:
    """Whatever stands in a file, no id outside the vocabulary and no other exception comes out."""
    folder: Path = request.getfixturevalue(source)
    content = bytearray((folder / shard_name(0, 2)).read_bytes())
    content[place % len(content)] = value
    path = tmp_path_factory.mktemp("flipped") / shard_name(0, 1)
    path.write_bytes(content)
    try:
        shards = ShardSet.open(path.parent)
        rows = shards.rows(np.arange(len(shards)))
    except ArtifactError as error:
        assert path.name in error.message
    else:
        assert rows.input_ids.max(initial=0) < shards.vocab_size
        assert rows.lengths.max(initial=0) <= shards.max_seq_length
        assert rows.labels is None or -100 <= rows.labels.min(initial=0) <= rows.labels.max(initial=0) < 100
