"""The optimizer's state beside a model, for a phase that goes on with it."""

from pathlib import Path

from torch import Tensor

from bertpipe.checkpoints.model_folder import SavedModel
from bertpipe.checkpoints.weights import read_tensors
from bertpipe.errors import CheckpointError
from bertpipe.model import save_tensors

OPTIMIZER = "optimizer.safetensors"


def write_optimizer(folder: Path, tensors: dict[str, Tensor]) -> None:
    """Write the state beside the model, by ``<our parameter name>/<name of the state>``."""
    save_tensors(folder / OPTIMIZER, tensors)


def read_optimizer(saved: SavedModel) -> dict[str, Tensor]:
    """Return the state that was written beside a model.

    Raises:
        CheckpointError: none was, or it cannot be read.
    """
    path = saved.folder / OPTIMIZER
    if not path.is_file():
        raise CheckpointError(
            f"{saved.folder} holds no {OPTIMIZER}, which pretrain.carry_optimizer asks for",
            hint="train it with pretrain.save_optimizer = true, or leave carry_optimizer unset",
        )
    return read_tensors(path)
