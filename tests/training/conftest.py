"""A small problem whose data are a function of the step, as every problem's must be."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bertpipe.training import UNCUT, Cut, OptimizerConfig, Plan, Schedule, Term

torch.set_num_threads(1)

WIDTH, ITEMS = 4, 24


@dataclass(frozen=True)
class FakeBatch:
    """Points and their values; ``weighed`` tells which of them count, as predicted tokens do.

    An item is a point, of ``width`` sequences.
    """

    points: Tensor
    values: Tensor
    weighed: Tensor
    width: int = 1

    @property
    def counts(self) -> dict[str, int]:
        return {"fit": int(self.weighed.sum()), "size": len(self.points)}

    @property
    def size_tokens(self) -> int:
        return 3 * len(self.points)

    @property
    def size_sequences(self) -> int:
        return self.width * len(self.points)

    def to(self, device: torch.device) -> "FakeBatch":
        return FakeBatch(self.points.to(device), self.values.to(device), self.weighed.to(device), self.width)

    def part(self, chosen: slice) -> "FakeBatch":
        return FakeBatch(self.points[chosen], self.values[chosen], self.weighed[chosen], self.width)


class FakeModel(nn.Module):
    """A few layers in a list, as an encoder has them."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.first = nn.Linear(WIDTH, 8)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Dropout(dropout)) for _ in range(2)
        )
        self.norm = nn.LayerNorm(8)
        self.last = nn.Linear(8, 1)

    def forward(self, points: Tensor) -> Tensor:
        hidden = torch.tanh(self.first(points))
        for layer in self.layers:
            hidden = hidden + layer(hidden)
        values: Tensor = self.last(self.norm(hidden))
        return values


class FakeProblem:
    """Fit a line through points of 24 items, eight an update: three updates are an epoch.

    The number of items that count differs between the micro-batches of an update. More than
    ``room`` items at once do not fit into memory.
    """

    batch_size = 8

    def __init__(
        self, *, dropout: float = 0.0, broken_at: int | None = None, room: int | None = None, width: int = 1
    ) -> None:
        torch.manual_seed(11)
        self.model = FakeModel(dropout)
        self._points = torch.randn(ITEMS, WIDTH)
        self._values = self._points.sum(1)
        self._broken_at = broken_at
        self.room = room
        self._width = width
        self.asked: list[int] = []
        self.seeds: list[int] = []

    def micro_batches(self, step: int, cut: Cut = UNCUT) -> list[FakeBatch]:
        self.asked.append(step)
        chosen = torch.arange(self.batch_size * step, self.batch_size * (step + 1)) % ITEMS
        values = self._values[chosen].clone()
        if step == self._broken_at:
            values[0] = float("nan")
        weighed = torch.tensor([True, True, True, True, False, True, False, False])
        whole = FakeBatch(self._points[chosen], values, weighed, self._width)
        return [whole.part(slice(piece.start, piece.stop)) for piece in cut.pieces(self.batch_size)]

    def validation_batches(self, cut: Cut = UNCUT) -> Iterator[FakeBatch]:
        for piece in cut.pieces_of_at_most(10, ITEMS):
            points, values = (part[piece.start : piece.stop] for part in (self._points, self._values))
            yield FakeBatch(points, values, torch.ones(len(points), dtype=torch.bool))

    def terms(self, batch: FakeBatch) -> Mapping[str, Term]:
        self.seeds.append(torch.initial_seed())
        if self.room is not None and len(batch.points) > self.room:
            raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes.")
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
        schedule = Schedule("linear", total_steps, warmup_steps=changes.pop("warmup_steps", 2))
        plan = Plan(schedule, OptimizerConfig(learning_rate=0.01), precision="fp32", seed=7)
        return replace(plan, **changes)

    return make
