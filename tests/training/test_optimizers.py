"""The optimizers that BERT is trained with."""

from typing import Any

import pytest
import torch
from torch import nn

from bertpipe.model import ModelShape, PretrainingModel
from bertpipe.training import OptimizerConfig
from bertpipe.training.optimizers import build_optimizer, set_rate

SHAPE = ModelShape(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, vocab_size=20)
KINDS: list[dict[str, Any]] = [
    {"optimizer": name, "bias_correction": corrected}
    for name in ("adamw", "lamb")
    for corrected in (True, False)
]


def seeded_model() -> nn.Module:
    torch.manual_seed(5)
    return PretrainingModel(SHAPE, predicts_next_sentence=True)


def update(model: nn.Module, optimizer: torch.optim.Optimizer, number: int) -> None:
    """Move by gradients that are a function of the number."""
    generator = torch.Generator().manual_seed(number)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    optimizer.step()


@pytest.mark.parametrize("corrected", [True, False])
def test_only_matrices_decay(corrected: bool) -> None:
    """With gradients of zero, matrices and embeddings shrink by rate x decay, norms and biases stay."""
    model = seeded_model()
    config = OptimizerConfig(learning_rate=0.5, weight_decay=0.1, bias_correction=corrected)
    optimizer = build_optimizer(model, config)
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
    optimizer = build_optimizer(model, OptimizerConfig(learning_rate=0.1))
    model.weight.grad = torch.full((1, 1), 1e-6)
    optimizer.step()
    assert model.weight.item() == pytest.approx(2 * (1 - 0.1 * 0.01) - 0.1 * 0.5, rel=1e-6)


def test_two_updates_of_the_original_code_by_hand() -> None:
    """Without correction the first move is rate x (0.1 g / (sqrt(0.001) |g|) + decay x w).

    AdamWeightDecayOptimizer in optimization.py of google-research/bert, worked out by hand for w = 2,
    gradients 3 and -1, rate 0.1, decay 0.01, epsilon 1e-6:
    m = 0.3, v = 0.009, u = 0.3 / 0.0948683298 + 0.02 = 3.1822443, w = 1.6817756;
    m = 0.17, v = 0.009991, u = 0.17 / 0.0999549899 + 0.0168178 = 1.7175663, w = 1.5100189.
    """
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 2.0)
    optimizer = build_optimizer(model, OptimizerConfig(learning_rate=0.1, bias_correction=False))
    found = []
    for gradient in (3.0, -1.0):
        model.weight.grad = torch.full((1, 1), gradient)
        optimizer.step()
        found.append(model.weight.item())
    assert found == pytest.approx([1.6817756, 1.5100189], abs=1e-6)


def test_the_original_code_s_own_test() -> None:
    """A hundred updates at rate 0.2 bring w to x within 0.01 (optimization_test.py, google-research/bert)."""
    target = torch.tensor([0.4, 0.2, -0.5])
    model = nn.Linear(3, 1, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.1, -0.2, -0.1]]))
    config = OptimizerConfig(learning_rate=0.2, weight_decay=0.0, bias_correction=False)
    optimizer = build_optimizer(model, config)
    for _ in range(100):
        optimizer.zero_grad()
        (target - model.weight).square().mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert torch.allclose(model.weight[0], target, rtol=1e-2, atol=1e-2)


def test_with_correction_it_is_torch_s_fused_adamw_to_the_bit() -> None:
    """Ten updates of the defaults equal torch's own over the same two groups."""
    ours, theirs = seeded_model(), seeded_model()
    optimizer = build_optimizer(ours, OptimizerConfig(learning_rate=0.01))
    matrices = [p for p in theirs.parameters() if p.ndim > 1]
    others = [p for p in theirs.parameters() if p.ndim == 1]
    groups = [{"params": matrices, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]
    reference = torch.optim.AdamW(groups, lr=0.01, betas=(0.9, 0.999), eps=1e-6, fused=True)
    for number in range(10):
        update(ours, optimizer, number)
        update(theirs, reference, number)
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("kind", KINDS)
def test_a_parameter_learns_at_its_multiple_of_the_rate(kind: dict[str, Any]) -> None:
    """At a third, all move by a third of what they move by in the first update, decay included."""
    config = OptimizerConfig(learning_rate=0.03, **kind)
    start, scaled, slower = seeded_model(), seeded_model(), seeded_model()
    optimizer = build_optimizer(scaled, config, scale=lambda name: 1 / 3 if "layers" in name else 1.0)
    set_rate(optimizer, 0.03)
    update(scaled, optimizer, 1)
    update(slower, build_optimizer(slower, config.model_copy(update={"learning_rate": 0.01})), 1)
    before, expected = dict(start.named_parameters()), dict(slower.named_parameters())
    for name, parameter in scaled.named_parameters():
        moved, third = parameter - before[name], expected[name] - before[name]
        assert torch.allclose(moved, third if "layers" in name else 3 * third, rtol=1e-4, atol=1e-6), name


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_is_in_one_group(kind: dict[str, Any]) -> None:
    """None is forgotten, and a tied one is not moved twice."""
    model = seeded_model()
    groups = build_optimizer(model, OptimizerConfig(**kind)).param_groups
    assert sorted(id(p) for group in groups for p in group["params"]) == sorted(map(id, model.parameters()))


@pytest.mark.parametrize("kind", KINDS)
def test_the_state_by_parameter_is_all_there_is(kind: dict[str, Any]) -> None:
    """Weights and state tensors taken over by name go on bit for bit as if never stopped."""
    config = OptimizerConfig(learning_rate=0.01, **kind)
    unbroken, stopped, resumed = seeded_model(), seeded_model(), seeded_model()
    optimizers = [build_optimizer(model, config) for model in (unbroken, stopped, resumed)]
    for number in range(6):
        update(unbroken, optimizers[0], number)
    for number in range(3):
        update(stopped, optimizers[1], number)
    resumed.load_state_dict(stopped.state_dict())
    for old, new in zip(stopped.parameters(), resumed.parameters(), strict=True):
        state = optimizers[1].state[old]
        assert set(state) == {"step", "exp_avg", "exp_avg_sq"}
        optimizers[2].state[new].update({key: value.clone() for key, value in state.items()})
    for number in range(3, 6):
        update(resumed, optimizers[2], number)
    for one, other in zip(unbroken.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("kind", KINDS)
def test_a_small_problem_is_learned(kind: dict[str, Any]) -> None:
    """In three hundred updates each brings the error of a sum of four numbers below a twentieth."""
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.LayerNorm(16), nn.Linear(16, 1))
    optimizer = build_optimizer(model, OptimizerConfig(learning_rate=0.02, **kind))
    points = torch.randn(300, 32, 4)
    errors = []
    for batch in points:
        optimizer.zero_grad()
        error = (model(batch)[:, 0] - batch.sum(1)).square().mean()
        error.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        errors.append(error.item())
    assert sum(errors[-20:]) < sum(errors[:20]) / 20
