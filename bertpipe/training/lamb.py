"""LAMB, and the AdamW of the original BERT code, which torch does not have.

torch has neither LAMB nor an Adam without bias correction. Both are one update rule with or
without its parts, so one small optimizer serves both.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor


class Lamb(torch.optim.Optimizer):
    """Adam's direction plus decay, scaled for each tensor by its trust ratio.

    You et al. 2020 ("Large Batch Optimization for Deep Learning: Training BERT in 76 minutes"),
    algorithm 2, with the identity for phi: a tensor moves by rate x |w| / |u| x u, where u is
    Adam's direction plus decay x w. The ratio is 1 where either norm is zero. As in NVIDIA's
    FusedLAMB with its defaults, norms and biases have neither decay nor trust ratio (a bias starts
    at zero, where a ratio means nothing), and gradients are clipped by their norm over all
    tensors beforehand, which the training loop does. A group without ``trust_ratio`` moves as AdamW
    does; without ``bias_correction`` too it is the optimizer of the original BERT code.

    The state is per tensor: ``step``, ``exp_avg``, ``exp_avg_sq``, the names of torch's AdamW. For a
    DTensor (FSDP2) each process moves its shard; norms are those of the whole tensor.
    """

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        *,
        lr: float,
        betas: tuple[float, float],
        eps: float,
        bias_correction: bool,
    ) -> None:
        """Take groups with ``params``, ``weight_decay`` and ``trust_ratio`` (yes or no)."""
        defaults = {"lr": lr, "betas": betas, "eps": eps, "bias_correction": bias_correction}
        super().__init__(groups, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient."""
        assert closure is None, "the loop computes the gradients before it asks for a move"
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if parameters:
                self._move(parameters, group)

    def _move(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        directions = self._directions(parameters, group)
        if group["weight_decay"]:
            torch._foreach_add_(directions, parameters, alpha=group["weight_decay"])
        if group["trust_ratio"]:
            torch._foreach_mul_(directions, _trust_ratios(parameters, directions))
        torch._foreach_add_(parameters, directions, alpha=-group["lr"])

    def _directions(self, parameters: list[Tensor], group: dict[str, Any]) -> list[Tensor]:
        """Take the gradients into the averages; return Adam's direction for each parameter."""
        beta1, beta2 = group["betas"]
        states = [self._state_of(parameter) for parameter in parameters]
        averages = [state["exp_avg"] for state in states]
        squares = [state["exp_avg_sq"] for state in states]
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        torch._foreach_lerp_(averages, gradients, 1 - beta1)
        torch._foreach_mul_(squares, beta2)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - beta2)
        steps = [int(state["step"]) for state in states]
        if not group["bias_correction"]:
            denominators = torch._foreach_sqrt(squares)
            torch._foreach_add_(denominators, group["eps"])
            return list(torch._foreach_div(averages, denominators))
        denominators = torch._foreach_div(squares, [1 - beta2**step for step in steps])
        torch._foreach_sqrt_(denominators)
        torch._foreach_add_(denominators, group["eps"])
        directions = torch._foreach_div(averages, [1 - beta1**step for step in steps])
        torch._foreach_div_(directions, denominators)
        return list(directions)

    def _state_of(self, parameter: Tensor) -> dict[str, Tensor]:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros(())
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        # On the CPU, so that reading it does not wait for a GPU: a loaded state may have put it there.
        state["step"] = state["step"].cpu() + 1
        return state


def _trust_ratios(parameters: list[Tensor], directions: list[Tensor]) -> list[float]:
    weights, moves = _norms(parameters), _norms(directions)
    return [w / u if w and u else 1.0 for w, u in zip(weights, moves, strict=True)]


def _norms(tensors: list[Tensor]) -> list[float]:
    """Return the norm of each whole tensor, with one reduction and one transfer for all."""
    norms = torch.stack(torch._foreach_norm(tensors))
    return (norms.full_tensor() if isinstance(norms, DTensor) else norms).tolist()
