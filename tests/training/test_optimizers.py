"""AdamW as BERT uses it."""

import pytest
import torch
from torch import nn

from bertpipe.model import ModelShape, PretrainingModel
from bertpipe.training import OptimizerConfig
from bertpipe.training.optimizers import adamw

SHAPE = ModelShape(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, vocab_size=20)


def test_only_matrices_decay() -> None:
    """With gradients of zero, matrices and embeddings shrink by rate x decay, norms and biases stay."""
    model = PretrainingModel(SHAPE, predicts_next_sentence=True)
    optimizer = adamw(model, OptimizerConfig(learning_rate=0.5, weight_decay=0.1))
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in model.named_parameters():
        kept = name.endswith("bias") or "norm" in name
        assert torch.allclose(parameter, before[name] * (1 if kept else 0.95), rtol=1e-6, atol=0), name


def test_one_update_by_hand() -> None:
    """The first step moves by rate x g / (|g| + eps), after decay by rate x 0.01.

    Kingma & Ba 2015, algorithm 1 at t = 1: the corrected moments are g and g squared. Epsilon is
    1e-6, as in optimization.py of the original code.
    """
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 2.0)
    optimizer = adamw(model, OptimizerConfig(learning_rate=0.1))
    model.weight.grad = torch.full((1, 1), 1e-6)
    optimizer.step()
    assert model.weight.item() == pytest.approx(2 * (1 - 0.1 * 0.01) - 0.1 * 0.5, rel=1e-6)


def test_every_weight_is_in_one_group() -> None:
    """None is forgotten, and a tied one is not moved twice."""
    model = PretrainingModel(SHAPE, predicts_next_sentence=True)
    groups = adamw(model, OptimizerConfig()).param_groups
    assert sorted(id(p) for group in groups for p in group["params"]) == sorted(map(id, model.parameters()))
