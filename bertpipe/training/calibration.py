"""How many updates a time budget holds, measured on the run that is about to start, once."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from bertpipe.training.budget import LONGEST_RUN, Intervals, measure, steps_within, undone
from bertpipe.training.loop import evaluate, updates
from bertpipe.training.precision import LossScaler
from bertpipe.training.problem import B
from bertpipe.training.schedules import Schedule
from bertpipe.training.state import Checkpoints, State
from bertpipe.training.update import Plan, Setup


@dataclass(frozen=True)
class TimeBudget:
    """How long a run may take, and what then follows.

    Attributes:
        minutes: of training, with evaluations and checkpoints.
        plan_over: returns the plan of a run of so many updates.
    """

    minutes: float
    plan_over: Callable[[int], Plan]


def count_steps(setup: Setup[B], plan: Plan, *, minutes: float, intervals: Intervals, work: Path) -> int:
    """Return how many updates fit into ``minutes``; those done to find out are undone.

    Args:
        setup: that of the run.
        plan: that of the run, but for its length.
        minutes: of training, with evaluations and checkpoints.
        intervals: between these.
        work: where a checkpoint can be tried out.

    Raises:
        ConfigError: not even one fits.
    """
    problem, world = setup.problem, setup.world
    trial = replace(setup, scaler=LossScaler(plan.precision, setup.device))
    # At a rate that moves nothing far, as the real schedule is not known yet.
    slow = replace(plan, schedule=Schedule("linear", LONGEST_RUN, warmup_steps=LONGEST_RUN))
    folder = work / "calibration"

    def clock() -> float:
        """Tell the first process's time: all have to do the same number of updates."""
        if setup.device.type == "cuda":
            torch.cuda.synchronize(setup.device)
        return world.broadcast(time.perf_counter())

    def save() -> None:
        with Checkpoints(folder, world=world) as checkpoints:
            checkpoints.save(State(), model=problem.model, optimizer=setup.optimizer)

    def evaluate_once() -> None:
        evaluate(problem, precision=plan.precision, device=setup.device, cut=setup.sizes.cut(0))

    with undone(problem.model, setup.optimizer):
        doing = updates(trial, slow, first_step=0)
        pace, spent_seconds = measure(
            update=lambda: next(doing),
            evaluate=evaluate_once,
            save=save,
            budget_seconds=60 * minutes,
            clock=clock,
        )
        doing.close()
    if world.is_first:
        shutil.rmtree(folder, ignore_errors=True)
    return steps_within(60 * minutes - spent_seconds, pace, intervals)
