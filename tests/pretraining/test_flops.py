"""What a token costs depends on the data: their lengths, their masks, and what they ask."""

from collections.abc import Callable

import pytest

from bertpipe.instances import MaskingConfig, ShardSet
from bertpipe.model import ModelShape
from bertpipe.pretraining import BatchMaker
from bertpipe.pretraining.flops import flops_per_token
from bertpipe.vocab import Tokenizer

SHAPE = ModelShape(hidden_size=8, num_hidden_layers=2, num_attention_heads=2, vocab_size=260)


def cost(shards: ShardSet, tokenizer: Tokenizer, *, masked_lm_prob: float) -> float:
    maker = BatchMaker(MaskingConfig(masked_lm_prob=masked_lm_prob), tokenizer, shards.max_seq_length)
    return flops_per_token(SHAPE, shards, maker)


def layers(lengths: list[int], predictions: list[int]) -> int:
    """Return the multiplications of both layers, whose feed-forward size is four times 8.

    Of the last one hidden and first tokens alone go further than keys and values.
    """
    whole = sum(length * 12 * 8 * 8 + 2 * length**2 * 8 for length in lengths)
    pairs = [(length, hidden + 1) for length, hidden in zip(lengths, predictions, strict=True)]
    read = sum(length * 2 * 8 * 8 + read * 10 * 8 * 8 + 2 * length * read * 8 for length, read in pairs)
    return whole + read


def test_shards_counted_by_hand(make_shards: Callable[[str], ShardSet], tokenizer: Tokenizer) -> None:
    """21 rows of known lengths, one token in ten predicted: each product, three passes, two operations."""
    lengths = [1 + 1 + 6 + 2 * (n % 5) + 1 for n in range(21)]
    predictions = [max(1, round(0.1 * length)) for length in lengths]
    expected = 6 * (layers(lengths, predictions) + sum(predictions) * 8 * (8 + 260)) / sum(lengths)
    measured = cost(make_shards("none"), tokenizer, masked_lm_prob=0.1)
    assert measured == pytest.approx(expected, rel=1e-12)


def test_the_next_sentence_costs_its_head(
    make_shards: Callable[[str], ShardSet], tokenizer: Tokenizer
) -> None:
    """21 rows that ask for the next sentence go through pooler and head; each row is three tokens longer."""
    lengths = [1 + 1 + 6 + 2 * (n % 5) + 1 + 3 for n in range(21)]
    predictions = [max(1, round(0.1 * length)) for length in lengths]
    expected = (
        6
        * (layers(lengths, predictions) + sum(predictions) * 8 * (8 + 260) + 21 * 8 * (8 + 2))
        / sum(lengths)
    )
    measured = cost(make_shards("nsp"), tokenizer, masked_lm_prob=0.1)
    assert measured == pytest.approx(expected, rel=1e-12)
