"""The unigram entropy of shards."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy as reference

from bertpipe.instances import ShardSet
from bertpipe.instances.format import schema, shard_name
from bertpipe.pretraining.entropy import entropy_of, unigram_entropy
from bertpipe.vocab import Tokenizer

Shards = Callable[[str], ShardSet]


@given(st.lists(st.integers(0, 10**6), min_size=1).filter(any))
def test_the_entropy_is_that_of_scipy(counts: list[int]) -> None:
    """In nats, for any counts (scipy.stats.entropy)."""
    assert entropy_of(np.array(counts)) == pytest.approx(float(reference(counts)), rel=1e-9, abs=1e-12)


def test_the_entropy_of_nothing_and_of_one_token_is_zero() -> None:
    """And not NaN, nor minus zero."""
    for counts in ([0, 0], [7], [0, 5, 0]):
        found = entropy_of(np.array(counts))
        assert found == 0 and math.copysign(1, found) == 1


def test_special_tokens_are_not_counted(make_shards: Shards, tokenizer: Tokenizer) -> None:
    """All rows by hand: the tokens between [CLS] and [SEP]."""
    shards = make_shards("nsp")
    ids = shards.rows(np.arange(len(shards))).input_ids
    counts = np.bincount(ids[~np.isin(ids, tokenizer.special_ids)])
    found = unigram_entropy(shards, special_ids=tokenizer.special_ids)
    assert found == pytest.approx(float(reference(counts)), rel=1e-12)


def test_a_sample_is_spread_over_all_rows_and_always_the_same(
    make_shards: Shards, tokenizer: Tokenizer
) -> None:
    """Three of 21 rows: the first, the eighth and the fifteenth."""
    shards = make_shards("nsp")
    found = unigram_entropy(shards, special_ids=tokenizer.special_ids, rows=3)
    ids = shards.rows(np.array([0, 7, 14])).input_ids
    counts = np.bincount(ids[~np.isin(ids, tokenizer.special_ids)])
    assert found == pytest.approx(float(reference(counts)), rel=1e-12)
    assert found == unigram_entropy(shards, special_ids=tokenizer.special_ids, rows=3)


def test_stored_masks_are_undone_first(make_shards: Shards, tokenizer: Tokenizer, tmp_path: Path) -> None:
    """With static masks the shards hold [MASK]; what counts is what stood there."""
    plain = make_shards("nsp")
    rows = plain.rows(np.arange(4))
    starts = np.cumsum(rows.lengths) - rows.lengths
    masked = rows.input_ids.copy()
    masked[starts + 1] = tokenizer.mask_id
    info = replace(plain.info, masking="{}")
    values = [
        [part.tolist() for part in np.split(masked, starts[1:])],
        rows.first_segment_lengths.tolist(),
        rows.next_sentence_labels.tolist(),
        [0] * 4,
        [1] * 4,
        [[1]] * 4,
        [[int(rows.input_ids[start + 1])] for start in starts],
    ]
    columns = schema(info)
    arrays = [pa.array(column, type=field.type) for column, field in zip(values, columns, strict=True)]
    with pa.OSFile(str(tmp_path / shard_name(0, 1)), "wb") as file, pa.ipc.new_file(file, columns) as out:
        out.write_batch(pa.RecordBatch.from_arrays(arrays, schema=columns))
    ids = rows.input_ids
    expected = float(reference(np.bincount(ids[~np.isin(ids, tokenizer.special_ids)])))
    found = unigram_entropy(ShardSet.open(tmp_path), special_ids=tokenizer.special_ids)
    assert found == pytest.approx(expected, rel=1e-12)
