"""Checkpoints: all that a run needs to go on as if it had never stopped.

That is the weights, the optimizer's state, the number of updates done, and the figures gathered
so far. There is no generator state and no data position: both are functions of the step.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from bertpipe.artifacts import open_artifact, write_json, written_whole
from bertpipe.errors import ArtifactError
from bertpipe.model import save_tensors
from bertpipe.progress import Progress
from bertpipe.training.problem import Tally

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
    """

    step: int = 0
    tokens: int = 0
    tally: Tally = field(default_factory=Tally)
    rows: list[dict[str, float]] = field(default_factory=list)


def save_checkpoint(
    folder: Path, state: State, *, model: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    """Write ``folder/step-…`` whole, then drop all but the two newest whole ones."""
    target = folder / f"step-{state.step:09d}"
    with written_whole(target, stage="checkpoint", settings={}, inputs={}) as output:
        save_tensors(output.folder / WEIGHTS, dict(model.state_dict()))
        save_tensors(output.folder / OPTIMIZER, _optimizer_tensors(model, optimizer))
        write_json(output.folder / STATE, asdict(state))
        output.counts["step"] = state.step
    for old in _newest_first(folder)[KEPT:]:
        shutil.rmtree(old)


def load_newest(
    folder: Path, *, model: nn.Module, optimizer: torch.optim.Optimizer, progress: Progress
) -> State:
    """Restore model and optimizer from the newest whole checkpoint.

    A damaged one is named and skipped; it stays beside the others under another name.

    Returns:
        Where the run stands: at step 0 where there is no whole checkpoint.
    """
    for checkpoint in _newest_first(folder):
        try:
            open_artifact(checkpoint, stage="checkpoint")
        except ArtifactError as error:
            progress.note(f"skipped a damaged checkpoint, kept as {_set_aside(checkpoint)}: {error.message}")
            continue
        model.load_state_dict(load_file(checkpoint / WEIGHTS))
        _restore_optimizer(model, optimizer, load_file(checkpoint / OPTIMIZER))
        values = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
        return State(**(values | {"tally": Tally(**values["tally"])}))
    return State()


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*"), reverse=True)


def _set_aside(checkpoint: Path) -> str:
    """Give a damaged checkpoint a name under which it is neither counted, deleted nor overwritten."""
    names = (f"damaged-{number}-{checkpoint.name}" for number in count(1))
    aside = next(path for path in map(checkpoint.with_name, names) if not path.exists())
    checkpoint.rename(aside)
    return aside.name


def _named_states(
    model: nn.Module, optimizer: torch.optim.Optimizer
) -> Iterator[tuple[str, dict[str, Tensor]]]:
    for name, parameter in model.named_parameters():
        if parameter in optimizer.state:
            yield name, optimizer.state[parameter]


def _optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    return {
        f"{name}/{key}": value
        for name, state in _named_states(model, optimizer)
        for key, value in state.items()
    }


def _restore_optimizer(
    model: nn.Module, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]
) -> None:
    parameters = dict(model.named_parameters())
    for name_and_key, value in tensors.items():
        name, key = name_and_key.rsplit("/", 1)
        parameter = parameters[name]
        optimizer.state[parameter][key] = value.to(parameter.device)
