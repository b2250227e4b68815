"""Useful operations: counted by hand, by torch, and as an independent study counted them."""

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers import BertConfig, BertForPreTraining

from bertpipe.model import ModelShape, PretrainingModel, TokenBatch
from bertpipe.model.flops import training_flops

SMALL = ModelShape(
    hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, vocab_size=50
)


def test_a_model_counted_by_hand() -> None:
    """Two sequences of 3 and 5 tokens, two of the eight predicted, through every product of the model."""
    key_value, query_projection = 8 * (8 * 16), 2 * 8 * (8 * 8)
    feed_forward = 8 * (8 * 24) * 2
    scores_and_sums = 2 * 8 * (3 * 3 + 5 * 5)
    layer = key_value + query_projection + feed_forward + scores_and_sums
    # Of the last one two tokens of the first sequence and two of the second are read, [CLS] among them.
    read = 4
    last = key_value + 2 * read * (8 * 8) + read * (8 * 24) * 2 + 2 * 8 * (2 * 3 + 2 * 5)
    layers = layer + last
    hidden_tokens = 2 * (8 * 8) + 2 * (8 * 50)
    next_sentence = 2 * (8 * 8) + 2 * (8 * 2)
    expected = 3 * 2 * (layers + hidden_tokens + next_sentence)
    assert (
        training_flops(SMALL, np.array([3, 5]), predictions=np.array([1, 1]), sequence_outputs=2) == expected
    )


def test_without_pooler_and_predictions_there_is_the_encoder_alone() -> None:
    """A model without a head that looks at pairs of tokens costs no pooler."""
    lengths, hidden = np.array([4]), np.array([1])
    without = training_flops(SMALL, lengths, predictions=hidden)
    assert training_flops(SMALL, lengths, predictions=hidden, sequence_outputs=2) - without == 6 * (
        8 * 8 + 8 * 2
    )


def test_a_frozen_layer_has_a_forward_pass_alone() -> None:
    """Two of the three passes of one of the two layers are gone, and nothing of what stands above."""
    one_pass = training_flops(SMALL, np.array([4])) // 2 // 3
    all_learn = training_flops(SMALL, np.array([4]), sequence_outputs=2)
    assert (
        training_flops(SMALL, np.array([4]), sequence_outputs=2, frozen_layers=1) == all_learn - 2 * one_pass
    )


def test_torch_counts_the_same_in_another_implementation() -> None:
    """Forward and backward of Hugging Face's BERT, which scores every token, under torch's own counter."""
    config = BertConfig(
        vocab_size=50,
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        attn_implementation="eager",
    )
    model = BertForPreTraining(config)
    ids = torch.zeros(3, 7, dtype=torch.int64)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        given = model(input_ids=ids)
        (given.prediction_logits.sum() + given.seq_relationship_logits.sum()).backward()
    ours = training_flops(SMALL, np.array([7, 7, 7]), predictions=np.array([7, 7, 7]), sequence_outputs=2)
    assert ours == counter.get_total_flops()


def counted_by_torch(lengths: list[int], predicted: list[int]) -> int:
    """Return the operations of our model's forward and backward pass."""
    model = PretrainingModel(SMALL, predicts_next_sentence=True)
    sizes = np.array(lengths)
    ids = np.zeros(sizes.sum(), dtype=np.int64)
    batch = TokenBatch.of(ids, lengths=sizes, first_segment_lengths=np.ones_like(sizes))
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        tokens, following = model(batch, batch.read_at(np.array(predicted)))
        torch.autograd.backward([tokens.sum(), following.sum()])
    return int(counter.get_total_flops())


def test_our_model_does_what_is_useful_and_no_more() -> None:
    """Without padding torch counts just that; padding inside attention is work that is not useful."""
    one_each = np.array([1, 1, 1])
    useful = training_flops(SMALL, np.array([7, 7, 7]), predictions=one_each, sequence_outputs=2)
    assert counted_by_torch([7, 7, 7], [1, 9, 20]) == useful
    useful = training_flops(SMALL, np.array([3, 7, 5]), predictions=one_each, sequence_outputs=2)
    assert useful <= counted_by_torch([3, 7, 5], [1, 9, 12]) < 1.2 * useful
    assert counted_by_torch([3, 7, 5], [1, 9, 12]) < counted_by_torch([3, 7, 5], list(range(15))) / 1.5


def test_a_head_for_each_token_reads_the_whole_last_layer() -> None:
    """Answers for a sequence ask for its first token alone; the rest of the last layer is keys and values."""
    lengths = np.array([7, 7, 7])
    each = training_flops(SMALL, lengths, token_outputs=2)
    one = training_flops(SMALL, lengths, sequence_outputs=2)
    unread = 18 * (2 * 8 * 8 + 2 * 8 * 24) + 2 * 8 * 18 * 7
    assert each - one == 6 * (unread + 21 * 8 * 2 - 3 * (8 * 8 + 8 * 2))


@pytest.mark.parametrize(
    ("layers", "hidden", "heads", "expected"),
    [(4, 256, 4, 27.4e6), (4, 512, 8, 92.6e6), (12, 768, 12, 544e6)],
    ids=["mini", "small", "base"],
)
def test_known_models(layers: int, hidden: int, heads: int, expected: float) -> None:
    """A token of the usual sizes, at a mean length of 109 with 15 % hidden, as counted in an earlier trial.

    That trial took every sequence at the mean length, and the whole last layer, as for scores of every
    token; it left out what is below a percent.
    """
    shape = ModelShape(
        hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads, vocab_size=30522
    )
    lengths = np.full(100, 109)
    hidden_tokens = np.full(100, round(0.15 * 109))
    total = training_flops(shape, lengths, predictions=hidden_tokens, sequence_outputs=2, token_outputs=1)
    assert total / lengths.sum() == pytest.approx(expected, rel=0.01)
