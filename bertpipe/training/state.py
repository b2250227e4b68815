"""Checkpoints: all that a run needs to go on as if it had never stopped.

That is the weights, the optimizer's state, the number of updates done, and the figures gathered
so far. There is no generator state and no data position: both are functions of the step. Tensors
are stored whole, so a run can go on with another number of processes, laid out in another way.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from bertpipe.artifacts import open_artifact, write_json, written_whole
from bertpipe.errors import ArtifactError, CheckpointError
from bertpipe.model import save_tensors
from bertpipe.progress import Progress
from bertpipe.training.parallel import like, whole
from bertpipe.training.problem import Tally
from bertpipe.training.world import ALONE, World

KEPT = 2
WEIGHTS, OPTIMIZER, STATE = "model.safetensors", "optimizer.safetensors", "state.json"


@dataclass
class State:
    """Where a run stands.

    Attributes:
        step: updates done.
        tokens: real tokens seen.
        tally: sums since the last row of the curve.
        rows: the curve so far.
        guards: running figures of the guards.
        scaler: the loss scale.
    """

    step: int = 0
    tokens: int = 0
    tally: Tally = field(default_factory=Tally)
    rows: list[dict[str, float]] = field(default_factory=list)
    guards: dict[str, float] = field(default_factory=dict)
    scaler: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "State":
        """Undo ``dataclasses.asdict``."""
        return cls(**(dict(values) | {"tally": Tally(**values["tally"])}))


class Checkpoints:
    """The checkpoints of a run, ``step-…`` in its work folder; the first process has it.

    From a GPU the tensors are copied, and files are written and hashed while training goes on. On a
    CPU they are written at once, since the tensors are about to change.
    """

    def __init__(self, folder: Path, *, world: World = ALONE) -> None:
        self._folder = folder
        self._world = world
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._writing: Future[None] | None = None

    def __enter__(self) -> Self:
        """Open nothing."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the last one be written to its end."""
        self._thread.shutdown()
        if error is None:
            self.wait()

    def save(self, state: State, *, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Write a checkpoint whole, then drop all but the two newest whole ones.

        Raises:
            OSError: the disk is full, now or in the writing before; older checkpoints are as they were.
            ResourceError: the same.
        """
        self.wait()
        weights = self._collected(model.state_dict())
        moments = self._collected(_optimizer_tensors(model, optimizer))
        if not self._world.is_first:
            return
        self._writing = self._thread.submit(_write, self._folder, asdict(state), weights, moments)
        if any(tensor.device.type == "cpu" for tensor in model.parameters()):
            self.wait()

    def wait(self) -> None:
        """Wait for the writing that is under way."""
        writing, self._writing = self._writing, None
        if writing:
            writing.result()

    def load_newest(self, *, model: nn.Module, optimizer: torch.optim.Optimizer, progress: Progress) -> State:
        """Restore model and optimizer from the newest whole checkpoint.

        A damaged one is named and skipped; it stays beside the others under another name.

        Returns:
            Where the run stands: at step 0 where there is no whole checkpoint.

        Raises:
            CheckpointError: it is of a model with other names.
        """
        newest = _newest_whole(self._folder, progress) if self._world.is_first else None
        values, weights, moments = _read(newest, set(model.state_dict())) if newest else (None, {}, {})
        values = self._world.broadcast(values)
        if values is None:
            return State()
        _restore_weights(model, self._world.shared(weights))
        _restore_optimizer(model, optimizer, self._world.shared(moments))
        return State.of(values)

    def carry(
        self, moments: Mapping[str, Tensor], *, model: nn.Module, optimizer: torch.optim.Optimizer
    ) -> None:
        """Give the optimizer the state of another run, by name, which the first process has."""
        _restore_optimizer(model, optimizer, self._world.shared(moments))

    def moments(self, *, model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
        """Return the optimizer's state by name, as ``carry`` takes it: in the first process."""
        return self._collected(_optimizer_tensors(model, optimizer))

    def _collected(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return tensors whole and in main memory, in the first process."""
        found: dict[str, Tensor] = {}
        for name, tensor in tensors.items():
            full = whole(tensor.detach())
            if self._world.is_first:
                found[name] = full.to("cpu", non_blocking=True)  # into pinned memory, which is fast
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return found


def _write(
    folder: Path, values: dict[str, Any], weights: dict[str, Tensor], moments: dict[str, Tensor]
) -> None:
    target = folder / f"step-{values['step']:09d}"
    with written_whole(target, stage="checkpoint", settings={}, inputs={}) as output:
        save_tensors(output.folder / WEIGHTS, weights)
        save_tensors(output.folder / OPTIMIZER, moments)
        write_json(output.folder / STATE, values)
        output.counts["step"] = values["step"]
    for old in _newest_first(folder)[KEPT:]:
        shutil.rmtree(old)


def _read(checkpoint: Path, names: set[str]) -> tuple[dict[str, Any], dict[str, Tensor], dict[str, Tensor]]:
    values = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
    weights, moments = load_file(checkpoint / WEIGHTS), load_file(checkpoint / OPTIMIZER)
    for name in sorted(names ^ weights.keys()):
        whose = "only the checkpoint has" if name in weights else "the checkpoint lacks"
        raise CheckpointError(
            f"{checkpoint} is of another version of the model: {whose} {name}",
            hint="--set runtime.old_progress=restart starts over",
        )
    return values, weights, moments


def _newest_whole(folder: Path, progress: Progress) -> Path | None:
    for checkpoint in _newest_first(folder):
        try:
            open_artifact(checkpoint, stage="checkpoint")
        except ArtifactError as error:
            progress.note(f"skipped a damaged checkpoint, kept as {_set_aside(checkpoint)}: {error.message}")
        else:
            return checkpoint
    return None


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*"), reverse=True)


def _set_aside(checkpoint: Path) -> str:
    """Give a damaged checkpoint a name under which it is neither counted, deleted nor overwritten."""
    names = (f"damaged-{number}-{checkpoint.name}" for number in count(1))
    aside = next(path for path in map(checkpoint.with_name, names) if not path.exists())
    checkpoint.rename(aside)
    return aside.name


def _optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    return {
        f"{name}/{key}": value
        for name, parameter in model.named_parameters()
        if parameter in optimizer.state
        for key, value in optimizer.state[parameter].items()
    }


@torch.no_grad()
def _restore_weights(model: nn.Module, tensors: Iterator[tuple[str, Tensor]]) -> None:
    targets = model.state_dict()
    for name, tensor in tensors:
        targets[name].copy_(like(targets[name], tensor))


def _restore_optimizer(
    model: nn.Module, optimizer: torch.optim.Optimizer, tensors: Iterator[tuple[str, Tensor]]
) -> None:
    parameters = dict(model.named_parameters())
    for name_and_key, tensor in tensors:
        name, key = name_and_key.rsplit("/", 1)
        optimizer.state[parameters[name]][key] = like(parameters[name], tensor)
