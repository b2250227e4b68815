"""Instances become rows with their special tokens, in a shuffled order."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe import randomness
from bertpipe.instances import ShardSet
from bertpipe.instances.encoded import EncodedChunk, encoded_files
from bertpipe.instances.format import ShardInfo
from bertpipe.instances.pairing import INSTANCE
from bertpipe.instances.writing import SpecialIds, assemble, shard_tasks, write_shard

CLS, SEP = 1, 2
SPECIALS = SpecialIds(cls_id=CLS, sep_id=SEP)
INFO = ShardInfo(vocab_size=2000, tokenizer_hash="abc", max_seq_length=40, objective="nsp")
IDS = np.arange(10, 1010, dtype=np.uint16)

spans = st.tuples(st.integers(0, 990), st.integers(1, 10))


def instance(first: tuple[int, int], second: tuple[int, int] | None, label: int = 0) -> tuple[int, ...]:
    start, length = second or (0, 0)
    return first[0], start, 3, 4, first[1], length, label


@given(st.lists(st.tuples(spans, st.none() | spans), min_size=1, max_size=20))
def test_rows_are_segments_between_special_tokens(
    segments: list[tuple[tuple[int, int], tuple[int, int] | None]],
) -> None:
    """[CLS] first [SEP] second [SEP], or [CLS] first [SEP] where there is no second."""
    expected = []
    for first, second in segments:
        row = [CLS, *IDS[first[0] : sum(first)].tolist(), SEP]
        expected.append(row if second is None else [*row, *IDS[second[0] : sum(second)].tolist(), SEP])
    instances = np.array([instance(*pair) for pair in segments], dtype=INSTANCE)
    input_ids, lengths = assemble(instances, IDS, specials=SPECIALS)
    assert lengths.tolist() == [len(row) for row in expected]
    assert input_ids.tolist() == [token for row in expected for token in row]


@pytest.fixture
def encoded(tmp_path: Path) -> Path:
    """A corpus of one document with the ids 10, 11, 12, ..."""
    folder = tmp_path / "encoded"
    folder.mkdir()
    one = np.array([len(IDS)])
    with encoded_files(folder) as writer:
        writer.append(EncodedChunk(IDS, one, np.array([1]), np.zeros(1, np.uint64), 1, 0, 0, 0))
    return folder


def write(encoded: Path, out: Path, *, rows: int, shards: int, key: int = 5) -> ShardSet:
    """Write rows that each hold their own number, as the first token."""
    index = out.with_suffix(".bin")
    np.array([instance((n, 2), (n + 1, 1), n % 2) for n in range(rows)], dtype=INSTANCE).tofile(index)
    out.mkdir()
    tasks = shard_tasks(rows=rows, tokens=rows * 6, id_bytes=2, shard_size_bytes=-(-rows * 12 // shards))
    for task in tasks:
        write_shard(
            task, out=out, encoded=encoded, instances=index, info=INFO, specials=SPECIALS, order_key=key
        )
    return ShardSet.open(out)


@pytest.mark.parametrize("shards", [1, 3])
def test_all_instances_are_written_once_in_another_order(encoded: Path, tmp_path: Path, shards: int) -> None:
    """The order is that of the key, over all shards together: their number does not matter."""
    written = write(encoded, tmp_path / "train", rows=500, shards=shards)
    rows = written.rows(np.arange(len(written)))
    numbers = rows.input_ids.reshape(500, 6)[:, 1] - 10
    assert sorted(numbers.tolist()) == list(range(500))
    assert numbers.tolist() == randomness.permuted(np.arange(500), size=500, key=5).tolist()
    assert rows.next_sentence_labels.tolist() == (numbers % 2).tolist()
    assert rows.first_segment_lengths.tolist() == [4] * 500
    assert len(list((tmp_path / "train").iterdir())) == shards


def test_record_batches_are_bounded(encoded: Path, tmp_path: Path) -> None:
    """No batch grows with the shard."""
    write(encoded, tmp_path / "train", rows=900, shards=1)
    rows = 20_000
    index = tmp_path / "many.bin"
    np.array([instance((0, 1), None, -100)] * rows, dtype=INSTANCE).tofile(index)
    (task,) = shard_tasks(rows=rows, tokens=3 * rows, id_bytes=2, shard_size_bytes=2**20)
    out = tmp_path / "validation"
    out.mkdir()
    write_shard(task, out=out, encoded=encoded, instances=index, info=INFO, specials=SPECIALS, order_key=0)
    reader = pa.ipc.open_file(str(out / "shard-00000-of-00001.arrow"))
    sizes = [reader.get_batch(number).num_rows for number in range(reader.num_record_batches)]
    assert max(sizes) == 8192
    assert sum(sizes) == rows


def test_columns_are_those_of_the_design(encoded: Path, tmp_path: Path) -> None:
    """Names, types and nulls as the design's section on formats says."""
    out = tmp_path / "train"
    index = tmp_path / "index.bin"
    np.array([instance((0, 2), (5, 1), 1), instance((7, 3), None, -100)], dtype=INSTANCE).tofile(index)
    out.mkdir()
    (task,) = shard_tasks(rows=2, tokens=11, id_bytes=2, shard_size_bytes=2**20)
    write_shard(task, out=out, encoded=encoded, instances=index, info=INFO, specials=SPECIALS, order_key=0)
    table = pa.ipc.open_file(str(out / "shard-00000-of-00001.arrow")).read_all()
    assert {field.name: str(field.type) for field in table.schema} == {
        "input_ids": "list<item: uint16>",
        "first_segment_length": "uint16",
        "next_sentence_label": "int8",
        "first_document": "uint32",
        "second_document": "uint32",
    }
    assert sorted(table.to_pylist(), key=lambda row: len(row["input_ids"]), reverse=True) == [
        {
            "input_ids": [CLS, 10, 11, SEP, 15, SEP],
            "first_segment_length": 4,
            "next_sentence_label": 1,
            "first_document": 3,
            "second_document": 4,
        },
        {
            "input_ids": [CLS, 17, 18, 19, SEP],
            "first_segment_length": 5,
            "next_sentence_label": -100,
            "first_document": 3,
            "second_document": None,
        },
    ]
    assert table.schema.metadata == {
        b"bertpipe.format": b"1",
        b"bertpipe.vocab_size": b"2000",
        b"bertpipe.tokenizer_hash": b"abc",
        b"bertpipe.max_seq_length": b"40",
        b"bertpipe.objective": b"nsp",
    }
