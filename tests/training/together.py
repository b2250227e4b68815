"""A script that some processes run together: trains the small problem, as each job says.

    RANK=0 WORLD_SIZE=2 ... python -m tests.training.together JOBS.json RESULTS.json

The first process writes the results.
"""

import json
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from bertpipe.configs import RuntimeConfig
from bertpipe.errors import BertpipeError, StoppedError
from bertpipe.progress import Phase, Silent
from bertpipe.training import OptimizerConfig, Plan, Schedule, Term, World, open_world, run_training
from tests.training.conftest import FakeBatch, FakeProblem


@dataclass(frozen=True)
class Job:
    """One run.

    Attributes:
        work: its work folder.
        parallel: layout.
        dropout: of the model.
        micro_batch_size: of the plan.
        optimizer: its name.
        frozen: whether the first layer does not learn.
        rooms: how many items fit into the memory of each process, by rank; unset: any number.
        signal_at: in which training pass (from 1) a process sends itself a signal, by rank.
        signal_number: which signal.
        total_steps: updates.
    """

    work: str
    parallel: str = "ddp"
    dropout: float = 0.0
    micro_batch_size: int | None = None
    optimizer: str = "adamw"
    frozen: bool = False
    rooms: list[int] | None = None
    signal_at: dict[str, int] = field(default_factory=dict)
    signal_number: int = signal.SIGTERM
    total_steps: int = 8


class Recorder(Silent):
    """Keeps the figures of every update, and the notes."""

    def __init__(self) -> None:
        self.updates: list[dict[str, Any]] = []
        self.notes: list[str] = []

    def phase(
        self, name: str, *, total: float | None, unit: str, done: float = 0
    ) -> AbstractContextManager[Phase]:
        return nullcontext(self)

    def advance(self, amount: float, **figures: float | str) -> None:
        if amount:
            names = ("fit_loss", "size_loss", "fit_accuracy", "learning_rate", "gradient_norm")
            self.updates.append({name: figures[name] for name in names})

    def note(self, message: str) -> None:
        self.notes.append(message)


class SignallingProblem(FakeProblem):
    """Sends its own process a signal in a given forward pass."""

    def __init__(self, *, at: int | None, number: int, **settings: Any) -> None:
        super().__init__(**settings)
        self._at, self._number, self._passes = at, number, 0

    def terms(self, batch: FakeBatch) -> Mapping[str, Term]:
        self._passes += self.model.training
        if self._passes == self._at:
            self._at = None
            os.kill(os.getpid(), self._number)
        return super().terms(batch)


def do(job: Job, world: World) -> dict[str, Any]:
    """Train, and return what can be seen of it."""
    problem = SignallingProblem(
        at=job.signal_at.get(str(world.rank)),
        number=job.signal_number,
        dropout=job.dropout,
        room=job.rooms[world.rank] if job.rooms else None,
    )
    problem.model.first.requires_grad_(not job.frozen)
    recorder = Recorder()
    work = Path(job.work)
    work.mkdir(parents=True, exist_ok=True)
    config = OptimizerConfig.model_validate({"learning_rate": 0.01, "optimizer": job.optimizer})
    plan = Plan(
        Schedule("linear", job.total_steps, 2), config, "fp32", seed=7, micro_batch_size=job.micro_batch_size
    )
    runtime = RuntimeConfig.model_validate(
        {"checkpoint_steps": 2, "log_interval": 1, "parallel": job.parallel, "device": "cpu"}
    )
    try:
        outcome = run_training(
            problem,
            plan,
            evaluate_steps=2,
            work=work,
            device=torch.device("cpu"),
            runtime=runtime,
            progress=recorder,
            world=world,
        )
    except StoppedError as error:
        return {"stopped": error.signal_number, "message": error.message}
    weights = torch.cat([parameter.detach().flatten() for parameter in problem.model.parameters()])
    return {
        **asdict(outcome),
        "updates": recorder.updates,
        "notes": recorder.notes,
        "weights": weights.tolist(),
        "passes": len(problem.seeds),
        "micro_batches": problem.asked,
    }


def main() -> None:
    """Do all jobs, one after another."""
    torch.set_num_threads(1)
    jobs, results = (Path(name) for name in sys.argv[1:])
    try:
        with open_world(RuntimeConfig(device="cpu")) as world:
            found = [do(Job(**values), world) for values in json.loads(jobs.read_text())]
            everyones = world.gathered(found)
    except BertpipeError as error:
        print(error.message, file=sys.stderr)
        sys.exit(error.exit_code)
    if world.is_first:
        results.write_text(json.dumps(everyones))


if __name__ == "__main__":
    main()
