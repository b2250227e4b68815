"""Which rows an update sees and what is hidden in them: functions of the seed and the step."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from bertpipe.errors import ConfigError
from bertpipe.instances import Masker, MaskingConfig, ShardSet
from bertpipe.instances.format import schema, shard_name
from bertpipe.instances.mask_statistics import sample_masks
from bertpipe.instances.static import StaticMasks
from bertpipe.pretraining import BatchMaker, PretrainingBatch, TrainingData, ValidationData
from bertpipe.training import Cut, World
from bertpipe.vocab import Tokenizer

Shards = Callable[[str], ShardSet]
ROWS = 21


def data_of(shards: ShardSet, tokenizer: Tokenizer, *, batch_size: int = 4, seed: int = 1) -> TrainingData:
    maker = BatchMaker(MaskingConfig(), tokenizer, shards.max_seq_length)
    return TrainingData(shards, maker, batch_size, seed)


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
    """Micro-batches of 2 and 3 rows hold what one batch of 5 holds, in its order."""
    shards = make_shards("nsp")
    for step in (0, 4, 5):  # step 4 crosses the end of the first epoch
        (whole,) = data_of(shards, tokenizer, batch_size=5).micro_batches(step)
        parts = data_of(shards, tokenizer, batch_size=5).micro_batches(step, Cut(micro_batch_size=3))
        assert [part.tokens.sequences for part in parts] == [2, 3]
        assert torch.equal(torch.cat([part.tokens.input_ids for part in parts]), whole.tokens.input_ids)
        assert torch.equal(torch.cat([part.labels for part in parts]), whole.labels)


@pytest.mark.parametrize("processes", [2, 3])
@pytest.mark.parametrize("micro_batch_size", [None, 1])
def test_processes_see_what_one_sees(
    processes: int, micro_batch_size: int | None, make_shards: Shards, tokenizer: Tokenizer
) -> None:
    """Their parts of a training batch, and of the held-out rows, are together the rows and masks of one."""
    data = data_of(make_shards("nsp"), tokenizer, batch_size=5)
    held_out = ValidationData(data.shards, data.maker, 20, 6)
    cuts = [Cut(World(rank, processes), micro_batch_size) for rank in range(processes)]
    parts = [part for cut in cuts for part in data.micro_batches(4, cut)]
    pairs = [(parts, data.micro_batches(4))]
    pairs += [([part for cut in cuts for part in held_out.batches(cut)], list(held_out.batches()))]
    for parts, whole in pairs:
        for of in (lambda batch: batch.tokens.input_ids, lambda batch: batch.labels):
            assert torch.equal(torch.cat([*map(of, parts)]), torch.cat([*map(of, whole)]))
    with pytest.raises(ConfigError, match=r"batch_size = 5 is smaller than the number of processes: 6"):
        data.micro_batches(0, Cut(World(0, 6)))


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
    first, second = list(data.batches()), list(data.batches())
    assert len(first) == len(second) and all(map(same, first, second))
    assert [row[1] for batch in first for row in originals(batch)] == list(range(10, 10 + expected))
    other = ValidationData(shards, maker, sequences, 3)
    labels = [torch.cat([batch.labels for batch in batches]) for batches in (first, other.batches())]
    assert torch.equal(*labels)


@pytest.fixture
def static_shards(make_shards: Shards, tokenizer: Tokenizer, tmp_path: Path) -> ShardSet:
    """The 21 rows, masked once, with half of the tokens hidden."""
    plain = make_shards("nsp")
    rows = plain.rows(np.arange(ROWS))
    config = MaskingConfig(mode="static", masked_lm_prob=0.5)
    masker = Masker.of(config, tokenizer, max_seq_length=plain.max_seq_length)
    masks = StaticMasks.of(masker, seed=3, split="train")
    stored = masks.draw(rows.input_ids.astype(np.uint16), rows.lengths, first_row=0)
    columns = schema(replace(plain.info, masking=masks.settings))
    ends, mask_ends = np.cumsum(rows.lengths)[:-1], np.cumsum(stored.counts)[:-1]
    values = [
        [row.tolist() for row in np.split(stored.input_ids, ends)],
        rows.first_segment_lengths.tolist(),
        rows.next_sentence_labels.tolist(),
        [0] * ROWS,
        [1] * ROWS,
        [row.tolist() for row in np.split(stored.positions, mask_ends)],
        [row.tolist() for row in np.split(stored.ids, mask_ends)],
    ]
    arrays = [pa.array(column, type=field.type) for column, field in zip(values, columns, strict=True)]
    with pa.OSFile(str(tmp_path / shard_name(0, 1)), "wb") as file, pa.ipc.new_file(file, columns) as out:
        out.write_batch(pa.RecordBatch.from_arrays(arrays, schema=columns))
    return ShardSet.open(tmp_path)


def test_stored_masks_are_used_as_they_are(
    static_shards: ShardSet, make_shards: Shards, tokenizer: Tokenizer
) -> None:
    """Static masking: the same positions in every epoch, whatever the seed; the originals come back."""
    data = data_of(static_shards, tokenizer, batch_size=ROWS)
    one, two = (hidden(data.micro_batches(epoch)[0]) for epoch in (0, 1))
    assert (
        one == two == hidden(data_of(static_shards, tokenizer, batch_size=ROWS, seed=2).micro_batches(0)[0])
    )
    assert sum(map(len, one.values())) > ROWS * 3
    plain = data_of(make_shards("nsp"), tokenizer, batch_size=ROWS).micro_batches(0)[0]
    assert originals(data.micro_batches(0)[0]) == originals(plain)


def test_settings_that_the_shards_contradict_are_refused(
    static_shards: ShardSet, make_shards: Shards, tokenizer: Tokenizer
) -> None:
    """In training and in validation data, before the first batch."""
    other = BatchMaker(MaskingConfig(masked_lm_prob=0.15), tokenizer, 24)
    with pytest.raises(ConfigError, match=r"masked_lm_prob = 0\.15, but .* was masked with 0\.5"):
        TrainingData(static_shards, other, 4, 1)
    with pytest.raises(ConfigError, match=r"masked_lm_prob = 0\.15, but .* was masked with 0\.5"):
        ValidationData(static_shards, other, 4, 4)
    static = BatchMaker(MaskingConfig(mode="static"), tokenizer, 24)
    with pytest.raises(ConfigError, match="without masks"):
        TrainingData(make_shards("nsp"), static, 4, 1)
    assert len(list(ValidationData(static_shards, static, 4, 4).batches())) == 1


def test_sampled_masks_are_those_of_the_first_epoch(make_shards: Shards, tokenizer: Tokenizer) -> None:
    """The statistics count what training with that seed will see first."""
    shards = make_shards("nsp")
    masker = Masker.of(MaskingConfig(), tokenizer, max_seq_length=shards.max_seq_length)
    for rows in (8, ROWS, 1000):
        batches = data_of(shards, tokenizer, batch_size=min(rows, ROWS), seed=4).micro_batches(0)
        shown = torch.cat([batch.tokens.input_ids[batch.predicted] for batch in batches])
        counts = sample_masks(shards, masker, seed=4, rows=rows)
        assert counts.rows == min(rows, ROWS)
        assert counts.predictions == len(shown)
        assert counts.masked == int((shown == tokenizer.mask_id).sum())
        assert counts.kept == int((shown == torch.cat([batch.labels for batch in batches])).sum())


def test_whole_words_are_hidden_in_batches(make_shards: Shards, tokenizer: Tokenizer) -> None:
    """The unit comes from the settings; with a token a word it hides as many tokens as are asked for."""
    shards = make_shards("nsp")
    for unit in ("whole_word", "span"):
        maker = BatchMaker(MaskingConfig.model_validate({"unit": unit}), tokenizer, shards.max_seq_length)
        (batch,) = TrainingData(shards, maker, ROWS, 1).micro_batches(0)
        (tokens,) = data_of(shards, tokenizer, batch_size=ROWS).micro_batches(0)
        assert len(batch.labels) == len(tokens.labels)
        assert not np.isin(batch.labels.numpy(), tokenizer.special_ids).any()
