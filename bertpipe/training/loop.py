"""The training loop: a generator that does one update a turn.

It decides nothing else. The caller logs, evaluates, saves and stops.
"""

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch

from bertpipe import randomness
from bertpipe.errors import TrainingDivergedError
from bertpipe.training.devices import Precision, autocast
from bertpipe.training.optimizers import OptimizerConfig
from bertpipe.training.problem import B, Problem, Tally, sums_of
from bertpipe.training.schedules import linear_with_warmup


@dataclass(frozen=True)
class Plan:
    """How long and how to train.

    Attributes:
        total_steps: updates from start to end.
        warmup_steps: updates over which the rate rises.
        optimizer: AdamW's settings.
        precision: of the forward and backward pass.
        seed: of dropout.
    """

    total_steps: int
    warmup_steps: int
    optimizer: OptimizerConfig
    precision: Precision
    seed: int


@dataclass(frozen=True)
class StepReport:
    """What one update did.

    Attributes:
        step: updates done so far, this one included.
        learning_rate: the rate it used.
        gradient_norm: the gradients' norm before clipping.
        sums: sums for a ``Tally``.
        tokens: real tokens it saw.
    """

    step: int
    learning_rate: float
    gradient_norm: float
    sums: dict[str, float]
    tokens: int


def train(
    problem: Problem[B],
    optimizer: torch.optim.Optimizer,
    plan: Plan,
    *,
    device: torch.device,
    first_step: int,
) -> Iterator[StepReport]:
    """Do the updates from ``first_step`` on, yielding a report after each.

    Nothing depends on what ran before ``first_step``: data and dropout are functions of the step.

    Raises:
        TrainingDivergedError: the loss or a gradient is not finite; the weights are still those
            of the last good update.
    """
    problem.model.train()
    # One thread builds the next batch while the model works on this one.
    with ThreadPoolExecutor(max_workers=1) as ahead:
        coming = ahead.submit(problem.micro_batches, first_step)
        for step in range(first_step, plan.total_steps):
            micro_batches = coming.result()
            if step + 1 < plan.total_steps:
                coming = ahead.submit(problem.micro_batches, step + 1)
            share = linear_with_warmup(step, warmup_steps=plan.warmup_steps, total_steps=plan.total_steps)
            for group in optimizer.param_groups:
                group["lr"] = plan.optimizer.learning_rate * share
            yield _update(
                problem, optimizer, plan, micro_batches=list(micro_batches), device=device, step=step
            )


def _update(
    problem: Problem[B],
    optimizer: torch.optim.Optimizer,
    plan: Plan,
    *,
    micro_batches: list[B],
    device: torch.device,
    step: int,
) -> StepReport:
    tally = Tally()
    for index, micro_batch in enumerate(micro_batches):
        torch.manual_seed(randomness.torch_seed(plan.seed, "dropout", step, index))
        batch = micro_batch.to(device)
        with autocast(plan.precision, device):
            terms = problem.terms(batch)
            loss = torch.stack(
                [
                    term.loss / max(1, sum(part.counts[name] for part in micro_batches))
                    for name, term in terms.items()
                ]
            ).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        tally.add(sums_of(terms, batch.counts))
    norm = float(torch.nn.utils.clip_grad_norm_(problem.model.parameters(), plan.optimizer.max_grad_norm))
    check_finite(step + 1, loss=tally.figures()["loss"], gradient_norm=norm)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return StepReport(
        step=step + 1,
        learning_rate=float(optimizer.param_groups[0]["lr"]),
        gradient_norm=norm,
        sums=tally.sums,
        tokens=sum(part.size_tokens for part in micro_batches),
    )


def check_finite(step: int, **figures: float) -> None:
    """Refuse to go on with a figure, such as ``loss``, that is infinite or not a number.

    Raises:
        TrainingDivergedError: names the figure and the step.
    """
    for name, value in figures.items():
        if not math.isfinite(value):
            raise TrainingDivergedError(
                f"the {name.replace('_', ' ')} is {value} at step {step}",
                hint="a lower learning rate or a longer warm-up usually helps; progress up to the "
                "last checkpoint is kept",
            )


@torch.no_grad()
def evaluate(problem: Problem[B], *, precision: Precision, device: torch.device) -> dict[str, float]:
    """Return the averages over the held-out data, with dropout off."""
    problem.model.eval()
    tally = Tally()
    for batch in problem.validation_batches():
        with autocast(precision, device):
            terms = problem.terms(batch.to(device))
        tally.add(sums_of(terms, batch.counts))
    problem.model.train()
    return tally.figures()
