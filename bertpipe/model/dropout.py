"""Dropout (Srivastava et al. 2014) whose masks cost little on a CPU.

There ``torch`` draws a mask element by element, which takes a tenth of a training step. Here one draw
of 64 bits decides four elements, and a mask is a word of ones or zeros for each, laid over the
elements' bits. On other devices, and where ``torch.compile`` writes the kernels, torch's own is used.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx
from torch.nn import functional

_WORDS = 2**16
_WORDS_IN_A_DRAW = 4
_INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


def dropout(x: Tensor, *, prob: float) -> Tensor:
    """Return ``x`` with elements set to zero with this probability, the others scaled up for it."""
    if prob == 0:
        return x
    if not _masks_are_cheap(x):
        return functional.dropout(x, prob)
    dropped = round(prob * _WORDS)
    return _Masked.apply(x, _keep_mask(x, dropped)) * _scale(dropped)  # type: ignore[no-untyped-call]


def add_dropped(residual: Tensor, x: Tensor, *, prob: float) -> Tensor:
    """Return ``residual + dropout(x)``."""
    if prob == 0 or not _masks_are_cheap(x):
        return residual + functional.dropout(x, prob)
    dropped = round(prob * _WORDS)
    kept: Tensor = _Masked.apply(x, _keep_mask(x, dropped))  # type: ignore[no-untyped-call]
    return torch.add(residual, kept, alpha=_scale(dropped))


def _masks_are_cheap(x: Tensor) -> bool:
    return x.device.type == "cpu" and not torch.compiler.is_compiling()


def _scale(dropped: int) -> float:
    """Return the inverse of the true probability to keep: 0.1 becomes 6554 of 65536 words."""
    return _WORDS / (_WORDS - dropped)


def _keep_mask(x: Tensor, dropped: int) -> Tensor:
    """Draw -1 (all bits set: keep) or 0 for each element of ``x``, int16, from torch's generator."""
    draws = torch.empty(-(-x.numel() // _WORDS_IN_A_DRAW), dtype=torch.int64)
    # All 64 bits: without bounds the highest stays 0, and every fourth word would be half as large.
    draws.random_(-(2**63), None)
    words = draws.view(torch.int16)[: x.numel()]
    return words.ge_(dropped - _WORDS // 2).neg_().view(x.shape)


class _Masked(torch.autograd.Function):
    """The elements where the mask is -1, and zero elsewhere; a mask for the gradient, too."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, mask: Tensor) -> Tensor:
        ctx.save_for_backward(mask)
        return _masked(x, mask)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return _masked(gradients[0], *ctx.saved_tensors), None


def _masked(x: Tensor, mask: Tensor) -> Tensor:
    integers = _INTEGERS[x.element_size()]
    return (x.contiguous().view(integers) & mask.to(integers)).view(x.dtype)
