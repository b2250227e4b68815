"""Tensors in a file."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from bertpipe.errors import ResourceError


def save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write a safetensors file, the same bytes for the same tensors.

    Its metadata is ``format: pt`` alone: several keys would be written in any order.

    Raises:
        ResourceError: the disk is full, or cannot be written.
    """
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        save_file(contiguous, path, metadata={"format": "pt"})
    except SafetensorError as error:
        raise ResourceError(f"{path}: cannot be written: {error}", hint="free some disk space") from None
