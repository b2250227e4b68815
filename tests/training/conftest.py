"""A small problem whose data are a function of the step, as every problem's must be."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bertpipe.training import OptimizerConfig, Plan, Term

torch.set_num_threads(1)

WIDTH, ITEMS = 4, 24


@dataclass(frozen=True)
class FakeBatch:
    """Points and their values; ``weighed`` tells which of them count, as predicted tokens do."""

    points: Tensor
    values: Tensor
    weighed: Tensor

    @property
    def counts(self) -> dict[str, int]:
        return {"fit": int(self.weighed.sum()), "size": len(self.points)}

    @property
    def size_tokens(self) -> int:
        return 3 * len(self.points)

    def to(self, device: torch.device) -> "FakeBatch":
        return FakeBatch(self.points.to(device), self.values.to(device), self.weighed.to(device))

    def part(self, chosen: slice) -> "FakeBatch":
        return FakeBatch(self.points[chosen], self.values[chosen], self.weighed[chosen])


class FakeProblem:
    """Fit a line through points of 24 items, eight an update: three updates are an epoch.

    The number of items that count differs between the micro-batches of an update.
    """

    def __init__(self, *, dropout: float = 0.0, pieces: int = 1, broken_at: int | None = None) -> None:
        torch.manual_seed(11)
        self.model = nn.Sequential(
            nn.Linear(WIDTH, 8), nn.Tanh(), nn.Dropout(dropout), nn.LayerNorm(8), nn.Linear(8, 1)
        )
        self._points = torch.randn(ITEMS, WIDTH)
        self._values = self._points.sum(1)
        self._pieces = pieces
        self._broken_at = broken_at
        self.asked: list[int] = []
        self.seeds: list[int] = []

    def micro_batches(self, step: int) -> list[FakeBatch]:
        self.asked.append(step)
        chosen = torch.arange(8 * step, 8 * step + 8) % ITEMS
        values = self._values[chosen].clone()
        if step == self._broken_at:
            values[0] = float("nan")
        weighed = torch.tensor([True, True, True, True, False, True, False, False])
        whole = FakeBatch(self._points[chosen], values, weighed)
        size = 8 // self._pieces
        return [whole.part(slice(start, start + size)) for start in range(0, 8, size)]

    def validation_batches(self) -> Iterator[FakeBatch]:
        for start in range(0, ITEMS, 10):
            points, values = self._points[start : start + 10], self._values[start : start + 10]
            yield FakeBatch(points, values, torch.ones(len(points), dtype=torch.bool))

    def terms(self, batch: FakeBatch) -> Mapping[str, Term]:
        self.seeds.append(torch.initial_seed())
        output = self.model(batch.points).float()[:, 0]
        errors = (output - batch.values) ** 2
        return {
            "fit": Term(loss=errors[batch.weighed].sum(), correct=(errors < 0.1)[batch.weighed].sum()),
            "size": Term(loss=0.1 * output.abs().sum()),
        }


@pytest.fixture
def make_problem() -> Callable[..., Any]:
    """The class of the small problem."""
    return FakeProblem


@pytest.fixture
def make_plan() -> Callable[..., Plan]:
    """Plans that differ from a short one in what is named."""

    def make(total_steps: int = 8, **changes: Any) -> Plan:
        optimizer = OptimizerConfig(learning_rate=0.01)
        plan = Plan(total_steps, warmup_steps=2, optimizer=optimizer, precision="fp32", seed=7)
        return replace(plan, **changes)

    return make
