"""The fastest that a device computes here: what "FLOPs utilisation" is measured against.

Data sheets promise what no program reaches, and know nothing of threads, clocks or neighbours on
the same machine. So the yardstick is a large matrix product, timed on the spot.
"""

import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from bertpipe.training.precision import DTYPES, Precision
from bertpipe.training.shortage import if_it_fits

_SMALLEST, _LARGEST = 512, 8192
# So many, or so long: on a machine that is shared, one of them comes at a quiet moment.
_PRODUCTS, _SECONDS = 5, 0.15
# No size is measured for longer. Twice the width takes eight times as long, so it is tried if that fits.
_LONGEST_SECONDS = 0.5


def measured_peak(
    device: torch.device, precision: Precision, *, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Return the floating-point operations a second of a large matrix product; 0 without memory for any.

    The product grows until it takes some tenths of a second, fills any device or no longer fits beside the
    model; the fastest of several of each size counts. What else runs on a machine can only slow a product
    down, and a peak that was measured too low would tell of more than all. Nothing is drawn from torch's
    global generator.

    Args:
        device: where to compute.
        precision: of the operands; torch's settings for it are those of the run.
        clock: returns the time in seconds.
    """
    width, peak = _SMALLEST, 0.0
    while True:
        seconds = if_it_fits(partial(_fastest, width, device, DTYPES[precision], clock))
        if seconds is None:
            return peak
        peak = max(peak, 2 * width**3 / seconds)
        if width == _LARGEST or 8 * seconds > _LONGEST_SECONDS:
            return peak
        width *= 2


def _fastest(width: int, device: torch.device, dtype: torch.dtype, clock: Callable[[], float]) -> float:
    """Return how long a product takes at best, to the end of its work on the device."""
    left, right = _operands(width, device, dtype)
    durations: list[float] = []
    while sum(durations) < (_LONGEST_SECONDS if len(durations) < _PRODUCTS else _SECONDS):
        began = clock()
        left @ right
        _synchronize(device)
        durations.append(max(clock() - began, 1e-9))
    return min(durations)


def _operands(width: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return two random matrices: zeros would be multiplied faster, with less power."""
    generator = torch.Generator(device).manual_seed(0)
    left, right = (torch.randn(width, width, generator=generator, device=device) for _ in range(2))
    return left.to(dtype), right.to(dtype)


def _synchronize(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
