"""From a time budget to a number of updates."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from bertpipe.errors import ConfigError
from bertpipe.training import OptimizerConfig
from bertpipe.training.budget import (
    FEWEST_UPDATES,
    MOST_UPDATES,
    WARMUP_UPDATES,
    Intervals,
    Pace,
    measure,
    run_seconds,
    steps_within,
    undone,
)
from bertpipe.training.optimizers import build_optimizer


def test_seconds_of_a_run_by_hand() -> None:
    """Eleven updates of 2 s, evaluated at 5, 10 and 11 for 10 s each, saved at 4 and 8 for 3 s each."""
    pace, intervals = Pace(2.0, 10.0, 3.0), Intervals(evaluate_steps=5, checkpoint_steps=4)
    assert run_seconds(11, pace, intervals) == 11 * 2 + 3 * 10 + 2 * 3
    # The twelfth is evaluated in place of the eleventh; its checkpoint is the finished model.
    assert run_seconds(12, pace, intervals) == 12 * 2 + 3 * 10 + 2 * 3


def test_steps_of_a_budget_by_hand() -> None:
    """In 60 s those are twelve updates (60 s); in 59.9 s eleven (58 s)."""
    pace, intervals = Pace(2.0, 10.0, 3.0), Intervals(evaluate_steps=5, checkpoint_steps=4)
    assert steps_within(60.0, pace, intervals) == 12
    assert steps_within(59.9, pace, intervals) == 11


seconds = st.floats(1e-4, 100.0)


@given(
    st.builds(Pace, seconds, seconds, seconds),
    st.builds(Intervals, st.integers(1, 2000), st.integers(1, 2000)),
    st.floats(0, 1e4),
)
def test_a_budget_is_used_up_and_not_exceeded(pace: Pace, intervals: Intervals, budget: float) -> None:
    """The run of that many updates fits, one more would not."""
    if budget < run_seconds(1, pace, intervals):
        with pytest.raises(ConfigError, match="the time budget is too short"):
            steps_within(budget, pace, intervals)
        return
    steps = steps_within(budget, pace, intervals)
    assert run_seconds(steps, pace, intervals) <= budget < run_seconds(steps + 1, pace, intervals)


class Machine:
    """A clock that moves when something is done; its first updates and its first evaluation are slow."""

    def __init__(self, update_seconds: float) -> None:
        self.now = 100.0
        self.updates = 0
        self.evaluations = 0
        self._update_seconds = update_seconds

    def clock(self) -> float:
        return self.now

    def update(self) -> None:
        self.updates += 1
        self.now += 50.0 if self.updates <= WARMUP_UPDATES else self._update_seconds

    def evaluate(self) -> None:
        self.evaluations += 1
        self.now += 60.0 if self.evaluations == 1 else 7.0

    def save(self) -> None:
        self.now += 2.0

    def measured(self, *, budget_seconds: float) -> tuple[Pace, float]:
        return measure(
            update=self.update,
            evaluate=self.evaluate,
            save=self.save,
            budget_seconds=budget_seconds,
            clock=self.clock,
        )


def test_what_is_done_first_counts_as_spent_not_as_pace() -> None:
    """An update takes 0.5 s, not the 50 s of the first ones, an evaluation 7 s, not 60; all was spent."""
    machine = Machine(0.5)
    pace, spent = machine.measured(budget_seconds=3600.0)
    assert pace == pytest.approx(Pace(0.5, 7.0, 2.0))
    assert spent == machine.now - 100.0 == WARMUP_UPDATES * 50.0 + 60.0 + 7.0 + 2.0 + 20.0


@pytest.mark.parametrize(
    ("update_seconds", "budget_seconds", "updates"),
    [
        (0.001, 3600.0, MOST_UPDATES),  # fast ones average out soon
        (10.0, 3600.0, FEWEST_UPDATES),  # slow ones take longer than they should, but a few it must be
        (0.5, 3600.0, 40),  # twenty seconds
        (0.125, 60.0, 24),  # a twentieth of a short budget
    ],
)
def test_how_many_updates_are_timed(update_seconds: float, budget_seconds: float, updates: int) -> None:
    """Enough for a mean, within a small share of the budget."""
    machine = Machine(update_seconds)
    machine.measured(budget_seconds=budget_seconds)
    assert machine.updates == WARMUP_UPDATES + updates


def network() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))


def update(model: nn.Module, optimizer: torch.optim.Optimizer, number: int) -> None:
    optimizer.param_groups[0]["lr"] = 0.01 / (1 + number)
    model(torch.randn(8, 4, generator=torch.Generator().manual_seed(number))).square().mean().backward()
    optimizer.step()
    optimizer.zero_grad()


@pytest.mark.parametrize("done_before", [0, 2], ids=["fresh", "carried over"])
@pytest.mark.parametrize("name", ["adamw", "lamb"])
def test_undone_updates_leave_no_trace(done_before: int, name: str) -> None:
    """A run after a calibration equals one without, bit for bit: weights, statistics, optimizer, rates.

    So it does where the optimizer comes with the state of an earlier phase, and where the
    calibration fails halfway.
    """
    config = OptimizerConfig.model_validate({"optimizer": name, "learning_rate": 0.01})
    expected, calibrated = network(), network()
    optimizers = [build_optimizer(model, config) for model in (expected, calibrated)]
    for model, optimizer in zip((expected, calibrated), optimizers, strict=True):
        for number in range(done_before):
            update(model, optimizer, number)
    weights = copy.deepcopy(calibrated.state_dict())
    with pytest.raises(KeyboardInterrupt), undone(calibrated, optimizers[1]):
        for number in range(5):
            update(calibrated, optimizers[1], number)
        calibrated(torch.ones(2, 4)).sum().backward()
        calibrated.eval()
        raise KeyboardInterrupt
    assert all(torch.equal(weights[key], value) for key, value in calibrated.state_dict().items())
    assert len(optimizers[1].state) == len(optimizers[0].state) == (6 if done_before else 0)
    assert optimizers[1].param_groups[0]["lr"] == optimizers[0].param_groups[0]["lr"]
    assert all(p.grad is None for p in calibrated.parameters()) and calibrated.training
    for model, optimizer in zip((expected, calibrated), optimizers, strict=True):
        for number in range(10, 14):
            update(model, optimizer, number)
    for key, value in expected.state_dict().items():
        assert torch.equal(value, calibrated.state_dict()[key]), key
