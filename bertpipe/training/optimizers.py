"""The optimizers that BERT is trained with."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from pydantic import Field
from torch import nn

from bertpipe.configs import Settings
from bertpipe.training.lamb import Lamb


class OptimizerConfig(Settings):
    """Settings of the optimizer; the numbers are those of the original code (appendix A.2)."""

    optimizer: Literal["adamw", "lamb"] = Field(
        "adamw", description="lamb is for large batches, of thousands of sequences."
    )
    learning_rate: float = Field(1e-4, gt=0, description="Peak rate.")
    weight_decay: float = Field(0.01, ge=0, description="Decay; none on norms and biases.")
    adam_beta1: float = Field(0.9, ge=0, lt=1, description="Decay rate of the gradients' mean.")
    adam_beta2: float = Field(0.999, ge=0, lt=1, description="Decay rate of the squared gradients' mean.")
    adam_epsilon: float = Field(1e-6, gt=0, description="Added to the denominator.")
    bias_correction: bool = Field(
        True, description="Correct both means for their start at zero; the original code does not."
    )
    max_grad_norm: float = Field(1.0, gt=0, description="Gradients are clipped to this norm.")


# The rate of a parameter as a multiple of the rate that the schedule gives, by the parameter's name.
Scale = Callable[[str], float]


def as_scheduled(name: str) -> float:
    """Return 1 for every parameter: all learn at the rate that the schedule gives."""
    return 1.0


def build_optimizer(
    model: nn.Module, config: OptimizerConfig, *, scale: Scale = as_scheduled
) -> torch.optim.Optimizer:
    """Return the optimizer over what learns, in groups that share their rate and their decay.

    Matrices decay, norms and biases do not. A group's ``scale`` is the multiple of the scheduled rate that
    it learns at. The state is tensors by parameter: ``step``, ``exp_avg`` and ``exp_avg_sq``, whichever
    optimizer it is.
    """
    groups = _groups(model, config, scale)
    betas = (config.adam_beta1, config.adam_beta2)
    if config.optimizer == "adamw" and config.bias_correction:
        return torch.optim.AdamW(
            groups, lr=config.learning_rate, betas=betas, eps=config.adam_epsilon, fused=True
        )
    has_ratio = config.optimizer == "lamb"
    return Lamb(
        [group | {"trust_ratio": has_ratio and group["params"][0].ndim >= 2} for group in groups],
        lr=config.learning_rate,
        betas=betas,
        eps=config.adam_epsilon,
        bias_correction=config.bias_correction,
    )


def set_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Let every group learn at its multiple of the scheduled rate; at the rate itself where it has none."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group.get("scale", 1.0)


def _groups(model: nn.Module, config: OptimizerConfig, scale: Scale) -> list[dict[str, Any]]:
    members: dict[tuple[bool, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            members.setdefault((parameter.ndim < 2, scale(name)), []).append(parameter)
    return [
        {
            "params": parameters,
            "weight_decay": 0.0 if is_vector else config.weight_decay,
            "scale": multiple,
            "lr": config.learning_rate * multiple,
        }
        for (is_vector, multiple), parameters in sorted(members.items(), key=lambda item: item[0])
    ]
