"""Telling a lack of memory from other errors: torch has many ways to say it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

from bertpipe.errors import ResourceError

# What has no class of its own: torch on a CPU, CUDA outside of torch's allocator, and the libraries on it.
_SIGNS = (
    "not enough memory",
    "DefaultCPUAllocator",
    "can't allocate memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "ALLOCATION_FAILED",  # cuDNN 9: of the host or of the device
)

R = TypeVar("R")


def is_shortage(error: Exception) -> bool:
    """Return whether an error is a lack of memory."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)


def if_it_fits(act: Callable[[], R]) -> R | None:
    """Return what ``act`` returns, or none where memory ran out; what it took is free again."""
    try:
        return act()
    except (RuntimeError, MemoryError) as error:
        if not is_shortage(error):
            raise
    # Out of the handler: there the traceback still holds the tensors.
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None


@contextmanager
def shortages_told() -> Iterator[None]:
    """Say in one line that memory ran out where nothing can be cut into smaller pieces.

    Raises:
        ResourceError: it did.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_shortage(error):
            raise
        reason = str(error).partition("\n")[0]
        raise ResourceError(
            "out of memory while training" + (f": {reason}" if reason else ""),
            hint="a smaller model, smaller batches, shorter sequences or more memory would help",
        ) from error
