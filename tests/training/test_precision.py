"""Numbers of 16 bits, and the scale that keeps their gradients in range."""

import json
from typing import get_args

import pytest
import torch
from torch import nn

from bertpipe.errors import TrainingDivergedError
from bertpipe.training import OptimizerConfig
from bertpipe.training.optimizers import build_optimizer
from bertpipe.training.precision import LossScaler, Precision, autocast

CPU = torch.device("cpu")


class Trained:
    """A small model with all that an update needs."""

    def __init__(self, precision: Precision, *, optimizer: str = "adamw", corrected: bool = True) -> None:
        torch.manual_seed(2)
        self.precision = precision
        self.model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.LayerNorm(5), nn.Linear(5, 1))
        config = OptimizerConfig.model_validate(
            {"learning_rate": 0.01, "optimizer": optimizer, "bias_correction": corrected}
        )
        self.optimizer = build_optimizer(self.model, config)
        self.scaler = LossScaler(precision, CPU)

    def gradients(self, number: int, *, factor: float = 1.0) -> torch.Tensor:
        """Run forward and backward on points that are a function of the number; return all gradients."""
        points = torch.randn(16, 6, generator=torch.Generator().manual_seed(number))
        for part in torch.split(points, 8):
            with autocast(self.precision, CPU):
                output = self.model(part)
            self.scaler.backward((output[:, 0].float() - part.sum(1)).square().sum() / 800 * factor)
        self.scaler.unscale(self.optimizer)
        return torch.cat([p.grad.flatten() for p in self.model.parameters() if p.grad is not None])

    def update(self, number: int, *, factor: float = 1.0) -> bool:
        """Do one update; return whether the weights moved."""
        self.gradients(number, factor=factor)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        moved = self.scaler.step(self.optimizer, is_finite=bool(norm.isfinite()))
        self.optimizer.zero_grad()
        return moved

    def weights(self) -> torch.Tensor:
        return torch.cat([p.detach().flatten().clone() for p in self.model.parameters()])

    def state(self) -> list[torch.Tensor]:
        states = [self.optimizer.state[p] for p in self.model.parameters()]
        return [value.clone() for state in states for value in state.values()]


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)],
)
def test_products_have_the_precision_and_weights_stay(precision: Precision, dtype: torch.dtype) -> None:
    """Within the context a product is of that type; weights and gradients are float32."""
    trained = Trained(precision)
    with autocast(precision, CPU):
        assert trained.model[0](torch.ones(2, 6)).dtype == dtype
    assert trained.gradients(0).dtype == torch.float32
    assert {p.dtype for p in trained.model.parameters()} == {torch.float32}


@pytest.mark.parametrize("precision", get_args(Precision))
def test_gradients_are_those_of_fp32_within_the_type_s_rounding(precision: Precision) -> None:
    """Relative to the longest gradient by 2**-8 for bf16 and 2**-10 for fp16, and none for fp32."""
    expected, found = Trained("fp32").gradients(1), Trained(precision).gradients(1)
    error = ((found - expected).norm() / expected.norm()).item()
    assert error <= {"fp32": 0.0, "bf16": 2.0**-7, "fp16": 2.0**-9}[precision]


def test_gradients_too_small_for_fp16_survive() -> None:
    """A loss of a hundred thousandth has gradients that fp16 has no number for; scaled they survive."""
    expected, found = Trained("fp32").gradients(1, factor=1e-5), Trained("fp16").gradients(1, factor=1e-5)
    assert ((found - expected).norm() / expected.norm()).item() < 0.01
    unscaled = Trained("fp16")
    unscaled.scaler = LossScaler("fp32", CPU)
    lost = unscaled.gradients(1, factor=1e-5)
    assert ((lost - expected).norm() / expected.norm()).item() > 0.1


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_nothing_is_scaled_where_the_range_is_that_of_fp32(precision: Precision) -> None:
    """There is no scale and nothing to save, and updates are those of the plain calls to the bit."""
    trained, plain = Trained(precision), Trained(precision)
    assert trained.scaler.scale is None and trained.scaler.state() == {}
    for number in range(3):
        assert trained.update(number)
        points = torch.randn(16, 6, generator=torch.Generator().manual_seed(number))
        for part in torch.split(points, 8):
            with autocast(precision, CPU):
                output = plain.model(part)
            ((output[:, 0].float() - part.sum(1)).square().sum() / 800 * 1.0).backward()
        torch.nn.utils.clip_grad_norm_(plain.model.parameters(), 1.0)
        plain.optimizer.step()
        plain.optimizer.zero_grad()
    assert torch.equal(trained.weights(), plain.weights())


@pytest.mark.parametrize("precision", get_args(Precision))
@pytest.mark.parametrize(("optimizer", "corrected"), [("adamw", True), ("adamw", False), ("lamb", True)])
def test_a_gradient_that_is_not_finite_moves_nothing(
    precision: Precision, optimizer: str, corrected: bool
) -> None:
    """Weights and the optimizer's averages stay, and the next update is as if that one had not been."""
    trained = Trained(precision, optimizer=optimizer, corrected=corrected)
    twin = Trained(precision, optimizer=optimizer, corrected=corrected)
    assert trained.update(0) and twin.update(0)
    weights, state = trained.weights(), trained.state()
    assert not trained.update(1, factor=float("inf"))
    assert torch.equal(trained.weights(), weights)
    assert all(torch.equal(one, other) for one, other in zip(trained.state(), state, strict=True))
    assert trained.update(2) and twin.update(2)
    # Halving the scale is exact but where a gradient is as small as fp16 goes.
    assert torch.allclose(trained.weights(), twin.weights(), rtol=0, atol=0 if precision != "fp16" else 1e-4)


def test_an_overflow_halves_the_scale_and_two_thousand_good_updates_double_it() -> None:
    """Micikevicius et al. 2018, section 3.2, with torch's usual numbers, starting at 2**16."""
    trained = Trained("fp16")
    assert trained.scaler.scale == 2.0**16
    assert not trained.update(0, factor=1e6)
    assert trained.scaler.state() == {"scale": 2.0**15, "good_updates": 0.0}
    trained.scaler.restore({"scale": 2.0**10, "good_updates": 1998.0})
    assert trained.update(1) and trained.scaler.scale == 2.0**10
    assert trained.update(2) and trained.scaler.state() == {"scale": 2.0**11, "good_updates": 0.0}


def test_a_restored_scale_goes_on_as_if_never_stopped() -> None:
    """Through JSON and back, before the first update, the bits are the same."""
    unbroken, resumed = Trained("fp16"), Trained("fp16")
    unbroken.scaler.restore({"scale": 2.0**12, "good_updates": 1999.0})
    resumed.scaler.restore(json.loads(json.dumps(unbroken.scaler.state())))
    for number in range(3):
        assert unbroken.update(number) and resumed.update(number)
    assert torch.equal(unbroken.weights(), resumed.weights())
    assert unbroken.scaler.state() == resumed.scaler.state() == {"scale": 2.0**13, "good_updates": 2.0}


def test_a_checkpoint_of_another_precision_starts_the_scale_anew() -> None:
    """The state of fp32 is empty; fp32 makes nothing of the state of fp16."""
    trained = Trained("fp16")
    trained.scaler.restore(Trained("fp32").scaler.state())
    assert trained.scaler.scale == 2.0**16
    Trained("fp32").scaler.restore(trained.scaler.state())


def test_gradients_that_overflow_at_any_scale_are_divergence() -> None:
    """Seventeen overflows on end bring the scale from 2**16 below 1: that is no matter of scaling."""
    trained = Trained("fp16")
    for _ in range(16):
        assert not trained.update(0, factor=float("inf"))
    with pytest.raises(TrainingDivergedError, match=r"the loss scale fell to 0\.5"):
        trained.update(0, factor=float("inf"))


@pytest.mark.parametrize("precision", get_args(Precision))
def test_a_small_problem_is_learned_alike(precision: Precision) -> None:
    """After three hundred updates the loss has fallen by as much as with fp32, within a tenth of it."""
    trained, reference = Trained(precision), Trained("fp32")
    for number in range(300):
        assert trained.update(number) and reference.update(number)
    points = torch.randn(200, 6, generator=torch.Generator().manual_seed(999))
    found, expected = (
        (t.model(points)[:, 0] - points.sum(1)).square().mean().item() for t in (trained, reference)
    )
    assert expected < 4 and found == pytest.approx(expected, rel=0.1)
