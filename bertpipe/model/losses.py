"""Cross entropy over a whole vocabulary, in few passes over the scores."""

from typing import Any

import torch
from torch import Tensor


def summed_cross_entropy(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the cross entropy summed over rows, float32, and how many rows are right, int64.

    The scores are the largest tensor of a pre-training step. They become probabilities once, in
    float32 or better, and these become the gradient in place.

    Args:
        logits: scores of any float type ``[P, V]``.
        labels: the right entries, int64 ``[P]``.
    """
    return _SummedCrossEntropy.apply(logits, labels)  # type: ignore[no-untyped-call]


class _SummedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        ctx.dtype = logits.dtype
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        probabilities = torch.softmax(logits, dim=-1)
        best, at_labels = logits.amax(dim=-1), logits.gather(1, labels[:, None]).squeeze(1)
        # By way of the largest probability: that of the label may be too small for a float.
        log_probabilities = (at_labels - best) + probabilities.amax(dim=-1).log()
        correct = _first_best(logits, labels, at_labels == best)
        ctx.save_for_backward(probabilities, labels, log_probabilities)
        ctx.mark_non_differentiable(correct)
        return -log_probabilities.sum(), correct

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        probabilities, labels, log_probabilities = ctx.saved_tensors
        probabilities.scatter_(1, labels[:, None], torch.expm1(log_probabilities)[:, None])
        return probabilities.mul_(gradients[0]).to(ctx.dtype), None


def _first_best(logits: Tensor, labels: Tensor, is_best: Tensor) -> Tensor:
    """Return in how many rows the label is the first entry with the largest score.

    Looking for the place of the largest score costs five times as much as looking for the score,
    so on a CPU it is done only in rows where it may be the label; a GPU would have to wait for them.
    """
    if logits.device.type == "cpu":
        rows = is_best.nonzero().squeeze(1)
        logits, labels = logits[rows], labels[rows]
    return (logits.argmax(dim=-1) == labels).sum()
