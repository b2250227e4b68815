"""Whether a model fits into memory: asked before it is built.

Counted is what every update needs whatever the batch: weights, gradients and the optimizer's two
moments, in fp32 whatever the precision of the forward pass, and the copy that a checkpoint is written
from. Activations come on top; they depend on the micro-batch, which training makes smaller when
memory runs out.
"""

from collections.abc import Mapping
from pathlib import Path

import psutil
import torch

from bertpipe.errors import ResourceError
from bertpipe.model import ModelShape, PretrainingModel, count_parameters

_FLOAT_BYTES = 4
_TRAINED = 4  # numbers a parameter: weight, gradient, two moments
_SAVED = 3  # numbers a parameter in a checkpoint: weight, two moments
_CGROUP = Path("/sys/fs/cgroup")


def parameters_of(shape: ModelShape, *, predicts_next_sentence: bool) -> int:
    """Return the number of weights; no memory is taken, however large the model."""
    with torch.device("meta"):
        one = PretrainingModel(
            shape.model_copy(update={"num_hidden_layers": 1}), predicts_next_sentence=predicts_next_sentence
        )
    return count_parameters(one) + (shape.num_hidden_layers - 1) * count_parameters(one.encoder.layers[0])


def bytes_needed(
    parameters: int, *, device: torch.device, shared_by: int = 1, processes: int = 1
) -> dict[torch.device, int]:
    """Return what training takes, by where: of main memory what all processes of this machine take.

    Args:
        parameters: number of weights.
        device: where it is trained.
        shared_by: number of processes over which weights, gradients and moments are spread.
        processes: how many of them are on this machine.
    """
    trained = -(-parameters * _TRAINED // shared_by) * _FLOAT_BYTES
    saved = parameters * _SAVED * _FLOAT_BYTES
    if device.type == "cpu":
        return {device: trained * processes + saved}
    return {device: trained, torch.device("cpu"): saved}


def bytes_free(device: torch.device) -> int:
    """Return how much memory may still be taken there."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    free = int(psutil.virtual_memory().available)
    return min(free, left_in_container(_CGROUP, default=free))


def left_in_container(folder: Path, *, default: int) -> int:
    """Return what the limit of a control group (version 2) leaves; file pages it can drop count as free."""
    try:
        limit = (folder / "memory.max").read_text(encoding="ascii").strip()
        used = int((folder / "memory.current").read_text(encoding="ascii"))
        lines = (folder / "memory.stat").read_text(encoding="ascii").splitlines()
    except OSError:
        return default
    if limit == "max":
        return default
    droppable = sum(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))
    return max(0, int(limit) - used + droppable)


def check_memory(needed: Mapping[torch.device, int], *, parameters: int, free: int | None = None) -> None:
    """Refuse a model that cannot be trained here.

    Args:
        needed: as ``bytes_needed`` says.
        parameters: number of weights.
        free: bytes that may be taken everywhere; unset: asked.

    Raises:
        ResourceError: it needs more than there is; both numbers are told.
    """
    for place, size in needed.items():
        there = bytes_free(place) if free is None else free
        if size > there:
            raise ResourceError(
                f"a model of {parameters:,} parameters needs about {_gigabytes(size)} of {_name(place)} "
                f"before the first batch ({_what(place, alone=len(needed) == 1)}); "
                f"{_gigabytes(there)} are free",
                hint="choose a smaller model.preset or model.hidden_size, free some memory, or spread the "
                "model over more machines: torchrun with runtime.parallel = fsdp",
            )


def _what(place: torch.device, *, alone: bool) -> str:
    trained = "weights, gradients and the optimizer's moments"
    saved = "what a checkpoint is written from"
    if alone:
        return f"{trained}, and {saved}"
    return saved if place.type == "cpu" else trained


def _name(place: torch.device) -> str:
    return "main memory" if place.type == "cpu" else f"memory on {place}"


def _gigabytes(number: int) -> str:
    return f"{number / 1e9:,.1f} GB"
