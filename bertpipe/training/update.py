"""One update: the gradients of the global batch, piece by piece, then one move of the weights."""

import math
import signal
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Generic

import torch
from torch import Tensor

from bertpipe import randomness
from bertpipe.training.ahead import BatchesAhead
from bertpipe.training.guards import GuardConfig
from bertpipe.training.micro_batches import MicroBatches, too_large
from bertpipe.training.optimizers import OptimizerConfig, Scale, as_scheduled, set_rate
from bertpipe.training.parallel import Layout, whole
from bertpipe.training.precision import LossScaler, Precision, autocast
from bertpipe.training.problem import B, Problem, Tally, device_sums, read_off
from bertpipe.training.schedules import Schedule
from bertpipe.training.shortage import if_it_fits
from bertpipe.training.signals import NOTICED, StopRequest
from bertpipe.training.world import World

_USUAL_GUARDS = GuardConfig()
_TOKENS, _NORM = "tokens in all", "gradient norm"


@dataclass(frozen=True)
class Plan:
    """How long and how to train.

    Attributes:
        schedule: how many updates, and the shares of the learning rate over them.
        optimizer: which one, with its settings.
        precision: of the forward and backward pass.
        seed: of dropout.
        micro_batch_size: most items of a forward pass; none: a process's part of the batch, or
            less where memory runs out.
        guards: what to do when training goes wrong.
        unigram_entropy: of the corpus, in nats, for the guards; none: no plateau is looked for.
        scale: how fast each parameter learns, as a multiple of the scheduled rate.
    """

    schedule: Schedule
    optimizer: OptimizerConfig
    precision: Precision
    seed: int
    micro_batch_size: int | None = None
    guards: GuardConfig = _USUAL_GUARDS
    unigram_entropy: float | None = None
    scale: Scale = as_scheduled

    @property
    def total_steps(self) -> int:
        """Return the number of updates from start to end."""
        return self.schedule.total_steps


@dataclass(frozen=True)
class StepReport:
    """What one update did; the figures are those of all processes together.

    Attributes:
        step: updates done so far, this one included.
        learning_rate: the scheduled rate it used, of which a parameter's own is a multiple.
        gradient_norm: the gradients' norm before clipping.
        sums: sums for a ``Tally``.
        tokens: real tokens it saw.
        data_wait_seconds: how long this process waited for its data.
        moved: whether the weights have moved; they do not where the loss or a gradient is not finite.
        loss_scale: the factor of fp16 after the update; none where nothing is scaled.
        stop_signal: a signal that asked one of the processes to stop during the update; none without.
    """

    step: int
    learning_rate: float
    gradient_norm: float
    sums: dict[str, float]
    tokens: int
    data_wait_seconds: float
    moved: bool
    loss_scale: float | None
    stop_signal: int | None


@dataclass(frozen=True)
class Setup(Generic[B]):
    """What updates work on.

    Attributes:
        problem: model, data and loss.
        layout: of the problem over the processes.
        optimizer: over the parameters as they are laid out.
        scaler: of the loss.
        sizes: how batches are cut; where memory runs out, finer from then on.
        device: where the model is.
    """

    problem: Problem[B]
    layout: Layout[B]
    optimizer: torch.optim.Optimizer
    scaler: LossScaler
    sizes: MicroBatches
    device: torch.device

    @property
    def world(self) -> World:
        """Return the processes."""
        return self.layout.world


@dataclass(frozen=True)
class Updates(Generic[B]):
    """Does updates, in the order in which their batches come.

    Attributes:
        setup: what they work on.
        plan: how long and how.
        batches: the data.
        stop: a request to stop, passed on to all processes.
    """

    setup: Setup[B]
    plan: Plan
    batches: BatchesAhead[B]
    stop: StopRequest

    def run(self, step: int) -> StepReport:
        """Do update ``step`` (from 0).

        Raises:
            ResourceError: out of memory, and the batch cannot be cut finer.
        """
        micro_batches = self.batches.take(step)
        counts = self._counts(micro_batches)
        sums = if_it_fits(partial(self._gradients, step, micro_batches, counts))
        if sums is not None:
            return self._move(step, counts, sums)
        if not self.setup.world.is_alone:  # the others wait for these gradients
            raise too_large(self._most_items(step, micro_batches))
        self._cut_finer(step, micro_batches)
        return self.run(step)

    def rehearse(self, step: int) -> None:
        """Try whether the passes of an update fit into memory, all processes by themselves.

        For several processes, which could not try again: one that has run out of memory in the
        middle of an update cannot tell those that wait for it.
        """
        micro_batches = self.batches.take(step)
        largest = _largest(micro_batches)
        counts = self._counts(micro_batches)
        sums = if_it_fits(partial(self._gradients, step, [largest], counts, is_rehearsal=True))
        if self.setup.world.any(sums is None):
            self._cut_finer(step, micro_batches)
            self.rehearse(step)
        self.setup.optimizer.zero_grad(set_to_none=True)

    def _cut_finer(self, step: int, micro_batches: Sequence[B]) -> None:
        self.setup.optimizer.zero_grad(set_to_none=True)
        self.setup.sizes.halve(step, items=self._most_items(step, micro_batches))
        self.batches.forget()

    def _most_items(self, step: int, micro_batches: Sequence[B]) -> int:
        """Return how many items a pass has at most: those of the cut, or fewer in a short batch."""
        pieces = self.setup.sizes.cut(step).pieces(self.setup.problem.batch_size)
        return min(max(map(len, pieces)), _largest(micro_batches).size_sequences)

    def _counts(self, micro_batches: Sequence[B]) -> dict[str, float]:
        """Return over how many items of the global batch each part of the loss is averaged."""
        counts = {name: sum(part.counts[name] for part in micro_batches) for name in micro_batches[0].counts}
        return self.setup.world.sums(counts | {_TOKENS: sum(part.size_tokens for part in micro_batches)})

    def _gradients(
        self, step: int, micro_batches: Sequence[B], counts: dict[str, float], *, is_rehearsal: bool = False
    ) -> dict[str, Tensor]:
        """Add up the gradients of the loss over the global batch; return this process's sums."""
        setup, sums = self.setup, dict[str, Tensor]()
        for index, micro_batch in enumerate(micro_batches):
            torch.manual_seed(randomness.torch_seed(self.plan.seed, "dropout", step, setup.world.rank, index))
            batch = micro_batch.to(setup.device)
            is_last = index == len(micro_batches) - 1 and not is_rehearsal
            with nullcontext() if is_last else setup.layout.held_back():
                with autocast(self.plan.precision, setup.device):
                    terms = setup.layout.terms(batch)
                    loss = torch.stack(
                        [term.loss / (counts[name] or 1) for name, term in terms.items()]
                    ).sum()
                # The processes' gradients are averaged, but theirs is a share of one sum.
                setup.scaler.backward(loss * setup.world.size)
            for name, value in device_sums(terms).items():
                sums[name] = sums[name] + value if name in sums else value
        return sums

    def _move(self, step: int, counts: dict[str, float], sums: dict[str, Tensor]) -> StepReport:
        """Clip the gradients and move the weights, if all is finite."""
        setup = self.setup
        learning_rate = self.plan.optimizer.learning_rate * self.plan.schedule.share(step)
        parameters = setup.problem.model.parameters()
        setup.scaler.unscale(setup.optimizer)
        norm = whole(torch.nn.utils.clip_grad_norm_(parameters, self.plan.optimizer.max_grad_norm))
        figures = read_off(sums | {_NORM: norm.detach().double()})
        gradient_norm = figures.pop(_NORM)
        asked = {str(number): float(self.stop.signal_number == number) for number in NOTICED}
        totals = setup.world.sums(figures | asked)
        tally = Tally({name: totals[name] for name in figures})
        tally.add({f"{name}.count": count for name, count in counts.items() if f"{name}.loss" in figures})
        is_finite = math.isfinite(tally.figures()["loss"]) and math.isfinite(gradient_norm)
        set_rate(setup.optimizer, learning_rate)
        moved = setup.scaler.step(setup.optimizer, is_finite=is_finite)
        setup.optimizer.zero_grad(set_to_none=True)
        return StepReport(
            step=step + 1,
            learning_rate=learning_rate,
            gradient_norm=gradient_norm,
            sums=tally.sums,
            tokens=int(counts[_TOKENS]),
            data_wait_seconds=self.batches.waited_seconds,
            moved=moved,
            loss_scale=setup.scaler.scale,
            stop_signal=next((signal.Signals(n) for n in NOTICED if totals[str(n)]), None),
        )


def _largest(micro_batches: Sequence[B]) -> B:
    return max(micro_batches, key=lambda batch: batch.size_tokens)
