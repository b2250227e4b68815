"""What the training loop has to know of a task, and nothing more."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol, Self, TypeVar

import torch
from torch import Tensor, nn

from bertpipe.training.world import ALONE, World


@dataclass(frozen=True)
class Cut:
    """How a global batch is cut: among the processes, then into forward passes.

    Attributes:
        world: the processes.
        micro_batch_size: most items of a forward pass; none: all of the process's part.
    """

    world: World = ALONE
    micro_batch_size: int | None = None

    def pieces(self, items: int) -> list[range]:
        """Return this process's part of a global batch, a range for each forward pass.

        All processes have the same number of passes, as they work in step. Where that cannot be
        done otherwise (few items, which do not divide), a pass has one more than it should.
        """
        part, size = self.world.part(items), self.world.size
        passes = -(-items // (size * self.micro_batch_size)) if self.micro_batch_size else 1
        passes = max(1, min(passes, items // size))
        ends = [part.start + len(part) * number // passes for number in range(passes + 1)]
        return [range(*bounds) for bounds in pairwise(ends)]

    def pieces_of_at_most(self, size: int, items: int) -> list[range]:
        """Return this process's part in ranges of ``size``, or less: for passes that need not keep step."""
        part, size = self.world.part(items), min(size, self.micro_batch_size or size)
        return [range(start, min(start + size, part.stop)) for start in range(part.start, part.stop, size)]


UNCUT = Cut()


class Batch(Protocol):
    """One micro-batch: what one forward pass sees."""

    @property
    def counts(self) -> Mapping[str, float]:
        """Return what each part of the loss is divided by: its items, such as predicted tokens."""

    @property
    def size_tokens(self) -> int:
        """Return the number of real tokens."""

    @property
    def size_sequences(self) -> int:
        """Return the number of sequences."""

    def to(self, device: torch.device) -> Self:
        """Return the same batch on another device."""


@dataclass(frozen=True)
class Term:
    """One part of the loss over one micro-batch.

    Attributes:
        loss: the sum over the counted items, a scalar with its graph.
        correct: how many items were right, a scalar; none where that means nothing.
        asked: how many items could be right, a scalar; none: what the loss is divided by.
    """

    loss: Tensor
    correct: Tensor | None = None
    asked: Tensor | None = None


B = TypeVar("B", bound=Batch)


class Problem(Protocol[B]):
    """A model, its data and its loss."""

    @property
    def model(self) -> nn.Module:
        """Return the model that is trained."""

    @property
    def batch_size(self) -> int:
        """Return the items of an update over all processes: what is cut; the last of an epoch may have less.

        An item is of one sequence, or of several that belong together.
        """

    def micro_batches(self, step: int, cut: Cut) -> Sequence[B]:
        """Return this process's part of update ``step`` (from 0): the same whenever it is asked for.

        However it is cut, the parts of all processes are the same sequences with the same to predict.
        """

    def validation_batches(self, cut: Cut) -> Iterator[B]:
        """Yield this process's part of the held-out data: the same on every call."""

    def terms(self, batch: B) -> Mapping[str, Term]:
        """Run the model; return the parts of the loss by name, each as a sum."""


@dataclass
class Tally:
    """Sums over many items, so that any average is over all of them alike.

    The loss of an update is, for each part, the sum over its whole batch divided by its items:
    not a mean of micro-batch means.
    """

    sums: dict[str, float] = field(default_factory=dict)

    def add(self, other: Mapping[str, float]) -> None:
        """Add sums by name."""
        for name, value in other.items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    def figures(self, prefix: str = "") -> dict[str, float]:
        """Return averages: ``loss`` (the sum of the parts), and loss and accuracy of each part."""
        parts = sorted(name.removesuffix(".count") for name in self.sums if name.endswith(".count"))
        averages: dict[str, float] = {f"{prefix}loss": 0.0}
        for part in parts:
            count = self.sums[f"{part}.count"] or 1.0
            loss = self.sums[f"{part}.loss"] / count
            averages[f"{prefix}loss"] += loss
            averages[f"{prefix}{part}_loss"] = loss
            if f"{part}.correct" in self.sums:
                asked = self.sums.get(f"{part}.asked", count)
                averages[f"{prefix}{part}_accuracy"] = self.sums[f"{part}.correct"] / asked
        return averages


def device_sums(terms: Mapping[str, Term]) -> dict[str, Tensor]:
    """Return the sums of one micro-batch as they lie on the device, float64."""
    losses = {f"{name}.loss": term.loss for name, term in terms.items()}
    correct = {f"{name}.correct": term.correct for name, term in terms.items() if term.correct is not None}
    asked = {f"{name}.asked": term.asked for name, term in terms.items() if term.asked is not None}
    return {name: value.detach().double() for name, value in (losses | correct | asked).items()}


def read_off(tensors: Mapping[str, Tensor]) -> dict[str, float]:
    """Read scalars off the device, in one transfer."""
    return dict(zip(tensors, torch.stack(list(tensors.values())).tolist(), strict=True)) if tensors else {}


def sums_of(terms: Mapping[str, Term], counts: Mapping[str, float]) -> dict[str, float]:
    """Return the sums of one micro-batch, for a ``Tally``."""
    return read_off(device_sums(terms)) | {f"{name}.count": float(counts[name]) for name in terms}
