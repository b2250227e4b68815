"""Instances become rows with their special tokens, in a shuffled order."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertpipe import randomness
from bertpipe.artifacts import growing_files
from bertpipe.executors import map_ordered
from bertpipe.instances import Masker, MaskingConfig, ShardSet, settings_in_effect
from bertpipe.instances.encoded import ENCODED_FILES, EncodedPart, append
from bertpipe.instances.format import ShardInfo, SpecialIds
from bertpipe.instances.mask_statistics import MaskStatistics
from bertpipe.instances.pairing import INSTANCE
from bertpipe.instances.static import StaticMasks
from bertpipe.instances.writing import assemble, shard_tasks, write_shard

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
    part = EncodedPart(
        ids=IDS,
        sentence_lengths=np.array([len(IDS)]),
        sentence_counts=np.array([1]),
        draws=np.zeros(1, np.uint64),
        sentences=1,
        cut_sentences=0,
        unknown=0,
        replaced=0,
        read_bytes=0,
    )
    with growing_files(folder, ENCODED_FILES) as files:
        append(part, files, tokens=0)
        files.finish_item({})
        files.complete()
    return folder


def write(
    encoded: Path,
    out: Path,
    *,
    rows: int,
    shards: int,
    key: int = 5,
    static: StaticMasks | None = None,
    workers: int = 1,
) -> tuple[ShardSet, MaskStatistics]:
    """Write rows that each hold their own number, as the first token; return them and the masks' counts."""
    index = out.with_suffix(".bin")
    np.array([instance((n, 2), (n + 1, 1), n % 2) for n in range(rows)], dtype=INSTANCE).tofile(index)
    out.mkdir()
    tasks = shard_tasks(rows=rows, tokens=rows * 6, id_bytes=2, shard_size_bytes=-(-rows * 12 // shards))
    task_of = partial(
        write_shard,
        out=out,
        encoded=encoded,
        instances=index,
        info=replace(INFO, masking=static.settings if static else None),
        specials=SPECIALS,
        order_key=key,
        static=static,
    )
    written = list(map_ordered(task_of, tasks, workers=workers))
    assert sum(shard.rows for shard in written) == rows
    return ShardSet.open(out), sum((shard.masks for shard in written), MaskStatistics())


def masks(**settings: Any) -> StaticMasks:
    config = MaskingConfig.model_validate({"mode": "static"} | settings).bounded(max_seq_length=40)
    continues = np.arange(2000) % 3 == 0
    return StaticMasks.of(Masker(config, 2000, 4, tuple(range(5)), continues), seed=1, split="train")


@pytest.mark.parametrize("shards", [1, 3])
def test_all_instances_are_written_once_in_another_order(encoded: Path, tmp_path: Path, shards: int) -> None:
    """The order is that of the key, over all shards together: their number does not matter."""
    written, counts = write(encoded, tmp_path / "train", rows=500, shards=shards)
    rows = written.rows(np.arange(len(written)))
    numbers = rows.input_ids.reshape(500, 6)[:, 1] - 10
    assert sorted(numbers.tolist()) == list(range(500))
    assert numbers.tolist() == randomness.permuted(np.arange(500), size=500, key=5).tolist()
    assert rows.next_sentence_labels.tolist() == (numbers % 2).tolist()
    assert rows.first_segment_lengths.tolist() == [4] * 500
    assert len(list((tmp_path / "train").iterdir())) == shards
    assert counts == MaskStatistics()


@pytest.mark.parametrize("unit", ["token", "whole_word", "span"])
def test_stored_masks_restore_the_rows(unit: str, encoded: Path, tmp_path: Path) -> None:
    """Static shards are the others, with some tokens hidden and their originals stored."""
    plain, _ = write(encoded, tmp_path / "plain", rows=500, shards=2)
    written, counts = write(
        encoded, tmp_path / "static", rows=500, shards=2, static=masks(unit=unit, masked_lm_prob=0.5)
    )
    expected, found = plain.rows(np.arange(500)), written.rows(np.arange(500))
    assert found.labels is not None
    predicted = found.labels != -100
    restored = np.where(predicted, found.labels, found.input_ids)
    assert restored.tolist() == expected.input_ids.tolist()
    assert found.lengths.tolist() == expected.lengths.tolist()
    assert not np.isin(found.labels[predicted], range(5)).any()
    figures = counts.as_json()
    assert (figures["rows"], figures["predictions"]) == (500, predicted.sum())
    assert figures["mask_share"] == pytest.approx((found.input_ids[predicted] == 4).mean(), abs=1e-6)
    assert figures["mask_share"] == pytest.approx(0.8, abs=0.1)
    assert settings_in_effect(MaskingConfig(), written).unit == unit


def test_static_masks_are_the_same_in_any_shards_by_any_workers(encoded: Path, tmp_path: Path) -> None:
    """The number of a row decides, neither the shard nor the process that writes it."""
    static = masks(unit="span", masked_lm_prob=0.5)
    found = [
        write(
            encoded, tmp_path / f"{shards}-{workers}", rows=500, shards=shards, static=static, workers=workers
        )
        for shards, workers in ((1, 1), (5, 1), (5, 2))
    ]
    rows = [written.rows(np.arange(500)) for written, _ in found]
    assert all(np.array_equal(other.input_ids, rows[0].input_ids) for other in rows[1:])
    first, *others = [of_run.labels for of_run in rows]
    assert first is not None and any(first >= 0)
    assert all(labels is not None and np.array_equal(labels, first) for labels in others)
    assert found[0][1] == found[1][1] == found[2][1]
    one, two = (
        [path.read_bytes() for path in sorted((tmp_path / f"5-{workers}").iterdir())] for workers in (1, 2)
    )
    assert one == two


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


def test_static_columns_are_those_of_the_design(encoded: Path, tmp_path: Path) -> None:
    """Positions and originals beside the row, and in the metadata the settings in their order."""
    static = masks(masked_lm_prob=0.9, mask_share=1.0, random_share=0.0, keep_share=0.0)
    write(encoded, tmp_path / "train", rows=1, shards=1, static=static)
    table = pa.ipc.open_file(str(tmp_path / "train" / "shard-00000-of-00001.arrow")).read_all()
    assert {field.name: str(field.type) for field in list(table.schema)[5:]} == {
        "masked_positions": "list<item: uint16>",
        "masked_ids": "list<item: uint16>",
    }
    (found,) = table.to_pylist()
    assert found["input_ids"] == [CLS, 4, 4, SEP, 4, SEP]
    assert found["masked_positions"] == [1, 2, 4]
    assert found["masked_ids"] == [10, 11, 11]
    assert list(table.schema.metadata)[-1] == b"bertpipe.masking"
    assert table.schema.metadata[b"bertpipe.masking"] == (
        b'{"mode":"static","unit":"token","masked_lm_prob":0.9,"max_predictions_per_seq":36,'
        b'"mask_share":1.0,"random_share":0.0,"keep_share":0.0,'
        b'"span_geometric_p":0.2,"span_max_words":10}'
    )


@pytest.mark.parametrize(("megabytes", "count"), [(1, 1), (7, 1), (9, 2), (17, 4), (60, 4), (1000, 16)])
def test_a_larger_split_has_shards_for_several_processes(megabytes: int, count: int) -> None:
    """None is larger than asked for, and small splits are one file; workers are not asked."""
    tasks = shard_tasks(rows=10_000, tokens=megabytes << 19, id_bytes=2, shard_size_bytes=64 << 20)
    assert [task.count for task in tasks] == [count] * count
    assert [task.start for task in tasks] == [0, *(task.end for task in tasks[:-1])]
    assert tasks[-1].end == 10_000
