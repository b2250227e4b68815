"""LAMB, and AdamW as a case of it."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from bertpipe.training import OptimizerConfig
from bertpipe.training.lamb import Lamb
from bertpipe.training.optimizers import build_optimizer

RATE, BETAS, EPSILON, DECAY = 0.05, (0.9, 0.999), 1e-6, 0.1


def lamb(parameters: list[nn.Parameter], *, trust_ratio: bool, bias_correction: bool = True) -> Lamb:
    group = {"params": parameters, "weight_decay": DECAY, "trust_ratio": trust_ratio}
    return Lamb([group], lr=RATE, betas=BETAS, eps=EPSILON, bias_correction=bias_correction)


def test_one_update_by_hand() -> None:
    """A tensor moves by rate x |w| / |u| x u.

    You et al. 2020, algorithm 2 at t = 1, worked out by hand for w = (3, 4), g = (2, -5), decay 0.1
    and no epsilon to speak of: r = (1, -1), u = r + 0.1 w = (1.3, -0.6), |u| = sqrt(2.05),
    |w| / |u| = 5 / 1.43178 = 3.49215, so at rate 0.01 w = (3 - 0.0453980, 4 + 0.0209529).
    """
    model = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[3.0, 4.0]]))
    config = OptimizerConfig(optimizer="lamb", learning_rate=0.01, weight_decay=0.1, adam_epsilon=1e-12)
    optimizer = build_optimizer(model, config)
    model.weight.grad = torch.tensor([[2.0, -5.0]])
    optimizer.step()
    assert model.weight[0].tolist() == pytest.approx([2.9546020, 4.0209529], abs=1e-6)


def by_formula(
    weights: list[float], gradients: list[list[float]], *, trust_ratio: bool, bias_correction: bool
) -> list[float]:
    """Return the weights after some updates: algorithm 2 number by number, in float64."""
    (beta1, beta2), means, squares = BETAS, [0.0] * len(weights), [0.0] * len(weights)
    for t, gradient in enumerate(gradients, start=1):
        means = [beta1 * m + (1 - beta1) * g for m, g in zip(means, gradient, strict=True)]
        squares = [beta2 * v + (1 - beta2) * g * g for v, g in zip(squares, gradient, strict=True)]
        c1, c2 = (1 - beta1**t, 1 - beta2**t) if bias_correction else (1.0, 1.0)
        moves = [
            (m / c1) / (math.sqrt(v / c2) + EPSILON) + DECAY * w
            for m, v, w in zip(means, squares, weights, strict=True)
        ]
        size, length = math.hypot(*weights), math.hypot(*moves)
        ratio = size / length if trust_ratio and size and length else 1.0
        weights = [w - RATE * ratio * move for w, move in zip(weights, moves, strict=True)]
    return weights


numbers = st.floats(-10, 10, width=32).map(lambda x: round(x, 3))


@given(
    st.integers(1, 5).flatmap(
        lambda n: st.tuples(
            st.lists(numbers, min_size=n, max_size=n),
            st.lists(st.lists(numbers, min_size=n, max_size=n), min_size=1, max_size=4),
        )
    ),
    st.booleans(),
    st.booleans(),
)
def test_updates_follow_the_formula(
    case: tuple[list[float], list[list[float]]], trust_ratio: bool, bias_correction: bool
) -> None:
    """Any weights and gradients, zeros among them, with and without ratio and correction."""
    weights, gradients = case
    parameter = nn.Parameter(torch.tensor(weights, dtype=torch.float64))
    optimizer = lamb([parameter], trust_ratio=trust_ratio, bias_correction=bias_correction)
    for gradient in gradients:
        parameter.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
    expected = by_formula(weights, gradients, trust_ratio=trust_ratio, bias_correction=bias_correction)
    assert parameter.tolist() == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_each_tensor_has_a_ratio_of_its_own() -> None:
    """Moving two tensors together or apart gives the same, though their sizes differ a thousandfold."""
    torch.manual_seed(0)
    shapes = [(3, 2), (2, 4)]
    start = [torch.randn(shape) * scale for shape, scale in zip(shapes, (1.0, 1000.0), strict=True)]
    gradients = [torch.randn(shape) for shape in shapes]
    together = [nn.Parameter(tensor.clone()) for tensor in start]
    apart = [nn.Parameter(tensor.clone()) for tensor in start]
    optimizers = [lamb(together, trust_ratio=True), *(lamb([p], trust_ratio=True) for p in apart)]
    for parameters in (together, apart):
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient.clone()
    for optimizer in optimizers:
        optimizer.step()
    for one, other, before in zip(together, apart, start, strict=True):
        assert torch.equal(one, other)
        moved = (one.detach() - before).norm() / before.norm()
        assert moved.item() == pytest.approx(RATE, rel=1e-4)  # the norm of a move is rate x |w|


def test_norms_and_biases_move_as_with_adamw() -> None:
    """They start at zero or one, where a ratio says nothing: only matrices have one."""
    torch.manual_seed(0)
    models = [nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3)) for _ in range(2)]
    models[1].load_state_dict(models[0].state_dict())
    for model, name in zip(models, ("lamb", "adamw"), strict=True):
        optimizer = build_optimizer(model, OptimizerConfig.model_validate({"optimizer": name}))
        for number, parameter in enumerate(model.parameters()):
            parameter.grad = torch.full_like(parameter, 0.1 + number)
        optimizer.step()
    for one, other in zip(*(model.parameters() for model in models), strict=True):
        assert torch.allclose(one, other, rtol=1e-6, atol=0) == (one.ndim == 1)


def test_without_ratio_it_is_torch_s_adamw() -> None:
    """Ten updates agree within the rounding of float32 with an independent implementation."""
    torch.manual_seed(0)
    ours = [nn.Parameter(torch.randn(5, 3)), nn.Parameter(torch.randn(3))]
    theirs = [nn.Parameter(p.detach().clone()) for p in ours]
    optimizer = lamb(ours, trust_ratio=False)
    reference = torch.optim.AdamW(theirs, lr=RATE, betas=BETAS, eps=EPSILON, weight_decay=DECAY)
    for _ in range(10):
        for one, other in zip(ours, theirs, strict=True):
            one.grad = torch.randn_like(one)
            other.grad = one.grad.clone()
        optimizer.step()
        reference.step()
    for one, other in zip(ours, theirs, strict=True):
        assert torch.allclose(one, other, rtol=1e-5, atol=1e-6)


def test_a_parameter_without_gradient_stays() -> None:
    """Its step does not count, so that its correction is right when a gradient comes."""
    used, unused = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2, 2))
    optimizer = lamb([used, unused], trust_ratio=True)
    used.grad = torch.ones(2, 2)
    optimizer.step()
    assert torch.equal(unused, torch.ones(2, 2)) and unused not in optimizer.state
    unused.grad = torch.ones(2, 2)
    before = used.detach().clone()
    used.grad = None
    optimizer.step()
    assert torch.equal(used, before) and not torch.equal(unused, torch.ones(2, 2))
