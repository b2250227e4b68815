"""Which rows an update sees and what is hidden in them: functions of the seed and the step."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from bertpipe.errors import ConfigError
from bertpipe.instances import MaskingConfig, ShardSet
from bertpipe.pretraining import BatchMaker, PretrainingBatch, TrainingData, ValidationData
from bertpipe.vocab import Tokenizer

Shards = Callable[[str], ShardSet]
ROWS = 21


def data_of(
    shards: ShardSet, tokenizer: Tokenizer, *, batch_size: int = 4, micro: int | None = None, seed: int = 1
) -> TrainingData:
    maker = BatchMaker(MaskingConfig(), tokenizer, shards.max_seq_length)
    return TrainingData(shards, maker, batch_size, micro or batch_size, seed)


def originals(batch: PretrainingBatch) -> list[list[int]]:
    """Put the hidden tokens back and cut the batch into its rows."""
    ids = batch.tokens.input_ids.clone()
    ids[batch.predicted] = batch.labels
    return [row.tolist() for row in torch.tensor_split(ids, batch.tokens.starts[1:])]


def hidden(batch: PretrainingBatch) -> dict[int, list[int]]:
    """Return the hidden positions of each row, by the row's first token."""
    places = torch.tensor_split(torch.arange(batch.size_tokens), batch.tokens.starts[1:])
    chosen = set(batch.predicted.tolist())
    return {
        row[1]: [position for position, place in enumerate(where.tolist()) if place in chosen]
        for row, where in zip(originals(batch), places, strict=True)
    }


def same(one: PretrainingBatch, other: PretrainingBatch) -> bool:
    assert one.next_sentence_labels is not None and other.next_sentence_labels is not None
    return (
        torch.equal(one.tokens.input_ids, other.tokens.input_ids)
        and torch.equal(one.predicted, other.predicted)
        and torch.equal(one.labels, other.labels)
        and torch.equal(one.next_sentence_labels, other.next_sentence_labels)
    )


@pytest.mark.parametrize("batch_size", [1, 4, 7, 20, 21])
def test_an_epoch_visits_every_row_once(batch_size: int, make_shards: Shards, tokenizer: Tokenizer) -> None:
    """Also where batches cross the end of an epoch: 21 rows in a row are always all rows."""
    data = data_of(make_shards("nsp"), tokenizer, batch_size=batch_size)
    steps = -(-3 * ROWS // batch_size)
    seen = [row[1] for step in range(steps) for batch in data.micro_batches(step) for row in originals(batch)]
    epochs = [seen[ROWS * epoch : ROWS * (epoch + 1)] for epoch in range(3)]
    assert all(sorted(epoch) == list(range(10, 10 + ROWS)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2] and epochs[0] != sorted(epochs[0])


def test_a_step_is_the_same_whenever_it_is_asked_for(make_shards: Shards, tokenizer: Tokenizer) -> None:
    """In any order, again, and from another object; another seed gives other data."""
    shards = make_shards("nsp")
    data = data_of(shards, tokenizer)
    first = {step: data.micro_batches(step)[0] for step in (7, 0, 3)}
    again = data_of(shards, tokenizer)
    assert all(same(again.micro_batches(step)[0], first[step]) for step in (0, 3, 7))
    assert not same(data_of(shards, tokenizer, seed=2).micro_batches(0)[0], first[0])


def test_cutting_a_batch_changes_neither_rows_nor_masks(make_shards: Shards, tokenizer: Tokenizer) -> None:
    """Micro-batches of 3 and 2 rows hold what one batch of 5 holds, in its order."""
    shards = make_shards("nsp")
    for step in (0, 4, 5):  # step 4 crosses the end of the first epoch
        (whole,) = data_of(shards, tokenizer, batch_size=5).micro_batches(step)
        parts = data_of(shards, tokenizer, batch_size=5, micro=3).micro_batches(step)
        assert [part.tokens.sequences for part in parts] == [3, 2]
        assert torch.equal(torch.cat([part.tokens.input_ids for part in parts]), whole.tokens.input_ids)
        assert torch.equal(torch.cat([part.labels for part in parts]), whole.labels)


def test_masks_differ_between_epochs(make_shards: Shards, tokenizer: Tokenizer) -> None:
    """Dynamic masking: few rows hide the same positions twice in a row."""
    data = data_of(make_shards("nsp"), tokenizer, batch_size=ROWS)
    one, two = (hidden(data.micro_batches(epoch)[0]) for epoch in (0, 1))
    assert one.keys() == two.keys()
    assert sum(one[row] == two[row] for row in one) < ROWS / 3


def test_hidden_tokens_are_ordinary_ones(make_shards: Shards, tokenizer: Tokenizer) -> None:
    """Labels are the original tokens, never [CLS] or [SEP], and most of their places hold [MASK]."""
    (batch,) = data_of(make_shards("nsp"), tokenizer, batch_size=ROWS).micro_batches(0)
    assert not np.isin(batch.labels.numpy(), tokenizer.special_ids).any()
    shown = batch.tokens.input_ids[batch.predicted]
    assert (shown == tokenizer.mask_id).float().mean() > 0.5
    for row in originals(batch):
        number = row[1] - 10
        assert row[0] == tokenizer.cls_id and row[-3:] == [100 + number, 150 + number, tokenizer.sep_id]


def test_counts_are_what_the_loss_is_divided_by(make_shards: Shards, tokenizer: Tokenizer) -> None:
    """Predicted tokens and sequences; without a next-sentence objective only the first."""
    (batch,) = data_of(make_shards("nsp"), tokenizer).micro_batches(0)
    assert batch.counts == {"mlm": len(batch.predicted), "nsp": 4}
    assert batch.size_tokens == sum(map(len, originals(batch)))
    assert batch.next_sentence_labels is not None
    assert [row[1] % 2 for row in originals(batch)] == batch.next_sentence_labels.tolist()
    (plain,) = data_of(make_shards("none"), tokenizer).micro_batches(0)
    assert plain.next_sentence_labels is None and plain.counts == {"mlm": len(plain.labels)}
    assert not plain.tokens.token_type_ids.any()


def test_a_batch_larger_than_the_data_is_refused(make_shards: Shards, tokenizer: Tokenizer) -> None:
    """It would hold a row twice; both numbers are told."""
    with pytest.raises(ConfigError, match=r"pretrain\.batch_size = 22 is larger than the data: 21"):
        data_of(make_shards("nsp"), tokenizer, batch_size=22)


@pytest.mark.parametrize(("sequences", "expected"), [(5, 5), (21, 21), (1000, 21)])
def test_validation_is_always_the_same(
    sequences: int, expected: int, make_shards: Shards, tokenizer: Tokenizer
) -> None:
    """The first rows once each, in order, with masks that change with neither pass nor batch size."""
    shards = make_shards("nsp")
    maker = BatchMaker(MaskingConfig(), tokenizer, shards.max_seq_length)
    data = ValidationData(shards, maker, sequences, 4)
    first, second = list(data), list(data)
    assert len(first) == len(second) and all(map(same, first, second))
    assert [row[1] for batch in first for row in originals(batch)] == list(range(10, 10 + expected))
    other = ValidationData(shards, maker, sequences, 3)
    labels = [torch.cat([batch.labels for batch in batches]) for batches in (first, other)]
    assert torch.equal(*labels)
