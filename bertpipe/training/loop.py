"""The training loop: a generator that does one update a turn.

It decides nothing else. The caller logs, evaluates, saves and stops.
"""

from collections.abc import Generator

import torch

from bertpipe.training.ahead import BatchesAhead
from bertpipe.training.micro_batches import MicroBatches
from bertpipe.training.parallel import alone, unsharded
from bertpipe.training.precision import LossScaler, Precision, autocast
from bertpipe.training.problem import UNCUT, B, Cut, Problem, Tally, sums_of
from bertpipe.training.signals import StopRequest
from bertpipe.training.update import Plan, Setup, StepReport, Updates

__all__ = ["Plan", "StepReport", "evaluate", "train", "updates"]

# The second update is the first one beside the optimizer's state.
REHEARSED = 2


def train(
    problem: Problem[B],
    optimizer: torch.optim.Optimizer,
    plan: Plan,
    *,
    device: torch.device,
    first_step: int,
) -> Generator[StepReport, None, None]:
    """Do the updates from ``first_step`` on in this process alone, yielding a report after each."""
    sizes = MicroBatches(plan.micro_batch_size)
    scaler = LossScaler(plan.precision, device)
    setup = Setup(problem, alone(problem), optimizer, scaler, sizes, device)
    return updates(setup, plan, first_step=first_step)


def updates(
    setup: Setup[B], plan: Plan, *, first_step: int, stop: StopRequest | None = None
) -> Generator[StepReport, None, None]:
    """Do the updates from ``first_step`` on, yielding a report after each.

    Nothing depends on what ran before ``first_step``: data and dropout are functions of the step.

    Args:
        setup: what the updates work on.
        plan: how long and how.
        first_step: updates done before.
        stop: a request to stop that all processes are to hear of.

    Raises:
        ResourceError: out of memory, and the batch cannot be cut finer.
    """
    is_rehearsed = not (setup.world.is_alone or setup.layout.is_sharded or setup.sizes.is_fixed)
    steps = range(first_step, plan.total_steps)
    setup.problem.model.train()
    with BatchesAhead(setup.problem, steps, setup.sizes.cut) as batches:
        doing = Updates(setup, plan, batches, stop or StopRequest())
        for step in steps:
            if is_rehearsed and step < first_step + REHEARSED:
                doing.rehearse(step)
            yield doing.run(step)


@torch.no_grad()
def evaluate(
    problem: Problem[B], *, precision: Precision, device: torch.device, cut: Cut = UNCUT
) -> dict[str, float]:
    """Return the averages over the held-out data, with dropout off; processes share the work."""
    problem.model.eval()
    own, all_of_them = Tally(), Tally()
    with unsharded(problem.model):
        for batch in problem.validation_batches(cut):
            with autocast(precision, device):
                terms = problem.terms(batch.to(device))
            own.add(sums_of(terms, batch.counts))
    for sums in cut.world.gathered(own.sums):
        all_of_them.add(sums)
    problem.model.train()
    return all_of_them.figures()
