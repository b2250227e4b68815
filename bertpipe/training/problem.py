"""What the training loop has to know of a task, and nothing more."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self, TypeVar

import torch
from torch import Tensor, nn


class Batch(Protocol):
    """One micro-batch: what one forward pass sees."""

    @property
    def counts(self) -> Mapping[str, int]:
        """Return how many items each part of the loss is summed over, such as predicted tokens."""

    @property
    def size_tokens(self) -> int:
        """Return the number of real tokens."""

    def to(self, device: torch.device) -> Self:
        """Return the same batch on another device."""


@dataclass(frozen=True)
class Term:
    """One part of the loss over one micro-batch.

    Attributes:
        loss: the sum over the counted items, a scalar with its graph.
        correct: how many items were right, a scalar; none where that means nothing.
    """

    loss: Tensor
    correct: Tensor | None = None


B = TypeVar("B", bound=Batch)


class Problem(Protocol[B]):
    """A model, its data and its loss."""

    @property
    def model(self) -> nn.Module:
        """Return the model that is trained."""

    def micro_batches(self, step: int) -> Sequence[B]:
        """Return the data of update ``step`` (from 0): the same whenever it is asked for."""

    def validation_batches(self) -> Iterator[B]:
        """Yield the held-out data: the same on every call."""

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
            count = max(self.sums[f"{part}.count"], 1.0)
            loss = self.sums[f"{part}.loss"] / count
            averages[f"{prefix}loss"] += loss
            averages[f"{prefix}{part}_loss"] = loss
            if f"{part}.correct" in self.sums:
                averages[f"{prefix}{part}_accuracy"] = self.sums[f"{part}.correct"] / count
        return averages


def sums_of(terms: Mapping[str, Term], counts: Mapping[str, int]) -> dict[str, float]:
    """Read the sums of one micro-batch off the device, in one transfer."""
    names = [f"{name}.loss" for name in terms]
    values = [term.loss for term in terms.values()]
    for name, term in terms.items():
        if term.correct is not None:
            names.append(f"{name}.correct")
            values.append(term.correct)
    numbers = torch.stack([value.detach().double() for value in values]).tolist()
    return dict(zip(names, numbers, strict=True)) | {f"{name}.count": float(counts[name]) for name in terms}
