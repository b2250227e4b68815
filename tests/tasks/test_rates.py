"""How fast each part learns, and what does not."""

import numpy as np
import pytest
import torch

from bertpipe.errors import ConfigError
from bertpipe.model import ModelShape, SequenceModel, TokenBatch
from bertpipe.tasks import FinetuneConfig
from bertpipe.tasks.rates import freeze
from bertpipe.training import build_optimizer

torch.set_num_threads(1)

SHAPE = ModelShape(hidden_size=8, num_hidden_layers=3, num_attention_heads=2, vocab_size=20)
BATCH = TokenBatch.of(np.arange(6), lengths=np.array([4, 2]), first_segment_lengths=np.array([4, 2]))


def model() -> SequenceModel:
    torch.manual_seed(0)
    return SequenceModel(SHAPE, outputs=2)


def rates_of(config: FinetuneConfig, new: tuple[str, ...] = ("head.",)) -> dict[str, float]:
    """Return the rate of each parameter that learns at the peak, by its name."""
    network = model()
    plan = config.plan(steps_an_epoch=1, layers=3, new=new)
    optimizer = build_optimizer(network, config, scale=plan.scale)
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    return {name: rates[id(p)] for name, p in network.named_parameters() if id(p) in rates}


def test_unset_settings_are_one_rate_in_two_groups() -> None:
    """What decays and what does not, as before there were such settings."""
    config = FinetuneConfig()
    assert set(rates_of(config).values()) == {5e-5}
    plan = config.plan(steps_an_epoch=1, layers=3, new=("head.",))
    groups = build_optimizer(model(), config, scale=plan.scale).param_groups
    assert [group["weight_decay"] for group in groups] == [0.01, 0.0]


def test_each_layer_has_its_share_of_the_rate_above() -> None:
    """By hand, for three layers and a decay of a half: 1/2, 1/4, 1/8, and 1/16 for the embeddings."""
    rates = rates_of(FinetuneConfig(learning_rate=0.016, layer_decay=0.5))
    expected = {"head.": 16, "pooler.": 16, "encoder.layers.2.": 8, "encoder.layers.1.": 4}
    expected |= {"encoder.layers.0.": 2, "encoder.embeddings.": 1}
    for name, rate in rates.items():
        (share,) = (share for prefix, share in expected.items() if name.startswith(prefix))
        assert rate == pytest.approx(share / 1000), name


def test_new_parts_have_the_rate_of_the_head() -> None:
    """A pooler that came with the model has the encoder's."""
    config = FinetuneConfig(learning_rate=1e-5, head_learning_rate=1e-3)
    came, is_new = rates_of(config), rates_of(config, new=("head.", "pooler."))
    assert came["head.dense.weight"] == pytest.approx(1e-3) and came["pooler.dense.weight"] == 1e-5
    assert is_new["head.dense.bias"] == is_new["pooler.dense.weight"] == pytest.approx(1e-3)
    assert is_new["encoder.layers.2.output.weight"] == 1e-5


@pytest.mark.parametrize("layers", [0, 1, 3])
def test_frozen_layers_have_neither_gradients_nor_a_place_in_the_optimizer(layers: int) -> None:
    """The embeddings with them; nothing where none is frozen; pooler and head always learn."""
    network = model()
    freeze(network, layers=layers, of=3)
    network(BATCH).sum().backward()
    frozen = tuple(f"encoder.layers.{number}." for number in range(layers))
    frozen += ("encoder.embeddings.",) if layers else ()
    learning = {
        id(p) for group in build_optimizer(network, FinetuneConfig()).param_groups for p in group["params"]
    }
    for name, parameter in network.named_parameters():
        learns = not name.startswith(frozen) if frozen else True
        assert (parameter.grad is not None) == learns == (id(parameter) in learning), name


def test_below_what_learns_no_activations_are_kept() -> None:
    """What leaves the frozen layers has no graph behind it: there is nothing to go back through."""
    network = model()
    freeze(network, layers=2, of=3)
    seen: list[bool] = []
    for layer in network.encoder.layers:
        layer.register_forward_hook(lambda layer, given, hidden: seen.append(hidden.requires_grad))
    network(BATCH)
    assert seen == [False, False, True]


def test_more_layers_than_there_are_cannot_be_frozen() -> None:
    """One line with both numbers."""
    with pytest.raises(ConfigError, match="frozen_layers = 4, but the model has 3 layers"):
        freeze(model(), layers=4, of=3)
