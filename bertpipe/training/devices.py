"""Where and how exactly tensors are computed."""

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

from bertpipe.configs import RuntimeConfig
from bertpipe.errors import ConfigError
from bertpipe.progress import Progress

Precision = Literal["fp32", "bf16"]


def prepare_device(runtime: RuntimeConfig, progress: Progress) -> torch.device:
    """Set threads and determinism, and return the device to compute on.

    On a CPU the same threads give the same bits; threads and device go to the run log.

    Raises:
        ConfigError: there is no such device.
    """
    name = runtime.device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(
            f"runtime.device = {name!r}: {str(error).splitlines()[0]}",
            hint="leave it unset, or name a device that torch has here",
        ) from None
    threads = runtime.threads or len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    if device.type == "cpu":
        torch.use_deterministic_algorithms(True)
        # Filling fresh memory is a debugging aid of that mode; it costs time and changes nothing.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    progress.record(device=str(device), threads=threads, torch=torch.__version__)
    return device


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Return the context of a forward pass: bf16 keeps weights, gradients and optimizer in fp32."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)
