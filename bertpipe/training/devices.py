"""Where and how exactly tensors are computed."""

import ctypes
import os
import platform

import torch

from bertpipe.configs import RuntimeConfig
from bertpipe.errors import ConfigError
from bertpipe.progress import Progress

# M_MMAP_MAX: no block gets pages of its own; M_TRIM_THRESHOLD: the heap does not shrink (mallopt(3)).
_KEEPING = ((-4, 0), (-1, 2**31 - 1))

# oneDNN's kernels, and what PyTorch keeps of each: enough for some updates of any model, layers share theirs.
_KERNELS = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "128", "LRU_CACHE_CAPACITY": "128"}


def prepare_device(runtime: RuntimeConfig, progress: Progress, *, processes: int = 1) -> torch.device:
    """Set threads and determinism, and return the device to compute on.

    On a CPU the same threads give the same bits. What was set goes to the run log.

    Args:
        runtime: device and threads; unset: the best device, and a thread a core.
        progress: told what was set.
        processes: how many share the cores of this machine.

    Raises:
        ConfigError: there is no such device.
    """
    name = runtime.device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()  # the device meta has tensors, but no numbers in them
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(
            f"runtime.device = {name!r}: {str(error).splitlines()[0]}",
            hint="leave it unset, or name a device that torch has here",
        ) from None
    threads = runtime.threads or max(1, len(os.sched_getaffinity(0)) // processes)
    torch.set_num_threads(threads)
    if device.type == "cpu":
        torch.use_deterministic_algorithms(True)
        # Filling fresh memory is a debugging aid of that mode; it costs time and changes nothing.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        keeps_memory = _keep_freed_memory()
        _keep_few_kernels()
    else:
        keeps_memory = False
    progress.record(
        device=str(device), threads=threads, torch=torch.__version__, keeps_freed_memory=keeps_memory
    )
    return device


def _keep_freed_memory() -> bool:
    """Let freed memory be used again instead of going back to the system; return whether that is set.

    A training step frees and asks for the same large tensors again and again. By default glibc gives
    each of them back, and the system has to find, clear and map its pages anew: an eighth of a step.
    Other C libraries have no such switch.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(None)
    return all(library.mallopt(name, value) == 1 for name, value in _KEEPING)


def _keep_few_kernels() -> None:
    """Let kernels of old shapes go, unless the user has said how many to keep.

    In bf16 each shape of a product has a kernel of its own, of half a megabyte. Batches without padding
    have new shapes in every update, and 1,024 of each kind would be kept: 7 GB after 600 updates of
    fine-tuning on SQuAD, not 1. Both caches read their size when they are first used.
    """
    for name, kernels in _KERNELS.items():
        os.environ.setdefault(name, kernels)
