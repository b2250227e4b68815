"""The optimizers that BERT is trained with."""

from typing import Literal

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


def build_optimizer(model: nn.Module, config: OptimizerConfig) -> torch.optim.Optimizer:
    """Return the optimizer over two groups: matrices decay, norms and biases do not.

    Its state is tensors by parameter: ``step``, ``exp_avg`` and ``exp_avg_sq``, whichever it is.
    """
    parameters = list(model.parameters())
    matrices = {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": config.weight_decay}
    others = {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0}
    betas = (config.adam_beta1, config.adam_beta2)
    if config.optimizer == "adamw" and config.bias_correction:
        return torch.optim.AdamW(
            [matrices, others], lr=config.learning_rate, betas=betas, eps=config.adam_epsilon, fused=True
        )
    return Lamb(
        [matrices | {"trust_ratio": config.optimizer == "lamb"}, others | {"trust_ratio": False}],
        lr=config.learning_rate,
        betas=betas,
        eps=config.adam_epsilon,
        bias_correction=config.bias_correction,
    )
