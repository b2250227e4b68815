"""Models with a head of a task."""

import pytest
import torch

from bertpipe.model import ModelShape
from bertpipe.tasks.heads import BUILDERS, Head

SHAPE = ModelShape(hidden_size=8, num_hidden_layers=2, num_attention_heads=2, vocab_size=20)


@pytest.mark.parametrize("architecture", BUILDERS)
def test_a_model_to_be_read_has_the_same_weights_by_name_and_draws_none(architecture: str) -> None:
    """Names, shapes and types are those of a drawn model; torch's generator stays where it was."""
    head = Head(architecture, outputs=3)
    drawn = head.build(SHAPE).state_dict()
    before = torch.get_rng_state()
    empty = head.build_empty(SHAPE)
    assert torch.equal(before, torch.get_rng_state())
    assert {name: (t.shape, t.dtype) for name, t in drawn.items()} == {
        name: (t.shape, t.dtype) for name, t in empty.state_dict().items()
    }
    assert all(parameter.device.type == "cpu" for parameter in empty.parameters())
