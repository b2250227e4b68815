"""From a time budget to a number of updates.

A few updates are done and timed, then undone; the run that follows is the run that anyone gets who
sets ``total_steps`` to the number that came out.
"""

import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor, nn

from bertpipe.configs import Settings
from bertpipe.errors import ConfigError

# The first updates are slower: allocation, compilation, caches. So is the first evaluation, whose passes
# without gradients and dropout are compiled by themselves.
WARMUP_UPDATES = 3
# Batches differ in length; over so many, or so much time, they average out.
FEWEST_UPDATES, MOST_UPDATES = 10, 200
CALIBRATION_SECONDS = 20.0
CALIBRATION_SHARE = 0.05  # of the budget
LONGEST_RUN = 10**9


class BudgetConfig(Settings):
    """How long a run may take; for a section to inherit."""

    time_budget_minutes: float | None = Field(
        None, gt=0, description="Train for so long: the updates are timed and total_steps follows from it."
    )


@dataclass(frozen=True)
class Pace:
    """How long the parts of a run take, in seconds.

    Attributes:
        update_seconds: one update.
        evaluation_seconds: one evaluation.
        checkpoint_seconds: writing one checkpoint.
    """

    update_seconds: float
    evaluation_seconds: float
    checkpoint_seconds: float


@dataclass(frozen=True)
class Intervals:
    """How often a run does what is not an update.

    Attributes:
        evaluate_steps: updates between two evaluations; the last update has one too.
        checkpoint_steps: updates between two checkpoints; the last update has none.
    """

    evaluate_steps: int
    checkpoint_steps: int


def run_seconds(total_steps: int, pace: Pace, intervals: Intervals) -> float:
    """Return how long a run of so many updates takes with its evaluations and checkpoints."""
    evaluations = -(-total_steps // intervals.evaluate_steps)
    checkpoints = max(0, total_steps - 1) // intervals.checkpoint_steps
    return (
        total_steps * pace.update_seconds
        + evaluations * pace.evaluation_seconds
        + checkpoints * pace.checkpoint_seconds
    )


def steps_within(seconds: float, pace: Pace, intervals: Intervals) -> int:
    """Return the most updates that fit into so many seconds.

    Raises:
        ConfigError: not even one does.
    """
    steps = bisect_right(
        range(1, LONGEST_RUN + 1), seconds, key=lambda steps: run_seconds(steps, pace, intervals)
    )
    if steps == 0:
        raise ConfigError(
            f"the time budget is too short: after its calibration {max(seconds, 0):.1f} s are left, and an "
            f"update with its evaluation takes {run_seconds(1, pace, intervals):.1f} s",
            hint="raise pretrain.time_budget_minutes, or lower batch_size or evaluate_sequences",
        )
    return steps


def measure(
    *,
    update: Callable[[], object],
    evaluate: Callable[[], object],
    save: Callable[[], object],
    budget_seconds: float,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[Pace, float]:
    """Time the parts of a run.

    Args:
        update: does the next update, and returns when it is done on the device too.
        evaluate: evaluates once.
        save: writes a checkpoint to a place of its own.
        budget_seconds: how long the run may take in all; a small share of it is spent here.
        clock: tells the seconds.

    Returns:
        The pace, and the seconds that measuring it took.
    """
    started = clock()
    for _ in range(WARMUP_UPDATES):
        update()
    evaluate()
    evaluation_seconds = _seconds(evaluate, clock)
    checkpoint_seconds = _seconds(save, clock)
    spendable = min(CALIBRATION_SECONDS, CALIBRATION_SHARE * budget_seconds)
    first, updates = clock(), 0
    while updates < FEWEST_UPDATES or (updates < MOST_UPDATES and clock() - first < spendable):
        update()
        updates += 1
    update_seconds = (clock() - first) / updates
    return Pace(update_seconds, evaluation_seconds, checkpoint_seconds), clock() - started


def _seconds(act: Callable[[], object], clock: Callable[[], float]) -> float:
    started = clock()
    act()
    return clock() - started


@contextmanager
def undone(model: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """Let a block train; afterwards model and optimizer are bit for bit as they were.

    The copies are kept in main memory: a model that fits beside its optimizer still does.
    """
    weights = _copies(dict(model.state_dict()))
    states = {p: _copies(state) for p, state in optimizer.state.items()}
    settings = [{k: deepcopy(v) for k, v in g.items() if k != "params"} for g in optimizer.param_groups]
    training = model.training
    try:
        yield
    finally:
        _copy_back(weights, dict(model.state_dict()))
        for parameter in list(optimizer.state):
            if parameter in states:
                _copy_back(states[parameter], optimizer.state[parameter])
            else:
                del optimizer.state[parameter]
        for group, values in zip(optimizer.param_groups, settings, strict=True):
            group.update(values)
        optimizer.zero_grad(set_to_none=True)
        model.train(training)


def _copies(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}


def _copy_back(copies: dict[str, Tensor], tensors: dict[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        tensor.detach().copy_(copies[name])
