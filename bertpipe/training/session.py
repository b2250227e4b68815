"""A training run from start to end: loop, evaluation, checkpoints, progress and stopping.

Pre-training and fine-tuning are the same run over different problems, by one process or by many.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from bertpipe.configs import RuntimeConfig
from bertpipe.progress import Progress, Silent
from bertpipe.training.budget import Intervals
from bertpipe.training.calibration import TimeBudget, count_steps
from bertpipe.training.decisions import Decisions
from bertpipe.training.micro_batches import MicroBatches
from bertpipe.training.optimizers import build_optimizer
from bertpipe.training.parallel import gather_model, lay_out
from bertpipe.training.precision import LossScaler
from bertpipe.training.problem import B, Problem
from bertpipe.training.run import Run
from bertpipe.training.shortage import shortages_told
from bertpipe.training.state import Checkpoints
from bertpipe.training.update import Plan, Setup
from bertpipe.training.watch import watching
from bertpipe.training.world import ALONE, World


@dataclass(frozen=True)
class Outcome:
    """What a finished run leaves behind, beside the trained model.

    Attributes:
        resumed_from_step: 0 where it ran from the start.
        tokens: real tokens seen in all.
        rows: the curve: one row an evaluation.
        total_steps: updates in all, also where a time budget decided.
        micro_batch_size: most sequences of a forward pass at the end; none: all of a process's part.
        moments: the optimizer's state by name, where it was asked for, in the first process.
    """

    resumed_from_step: int
    tokens: int
    rows: list[dict[str, float]] = field(default_factory=list)
    total_steps: int = 0
    micro_batch_size: int | None = None
    moments: dict[str, Tensor] = field(default_factory=dict)


def run_training(
    problem: Problem[B],
    plan: Plan,
    *,
    evaluate_steps: int,
    work: Path,
    device: torch.device,
    runtime: RuntimeConfig,
    progress: Progress,
    world: World = ALONE,
    budget: TimeBudget | None = None,
    flops_per_token: float | None = None,
    carried: Mapping[str, Tensor] | None = None,
    keep_moments: bool = False,
) -> Outcome:
    """Train to the end of ``plan``, going on from the newest whole checkpoint in ``work``.

    Args:
        problem: model, data and loss; its model ends up trained, in evaluation mode.
        plan: how long and how.
        evaluate_steps: updates between two rows of the curve; the last update has one too.
        work: where checkpoints and decisions live; only the first process looks there.
        device: where to compute.
        runtime: layout over several processes, intervals of progress lines and checkpoints.
        progress: told every update.
        world: the processes that train together; all of them call this.
        budget: decides the number of updates in place of ``plan``.
        flops_per_token: useful operations to train on a real token; unset: unknown.
        carried: the optimizer's state to start with, as an earlier run has kept it; unset: none. Only the
            first process needs to have it.
        keep_moments: whether the outcome has the optimizer's state.

    Raises:
        StoppedError: SIGTERM or SIGINT asked to stop; a checkpoint was saved first.
        TrainingDivergedError: the loss is not finite, or went where the guards say stop.
        ResourceError: out of memory, or the disk is full.
    """
    progress = progress if world.is_first else Silent()
    decisions = Decisions(work) if world.is_first else None
    with shortages_told(), Checkpoints(work, world=world) as checkpoints:
        setup = _set_up(problem, plan, device, runtime, progress, world, decisions)
        if budget is not None:
            intervals = Intervals(evaluate_steps, runtime.checkpoint_steps)
            plan = budget.plan_over(_fill(budget, setup, plan, intervals, work, progress, decisions))
        state = checkpoints.load_newest(model=problem.model, optimizer=setup.optimizer, progress=progress)
        first_step = state.step
        if not first_step and carried is not None:
            checkpoints.carry(carried, model=problem.model, optimizer=setup.optimizer)
        if first_step:
            progress.note(f"going on from step {first_step} of {plan.total_steps}")
        with (
            progress.phase("train", total=plan.total_steps, unit="steps", done=first_step) as phase,
            watching(
                phase,
                plan,
                first_step=first_step,
                flops_per_token=flops_per_token,
                work=work,
                device=device,
                runtime=runtime,
                progress=progress,
                world=world,
            ) as watch,
        ):
            Run(
                setup,
                plan,
                state,
                checkpoints=checkpoints,
                watch=watch,
                progress=progress,
                evaluate_steps=evaluate_steps,
                checkpoint_steps=runtime.checkpoint_steps,
            ).to_the_end()
        moments = checkpoints.moments(model=problem.model, optimizer=setup.optimizer) if keep_moments else {}
        gather_model(problem.model)
    problem.model.eval()
    size = setup.sizes.cut(plan.total_steps).micro_batch_size
    return Outcome(first_step, state.tokens, state.rows, plan.total_steps, size, moments)


def _set_up(
    problem: Problem[B],
    plan: Plan,
    device: torch.device,
    runtime: RuntimeConfig,
    progress: Progress,
    world: World,
    decisions: Decisions | None,
) -> Setup[B]:
    problem.model.to(device)
    layout = lay_out(problem, world, parallel=runtime.parallel, device=device)
    optimizer = build_optimizer(problem.model, plan.optimizer, scale=plan.scale)
    sizes = MicroBatches(plan.micro_batch_size, world=world, decisions=decisions, progress=progress)
    return Setup(problem, layout, optimizer, LossScaler(plan.precision, device), sizes, device)


def _fill(
    budget: TimeBudget,
    setup: Setup[B],
    plan: Plan,
    intervals: Intervals,
    work: Path,
    progress: Progress,
    decisions: Decisions | None,
) -> int:
    """Return the number of updates that the budget holds, as it was decided once."""
    known = setup.world.broadcast(decisions.get("total_steps") if decisions else None)
    if known is not None:
        return known
    progress.note(f"timing some updates, to see how many fill {budget.minutes:g} minutes")
    total_steps = count_steps(setup, plan, minutes=budget.minutes, intervals=intervals, work=work)
    progress.note(f"{total_steps} updates fill {budget.minutes:g} minutes")
    return decisions.record("total_steps", total_steps) if decisions else total_steps
