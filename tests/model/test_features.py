"""A BiLSTM on layers of a frozen encoder."""

from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel

from bertpipe.checkpoints.names import from_stored, name_table, to_stored
from bertpipe.model import BidirectionalEncoder, FeatureModel, FeatureShape, Layers, ModelShape, TokenBatch
from bertpipe.model.flops import feature_training_flops

torch.set_num_threads(1)

SIZES: dict[str, Any] = {
    "vocab_size": 30,
    "hidden_size": 8,
    "num_hidden_layers": 5,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 12,
}
SHAPE = ModelShape.model_validate(SIZES)
LENGTHS = (3, 7, 1, 5)
# The outputs that a choice reads, counted from the embeddings; how Hugging Face's hidden_states number them.
READ: dict[Layers, list[int]] = {
    "embeddings": [0],
    "second_to_last": [4],
    "last": [5],
    "weighted_last_four": [2, 3, 4, 5],
    "concat_last_four": [2, 3, 4, 5],
    "weighted_all": [1, 2, 3, 4, 5],
}


def model_of(layers: Layers, *, shape: ModelShape = SHAPE) -> FeatureModel:
    torch.manual_seed(0)
    return FeatureModel(shape, outputs=3, features=FeatureShape(layers=layers, hidden_size=6))


def batch_of(*numbers: int) -> TokenBatch:
    """Return some sequences, each with ids of its own."""
    lengths = np.array([LENGTHS[number] for number in numbers])
    ids = np.concatenate([np.arange(LENGTHS[number]) + 5 * number for number in numbers])
    return TokenBatch.of(ids, lengths=lengths, first_segment_lengths=lengths)


@pytest.mark.parametrize("layers", READ)
def test_layers_are_those_of_hugging_face(layers: Layers) -> None:
    """What the BiLSTM reads is hidden_states of the same encoder: joined, or their mean to begin with."""
    torch.manual_seed(1)
    theirs = BertModel(BertConfig(**SIZES), add_pooling_layer=False).eval()
    ours = model_of(layers)
    table = name_table("BertFeaturesForTokenClassification", num_hidden_layers=5)
    names = {f"bert.{name}": tensor for name, tensor in theirs.state_dict().items()}
    encoder = {name: table[name] for name in ours.state_dict() if name.startswith("encoder.")}
    ours.load_state_dict(ours.state_dict() | from_stored(names, encoder))
    seen: list[torch.Tensor] = []
    ours.lstm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].data))
    batch = batch_of(1)
    with torch.no_grad():
        ours(batch)
        states = theirs(input_ids=batch.input_ids[None], output_hidden_states=True).hidden_states
    read = torch.stack([states[number][0] for number in READ[layers]])
    expected = read.permute(1, 0, 2).flatten(1) if layers == "concat_last_four" else read.mean(0)
    assert torch.allclose(seen[0], expected, rtol=0, atol=1e-5)


def test_the_last_output_is_that_of_the_encoder() -> None:
    """All outputs, one after the other, end in what the encoder gives."""
    torch.manual_seed(0)
    encoder, batch = BidirectionalEncoder(SHAPE).eval(), batch_of(0, 1)
    outputs = list(encoder.outputs(batch))
    assert len(outputs) == 6 and torch.equal(outputs[-1], encoder(batch))


@pytest.mark.parametrize("layers", READ)
def test_a_sequence_is_read_alike_alone_and_among_others(layers: Layers) -> None:
    """No padding reaches the BiLSTM, whose backward direction begins at the sequence's own end."""
    model = model_of(layers).double().eval()
    with torch.no_grad():
        together = model(batch_of(0, 1, 2, 3)).split(LENGTHS)
        alone = [model(batch_of(number)) for number in range(4)]
    for one, other in zip(together, alone, strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-12)


def test_only_what_stands_on_the_encoder_learns() -> None:
    """The encoder has no gradient and no dropout; the others have both."""
    shape = SHAPE.model_copy(update={"hidden_dropout_prob": 0.5, "attention_probs_dropout_prob": 0.5})
    model = model_of("weighted_all", shape=shape).train()
    batch = batch_of(0, 1)
    assert (
        model.training and model.lstm.training and not any(part.training for part in model.encoder.modules())
    )
    assert not torch.equal(model(batch), model(batch))
    assert torch.equal(model.encoder(batch), model.encoder(batch))
    model(batch).square().sum().backward()
    learned = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert learned == {name for name in model.state_dict() if not name.startswith("encoder.")}
    assert "mix.weights" in learned and float(model.mix.weights.grad.abs().max()) > 0  # type: ignore[union-attr]


def test_layers_above_the_chosen_ones_are_not_computed() -> None:
    """Embeddings need no layer at all."""
    model = model_of("embeddings").eval()

    def refuse(*_: Any) -> None:
        raise AssertionError("a layer was computed")

    for layer in model.encoder.layers:
        layer.register_forward_pre_hook(refuse)
    assert model(batch_of(0)).shape == (3, 3)


def test_names_survive_a_round_trip() -> None:
    """Every parameter has a stored name, and comes back from there."""
    table = name_table("BertFeaturesForTokenClassification", num_hidden_layers=5)
    for layers in READ:
        tensors = model_of(layers).state_dict()
        stored = to_stored(tensors, table)
        assert all(name.startswith(("bert.", "features.", "classifier.")) for name in stored)
        back = from_stored(stored, {name: table[name] for name in tensors})
        assert back.keys() == tensors.keys() and all(torch.equal(back[n], tensors[n]) for n in tensors)


def test_features_are_read_in_bfloat16() -> None:
    """The encoder computes in it, the BiLSTM in float32."""
    model = model_of("concat_last_four").eval()
    with torch.no_grad():
        exact = model(batch_of(0, 1))
        with torch.autocast("cpu", torch.bfloat16):
            rounded = model(batch_of(0, 1))
    assert torch.allclose(exact, rounded.float(), rtol=0, atol=0.02)


def test_operations_by_hand() -> None:
    """Four of five layers forward; both passes of 8 gates' worth of products a token, twice, and the head."""
    features = FeatureShape(layers="second_to_last", hidden_size=6)
    lengths = np.array([3, 7])
    layer = 10 * (4 * 8 * 8 + 2 * 8 * 12) + (9 + 49) * 2 * 8
    learned = 10 * (2 * 4 * 6 * (8 + 6) + 2 * 4 * 6 * (12 + 6) + 12 * 3)
    found = feature_training_flops(SHAPE, lengths, features=features, token_outputs=3)
    assert found == 2 * (4 * layer + 3 * learned)
